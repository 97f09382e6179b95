"""Means of blocks in the caller's thread, row by row of blocks: the sums of its columns, then those of its blocks."""

import numpy as np

from ..arrays import AnyArray, FloatArray
from ..reference.block_means import means_in
from .jit import alone, loop


def block_means(x: AnyArray, side: int, out: FloatArray | None = None) -> FloatArray:
    """As ``kernels.reference.block_means``.

    All is done in the caller's thread, beside which others may run kernels.
    """
    n, d, h, w, c = x.shape
    if x.dtype not in (np.uint8, np.float32, np.float64):  # one compiled kernel a dtype: the others are rare
        x = x.astype(means_in(x.dtype))
    if out is None:
        out = np.empty((n, d, h // side, w // side, c), means_in(x.dtype))
    rows = np.ascontiguousarray(x).reshape(-1, side, w * c).view()
    rows.flags.writeable = False  # as it may be: one compiled kernel for either
    sums = np.empty(w * c, np.uint32 if x.dtype == np.uint8 else np.float64)
    _block_means(rows, sums, out.reshape(-1, w // side, c))
    return out


@alone
def _block_means(x, sums, y):
    side = x.shape[1]
    for row in range(len(x)):
        _add_columns(x[row], sums)
        if side == 2 and y.shape[2] == 1:
            _mean_of_pairs(sums, y[row, :, 0])
        else:
            _mean_of_blocks(sums, side, y[row])


@loop
def _add_columns(x, sums):
    for q in range(sums.size):
        sums[q] = x[0, q]
    for i in range(1, len(x)):
        for q in range(sums.size):
            sums[q] += x[i, q]


@loop
def _mean_of_pairs(sums, y):
    """The usual case of :func:`_mean_of_blocks`, of lengths that the compiler knows, and so takes several at once."""
    for w in range(y.size):
        y[w] = (sums[2 * w] + sums[2 * w + 1]) / 4


@loop
def _mean_of_blocks(sums, side, y):
    columns, channels = y.shape
    for w in range(columns):
        for c in range(channels):
            total = 0.0
            for j in range(side):
                total += sums[(w * side + j) * channels + c]
            y[w, c] = total / (side * side)
