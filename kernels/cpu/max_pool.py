"""Max pooling on all cores, one task a frame in space, one a sample over frames."""

import numpy as np
from numba import prange

from .jit import parallel, serial


def max_pool_space(x, pool):
    """As ``kernels.reference.max_pool_space``."""
    n, d, h, w, f = x.shape
    m = np.empty((n, d, h // pool[0], w // pool[1], f), x.dtype)
    _max_planes(_as_planes(x), pool, _as_planes(m))
    return m


def max_pool_space_backward(dm, x, pool):
    """As ``kernels.reference.max_pool_space_backward``."""
    dx = np.zeros_like(x, order="C")
    _max_planes_backward(_as_planes(dm), _as_planes(x), pool, _as_planes(dx))
    return dx


def max_pool_frames(x, frames):
    """As ``kernels.reference.max_pool_frames``."""
    n, d, h, w, f = x.shape
    m = np.empty((n, d - frames + 1, h, w, f), x.dtype)
    _max_runs(_as_frames(x), frames, _as_frames(m))
    return m


def max_pool_frames_backward(dm, x, frames):
    """As ``kernels.reference.max_pool_frames_backward``."""
    dx = np.zeros_like(x, order="C")
    _max_runs_backward(_as_frames(dm), _as_frames(x), frames, _as_frames(dx))
    return dx


def _as_planes(x):
    """``(n, d, h, w, f)`` as ``(n * d, h, w, f)``."""
    return np.ascontiguousarray(x).reshape(-1, *x.shape[2:])


def _as_frames(x):
    """``(n, d, h, w, f)`` as ``(n, d, h * w * f)``."""
    return np.ascontiguousarray(x).reshape(*x.shape[:2], -1)


@parallel
def _max_planes(x, pool, m):
    for plane in prange(x.shape[0]):
        _max_plane(x[plane], pool, m[plane])


@serial
def _max_plane(x, pool, m):
    rows, columns, maps = m.shape
    for h in range(rows):
        for w in range(columns):
            for f in range(maps):
                row, column = _first_maximum(x, pool, h, w, f)
                m[h, w, f] = x[row, column, f]


@parallel
def _max_planes_backward(dm, x, pool, dx):
    for plane in prange(x.shape[0]):
        _max_plane_backward(dm[plane], x[plane], pool, dx[plane])


@serial
def _max_plane_backward(dm, x, pool, dx):
    rows, columns, maps = dm.shape
    for h in range(rows):
        for w in range(columns):
            for f in range(maps):
                row, column = _first_maximum(x, pool, h, w, f)
                dx[row, column, f] = dm[h, w, f]


@serial
def _first_maximum(x, pool, h, w, f):
    """Where block ``(h, w)`` of map ``f`` has its first maximum in row-major order; NaN counts as larger than all."""
    row = h * pool[0]
    column = w * pool[1]
    for j in range(h * pool[0], (h + 1) * pool[0]):
        for k in range(w * pool[1], (w + 1) * pool[1]):
            if _larger(x[j, k, f], x[row, column, f]):
                row = j
                column = k
    return row, column


@parallel
def _max_runs(x, frames, m):
    for n in prange(x.shape[0]):
        _max_run(x[n], frames, m[n])


@serial
def _max_run(x, frames, m):
    for d in range(m.shape[0]):
        for q in range(m.shape[1]):
            m[d, q] = x[_first_largest_frame(x, frames, d, q), q]


@parallel
def _max_runs_backward(dm, x, frames, dx):
    for n in prange(x.shape[0]):
        _max_run_backward(dm[n], x[n], frames, dx[n])


@serial
def _max_run_backward(dm, x, frames, dx):
    for d in range(dm.shape[0]):
        for q in range(dm.shape[1]):
            # m[d'] = max_i x[d'+i]: dx[d] collects dm of every run that chose frame d
            dx[_first_largest_frame(x, frames, d, q), q] += dm[d, q]


@serial
def _first_largest_frame(x, frames, d, q):
    best = d
    for i in range(d + 1, d + frames):
        if _larger(x[i, q], x[best, q]):
            best = i
    return best


@serial
def _larger(a, b):
    """``a > b``, with NaN larger than all numbers, as NumPy's maximum has it."""
    return a > b or (np.isnan(a) and not np.isnan(b))
