"""How clips came to be: one record, written beside them, that goes with them into the run and into its checkpoint.

``prepare`` and ``strokes`` write it as the last file of a prepared folder, ``record.json``.  A folder of an older
version, or one made by other means, has none, and serves all the same.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from .. import __version__, files
from ..errors import InputError
from ..reading import is_whole, listed, read_json, require, short
from .classes import require_names

FILE = "record.json"
"""Its name, in a prepared folder and in a run's."""

FORMAT = 1
"""Number of the record's form; it counts up when a reader of before would take it wrongly."""

LONGEST = 1 << 30
"""Frames, or pixels of a side, that no clip has."""


def _is_share(value: Any) -> bool:
    return type(value) is float and 0 < value < 1


def _is_count(value: Any, least: int = 1) -> bool:
    return is_whole(value, least, LONGEST)


FACES: dict[str, Callable[[Any], bool]] = {
    "face": lambda value: value in ("largest", "central"),
    "detect_every": _is_count,
    "min_face": _is_share,
    "patience": lambda value: _is_count(value, 0),
    "margin": _is_share,
    "fps": lambda value: value is None or (type(value) in (int, float) and 0 < value <= 1000),
}
"""The flags of ``prepare`` by which a face is found and cut out, and what each may be; fps None takes every frame."""


@dataclass(frozen=True)
class Record:
    """How a set of clips came to be.

    Attributes:
        class_names: names of the classes, in the order of the labels.
        depth_frames, height, width, channels: the shape (d, h, w, c) of a clip.
        grey: whether channels are equal, or one.
        overlap: frames that neighbouring clips share; None where clips are not cut out of longer ones.
        faces: values of the flags :data:`FACES`, by name; None where clips are no faces cut out of videos.
        made_by: the command.
        version: of this package.
    """

    class_names: tuple[str, ...]
    depth_frames: int
    height: int
    width: int
    channels: int
    grey: bool
    overlap: int | None
    faces: Mapping[str, Any] | None
    made_by: str
    version: str = __version__

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(d, h, w, c)`` of a clip."""
        return self.depth_frames, self.height, self.width, self.channels

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        return {"format": FORMAT, **asdict(self), "class_names": list(self.class_names)}


def write(folder: str | Path, record: Record) -> None:
    """Write ``record.json`` into a folder.

    Raises:
        InputError: it cannot be written.
    """
    files.write_text(Path(folder) / FILE, json.dumps(record.as_dict(), indent=2, ensure_ascii=False) + "\n")


def read(folder: str | Path, where: str = "") -> Record | None:
    """The record in a folder; None where there is none.

    Args:
        folder: a prepared folder.
        where: what the record is called in messages; default its path.

    Raises:
        InputError: it is damaged, or of a later version.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    return from_dict(read_json(path, where or str(path)), where or str(path))


def from_dict(values: Mapping[str, Any], where: str) -> Record:
    """The record that :meth:`Record.as_dict` made ``values`` of.

    Raises:
        InputError: a value is missing, or is none that ``prepare`` or ``strokes`` could have written; ``where`` is
            what the record is called in the message.
    """
    if values.get("format") != FORMAT:
        raise InputError(f"{where}: has format {short(repr(values.get('format')))}; this version reads format {FORMAT}")
    names = [field.name for field in fields(Record)]
    missing = [name for name in names if name not in values]
    if missing:
        raise InputError(f"{where}: says nothing of {', '.join(missing)}; prepare the clips again")
    depth, overlap, faces = values["depth_frames"], values["overlap"], values["faces"]
    class_names = values["class_names"]
    right = {
        "class_names": isinstance(class_names, list) and all(isinstance(name, str) for name in class_names),
        **{side: _is_count(values[side]) for side in ("depth_frames", "height", "width", "channels")},
        "grey": isinstance(values["grey"], bool),
        "overlap": overlap is None or (_is_count(overlap, 0) and _is_count(depth) and overlap < depth),
        "faces": faces is None or (isinstance(faces, dict) and set(faces) >= set(FACES)),
        "made_by": isinstance(values["made_by"], str),
        "version": isinstance(values["version"], str),
    }
    if isinstance(faces, dict):
        right |= {f"faces: {name}": name in faces and fits(faces[name]) for name, fits in FACES.items()}
    for name, fits in right.items():
        value = faces.get(name.removeprefix("faces: ")) if name.startswith("faces: ") else values[name]
        require(fits, where, name, value, "; prepare the clips again")
    require_names(class_names, where)
    kept = {name: values[name] for name in names}
    kept["faces"] = None if faces is None else {name: faces[name] for name in FACES}
    return Record(**{**kept, "class_names": tuple(class_names)})


def require_fit(record: Record, class_names: Sequence[str], shape: Sequence[int], where: str) -> None:
    """Refuse a record that is not of the clips beside it.

    Args:
        record: the record.
        class_names: what ``classes.txt`` says.
        shape: ``(d, h, w, c)`` of the clips.
        where: what the record is called in messages.

    Raises:
        InputError: the classes or their order, or the shape, is another.
    """
    for what, recorded, found in (
        ("the classes", record.class_names, tuple(class_names)),
        ("the clips' (d, h, w, c)", record.shape, tuple(shape)),
    ):
        if recorded != found:
            raise InputError(
                f"{where}: {what} were {listed(recorded)} when it was written, and are {listed(found)}: the folder has "
                f"been changed; prepare it again, or delete {FILE} if you know it to be right"
            )


def differences(one: Record | None, other: Record | None) -> list[str]:
    """The flags by which faces were cut out differently, like "--margin 0.6 in place of --margin 0.2".

    Args:
        one, other: their records; None where a set has none.
    """
    if not (one and other and one.faces and other.faces):
        return []
    return [
        f"{in_words(name, one.faces[name])} in place of {in_words(name, other.faces[name])}"
        for name in FACES
        if one.faces[name] != other.faces[name]
    ]


def in_words(name: str, value: Any) -> str:
    """A flag of :data:`FACES` as a user writes it, or that it is left out."""
    if value is None:
        return f"no --{name}"
    return f"--{name} {value:g}" if isinstance(value, float) else f"--{name} {value}"
