"""Average pooling: one thread per output, and in backward one thread per input."""

from ..arrays import FloatArray
from .device_array import DeviceArray, operation
from .device_functions import cell, least, most, tiles
from .launch import kernel
from .memory import memory
from .planes import activation_planes, activations
from .target import cuda


@operation(arrays=1)
def average_pool_space(x: DeviceArray, pool: tuple[int, int]) -> DeviceArray:
    """As ``kernels.reference.average_pool_space``."""
    planes = activation_planes(x)
    n, f, d, h, w = planes.shape
    m = memory((n, f, d, h // pool[0], w // pool[1]), x.dtype)
    mean_of_blocks.over_tiles(n * f * d, *m.shape[3:], planes, *pool, m)
    return activations(m)


@operation(arrays=2)
def average_pool_space_backward(dm: DeviceArray, x: DeviceArray, pool: tuple[int, int]) -> DeviceArray:
    """As ``kernels.reference.average_pool_space_backward``."""
    n, d, h, w, f = x.shape
    dx = memory((n, f, d, h, w), x.dtype)
    to_all_of_blocks.over_tiles(n * f * d, h, w, activation_planes(dm), *pool, dx)
    return activations(dx)


@operation(arrays=1)
def average_pool_frames(x: DeviceArray, frames: int) -> DeviceArray:
    """As ``kernels.reference.average_pool_frames``."""
    planes = activation_planes(x)
    n, f, d, h, w = planes.shape
    m = memory((n, f, d - frames + 1, h, w), x.dtype)
    mean_of_frames.over_tiles(n * f * m.shape[2], h, w, planes, frames, m)
    return activations(m)


@operation(arrays=2)
def average_pool_frames_backward(dm: DeviceArray, x: DeviceArray, frames: int) -> DeviceArray:
    """As ``kernels.reference.average_pool_frames_backward``."""
    n, d, h, w, f = x.shape
    dx = memory((n, f, d, h, w), x.dtype)
    to_all_frames.over_tiles(n * f * d, h, w, activation_planes(dm), frames, dx)
    return activations(dx)


@kernel("m")
def mean_of_blocks(x: FloatArray, ph: int, pw: int, m: FloatArray) -> None:
    one = m.dtype.type
    samples, maps, frames, rows, columns = m.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            total = one(0)
            for i in range(ph):
                for j in range(pw):
                    total += x[n, f, d, h * ph + i, w * pw + j]
            m[n, f, d, h, w] = total / one(ph * pw)


@kernel("dx")
def to_all_of_blocks(dm: FloatArray, ph: int, pw: int, dx: FloatArray) -> None:
    one = dx.dtype.type
    samples, maps, frames, rows, columns = dx.shape
    pooled_rows, pooled_columns = dm.shape[3], dm.shape[4]
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            # m = sum(cells) / (ph pw); dropped rows and columns get 0
            gradient = one(0)
            if h // ph < pooled_rows and w // pw < pooled_columns:
                gradient = dm[n, f, d, h // ph, w // pw] / one(ph * pw)
            dx[n, f, d, h, w] = gradient


@kernel("m")
def mean_of_frames(x: FloatArray, run: int, m: FloatArray) -> None:
    one = m.dtype.type
    samples, maps, frames, rows, columns = m.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            total = one(0)
            for i in range(run):
                total += x[n, f, d + i, h, w]
            m[n, f, d, h, w] = total / one(run)


@kernel("dx")
def to_all_frames(dm: FloatArray, run: int, dx: FloatArray) -> None:
    one = dx.dtype.type
    samples, maps, frames, rows, columns = dx.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            # m[n,d'] = sum_i x[n,d'+i] / rd
            total = one(0)
            for start in range(most(0, d - run + 1), least(d, frames - run) + 1):
                total += dm[n, f, start, h, w]
            dx[n, f, d, h, w] = total / one(run)
