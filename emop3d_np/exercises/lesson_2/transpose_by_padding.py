"""The transpose is a box sum, too

For steps of 1, the transpose of a box sum can be computed by the very same function, if zeros are put around what
it gets. `box_sum(p, r)` is in the file. `backward(dz, r)` shall do with one call of it, and without a loop.
The file has a first try. Mend it.

`dz` has the shape `(n, w')`, the gradient `(n, w' + r - 1)`.

The page: [Box sums](box_sums.md#three-facts-the-fast-kernels-use).
"""

HINTS = (
    "Position 0 is covered by the first window alone, position 1 by the first two: what must stand before dz?",
    "A box sum makes a row r - 1 shorter, and the answer is to be r - 1 longer than dz.",
    "np.pad(dz, ((0, 0), (r - 1, r - 1))) puts r - 1 zeros at either end of every row.",
)

# --- answer
import numpy as np


def box_sum(p, r):
    """Sums of r neighbours in rows (n, w): (n, w - r + 1)."""
    return np.lib.stride_tricks.sliding_window_view(p, r, axis=1).sum(axis=-1)


def backward(dz, r):
    """The gradient g (n, w' + r - 1)."""
    #: begin
    #| padded = np.pad(dz, ((0, 0), (r, r)))
    #| return box_sum(padded, r)
    return box_sum(np.pad(dz, ((0, 0), (r - 1, r - 1))), r)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    function = answer.function("backward(dz, r)")
    words = ""
    for w, r in ((6, 3), (4, 1), (6, 4)):
        dz = judging.numbers(2, w - r + 1)
        got = function(dz, r)
        if judging.shape_of(got) == (2, w + 2):
            raise judging.Wrong("two positions too many: a window of r at the end of a row has r - 1 places beyond it")
        if judging.shape_of(got) == (2, w - r + 1) and r > 1:
            raise judging.Wrong("as long as dz: there must be r - 1 zeros at both ends, not r - 1 of them altogether")
        if judging.shape_of(got) == (2, w - 2 * (r - 1)) and r > 1:
            raise judging.Wrong("shorter than dz: where are the zeros around it?")
        words = judging.gradients(
            lambda p, r=r: box_sum(p, r), lambda dz, p, r=r: function(dz, r), [judging.numbers(2, w)], "p"
        )
    steps = judging.no_loop(answer, function, (judging.numbers(2, 5), 2), (judging.numbers(6, 40), 12), "windows")
    return f"{words}; {steps}"
