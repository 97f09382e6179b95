"""Normalisation of every map on all cores, one task per frame; moments in float64, in two passes."""

import numpy as np
from numba import prange

from ..arrays import AnyArray, FloatArray
from ..reference.standardize import EPSILON
from .jit import parallel, serial


def standardize(x: AnyArray, epsilon: float = EPSILON, out: FloatArray | None = None) -> FloatArray:
    """As ``kernels.reference.standardize``."""
    if out is None:
        out = np.empty(x.shape, x.dtype if x.dtype.kind == "f" else np.float64)
    planes = _as_planes(x)
    _standardize_planes(planes, x.shape[-1], float(epsilon), out.reshape(planes.shape))
    return out


def standardize_backward(dy: FloatArray, x: FloatArray, epsilon: float = EPSILON) -> FloatArray:
    """As ``kernels.reference.standardize_backward``."""
    dx = np.empty_like(x, order="C")
    planes = _as_planes(x)
    _standardize_planes_backward(_as_planes(dy), planes, x.shape[-1], float(epsilon), dx.reshape(planes.shape))
    return dx


def _as_planes(x):
    """``(n, d, h, w, f)`` as ``(n * d, h, w * f)``."""
    n, d, h, w, f = x.shape
    return np.ascontiguousarray(x).reshape(n * d, h, w * f)


@parallel
def _standardize_planes(x, maps, epsilon, y):
    for plane in prange(x.shape[0]):
        _standardize_plane(x[plane], maps, epsilon, y[plane])


@serial
def _standardize_plane(x, maps, epsilon, y):
    mean, scale = _moments(x, maps, epsilon)
    for h in range(x.shape[0]):
        for q in range(x.shape[1]):
            # y = (x - mean) / sqrt(var + epsilon)
            y[h, q] = (x[h, q] - mean[q]) * scale[q]
    _clear(mean, y)


@parallel
def _standardize_planes_backward(dy, x, maps, epsilon, dx):
    for plane in prange(x.shape[0]):
        _standardize_plane_backward(dy[plane], x[plane], maps, epsilon, dx[plane])


@serial
def _standardize_plane_backward(dy, x, maps, epsilon, dx):
    rows, width = x.shape
    # y = (x - mean(x)) * scale, scale = 1 / sqrt(var(x) + epsilon)
    mean, scale = _moments(x, maps, epsilon)
    mean_dy = np.zeros(width, np.float64)
    mean_dy_y = np.zeros(width, np.float64)
    for h in range(rows):
        for q in range(width):
            mean_dy[q] += dy[h, q]
            mean_dy_y[q] += dy[h, q] * ((x[h, q] - mean[q]) * scale[q])
    _mean_per_map(mean_dy, maps, rows)
    _mean_per_map(mean_dy_y, maps, rows)
    # x acts directly, through the mean and through the variance: one term each
    for h in range(rows):
        for q in range(width):
            y = (x[h, q] - mean[q]) * scale[q]
            dx[h, q] = scale[q] * (dy[h, q] - mean_dy[q] - y * mean_dy_y[q])
    _clear(mean, dx)


@serial
def _moments(x, maps, epsilon):
    """Mean and ``1 / sqrt(var + epsilon)`` of every map, repeated along the row; of one without, the mean is NaN."""
    rows, width = x.shape
    # Taking off the first value beforehand changes nothing, but leaves an exact 0 of a constant map.
    first = np.empty(width, np.float64)
    mean = np.zeros(width, np.float64)
    for q in range(width):
        first[q] = x[0, q % maps]
    for h in range(rows):
        for q in range(width):
            mean[q] += x[h, q] - first[q]
    _mean_per_map(mean, maps, rows)
    for q in range(width):
        mean[q] += first[q]
    scale = np.zeros(width, np.float64)
    for h in range(rows):
        for q in range(width):
            scale[q] += (x[h, q] - mean[q]) ** 2
    _mean_per_map(scale, maps, rows)
    for q in range(width):
        if not np.isfinite(scale[q]):
            mean[q] = np.nan
        elif scale[q] + epsilon > 0:
            scale[q] = 1 / np.sqrt(scale[q] + epsilon)
    return mean, scale


@serial
def _mean_per_map(column_sums, maps, rows):
    """Turn sums over rows, one per column and map, into the mean of each map, repeated along the row."""
    width = column_sums.size
    for f in range(maps):
        total = 0.0
        for q in range(f, width, maps):
            total += column_sums[q]
        for q in range(f, width, maps):
            column_sums[q] = total / (rows * (width // maps))


@serial
def _clear(mean, y):
    """Set every map that has no finite moments to 0."""
    for q in range(mean.size):
        if np.isnan(mean[q]):
            y[:, q] = 0
