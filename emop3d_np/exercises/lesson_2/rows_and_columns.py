"""Find the mistake: rows and columns

The file has a box sum's backward pass in two dimensions: windows of `rh` rows and `rw` columns on planes `(n, h, w)`,
and `dz` of shape `(n, h', w')`. It runs without an error, for windows of any size, and the gradient has its shape. For
square windows it is even right.

Find the mistake, and mend it.

The page: [Box sums](box_sums.md#line-by-line).
"""

HINTS = (
    "Run it by hand for windows of one row and two columns. Which places does a window have?",
    "A place of the window is (j, k): j counts rows, k columns. Follow each of them to the slice.",
    "The slices must be [:, j : j + h', k : k + w'] for j < rh and k < rw. Which loop counts to what?",
)

# --- answer
import numpy as np


def backward(dz, shape, rh, rw):
    """The gradient g (n, h, w), of the given shape."""
    g = np.zeros(shape)
    _, rows, columns = dz.shape
    #: begin
    #| for j in range(rw):
    #|     for k in range(rh):
    #|         part = g[:, j : j + rows, k : k + columns]
    #|         part += dz[:, : part.shape[1], : part.shape[2]]
    #| return g
    for j in range(rh):
        for k in range(rw):
            g[:, j : j + rows, k : k + columns] += dz
    return g
    #: end


# --- judge
from .. import judging


def box_sum(p, rh, rw):
    """The sums of windows, from the definition."""
    return np.lib.stride_tricks.sliding_window_view(p, (rh, rw), axis=(1, 2)).sum(axis=(-2, -1))


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dz, shape, rh, rw)")
    words = ""
    for h, w, rh, rw in ((4, 5, 2, 3), (4, 3, 3, 1), (3, 4, 2, 2)):

        def exchanged(dz, p, rh=rh, rw=rw):
            return spread(dz, p, [(j, k) for j in range(rw) for k in range(rh)])

        def one_row(dz, p, rh=rh, rw=rw):
            return sum(np.pad(dz, ((0, 0), (0, rh - 1), (k, rw - 1 - k))) for k in range(rw))

        def one_column(dz, p, rh=rh, rw=rw):
            return sum(np.pad(dz, ((0, 0), (j, rh - 1 - j), (0, rw - 1))) for j in range(rh))

        def spread(dz, p, places):
            g = np.zeros_like(p)
            for j, k in places:
                part = g[:, j : j + dz.shape[1], k : k + dz.shape[2]]
                part += dz[:, : part.shape[1], : part.shape[2]]
            return g

        def diagonal(dz, p, rh=rh, rw=rw):
            return spread(dz, p, [(j, j) for j in range(min(rh, rw))])

        def square(size):
            return lambda dz, p: spread(dz, p, [(j, k) for j in range(size) for k in range(size)])

        words = judging.gradients(
            lambda p, rh=rh, rw=rw: box_sum(p, rh, rw),
            lambda dz, p, rh=rh, rw=rw: backward(dz, p.shape, rh, rw),
            [judging.numbers(2, h, w)],
            "p",
            mistakes={
                f"with {rh} rows and {rw} columns in the window, rows and columns are exchanged": exchanged,
                "only the first row of the window is there": one_row,
                "only the first column of the window is there": one_column,
                "only the places of the window's diagonal are there: one loop goes inside the other": diagonal,
                f"the window has {rh} rows and {rw} columns; here both loops count to the same": [
                    square(rh),
                    square(rw),
                ],
            }
            if rh != rw and rw > 1
            else None,
        )
    return words
