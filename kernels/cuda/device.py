"""The one place that knows numba.cuda: arrays on the device, launches, and what to say when there is no device.

Works with Numba's own CUDA target and with the package numba-cuda, which comes under the same name; only what both know
is used.  ``NUMBA_ENABLE_CUDASIM=1`` runs everything on Numba's simulator, in plain Python.
"""

import os
import threading
from contextlib import contextmanager
from functools import cache, wraps
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from ..errors import InputError

try:
    from numba import cuda
except ImportError:  # a Numba without its own target, and no numba-cuda
    cuda = None

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"

if cuda and not SIMULATED:
    from numba.cuda import dispatcher

    # A small sum has few blocks; that is no cause for a warning.
    dispatcher.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0

called_cuda = cuda
"""``cuda`` for functions that kernels of other modules call."""

if SIMULATED:
    # The simulator lends its own to the module of a kernel alone.
    from numba.cuda.simulator.kernel import _get_kernel_context

    class _Current:
        def __getattr__(self, name):
            return getattr(_get_kernel_context(), name)

    called_cuda = _Current()

LAUNCH = SimpleNamespace(
    threads=2 if SIMULATED else 256,
    block=(2, 1) if SIMULATED else (32, 8),
    blocks=2 if SIMULATED else 4096,
)
"""Sizes of a launch: threads of a block that works on elements in a row; columns and rows of threads of a block that
works on planes, neighbours in a warp being neighbours along ``w``; and the most blocks.

Every kernel strides over its tasks, so that any sizes are right.  The simulator takes turns, so it gets few threads.
"""

MOST_THREADS = 1024
"""Threads of a block that any device of today allows; :func:`block_sum` has room for so many."""

MOST_SHARED = 49_152
"""Bytes of shared memory that a block may ask for on any device."""


class Launch(NamedTuple):
    """One launch, as :func:`recorded` keeps it."""

    kernel: object
    tasks: int
    threads: tuple
    shared_bytes: int
    arguments: tuple


class Kernel:
    """A function that ``cuda.jit`` compiles for the types it is launched with.

    Attributes:
        function: the Python function.
        writes: names of the arguments it writes; it reads the others.
        updates: names of the arguments it reads and writes.
    """

    def __init__(self, function, writes, updates=()):
        self.function, self.writes, self.updates = function, writes, updates
        self.name = function.__name__.lstrip("_")
        self.compiled = cuda.jit(function) if cuda else None

    def __call__(self, tasks, threads, *arguments, shared=0):
        """Launch on :func:`stream`: ``tasks`` are what blocks stride over, one block each as far as blocks go."""
        if shared > MOST_SHARED:
            raise InputError(
                f"backend cuda: {self.name} needs {shared:,} bytes of shared memory a block for clips and windows of "
                f"this width, a device has {MOST_SHARED:,}; use backend cpu, or smaller windows or strides"
            )
        if _recorded:
            _recorded[-1].append(Launch(self, tasks, threads, shared, arguments))
        else:
            self._require_device(arguments)
            blocks = max(1, min(tasks, LAUNCH.blocks))
            self.compiled[blocks, threads, stream(), shared](*arguments)

    def _require_device(self, arguments):
        # numba would copy such an array there and back, at every launch
        names = self.function.__code__.co_varnames[: len(arguments)]
        on_host = [
            f"{name} {a.shape} of {a.nbytes:,} bytes" for name, a in zip(names, arguments, strict=True) if _is_host(a)
        ]
        if on_host:
            raise InputError(
                f"backend cuda: {self.name} works on arrays on the device, and on the host are: {'; '.join(on_host)}; "
                f"kernels.cuda.to_device moves them"
            )

    def over_elements(self, size, *arguments):
        """Launch over ``size`` elements in a row."""
        self(-(-size // LAUNCH.threads), LAUNCH.threads, *arguments)

    def over_tiles(self, planes, rows, columns, *arguments, shared=0):
        """Launch over planes cut into tiles of one element a thread."""
        self(
            planes * -(-rows // LAUNCH.block[1]) * -(-columns // LAUNCH.block[0]),
            LAUNCH.block,
            *arguments,
            shared=shared,
        )


def kernel(*writes, updates=()):
    """Decorator: the function below becomes a :class:`Kernel` that writes the arguments named."""
    return lambda function: Kernel(function, writes, updates)


inline = cuda.jit(device=True) if cuda and not SIMULATED else lambda function: function
"""Decorator of what kernels call."""


_recorded = []
"""The list of launches that is being made, if any."""


@contextmanager
def recorded():
    """Within, nothing is launched and nothing is on a device: the launches are listed instead.

    Yields:
        list of :class:`Launch`, with host arrays of the same shapes in the place of the device's.  It is what the table
        of registers and the model of the speed are made from, where there is no device.
    """
    _recorded.append([])
    try:
        yield _recorded[-1]
    finally:
        _recorded.pop()


def require():
    """Refuse to go on without a device.

    Raises:
        InputError: it says which is missing, the package or the driver, and how to get it.
    """
    if not (SIMULATED or _recorded):
        _require_device()


@cache
def _require_device():
    if cuda is None or not _compiler_found():
        raise InputError(
            "backend cuda: the package numba-cuda with its compiler is missing; pip install 'emop3d-np[cuda]' gets it "
            "(backend cpu needs neither)"
        )
    if not cuda.is_available():
        raise InputError(
            "backend cuda: no NVIDIA driver, or no device, was found on this machine; install the driver of the "
            "graphics card (nvidia-smi must list it), or use backend cpu; NUMBA_ENABLE_CUDASIM=1 simulates a device, "
            "for tests: very slow"
        )


def _compiler_found():
    try:
        from numba.cuda.cudadrv.nvvm import NVVM

        NVVM()
    except Exception:  # of a kind that differs between versions
        return False
    return True


@cache
def stream():
    """The stream that all kernels run on.  It is not the default one, which would wait for copies of other threads."""
    return cuda.stream()


@cache
def upload_stream():
    """The stream of :func:`upload`: it copies while the kernels of :func:`stream` run."""
    return cuda.stream()


def finish():
    """Wait until all that was launched is done."""
    require()
    if not _recorded:
        stream().synchronize()


def memory(shape, dtype):
    """Uninitialised memory of the device, as a contiguous array.

    Raises:
        InputError: there is no device, or it has no room; the bytes are named.
    """
    require()
    arrays = getattr(_kept, "arrays", None)
    if arrays is None:
        return _new_memory(shape, dtype)
    place = _kept.used
    _kept.used += 1
    if place == len(arrays):
        arrays.append(_new_memory(shape, dtype))
    elif (tuple(arrays[place].shape), arrays[place].dtype) != (tuple(np.atleast_1d(shape)), dtype):
        arrays[place] = _new_memory(shape, dtype)
    return arrays[place]


def _new_memory(shape, dtype):
    if _recorded:
        return np.empty(shape, dtype)
    require_room(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return cuda.device_array(shape, dtype)


_kept = threading.local()
"""Of this thread: ``arrays`` that :func:`memory` hands out, and how many it has ``used``."""


@contextmanager
def kept(arrays):
    """Within, :func:`memory` hands out the arrays of the last time, in their order; to get and free them takes long.

    Args:
        arrays: list, at first empty.  What is done within should ask for the same shapes every time, and leave nothing
            in these arrays that is wanted later.
    """
    _kept.arrays, _kept.used = arrays, 0
    try:
        yield
    finally:
        _kept.arrays = None


def require_room(needed, what="this array", hint=""):
    """Refuse what does not fit, before anything is started.

    Raises:
        InputError: ``needed`` bytes are more than are free.
    """
    if _recorded:
        return
    free = free_bytes()
    if needed > free and not SIMULATED:
        # numba frees arrays that are no longer used a few at a time
        cuda.current_context().deallocations.clear()
        free = free_bytes()
    if needed > free:
        raise InputError(
            f"backend cuda: {what} needs {needed:,} bytes on the device, {int(free):,} are free{hint and '; ' + hint}"
        )


def free_bytes():
    """Free memory of the device; infinite on the simulator."""
    require()
    return cuda.current_context().get_memory_info().free


def to_device(values):
    """Copy an array to the device.

    Args:
        values: array of any shape; a DeviceArray is returned as it is.

    Returns:
        DeviceArray of the same shape and dtype.
    """
    if isinstance(values, DeviceArray):
        return values
    return _copied(values, DeviceArray.empty(np.shape(values), np.asarray(values).dtype), stream)


def upload(values, into=None):
    """:func:`to_device` for a thread that fetches the next batch: kernels go on while it copies, and waits.

    Args:
        values: ndarray, best of :func:`pinned`.
        into: DeviceArray of the same shape and dtype that no kernel uses any longer; default a new one.
    """
    return _copied(values, into or DeviceArray.empty(values.shape, values.dtype), upload_stream)


def _copied(values, into, copying):
    require()
    if not _recorded:
        into.data.copy_to_device(np.ascontiguousarray(values).reshape(into.shape), stream=copying())
        copying().synchronize()
    return into


def pinned(shape, dtype):
    """ndarray on the host, uninitialised, in memory that the device can copy from without the processor."""
    require()
    return np.empty(shape, dtype) if _recorded else cuda.pinned_array(shape, dtype)


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device that NumPy can read and write.

    What training needs is computed where the array is: filling, ``a += b``, a number times an array, ``np.isfinite``,
    ``np.zeros_like``.  For whatever else NumPy is asked to do with it, it is copied to the host first, and the result
    stays there; ``np.asarray(a)`` is such a copy, read-only, since writing to it would change nothing here.

    Args:
        data: contiguous array of numba.cuda.
    """

    def __init__(self, data):
        self.data = data

    shape = property(lambda self: tuple(self.data.shape))
    dtype = property(lambda self: self.data.dtype)
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: int(np.prod(self.shape)))
    nbytes = property(lambda self: self.size * self.dtype.itemsize)

    @classmethod
    def empty(cls, shape, dtype):
        return cls(memory(shape, dtype))

    @property
    def row(self):
        """The memory as one row."""
        return self.data.reshape(self.size)

    def reshape(self, *shape):
        """The same memory under another shape."""
        shape = shape[0] if isinstance(shape[0], tuple) else shape
        known = -int(np.prod(shape))
        return DeviceArray(self.data.reshape(tuple(self.size // known if n == -1 else n for n in shape)))

    def update(self, rule, constants, *arrays):
        """Make one step of an optimiser in place, see ``update.py``; ``arrays`` are the gradient and the slots."""
        from . import update

        same_side((self, *arrays), ("parameter", "gradient", *(["slot"] * (len(arrays) - 1))))
        rule = getattr(update, rule)
        rule.over_elements(self.size, self.row, *(a.row for a in arrays), *map(self.dtype.type, constants))

    def half_square(self):
        """``||a||^2 / 2``: a partial sum a block, added up in float64."""
        from . import elements

        blocks = min(LAUNCH.blocks, 128)
        partial_sums = memory(blocks, self.dtype)
        elements.square_sums(blocks, LAUNCH.threads, self.row, partial_sums)
        return _host(partial_sums).sum(dtype=np.float64) / 2

    def _all_finite(self):
        from . import elements

        blocks = min(LAUNCH.blocks, 128)
        found = memory(blocks, np.int32)
        elements.find_non_finite(blocks, LAUNCH.threads, self.row, found)
        return not _host(found).any()

    def __len__(self):
        return self.shape[0]

    def __array__(self, dtype=None, copy=None):
        host = _host(self.data)
        host.flags.writeable = bool(copy)
        return host if dtype is None else host.astype(dtype, copy=False)

    def __getitem__(self, key):
        """Of clips in a row, an array on the device, of the same memory; else of a copy on the host."""
        if isinstance(key, slice) and key.step is None:
            return DeviceArray(self.data[key])
        return np.asarray(self)[key]

    def __setitem__(self, key, value):
        from . import elements

        if key is not Ellipsis:
            host = np.array(self)
            host[key] = value
            self[...] = host
        elif isinstance(value, DeviceArray) and value.shape == self.shape and value.dtype == self.dtype:
            elements.combine.over_elements(
                self.size, value.row, value.row, self.dtype.type(1), self.dtype.type(0), self.row
            )
        elif np.ndim(value) == 0 and not isinstance(value, DeviceArray):
            elements.fill.over_elements(self.size, self.dtype.type(value), self.row)
        elif not _recorded:
            host = np.empty(self.shape, self.dtype)
            host[...] = value
            self.data.copy_to_device(host, stream=stream())
            stream().synchronize()

    def __getattr__(self, name):
        if name.startswith("_") or name == "data":
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if method == "__call__" and not options:
            if ufunc is np.isfinite and self._all_finite():
                return np.broadcast_to(True, self.shape)
            if out is None or out[0] is self:
                result = self._combined(ufunc, inputs, self if out else None)
                if result is not None:
                    return result
        values = getattr(ufunc, method)(*map(_readable, inputs), **options)
        if out is None:
            return values
        out[0][...] = values
        return out[0]

    def _combined(self, ufunc, inputs, out):
        """Sums of two arrays, and an array times a number, computed on the device; None: it is another case."""
        from . import elements

        alike = [a for a in inputs if isinstance(a, DeviceArray) and (a.shape, a.dtype) == (self.shape, self.dtype)]
        numbers = [a for a in inputs if isinstance(a, (int, float, np.floating))]
        one = self.dtype.type
        if ufunc in (np.add, np.subtract) and len(alike) == 2:
            first, second, factors = *alike, (one(1), one(1 if ufunc is np.add else -1))
        elif ufunc is np.multiply and len(alike) == len(numbers) == 1:
            first, second, factors = alike[0], alike[0], (one(numbers[0]), one(0))
        else:
            return None
        out = DeviceArray.empty(self.shape, self.dtype) if out is None else out
        elements.combine.over_elements(self.size, first.row, second.row, *factors, out.row)
        return out

    def __array_function__(self, function, types, arguments, options):
        if function in (np.empty_like, np.zeros_like) and len(arguments) == 1 and not options.keys() - {"dtype"}:
            like = DeviceArray.empty(self.shape, np.dtype(options.get("dtype", self.dtype)))
            if function is np.zeros_like:
                like[...] = 0
            return like
        return function(*map(_readable, arguments), **{name: _readable(value) for name, value in options.items()})

    def __repr__(self):
        return f"DeviceArray({np.asarray(self)!r})"


def _host(data):
    if _recorded:
        return np.zeros(data.shape, data.dtype)
    host = data.copy_to_host(stream=stream())
    stream().synchronize()
    return host


def _is_host(value):
    return isinstance(value, np.ndarray) and value.ndim > 0


def _readable(value):
    if isinstance(value, (list, tuple)):
        return type(value)(map(_readable, value))
    return np.asarray(value) if isinstance(value, DeviceArray) else value


def same_side(arrays, names):
    """Refuse a mixture of arrays on the device and on the host.

    Raises:
        InputError: the arrays on the host are named, with their bytes.
    """
    on_host = [(name, a) for name, a in zip(names, arrays, strict=True) if isinstance(a, np.ndarray)]
    if on_host and len(on_host) < len(arrays):
        which = ", ".join(f"{name} {a.shape} of {a.nbytes:,} bytes" for name, a in on_host)
        raise InputError(
            f"backend cuda: on the host: {which}; the other arrays are on the device: move it there with "
            f"kernels.cuda.to_device, or the others here with numpy.asarray"
        )


def operation(arrays):
    """Decorator: let a function of ``DeviceArray`` take NumPy arrays as well; then its results are NumPy arrays too.

    Args:
        arrays: how many leading arguments are arrays.

    The function raises InputError where some of its arrays are on the host and others on the device.
    """

    def decorate(function):
        names = function.__code__.co_varnames[:arrays]

        @wraps(function)
        def call(*arguments, **options):
            given, rest = arguments[:arrays], arguments[arrays:]
            same_side(given, names[: len(given)])
            if not isinstance(given[0], np.ndarray):
                return function(*given, *rest, **options)
            result = function(*map(to_device, given), *rest, **options)
            return tuple(map(_to_host, result)) if isinstance(result, tuple) else _to_host(result)

        return call

    return decorate


def _to_host(result):
    return np.array(result) if isinstance(result, DeviceArray) else result
