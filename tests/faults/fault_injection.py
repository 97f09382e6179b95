"""Every call that changes something on disk, counted, and at one of them a fault.

:func:`install` puts a counting function around those calls of Python by which files are made, written, put on disk,
renamed and removed: ``open`` for writing and the ``write`` of what it gives, and the functions of ``os`` in
:data:`CALLS`.  Only those count that touch a file below one folder.  The count is kept in a file, so that a command and
the processes that it starts count together.  What a C library writes by itself, a video, is seen when it is put in
place.
"""

import builtins
import fcntl
import io
import os
import signal
import threading
from dataclasses import asdict, dataclass
from errno import EACCES, EIO, ENOSPC
from pathlib import Path

CALLS = ("mkdir", "replace", "rename", "remove", "unlink", "rmdir", "symlink", "link", "truncate")
"""Functions of ``os`` whose first argument is a path."""

OF_DESCRIPTORS = ("write", "fsync", "ftruncate")
"""Functions of ``os`` whose first argument is an open file."""

REMOVALS = {"remove", "unlink", "rmdir"}
"""Calls that succeed on a full disk."""

ERRORS = {"ENOSPC": ENOSPC, "EACCES": EACCES, "EIO": EIO, "full": ENOSPC}
"""What a fault raises: by each name but "full" once, by that one from then on."""

ENVIRONMENT = "EMOP3D_TESTS_FAULT"
"""Environment variable that holds a :class:`Plan` for processes started anew; see ``site/sitecustomize.py``."""


@dataclass
class Plan:
    """What is to happen.

    Attributes:
        folder: files below it count.
        state: a folder elsewhere, where the calls are counted (``count``) and named (``calls``).
        kind: "kill", SIGKILL to the process that calls; "kill-main", to the command's own process; or one of
            :data:`ERRORS`; default none.
        at: number of the call, from 1, at which it happens.  A write is half done then.
        main: the command's own process.
    """

    folder: str
    state: str
    kind: str = ""
    at: int = 0
    main: int = 0

    def __str__(self) -> str:
        return "\n".join(map(str, asdict(self).values()))

    @classmethod
    def read(cls, text):
        folder, state, kind, at, main = text.split("\n")
        return cls(folder, state, kind, int(at), int(main))


_plan: Plan | None = None
_lock = threading.RLock()
_original = {name: getattr(os, name) for name in (*CALLS, *OF_DESCRIPTORS, "open")} | {"builtin": builtins.open}


def install(plan):
    """Count from now on, in this process and in those that it forks."""
    global _plan  # noqa: PLW0603
    _plan = plan
    plan.folder = os.path.realpath(plan.folder)
    for name in CALLS:
        setattr(os, name, _of_path(name))
    for name in OF_DESCRIPTORS:
        setattr(os, name, _of_descriptor(name))
    os.open = _os_open
    builtins.open = io.open = _open


def install_from_environment():
    """In a process that was started anew: do what :data:`ENVIRONMENT` says."""
    text = os.environ.get(ENVIRONMENT)
    if text:
        plan = Plan.read(text)
        plan.main = plan.main or os.getpid()
        os.environ[ENVIRONMENT] = str(plan)
        install(plan)


def _call(what, path, torn=lambda: None):
    """Count a call, if it is of a file below the folder, and let happen what is planned; ``torn`` does half of it."""
    try:
        path = os.path.realpath(path)
    except (TypeError, ValueError):
        return
    if not (path + os.sep).startswith(_plan.folder + os.sep):
        return
    with _lock:
        number = _next(f"{what} {os.path.relpath(path, _plan.folder)}")
        full = _plan.kind == "full"
        if (number >= _plan.at and what not in REMOVALS) if full else number == _plan.at:
            if _plan.kind in ERRORS:
                torn()
                raise OSError(ERRORS[_plan.kind], os.strerror(ERRORS[_plan.kind]), path)
            if _plan.kind == "kill":
                torn()
                os.kill(os.getpid(), signal.SIGKILL)
            elif _plan.kind == "kill-main":
                os.kill(_plan.main, signal.SIGKILL)


def _next(words):
    """The number of this call among those of all processes."""
    handle = _original["open"](os.path.join(_plan.state, "count"), os.O_RDWR | os.O_CREAT)
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX)
        number = int(os.pread(handle, 20, 0) or 0) + 1
        os.pwrite(handle, str(number).encode(), 0)
        calls = _original["open"](os.path.join(_plan.state, "calls"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        _original["write"](calls, f"{os.getpid()} {words}\n".encode(errors="replace"))
        os.close(calls)
        return number
    finally:
        os.close(handle)  # which unlocks it


def _of_path(name):
    def call(path, *more, **named):
        if not isinstance(path, int) and "dir_fd" not in named:
            _call(name, path)
        return _original[name](path, *more, **named)

    return call


def _of_descriptor(name):
    def call(file, *more):
        number = file if isinstance(file, int) else file.fileno()
        half = (lambda: _original["write"](number, more[0][: len(more[0]) // 2])) if name == "write" else lambda: None
        _call(name, _path_of(number), half)
        return None if name == "fsync" else _original[name](file, *more)  # the disk is not waited for

    return call


def _path_of(number):
    try:
        path = os.readlink(f"/proc/self/fd/{number}")
    except OSError:
        return None
    return path if os.path.isabs(path) else None  # of a pipe, its number


def _os_open(path, flags, *more, **named):
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC) and "dir_fd" not in named:
        _call("open", path)
    return _original["open"](path, flags, *more, **named)


def _open(file, mode="r", *more, **named):
    if not set(mode) & set("wax+") or isinstance(file, int):
        return _original["builtin"](file, mode, *more, **named)
    _call("open", file)
    opened = _original["builtin"](file, mode, *more, **named)
    return Watched(opened, os.path.realpath(file))


class Watched:
    """A file whose writes count; writes of one kind to one file, one after the other, count three times at most."""

    MOST = 3

    def __init__(self, file, path):
        self._file, self._path, self._writes = file, path, 0

    def write(self, content):
        self._writes += 1
        if self._writes <= self.MOST:
            _call("file.write", self._path, lambda: self._half(content))
        elif _plan.kind == "full" and _count() >= _plan.at:
            raise OSError(ENOSPC, os.strerror(ENOSPC), self._path)
        return self._file.write(content)

    def _half(self, content):
        part = content[: len(content) // 2] if isinstance(content, str) else bytes(content)[: len(bytes(content)) // 2]
        self._file.write(part)
        self._file.flush()

    def __getattr__(self, name):
        return getattr(self._file, name)

    def __iter__(self):
        return iter(self._file)

    def __enter__(self):
        self._file.__enter__()
        return self

    def __exit__(self, *what):
        return self._file.__exit__(*what)


def _count():
    path = Path(_plan.state) / "count"
    return int(path.read_bytes() or 0) if path.exists() else 0
