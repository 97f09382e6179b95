"""A device that is simulated in plain Python: the few names of ``cuda`` that this edition uses, and no more.

The threads of a block are threads of Python of which one runs at a time, to its next barrier; the order is drawn anew
for every stretch between barriers.  So a missing barrier shows whichever of two threads comes too early, and shows
again the next time.  New memory is full of NaN (of zeros where numbers are whole), so that what is read before it is
written shows in the results.  It needs neither a driver nor a compiler, and is very slow.
"""

import random
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..arrays import AnyArray

_turns = random.Random(0)
_launching = threading.Lock()


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

    def copy_to_device(self, host: AnyArray, stream: object = None) -> None:
        """Write the array ``host`` of the same shape here."""
        self.values[...] = host

    def copy_to_host(self, stream: object = None) -> AnyArray:
        """A new array on the host of the same shape."""
        return self.values.copy()


class _Thread(threading.Thread):
    """One thread of a block, which stops at every barrier until it is its turn again."""

    def __init__(self, work: Callable[[], None], place: tuple[int, ...]) -> None:
        super().__init__(daemon=True)
        self.work, self.place = work, place
        self.turn, self.stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.asked = 0
        self.ended = self.given_up = False
        self.error: BaseException | None = None

    def go_on(self) -> None:
        """Run to the next barrier, or to the end, while the caller waits."""
        self.turn.release() if self.ident else self.start()
        self.stopped.acquire()

    def run(self) -> None:
        try:
            self.work()
        except BaseException as error:  # for the caller to raise
            self.error = error
        self.ended = True
        self.stopped.release()

    def wait(self) -> None:
        """A barrier."""
        self.stopped.release()
        self.turn.acquire()
        if self.given_up:
            raise RuntimeError("another thread of the block has failed")


class Kernel:
    """A function that ``kernel[blocks, threads, stream, shared](*arguments)`` runs, block after block."""

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function

    def __getitem__(self, sizes: tuple[Any, ...]) -> Callable[..., None]:
        blocks, threads, _, shared = sizes
        columns, rows = threads if isinstance(threads, tuple) else (threads, 1)

        def launch(*arguments: Any) -> None:
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
        self._of_block: list[Any] = []
        self._shared_bytes = 0
        self._now: Any = None

    def run_block(self, work: Callable[[], None], shared_bytes: int) -> None:
        """Run ``work`` as every thread of a block; an error of one thread ends the block."""
        threads = [_Thread(work, place) for place in np.ndindex(self.blockDim.y, self.blockDim.x)]
        self._of_block, self._shared_bytes = [], shared_bytes
        while threads:
            _turns.shuffle(threads)
            for thread in threads:
                self._now = thread
                self.threadIdx.y, self.threadIdx.x = thread.place
                thread.go_on()
            failed = [thread.error for thread in threads if thread.error]
            threads = [thread for thread in threads if not thread.ended]
            for thread in threads if failed else ():
                thread.given_up = True
                thread.go_on()
            if failed:
                raise failed[0]

    def _once_a_block(self, make: Callable[[], Any]) -> Any:
        """What ``make`` returns to the first thread that asks; threads ask for the same things in the same order."""
        if self._now.asked == len(self._of_block):
            self._of_block.append(make())
        self._now.asked += 1
        return self._of_block[self._now.asked - 1]

    def _shared_array(self, shape: Any, dtype: Any) -> AnyArray:
        """Shared memory of the block; of shape 0, what the launch asks for."""
        dtype = np.dtype(dtype)
        return self._once_a_block(lambda: _unwritten(shape or self._shared_bytes // dtype.itemsize, dtype))

    def syncthreads(self) -> None:
        self._now.wait()

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
        return Memory(_unwritten(shape, np.dtype(dtype)))

    def pinned_array(self, shape: Any, dtype: Any) -> AnyArray:
        return np.empty(shape, dtype)

    def stream(self) -> Any:
        return SimpleNamespace(synchronize=lambda: None)

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


cuda = Cuda()
