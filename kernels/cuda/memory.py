"""Memory of the device: got, kept from step to step, refused where there is no room."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import AnyArray
from ..errors import InputError
from .launch import recording
from .target import SIMULATED, cuda, require_device

Memory: TypeAlias = Any
"""A contiguous array in the device's memory, of a type that the package has for it; an ndarray while launches are only
recorded."""

Shape: TypeAlias = int | tuple[int, ...]


def memory(shape: Shape, dtype: DTypeLike) -> Memory:
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


def require() -> None:
    """Refuse to go on without a device, unless launches are only recorded; see ``target.require_device``."""
    if not recording():
        require_device()


def _new_memory(shape: Shape, dtype: DTypeLike) -> Memory:
    if recording():
        return np.empty(shape, dtype)
    require_room(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    return cuda.device_array(shape, dtype)


_kept = threading.local()
"""Of this thread: ``arrays`` that :func:`memory` hands out, and how many it has ``used``."""


@contextmanager
def kept(arrays: list[Memory]) -> Iterator[None]:
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


def require_room(needed: int, what: str = "this array", hint: str = "") -> None:
    """Refuse what does not fit, before anything is started.

    Raises:
        InputError: ``needed`` bytes are more than are free.
    """
    if recording():
        return
    free = free_bytes()
    if needed > free and not SIMULATED:
        # arrays that are no longer used are freed a few at a time
        cuda.current_context().deallocations.clear()
        free = free_bytes()
    if needed > free:
        raise InputError(
            f"backend cuda: {what} needs {needed:,} bytes on the device, {int(free):,} are free{hint and '; ' + hint}"
        )


def free_bytes() -> float:
    """Free memory of the device; infinite on the simulator."""
    require()
    return math.inf if SIMULATED else cuda.current_context().get_memory_info().free


def pinned(shape: Shape, dtype: DTypeLike) -> AnyArray:
    """ndarray on the host, uninitialised, in memory that the device can copy from without the processor."""
    require()
    return np.empty(shape, dtype) if recording() else cuda.pinned_array(shape, dtype)
