"""Volumes of MedMNIST v2 (Yang et al., Scientific Data 2023), read from its .npz files as they are."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from ..reading import MOST_OF_DEFLATE, read_npz, reading
from .arrays import whole_labels
from .classes import numbered
from .clips import ClipSet

PARTS = ("train", "val", "test")


def load_medmnist(
    path: str | Path, part: str, shape: Sequence[int], num_classes: int, flag: str = "train_path"
) -> ClipSet:
    """Open one of the official splits of a 3D set; the slices of a volume are the frames of a clip.

    Args:
        path: .npz with ``train_images`` (n, d, h, w), ``train_labels`` (n, 1), and likewise for ``val`` and ``test``.
        part: "train", "val" or "test".
        shape: ``(d, h, w, c)`` that a clip must have; c is 1.
        num_classes: labels must be ``0 ... num_classes - 1``.
        flag: what the path is called in messages; default "train_path".

    Returns:
        ClipSet in memory, whose classes are named by their numbers.

    Raises:
        InputError: the file is missing, damaged, no such set, or does not fit the settings.
    """
    where = f"{flag} {path}"
    images, labels = _arrays(path, where, (f"{part}_images", f"{part}_labels"))
    if images.ndim != 4 or labels.shape != (len(images), 1) or images.dtype.kind not in "fiu":
        raise InputError(
            f"{where}: {part}_images have shape {images.shape} and dtype {images.dtype}, {part}_labels {labels.shape}; "
            f"a 3D set of MedMNIST has numbers of shape (n, d, h, w), and labels (n, 1)"
        )
    if (*images.shape[1:], 1) != tuple(shape):
        d, h, w = images.shape[1:]
        raise InputError(
            f"{where}: volumes have (d, h, w) = {(d, h, w)}, the flags say {tuple(shape)}: "
            f"give --depth_frames {d} --height {h} --width {w} --in_channels 1"
        )
    if images.shape[-1] == 3 and images.shape[1] == images.shape[2] > 3:
        raise InputError(f"{where}: {part}_images have shape {images.shape}: a 2D set, in colour; take a 3D one")
    labels = whole_labels(labels[:, 0], f"{where}: {part}_labels")
    if labels.size == 0 or labels.min() < 0 or labels.max() >= num_classes:
        seen = f"labels run from {labels.min()} to {labels.max()}" if labels.size else "there are no volumes"
        raise InputError(f"{where}: {part}: {seen}, --num_classes is {num_classes}")
    return ClipSet(f"{part} of {path}", images[..., np.newaxis], labels, numbered(num_classes))


def open_volumes(path: str | Path, part: str = "train", flag: str = "clips") -> AnyArray:
    """The volumes of a split alone, (n, d, h, w, 1), of any shape; arguments and errors as of :func:`load_medmnist`."""
    where = f"{flag} {path}"
    (images,) = _arrays(path, where, (f"{part}_images",))
    if images.ndim != 4 or images.dtype.kind not in "fiu":
        raise InputError(
            f"{where}: {part}_images have shape {images.shape} and dtype {images.dtype}; a 3D set of MedMNIST has "
            f"numbers of shape (n, d, h, w)"
        )
    return images[..., np.newaxis]


def _arrays(path: str | Path, where: str, names: Sequence[str]) -> list[AnyArray]:
    """The arrays called ``names`` in an .npz file."""
    with reading(where, damaged=f"{where}: cannot be read as a set of MedMNIST"):
        arrays = read_npz(path, where, names, MOST_OF_DEFLATE)
        return [arrays[name] for name in names]
