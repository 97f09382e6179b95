"""Max pooling on all cores, one task per frame in space, one per sample over frames.

In networks of the usual windows ``fused_pooling.py`` does the same.
"""

import numpy as np
from numba import prange

from ..arrays import FloatArray
from .jit import parallel, serial


def max_pool_space(x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """As ``kernels.reference.max_pool_space``."""
    n, d, h, w, f = x.shape
    m = np.empty((n, d, h // pool[0], w // pool[1], f), x.dtype)
    _max_planes(_as_planes(x), pool, f, _as_planes(m))
    return m


def max_pool_space_backward(dm: FloatArray, x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """As ``kernels.reference.max_pool_space_backward``."""
    dx = np.zeros_like(x, order="C")
    _max_planes_backward(_as_planes(dm), _as_planes(x), pool, x.shape[-1], _as_planes(dx))
    return dx


def max_pool_frames(x: FloatArray, frames: int) -> FloatArray:
    """As ``kernels.reference.max_pool_frames``."""
    n, d, h, w, f = x.shape
    m = np.empty((n, d - frames + 1, h, w, f), x.dtype)
    _max_runs(_as_frames(x), frames, _as_frames(m))
    return m


def max_pool_frames_backward(dm: FloatArray, x: FloatArray, frames: int) -> FloatArray:
    """As ``kernels.reference.max_pool_frames_backward``."""
    dx = np.zeros_like(x, order="C")
    _max_runs_backward(_as_frames(dm), _as_frames(x), frames, _as_frames(dx))
    return dx


def _as_planes(x):
    """``(n, d, h, w, f)`` as ``(n * d, h, w * f)``."""
    n, d, h, w, f = x.shape
    return np.ascontiguousarray(x).reshape(n * d, h, w * f)


def _as_frames(x):
    """``(n, d, h, w, f)`` as ``(n, d, h * w * f)``."""
    return np.ascontiguousarray(x).reshape(*x.shape[:2], -1)


@parallel
def _max_planes(x, pool, maps, m):
    for plane in prange(x.shape[0]):
        _max_plane(x[plane], pool, maps, m[plane])


@serial
def _max_plane(x, pool, maps, m):
    corners = _block_corners(m.shape[1], pool[1], maps)
    chosen = np.empty(m.shape[1], np.int32)
    for h in range(m.shape[0]):
        _max_row(x[h * pool[0] :], pool, maps, corners, m[h], chosen)


@parallel
def _max_planes_backward(dm, x, pool, maps, dx):
    for plane in prange(x.shape[0]):
        _max_plane_backward(dm[plane], x[plane], pool, maps, dx[plane])


@serial
def _max_plane_backward(dm, x, pool, maps, dx):
    ph, pw = pool
    rows, width = dm.shape
    corners = _block_corners(width, pw, maps)
    m = np.empty(width, dm.dtype)
    chosen = np.empty(width, np.int32)
    for h in range(rows):
        _max_row(x[h * ph :], pool, maps, corners, m, chosen)
        # m = x at the chosen place: dm goes there, the others get 0
        for j in range(ph):
            for k in range(pw):
                place = np.int32(j * pw + k)
                row = dx[h * ph + j, k * maps :]
                for q in range(width):
                    m[q] = dm[h, q] if chosen[q] == place else 0
                for q in range(width):
                    row[corners[q]] = m[q]


@serial
def _max_row(x, pool, maps, corners, m, chosen):
    """Maxima of a row of blocks, and the first place of each in row-major order.  Without branches it vectorises."""
    values = np.empty_like(m)
    for j in range(pool[0]):
        for k in range(pool[1]):
            row = x[j, k * maps :]
            place = np.int32(j * pool[1] + k)
            for q in range(m.size):
                values[q] = row[corners[q]]
            for q in range(m.size):
                larger = (place == 0) | _larger(values[q], m[q])
                m[q] = values[q] if larger else m[q]
                chosen[q] = place if larger else chosen[q]


@serial
def _block_corners(width, pw, maps):
    """Where in a row of ``x`` the block of each output ``q = w' * maps + f`` begins."""
    corners = np.empty(width, np.uint32)
    for q in range(width):
        corners[q] = (q // maps) * pw * maps + q % maps
    return corners


@parallel
def _max_runs(x, frames, m):
    for n in prange(x.shape[0]):
        _max_run(x[n], frames, m[n])


@serial
def _max_run(x, frames, m):
    for d in range(m.shape[0]):
        for q in range(m.shape[1]):
            m[d, q] = x[d, q]
        for i in range(1, frames):
            for q in range(m.shape[1]):
                m[d, q] = x[d + i, q] if _larger(x[d + i, q], m[d, q]) else m[d, q]


@parallel
def _max_runs_backward(dm, x, frames, dx):
    for n in prange(x.shape[0]):
        _max_run_backward(dm[n], x[n], frames, dx[n])


@serial
def _max_run_backward(dm, x, frames, dx):
    best = np.empty_like(x[0])
    chosen = np.empty(best.size, np.int32)
    for d in range(dm.shape[0]):
        for i in range(frames):
            for q in range(best.size):
                larger = (i == 0) | _larger(x[d + i, q], best[q])
                best[q] = x[d + i, q] if larger else best[q]
                chosen[q] = i if larger else chosen[q]
        # m[d'] = max_i x[d'+i]: dx[d] collects dm of every run that chose frame d
        for i in range(frames):
            for q in range(best.size):
                dx[d + i, q] += dm[d, q] if chosen[q] == i else 0


@serial
def _larger(a, b):
    """``a > b``, with NaN larger than all numbers, as NumPy's maximum has it."""
    return (a > b) | ((a != a) & (b == b))
