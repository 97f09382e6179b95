"""A folder of prepared clips: ``Training.npy``, ``labels.npy``, ``index.csv`` and ``classes.txt``."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from .arrays import load_npy
from .clips import ClipSet
from .subjects import canonical, spelling_notes, tell

COLUMNS = ("clip", "source", "first_frame", "subject", "label")
"""Columns that ``index.csv`` must have."""


def load_prepared(folder: str | Path, shape: Sequence[int], num_classes: int, flag: str = "train_path") -> ClipSet:
    """Open a prepared folder.

    Args:
        folder: holds ``Training.npy`` (n, d, h, w, c), ``labels.npy`` (n,), ``classes.txt`` (one name per line, in the
            order of the labels) and ``index.csv`` (one row per clip: clip (0, 1, ...), source, first_frame, subject,
            label; optionally video, whose clips vote together, by default those of one source).
        shape: ``(d, h, w, c)`` that a clip must have.
        num_classes: number of classes there must be.
        flag: what the folder is called in messages; default "train_path".

    Returns:
        ClipSet with the names of its classes, and with its index.

    Raises:
        InputError: a file is missing or damaged, or the files do not fit each other or the settings.
    """
    folder = Path(folder)
    names = tuple(line for line in _text(folder / "classes.txt", flag).splitlines() if line)
    where = f"{flag} {folder / 'classes.txt'}"
    if len(set(names)) != len(names):
        raise InputError(f"{where}: names a class twice: {', '.join(names)}")
    if len(names) != num_classes:
        raise InputError(f"{where}: names {len(names)} classes, --num_classes is {num_classes}; set it to {len(names)}")
    flags = (flag, flag.replace("path", "labels_path"))
    clips = load_npy(folder / "Training.npy", folder / "labels.npy", shape, num_classes, flags)
    return replace(clips, class_names=names, index=_index(folder / "index.csv", flag, clips.labels))


def _index(path: Path, flag: str, labels: IntArray) -> dict[str, AnyArray]:
    """The columns that the index of a ClipSet has, each of shape (n,)."""
    where = f"{flag} {path}"
    reader = csv.DictReader(io.StringIO(_text(path, flag), newline=""))
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"{where}: has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    rows = list(reader)
    if len(rows) != len(labels):
        raise InputError(f"{where}: has {len(rows)} rows, there are {len(labels)} clips; each needs one")
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        if row["clip"] != str(number) or row["label"] != str(label):
            raise InputError(
                f"{where}: row {number + 1} is of clip {row['clip']} with label {row['label']}; "
                f"by its place and labels.npy it must be clip {number} with label {label}"
            )
    index = {column: np.array([row[column] for row in rows]) for column in ("subject", "source", "first_frame")}
    tell(spelling_notes(set(index["subject"].tolist())))
    index["subject"] = np.array([canonical(name) for name in index["subject"].tolist()])
    return index | {"video": np.array([row["video"] for row in rows]) if "video" in rows[0] else index["source"]}


def _text(path: Path, flag: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(
            f"{flag} {path}: there is no such file; a prepared folder holds Training.npy, labels.npy, index.csv and "
            f"classes.txt"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{flag} {path}: cannot be read: {error}") from None
