"""The one error that stands for a mistake in what the user gave, and the line that says what is done otherwise."""

import sys
from contextlib import suppress
from functools import cache


class InputError(ValueError):
    """Something given from outside does not fit; the message says in one line what, where, and what to do."""


@cache
def note_once(words: str) -> None:
    """Say on the error output, once in a process, what is done in another way than usual, and why."""
    with suppress(AttributeError, OSError, ValueError, RuntimeError):  # it may be closed, or written to just now
        sys.stderr.write(f"note: {words}\n")
