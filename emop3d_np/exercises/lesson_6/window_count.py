"""One window too few, sometimes

`window_count(length, window, stride)` says how often a window fits into `length` positions, if its starts are
`stride` apart and nothing is padded: it lies wholly inside or does not count. The page has

    (length - window + 1) / stride, rounded up

The function below is right for a stride of 1 and wrong for some others. Mend it; it takes no loop, and no import.

The page: [The pyramid](pyramid.md#the-sizes-by-hand).
"""

HINTS = (
    "Draw 8 positions and windows of 3 with a stride of 2: they start at 0, 2 and 4. What does the function say?",
    "`//` rounds down; the formula rounds up.",
    "Rounding up is rounding down with both signs turned: `-(-a // b)`. Or count the first window by itself: "
    "`(length - window) // stride + 1`.",
)

# --- answer


def window_count(length, window, stride):
    """How many windows fit."""
    #: begin
    #| return (length - window + 1) // stride
    return -(-(length - window + 1) // stride)
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    window_count = answer.function("window_count(length, window, stride)")
    for length, window, stride in ((16, 3, 1), (8, 3, 2), (9, 3, 2), (100, 4, 3), (4, 4, 2), (97, 2, 2), (11, 5, 4)):
        got = window_count(length, window, stride)
        case = f"{length} positions, windows of {window}, stride {stride}: "
        right = len(range(0, length - window + 1, stride))
        mistakes = {
            "the last window that fits is missing": (length - window + 1) // stride,
            "the window that starts at 0 is not counted": (length - window) // stride,
            "windows are counted that begin near the end and do not fit": -(-length // stride),
            "the quotient is not rounded": (length - window + 1) / stride,
            "it is one window too many": right + 1,
        }
        judging.same(
            got, np.float64(right), f"{case}the count", {case + words: value for words, value in mistakes.items()}
        )
        if not isinstance(got, int):
            raise judging.Wrong(f"{case}the count is {got!r}; it must be a whole number, an int")
    return "every window that fits is counted, for every stride that was tried"
