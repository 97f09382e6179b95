"""The one error that stands for a mistake in what the user gave, and how a program ends that meets it.

``kernels`` defines the error, being the floor below.
"""

import sys
from collections.abc import Callable

from kernels.errors import InputError

from .screen import safe, safe_screen

__all__ = ["InputError", "exit_code"]


def exit_code(
    program: str, call: Callable[[], int | None], advice: str = "give fewer or smaller clips at a time"
) -> int:
    """Run ``call`` and turn what can go wrong into one line on the error output; names on the screen are made safe.

    Args:
        program: its name, for the line.
        call: does the work; what it returns is the exit code, None for 0.
        advice: what to do where memory is too small.

    Returns:
        The code of ``call``; 2 for an InputError and for too little memory; 130 after Ctrl-C.
    """
    with safe_screen():
        try:
            return call() or 0
        except InputError as error:
            print(f"{program}: error: {safe(error)}", file=sys.stderr)
            return 2
        except MemoryError:
            print(f"{program}: error: not enough memory; {advice}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            print(f"{program}: stopped", file=sys.stderr)
            return 130
