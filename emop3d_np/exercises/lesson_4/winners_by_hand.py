"""Who wins?

One position over seven frames: `x = (4, 1, 6, 6, 2, 5, 3)`. The maximum of every three frames in a row is taken, with a
step of 1, so there are five runs. Then the gradient `dm = (1, 10, 100, 1000, 10000)` of the five maxima arrives.
Of equal values the first takes all.

Predict, counting from 0:

- `m_3`: the maximum of the run 3, which are the frames 3, 4 and 5.
- `dx_2`: what frame 2 receives.
- `dx_3`: what frame 3 receives.
- `total`: what all frames receive together.

The page: [Pooling](pooling.md#by-hand).
"""

HINTS = (
    "Write down the five runs, and mark in each the frame that wins.",
    "Where both sixes are in a run, the first of them wins. In run 3 there is one six only.",
    "Winners of the runs: frames 2, 2, 2, 3, 5. What comes in goes out, so the total is that of dm.",
)

# --- answer
#: begin
#| m_3 = None
#| dx_2 = None
#| dx_3 = None
#| total = None
m_3 = 6
dx_2 = 111
dx_3 = 1000
total = 11111
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(answer, "m_3", 6, {5: "frame 3 is in the run 3, too", 2: "the largest is wanted"})
    shared = "equal values do not share here: the first takes all"
    given = {
        1: "it wins more runs than the first",
        11: "run 2 has both sixes in it; which of them comes first?",
        110: "run 0 has frame 2 in it, too",
        1 + 5 + 50: shared,
        1111: "frame 2 is not in the run 3",
        100: "that is what comes from run 2 alone; which others is frame 2 in?",
        0: "frames count from 0; frame 2 has the first six",
        6: "that is its value; the gradient is asked for",
        666: "the value does not come in: where a frame is the maximum, the slope is 1",
    }
    judging.number(answer, "dx_2", 111, given)
    given = {
        0: "there is a run without the first six",
        1110: "where both sixes are in a run, the first of them takes all",
        1100: "where both sixes are in a run, the first of them takes all",
        1055: shared,
        1050: shared,
    }
    judging.number(answer, "dx_3", 1000, given)
    judging.number(answer, "total", 11111, {1111: "run 4 has a winner, too", 5: "that is the number of runs"})
    return "the frames receive (0, 0, 111, 1000, 0, 10000, 0): what comes in goes out"
