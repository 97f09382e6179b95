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
from contextlib import nullcontext

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dm, x, p)")
    words = ""
    for rows, blocks, p in ((2, 4, 3), (3, 2, 2)):
        x = judging.numbers(rows, p * blocks)
        x[0, :p], x[1, -p:] = -np.arange(1, p + 1), -np.arange(p, 0, -1)  # blocks in which all is negative
        with judging.besides(f"{rows} rows and blocks of {p}") if p == 2 else nullcontext():
            said = judging.gradients(
                lambda x, p=p: x.reshape(len(x), -1, p).max(axis=-1),
                lambda dm, x, p=p: backward(dm, x, p),
                [x],
                "x",
                mistakes=_mistakes(p),
            )
        words = words or said
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


def _mistakes(p):
    def to(chosen_of, factor_of=lambda cells: 1.0):
        """Backward passes that give each gradient to a cell that was chosen otherwise."""

        def made(dm, x):
            cells = x.reshape(len(x), -1, p)
            chosen = np.arange(p) == chosen_of(cells)[..., np.newaxis]
            return (chosen * factor_of(cells) * dm[..., np.newaxis]).reshape(x.shape)

        return made

    def of_the_row(dm, x):
        dx = np.zeros_like(x)
        dx[np.arange(len(x)), x.argmax(axis=1)] = dm.sum(axis=1)
        return dx

    def far_apart(dm, x):
        cells = x.reshape(len(x), p, -1)
        chosen = np.arange(p)[:, np.newaxis] == cells.argmax(axis=1)[:, np.newaxis]
        return (chosen * dm[:, np.newaxis]).reshape(x.shape)

    def above_zero(cells):
        return np.maximum(cells, 0).argmax(axis=-1)

    def of_first_row(cells):
        return np.broadcast_to(cells[0].argmax(axis=-1), cells.shape[:2])

    share = "a half" if p == 2 else "a third"
    return {
        "every cell of a block gets its gradient; the largest one alone moves the maximum": (
            lambda dm, x: np.repeat(dm, p, axis=1)
        ),
        f"every cell of a block gets {share} of its gradient: that is the mean": (
            lambda dm, x: np.repeat(dm, p, axis=1) / p
        ),
        "the smallest cell gets the gradient": to(lambda cells: cells.argmin(axis=-1)),
        "the cell that is farthest from 0 gets the gradient; the largest one makes the maximum": to(
            lambda cells: np.abs(cells).argmax(axis=-1)
        ),
        "where all of a block is negative, its largest cell gets nothing: what is the comparison's first value?": to(
            above_zero
        ),
        "the value of the cell is in the gradient; the maximum is that cell, so its slope is 1": to(
            lambda cells: cells.argmax(axis=-1), lambda cells: cells
        ),
        "one cell of each row gets everything; each block has a maximum of its own": of_the_row,
        "the cells of a block are taken from all over the row; they are neighbours": far_apart,
        "the first row says for all rows which cell is the largest": to(of_first_row),
    }
