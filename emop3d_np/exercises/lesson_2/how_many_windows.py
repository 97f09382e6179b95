"""How many windows?

A row of 11 positions, windows of 4, and the window moves on by 3 each time; there is no padding.

Predict, and put the numbers into the file:

- `windows`: how many windows fit.
- `covers_position_3`: how many of them cover the position 3 (positions count from 0).
- `covers_position_10`: how many cover the last position.
- `additions`: with a step of 1 instead of 3 and all 8 windows: how many additions it takes to compute them one by one,
  each from its own four numbers.

The page: [Box sums](box_sums.md#line-by-line).
"""

HINTS = (
    "Write down the positions of each window: the first is 0, 1, 2, 3.",
    "The second window is 3, 4, 5, 6. The last one must end at position 10 or before.",
    "The count is (11 - 4 + 1) / 3, rounded up. A sum of four numbers takes three additions.",
)

# --- answer
#: begin
#| windows = None
#| covers_position_3 = None
#| covers_position_10 = None
#| additions = None
windows = 3
covers_position_3 = 2
covers_position_10 = 0
additions = 24
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    counts = {
        2: "(11 - 4) / 3, rounded down, leaves out the first window",
        4: "the last of these would end beyond position 10",
        8: "so many fit with a step of 1",
        2.67: "a number of windows is whole; it is rounded up",
        8 / 3: "a number of windows is whole; it is rounded up",
        7 / 3: "a number of windows is whole, and the first one is left out here",
    }
    judging.number(answer, "windows", 3, counts)
    shared = "the last place of one window is the first of the next"
    judging.number(answer, "covers_position_3", 2, {1: shared, 3: "write down which positions the third window has"})
    end = "where does the last window begin, and where does it end?"
    judging.number(answer, "covers_position_10", 0, {1: end, 2: end})
    given = {
        32: "a sum of four numbers takes three additions, not four",
        16: "that is with sums of pairs, which neighbours share",
        9: "that is for three windows; with a step of 1 there are eight",
    }
    judging.number(answer, "additions", 24, given)
    return "the windows begin at 0, 3 and 6; the last one ends at 9, so position 10 is in none"
