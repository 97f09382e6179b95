"""What a run's clips are, in a few letters: kept in its checkpoint, and compared when it goes on.

A digest is SHA-256.  That of the clips is of their type, their shape, which of them the set takes, and their values:
all of them up to :data:`WHOLE` bytes, of a larger array :data:`BLOCKS` blocks of :data:`BLOCK` bytes, evenly spaced,
the first and the last among them.  So a set of any size is told in moments; a change of a few clips of a large set,
between two blocks, is not seen.  Labels and groups (subject, source and video of every clip) go in whole.  Clips in
parts have the digest of the same clips in one file, so a run may go on with either.
"""

import hashlib
import json
import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from ..reading import is_whole, listed, read_json, require
from . import record
from .classes import require_names
from .clips import ClipSet
from .parts import PartedClips

WHOLE = 1 << 26
"""Bytes of clips up to which all of them go into the digest: 64 megabytes."""

TOGETHER = 4096
"""Rows of an index that are put into its digest at a time."""

BLOCKS, BLOCK = 1024, 4096
"""How many blocks of a larger array do, and of how many bytes each is."""

GROUPS = ("subject", "source", "video")
"""Columns of a set's index that say which clips belong together."""

PARTS = {
    "count": "the number of clips",
    "labels": "the labels",
    "groups": "the subjects, sources or videos",
    "clips": "the clips",
}
"""What is compared of a set, and what it is called."""


def describe(training: ClipSet, validation: ClipSet | None = None) -> dict[str, Any]:
    """What a checkpoint keeps of the clips of its run.

    Args:
        training, validation: the sets; default of the second None, there is none.

    Returns:
        Plain values: ``class_names``, in the order of the labels; ``record``, as of ``datasets.record``, None where the
        training set has none; and ``training`` and ``validation``, of each set how many clips it has, ``count``, and
        the digests of its ``labels``, ``groups`` and ``clips``; None for a set that there is not.
    """
    record = training.record and training.record.as_dict()
    sets = {"training": training, "validation": validation}
    described = {part: clips and _digests(clips) for part, clips in sets.items()}
    return {"class_names": list(training.class_names), "record": record, **described}


def read(path: str | Path) -> dict[str, Any]:
    """What a file says of a training set and its classes, which :func:`describe` made.

    Raises:
        InputError: it is damaged, or lacks one of them.
    """
    described = read_json(path)
    for name in ("class_names", "training"):
        require(bool(described.get(name)), str(path), name, described.get(name))
    require_form(described, str(path))
    return described


def require_form(described: Any, where: str, classes: int | None = None) -> None:
    """Refuse what :func:`describe` cannot have made; what an older version does not say may be missing.

    Args:
        described: what was read.
        where: what it was read from, for messages.
        classes: how many classes there must be; default None, any number.

    Raises:
        InputError: a value cannot be.
    """
    require(isinstance(described, dict), where, "data", described)
    names = described.get("class_names")
    if names is not None:
        fits = isinstance(names, list) and all(isinstance(name, str) for name in names)
        require(fits and len(names) == (classes or len(names)), where, "class_names", names)
        require_names(names, where)
    made = described.get("record")
    if made is not None:
        require(isinstance(made, dict), where, "record", made)
        own = record.from_dict(made, f"{where}, its record").class_names
        require(own == tuple(names or ()), where, "record", made)
    for part in ("training", "validation"):
        found = described.get(part)
        if found is not None:
            fits = isinstance(found, dict) and is_whole(found.get("count"), 1)
            fits = fits and all(isinstance(found.get(name), str) for name in PARTS if name != "count")
            require(fits, where, part, found)


def require_same(before: Mapping[str, Any], now: Mapping[str, Any], where: str, advice: str) -> None:
    """Refuse to go on with other clips.

    Args:
        before: as of :func:`describe`, of the clips of a run; what it does not say is not compared.
        now: of the clips that are there now.
        where: what the run is called in the message.
        advice: what its user can do.

    Raises:
        InputError: they are not the same; what differs is named.
    """
    differing = differences(before, now)
    if differing:
        raise InputError(f"{where}: {', '.join(differing)} differ: the data have changed since; {advice}")


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs of two, as :func:`describe` gives them, in words; what the first does not say is not compared."""
    differing = []
    for part in ("training", "validation"):
        then, found = before.get(part), now.get(part)
        if then and found:
            names = [words for name, words in PARTS.items() if name in then and then[name] != found[name]]
            if PARTS["count"] in names:
                names = [f"{PARTS['count']} ({then['count']}, now {found['count']})"]
            differing += [f"{words} of the {part} set" for words in names]
    names_then, names_now = before.get("class_names"), now["class_names"]
    if names_then and names_then != names_now:
        differing.append(f"the classes ({listed(names_then)}; now {listed(names_now)})")
    return differing


def _digests(clips: ClipSet) -> dict[str, Any]:
    """What :func:`describe` says of a set."""
    return {
        "count": len(clips),
        "labels": _sha256(clips.labels.astype("<i8").tobytes()),
        "groups": _digest_of_groups(clips.index or {}),
        "clips": _digest_of_values(clips),
    }


def _digest_of_groups(index: Mapping[str, AnyArray]) -> str:
    """The digest of the columns :data:`GROUPS` of an index, as JSON has them: {"subject": ["a", "b"], ...}."""
    digest = hashlib.sha256(b"{")
    for number, name in enumerate(GROUPS if index else ()):
        digest.update(f"{', ' if number else ''}{json.dumps(name)}: [".encode())
        for start in range(0, len(index[name]), TOGETHER):
            texts = np.asarray(index[name][start : start + TOGETHER]).astype(str).tolist()
            digest.update(f"{', ' if start else ''}{json.dumps(texts)[1:-1]}".encode())
        digest.update(b"]")
    digest.update(b"}")
    return digest.hexdigest()


def _digest_of_values(clips: ClipSet) -> str:
    """The digest of what a set's clips show; of those that are drawn when they are read, of the set's name."""
    values = clips.clips
    digest = hashlib.sha256(f"{values.dtype.str} {values.shape}".encode())
    if clips.rows is not None:
        digest.update(clips.rows.astype("<i8").tobytes())
    if clips.draw:
        digest.update(clips.name.encode())
    else:
        for block in _blocks_of_parts(values) if isinstance(values, PartedClips) else _blocks(values):
            digest.update(block)
    return digest.hexdigest()


def _blocks_of_parts(values: PartedClips) -> Iterator[bytes]:
    """The bytes of clips in parts that go into their digest: those of the same clips in one file."""
    for start, count in _places(values.nbytes):
        yield from values.read_bytes(start, count)


def _places(size: int) -> Iterator[tuple[int, int]]:
    """First byte and length of each block that goes into the digest of so many bytes."""
    if size <= WHOLE:
        yield 0, size
    else:
        yield from ((int(start), BLOCK) for start in np.linspace(0, size - BLOCK, BLOCKS).astype(np.int64))


def _blocks(values: AnyArray) -> Iterator[memoryview]:
    """The bytes of an array that go into its digest, as they lie in memory; views of it, where it lies there whole."""
    flat = values.ravel(order="K").view(np.uint8)
    # Of a file that is mapped, the system would read megabytes around each block.
    base: Any = values.base
    advise = getattr(base, "madvise", None) if isinstance(base, mmap.mmap) else None
    if advise and flat.size > WHOLE:
        advise(mmap.MADV_RANDOM)
    for start, count in _places(flat.size):
        yield flat[start : start + count].data
    if advise and flat.size > WHOLE:
        advise(mmap.MADV_NORMAL)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
