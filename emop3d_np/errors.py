"""The one error that stands for a mistake in what the user gave, and how a program ends that meets it.

``kernels`` defines the error, being the floor below.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from kernels.errors import InputError

from .screen import safe, safe_screen

__all__ = ["InputError", "Lasting", "exit_code"]


class Lasting:
    """A text stream to which writing never fails: what nobody takes any more is dropped.

    Args:
        stream: what is written to, with lines flushed.
        when_it_fails: called once, when it first fails; default: nothing is.

    Attributes:
        failed: the error of the stream, once it has one; None before.
    """

    def __init__(self, stream: Any, when_it_fails: Callable[[], None] = lambda: None) -> None:
        self.failed: Exception | None = None
        self._stream, self._when_it_fails = stream, when_it_fails

    def write(self, text: str) -> int:
        """Write, as a stream does."""
        self._try(lambda: self._stream.write(text))
        if "\n" in text:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Flush, as a stream does."""
        self._try(self._stream.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _try(self, call: Callable[[], Any]) -> None:
        if self.failed:
            return
        try:
            call()
        except RuntimeError:
            pass  # a signal came in the middle of a write, and its handler writes, too
        except (OSError, ValueError) as error:
            self.failed = error
            self._when_it_fails()


def exit_code(
    program: str, call: Callable[[], int | None], advice: str = "give fewer or smaller clips at a time"
) -> int:
    """Run ``call`` and turn what can go wrong into one line on the error output; names on the screen are made safe.

    Nothing depends on whether the error output can be written; of characters that a terminal does not have, their
    numbers are shown.

    Args:
        program: its name, for the line.
        call: does the work; what it returns is the exit code, None for 0.
        advice: what to do where memory is too small.

    Returns:
        The code of ``call``, and 0 where the reader of the output has seen enough of it; 2 for an InputError, for too
        little memory, and for what cannot be read or written; 130 after Ctrl-C, SIGTERM, or a closed terminal.
    """
    _open_streams()
    before = sys.stderr
    sys.stderr = lasting = Lasting(before)
    try:
        with safe_screen(), _ended_as_by_ctrl_c():
            code = call() or 0
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # whoever read the output has seen enough
        return 0
    except InputError as error:
        words, code = f"error: {safe(error)}", 2
    except MemoryError:
        words, code = f"error: not enough memory; {advice}", 2
    except OSError as error:
        words, code = f"error: {safe(error)}", 2
    except KeyboardInterrupt:
        words, code = "stopped", 130
    finally:
        sys.stderr = before
        _forget_output()
    print(f"{program}: {words}", file=lasting)
    return code


@contextmanager
def _ended_as_by_ctrl_c() -> Iterator[None]:
    """Within, SIGTERM and a terminal that is closed do what Ctrl-C does: what is half written does not stay."""
    names = ("SIGTERM", "SIGHUP") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    mine = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]  # not what nohup has ignored
    for number in mine:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def _open_streams() -> None:
    """See to it that there is a standard output and an error output, whatever the program was started with."""
    for number, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened would be the output of every library that prints.
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    with suppress(AttributeError):  # a stream of a notebook or a test
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _forget_output() -> None:
    """Drop what the standard output still holds and cannot get rid of, so that the end of the program is quiet."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
