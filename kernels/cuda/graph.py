"""CUDA graphs: launches that are captured once and then launched together, which costs the host as much as one of them.

A launch from Python takes longer than most kernels of this edition.  A graph keeps what the launches were given, the
addresses of their arrays and their numbers: it may be launched again as long as those arrays are there.  Copies from
and to pinned memory may be part of it.

The package cuda-bindings, which numba-cuda-mlir and numba-cuda bring along, reaches the driver's functions.  Where it
is missing, or where capturing fails, everything is launched one by one as before, and :data:`failures` says why.
"""

import threading
import weakref
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any, Generic, TypeVar

from . import launch, simulator
from .target import SIMULATED, cuda

Result = TypeVar("Result")

ENABLED = True
"""Whether anything is captured, and what was captured launched; False launches kernel by kernel, to compare the two."""

failures: list[str] = []
"""Why nothing is captured any longer, in the driver's words: one line, or none."""


_thread = threading.local()
"""Of each thread: whether it is ``ready``."""


class _Refused(Exception):
    """The driver has not done what it was asked for."""


class Graph(Generic[Result]):
    """Launches that can be repeated together.

    Args:
        executable: the driver's handle.
        result: what the captured function returned, arrays that every launch of the graph writes anew.

    Attributes:
        result: as given.
    """

    def __init__(self, executable: Any, result: Result) -> None:
        self._executable, self.result = executable, result
        # when the process ends, the driver clears up by itself
        weakref.finalize(self, _driver().cuGraphExecDestroy, executable).atexit = False

    def launch(self) -> bool:
        """Launch on ``launch.stream``; returns whether the driver did, which otherwise is never asked again."""
        if not getattr(_thread, "ready", False):
            cuda.current_context()  # made that of this thread, which may never have launched anything before
            _thread.ready = True
        try:
            _call("cuGraphLaunch", self._executable, _stream())
        except _Refused as error:
            _note(error)
            return False
        return True


def usable() -> bool:
    """Whether launches can be captured: there is a driver for it, it has not failed, and nobody switched it off."""
    return ENABLED and not failures and not launch.recording() and _driver() is not None


def capture(work: Callable[[], Result]) -> "Graph[Result] | None":
    """Capture what a function launches on ``launch.stream``; nothing of it runs before the graph is launched.

    Args:
        work: function without arguments that only launches, and copies from and to pinned memory: it waits for nothing
            and gets no memory.  Its kernels have been launched before, with arguments of these types: to load one
            cannot be captured.

    Returns:
        The graph, or None where it could not be made; then :data:`failures` says why.
    """
    try:
        # in this mode memory may be got and freed meanwhile, by other threads too, which fetch the next batch
        _call("cuStreamBeginCapture", _stream(), _driver().CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED)
        try:
            with cuda.defer_cleanup():  # frees nothing meanwhile
                result = work()
        finally:
            captured = _call("cuStreamEndCapture", _stream())
        try:
            return Graph(_call("cuGraphInstantiate", captured, 0), result)
        finally:
            _call("cuGraphDestroy", captured)
    except Exception as error:  # whatever it is, launching one by one comes next, and raises it again if it must
        _note(error)
        return None


def _note(error: Exception) -> None:
    failures[:] = [str(error) if isinstance(error, _Refused) else f"{type(error).__name__}: {error}"]


@cache
def _driver() -> Any:
    """The driver's functions by their names in C, which return ``(code, *values)``; None without cuda-bindings."""
    if SIMULATED:
        return simulator.driver
    try:
        return import_module("cuda.bindings.driver")
    except ImportError:
        return None


def _stream() -> Any:
    """Handle of the stream that all kernels run on."""
    return _driver().CUstream(int(launch.stream()))


def _call(name: str, *arguments: Any) -> Any:
    """The value that a function of the driver returns beside its code; a code other than success is an error."""
    code, *values = getattr(_driver(), name)(*arguments)
    if int(code):
        raise _Refused(f"{name} returns {getattr(code, 'name', code)}")
    return values[0] if values else None
