"""The transpose is a box sum, too

For steps of 1, the transpose of a box sum can be computed by the very same function, if zeros are put around what
it gets. `box_sum(p, r)` is in the file; with it, `backward(dz, r)` needs no loop.
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
            lambda p, r=r: box_sum(p, r),
            lambda dz, p, r=r: function(dz, r),
            [judging.numbers(2, w)],
            "p",
            mistakes=_mistakes(r) if r > 1 else None,
        )
    steps = judging.no_loop(answer, function, (judging.numbers(2, 5), 2), (judging.numbers(6, 40), 12), "windows")
    return f"{words}; {steps}"


def _mistakes(r):
    def padded(before, after, **mode):
        return lambda dz, p: box_sum(np.pad(dz, ((0, 0), (before, after)), **mode), r)

    around = r - 1, r - 1
    return {
        "all the zeros stand before dz; half of them belong behind it": padded(2 * (r - 1), 0),
        "all the zeros stand behind dz; half of them belong before it": padded(0, 2 * (r - 1)),
        "one zero too many stands before dz, and one too few behind it": padded(r, r - 2),
        "one zero too few stands before dz, and one too many behind it": padded(r - 2, r),
        "dz goes on beyond its ends here; zeros belong around it": [
            padded(*around, mode=mode) for mode in ("edge", "wrap", "reflect", "symmetric")
        ],
    }
