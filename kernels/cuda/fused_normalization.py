"""What lies behind the third and the fifth layer of the usual network on the device: normalisation and activation."""

from ..arrays import FloatArray
from .device_functions import sum_over_block
from .launch import MOST_THREADS, kernel
from .target import cuda


@kernel(updates=("dy",))
def normalize_backward_activate(
    y: FloatArray, scale: FloatArray, before: FloatArray, alpha: float, dy: FloatArray
) -> None:
    """:func:`normalize_backward` in place, and the slope of the leaky ReLU, whose result was ``before``."""
    shared = cuda.shared.array(MOST_THREADS, dtype=scale.dtype)
    one = scale.dtype.type
    samples, maps, frames, rows, columns = y.shape
    count = one(rows * columns)
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        of_dy, of_dy_y = one(0), one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                of_dy += dy[n, f, d, h, w]
                of_dy_y += dy[n, f, d, h, w] * y[n, f, d, h, w]
        mean_dy = sum_over_block(shared, of_dy) / count
        mean_dy_y = sum_over_block(shared, of_dy_y) / count
        factor = scale[n, f, d]
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                dx = factor * (dy[n, f, d, h, w] - mean_dy - y[n, f, d, h, w] * mean_dy_y)
                dy[n, f, d, h, w] = dx if before[n, f, d, h, w] > one(0) else alpha * dx
