"""Scale and shift of pooled maps on all cores: backward has one owner per row of weights and one per frame's bias."""

import numpy as np
from numba import prange

from ..arrays import FloatArray
from .jit import parallel, serial


def scale_shift(m: FloatArray, weights: FloatArray, bias: FloatArray) -> FloatArray:
    """As ``kernels.reference.scale_shift``."""
    m = np.ascontiguousarray(m)
    z = np.empty_like(m)
    _scale_samples(m, weights[0], bias[:, 0, 0], z)
    return z


def scale_shift_backward(
    dz: FloatArray, m: FloatArray, weights: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """As ``kernels.reference.scale_shift_backward``."""
    dz, m = np.ascontiguousarray(dz), np.ascontiguousarray(m)
    dm = np.empty_like(m)
    dweights = np.zeros(weights.shape, weights.dtype)
    dbias = np.zeros((m.shape[1], 1, 1, m.shape[-1]), m.dtype)
    _scale_rows_backward(dz, m, weights[0], dm, dweights[0])
    _sum_frames(dz, dbias[:, 0, 0])
    return dm, dweights, dbias


@parallel
def _scale_samples(m, weights, bias, z):
    for n in prange(m.shape[0]):
        _scale_sample(m[n], weights, bias, z[n])


@serial
def _scale_sample(m, weights, bias, z):
    frames, rows, columns, maps = m.shape
    for d in range(frames):
        for h in range(rows):
            for w in range(columns):
                for f in range(maps):
                    # z[d,h,w,f] = m[d,h,w,f] w[h,w,f] + b[d,f]
                    z[d, h, w, f] = m[d, h, w, f] * weights[h, w, f] + bias[d, f]


@parallel
def _scale_rows_backward(dz, m, weights, dm, dweights):
    for h in prange(m.shape[2]):
        _scale_row_backward(dz[:, :, h], m[:, :, h], weights[h], dm[:, :, h], dweights[h])


@serial
def _scale_row_backward(dz, m, weights, dm, dweights):
    samples, frames, columns, maps = m.shape
    # z = m w + b
    for n in range(samples):
        for d in range(frames):
            for w in range(columns):
                for f in range(maps):
                    dm[n, d, w, f] = dz[n, d, w, f] * weights[w, f]
                    dweights[w, f] += dz[n, d, w, f] * m[n, d, w, f]


@parallel
def _sum_frames(dz, dbias):
    for d in prange(dz.shape[1]):
        _sum_frame(dz[:, d], dbias[d])


@serial
def _sum_frame(dz, dbias):
    samples, rows, columns, maps = dz.shape
    for n in range(samples):
        for h in range(rows):
            for w in range(columns):
                for f in range(maps):
                    dbias[f] += dz[n, h, w, f]
