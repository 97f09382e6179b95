"""Kernels and their launches: how many threads and blocks, on which stream, or only listed where there is no device."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .target import SIMULATED, capability, cuda, jit, require_device

LAUNCH = SimpleNamespace(
    threads=2 if SIMULATED else 256,
    block=(2, 1) if SIMULATED else (32, 8),
    blocks=2 if SIMULATED else 65_536,
    sums=2 if SIMULATED else 128,
)
"""Sizes of a launch: threads of a block that works on elements in a row; columns and rows of threads of a block that
works on planes, neighbours in a warp being neighbours along ``w``; the most blocks; and the blocks of a sum
over a whole array, each of which leaves a number to the host.

Every kernel strides over its tasks, so that any sizes are right.  The simulator takes turns, so it gets few threads.
"""

STRIP = 8 if SIMULATED else 32
"""Threads of a block that is one warp: ``strips.py`` says what for."""

MANY = 16
"""From so many clips on, a strip does more in a row; below, there would be too few strips."""

MOST_THREADS = 1024
"""Threads of a block that any device of today allows; ``device_functions.block_sum`` has room for so many."""

MOST_SHARED = 49_152
"""Bytes of shared memory that a block may ask for on any device."""


class Launch(NamedTuple):
    """One launch, as :func:`recorded` lists it."""

    kernel: "Kernel"
    tasks: int
    threads: int | tuple[int, int]
    shared_bytes: int
    arguments: tuple[Any, ...]


class Kernel:
    """A function that the compiler makes a kernel of, for the types it is launched with.

    Attributes:
        function: the Python function.
        writes: names of the arguments it writes; those in neither list it only reads.
        updates: names of the arguments it reads and writes.
        registers: the most a thread may have on the newer devices; None leaves it to the compiler.
    """

    def __init__(
        self,
        function: Callable[..., None],
        writes: tuple[str, ...],
        updates: tuple[str, ...] = (),
        registers: int | None = None,
    ) -> None:
        self.function, self.writes, self.updates, self.registers = function, writes, updates, registers
        self.name = function.__name__.lstrip("_")
        self.compiled = jit(function, registers=self.most_registers(capability()))

    def most_registers(self, cc: tuple[int, int]) -> int | None:
        """The most a thread may have on a device of compute capability ``cc``; older ones would have to spill."""
        return self.registers if cc >= (9, 0) else None

    def __call__(self, tasks: int, threads: int | tuple[int, int], *arguments: Any, shared: int = 0) -> None:
        """Launch on :func:`stream`.

        Args:
            tasks: what the blocks stride over, one block per task as far as blocks go.
            threads: of a block, or its columns and rows.
            arguments: of the kernel.
            shared: bytes of shared memory per block.
        """
        if shared > MOST_SHARED:
            raise InputError(
                f"backend cuda: {self.name} needs {shared:,} bytes of shared memory a block for clips and windows of "
                f"this width, a device has {MOST_SHARED:,}; use backend cpu, or smaller windows or strides"
            )
        if recording():
            _recorded[-1].append(Launch(self, tasks, threads, shared, arguments))
        else:
            self._require_device(arguments)
            blocks = max(1, min(tasks, LAUNCH.blocks))
            self.compiled[blocks, threads, stream(), shared](*arguments)

    def _require_device(self, arguments: tuple[Any, ...]) -> None:
        # the package would copy such an array there and back, at every launch
        names = self.function.__code__.co_varnames[: len(arguments)]
        on_host = [
            f"{name} {a.shape} of {a.nbytes:,} bytes" for name, a in zip(names, arguments, strict=True) if _is_host(a)
        ]
        if on_host:
            raise InputError(
                f"backend cuda: {self.name} works on arrays on the device, and on the host are: {'; '.join(on_host)}; "
                f"kernels.cuda.to_device moves them"
            )

    def over_elements(self, size: int, *arguments: Any) -> None:
        """Launch over ``size`` elements in a row."""
        self(-(-size // LAUNCH.threads), LAUNCH.threads, *arguments)

    def over_tiles(self, planes: int, rows: int, columns: int, *arguments: Any, shared: int = 0) -> None:
        """Launch over ``planes`` of ``rows`` by ``columns`` each, cut into tiles of one element per thread."""
        self(
            planes * -(-rows // LAUNCH.block[1]) * -(-columns // LAUNCH.block[0]),
            LAUNCH.block,
            *arguments,
            shared=shared,
        )


def kernel(*writes: str, updates: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Kernel]:
    """Decorator: the function below becomes a :class:`Kernel` that writes the arguments named."""
    return lambda function: Kernel(function, writes, updates)


class ShapedKernel:
    """A kernel that is compiled for the sizes of one network: addresses and loops are known beforehand.

    Attributes:
        name: of the kernel.
        made: the kernels that there are, by their sizes.
    """

    def __init__(
        self, make: Callable[..., Callable[..., None]], writes: tuple[str, ...], registers: int | None
    ) -> None:
        self.make, self.writes, self.registers, self.name = make, writes, registers, make.__name__
        self.made: dict[tuple[int, ...], Kernel] = {}

    def of(self, *sizes: int) -> Kernel:
        """The kernel for ``sizes``, the arguments of the function that makes it."""
        if sizes not in self.made:
            self.made[sizes] = Kernel(self.make(*sizes), self.writes, registers=self.registers)
        return self.made[sizes]


def shaped_kernel(
    *writes: str, registers: int | None = None
) -> Callable[[Callable[..., Callable[..., None]]], ShapedKernel]:
    """Decorator: the function below takes sizes and returns a kernel of its own name, see :class:`ShapedKernel`."""
    return lambda make: ShapedKernel(make, writes, registers)


def inline(function: Callable[..., Any]) -> Any:
    """Decorator: kernels may call the function below."""
    return jit(function, device=True)


def _is_host(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim > 0


@cache
def stream() -> Any:
    """The stream that all kernels run on.  It is not the default one, which would wait for copies of other threads."""
    return cuda.stream()


def finish() -> None:
    """Wait until all that was launched is done."""
    if not recording():
        require_device()
        stream().synchronize()


_recorded: list[list[Launch]] = []
"""The list of launches that is being made, if any."""


@contextmanager
def recorded() -> Iterator[list[Launch]]:
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


def recording() -> bool:
    """Whether :func:`recorded` lists the launches just now."""
    return bool(_recorded)
