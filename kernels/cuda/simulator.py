"""A device that is simulated in plain Python: the few names of ``cuda`` that this edition uses, and no more.

The threads of a block are threads of Python of which one runs at a time, to its next barrier; the order is drawn anew
for every stretch between barriers.  So a missing barrier shows whichever of two threads comes too early, and shows
again the next time.  New memory is full of NaN (of zeros where numbers are whole), so that what is read before it is
written shows in the results.  It needs neither a driver nor a compiler, and is very slow.

:data:`counts` says how often what was done; :data:`driver` stands for the driver's functions that ``graph.py`` calls.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..arrays import AnyArray

_turns = random.Random(0)
_launching = threading.Lock()

counts: Counter[str] = Counter()
"""Since it was last cleared: ``launches`` by the host, ``graphs`` launched, copies ``up`` and ``down`` and their bytes,
``synchronisations`` and ``allocations``."""


class Stream:
    """A stream, whose work is done at once; while it is captured, launches and copies of pinned memory wait in a list.

    Attributes:
        captured: that list, or None.
        thread: the one that captures.
    """

    def __init__(self) -> None:
        self.captured: list[Callable[[], None]] | None = None
        self.thread = 0
        _streams.append(self)

    def __int__(self) -> int:
        return 1 + _streams.index(self)

    def synchronize(self) -> None:
        """Nothing to wait for, but counted."""
        _outside_of_a_capture("a synchronisation")
        _count("synchronisations")


_streams: list[Stream] = []
_pinned: set[int] = set()
_counting = threading.Lock()


def _count(what: str, how_many: int = 1) -> None:
    with _counting:
        counts[what] += how_many


def _outside_of_a_capture(what: str) -> None:
    if any(stream.captured is not None and stream.thread == threading.get_ident() for stream in _streams):
        raise RuntimeError(f"{what} while launches are captured")


class Memory:
    """Stands for an array in the device's memory, which the host cannot touch; kernels are given its ``values``."""

    def __init__(self, values: AnyArray) -> None:
        self.values = values
        self.shape, self.dtype, self.size, self.nbytes = values.shape, values.dtype, values.size, values.nbytes

    def reshape(self, *shape: Any) -> "Memory":
        """The same memory under another shape."""
        return Memory(self.values.reshape(*shape))

    def __getitem__(self, key: slice) -> "Memory":
        return Memory(self.values[key])

    @property
    def device_ctypes_pointer(self) -> Any:
        """The address, as ``value``."""
        return SimpleNamespace(value=self.values.ctypes.data)

    def copy_to_device(self, host: AnyArray, stream: Any = None) -> None:
        """Write the array ``host`` of the same shape here."""
        self._copy("up", host, self.values, host, stream)

    def copy_to_host(self, host: AnyArray | None = None, stream: Any = None) -> AnyArray:
        """The array ``host``, or a new one, of the same shape with what stands here."""
        host = np.empty(self.shape, self.dtype) if host is None else host
        self._copy("down", self.values, host, host, stream)
        return host

    def _copy(self, way: str, source: AnyArray, target: AnyArray, host: AnyArray, stream: Any) -> None:
        def copy() -> None:
            _count(way)
            _count(f"bytes {way}", self.nbytes)
            target[...] = source

        if stream is not None and stream.captured is not None and host.ctypes.data in _pinned:
            stream.captured.append(copy)
        else:
            _outside_of_a_capture("a copy")
            copy()


class _Thread(threading.Thread):
    """One thread of a block, which stops at every barrier until it is its turn again."""

    def __init__(self, block: "_Block", place: tuple[int, ...]) -> None:
        super().__init__(daemon=True)
        self.block, self.place, self.turn = block, place, threading.Lock()
        self.turn.acquire()
        self.asked = 0
        self.ended = False
        self.error: BaseException | None = None

    def go_on(self) -> None:
        """Run to the next barrier, or to the end, where this thread hands the turn on."""
        self.turn.release() if self.ident else self.start()

    def run(self) -> None:
        try:
            self.block.work()
        except BaseException as error:  # for who waits for the block to raise
            self.error = error
        self.ended = True
        if not self.block.given_up:
            self.block.hand_on()

    def wait(self) -> None:
        """A barrier."""
        self.block.hand_on()
        self.turn.acquire()
        if self.block.given_up:
            raise RuntimeError("another thread of the block has failed")


class _Block:
    """The threads of a block, which hand the turn from one to the next: a change of threads is what takes longest here.

    Attributes:
        work: what every thread does.
        now: the thread whose turn it is.
        made: what all threads share, in the order in which each asks for it.
        shared_bytes: of the memory whose size the launch says.
        given_up: whether those who wait at a barrier are to end, as another thread has failed.
    """

    def __init__(self, work: Callable[[], None], shape: tuple[int, int], shared_bytes: int) -> None:
        self.work, self.shared_bytes, self.given_up = work, shared_bytes, False
        self.made: list[Any] = []
        self._threads = [_Thread(self, place) for place in np.ndindex(*shape)]
        self._coming: list[_Thread] = []
        self._failed: list[BaseException] = []
        self._over = threading.Lock()

    def run(self) -> None:
        """Run all threads to their ends; an error of one ends the block."""
        self._over.acquire()
        self.hand_on()
        self._over.acquire()
        self.given_up = True
        for thread in self._threads:
            thread.go_on()
            thread.join()
        if self._failed:
            raise self._failed[0]

    def hand_on(self) -> None:
        """Let the next thread go on; after the last, the first of another order, or who waits for the block."""
        if not self._coming:
            self._failed = [thread.error for thread in self._threads if thread.error]
            self._threads = [thread for thread in self._threads if not thread.ended]
            if self._failed or not self._threads:
                self._over.release()
                return
            _turns.shuffle(self._threads)
            self._coming = self._threads[::-1]
        self.now = self._coming.pop()
        cuda.threadIdx.y, cuda.threadIdx.x = self.now.place
        self.now.go_on()


class Kernel:
    """A function that ``kernel[blocks, threads, stream, shared](*arguments)`` runs, block after block."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function

    def __getitem__(self, sizes: tuple[Any, ...]) -> Callable[..., None]:
        blocks, threads, stream, shared = sizes
        columns, rows = threads if isinstance(threads, tuple) else (threads, 1)

        def launch(*arguments: Any) -> None:
            _count("launches")
            if stream.captured is None:
                run(*arguments)
            else:
                stream.captured.append(lambda: run(*arguments))

        def run(*arguments: Any) -> None:
            given = [each.values if isinstance(each, Memory) else each for each in arguments]
            with _launching:
                cuda.gridDim.x, cuda.blockDim.x, cuda.blockDim.y = blocks, columns, rows
                for block in range(blocks):
                    cuda.blockIdx.x = block
                    cuda.run_block(lambda: self.function(*given), shared)

        return launch


class Cuda:
    """What kernels and the host call ``cuda``; ``threadIdx`` and its like are those of the thread whose turn it is."""

    def __init__(self) -> None:
        self.threadIdx, self.blockIdx, self.blockDim, self.gridDim = (SimpleNamespace(x=0, y=0) for _ in range(4))
        self.shared = SimpleNamespace(array=self._shared_array)
        self._block: Any = None

    def run_block(self, work: Callable[[], None], shared_bytes: int) -> None:
        """Run ``work`` as every thread of a block; an error of one thread ends the block."""
        self._block = _Block(work, (self.blockDim.y, self.blockDim.x), shared_bytes)
        self._block.run()

    def _once_a_block(self, make: Callable[[], Any]) -> Any:
        """What ``make`` returns to the first thread that asks; threads ask for the same things in the same order."""
        made, thread = self._block.made, self._block.now
        if thread.asked == len(made):
            made.append(make())
        thread.asked += 1
        return made[thread.asked - 1]

    def _shared_array(self, shape: Any, dtype: Any) -> AnyArray:
        """Shared memory of the block; of shape 0, what the launch asks for."""
        dtype = np.dtype(dtype)
        return self._once_a_block(lambda: _unwritten(shape or self._block.shared_bytes // dtype.itemsize, dtype))

    def syncthreads(self) -> None:
        self._block.now.wait()

    def syncthreads_or(self, value: int) -> int:
        """A barrier that tells every thread whether ``value`` was true of any."""
        values = self._once_a_block(list)
        values.append(value)
        self.syncthreads()
        return int(any(values))

    def grid(self, axes: int) -> int:
        return self.blockIdx.x * self.blockDim.x + self.threadIdx.x

    def gridsize(self, axes: int) -> int:
        return self.gridDim.x * self.blockDim.x

    def device_array(self, shape: Any, dtype: Any) -> Memory:
        _outside_of_a_capture("memory is got")
        _count("allocations")
        return Memory(_unwritten(shape, np.dtype(dtype)))

    def pinned_array(self, shape: Any, dtype: Any) -> AnyArray:
        host: AnyArray = np.empty(shape, dtype)
        _pinned.add(host.ctypes.data)
        return host

    def stream(self) -> Any:
        return Stream()

    def current_context(self) -> None:
        pass

    @contextmanager
    def defer_cleanup(self) -> Iterator[None]:
        yield

    def event(self) -> Any:
        return SimpleNamespace(record=lambda stream: None)

    def is_available(self) -> bool:
        return True

    def jit(self, function: Any = None, device: bool = False) -> Any:
        """A kernel of ``function``; what kernels call, ``device`` functions, stays as it is."""
        if function is None:
            return lambda function: self.jit(function, device)
        return function if device else Kernel(function)


def _unwritten(shape: Any, dtype: "np.dtype[Any]") -> AnyArray:
    return np.full(shape, np.nan if dtype.kind == "f" else 0, dtype)


class Code(IntEnum):
    """What a function of the driver returns first."""

    CUDA_SUCCESS = 0
    CUDA_ERROR_INVALID_VALUE = 1


class CaptureMode(IntEnum):
    """How a capture bears other work."""

    CU_STREAM_CAPTURE_MODE_RELAXED = 2


class Handle(int):
    """The driver's name for something; each kind of thing has a kind of handle."""


class StreamHandle(Handle):
    """Of a stream."""


class GraphHandle(Handle):
    """Of a graph as it was captured."""


class ExecutableHandle(Handle):
    """Of a graph that can be launched."""


class Driver:
    """The functions for graphs under the driver's names, with its answers: ``(code, *values)``.

    Attributes:
        graphs, executables: what there is, by its handle.
    """

    CUstream, CUstreamCaptureMode = StreamHandle, CaptureMode

    def __init__(self) -> None:
        self.graphs: dict[int, list[Callable[[], None]]] = {}
        self.executables: dict[int, list[Callable[[], None]]] = {}
        self._handles = iter(range(1, 1 << 62))

    def cuStreamBeginCapture(self, stream: StreamHandle, mode: CaptureMode) -> tuple[Code]:
        _require(stream, StreamHandle)
        _require(mode, CaptureMode)
        if _streams[stream - 1].captured is not None:
            return (Code.CUDA_ERROR_INVALID_VALUE,)
        _streams[stream - 1].captured, _streams[stream - 1].thread = [], threading.get_ident()
        return (Code.CUDA_SUCCESS,)

    def cuStreamEndCapture(self, stream: StreamHandle) -> tuple[Code, GraphHandle]:
        _require(stream, StreamHandle)
        captured, _streams[stream - 1].captured = _streams[stream - 1].captured, None
        if captured is None:
            return Code.CUDA_ERROR_INVALID_VALUE, GraphHandle(0)
        handle = GraphHandle(next(self._handles))
        self.graphs[handle] = captured
        return Code.CUDA_SUCCESS, handle

    def cuGraphInstantiate(self, graph: GraphHandle, flags: int) -> tuple[Code, ExecutableHandle]:
        _require(graph, GraphHandle)
        handle = ExecutableHandle(next(self._handles))
        self.executables[handle] = self.graphs[graph]
        return Code.CUDA_SUCCESS, handle

    def cuGraphLaunch(self, executable: ExecutableHandle, stream: StreamHandle) -> tuple[Code]:
        _require(executable, ExecutableHandle)
        _require(stream, StreamHandle)
        _outside_of_a_capture("a graph is launched")
        _count("graphs")
        for run in self.executables[executable]:
            run()
        return (Code.CUDA_SUCCESS,)

    def cuGraphDestroy(self, graph: GraphHandle) -> tuple[Code]:
        _require(graph, GraphHandle)
        del self.graphs[graph]
        return (Code.CUDA_SUCCESS,)

    def cuGraphExecDestroy(self, executable: ExecutableHandle) -> tuple[Code]:
        _require(executable, ExecutableHandle)
        del self.executables[executable]
        return (Code.CUDA_SUCCESS,)


def _require(value: object, kind: type) -> None:
    """The bindings take nothing else, either."""
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {kind.__name__}")


cuda = Cuda()
driver = Driver()
