"""Weighted sum 3D on all cores: the product first, then the window as two separable box sums.

A row holds ``(w, f)`` as one contiguous axis ``q = w * maps + f``, so a step of one column is a shift by ``maps`` and
every inner loop runs over plain rows.  Forward has one task per output plane; backward one per block of input rows,
which owns these rows of ``dweights`` and of ``dx``.
"""

import numpy as np
from numba import prange

from ..arrays import FloatArray
from .jit import parallel, serial

ROWS_PER_TASK = 4
"""Input rows that one backward task owns: few enough to share out evenly, many enough to reuse rows of ``dz``."""


def weighted_sum(
    x: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
) -> FloatArray:
    """As ``kernels.reference.weighted_sum``."""
    maps = bias.shape[-1]
    z = np.empty((len(x), *bias.shape), x.dtype)
    _sum_planes(
        np.ascontiguousarray(x),
        _as_rows(weights),
        np.ascontiguousarray(bias).reshape(*bias.shape[:2], -1),
        maps,
        receptive_field[1:],
        strides,
        z.reshape(*z.shape[:3], -1),
    )
    return z


def weighted_sum_backward(
    dz: FloatArray,
    x: FloatArray,
    weights: FloatArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    input_gradient: bool = True,
) -> tuple[FloatArray | None, FloatArray, FloatArray]:
    """As ``kernels.reference.weighted_sum_backward``."""
    rd, h, w, c, maps = weights.shape
    dz_rows = np.ascontiguousarray(dz).reshape(*dz.shape[:3], -1)
    dweights = np.zeros((rd, h, c, w * maps), weights.dtype)
    dx = np.zeros(x.shape if input_gradient else (0,) * 5, x.dtype)
    dbias = np.empty(dz_rows.shape[1:], dz.dtype)
    _sum_rows_backward(dz_rows, np.ascontiguousarray(x), _as_rows(weights), receptive_field[1:], strides, dweights, dx)
    _sum_samples(dz_rows, dbias)
    dweights = np.ascontiguousarray(dweights.reshape(rd, h, c, w, maps).transpose(0, 1, 3, 2, 4))
    return dx if input_gradient else None, dweights, dbias.reshape(dz.shape[1:])


def _as_rows(weights):
    """``(rd, h, w, c, f)`` as ``(rd, h, c, w * f)``."""
    rd, h, w, c, maps = weights.shape
    return np.ascontiguousarray(weights.transpose(0, 1, 3, 2, 4)).reshape(rd, h, c, w * maps)


@parallel
def _sum_planes(x, weights, bias, maps, window, strides, z):
    frames_out = z.shape[1]
    for task in prange(z.shape[0] * frames_out):
        n = task // frames_out
        d = task % frames_out
        _sum_plane(x[n, strides[0] * d :], weights, bias[d], maps, window, strides, z[n, d])


@serial
def _sum_plane(x, weights, bias, maps, window, strides, z):
    rd, rows, channels, width = weights.shape
    # P[h,q] = sum_{i,c} x[i,h,w,c] W[i,h,c,q]
    p = np.zeros((rows, width), z.dtype)
    spread = np.empty(width, z.dtype)
    for h in range(rows):
        for i in range(rd):
            for c in range(channels):
                _spread(x[i, h], c, maps, spread)
                for q in range(width):
                    p[h, q] += spread[q] * weights[i, h, c, q]
    # z[h',w',f] = b[h',w',f] + sum_{j,k} P[sh*h'+j, sw*w'+k, f], the rows first
    rh, rw = window
    column_sums = np.empty(width, z.dtype)
    for h in range(z.shape[0]):
        column_sums[:] = 0
        for j in range(rh):
            row = p[strides[1] * h + j]
            for q in range(width):
                column_sums[q] += row[q]
        for q in range(z.shape[1]):
            z[h, q] = bias[h, q]
        for k in range(rw):
            if strides[2] == 1:
                shifted = column_sums[k * maps :]
                for q in range(z.shape[1]):
                    z[h, q] += shifted[q]
            else:
                for q in range(z.shape[1]):
                    z[h, q] += column_sums[(strides[2] * (q // maps) + k) * maps + q % maps]


@parallel
def _sum_rows_backward(dz, x, weights, window, strides, dweights, dx):
    rows = weights.shape[1]
    for task in prange((rows + ROWS_PER_TASK - 1) // ROWS_PER_TASK):
        first = task * ROWS_PER_TASK
        own = first, min(first + ROWS_PER_TASK, rows)
        _sum_row_backward(dz, x, weights, window, strides, own, dweights, dx)


@serial
def _sum_row_backward(dz, x, weights, window, strides, own, dweights, dx):
    """Rows ``own[0]`` to ``own[1] - 1`` of ``dweights`` and of ``dx``."""
    rd, _, channels, width = weights.shape
    maps = width // x.shape[3]
    rh, rw = window
    sd, sh, sw = strides
    n_samples, frames_out, rows_out, width_out = dz.shape
    row_sums = np.empty(width_out, dz.dtype)
    g = np.empty(width, dz.dtype)
    spread = np.empty(width, dz.dtype)
    products = np.empty(width, dz.dtype)
    for n in range(n_samples):
        for d in range(frames_out):
            for h in range(own[0], own[1]):
                # G[h,w,f] = sum of dz over the windows that cover (h, w): those with sh*h' <= h < sh*h' + rh ...
                row_sums[:] = 0
                for h_out in range(max(0, (h - rh + sh) // sh), min(h // sh, rows_out - 1) + 1):
                    for q in range(width_out):
                        row_sums[q] += dz[n, d, h_out, q]
                # ... and sw*w' <= w < sw*w' + rw
                g[:] = 0
                for k in range(rw):
                    if sw == 1:
                        shifted = g[k * maps :]
                        for q in range(width_out):
                            shifted[q] += row_sums[q]
                    else:
                        for q in range(width_out):
                            g[(sw * (q // maps) + k) * maps + q % maps] += row_sums[q]
                for i in range(rd):
                    frame = sd * d + i
                    for c in range(channels):
                        # dW[i,h,c,q] += x[n, sd*d'+i, h, w, c] G[q]
                        _spread(x[n, frame, h], c, maps, spread)
                        for q in range(width):
                            dweights[i, h, c, q] += spread[q] * g[q]
                        # dx[n, sd*d'+i, h, w, c] += sum_f W[i,h,c,q] G[q]
                        if dx.shape[0]:
                            for q in range(width):
                                products[q] = weights[i, h, c, q] * g[q]
                            for f in range(maps):
                                for w in range(width // maps):
                                    dx[n, frame, h, w, c] += products[w * maps + f]


@parallel
def _sum_samples(dz, dbias):
    frames, rows, _ = dbias.shape
    for task in prange(frames * rows):
        d = task // rows
        h = task % rows
        _sum_row(dz[:, d, h], dbias[d, h])


@serial
def _sum_row(rows, total):
    total[:] = 0
    for n in range(rows.shape[0]):
        for q in range(rows.shape[1]):
            total[q] += rows[n, q]


@serial
def _spread(row, c, maps, spread):
    """Repeat channel ``c`` of a row ``(w, c)`` once for every map: ``spread[w * maps + f] = row[w, c]``."""
    for w in range(row.shape[0]):
        for f in range(maps):
            spread[w * maps + f] = row[w, c]
