"""Pen drawings as clips: a letter grows stroke by stroke, and the label is the alphabet it belongs to.

Made for the strokes of Omniglot (Lake, Salakhutdinov and Tenenbaum, Science 2015): text files
``ALPHABET/characterNN/XXXX_DD.txt``, where DD is the number of the drawer.  A file begins with the line ``START``; each
stroke is lines ``x,y,t`` (in a box of 105 x 105, y is 0 at its upper edge and negative below, t is in milliseconds) and
then the line ``BREAK``.

Every drawing becomes a clip in the same way.  Its bounding box moves to the middle of the frame, at one scale for all.
A clip follows the pen's path on paper: each frame adds an equal length of it.  Pauses and haste, habits of the drawer,
do not count: the points are taken in their order, whatever their time stamps.  The pen is broad and soft, because the
network has weights of its own for every position, and a letter drawn a little aside should meet nearly the same ones.
Ink fades as it ages, so that a frame shows which way the pen went, but it never vanishes.

These choices were made on drawers 3 to 20; drawers 1 and 2 took no part.
"""

import csv
import re
import shutil
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import prange
from tqdm import tqdm

from kernels.arrays import AnyArray, FloatArray
from kernels.cpu.jit import parallel, serial

from .. import memory
from ..errors import InputError
from ..files import put_in_place, sync
from ..locks import only_writer
from ..reading import file_size, listed, read_bytes, reading, require_inflation, short
from . import record
from .classes import require_names
from .prepared import COLUMNS

MOST_INFLATION = 100
"""How many times its own size an archive of strokes may unpack to; text like this shrinks to a fifth or a tenth."""

MEMORY = 16
"""How many times the size of its texts an archive may take in memory, as points."""

LARGEST = 1 << 26
"""Bytes that the file of a drawing may have: 64 megabytes."""

BOX = 105
"""Side of the square that was drawn in; it becomes the smaller side of a frame."""

PEN_RADIUS = 0.09
"""Where the ink of the pen ends, as a share of the smaller side of a frame."""

HALF_LIFE = 0.2
"""Ink is half as bright after this share of the drawing."""

FAINTEST = 0.25
"""Ink never fades below this share of its brightness."""

CLIPS_AT_A_TIME = 100
"""Clips that are drawn and written together; only so many are in memory at a time."""

SMALLEST = (1, 8, 8, 1)
"""The smallest ``(d, h, w, c)`` of a clip."""

FARTHEST = 1e9
"""Coordinates and times beyond this are refused."""

NAME = re.compile(r"(?:.*/)?([^/]+)/character(\d{1,9})/\d+_(\d{1,9})\.txt")


@dataclass(frozen=True, eq=False)
class Drawing:
    """One letter, drawn once by one person.

    Attributes:
        alphabet: name.
        character: number of the letter within its alphabet.
        drawer: number of the person.
        strokes: float64 ndarrays of shape (p, 3), one per stroke; there is at least one, and each has at least one
            point ``x, y, t``.  y is negative below the box's upper edge, t is in milliseconds.
    """

    alphabet: str
    character: int
    drawer: int
    strokes: tuple[FloatArray, ...]


def read_strokes(path: str | Path) -> list[Drawing]:
    """Read an archive of pen drawings.  Nothing is unpacked onto the disk.

    Args:
        path: zip archive, or the folder it unpacks to; hidden files and files that are not .txt are passed over.

    Returns:
        The drawings, sorted by alphabet, character and drawer.

    Raises:
        InputError: the archive is missing, damaged, no archive, or holds no drawing; or a file in it is not named
            ``ALPHABET/characterNN/XXXX_DD.txt``, has no point, or has a line that is not of the form above.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file; give the archive of strokes, or the folder it unpacks to")
    texts = _texts_of_folder(path) if path.is_dir() else _texts_of_zip(path)
    if not texts:
        raise InputError(f"{path}: holds no drawing; there should be files ALPHABET/characterNN/XXXX_DD.txt")
    drawings = [_drawing(path, *named_text) for named_text in sorted(texts.items())]
    return sorted(drawings, key=lambda drawing: (drawing.alphabet, drawing.character, drawing.drawer))


def draw_strokes(drawings: Sequence[Drawing], shape: Sequence[int] = (16, 100, 100, 1)) -> AnyArray:
    """Draw a clip of each drawing.

    Args:
        drawings: n of them.
        shape: ``(d, h, w, c)`` of a clip, at least 1 x 8 x 8 x 1; default (16, 100, 100, 1).  Channels are equal.

    Returns:
        uint8 ndarray of shape (n, d, h, w, c): 0 is paper, 255 fresh ink.

    Raises:
        InputError: ``shape`` is not four whole numbers, or too small.
    """
    d, h, w, c = _checked_shape(shape)
    lines = [_lines(drawing, h, w) for drawing in drawings]
    bounds = np.cumsum([0, *map(len, lines)])
    # A radius of 1.5 pixels is the least that leaves no gaps between the pixels of a line.
    radius = max(PEN_RADIUS * min(h, w), 1.5)
    grey = np.empty((len(lines), d, h, w), np.uint8)
    _draw_clips(np.concatenate([np.empty((0, 2, 3)), *lines]), bounds, radius, 0.5 ** (1 / (HALF_LIFE * d)), grey)
    return np.repeat(grey[..., np.newaxis], c, axis=-1)


def prepare_strokes(
    source: str | Path,
    out: str | Path,
    held_out: Collection[int] | None = None,
    shape: Sequence[int] = (16, 100, 100, 1),
    progress: bool = True,
) -> tuple[list[str], dict[str, int]]:
    """Turn an archive of drawings into prepared folders, as :func:`emop3d_np.datasets.load_prepared` reads them.

    Args:
        source: as ``path`` of :func:`read_strokes`.
        out: folder to make.  It is a prepared folder with all drawings or, with ``held_out``, holds two such folders,
            ``train`` and ``val``.  Subjects are the drawers, classes the alphabets in sorted order.  If the work is
            stopped, no folder is left.
        held_out: numbers of the drawers whose clips go to ``val``, the others' going to ``train``; default None.
        shape: as in :func:`draw_strokes`.
        progress: True (default) shows a bar.

    Returns:
        ``classes, counts``: the names of the classes, and how many clips each folder has, by the folder's path.

    Raises:
        InputError: as :func:`read_strokes` and :func:`draw_strokes`; or ``held_out`` is empty, names somebody who drew
            nothing, or names everybody; or ``out`` exists already or cannot be written.
    """
    source, out, shape = Path(source).resolve(), Path(out), _checked_shape(shape)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out}: exists already; name a new folder, or remove it first")
    if source.is_dir() and source in out.resolve().parents:
        raise InputError(f"{out}: lies in {source}, and would be read with it the next time; name a folder elsewhere")
    drawings = read_strokes(source)
    folders = {".": drawings}
    if held_out is not None:
        held_out = _checked_drawers(held_out, sorted({drawing.drawer for drawing in drawings}), source)
        folders = {
            "train": [drawing for drawing in drawings if drawing.drawer not in held_out],
            "val": [drawing for drawing in drawings if drawing.drawer in held_out],
        }
    classes = list(require_names(sorted({drawing.alphabet for drawing in drawings}), str(source)))
    try:
        with (
            _one_writer_beside(out) as unfinished,
            tqdm(total=len(drawings), desc="drawing", unit="clip", disable=not progress) as bar,
        ):
            for folder, chosen in folders.items():
                (unfinished / folder).mkdir(parents=True)
                _write_folder(unfinished / folder, chosen, classes, shape, bar)
            for written in unfinished.rglob("*.*"):
                sync(written)
            put_in_place(unfinished, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None
    return classes, {str(out / folder): len(chosen) for folder, chosen in folders.items()}


@contextmanager
def _one_writer_beside(out: Path) -> Iterator[Path]:
    """Path of a folder to be made, and then put in the place of ``out``, by one process at a time.

    It is in a folder beside, which is removed in the end; what a killed process left there, in the beginning.
    """
    place = out.with_name(f".{out.name}.unfinished")
    try:
        with only_writer(place, out):
            shutil.rmtree(place / "whole", ignore_errors=True)
            try:
                yield place / "whole"
            finally:
                shutil.rmtree(place / "whole", ignore_errors=True)
    finally:
        with suppress(OSError):  # another process has it by now
            place.rmdir()


def _write_folder(folder: Path, drawings: list[Drawing], classes: list[str], shape: Sequence[int], bar: tqdm) -> None:
    """Write the files of a prepared folder; ``bar`` counts the clips."""
    labels = [classes.index(drawing.alphabet) for drawing in drawings]
    np.save(folder / "labels.npy", labels)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in classes), encoding="utf-8")
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for clip, (drawing, label) in enumerate(zip(drawings, labels, strict=True)):
            name = f"{drawing.alphabet}/{drawing.character}/{drawing.drawer:02}"
            writer.writerow([clip, name, 0, drawing.drawer, label])
    _write_clips(folder / "Training.npy", drawings, shape, bar)
    d, h, w, c = shape
    made = record.Record(tuple(classes), d, h, w, c, grey=True, overlap=None, faces=None, made_by="strokes")
    record.write(folder, made)


def _texts_of_folder(path: Path) -> dict[str, bytes]:
    """The contents of the .txt files in a folder, by their name in it."""
    with reading(str(path)):
        files = {file.relative_to(path).as_posix(): file for file in path.rglob("*.txt") if file.is_file()}
        return {name: read_bytes(file, most=LARGEST) for name, file in files.items() if _is_visible(name)}


def _texts_of_zip(path: Path) -> dict[str, bytes]:
    """The contents of the .txt files in a zip archive, by their name in it."""
    with reading(str(path), damaged=f"{path}: is no zip archive, or a damaged one; fetch it again"):
        size = file_size(path, str(path))
        with zipfile.ZipFile(path) as archive:
            members = [each for each in archive.infolist() if each.filename.endswith(".txt")]
            members = [each for each in members if _is_visible(each.filename)]
            if len({each.filename for each in members}) < len(members):
                raise ValueError("it holds two files of one name")
            total = require_inflation(members, size, str(path), MOST_INFLATION)
            memory.require(MEMORY * total, f"{path}: what it holds", "free some")
            return {each.filename: archive.read(each) for each in members}


def _is_visible(name: str) -> bool:
    """Whether no part of ``name`` is hidden; macOS puts a twin of each file under ``__MACOSX/``."""
    return not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _drawing(path: Path, name: str, text: bytes) -> Drawing:
    """The drawing that the file called ``name`` in the archive at ``path`` holds."""
    match = NAME.fullmatch(name)
    if not match:
        raise InputError(
            f"{path}: {short(repr(name))} is not named ALPHABET/characterNN/XXXX_DD.txt; rename it, or take it out"
        )
    alphabet, character, drawer = match.groups()
    strokes: list[list[list[float]]] = [[]]
    lines = map(str.strip, text.decode("ascii", "replace").splitlines())
    for number, line in enumerate(lines, 1):
        if line in ("START", "BREAK"):
            strokes.append([])
        elif line:
            point = _point(line)
            if not point:
                raise InputError(
                    f"{path}: {short(repr(name))}, line {number}: {line[:40]!r} is not x,y,t, START or BREAK; "
                    f"correct it, or take the file out"
                )
            strokes[-1].append(point)
    arrays = tuple(np.array(points) for points in strokes if points)
    if not arrays:
        raise InputError(f"{path}: {short(repr(name))} is empty, it holds no points; take it out")
    return Drawing(alphabet, int(character), int(drawer), arrays)


def _point(line: str) -> list[float] | None:
    """The three numbers of a line ``x,y,t``; None where the line is something else."""
    try:
        point = [float(number) for number in line.split(",")]
    except ValueError:
        return None
    return point if len(point) == 3 and all(abs(number) < FARTHEST for number in point) else None


def _checked_shape(shape: Sequence[int]) -> tuple[int, ...]:
    if len(shape) != 4 or any(size != int(size) or size < least for size, least in zip(shape, SMALLEST, strict=True)):
        raise InputError(f"shape is {tuple(shape)}; drawings need whole numbers (d, h, w, c) of at least {SMALLEST}")
    return tuple(int(size) for size in shape)


def _checked_drawers(held_out: Collection[int], drawers: list[int], source: Path) -> list[int]:
    """``held_out``, sorted, each number once; some of ``drawers`` must be in it, and some must not."""
    there = f"the drawers of {source} are {listed(drawers)}"
    unknown = [number for number in held_out if number not in drawers]
    if unknown:
        raise InputError(f"held_out names {listed(unknown)}; {there}")
    chosen = sorted({int(number) for number in held_out})
    if len(chosen) in (0, len(drawers)):
        whom = "everybody, which leaves none to train on" if chosen else "nobody, which leaves none to validate on"
        raise InputError(f"held_out names {whom}; {there}")
    return chosen


def _write_clips(path: Path, drawings: list[Drawing], shape: Sequence[int], bar: tqdm) -> None:
    """Write the clips of ``drawings`` to one .npy, with :data:`CLIPS_AT_A_TIME` of them in memory."""
    with open(path, "wb") as file:
        header = {"descr": "|u1", "fortran_order": False, "shape": (len(drawings), *shape)}
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, len(drawings), CLIPS_AT_A_TIME):
            clips = draw_strokes(drawings[start : start + CLIPS_AT_A_TIME], shape)
            file.write(clips.data)
            bar.update(len(clips))


def _lines(drawing: Drawing, h: int, w: int) -> FloatArray:
    """The pen's path as m lines, ndarray of shape (m, 2, 3).

    Both ends of a line are a row, a column, and the share of the whole path that the pen has gone when it is there.
    """
    # A stroke of one point, a dot, becomes a line of length 0.
    strokes = [stroke if len(stroke) > 1 else stroke.repeat(2, axis=0) for stroke in drawing.strokes]
    lines = np.concatenate([np.stack([stroke[:-1], stroke[1:]], axis=1) for stroke in strokes])
    # From the box's (x, y), where y grows upwards, to the frame's (row, column).
    places = lines[..., 1::-1] * [-1, 1]
    middle = (places.min(axis=(0, 1)) + places.max(axis=(0, 1))) / 2
    lines[..., :2] = (places - middle) * (min(h, w) / BOX) + [(h - 1) / 2, (w - 1) / 2]
    travelled = np.cumsum(np.linalg.norm(places[:, 1] - places[:, 0], axis=1))
    lines[:, 1, 2] = travelled / (travelled[-1] or 1)
    lines[0, 0, 2] = 0
    lines[1:, 0, 2] = lines[:-1, 1, 2]
    return lines


@parallel
def _draw_clips(lines, bounds, radius, fade, clips):
    """Draw ``clips`` (n, d, h, w), uint8, of ``lines`` (m, 2, 3): clip n has those from bounds[n] to bounds[n + 1]."""
    for n in prange(clips.shape[0]):
        _draw_clip(lines[bounds[n] : bounds[n + 1]], radius, fade, clips[n])


@serial
def _draw_clip(lines, radius, fade, clip):
    """Draw one clip (d, h, w): ink reaches ``radius`` pixels around a line and is ``fade`` as bright a frame later."""
    frames, rows, columns = clip.shape
    fresh = np.empty((rows, columns), np.float32)
    fading = np.zeros_like(fresh)
    all_ink = np.zeros_like(fresh)
    line = 0
    for d in range(frames):
        since, until = d / frames, (d + 1) / frames
        fresh[:] = 0
        while line < len(lines) and lines[line, 0, 2] <= until:
            _draw_line(lines[line], since, until, radius, fresh)
            if lines[line, 1, 2] > until:
                break
            line += 1
        for h in range(rows):
            for w in range(columns):
                all_ink[h, w] = max(all_ink[h, w], fresh[h, w])
                fading[h, w] = max(fading[h, w] * fade, fresh[h, w])
                clip[d, h, w] = np.uint8(255 * max(all_ink[h, w] * FAINTEST, fading[h, w]) + 0.5)


@serial
def _draw_line(line, since, until, radius, plane):
    """Draw on ``plane`` (h, w) the part of ``line`` (2, 3) that the pen goes from ``since`` to ``until``.

    Both are shares of the pen's whole path.
    """
    start, length = line[0, 2], line[1, 2] - line[0, 2]
    begin = max(since - start, 0.0) / length if length > 0 else 0.0
    end = min((until - start) / length, 1.0) if length > 0 else 0.0
    dh, dw = line[1, 0] - line[0, 0], line[1, 1] - line[0, 1]
    h0, w0 = line[0, 0] + begin * dh, line[0, 1] + begin * dw
    dh, dw = (end - begin) * dh, (end - begin) * dw
    squared_length = dh * dh + dw * dw
    first_row = int(max(min(h0, h0 + dh) - radius, 0.0))
    first_column = int(max(min(w0, w0 + dw) - radius, 0.0))
    for h in range(first_row, int(min(max(h0, h0 + dh) + radius, plane.shape[0] - 1.0)) + 1):
        for w in range(first_column, int(min(max(w0, w0 + dw) + radius, plane.shape[1] - 1.0)) + 1):
            # The place on the line that is nearest to this pixel's centre, as a share of the line, 0 ... 1.
            along = ((h - h0) * dh + (w - w0) * dw) / squared_length if squared_length > 0 else 0.0
            along = min(max(along, 0.0), 1.0)
            squared_distance = (h - h0 - along * dh) ** 2 + (w - w0 - along * dw) ** 2
            # ink = (1 - (distance / radius)^2)^2 within the radius: smooth, and 0 outside
            ink = max(1 - squared_distance / (radius * radius), 0.0) ** 2
            plane[h, w] = max(plane[h, w], ink)
