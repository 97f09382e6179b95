"""One writer to a folder at a time.

The lock is the system's (``flock``) on a file in the folder, so it ends with its process, however that ends; the file
may stay behind, and says nothing by itself.
"""

import errno
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError
from .files import NO_LINK, remove_unfinished

NAME = ".writer"
"""The file that is locked; it says who has the folder."""

PATIENCE = 1.0
"""Seconds to wait for a writer that is about to end: after a kill its helpers take a moment to follow it."""

_held: dict[tuple[str, int], int] = {}
"""How often each thread of this process has taken each folder."""


class Busy(InputError):
    """Another one writes to a folder."""


@contextmanager
def one_of_several_writers(folder: str | Path) -> Iterator[None]:
    """Write to ``folder`` beside others that do so by this function, each its own files; none is its only writer.

    Raises:
        Busy: somebody is its only writer.
        InputError: it cannot be written.
    """
    file = _taken(folder, folder, alone=False)
    try:
        yield
    finally:
        if file is not None:
            os.close(file)  # which the others still lock


@contextmanager
def only_writer(folder: str | Path, called: str | Path | None = None) -> Iterator[None]:
    """Be the one process, and the one thread of it, that writes to ``folder``; it is made where it does not exist.

    A thread may take a folder again that it has.  What killed writers left unfinished in the folder is removed.

    Args:
        folder: the folder.
        called: what it is called in messages; default its path.

    Raises:
        Busy: another one has it, which is named.
        InputError: it cannot be written.
    """
    key = os.path.realpath(folder), threading.get_ident()
    if key in _held:
        _held[key] += 1
        try:
            yield
        finally:
            _held[key] -= 1
        return
    file = _taken(folder, called or folder)
    _held[key] = 1
    try:
        remove_unfinished(folder)
        yield
    finally:
        del _held[key]
        if file is not None:
            with suppress(OSError):  # it may be gone, with its folder
                os.remove(Path(folder) / NAME)
            os.close(file)


def _taken(folder: str | Path, called: str | Path, alone: bool = True) -> int | None:
    """As :func:`_take`, of a folder that is made where it does not exist; raises InputError if it cannot be written."""
    try:
        os.makedirs(folder, exist_ok=True)
        return _take(Path(folder), called, alone)
    except OSError as error:
        raise InputError(f"{called}: cannot be written: {error.strerror or error}") from None


def _take(folder: Path, called: str | Path, alone: bool) -> int | None:
    """Lock the folder's file; returns its descriptor, or None where the file system has no locks."""
    path, waited_until = folder / NAME, time.monotonic() + PATIENCE
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT | NO_LINK, 0o666)
        try:
            _lock(file, alone)
            # The last writer may have removed the file between our opening and locking it.
            if os.path.exists(path) and os.path.samestat(os.fstat(file), os.stat(path)):
                with suppress(OSError):  # on a full disk, it is a lock all the same
                    os.ftruncate(file, 0)
                    os.write(file, _who().encode())
                return file
        except BlockingIOError:
            if time.monotonic() > waited_until:
                who = os.read(file, 400).decode(errors="replace").strip() or "another process"
                os.close(file)
                raise Busy(
                    f"{called}: is being written by {who}; wait until it has ended, or give another folder"
                ) from None
            time.sleep(0.05)
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
                os.close(file)
                raise
            print(f"{called}: its file system has no locks; see to it that nothing else writes there", file=sys.stderr)
            os.close(file)
            return None
        os.close(file)


def _who() -> str:
    return f"process {os.getpid()} on {socket.gethostname()}, since {time.strftime('%Y-%m-%d %H:%M:%S')}\n"


def _lock(file: int, alone: bool) -> None:
    """Lock an open file for this process: ``alone``, or beside others that lock it so, where the system has that.

    Raises:
        BlockingIOError: another one has it.
        OSError: it cannot be locked.
    """
    if os.name == "nt":
        import msvcrt

        if not alone:
            return
        os.lseek(file, 1 << 30, os.SEEK_SET)  # a byte far behind the text, since what is locked there cannot be read
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError as error:
            raise BlockingIOError(*error.args) from None
        finally:
            os.lseek(file, 0, os.SEEK_SET)
        return
    import fcntl

    fcntl.flock(file, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
