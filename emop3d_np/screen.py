"""What is printed never moves the cursor or changes the screen, whatever names and paths hold."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
_DIRECTIONS = [0x061C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]  # and separators of lines
_HALVES = range(0xD800, 0xE000)  # what stands for the bytes of a name that is not UTF-8
_ESCAPES = {code: ascii(chr(code))[1:-1] for code in (*_CONTROLS, *_DIRECTIONS, *_HALVES)}
_ESCAPES_BUT_LAYOUT = {code: escape for code, escape in _ESCAPES.items() if chr(code) not in "\n\t"}


def safe(text: object) -> str:
    """A text in one line, its control characters written as Python writes them: the escape character as ``\\x1b``."""
    return str(text).translate(_ESCAPES)


class _Screen:
    """A stream that writes control characters as :func:`safe` does, but for what lays out lines.

    A progress bar begins with a carriage return, and moves up by a text that does nothing else.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text``; returns how many characters it has."""
        if text.replace("\x1b[A", ""):
            inner = text.strip("\r")
            start = text.index(inner) if inner else len(text)
            text = text[:start] + inner.translate(_ESCAPES_BUT_LAYOUT) + text[start + len(inner) :]
        self._stream.write(text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def safe_screen() -> Iterator[None]:
    """Within, all that is printed is written as :class:`_Screen` says."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (stream and _Screen(stream) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
