"""What float32 forgets

Predict; nothing is as on paper here. In float32 a number has 24 binary digits, so that neighbours of 1e9 are 64 apart.

- `IN_PAIRS`: `(x[0] + x[1]) + (x[2] + x[3])` in float32 for x = 1e9, 3, -1e9, 2.
- `IN_A_ROW`: `((x[0] + x[1]) + x[2]) + x[3]` in float32 for the same.
- `WINDOW`: the last window of two, 2 + 4, in the row 1e9, 5, 2, 4: as a window.
- `RUNNING`: the same as a difference of running sums (after four numbers less after two) in float32.
- `STUCK`: where a float32 stays that begins at 0 and to which 1 is added again and again.

The pages: [Box sums](box_sums.md#why-not-running-sums), and [How the fast kernels
work](fast_kernels.md#the-same-bits-on-any-number-of-threads).
"""

HINTS = (
    "1e9 + 3 is 1e9 in float32, and -1e9 + 2 is -1e9.",
    "A running sum that has reached 1e9 stays there, whatever small numbers come after.",
    "All whole numbers up to 2 to the power of 24 have a float32 of their own; the next one has none.",
)

# --- answer
#: begin
#| IN_PAIRS = None
#| IN_A_ROW = None
#| WINDOW = None
#| RUNNING = None
#| STUCK = None
IN_PAIRS = 0
IN_A_ROW = 2
WINDOW = 6
RUNNING = 0
STUCK = 2**24
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    exact = "that is right on paper; in float32 what is small is lost beside 1e9"
    both = "in pairs each of the two small numbers meets a large one"
    judging.number(answer, "IN_PAIRS", 0, {5: exact, 2: both, 3: both})
    judging.number(
        answer,
        "IN_A_ROW",
        2,
        {
            5: exact,
            3: "the 3 is lost beside 1e9; what comes after the large numbers is not",
            0: "the last 2 comes when the two large numbers are gone already",
        },
    )
    judging.number(answer, "WINDOW", 6, {0: "the window itself does not touch the large number"})
    judging.number(answer, "RUNNING", 0, {6: "that is right on paper; the running sums are 1e9 before and after"})
    judging.number(
        answer,
        "STUCK",
        2**24,
        {
            2**23: "there the next whole number has a float32 still; neighbours are 1 apart",
            2**24 - 1: "one more has a float32 of its own",
            2**24 + 1: "that number has no float32: it is rounded down",
            1e9: "1e9 is not reached by ones",
            2**31: "that is where whole numbers of 32 bits end; a float32 has 24 digits",
            2**32: "that is where whole numbers of 32 bits end; a float32 has 24 digits",
            3.4028235e38: "that is the largest float32; long before it neighbours are more than 1 apart",
        },
    )
    return "0, 2, 6, 0 and 16,777,216"
