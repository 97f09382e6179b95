"""The gradient of a block's maximum

Blocks of `p` neighbours in rows `x` `(n, w)` lie side by side: `m[n, w'] = max over j < p of x[n, p * w' + j]`. `w` is
a multiple of `p`. `backward(dm, x, p)` gives the gradient of `x`, in its shape, from `dm` `(n, w / p)`.

The gradient of a block goes to its largest cell; of several that are equal, to the first.
The file has a first try. Mend it.

The page: [Pooling](pooling.md#line-by-line-in-space).
"""

HINTS = (
    "Put the cells of a block into an axis of their own: x.reshape(n, w / p, p).",
    "argmax gives the place of the first maximum along an axis.",
    "np.put_along_axis(dcells, chosen[..., None], dm[..., None], axis=-1) writes one number into each block.",
)

# --- answer
import numpy as np


def backward(dm, x, p):
    """The gradient dx (n, w)."""
    #: begin
    #| cells = x.reshape(*dm.shape, p)
    #| largest = cells == cells.max(axis=-1, keepdims=True)
    #| return (largest * dm[..., np.newaxis]).reshape(x.shape)
    cells = x.reshape(*dm.shape, p)
    chosen = cells.argmax(axis=-1)[..., np.newaxis]
    dcells = np.zeros_like(cells)
    np.put_along_axis(dcells, chosen, dm[..., np.newaxis], axis=-1)
    return dcells.reshape(x.shape)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dm, x, p)")

    def asked(p):
        return lambda x: x.reshape(len(x), -1, p).max(axis=-1), lambda dm, x: backward(dm, x, p)

    def spread(dm, x):
        return np.repeat(dm, 3, axis=1)

    def smallest(dm, x):
        cells = x.reshape(len(x), -1, 3)
        return ((cells == cells.min(axis=-1, keepdims=True)) * dm[..., np.newaxis]).reshape(x.shape)

    def valued(dm, x):
        cells = x.reshape(len(x), -1, 3)
        return ((cells == cells.max(axis=-1, keepdims=True)) * cells * dm[..., np.newaxis]).reshape(x.shape)

    mistakes = {
        "every cell of a block gets its gradient; the largest one alone moves the maximum": spread,
        "every cell of a block gets a third of its gradient: that is the mean": lambda dm, x: spread(dm, x) / 3,
        "the smallest cell gets the gradient": smallest,
        "the value of the cell is in the gradient; the maximum is that cell, so its slope is 1": valued,
    }
    words = judging.gradients(*asked(3), [judging.numbers(2, 6)], "x", mistakes=mistakes)
    with judging.besides("3 rows and blocks of 2"):
        judging.gradients(*asked(2), [judging.numbers(3, 4)], "x")
    x, dm = np.array([[7.0, 7.0, 1.0, 2.0, 5.0, 5.0]]), np.array([[6.0, 60.0]])
    wanted = np.array([[6.0, 0, 0, 0, 60, 0]])
    ties = {
        "both of two equal cells get the whole gradient: together twice as much as came in": np.array(
            [[6.0, 6, 0, 0, 60, 60]]
        ),
        "two equal cells share the gradient; here the first takes all": np.array([[3.0, 3, 0, 0, 30, 30]]),
        "of two equal cells the last takes all; here it is the first": np.array([[0.0, 6, 0, 0, 0, 60]]),
    }
    judging.same(backward(dm, x, 3), wanted, "dx of a block with two equal cells", ties)
    return words + ", and of equal cells the first takes all"
