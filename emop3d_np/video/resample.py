"""Pictures at another size: one rule for shrinking, for enlarging, and for boxes that reach over the border."""

from collections.abc import Sequence

import numpy as np

from kernels.arrays import AnyArray, FloatArray


def sampling(start: float, stop: float, count: int, length: int, border: str = "repeat") -> FloatArray:
    """Matrix that takes ``count`` samples between ``start`` and ``stop`` of a row of ``length`` pixels.

    Pixel ``j`` covers the interval from ``j`` to ``j + 1``.  Each sample is the mean over an interval as wide as the
    step between samples, or one pixel wide where that is more: shrinking averages areas, enlarging interpolates
    linearly.

    Args:
        start, stop: in pixels, decimals allowed; may lie outside ``0 ... length``.
        count: number of samples.
        length: pixels of the row.
        border: what lies beyond the row, "repeat" (default), which repeats its last pixel, or "black".

    Returns:
        float32 ndarray of shape (count, length).
    """
    step = (stop - start) / count
    middle = start + (np.arange(count) + 0.5)[:, np.newaxis] * step
    half = max(step, 1) / 2
    edges = np.arange(length + 1.0)
    if border == "repeat":
        edges[[0, -1]] = -np.inf, np.inf
    covered = np.diff(np.clip(edges, middle - half, middle + half), axis=1)
    return np.asarray(covered / (2 * half), np.float32)


def crop(
    picture: AnyArray, box: Sequence[float] | FloatArray, size: tuple[int, int], border: str = "repeat"
) -> FloatArray:
    """The part of ``picture`` inside ``box``, at another size.

    Args:
        picture: array of shape (h, w) or (h, w, c).
        box: ``(x1, y1, x2, y2)`` in pixels, decimals allowed; it may reach over the border.
        size: ``(h', w')`` of the result.
        border: as in :func:`sampling`.

    Returns:
        float32 ndarray of shape (h', w') or (h', w', c).
    """
    (x1, y1, x2, y2), (rows, columns) = box, size
    top, bottom = _touched(y1, y2, picture.shape[0])
    left, right = _touched(x1, x2, picture.shape[1])
    part = picture[top:bottom, left:right].astype(np.float32)
    vertical = sampling(y1 - top, y2 - top, rows, bottom - top, border)
    horizontal = sampling(x1 - left, x2 - left, columns, right - left, border)
    flat = vertical @ part.reshape(len(part), -1)
    if picture.ndim == 2:
        return np.asarray(flat @ horizontal.T)
    return np.asarray(horizontal @ flat.reshape(rows, right - left, -1))


def _touched(start: float, stop: float, length: int) -> tuple[int, int]:
    """The first pixel that samples between ``start`` and ``stop`` may touch, and the one behind the last."""
    first = min(max(int(np.floor(start)) - 1, 0), length - 1)
    return first, max(min(int(np.ceil(stop)) + 1, length), first + 1)
