"""The third layer of the usual network on the device: the largest of three frames, its weight, bias and leaky ReLU."""

from ..arrays import FloatArray
from .device_functions import cell, least, most, tiles
from .launch import kernel
from .max_pool import first_largest_frame
from .target import cuda


@kernel("y")
def frames_forward(x: FloatArray, weights: FloatArray, bias: FloatArray, alpha: float, y: FloatArray) -> None:
    """``y = leaky ReLU(m w + b)``, where ``m`` is the largest of three frames."""
    zero = y.dtype.type(0)
    samples, maps, frames, rows, columns = y.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            m = x[n, f, d + first_largest_frame(x, n, f, d, h, w, 3), h, w]
            z = m * weights[f, h, w] + bias[f, d]
            y[n, f, d, h, w] = z if z > zero else alpha * z


@kernel("dx")
def frames_backward(dz: FloatArray, x: FloatArray, weights: FloatArray, dx: FloatArray) -> None:
    """Every frame collects the gradients of the runs of three that chose it."""
    samples, maps, frames, rows, columns = x.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            total = dx.dtype.type(0)
            for start in range(most(0, d - 2), least(d, frames - 3) + 1):
                if start + first_largest_frame(x, n, f, start, h, w, 3) == d:
                    total += dz[n, f, start, h, w]
            dx[n, f, d, h, w] = total * weights[f, h, w]


@kernel("dweights")
def frame_weights_backward(dz: FloatArray, x: FloatArray, dweights: FloatArray) -> None:
    """``dw[f,h,w] = sum_{n,d} dz m`` over the samples of each slab, where ``m`` is the largest of three frames."""
    slabs, maps, rows, columns = dweights.shape
    samples, frames = dz.shape[0], dz.shape[2]
    for task in range(cuda.blockIdx.x, slabs * maps * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        f, slab = plane % maps, plane // maps
        if h < rows and w < columns:
            total = dweights.dtype.type(0)
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                for d in range(frames):
                    m = x[n, f, d + first_largest_frame(x, n, f, d, h, w, 3), h, w]
                    total += dz[n, f, d, h, w] * m
            dweights[slab, f, h, w] = total
