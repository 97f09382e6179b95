"""Eight neighbours with three additions

The function in the file adds up windows of 8 neighbours in a row, place by place: seven additions per output.
Neighbouring windows share most of their numbers, so it can be done with three per output: sums of two, then of four,
then of eight.

Rewrite it. `p` has the shape `(w,)`, the answer `(w - 7,)`. The judge counts additions; those at the end of the row are
not held against you, and running sums (`cumsum`) do not count as an answer: they lose digits, as the page says.

The page: [Box sums](box_sums.md#three-facts-the-fast-kernels-use).
"""

HINTS = (
    "u[q] = p[q] + p[q + 1] for all q at once is one addition per position. Which two of them make a window of four?",
    "A window of four is two windows of two, two apart; a window of eight is two windows of four, four apart.",
    "u = p[:-1] + p[1:]; then u = u[:-2] + u[2:]; then the same with 4.",
)

# --- answer
import numpy as np


def sums_of_eight(p):
    """Sums of 8 neighbours of a row (w,): (w - 7,)."""
    #: begin
    #| z = np.zeros(len(p) - 7)
    #| for k in range(8):
    #|     z = z + p[k : k + len(z)]
    #| return z
    for apart in (1, 2, 4):
        p = p[:-apart] + p[apart:]
    return p
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    function = answer.function("sums_of_eight(p)")
    p = judging.numbers(20)
    sums = {r: np.convolve(p, np.ones(r), "valid") for r in range(1, 10)}
    got = function(p)
    for r, each in sums.items():
        if r != 8 and judging.shape_of(got) == each.shape and np.allclose(got, each):
            raise judging.Wrong(f"these are sums of {r} neighbours; eight are wanted")
    if judging.shape_of(got) == (17,):
        raise judging.Wrong("windows that overlap were added up, and numbers count twice: take those two, four apart")
    judging.same(got, sums[8], "the answer")
    large = np.concatenate([[1e17], np.ones(15)])
    if abs(function(large)[-1] - 8) > 1e-6:
        raise judging.Wrong("after a large number the sums have lost digits: differences of running sums do not forget")
    judging.three_additions(answer, "sums_of_eight(p)", 8)
    return "the values are right, with three additions per output"
