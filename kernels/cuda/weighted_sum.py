"""Weighted sum 3D, for windows and strides of any size.

Versions of the forward kernel:

1. One thread per output, which walks its whole window: 48 products per output of the usual window, each weight read
   again by every window that covers it.
2. Kept here: the box sum is separable.  Each row of threads adds up the products of its window's rows for every column
   of its tile and of the halo that the last windows reach over, puts the sums into shared memory, and then every thread
   adds up the columns of its window: 12 products per output, and any window has room.
3. In ``fused_first_layer.py`` and ``fused_windows.py``, for the usual windows: strips that go down a plane, so that
   sums of rows are in registers, and nothing between the input and the pooled map is written to memory.

In backward the transposed box sum ``G`` is made in the same way and written to memory.  Each cell of the weights'
gradient has one owner for each of a few slabs of samples, and the slabs are added in their order: no atomics, and the
same bits in every run.
"""

from ..arrays import FloatArray
from .device_array import DeviceArray, operation
from .device_functions import cell, least, most, tiles
from .launch import LAUNCH, kernel
from .memory import Memory, memory
from .planes import activation_planes, activations, parameter, parameter_planes
from .target import cuda

SLABS = 8
"""Groups of samples with weight gradients of their own, at most."""


@operation(arrays=3)
def weighted_sum(
    x: DeviceArray,
    weights: DeviceArray,
    bias: DeviceArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
) -> DeviceArray:
    """As ``kernels.reference.weighted_sum``."""
    return activations(
        sum_windows(
            activation_planes(x), parameter_planes(weights, 2), parameter_planes(bias, 1), receptive_field, strides
        )
    )


@operation(arrays=3)
def weighted_sum_backward(
    dz: DeviceArray,
    x: DeviceArray,
    weights: DeviceArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    input_gradient: bool = True,
) -> tuple[DeviceArray | None, DeviceArray, DeviceArray]:
    """As ``kernels.reference.weighted_sum_backward``."""
    of_outputs = activation_planes(dz)
    dx, dweights = sum_windows_backward(
        of_outputs, activation_planes(x), parameter_planes(weights, 2), receptive_field, strides, input_gradient
    )
    return (
        activations(dx) if input_gradient else None,
        parameter(dweights, weights.shape, 2),
        parameter(of_outputs, dz.shape[1:], 1),
    )


def sum_windows(
    x: Memory,
    weights: Memory,
    bias: Memory,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
) -> Memory:
    """Planes of the weighted sum: ``x`` (n, c, d, h, w), ``weights`` (c, f, i, h, w), ``bias`` (f, d', h', w')."""
    (n, *_), (f, d, h, w) = x.shape, bias.shape
    y = memory((n, f, d, h, w), x.dtype)
    halo = min((LAUNCH.block[0] - 1) * strides[2] + receptive_field[2], x.shape[4])
    shared = LAUNCH.block[1] * halo * x.dtype.itemsize
    weigh_and_sum.over_tiles(
        n * f * d, h, w, x, weights, bias, receptive_field, strides, halo, y,
        shared=shared,
    )  # fmt: skip
    return y


def sum_windows_backward(
    dz: Memory,
    x: Memory,
    weights: Memory,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    input_gradient: bool,
) -> tuple[Memory | None, Memory]:
    """``dx, dweights`` in planes, given ``dz`` (n, f, d', h', w').

    ``dx`` is None without ``input_gradient``; ``dweights`` are those of a few slabs of samples.
    """
    n, c, d, h, w = x.shape
    _, f, frames, _, columns = dz.shape
    g = memory((n, f, frames, h, w), x.dtype)
    halo = min((LAUNCH.block[0] + receptive_field[2]) // strides[2] + 2, columns)
    shared = LAUNCH.block[1] * halo * x.dtype.itemsize
    spread_windows.over_tiles(n * f * frames, h, w, dz, receptive_field, strides, halo, g, shared=shared)
    slabs = min(n, SLABS)
    dweights = memory((slabs, *weights.shape), x.dtype)
    weigh_backward.over_tiles(slabs * c * f * receptive_field[0], h, w, x, g, strides[0], dweights)
    dx = None
    if input_gradient:
        dx = memory(x.shape, x.dtype)
        inputs_backward.over_tiles(n * c * d, h, w, g, weights, strides[0], dx)
    return dx, dweights


@kernel("y")
def weigh_and_sum(
    x: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    halo: int,
    y: FloatArray,
) -> None:
    """The weighted sum ``y``; ``halo``: columns that the windows of a tile reach over."""
    sums = cuda.shared.array(0, dtype=y.dtype)
    zero = y.dtype.type(0)
    samples, maps, frames, rows, columns = y.shape
    channels, width = x.shape[1], x.shape[4]
    (rd, rh, rw), (sd, sh, sw) = receptive_field, strides
    mine = cuda.threadIdx.y * halo
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        first = (w - cuda.threadIdx.x) * sw
        # V[q] = sum_{j,i,c} x[n, c, sd d + i, sh h + j, q] W[c, f, i, sh h + j, q], for the tile's columns and the halo
        for q in range(cuda.threadIdx.x, halo, cuda.blockDim.x):
            total = zero
            if h < rows and first + q < width:
                for c in range(channels):
                    for i in range(rd):
                        for j in range(h * sh, h * sh + rh):
                            total += x[n, c, sd * d + i, j, first + q] * weights[c, f, i, j, first + q]
            sums[mine + q] = total
        cuda.syncthreads()
        if h < rows and w < columns:
            # z = b + sum_k V[sw w + k]
            z = bias[f, d, h, w]
            start = mine + cuda.threadIdx.x * sw
            for k in range(rw):
                z += sums[start + k]
            y[n, f, d, h, w] = z
        cuda.syncthreads()


@kernel("g")
def spread_windows(
    dz: FloatArray, receptive_field: tuple[int, int, int], strides: tuple[int, int, int], halo: int, g: FloatArray
) -> None:
    """``G[n,f,d',h,w]``: the sum of ``dz`` over the windows that cover ``(h, w)``."""
    (_, rh, rw), (_, sh, sw) = receptive_field, strides
    sums = cuda.shared.array(0, dtype=g.dtype)
    zero = g.dtype.type(0)
    samples, maps, frames, rows, columns = g.shape
    rows_out, columns_out = dz.shape[3], dz.shape[4]
    mine = cuda.threadIdx.y * halo
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        # windows h' with sh h' <= h < sh h' + rh, and the same of columns
        upper, lower = most(0, (h - rh + sh) // sh), least(rows_out - 1, h // sh)
        first = most(0, (w - cuda.threadIdx.x - rw + sw) // sw)
        for q in range(cuda.threadIdx.x, halo, cuda.blockDim.x):
            total = zero
            if h < rows and first + q < columns_out:
                for j in range(upper, lower + 1):
                    total += dz[n, f, d, j, first + q]
            sums[mine + q] = total
        cuda.syncthreads()
        if h < rows and w < columns:
            total = zero
            for k in range(most(0, (w - rw + sw) // sw), least(columns_out - 1, w // sw) + 1):
                total += sums[mine + k - first]
            g[n, f, d, h, w] = total
        cuda.syncthreads()


@kernel("dweights")
def weigh_backward(x: FloatArray, g: FloatArray, sd: int, dweights: FloatArray) -> None:
    """``dW[c,f,i,h,w] = sum_{n,d'} x[n, c, sd d' + i, h, w] G[n, f, d', h, w]`` over the samples of each slab."""
    slabs, channels, maps, field_frames, rows, columns = dweights.shape
    samples, frames = g.shape[0], g.shape[2]
    cells = slabs * channels * maps * field_frames
    for task in range(cuda.blockIdx.x, cells * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        i, f = plane % field_frames, plane // field_frames % maps
        c, slab = plane // (field_frames * maps) % channels, plane // (field_frames * maps * channels)
        if h < rows and w < columns:
            total = dweights.dtype.type(0)
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                for d in range(frames):
                    total += x[n, c, sd * d + i, h, w] * g[n, f, d, h, w]
            dweights[slab, c, f, i, h, w] = total


@kernel("dx")
def inputs_backward(g: FloatArray, weights: FloatArray, sd: int, dx: FloatArray) -> None:
    """``dx[n,c,d,h,w] = sum_{i,d' : sd d' + i = d} sum_f W[c,f,i,h,w] G[n,f,d',h,w]``."""
    samples, channels, frames, rows, columns = dx.shape
    maps, frames_out, field_frames = g.shape[1], g.shape[2], weights.shape[2]
    for task in range(cuda.blockIdx.x, samples * channels * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, c, n = plane % frames, plane // frames % channels, plane // (frames * channels)
        if h < rows and w < columns:
            total = dx.dtype.type(0)
            for start in range(most(0, (d - field_frames + sd) // sd), least(frames_out - 1, d // sd) + 1):
                for f in range(maps):
                    total += weights[c, f, d - sd * start, h, w] * g[n, f, start, h, w]
            dx[n, c, d, h, w] = total
