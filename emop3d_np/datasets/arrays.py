"""Clips and labels from .npy files, memory-mapped or in parts, with every mistake in them named."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from ..reading import file_size, numbers_header, reading
from . import parts
from .classes import numbered
from .clips import ClipSet


def load_npy(
    clips_path: str | Path,
    labels_path: str | Path,
    shape: Sequence[int],
    num_classes: int,
    flags: tuple[str, str] = ("clips", "labels"),
) -> ClipSet:
    """Open a set of clips.

    Args:
        clips_path: .npy of shape (n, d, h, w, c), integers or floats, or a folder of parts (:mod:`.parts`); it stays on
            disk and is read batch by batch.
        labels_path: .npy of shape (n,) or (n, 1), whole numbers.
        shape: ``(d, h, w, c)`` that a clip must have.
        num_classes: labels must be ``0 ... num_classes - 1``.
        flags: what the two paths are called in messages; default "clips" and "labels".

    Returns:
        ClipSet whose classes are named by their numbers.

    Raises:
        InputError: a file is missing, not an .npy, damaged, holds Python objects, or does not fit.
    """
    where = f"{flags[0]} {clips_path}"
    watch = None if parts.is_parted(clips_path) else _watch(clips_path, where)  # parts are watched where they are read
    clips = open_npy(clips_path, flags[0])
    if clips.shape[1:] != tuple(shape):
        raise InputError(
            f"{where}: clips have (d, h, w, c) = {clips.shape[1:]}, the flags say {tuple(shape)}: "
            f"set --depth_frames, --height, --width, --in_channels"
        )
    if not len(clips):
        raise InputError(f"{where}: is empty, it holds no clips")
    return ClipSet(
        f"{flags[0]} {clips_path}",
        clips,
        _labels(labels_path, flags[1], len(clips), num_classes),
        numbered(num_classes),
        watch=watch,
    )


def _watch(path: str | Path, where: str) -> Callable[[], None]:
    """What refuses to go on when a file that is mapped into memory has been written to since.

    Its clips would be mixed with others, and where it has become shorter, reading it ends the process.  A file that has
    been replaced by another, or removed, is no matter: the mapped one stays as it was.
    """

    def state() -> tuple[int, int, int, int] | None:
        try:
            found = os.stat(path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

    before = state()

    def watch() -> None:
        now = state()
        if before and now and now[:2] == before[:2] and now != before:
            raise InputError(
                f"{where}: has been written to since it was opened; put new clips into another file, and rename that"
            )

    return watch


def open_npy(path: str | Path, flag: str = "clips") -> parts.Clips:
    """Open clips alone, of any shape; arguments and errors as of :func:`load_npy`."""
    if parts.is_parted(path):
        return parts.PartedClips(path, flag)
    clips = open_array(path, f"{flag} {path}")
    if clips.ndim != 5:
        raise InputError(f"{flag} {path}: has shape {clips.shape}, {clips.ndim} axes; clips have 5: (n, d, h, w, c)")
    return clips


def _labels(path: str | Path, flag: str, count: int, num_classes: int) -> IntArray:
    """The labels of ``count`` clips, int64 of shape (count,)."""
    where = f"{flag} {path}"
    labels = open_array(path, where)
    if labels.shape not in ((count,), (count, 1)):
        raise InputError(f"{where}: has shape {labels.shape}; {count} clips need ({count},)")
    labels = np.array(labels).reshape(count)
    whole = whole_labels(labels, where)
    outside = (whole < 0) | (whole >= num_classes)
    if outside.any():
        first = int(outside.argmax())
        raise InputError(
            f"{where}: label {whole[first]} of clip {first} is out of range; "
            f"{num_classes} classes (--num_classes) are numbered 0 ... {num_classes - 1}"
        )
    return whole


def whole_labels(labels: AnyArray, where: str) -> IntArray:
    """Labels as int64.

    Args:
        labels: array of shape (n,), integers, or floats that are whole.
        where: what it is called in messages.

    Raises:
        InputError: a label is not a whole number, or the array is of another kind.
    """
    if labels.dtype.kind in "iu":
        return labels.astype(np.int64)
    if labels.dtype.kind != "f":
        raise InputError(f"{where}: has dtype {labels.dtype}; labels are whole numbers")
    with np.errstate(invalid="ignore"):
        wrong = ~(labels == np.floor(labels)) | (np.abs(labels) > 2**31)
    if wrong.any():
        first = int(wrong.argmax())
        raise InputError(f"{where}: label {labels[first]} of clip {first} is not a whole number")
    return labels.astype(np.int64)


def open_array(path: str | Path, where: str) -> AnyArray:
    """The array in an .npy file, memory-mapped.

    Args:
        path: the file.
        where: what it is called in messages.

    Raises:
        InputError: the file is missing, not an .npy, damaged or cut short, or holds anything but integers or floats of
            up to 64 bits.
    """
    with reading(where):
        size = file_size(path, where)
        with open(path, "rb") as file:
            shape, _, dtype = numbers_header(file, size, where)
        # An empty file cannot be mapped, and needs no reading either.
        return np.load(path, mmap_mode="r", allow_pickle=False) if 0 not in shape else np.empty(shape, dtype)
