"""Max pooling: over blocks in space, then over overlapping runs of frames."""

import numpy as np

from ..arrays import FloatArray


def max_pool_space(x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """Largest value of every ``ph x pw`` block.

    Args:
        x: ndarray of shape (n, d, h, w, f).
        pool: ``(ph, pw)``, block size and stride; odd last rows and columns are dropped.

    Returns:
        ndarray ``m`` of shape (n, d, h // ph, w // pw, f).
    """
    return blocks(x, pool).max(axis=-1)


def max_pool_space_backward(dm: FloatArray, x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """Gradient of :func:`max_pool_space`: ``dx`` of the shape of ``x``, given ``dm`` of the shape of ``m``.

    The first maximum of a block in row-major order takes it all.
    """
    cells = blocks(x, pool)
    # m = max over the last axis of cells: dm goes to the cell that was chosen, the others get 0
    chosen = cells.argmax(axis=-1)[..., np.newaxis]
    dcells = np.zeros_like(cells)
    np.put_along_axis(dcells, chosen, dm[..., np.newaxis], axis=-1)
    return blocks_backward(dcells, x.shape, pool)


def max_pool_frames(x: FloatArray, frames: int) -> FloatArray:
    """Largest value of every ``frames`` consecutive frames, stride 1: the windows overlap.

    Args:
        x: ndarray of shape (n, d, h, w, f).
        frames: window length ``rd``.

    Returns:
        ndarray ``m`` of shape (n, d - frames + 1, h, w, f).
    """
    return runs(x, frames).max(axis=-1)


def max_pool_frames_backward(dm: FloatArray, x: FloatArray, frames: int) -> FloatArray:
    """Gradient of :func:`max_pool_frames`: ``dx`` of the shape of ``x``, given ``dm`` of the shape of ``m``.

    The first maximum of a run of frames takes it all.

    Departure: the original splits a tie between frames evenly.
    """
    # m[n,d'] = max_i x[n,d'+i]: dx[n,d] collects dm of every run that chose frame d
    chosen = runs(x, frames).argmax(axis=-1)
    dx = np.zeros_like(x)
    for i in range(frames):
        dx[:, i : i + dm.shape[1]] += np.where(chosen == i, dm, 0)
    return dx


def blocks(x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """The blocks of ``x`` as an array of shape (n, d, h // ph, w // pw, f, ph * pw), row-major in the last axis."""
    n, d, h, w, f = x.shape
    ph, pw = pool
    rows, columns = h // ph, w // pw
    tiled = x[:, :, : rows * ph, : columns * pw].reshape(n, d, rows, ph, columns, pw, f)
    return tiled.transpose(0, 1, 2, 4, 6, 3, 5).reshape(n, d, rows, columns, f, ph * pw)


def blocks_backward(dcells: FloatArray, shape: tuple[int, ...], pool: tuple[int, int]) -> FloatArray:
    """Put gradients of :func:`blocks` back into an array of ``shape``; dropped rows and columns get 0."""
    n, d, rows, columns, f, _ = dcells.shape
    ph, pw = pool
    tiled = dcells.reshape(n, d, rows, columns, f, ph, pw).transpose(0, 1, 2, 5, 3, 6, 4)
    dx = np.zeros(shape, dcells.dtype)
    dx[:, :, : rows * ph, : columns * pw] = tiled.reshape(n, d, rows * ph, columns * pw, f)
    return dx


def runs(x: FloatArray, frames: int) -> FloatArray:
    """Overlapping runs of frames, a view of shape (n, d - frames + 1, h, w, f, frames)."""
    return np.lib.stride_tricks.sliding_window_view(x, frames, axis=1)
