"""Between the network's arrays, channels last, and planes, ``w`` last.

The kernels work on planes, so that threads that are neighbours along ``w`` touch neighbouring numbers.  An array
``(..., d, h, w, u)`` is a batch of matrices of ``s = d h w`` positions by ``u`` channels, and its planes are their
transposes.  Both kernels go through shared memory, so that they read rows and write rows.
"""

from math import prod

from ..arrays import FloatArray
from .device_array import DeviceArray
from .device_functions import least
from .launch import LAUNCH, kernel
from .memory import Memory, memory
from .strips import at
from .target import cuda

TILE = 256
"""Numbers that a block turns at a time."""


def activation_planes(x: DeviceArray) -> Memory:
    """DeviceArray (n, d, h, w, c) as planes (n, c, d, h, w)."""
    n, d, h, w, c = x.shape
    return _planes(x.data, n, d * h * w, c).reshape((n, c, d, h, w))


def activations(planes: Memory, out: DeviceArray | None = None) -> DeviceArray:
    """The opposite of :func:`activation_planes`; written to ``out`` where that is given."""
    n, c, d, h, w = planes.shape
    return DeviceArray(_spread(planes, n, d * h * w, c, (n, d, h, w, c), out))


def parameter_planes(values: DeviceArray, channels: int) -> Memory:
    """DeviceArray of a parameter (..., *u) as planes (*u, ...), where ``u`` are the last ``channels`` axes."""
    positions, u = values.shape[: values.ndim - channels], values.shape[values.ndim - channels :]
    return _planes(values.data, 1, prod(positions), prod(u)).reshape((*u, *positions))


def parameter(planes: Memory, shape: tuple[int, ...], channels: int, out: DeviceArray | None = None) -> DeviceArray:
    """The opposite of :func:`parameter_planes`: a DeviceArray of ``shape``, which is ``out`` where that is given.

    Planes of several slabs, on leading axes, are added up on the way, in the order of the slabs.
    """
    positions, u = shape[: len(shape) - channels], shape[len(shape) - channels :]
    return DeviceArray(_spread(planes, 1, prod(positions), prod(u), shape, out))


def _planes(data: Memory, batch: int, positions: int, channels: int) -> Memory:
    """(batch, positions, channels) to (batch, channels, positions)."""
    if positions == 1 or channels == 1:
        return data
    planes = memory((batch, channels, positions), data.dtype)
    together, run = _tile(channels)
    tasks = batch * -(-positions // run) * -(-channels // together)
    gather_planes(tasks, LAUNCH.threads, data.reshape((batch, positions, channels)), together, run, planes)
    return planes


def _spread(
    planes: Memory, batch: int, positions: int, channels: int, shape: tuple[int, ...], out: DeviceArray | None = None
) -> Memory:
    """(slabs, batch, channels, positions) to (batch, positions, channels)."""
    slabs = planes.size // (batch * positions * channels)
    if slabs == 1 and out is None and (positions == 1 or channels == 1):
        return planes.reshape(shape)
    data = memory(shape, planes.dtype) if out is None else out.data
    together, run = _tile(channels)
    tasks = batch * -(-positions // run) * -(-channels // together)
    planes = planes.reshape(planes.size)
    spread_planes(tasks, LAUNCH.threads, planes, together, run, data.reshape((batch, positions, channels)))
    return data


def _tile(channels: int) -> tuple[int, int]:
    """Channels and positions of a tile."""
    together = min(channels, TILE)
    return together, TILE // together


@kernel("planes")
def gather_planes(x: FloatArray, together: int, run: int, planes: FloatArray) -> None:
    """(n, s, u) to (n, u, s), in tiles of ``together`` channels and a ``run`` of positions."""
    tile = cuda.shared.array(TILE, dtype=x.dtype)
    batch, positions, channels = x.shape
    runs = (positions + run - 1) // run
    groups = (channels + together - 1) // together
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    for task in range(cuda.blockIdx.x, batch * runs * groups, cuda.gridDim.x):
        u0 = task % groups * together
        s0 = task // groups % runs * run
        n = task // (groups * runs)
        wide, long = least(together, channels - u0), least(run, positions - s0)
        for q in range(thread, long * wide, threads):
            tile[q] = x[n, s0 + q // wide, u0 + q % wide]
        cuda.syncthreads()
        for q in range(thread, long * wide, threads):
            u = q // long
            planes[n, u0 + u, s0 + q - u * long] = tile[(q - u * long) * wide + u]
        cuda.syncthreads()


@kernel("x")
def spread_planes(planes: FloatArray, together: int, run: int, x: FloatArray) -> None:
    """(slab, n, u, s) to (n, s, u), the slabs added up; in tiles of ``together`` channels and a ``run`` of positions.

    ``planes`` comes as one row.
    """
    tile = cuda.shared.array(TILE, dtype=x.dtype)
    batch, positions, channels = x.shape
    step = batch * positions * channels
    slabs = planes.size // step
    runs = (positions + run - 1) // run
    groups = (channels + together - 1) // together
    thread, threads = cuda.threadIdx.x, cuda.blockDim.x
    for task in range(cuda.blockIdx.x, batch * runs * groups, cuda.gridDim.x):
        u0 = task % groups * together
        s0 = task // groups % runs * run
        n = task // (groups * runs)
        wide, long = least(together, channels - u0), least(run, positions - s0)
        for q in range(thread, long * wide, threads):
            u = q // long
            place, total = (n * channels + u0 + u) * positions + s0 + q - u * long, x.dtype.type(0)
            for slab in range(slabs):
                total += planes[at(slab * step + place)]
            tile[(q - u * long) * wide + u] = total
        cuda.syncthreads()
        for q in range(thread, long * wide, threads):
            x[n, s0 + q // wide, u0 + q % wide] = tile[q]
        cuda.syncthreads()
