"""Average pooling on all cores, one task per frame in space, one per sample over frames."""

import numpy as np
from numba import prange

from ..arrays import FloatArray
from .jit import parallel, serial


def average_pool_space(x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """As ``kernels.reference.average_pool_space``."""
    n, d, h, w, f = x.shape
    m = np.zeros((n, d, h // pool[0], w // pool[1], f), x.dtype)
    _average_planes(np.ascontiguousarray(x), pool, m)
    return m


def average_pool_space_backward(dm: FloatArray, x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """As ``kernels.reference.average_pool_space_backward``."""
    dx = np.zeros_like(x, order="C")
    _average_planes_backward(np.ascontiguousarray(dm), pool, dx)
    return dx


def average_pool_frames(x: FloatArray, frames: int) -> FloatArray:
    """As ``kernels.reference.average_pool_frames``."""
    n, d, h, w, f = x.shape
    m = np.zeros((n, d - frames + 1, h, w, f), x.dtype)
    _average_runs(_as_frames(x), frames, _as_frames(m))
    return m


def average_pool_frames_backward(dm: FloatArray, x: FloatArray, frames: int) -> FloatArray:
    """As ``kernels.reference.average_pool_frames_backward``."""
    dx = np.zeros_like(x, order="C")
    _average_runs_backward(_as_frames(dm), frames, _as_frames(dx))
    return dx


def _as_frames(x):
    """``(n, d, h, w, f)`` as ``(n, d, h * w * f)``."""
    return np.ascontiguousarray(x).reshape(*x.shape[:2], -1)


@parallel
def _average_planes(x, pool, m):
    for task in prange(x.shape[0] * x.shape[1]):
        n = task // x.shape[1]
        d = task % x.shape[1]
        _average_plane(x[n, d], pool, m[n, d])


@serial
def _average_plane(x, pool, m):
    ph, pw = pool
    # m[h',w'] = sum_{j,k} x[ph*h'+j, pw*w'+k] / (ph pw)
    for h in range(m.shape[0]):
        for w in range(m.shape[1]):
            for j in range(ph):
                for k in range(pw):
                    for f in range(m.shape[2]):
                        m[h, w, f] += x[ph * h + j, pw * w + k, f]
            for f in range(m.shape[2]):
                m[h, w, f] /= ph * pw


@parallel
def _average_planes_backward(dm, pool, dx):
    for task in prange(dx.shape[0] * dx.shape[1]):
        n = task // dx.shape[1]
        d = task % dx.shape[1]
        _average_plane_backward(dm[n, d], pool, dx[n, d])


@serial
def _average_plane_backward(dm, pool, dx):
    ph, pw = pool
    # m[h',w'] = sum_{j,k} x[ph*h'+j, pw*w'+k] / (ph pw): every cell takes an equal share
    for h in range(ph * dm.shape[0]):
        for w in range(pw * dm.shape[1]):
            for f in range(dm.shape[2]):
                dx[h, w, f] = dm[h // ph, w // pw, f] / (ph * pw)


@parallel
def _average_runs(x, frames, m):
    for n in prange(x.shape[0]):
        _average_run(x[n], frames, m[n])


@serial
def _average_run(x, frames, m):
    # m[d'] = sum_i x[d'+i] / rd
    for d in range(m.shape[0]):
        for i in range(frames):
            for q in range(m.shape[1]):
                m[d, q] += x[d + i, q]
        for q in range(m.shape[1]):
            m[d, q] /= frames


@parallel
def _average_runs_backward(dm, frames, dx):
    for n in prange(dx.shape[0]):
        _average_run_backward(dm[n], frames, dx[n])


@serial
def _average_run_backward(dm, frames, dx):
    # m[d'] = sum_i x[d'+i] / rd
    for d in range(dm.shape[0]):
        for i in range(frames):
            for q in range(dm.shape[1]):
                dx[d + i, q] += dm[d, q] / frames
