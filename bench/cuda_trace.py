"""What the threads of a kernel of ``kernels/cuda`` ask of memory, and how much they compute, without a device.

The kernel's Python function is run thread by thread, on arrays that keep no values but note which cells are touched.
Barriers do nothing, so nothing right is computed; addresses and counts are right all the same, since a kernel here
touches the same cells whatever the values are, but for the choice of one among a few neighbours in a maximum.
"""

import builtins
import math
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

WARP = 32
SECTOR = 32
"""Bytes that memory gives at least."""


@dataclass(frozen=True)
class Request:
    """What the threads of a warp ask for by one instruction at one time.

    Attributes:
        array: name of the argument.
        line: of the source file.
        cells: flat numbers of the cells, one a thread that takes part.
        itemsize: bytes of a cell.
    """

    array: str
    line: int
    cells: tuple
    itemsize: int

    @property
    def sectors(self):
        """How many sectors these cells lie in, where the array begins with one."""
        return len({cell * self.itemsize // SECTOR for cell in self.cells})

    def fewest(self, step=1):
        """The fewest they could lie in, beginning anywhere, if each were ``step`` cells from the next."""
        return math.ceil(step * len(set(self.cells)) * self.itemsize / SECTOR) + 1


@dataclass
class Trace:
    """What some blocks of a launch did.

    Attributes:
        blocks: how many were run.
        operations: additions, subtractions, multiplications and divisions of floats, of all threads.
        requests: list of Request.
        owners: for each array written, cell to the set of ``(block, thread)`` that wrote it.
        readers: the same of reading.
    """

    blocks: int = 0
    operations: int = 0
    requests: list = field(default_factory=list)
    owners: dict = field(default_factory=dict)
    readers: dict = field(default_factory=dict)


def trace(launch, blocks=None):
    """Run some blocks of a launch.

    Args:
        launch: ``kernels.cuda.launch.Launch``.
        blocks: their numbers, a block a task; default all.

    Returns:
        Trace.
    """
    running = _Running(launch)
    for block in range(launch.tasks) if blocks is None else blocks:
        running.block(block)
    return running.trace


class _Running:
    def __init__(self, launch):
        self.launch, self.trace, self.places, self.numbers = launch, Trace(), {}, {}
        self.number = _numbers_of(self.trace)
        self.function = launch.kernel.function
        names = self.function.__code__.co_varnames[: self.function.__code__.co_argcount]
        self.arguments = [self._stand_in(name, value) for name, value in zip(names, launch.arguments, strict=True)]
        columns, rows = launch.threads if isinstance(launch.threads, tuple) else (launch.threads, 1)
        self.size = SimpleNamespace(x=columns, y=rows)

    def _stand_in(self, name, value):
        if isinstance(value, np.ndarray):
            return _Array(self, name, value)
        return self.number(value) if isinstance(value, np.floating) else value

    def block(self, block):
        self.trace.blocks += 1
        self.at, self.cells = block, {}
        self.cuda = self._cuda()
        with _replaced(self.cuda, self._range):
            for thread in range(self.size.y * self.size.x):
                self.warp, self.turns, self.who = thread // WARP, [], (block, thread)
                self.cuda.threadIdx.y, self.cuda.threadIdx.x = divmod(thread, self.size.x)
                self.function(*self.arguments)
        for (array, line, itemsize, *_), cells in self.cells.items():
            self.trace.requests.append(Request(array, line, tuple(cells), itemsize))

    def _cuda(self):
        """What kernels call ``cuda``, for one block."""
        size, tasks = self.size, self.launch.tasks
        thread = SimpleNamespace(x=0, y=0)
        return SimpleNamespace(
            threadIdx=thread,
            blockIdx=SimpleNamespace(x=self.at),
            blockDim=size,
            gridDim=SimpleNamespace(x=tasks),
            grid=lambda axes: self.at * size.x + thread.x,
            gridsize=lambda axes: tasks * size.x,
            shared=SimpleNamespace(array=lambda shape, dtype: _Shared(self)),
            syncthreads=lambda: None,
            syncthreads_or=lambda value: value,
        )

    def _range(self, *limits):
        """``range``, and the number of the turn of every loop that the thread is in."""
        depth = len(self.turns)
        self.turns.append(0)
        for turn, value in enumerate(builtins.range(*limits)):
            self.turns[depth] = turn
            yield value
        del self.turns[depth:]

    def touch(self, array, cell, written):
        """Note an access; those of a warp in the same turns of all loops, by the same instruction, are one request."""
        frame = sys._getframe(2)
        line, instruction, kernel = frame.f_lineno, [], self.function.__code__
        while True:  # up to the kernel: what it calls in two places are two instructions
            code = frame.f_code
            places = self.places.get(id(code)) or self._places(code)  # a code itself is slow to look up
            instruction.append(places[frame.f_lasti // 2])
            if code is kernel:
                break
            frame = frame.f_back
        key = array.name, line, array.itemsize, written, self.warp, tuple(self.turns), tuple(instruction)
        cells = self.cells.get(key)
        if cells is None:
            cells = self.cells[key] = []
        cells.append(cell)
        book = self.trace.owners if written else self.trace.readers
        threads = book.setdefault(array.name, {}).get(cell)
        if threads is None:
            threads = book[array.name][cell] = set()
        threads.add(self.who)

    def _places(self, code):
        """A number for each instruction, the same for those of one place in the source.

        One that the interpreter has adapted may stand elsewhere, but keeps that; both are from Python 3.11 on.
        """
        known = hasattr(code, "co_positions")
        places = code.co_positions() if known else builtins.range(len(code.co_code) // 2)
        numbers = [self.numbers.setdefault((id(code), place), len(self.numbers)) for place in places]
        self.places[id(code)] = numbers
        return numbers


class _Array:
    """Stands for an array in the device's memory: reads 1 of floats and 0 of integers.

    ``start``: the number of its first cell, where it is a part of another.
    """

    def __init__(self, running, name, like, start=0):
        self.running, self.name, self.shape, self.start = running, name, like.shape, start
        self.size, self.itemsize, self.like = like.size, like.itemsize, like
        self.dtype = SimpleNamespace(type=running.number if like.dtype.kind == "f" else int)
        self.read = self.dtype.type(like.dtype.kind == "f")

    def _cell(self, key):
        shape = self.shape
        if len(key) > len(shape):
            raise self._beyond(key)
        cell = 0
        for i, n in zip(key, shape, strict=False):
            if not 0 <= i < n:
                raise self._beyond(key)
            cell = cell * n + int(i)
        for n in shape[len(key) :]:
            cell *= n
        return self.start + cell

    def _beyond(self, key):
        return IndexError(f"{self.running.launch.kernel.name}: {self.name}[{key}] is beyond {self.shape}")

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        if len(key) < len(self.shape):
            return _Array(self.running, self.name, self.like[tuple(map(int, key))], self._cell(key))
        self.running.touch(self, self._cell(key), written=False)
        return self.read

    def __setitem__(self, key, value):
        self.running.touch(self, self._cell(key if isinstance(key, tuple) else (key,)), written=True)


class _Shared:
    """Stands for an array in a block's shared memory."""

    def __init__(self, running):
        self.one, self.dtype = running.number(1), SimpleNamespace(type=running.number)

    def __getitem__(self, key):
        return self.one

    def __setitem__(self, key, value):
        pass


def _numbers_of(trace):
    """A class of floats that count in ``trace`` what is done with them."""

    class Number(float):
        __slots__ = ()

    def counted(compute):
        def method(self, other):
            trace.operations += 1
            return Number(compute(self, float(other)))

        return method

    for name in "add radd sub rsub mul rmul truediv rtruediv".split():
        setattr(Number, f"__{name}__", counted(getattr(float, f"__{name}__")))
    Number.__neg__ = lambda self: -1.0 * self
    return Number


@contextmanager
def _replaced(cuda, loops):
    """Within, the modules of the kernels have another ``cuda`` and ``range``, and what kernels call is plain Python."""
    kept = []
    for name, module in list(sys.modules.items()):
        if name.startswith("kernels.cuda.") and hasattr(module, "cuda"):
            kept.append((module, dict(vars(module))))
            module.cuda, module.range = cuda, loops
            for other, value in kept[-1][1].items():
                if hasattr(value, "py_func"):
                    setattr(module, other, value.py_func)
                elif value is np.uint64 or value is np.int32:  # whole numbers of Python are faster
                    setattr(module, other, int)
    try:
        yield
    finally:
        for module, names in kept:
            del module.range
            vars(module).update(names)
