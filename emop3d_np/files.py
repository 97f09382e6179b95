"""How files are written: whole or not at all, never over an input, and with a plain word where a place cannot be
written to; who may write where, :mod:`.locks` says."""

import errno
import json
import math
import os
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from .errors import InputError

READ_IN_FOLDERS = (
    *("Training.npy", "labels.npy", "classes.txt", "index.csv", "record.json", "parts.json", "Training/parts.json"),
    *(
        "settings.json",
        "history.jsonl",
        "tests.jsonl",
        "answers.csv",
        "answers.sha256",
        "data.json",
        "folds.json",
        "sweep.json",
    ),
)
"""Names of the files that commands read in the folder of a run, of folds, of a sweep, or of prepared clips."""

READ_PATTERNS = ("*.ckpt*", "part-*.npy", "Training/part-*.npy")
"""The same of those that have many names: checkpoints, and clips in parts."""

NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Flag of ``os.open`` by which a link is refused, where the system has it."""

UNFINISHED = ".unfinished"
"""What stands in the name of a file that is being written, ``.1234-5f0e9a.unfinished.png``."""


@contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Around what writes to a place that the user gave: raises InputError, with the reason, if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


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
    with beside(path) as unfinished, open(unfinished, "wb") as file:
        write(file)


@contextmanager
def beside(path: str | Path, prefix: str = "") -> Iterator[Path]:
    """Path of a new file in the folder of ``path``, which takes the place of ``path`` at the end, when it is on disk.

    No other process has the same; its ending is that of ``path``.  If anything is raised, it is removed, and what was
    at ``path`` stays.

    Args:
        path: where the file goes.
        prefix: of the new file's name; such a file is made at once, and locked until it is in place, so that
            :func:`_remove_abandoned` tells it from what a killed process left.  Default "", it is not made.

    Raises:
        OSError: it cannot be put there.
    """
    path = Path(path)
    unfinished = path.with_name(f".{prefix}{os.getpid()}-{secrets.token_hex(3)}{UNFINISHED}{path.suffix}")
    with ExitStack() as stack:
        if prefix:
            stack.callback(os.close, _locked(unfinished))
        yield from _then_in_place(unfinished, path)


def _then_in_place(unfinished: Path, path: Path) -> Iterator[Path]:
    try:
        yield unfinished
        put_in_place(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.remove(unfinished)
        raise


def put_in_place(unfinished: str | Path, path: str | Path) -> None:
    """Rename a file that is complete, so that a loss of power leaves the old one or the new one, whole.

    Raises:
        OSError: it cannot be renamed.
    """
    sync(unfinished)
    os.replace(unfinished, path)
    # The name is only on disk when the folder is; some systems and file systems cannot say so of a folder.
    with suppress(OSError):
        sync(Path(path).parent)


def _locked(path: Path) -> int:
    """Make a file and lock it, where the system has locks; returns its descriptor."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    with suppress(OSError, ImportError):
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove files of :func:`beside` with this ``prefix`` that nobody has locked: those who wrote them were killed."""
    with suppress(OSError, ImportError):
        import fcntl

        for name in os.listdir(folder):
            if not (name.startswith(f".{prefix}") and UNFINISHED in name):
                continue
            with suppress(OSError):  # another process has it
                handle = os.open(folder / name, os.O_RDONLY | NO_LINK)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.remove(folder / name)
                finally:
                    os.close(handle)


def remove_unfinished(folder: str | Path) -> None:
    """Remove what writers that were killed left in ``folder``; only its one writer may do so (:mod:`.locks`)."""
    for path in Path(folder).glob(f".*{UNFINISHED}*"):
        with suppress(OSError):
            path.unlink()


@contextmanager
def output(path: str | os.PathLike[str]) -> Iterator[Path]:
    """As :func:`outcome`, where nothing but the writing of ``path`` is inside.

    Raises:
        InputError: it cannot be written; what was there is still there.
    """
    with writing(path), outcome(path) as place:
        yield place


@contextmanager
def outcome(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Around what makes an output that the user named: gives the path to write to.

    That is a file beside it, which is put in place at the end; of a link, what it points to is written.  Where there
    is a device or a pipe, like ``/dev/stdout``, it is written to directly.

    Raises:
        InputError: it is a folder.
        OSError: it cannot be put in place; what was there is still there.
    """
    place = Path(os.path.realpath(path))
    if place.is_dir():
        raise InputError(f"{path} cannot be written: it is a folder")
    if place.exists() and not place.is_file():
        yield Path(path)
    else:
        prefix = f"{place.name[:40]}-"
        _remove_abandoned(place.parent, prefix)
        with beside(place, prefix) as unfinished:
            yield unfinished


def require_apart(outputs: Mapping[str, str | Path | None], inputs: Iterable[str | Path | None]) -> None:
    """Refuse to write over what is read, or twice to one place.

    Files are compared by identity, so links and other spellings of a path are seen through; where a file does not
    exist yet, by where it would be.  Devices and pipes may be both.

    Args:
        outputs: paths by what the user calls them, ``--json`` for example; None stands for one that was not asked for.
        inputs: files and folders that are read, None among them; a folder stands for what commands read in it
            (:data:`READ_IN_FOLDERS`, :data:`READ_PATTERNS`).

    Raises:
        InputError: an output is an input, or another output.
    """
    read = {_identity(file) for path in inputs if path is not None for file in _files_of(Path(path))}
    seen: dict[Any, str] = {}
    for name, path in outputs.items():
        identity = None if path is None else _identity(Path(path))
        if identity is None:
            continue
        if identity in read:
            raise InputError(f"{name} {path}: is a file that is read, and would be overwritten; give another name")
        if identity in seen:
            raise InputError(f"{name} {path}: is the file of {seen[identity]}, too; give another name")
        seen[identity] = name


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [each for pattern in READ_PATTERNS for each in path.glob(pattern) if each.is_file()]
    return [path / name for name in READ_IN_FOLDERS] + found


def _identity(path: Path) -> Any:
    """What paths of one file have in common: its number, or where it would be; None of what is no plain file."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return os.path.realpath(path)
    return (state.st_dev, state.st_ino) if stat.S_ISREG(state.st_mode) else None


def require_file(path: str | os.PathLike[str], where: str | None = None) -> None:
    """Raises InputError if ``path``, called ``where`` in the message, is a pipe or a device, which may never end."""
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise InputError(f"{where or path}: is no file but a pipe, a socket or a device; save what it gives in a file")


def taken_for_flag(arguments: Sequence[str]) -> str:
    """A word to an error, where one of the ``arguments`` is a file whose name begins like a flag; empty otherwise."""
    names = [each for each in arguments if each.startswith("-") and each != "--" and os.path.exists(each)]
    return f"; the file {names[0]} is taken for a flag: write ./{names[0]}" if names else ""


def open_to_append(path: str | Path) -> IO[str]:
    """Open a text file to add to it, or make it; where a link stands instead, as in somebody else's folder, nothing is.

    Raises:
        OSError: it cannot be opened, or is a link.
    """
    return open(path, "a", encoding="utf-8", opener=lambda name, how: os.open(name, how | NO_LINK, 0o666))


def sync_open(file: IO[Any]) -> None:
    """Wait until what was written to an open file is on disk, if the file is one on disk."""
    try:
        os.fsync(file.fileno())
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise


def sync(path: str | Path) -> None:
    """Wait until a file or a folder is on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
