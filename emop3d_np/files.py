"""How files are written: whole or not at all, and with a plain word where a place cannot be written to."""

import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .errors import InputError


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Around what writes to a place that the user gave: raises InputError, with the reason, if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None


def write_text(path: str | Path, text: str) -> None:
    """Write a file whole or not at all.

    Raises:
        InputError: it cannot be written.
    """
    with writing(path):
        write_atomically(path, lambda file: file.write(text.encode()))


def as_json(value: Any, indent: int | None = None) -> str:
    """Plain values as JSON that every reader takes: NaN and infinities, which JSON does not have, become null."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: _finite(inner) for name, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def write_atomically(path: str | Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Let ``write(file)`` fill a new binary file, and put it in the place of ``path`` only when it is on disk.

    Several processes may write the same ``path`` at a time; the last one's stays.

    Raises:
        OSError: it cannot be written; what was at ``path`` is still there.
    """
    unfinished = f"{path}.{os.getpid()}.unfinished"
    try:
        with open(unfinished, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.remove(unfinished)
        raise
