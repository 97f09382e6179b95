"""Clips in several .npy files, for sets that are larger than one file, or one machine's memory, should be.

A folder of parts holds ``part-00000.npy``, ``part-00001.npy`` and so on, each of shape (m, d, h, w, c), and
``parts.json``, which says what they are.  The clips of the set are those of all parts, one part after the other.  In a
prepared folder it stands in the place of ``Training.npy``, and is called ``Training``.
"""

import hashlib
import json
import math
import os
import re
import secrets
import shutil
import stat
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import accumulate, chain, islice
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from kernels.arrays import AnyArray

from .. import files
from ..errors import InputError
from ..reading import is_whole, numbers_header, read_json, reading, require, short

INDEX = "parts.json"
"""The file that says what the parts are; it is written last."""

FOLDER = "Training"
"""Name of a folder of parts in a prepared folder."""

FORMAT = 1
"""Number of the form of ``parts.json``; it counts up when a reader of before would take it wrongly."""

MOST = 100_000
"""Parts of a set, at most."""

OPEN = 64
"""Parts that a set keeps open at a time, at most: systems allow a process 256 to 1024 files."""

ENDS = 1 << 16
"""Bytes at the beginning and at the end of a part that its digest is of: 64 kilobytes each."""

NAME = re.compile(r"part-\d{5}\.npy")
"""How a part is called, with its number from 0."""

UNFINISHED = f"{files.UNFINISHED}.parts"
"""How the name of a folder ends whose parts are being written."""

LONGEST = 1 << 30
"""Frames, rows, columns or channels that no clip has."""


class PartedClips:
    """The clips of a folder of parts, read from disk one at a time: what stands for an array of shape (n, d, h, w, c).

    Nothing is kept in memory but a few numbers per part, and at most :data:`OPEN` of the files are open at a time.
    Clips are read, not mapped: pages of a mapped file count as memory of the process until it is closed, and where it
    is made shorter, the system ends the process.  At the start, sizes are compared with those in ``parts.json``; the
    header and the digest of a part are looked at when it is first used.  Threads may share it.

    Args:
        folder: the folder of parts.
        flag: what it is called in messages; default "clips".

    Attributes:
        shape: ``(n, d, h, w, c)``.
        dtype: of the clips, which is one for all parts.

    Raises:
        InputError: a part is missing, of another size, or not listed; or ``parts.json`` is missing or damaged.
    """

    ndim = 5

    def __init__(self, folder: str | Path, flag: str = "clips") -> None:
        self._folder, self._flag = Path(folder), flag
        where = f"{flag} {self._folder / INDEX}"
        self.dtype, clip_shape, listed = _read_index(self._folder, where)
        self._digests = [each["ends"] for each in listed]
        self._states = [self._state(number, each["bytes"]) for number, each in enumerate(listed)]
        others = sorted(set(_part_names(self._folder)) - {part_name(number) for number in range(len(listed))})
        if others:
            raise InputError(f"{flag} {self._folder / others[0]}: is not listed in {INDEX}; {_AGAIN}")
        self._first = list(accumulate((each["clips"] for each in listed), initial=0))
        self.shape: tuple[int, ...] = (self._first[-1], *clip_shape)
        self._clip_bytes = math.prod(clip_shape) * self.dtype.itemsize
        self._places = np.array(self._first)
        self._starts: dict[int, int] = {}  # where the clips begin in each part that was used
        self._open: dict[int, int] = {}  # descriptors by number of the part, the one last used at the end
        self._lock = threading.Lock()
        weakref.finalize(self, _close, self._open)

    @property
    def size(self) -> int:
        """Numbers in all clips together."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all clips together."""
        return self.shape[0] * self._clip_bytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, row: int) -> AnyArray:
        """Clip ``row``, an array of shape (d, h, w, c), which is not to be written to.

        Raises:
            IndexError: there is none.
            InputError: its part cannot be read, is damaged, or is not the one that was there at the start.
        """
        row = int(row)
        if not 0 <= row < len(self):
            raise IndexError(f"clip {row} of {len(self)}")
        number = self._part_of(row)
        content = self._read(number, (row - self._first[number]) * self._clip_bytes, self._clip_bytes)
        return np.frombuffer(content, self.dtype).reshape(self.shape[1:])

    def read_bytes(self, start: int, count: int) -> Iterator[bytes]:
        """Bytes ``start ... start + count - 1`` of all clips one after the other, a piece per clip."""
        end = start + count
        while start < end:
            row, offset = divmod(start, self._clip_bytes)
            number = self._part_of(row)
            taken = min(end - start, self._clip_bytes - offset)
            yield self._read(number, (row - self._first[number]) * self._clip_bytes + offset, taken)
            start += taken

    def _part_of(self, row: int) -> int:
        return int(np.searchsorted(self._places, row, side="right")) - 1

    def _where(self, number: int) -> str:
        return f"{self._flag} {self._folder / part_name(number)}"

    def _state(self, number: int, size: int) -> tuple[int, int]:
        """What a part is told from a changed one by; it must have ``size`` bytes."""
        where = self._where(number)
        with reading(where, missing=f"{where}: there is no such file; {INDEX} lists it"):
            state = os.stat(self._folder / part_name(number))
        if not stat.S_ISREG(state.st_mode):
            raise InputError(f"{where}: is no file, but a folder, a pipe, a socket or a device")
        if state.st_size != size:
            raise InputError(f"{where}: has {state.st_size:,} bytes, {INDEX} says {size:,}; {_AGAIN}")
        return _told_by(state)

    def _read(self, number: int, offset: int, count: int) -> bytes:
        """``count`` bytes of the clips of a part, ``offset`` after their beginning."""
        where = self._where(number)
        missing = f"{where}: there is no such file any more; the set needs all its parts until the end"
        with self._lock, reading(where, missing=missing):
            file = self._descriptor(number)
            content = _pread(file, count, self._starts[number] + offset)
            self._require_unchanged(file, number)
        if len(content) != count:
            raise InputError(f"{where}: cannot be read: it ended after {len(content):,} bytes of a clip of {count:,}")
        return content

    def _descriptor(self, number: int) -> int:
        """The open file of a part; where too many are open, the one not used for the longest time is closed."""
        file = self._open.pop(number, None)
        if file is None:
            while len(self._open) >= OPEN:
                os.close(self._open.pop(next(iter(self._open))))
            file = os.open(self._folder / part_name(number), _READ)
            try:
                self._require_unchanged(file, number)
                if number not in self._starts:
                    self._starts[number] = self._begin(file, number)
            except BaseException:
                os.close(file)
                raise
        self._open[number] = file
        return file

    def _require_unchanged(self, file: int, number: int) -> None:
        if _told_by(os.fstat(file)) != self._states[number]:
            raise InputError(
                f"{self._where(number)}: has been written to, or replaced, since the set was opened; put new clips "
                f"into another folder"
            )

    def _begin(self, file: int, number: int) -> int:
        """Look at a part that is used for the first time; returns where its clips begin."""
        where, size = self._where(number), self._states[number][0]
        with open(file, "rb", closefd=False) as opened:
            shape, fortran, dtype = numbers_header(opened, size, where)
            start = opened.tell()
            _require_alike(where, (shape[1:], dtype), (self.shape[1:], self.dtype), INDEX)
            count = self._first[number + 1] - self._first[number]
            if shape[0] != count:
                raise InputError(f"{where}: holds {shape[0]} clips, {INDEX} says {count}; {_AGAIN}")
            _require_order(where, shape, fortran)
            if _ends(opened, size) != self._digests[number]:
                raise InputError(f"{where}: is not the part that {INDEX} lists: its bytes differ; {_AGAIN}")
        return start


Clips: TypeAlias = AnyArray | PartedClips
"""Where the clips of a set are: an array of shape (n, d, h, w, c), in memory or mapped, or a folder of parts."""

_AGAIN = f"after a change to the parts, emop3d_np.datasets.parts.index writes {INDEX} anew"

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""How a part is opened; a pipe that has come in its place is not waited for."""


def part_name(number: int) -> str:
    """What a part is called; numbers are from 0."""
    return f"part-{number:05}.npy"


def is_parted(path: str | Path) -> bool:
    """Whether there is a folder of parts at ``path``, a whole one or not."""
    return any(os.path.exists(os.path.join(path, name)) for name in (INDEX, part_name(0)))


def of_prepared(folder: str | Path, flag: str = "clips") -> Path:
    """Where the clips of a prepared folder are: its ``Training.npy``, or its folder of parts.

    Raises:
        InputError: it has both.
    """
    one, several = Path(folder) / f"{FOLDER}.npy", Path(folder) / FOLDER
    if is_parted(several) and one.exists():
        raise InputError(
            f"{flag} {folder}: holds both {one.name} and the folder {FOLDER}; remove what is not its clips"
        )
    return several if is_parted(several) else one


# --- Writing.


def write(folder: str | Path, clips: Iterable[AnyArray], clips_per_file: int) -> None:
    """Write clips into a folder of parts, which takes its place when it is whole.

    Args:
        folder: where; a folder of parts that is there is replaced.
        clips: arrays of one shape (d, h, w, c) and one dtype; an array (n, d, h, w, c) serves, a mapped one, too.
        clips_per_file: at least 1; the last part may have fewer.

    Raises:
        InputError: there is something else at ``folder``, it cannot be written, there is no clip, or they differ in
            shape or dtype.
    """
    with files.writing(folder), beside(folder) as place:
        write_into(place, clips, clips_per_file)


@contextmanager
def beside(folder: str | Path) -> Iterator[Path]:
    """A new folder to write parts to (:func:`write_into`), which takes the place of ``folder`` at the end.

    Raises:
        InputError: there is something else than a folder of parts in that place.
        OSError: it cannot be written.
    """
    folder = Path(os.path.realpath(folder))
    require_own(folder)
    unfinished = folder.with_name(f".{os.getpid()}-{secrets.token_hex(3)}{UNFINISHED}")
    try:
        unfinished.mkdir()
        yield unfinished
        remove(folder)
        os.replace(unfinished, folder)
        with suppress(OSError):  # some systems and file systems cannot say of a folder that it is on disk
            files.sync(folder.parent)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def write_into(folder: Path, clips: Iterable[AnyArray], clips_per_file: int) -> None:
    """Write clips into an empty folder; arguments and errors as of :func:`write`, and OSError."""
    if not is_whole(clips_per_file, 1):
        raise InputError(f"clips_per_file is {clips_per_file}; it must be a whole number of at least 1")
    waiting = iter(clips)
    like = None
    for number, first in enumerate(waiting):
        if number == MOST:
            raise InputError(f"more than {MOST:,} parts; put more than {clips_per_file} clips into each")
        like = np.asarray(first) if like is None else like
        with files.beside(folder / part_name(number)) as unfinished, open(unfinished, "wb") as file:
            own = chain([first], islice(waiting, clips_per_file - 1))
            write_npy(file, own, like, number * clips_per_file)
    if like is None:
        raise InputError("there are no clips to write")
    index(folder)


def write_npy(file: IO[bytes], clips: Iterable[AnyArray], like: AnyArray | None = None, first: int = 0) -> None:
    """Write an .npy of clips (n, d, h, w, c) that come one at a time; nobody need know how many there will be.

    Args:
        file: open for writing, and empty.
        clips: at least one.
        like: what has the shape and dtype that they must have; default the first of them.
        first: number of the first one, for messages; default 0.

    Raises:
        InputError: one has another shape or dtype.
    """
    waiting = iter(clips)
    one = np.asarray(next(waiting))
    like = one if like is None else like

    def write_header(count: int) -> None:  # equally long for any count, so that the end can write the right one
        header = {"descr": np.lib.format.dtype_to_descr(like.dtype), "fortran_order": False}
        np.lib.format.write_array_header_1_0(file, header | {"shape": (count, *like.shape)})

    write_header(0)
    count = 0
    for clip in map(np.asarray, chain([one], waiting)):
        _require_alike(f"clip {first + count}", (clip.shape, clip.dtype), (like.shape, like.dtype), "clip 0")
        file.write(np.ascontiguousarray(clip).data)
        count += 1
    file.seek(0)
    write_header(count)


def index(folder: str | Path) -> None:
    """Write ``parts.json`` of the parts in a folder, however they came there.

    Args:
        folder: holds ``part-00000.npy``, ``part-00001.npy`` and so on, each (m, d, h, w, c), as ``numpy.save`` writes
            them; m may be 0.

    Raises:
        InputError: a number is left out, a part is no such .npy, their shapes or dtypes differ, they hold no clips, or
            ``parts.json`` cannot be written.
    """
    folder = Path(folder)
    with reading(str(folder), missing=f"{folder}: there is no such folder"):
        names = _part_names(folder)
    wanted = [part_name(number) for number in range(len(names))]
    missing = next((name for name in wanted if name not in names), None if names else part_name(0))
    if missing:
        raise InputError(f"{folder / missing}: there is no such file; parts are numbered from 0, none left out")
    kind = None
    listed: list[dict[str, Any]] = []
    for name in wanted:
        where = str(folder / name)
        with reading(where):
            state = os.stat(folder / name)
            if not stat.S_ISREG(state.st_mode):
                raise InputError(f"{where}: is no file, but a folder, a pipe, a socket or a device")
            with open(folder / name, "rb") as file:
                shape, fortran, dtype = numbers_header(file, state.st_size, where)
                if len(shape) != 5:
                    raise InputError(f"{where}: has shape {shape}; clips have 5 axes: (n, d, h, w, c)")
                kind = kind or (shape[1:], dtype)
                _require_alike(where, (shape[1:], dtype), kind, wanted[0])
                _require_order(where, shape, fortran)
                listed.append({"clips": shape[0], "bytes": state.st_size, "ends": _ends(file, state.st_size)})
    assert kind  # there is a part
    if not (sum(each["clips"] for each in listed) and math.prod(kind[0])):
        raise InputError(f"{folder}: its parts hold no clips")
    described = {"format": FORMAT, "dtype": kind[1].str, "clip_shape": list(kind[0])}
    rows = ",\n  ".join(map(json.dumps, listed))
    files.write_text(folder / INDEX, f'{json.dumps(described)[:-1]}, "parts": [\n  {rows}\n]}}\n')


def remove(folder: str | Path) -> None:
    """Remove a folder of parts, its ``parts.json`` first; where there is nothing, nothing is done.

    Raises:
        InputError: there is something else than a folder of parts.
        OSError: it cannot be removed.
    """
    folder = Path(os.path.realpath(folder))
    require_own(folder)
    if folder.is_dir():
        for name in (INDEX, *reversed(_part_names(folder))):  # the first one last: until then, it is known for parts
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def remove_unfinished(folder: str | Path) -> None:
    """Remove what writers of parts that were killed left in ``folder``; only its one writer may do so."""
    for path in Path(folder).glob(f".*{UNFINISHED}"):
        shutil.rmtree(path, ignore_errors=True)


def require_own(folder: Path) -> None:
    """Refuse a place where there is something else than a folder of parts.

    Raises:
        InputError: there is.
    """
    if not os.path.lexists(folder):
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder of parts; give another place")
    others = sorted(name for name in os.listdir(folder) if name != INDEX and not NAME.fullmatch(name))
    if others:
        raise InputError(f"{folder}: is no folder of parts, it holds {short(others[0])}; give another place")


# --- Reading.


def _read_index(folder: Path, where: str) -> tuple[np.dtype[Any], tuple[int, ...], list[dict[str, Any]]]:
    """What ``parts.json`` says: the dtype, ``(d, h, w, c)``, and of each part ``clips``, ``bytes`` and ``ends``."""
    if not (folder / INDEX).exists():
        raise InputError(
            f"{where}: there is no such file; once all parts are there, "
            f"emop3d_np.datasets.parts.index({str(folder)!r}) writes it"
        )
    values: dict[str, Any] = {"dtype": None, "clip_shape": None, "parts": None} | read_json(folder / INDEX, where)
    require(values.get("format") == FORMAT, where, "format", values.get("format"), f"; this version reads {FORMAT}")
    name, sides, listed = values["dtype"], values["clip_shape"], values["parts"]
    require(isinstance(name, str) and bool(re.fullmatch(r"[<>|][fiu][1248]", name)), where, "dtype", name)
    with reading(where, damaged=f"{where}: dtype is {name!r}, which cannot be"):
        dtype = np.dtype(name)
    fits = isinstance(sides, list) and len(sides) == 4 and all(is_whole(side, 1, LONGEST) for side in sides)
    require(fits, where, "clip_shape", sides)
    require(isinstance(listed, list) and 1 <= len(listed) <= MOST, where, "parts", listed)
    clip_bytes = math.prod(sides) * dtype.itemsize
    for number, each in enumerate(listed):
        require(
            isinstance(each, Mapping) and _could_be(each, clip_bytes), where, part_name(number), each, f"; {_AGAIN}"
        )
    require(any(each["clips"] for each in listed), where, "parts", listed, ": they hold no clips")
    return dtype, tuple(sides), listed


def _could_be(part: Mapping[str, Any], clip_bytes: int) -> bool:
    """Whether an entry of ``parts.json`` fits clips of so many bytes."""
    clips, size, ends = (part.get(name) for name in ("clips", "bytes", "ends"))
    return is_whole(clips) and is_whole(size, int(clips or 0) * clip_bytes) and isinstance(ends, str)


def _part_names(folder: Path) -> list[str]:
    return sorted(name for name in os.listdir(folder) if NAME.fullmatch(name))


def _require_alike(where: str, found: tuple[Any, Any], wanted: tuple[Any, Any], whose: str) -> None:
    """Refuse what has not the ``(d, h, w, c), dtype`` that ``whose`` clips have."""
    if found != wanted:
        raise InputError(
            f"{where}: has (d, h, w, c) = {found[0]} and dtype {found[1].str}, {whose} has {wanted[0]} and "
            f"{wanted[1].str}; all clips of a set are of one shape and dtype"
        )


def _require_order(where: str, shape: tuple[int, ...], fortran: bool) -> None:
    """Refuse clips that are not stored one after the other."""
    if fortran and shape[0]:
        raise InputError(
            f"{where}: is stored in Fortran's order, where clips do not lie one after the other; save it with "
            f"numpy.save(path, numpy.ascontiguousarray(clips))"
        )


def _ends(file: IO[bytes], size: int) -> str:
    """SHA-256 of the first and the last :data:`ENDS` bytes of an open file of ``size`` bytes."""
    digest = hashlib.sha256()
    for start in (0, max(size - ENDS, 0)):
        file.seek(start)
        digest.update(file.read(ENDS))
    return digest.hexdigest()


def _told_by(state: os.stat_result) -> tuple[int, int]:
    """Size and time: numbers of files and of disks are others after a network's file system was away for a while."""
    return state.st_size, state.st_mtime_ns


def _pread(file: int, count: int, start: int) -> bytes:
    """``count`` bytes of an open file from ``start`` on; fewer where it ends."""
    pieces = []
    while count:
        if hasattr(os, "pread"):  # which leaves alone where a forked process reads
            piece = os.pread(file, count, start)
        else:
            os.lseek(file, start, os.SEEK_SET)
            piece = os.read(file, count)
        if not piece:
            break
        pieces.append(piece)
        start, count = start + len(piece), count - len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _close(descriptors: dict[int, int]) -> None:
    for file in descriptors.values():
        os.close(file)
    descriptors.clear()
