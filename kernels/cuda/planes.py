"""Between the network's arrays, channels last, and planes, ``w`` last.

The kernels work on planes, so that threads along ``w`` touch neighbouring numbers.  An array ``(..., d, h, w, u)`` is a
batch of matrices of ``s = d h w`` positions by ``u`` channels, and its planes are their transposes.  Both kernels go
through shared memory, so that the reads and the writes are both in rows.
"""

from .device_array import DeviceArray
from .launch import LAUNCH, kernel
from .memory import memory
from .target import cuda
from .threads import least

TILE = 1024
"""Numbers that a block turns at a time."""


def activation_planes(x):
    """DeviceArray (n, d, h, w, c) as planes (n, c, d, h, w)."""
    n, d, h, w, c = x.shape
    return _planes(x.data, n, d * h * w, c).reshape((n, c, d, h, w))


def activations(planes):
    """The opposite of :func:`activation_planes`."""
    n, c, d, h, w = planes.shape
    return DeviceArray(_spread(planes, n, d * h * w, c, (n, d, h, w, c)))


def parameter_planes(values, channels):
    """DeviceArray of a parameter (..., *u) as planes (*u, ...); ``channels``: how many axes ``u`` are."""
    positions, u = values.shape[: values.ndim - channels], values.shape[values.ndim - channels :]
    return _planes(values.data, 1, _product(positions), _product(u)).reshape((*u, *positions))


def parameter(planes, shape, channels, out=None):
    """The opposite of :func:`parameter_planes`: a DeviceArray of ``shape``; written to ``out`` where it is given."""
    positions, u = shape[: len(shape) - channels], shape[len(shape) - channels :]
    return DeviceArray(_spread(planes, 1, _product(positions), _product(u), shape, out))


def _planes(data, batch, positions, channels):
    """(batch, positions, channels) to (batch, channels, positions)."""
    if positions == 1 or channels == 1:
        return data
    planes = memory((batch, channels, positions), data.dtype)
    together, run = _tile(channels)
    tasks = batch * -(-positions // run) * -(-channels // together)
    gather_planes(tasks, LAUNCH.threads, data.reshape((batch, positions, channels)), together, run, planes)
    return planes


def _spread(planes, batch, positions, channels, shape, out=None):
    """(batch, channels, positions) to (batch, positions, channels)."""
    if out is None and (positions == 1 or channels == 1):
        return planes.reshape(shape)
    out = memory(shape, planes.dtype) if out is None else out.data
    together, run = _tile(channels)
    tasks = batch * -(-positions // run) * -(-channels // together)
    planes = planes.reshape((batch, channels, positions))
    spread_planes(tasks, LAUNCH.threads, planes, together, run, out.reshape((batch, positions, channels)))
    return out


def _tile(channels):
    """Channels and positions of a tile."""
    together = min(channels, TILE)
    return together, TILE // together


def _product(sizes):
    product = 1
    for size in sizes:
        product *= size
    return product


@kernel("planes")
def gather_planes(x, together, run, planes):
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
        for u in range(wide):
            for s in range(thread, long, threads):
                planes[n, u0 + u, s0 + s] = tile[s * wide + u]
        cuda.syncthreads()


@kernel("x")
def spread_planes(planes, together, run, x):
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
        for u in range(wide):
            for s in range(thread, long, threads):
                tile[s * wide + u] = planes[n, u0 + u, s0 + s]
        cuda.syncthreads()
        for q in range(thread, long * wide, threads):
            x[n, s0 + q // wide, u0 + q % wide] = tile[q]
        cuda.syncthreads()
