"""A factor per map and position, and a shift per map and frame."""

from ..arrays import FloatArray
from .device_array import DeviceArray, operation
from .device_functions import cell, sum_over_block, tiles
from .elements import sum_slabs
from .launch import LAUNCH, MOST_THREADS, kernel
from .memory import Memory, memory
from .planes import activation_planes, activations, parameter, parameter_planes
from .target import cuda


@operation(arrays=3)
def scale_shift(m: DeviceArray, weights: DeviceArray, bias: DeviceArray) -> DeviceArray:
    """As ``kernels.reference.scale_shift``."""
    planes = activation_planes(m)
    n, f, d, h, w = planes.shape
    z = memory(planes.shape, m.dtype)
    shift = parameter_planes(bias, 1).reshape((f, d))
    scale_and_shift.over_tiles(n * f * d, h, w, planes, parameter_planes(weights, 1).reshape((f, h, w)), shift, z)
    return activations(z)


@operation(arrays=3)
def scale_shift_backward(
    dz: DeviceArray, m: DeviceArray, weights: DeviceArray
) -> tuple[DeviceArray, DeviceArray, DeviceArray]:
    """As ``kernels.reference.scale_shift_backward``."""
    dz, m = activation_planes(dz), activation_planes(m)
    n, f, d, h, w = m.shape
    dm, dweights = memory(m.shape, m.dtype), memory((f, h, w), m.dtype)
    multiply.over_tiles(n * f * d, h, w, dz, parameter_planes(weights, 1).reshape((f, h, w)), dm)
    sum_products.over_tiles(f, h, w, dz, m, dweights)
    return activations(dm), parameter(dweights, weights.shape, 1), parameter(sum_frames(dz), (d, 1, 1, f), 1)


def sum_frames(dz: Memory) -> Memory:
    """``sum_{n,h,w} dz[n,f,d,h,w]`` as (f, d): a block sums each plane, then the samples are added in their order."""
    n, f, d, _, _ = dz.shape
    sums, total = memory((n, f * d), dz.dtype), memory((f, d), dz.dtype)
    sum_planes(n * f * d, LAUNCH.block, dz, sums.reshape((n, f, d)))
    sum_slabs.over_elements(f * d, sums, total.reshape(f * d))
    return total


@kernel("z")
def scale_and_shift(m: FloatArray, weights: FloatArray, bias: FloatArray, z: FloatArray) -> None:
    samples, maps, frames, rows, columns = m.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            z[n, f, d, h, w] = m[n, f, d, h, w] * weights[f, h, w] + bias[f, d]


@kernel("dm")
def multiply(dz: FloatArray, weights: FloatArray, dm: FloatArray) -> None:
    samples, maps, frames, rows, columns = dm.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            # z = m w + b
            dm[n, f, d, h, w] = dz[n, f, d, h, w] * weights[f, h, w]


@kernel("dweights")
def sum_products(dz: FloatArray, m: FloatArray, dweights: FloatArray) -> None:
    """``dw[f,h,w] = sum_{n,d} dz m``: each cell has one owner."""
    samples, maps, frames, rows, columns = m.shape
    for task in range(cuda.blockIdx.x, maps * tiles(rows, columns), cuda.gridDim.x):
        f, h, w = cell(task, rows, columns)
        if h < rows and w < columns:
            total = dweights.dtype.type(0)
            for n in range(samples):
                for d in range(frames):
                    total += dz[n, f, d, h, w] * m[n, f, d, h, w]
            dweights[f, h, w] = total


@kernel("sums")
def sum_planes(a: FloatArray, sums: FloatArray) -> None:
    """``sums[n,f,d]``: the sum of each plane, made by one block."""
    shared = cuda.shared.array(MOST_THREADS, dtype=a.dtype)
    samples, maps, frames, rows, columns = a.shape
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        total = a.dtype.type(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                total += a[n, f, d, h, w]
        total = sum_over_block(shared, total)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            sums[n, f, d] = total
