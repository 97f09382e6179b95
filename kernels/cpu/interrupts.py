"""Ctrl-C while a kernel is compiled: it is heard when the kernel is done.

The compiler calls Python from within, where an exception is lost, or leaves the compiler in a state that ends the
process.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any

from ..errors import note_once

HELD_BACK = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
"""The signals that a program may answer by an exception."""


@contextmanager
def held_back() -> Iterator[None]:
    """Within, a signal that Python would answer waits; at the second one of its kind, it is answered at once."""
    if threading.current_thread() is not threading.main_thread():  # only there does Python answer signals
        yield
        return
    answers = {number: signal.getsignal(number) for number in HELD_BACK}
    waiting = []

    def note(number: int, frame: FrameType | None) -> None:
        waiting.append(number)
        signal.signal(number, answers[number])
        note_once("a kernel is being compiled; what was asked for is done after that, or at once if asked again")

    mine = [number for number, answer in answers.items() if callable(answer) and getattr(answer, "held", None) is None]
    note.held = True  # type: ignore[attr-defined]
    for number in mine:
        signal.signal(number, note)
    try:
        yield
    finally:
        for number in mine:
            if signal.getsignal(number) is note:
                signal.signal(number, answers[number])
        for number in waiting:
            signal.raise_signal(number)


def whole(compile_it: Callable[..., Any]) -> Callable[..., Any]:
    """A function that compiles, with signals :func:`held_back`."""

    @wraps(compile_it)
    def compiled(*arguments: Any) -> Any:
        with held_back():
            return compile_it(*arguments)

    return compiled
