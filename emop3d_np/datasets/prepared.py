"""A folder of prepared clips: ``Training.npy``, ``labels.npy``, ``index.csv``, ``classes.txt``, and ``record.json``."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from ..reading import read_table, short
from . import classes, record
from .arrays import load_npy
from .clips import ClipSet
from .subjects import canonical, spelling_notes, tell

COLUMNS = ("clip", "source", "first_frame", "subject", "label")
"""Columns that ``index.csv`` must have."""


def load_prepared(
    folder: str | Path,
    shape: Sequence[int],
    num_classes: int,
    flag: str = "train_path",
    class_names: Sequence[str] | None = None,
) -> ClipSet:
    """Open a prepared folder.

    Args:
        folder: holds ``Training.npy`` (n, d, h, w, c), ``labels.npy`` (n,), ``classes.txt`` (one name per line, in the
            order of the labels) and ``index.csv`` (one row per clip: clip (0, 1, ...), source, first_frame, subject,
            label; optionally video, whose clips vote together, by default those of one source); optionally
            ``record.json``, how they came to be.
        shape: ``(d, h, w, c)`` that a clip must have.
        num_classes: number of classes there must be.
        flag: what the folder is called in messages; default "train_path".
        class_names: names that the network's classes have, in its order, which the labels are brought to; default
            None, the folder's own names and order.

    Returns:
        ClipSet with the names of its classes, with its index, and with its record where there is one.

    Raises:
        InputError: a file is missing or damaged, or the files do not fit each other or the settings; or the folder's
            classes are not called ``class_names``.
    """
    folder = Path(folder)
    where = f"{flag} {folder / classes.FILE}"
    names = classes.read_names(folder / classes.FILE, where, _missing(folder / classes.FILE, flag))
    places = classes.places(names, class_names, where, "the network's") if class_names else None
    if len(names) != num_classes:
        raise InputError(f"{where}: names {len(names)} classes, --num_classes is {num_classes}; set it to {len(names)}")
    flags = (flag, flag.replace("path", "labels_path"))
    clips = load_npy(folder / "Training.npy", folder / "labels.npy", shape, num_classes, flags)
    made = record.read(folder, f"{flag} {folder / record.FILE}")
    if made:
        record.require_fit(made, names, clips.clips.shape[1:], f"{flag} {folder / record.FILE}")
    clips = replace(clips, class_names=names, index=_index(folder / "index.csv", flag, clips.labels), record=made)
    if class_names is None or places is None:
        return clips
    return replace(clips, class_names=tuple(class_names), labels=places[clips.labels])


def _index(path: Path, flag: str, labels: IntArray) -> dict[str, AnyArray]:
    """The columns that the index of a ClipSet has, each of shape (n,)."""
    where = f"{flag} {path}"
    columns, rows = read_table(path, where, _missing(path, flag))
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise InputError(f"{where}: has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    if len(rows) != len(labels):
        raise InputError(f"{where}: has {len(rows)} rows, there are {len(labels)} clips; each needs one")
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        if row["clip"] != str(number) or row["label"] != str(label):
            raise InputError(
                f"{where}: row {number + 1} is of clip {short(row['clip'])} with label {short(row['label'])}; "
                f"by its place and labels.npy it must be clip {number} with label {label}"
            )
    index = {column: np.array([row[column] for row in rows]) for column in ("subject", "source", "first_frame")}
    tell(spelling_notes(set(index["subject"].tolist())))
    index["subject"] = np.array([canonical(name) for name in index["subject"].tolist()])
    return index | {"video": np.array([row["video"] for row in rows]) if "video" in columns else index["source"]}


def _missing(path: Path, flag: str) -> str:
    """What is said where a file of the folder is not there."""
    return (
        f"{flag} {path}: there is no such file; a prepared folder holds Training.npy, labels.npy, index.csv and "
        f"classes.txt"
    )
