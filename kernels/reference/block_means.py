"""Clips made smaller: each pixel the mean of a block of pixels."""

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import AnyArray, FloatArray


def block_means(x: AnyArray, side: int, out: FloatArray | None = None) -> FloatArray:
    """``y[h', w'] = sum of x[side h' + i, side w' + j] over i, j < side, / side^2`` per clip, frame and channel.

    Args:
        x: ndarray of shape (n, d, h, w, c), any real dtype.
        side: rows and columns of a block; it divides ``h`` and ``w``.
        out: array to write to; default a new one.

    Returns:
        ndarray ``y`` of shape (n, d, h / side, w / side, c), float64 for numbers that float32 does not hold, else
        float32; sums are taken in float64, columns first, so that the mean of a block of equal bytes is that byte.
    """
    n, d, h, w, c = x.shape
    columns = x.reshape(n, d, h // side, side, w, c).sum(axis=3, dtype=np.float64)
    means = columns.reshape(n, d, h // side, w // side, side, c).sum(axis=4) / side**2
    if out is None:
        return means.astype(means_in(x.dtype))
    out[...] = means
    return out


def means_in(dtype: DTypeLike) -> np.dtype:
    """The dtype of the means of numbers of ``dtype``: float64 for those that float32 does not hold, else float32."""
    return np.result_type(dtype, np.float32)
