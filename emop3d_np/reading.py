"""How files are read back: whatever is wrong with one becomes a line that names it, and no size is believed unchecked.

What a file says of its own size (a header's shape, an archive's directory) is compared with the size of the file before
any memory is taken.  Text is UTF-8, with or without a byte order mark.
"""

import csv
import io
import json
import math
import os
import sys
import unicodedata
import zipfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from kernels.arrays import AnyArray

from . import memory
from .errors import InputError
from .files import require_file

MOST_NAMES = 1 << 20
"""Bytes that ``classes.txt`` may have: a megabyte of names."""

MOST_JSON = 1 << 26
"""Bytes that a file of JSON, or of lines of JSON, may have: 64 megabytes."""

MOST_TABLE = 1 << 30
"""Bytes that a table, ``index.csv`` or ``answers.csv``, may have: a gigabyte."""

MOST_INFLATION = 16
"""How many times its own size an archive of arrays may fill in memory."""

MOST_OF_DEFLATE = 1040
"""The same where archives are compressed by right: what the compression of .npz, deflate, can do at most."""

MOST_HEADER = 10_000
"""Bytes that the header of an .npy may have, as for NumPy."""

BLOCK = 1 << 20
"""Bytes that are read at a time."""

LONGEST_REASON = 200
"""Letters of a value, or of another library's complaint, that a message shows."""


@contextmanager
def reading(where: str, *, missing: str = "", damaged: str = "") -> Iterator[None]:
    """Around what takes a file apart: whatever is raised there becomes an InputError of one line.

    Args:
        where: what the file is called in the line.
        missing: the line for a file that is not there; default "WHERE: there is no such file".
        damaged: the beginning of the line for one that is no such file, or was damaged; the reason follows in
            brackets.  Default "WHERE: is damaged or cut short".

    Raises:
        InputError: instead of everything else.  An InputError stays as it is, and so does a MemoryError, which
            :func:`emop3d_np.errors.exit_code` puts into words.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError(missing or f"{where}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}") from None
    except Exception as error:
        # The libraries for zip, npy, JSON and CSV raise some twenty kinds on damaged files, and more with each version.
        raise InputError(f"{damaged or f'{where}: is damaged or cut short'} ({in_a_line(error)})") from None


def in_a_line(error: BaseException) -> str:
    """An error's text, short, without line breaks or anything that steers a terminal."""
    text = short(str(error))
    plain = isinstance(error, ValueError | zipfile.BadZipFile) and text
    return text if plain else f"{type(error).__name__}: {text}".removesuffix(": ")


def short(text: str) -> str:
    """``text`` in a line that is not too long: what a message shows of something that was read from a file."""
    text = printable(" ".join(text.split()))
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."


def listed(names: Iterable[Any]) -> str:
    """Names with commas between, as a message shows them: in a line that is not too long."""
    return short(", ".join(map(str, names)))


def printable(text: str) -> str:
    """``text`` with what breaks lines, steers a terminal or cannot be seen as escapes, like ``\\x1b``."""
    return "".join(letter if letter.isprintable() else f"{letter!a}"[1:-1] for letter in text)


def is_control(letter: str) -> bool:
    """Whether a letter breaks a line (a line feed, U+2028), steers a terminal, or is half of a surrogate pair."""
    return unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def file_size(path: str | Path, where: str) -> int:
    """Bytes of a file.

    Raises:
        OSError: there is none.
        InputError: it is a folder, or a device or a pipe, whose end nobody knows.
    """
    require_file(path, where)
    if os.path.isdir(path):
        raise InputError(f"{where}: is a folder; a file is needed")
    return os.path.getsize(path)


def read_text(path: str | Path, where: str = "", most: int = MOST_JSON, missing: str = "") -> str:
    """The text of a file.

    Args:
        path: the file, UTF-8.
        where: what it is called in messages; default its path.
        most: bytes it may have; default :data:`MOST_JSON`.
        missing: as of :func:`reading`.

    Raises:
        InputError: there is no such file, or it is too large, no file, no UTF-8, or holds a byte 0.
    """
    where = where or str(path)
    content = read_bytes(path, where, most, missing)
    with reading(where, damaged=f"{where}: cannot be read: it is no text in UTF-8"):
        text = content.decode("utf-8-sig")
    if "\0" in text:
        raise InputError(f"{where}: cannot be read: it is no text, byte {text.index(chr(0))} is 0")
    return text


def read_bytes(path: str | Path, where: str = "", most: int = MOST_JSON, missing: str = "") -> bytes:
    """The content of a file; arguments and errors as of :func:`read_text`."""
    where = where or str(path)
    with reading(where, missing=missing):
        file_size(path, where)
        # By blocks, since a read of many bytes takes memory for all of them first, whatever the file has.
        blocks: list[bytes] = []
        with open(path, "rb") as file:
            while len(blocks) * BLOCK <= most and (block := file.read(BLOCK)):
                blocks.append(block)
    content = b"".join(blocks)
    if len(content) > most:
        raise InputError(f"{where}: is larger than {most:,} bytes, the most that is read")
    return content


def read_json(path: str | Path, where: str = "") -> dict[str, Any]:
    """The object in a file of JSON; arguments and errors as of :func:`read_text`."""
    where = where or str(path)
    text = read_text(path, where)
    with reading(where, damaged=f"{where}: is damaged, or not a file of this program"):
        return json_object(text)


def read_json_lines(path: str | Path, where: str = "") -> list[dict[str, Any]]:
    """The objects in a file with one per line; a last line that was cut short is left out.

    Raises:
        InputError: as of :func:`read_text`; or another line is no object, and is named.
    """
    where = where or str(path)
    lines = [line for line in read_text(path, where).split("\n") if line.strip()]
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            with reading(where, damaged=f"{where}: line {number} is damaged"):
                rows.append(json_object(line))
        except InputError:
            if number < len(lines):
                raise
    return rows


def json_object(text: str) -> dict[str, Any]:
    """The object that ``text`` is in JSON; raises ValueError, or what the json module does, where it is none."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"it holds a {type(value).__name__} in place of an object")
    return value


def table_rows(path: str | Path, where: str = "", missing: str = "") -> Iterator[list[str]]:
    """The rows of a CSV file with a head, one at a time, so that a long table need not be in memory.

    Args:
        path: the file, UTF-8.
        where: what it is called in messages; default its path.
        missing: as of :func:`reading`.

    Yields:
        The names of the columns, and then the cells of each row; empty lines are left out.

    Raises:
        InputError: as of :func:`read_text`; or it is no CSV, or a row has more or fewer cells than the head.
    """
    where = where or str(path)
    with reading(where, missing=missing, damaged=f"{where}: is no CSV"):
        if file_size(path, where) > MOST_TABLE:
            raise InputError(f"{where}: is larger than {MOST_TABLE:,} bytes, the most that is read")
        with open(path, encoding="utf-8-sig", newline="") as file:
            lines = csv.reader(_lines(file, where, MOST_TABLE), strict=True)
            columns = next(lines, [])
            yield columns
            for cells in filter(None, lines):
                if len(cells) != len(columns):
                    raise InputError(
                        f"{where}: line {lines.line_num} has {len(cells)} cells, the head has {len(columns)} columns"
                    )
                yield cells


def _lines(file: IO[str], where: str, most: int) -> Iterator[str]:
    """The lines of an open text file, of ``most`` letters together."""
    read = 0
    while True:
        try:
            line = file.readline(most + 1 - read)
        except UnicodeDecodeError as error:
            raise InputError(f"{where}: cannot be read: it is no text in UTF-8 ({error.reason})") from None
        if not line:
            return
        if "\0" in line:
            raise InputError(f"{where}: cannot be read: it is no text, byte {read + line.index(chr(0))} is 0")
        read += len(line)
        if read > most:
            raise InputError(f"{where}: is larger than {most:,} bytes, the most that is read")
        yield line


def read_npz(
    path: str | Path, where: str, wanted: Collection[str] | None = None, inflation: int = MOST_INFLATION
) -> dict[str, AnyArray]:
    """The arrays of an .npz file, by name; to be called within :func:`reading`.

    Args:
        path: the file.
        where: what it is called in messages.
        wanted: names of the arrays to read; default all.
        inflation: how many times the size of the file they may have together.

    Raises:
        InputError: they would be larger than that.
        ValueError, zipfile.BadZipFile and others: the file is damaged or something else.
    """
    size = file_size(path, where)
    with open(path, "rb") as file:
        if file.read(2) != b"PK":
            raise ValueError("it is no .npz archive")
        with zipfile.ZipFile(file) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            if len(members) != len(archive.infolist()):
                raise ValueError("it holds two arrays of one name")
            missing = [name for name in wanted or () if name not in members]
            if missing:
                raise InputError(f"{where}: holds no {' and no '.join(missing)}; it holds {listed(members)}")
            members = {name: members[name] for name in (members if wanted is None else wanted)}
            total = require_inflation(members.values(), size, where, inflation)
            memory.require(total, f"{where}: what it holds", "free some")
            return {name: _array(archive, member, name) for name, member in members.items()}


def require_inflation(members: Iterable[zipfile.ZipInfo], size: int, where: str, most: int) -> int:
    """Refuse to unpack what would fill much more than the archive itself.

    Args:
        members: what is to be unpacked.
        size: bytes of the archive.
        where: what it is called in messages.
        most: how many times ``size`` they may have together.

    Returns:
        The bytes that they say they have together.

    Raises:
        InputError: they would have more, or one has more in the archive than that itself.
    """
    members = list(members)
    for member in members:  # zipfile takes memory for as much as they say before it reads
        if member.compress_size > size:
            raise InputError(
                f"{where}: is damaged: it says that {short(member.filename)} has {member.compress_size:,} bytes in it, "
                f"more than its own {size:,}"
            )
    total = sum(member.file_size for member in members)
    if total > most * size:
        raise InputError(f"{where}: what it holds would fill {total:,} bytes, more than {most} times its own {size:,}")
    return total


def require(fits: bool, where: str, name: str, value: Any, advice: str = "") -> None:
    """Refuse a value that was read from a file.

    Raises:
        InputError: it does not fit; the line says what it is called and what it is.
    """
    if not fits:
        raise InputError(f"{where}: {name} is {short(repr(value))}, which cannot be{advice}")


def is_whole(value: Any, least: int = 0, most: int = 1 << 53) -> bool:
    """Whether a value read from JSON is a whole number (True and 1.0 are not) from ``least`` to ``most``."""
    return type(value) is int and least <= value <= most


def is_number(value: Any) -> bool:
    """Whether a value read from JSON is a finite number that a float holds; True is none."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> AnyArray:
    """One array of an archive, read when its header agrees with what the archive says of its size."""
    with archive.open(member) as file:
        shape, _, dtype = npy_header(file)
        size = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects (pickles)")
    if size != member.file_size:
        raise ValueError(f"{name} says it has {size:,} bytes, and has {member.file_size:,}")
    with archive.open(member) as file:
        values: AnyArray = np.lib.format.read_array(file, allow_pickle=False)
        file.read()  # to its end, where the archive's checksum is compared
        return values


def npy_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """``shape, fortran, dtype`` in the header of an .npy file, which ``file`` is at the start of; then it is at the
    values, which lie in Fortran's order or in C's.

    Raises:
        ValueError and others: it is no .npy file, or damaged; to be called within :func:`reading`.
    """
    version = np.lib.format.read_magic(file)
    first = version == (1, 0)
    length = file.read(2 if first else 4)
    if int.from_bytes(length, "little") > MOST_HEADER:  # NumPy takes memory for all of it before it looks
        raise ValueError(f"its header says that it has {int.from_bytes(length, 'little'):,} bytes itself")
    reader = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(io.BytesIO(length + file.read(int.from_bytes(length, "little"))))
    if any(side < 0 for side in shape):
        raise ValueError(f"its header has a negative side, shape {shape}")
    return shape, fortran, dtype


def numbers_header(file: IO[bytes], size: int, where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """As :func:`npy_header`, of a file of ``size`` bytes that must hold numbers, called ``where`` in messages.

    Raises:
        InputError: it is no .npy file, its header does not agree with its size, or it holds anything but integers or
            floats of up to 64 bits.
        ValueError and others: as of :func:`npy_header`.
    """
    magic = file.read(6)
    if magic != b"\x93NUMPY":
        found = "an .npz archive" if magic[:2] == b"PK" else "no .npy file" if magic else "an empty file"
        raise InputError(f"{where}: cannot be read as .npy: it is {found}; save the array with numpy.save")
    file.seek(0)
    shape, fortran, dtype = npy_header(file)
    needed = file.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise InputError(f"{where}: holds Python objects (pickle), which are refused; save a plain number array")
    if dtype.kind not in "fiu":
        raise InputError(f"{where}: has dtype {dtype}; it must hold integers or floats")
    if dtype.itemsize > 8:
        raise InputError(f"{where}: has dtype {dtype}; floats of up to 64 bits are read, save it as float64")
    if needed != size:
        raise InputError(f"{where}: is damaged or cut short: its header says {needed:,} bytes, it has {size:,}")
    return shape, fortran, dtype
