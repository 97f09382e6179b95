"""Clips and labels from .npy files, memory-mapped, with every mistake in them named."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from ..files import require_file
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
        clips_path: .npy of shape (n, d, h, w, c), integers or floats; it stays on disk and is read batch by batch.
        labels_path: .npy of shape (n,) or (n, 1), whole numbers.
        shape: ``(d, h, w, c)`` that a clip must have.
        num_classes: labels must be ``0 ... num_classes - 1``.
        flags: what the two paths are called in messages; default "clips" and "labels".

    Returns:
        ClipSet whose classes are named by their numbers.

    Raises:
        InputError: a file is missing, not an .npy, damaged, holds Python objects, or does not fit.
    """
    clips = open_npy(clips_path, flags[0])
    where = f"{flags[0]} {clips_path}"
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
        tuple(map(str, range(num_classes))),
    )


def open_npy(path: str | Path, flag: str = "clips") -> AnyArray:
    """Open clips alone, of any shape; arguments and errors as of :func:`load_npy`."""
    clips = _open(path, flag)
    if clips.ndim != 5:
        raise InputError(f"{flag} {path}: has shape {clips.shape}, {clips.ndim} axes; clips have 5: (n, d, h, w, c)")
    return clips


def _labels(path: str | Path, flag: str, count: int, num_classes: int) -> IntArray:
    """The labels of ``count`` clips, int64 of shape (count,)."""
    labels = _open(path, flag)
    where = f"{flag} {path}"
    if labels.shape not in ((count,), (count, 1)):
        raise InputError(f"{where}: has shape {labels.shape}; {count} clips need ({count},)")
    labels = np.array(labels).reshape(count)
    whole = labels.astype(np.int64) if labels.dtype.kind in "iu" else _whole(labels, where)
    outside = (whole < 0) | (whole >= num_classes)
    if outside.any():
        first = int(outside.argmax())
        raise InputError(
            f"{where}: label {whole[first]} of clip {first} is out of range; "
            f"{num_classes} classes (--num_classes) are numbered 0 ... {num_classes - 1}"
        )
    return whole


def _whole(labels: AnyArray, where: str) -> IntArray:
    """Float labels as int64; refuses those that are not whole."""
    with np.errstate(invalid="ignore"):
        wrong = ~(labels == np.floor(labels)) | (np.abs(labels) > 2**31)
    if wrong.any():
        first = int(wrong.argmax())
        raise InputError(f"{where}: label {labels[first]} of clip {first} is not a whole number")
    return labels.astype(np.int64)


def _open(path: str | Path, flag: str) -> AnyArray:
    """The array in an .npy file, memory-mapped."""
    where = f"{flag} {path}"
    if os.path.isdir(path):
        raise InputError(f"{where}: is a folder; an .npy file is needed")
    require_file(path, where)
    try:
        with open(path, "rb") as file:
            magic = file.read(6)
            if magic != b"\x93NUMPY":
                found = "an .npz archive" if magic[:2] == b"PK" else "no .npy file" if magic else "an empty file"
                raise InputError(f"{where}: is {found}; save the array with numpy.save")
            file.seek(0)
            version = np.lib.format.read_magic(file)
            reader = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
            shape, _, dtype = reader(file)
        if dtype.hasobject:
            raise InputError(f"{where}: holds Python objects (pickle), which are refused; save a plain number array")
        if dtype.kind not in "fiu":
            raise InputError(f"{where}: has dtype {dtype}; it must hold integers or floats")
        # An empty file cannot be mapped, and needs no reading either.
        return np.load(path, mmap_mode="r", allow_pickle=False) if 0 not in shape else np.empty(shape, dtype)
    except FileNotFoundError:
        raise InputError(f"{where}: there is no such file") from None
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError) as error:
        raise InputError(f"{where}: is damaged or cut short ({error})") from None
