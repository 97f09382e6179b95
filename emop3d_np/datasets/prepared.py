"""A folder of prepared clips: ``Training.npy``, ``labels.npy``, ``index.csv``, ``classes.txt``, and ``record.json``.

In the place of ``Training.npy`` there may be a folder of parts (:mod:`.parts`), called ``Training``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray, IntArray

from ..errors import InputError
from ..reading import short, table_rows
from . import classes, parts, record
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
        folder: holds ``Training.npy`` (n, d, h, w, c), or parts of it in ``Training``, ``labels.npy`` (n,),
            ``classes.txt`` (one name per line, in the order of the labels) and ``index.csv`` (one row per clip: its
            number from 0, ``clip``, source, first_frame, subject, label; optionally video, whose clips vote together,
            by default those of one source); optionally ``record.json``, how they came to be.
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
    clips = load_npy(parts.of_prepared(folder, flag), folder / "labels.npy", shape, num_classes, flags)
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
    rows = table_rows(path, where, _missing(path, flag))
    columns = {column: place for place, column in enumerate(next(rows))}
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise InputError(f"{where}: has no column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
    kept: dict[str, list[str]] = {name: [] for name in ("subject", "source", "first_frame", "video") if name in columns}
    shared: dict[str, str] = {}  # a text is in memory once, however many rows have it
    count, wrong = 0, ""
    for count, row in enumerate(rows, 1):
        clip, label = row[columns["clip"]], row[columns["label"]]
        if not wrong and count <= len(labels) and (clip != str(count - 1) or label != str(labels[count - 1])):
            wrong = (
                f"row {count} is of clip {short(clip)} with label {short(label)}; by its place and labels.npy it must "
                f"be clip {count - 1} with label {labels[count - 1]}"
            )
        for name, texts in kept.items():
            text = row[columns[name]]
            texts.append(shared.setdefault(text, text))
    if count != len(labels):
        raise InputError(f"{where}: has {count} rows, there are {len(labels)} clips; each needs one")
    if wrong:
        raise InputError(f"{where}: {wrong}")
    spellings = set(kept["subject"])
    tell(spelling_notes(spellings))
    names = {name: canonical(name) for name in spellings}
    kept["subject"] = [names[name] for name in kept["subject"]]
    index = {name: np.array(texts, object) for name, texts in kept.items()}
    return {"video": index["source"]} | index


def _missing(path: Path, flag: str) -> str:
    """What is said where a file of the folder is not there."""
    return (
        f"{flag} {path}: there is no such file; a prepared folder holds Training.npy, labels.npy, index.csv and "
        f"classes.txt"
    )
