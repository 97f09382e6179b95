"""Normalisation of every map: each plane is the work of one block, which adds up the moments.

Versions:

1. One pass with sums of ``x`` and ``x^2``: a large offset cancels all digits of float32.
2. Kept: two passes, counted from the plane's first value. The plane is read three times, but only once from memory:
   it is a few kilobytes and stays in the cache. Sums have two levels, threads and then pairs of threads, in a fixed
   order.
"""

import math
import threading

import numpy as np

from ..arrays import AnyArray, FloatArray
from ..reference.standardize import EPSILON
from .device_array import DeviceArray, operation, to_device
from .device_functions import sum_over_block
from .launch import LAUNCH, MOST_THREADS, inline, kernel, recording
from .memory import kept, memory
from .planes import activation_planes, activations
from .target import cuda


def standardize(
    x: AnyArray | DeviceArray, epsilon: float = EPSILON, out: FloatArray | DeviceArray | None = None
) -> FloatArray | DeviceArray:
    """As ``kernels.reference.standardize``, but the moments are taken in the dtype of ``x`` (integers: of the result).

    ``x`` and ``out`` are NumPy arrays or DeviceArrays, also one of each.
    """
    dtype = x.dtype if x.dtype.kind == "f" else np.dtype("f8")
    if isinstance(out, DeviceArray) and not recording():
        with kept(_room.__dict__.setdefault("arrays", [])):
            return _standardize(to_device(x), epsilon, out)
    y = _standardize(to_device(x), epsilon, DeviceArray.empty(x.shape, dtype if out is None else out.dtype))
    if out is not None:
        out[...] = y
        return out
    return y if isinstance(x, DeviceArray) else y.__array__(copy=True)


_room = threading.local()
"""Of each thread: ``arrays`` that batch after batch is standardised by way of."""


def _standardize(x: DeviceArray, epsilon: float, out: DeviceArray) -> DeviceArray:
    planes = activation_planes(x)
    n, c, d, _, _ = planes.shape
    y = out.data.reshape(planes.shape) if c == 1 else memory(planes.shape, out.dtype)
    scale = memory((n, c, d), x.dtype if x.dtype.kind == "f" else out.dtype)
    normalize(n * c * d, LAUNCH.block, planes, scale.dtype.type(epsilon), y, scale)
    return out if c == 1 else activations(y, out)


@operation(arrays=2)
def standardize_backward(dy: DeviceArray, x: DeviceArray, epsilon: float = EPSILON) -> DeviceArray:
    """As ``kernels.reference.standardize_backward``."""
    planes = activation_planes(x)
    n, c, d, _, _ = planes.shape
    y, scale, dx = memory(planes.shape, x.dtype), memory((n, c, d), x.dtype), memory(planes.shape, x.dtype)
    normalize(n * c * d, LAUNCH.block, planes, x.dtype.type(epsilon), y, scale)
    normalize_backward(n * c * d, LAUNCH.block, activation_planes(dy), y, scale, dx)
    return activations(dx)


@kernel("y", "scale")
def normalize(x: FloatArray, epsilon: float, y: FloatArray, scale: FloatArray) -> None:
    """``y = (x - mean) scale``, ``scale = 1 / sqrt(var + epsilon)`` (0 where that is not finite) of every plane."""
    shared = cuda.shared.array(MOST_THREADS, dtype=scale.dtype)
    one = scale.dtype.type
    samples, maps, frames, rows, columns = x.shape
    count = one(rows * columns)
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, c, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        first = one(x[n, c, d, 0, 0])
        total = one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                total += one(x[n, c, d, h, w]) - first
        mean = sum_over_block(shared, total) / count
        total = one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                centred = one(x[n, c, d, h, w]) - first - mean
                total += centred * centred
        factor = reciprocal_deviation(sum_over_block(shared, total) / count, epsilon, one(1))
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                # y = (x - mean) / sqrt(var + epsilon)
                if factor > one(0):
                    y[n, c, d, h, w] = (one(x[n, c, d, h, w]) - first - mean) * factor
                else:
                    y[n, c, d, h, w] = one(0)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            scale[n, c, d] = factor


@kernel("dx")
def normalize_backward(dy: FloatArray, y: FloatArray, scale: FloatArray, dx: FloatArray) -> None:
    """``dx`` of :func:`normalize`; ``dx`` may be the memory of ``dy``."""
    shared = cuda.shared.array(MOST_THREADS, dtype=scale.dtype)
    one = scale.dtype.type
    samples, maps, frames, rows, columns = y.shape
    count = one(rows * columns)
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, c, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        of_dy, of_dy_y = one(0), one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                of_dy += dy[n, c, d, h, w]
                of_dy_y += dy[n, c, d, h, w] * y[n, c, d, h, w]
        mean_dy = sum_over_block(shared, of_dy) / count
        mean_dy_y = sum_over_block(shared, of_dy_y) / count
        factor = scale[n, c, d]
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                # x acts directly, through the mean and through the variance: one term each
                dx[n, c, d, h, w] = factor * (dy[n, c, d, h, w] - mean_dy - y[n, c, d, h, w] * mean_dy_y)


@inline
def reciprocal_deviation(variance: float, epsilon: float, one: float) -> float:
    """``1 / sqrt(variance + epsilon)``, or 0 where that is no finite number."""
    deviation = math.sqrt(variance + epsilon)
    # infinity less itself is NaN, and no number is larger than that
    return one / deviation if deviation > variance - variance else one - one
