"""Compiled kernels on disk: found again, never older than their sources, and whole, or else compiled anew.

Numba looks for edits in a kernel's own file only, not in what that file imports, so the folder is named by a digest of
all kernels' sources: an edit to any of them is never missed.

Numba trusts its files.  Here each begins with a digest of what follows, and holds the signature that it is for: one
that a crash, a full disk or another process left in part counts as missing.  Whatever is wrong with the files or their
folder, the kernels compile.
"""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache
from numba.misc.appdirs import AppDirs

from ..errors import note_once


def _folder() -> str | None:
    """Under NUMBA_CACHE_DIR where it is set, else beside the sources, else in the user's cache; where one can write."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256(f"{numba.__version__} {llvmlite.__version__}".encode())
    for source in sorted(package.rglob("*.py")):
        digest.update(str(source.relative_to(package)).encode() + source.read_bytes())
    for root in filter(None, (numba.config.CACHE_DIR, package / "__pycache__", AppDirs("numba", False).user_cache_dir)):
        folder = Path(root) / f"emop3d-{digest.hexdigest()[:16]}"
        try:
            os.makedirs(folder, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
            return str(folder)
        except OSError:
            continue
    note_once(
        "there is no folder to keep compiled kernels in, so that every start compiles them, for up to a minute; "
        "set NUMBA_CACHE_DIR to one that can be written to"
    )
    return None


CACHE_FOLDER = None if numba.config.DISABLE_JIT else _folder()


class _Files(IndexDataCacheFile):
    """The files of one kernel: an index, and one for each signature."""

    def load(self, key: Any) -> Any:
        """What was saved for ``key``, or None."""
        kept_for, found = super().load(key) or (None, None)
        return found if kept_for == key else None  # two processes at once may give two signatures one file

    def save(self, key: Any, data: Any) -> None:
        """Keep ``data`` for ``key``.

        Raises:
            OSError: it cannot be written.
        """
        super().save(key, (key, data))

    def _load_index(self):
        try:
            stamp, signatures = self._load(self._index_path)
        except OSError:
            return {}
        return signatures if stamp == self._source_stamp else {}

    def _save_index(self, overloads):
        self._save(self._index_path, (self._source_stamp, overloads))

    def _load_data(self, name):
        return self._load(self._data_path(name))

    def _save_data(self, name, data):
        self._save(self._data_path(name), data)

    def _load(self, path):
        """What a file holds; raises OSError where it is missing or not whole."""
        content = Path(path).read_bytes()
        size = hashlib.sha256().digest_size
        if hashlib.sha256(content[size:]).digest() != content[:size]:
            note_once(f"compiled kernels in {self._cache_path} are damaged; they are compiled anew")
            raise OSError(f"{path} is damaged")
        return pickle.loads(content[size:])

    def _save(self, path, value):
        pickled = self._dump(value)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(pickled).digest() + pickled)


class _Cache(FunctionCache):
    """The files of one kernel, as Numba asks for them; no error of theirs keeps the kernel from being compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel compiled for a signature, or None."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:
            self._say("read", error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the kernel compiled for a signature, if that can be."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            self._say("kept", error)

    def _say(self, what, error):
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        note_once(f"compiled kernels in {CACHE_FOLDER} cannot be {what} ({reason}); they are compiled anew")


def cache_of(function: Callable[..., Any]) -> Any:
    """Where Numba keeps what it compiles of a function."""
    if CACHE_FOLDER is None:
        return NullCache()
    # Numba takes the folder from its configuration; other packages keep theirs.
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = CACHE_FOLDER
    try:
        return _Cache(function)
    finally:
        numba.config.CACHE_DIR = before
