"""Max pooling: one thread per output, and in backward one thread per input, which looks up what outputs chose it."""

from ..arrays import FloatArray
from .device_array import DeviceArray, operation
from .device_functions import cell, least, most, tiles
from .launch import inline, kernel
from .memory import memory
from .planes import activation_planes, activations
from .target import cuda


@operation(arrays=1)
def max_pool_space(x: DeviceArray, pool: tuple[int, int]) -> DeviceArray:
    """As ``kernels.reference.max_pool_space``."""
    planes = activation_planes(x)
    n, f, d, h, w = planes.shape
    m = memory((n, f, d, h // pool[0], w // pool[1]), x.dtype)
    largest_of_blocks.over_tiles(n * f * d, *m.shape[3:], planes, *pool, m)
    return activations(m)


@operation(arrays=2)
def max_pool_space_backward(dm: DeviceArray, x: DeviceArray, pool: tuple[int, int]) -> DeviceArray:
    """As ``kernels.reference.max_pool_space_backward``."""
    planes = activation_planes(x)
    n, f, d, h, w = planes.shape
    dx = memory(planes.shape, x.dtype)
    to_chosen_of_blocks.over_tiles(n * f * d, h, w, activation_planes(dm), planes, *pool, dx)
    return activations(dx)


@operation(arrays=1)
def max_pool_frames(x: DeviceArray, frames: int) -> DeviceArray:
    """As ``kernels.reference.max_pool_frames``."""
    planes = activation_planes(x)
    n, f, d, h, w = planes.shape
    m = memory((n, f, d - frames + 1, h, w), x.dtype)
    largest_of_frames.over_tiles(n * f * m.shape[2], h, w, planes, frames, m)
    return activations(m)


@operation(arrays=2)
def max_pool_frames_backward(dm: DeviceArray, x: DeviceArray, frames: int) -> DeviceArray:
    """As ``kernels.reference.max_pool_frames_backward``."""
    planes = activation_planes(x)
    n, f, d, h, w = planes.shape
    dx = memory(planes.shape, x.dtype)
    to_chosen_frames.over_tiles(n * f * d, h, w, activation_planes(dm), planes, frames, dx)
    return activations(dx)


@kernel("m")
def largest_of_blocks(x: FloatArray, ph: int, pw: int, m: FloatArray) -> None:
    samples, maps, frames, rows, columns = m.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            chosen = _first_largest(x, n, f, d, h * ph, w * pw, ph, pw)
            m[n, f, d, h, w] = x[n, f, d, h * ph + chosen // pw, w * pw + chosen % pw]


@kernel("dx")
def to_chosen_of_blocks(dm: FloatArray, x: FloatArray, ph: int, pw: int, dx: FloatArray) -> None:
    samples, maps, frames, rows, columns = x.shape
    pooled_rows, pooled_columns = dm.shape[3], dm.shape[4]
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            # m = max over the block: dm goes to the cell that was chosen, the others get 0
            gradient = dx.dtype.type(0)
            r, c = h // ph, w // pw
            inside = r < pooled_rows and c < pooled_columns
            if inside and _first_largest(x, n, f, d, r * ph, c * pw, ph, pw) == (h - r * ph) * pw + w - c * pw:
                gradient = dm[n, f, d, r, c]
            dx[n, f, d, h, w] = gradient


@kernel("m")
def largest_of_frames(x: FloatArray, run: int, m: FloatArray) -> None:
    samples, maps, frames, rows, columns = m.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            m[n, f, d, h, w] = x[n, f, d + first_largest_frame(x, n, f, d, h, w, run), h, w]


@kernel("dx")
def to_chosen_frames(dm: FloatArray, x: FloatArray, run: int, dx: FloatArray) -> None:
    samples, maps, frames, rows, columns = x.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            # m[n,d'] = max_i x[n,d'+i]: dx[n,d] collects dm of every run that chose frame d
            total = dx.dtype.type(0)
            for start in range(most(0, d - run + 1), least(d, frames - run) + 1):
                if start + first_largest_frame(x, n, f, start, h, w, run) == d:
                    total += dm[n, f, start, h, w]
            dx[n, f, d, h, w] = total


@inline
def _first_largest(x: FloatArray, n: int, f: int, d: int, h: int, w: int, ph: int, pw: int) -> int:
    """Number of the first maximum of a block, in row-major order; a NaN counts as the largest."""
    best, chosen = x[n, f, d, h, w], 0
    for cell_number in range(1, ph * pw):
        value = x[n, f, d, h + cell_number // pw, w + cell_number % pw]
        if larger(value, best):
            best, chosen = value, cell_number
    return chosen


@inline
def first_largest_frame(x: FloatArray, n: int, f: int, d: int, h: int, w: int, run: int) -> int:
    """Number of the first maximum of frames ``d ... d + run - 1``; a NaN counts as the largest."""
    best, chosen = x[n, f, d, h, w], 0
    for i in range(1, run):
        value = x[n, f, d + i, h, w]
        if larger(value, best):
            best, chosen = value, i
    return chosen


@inline
def larger(value: float, best: float) -> bool:
    """Whether ``value`` takes the place of ``best``; nothing takes that of a NaN."""
    # a NaN equals nothing, and is not at most anything
    return best == best and not value <= best
