"""How collections of videos are laid out: where each says its label and its subject.

A layout is a function of the folder (or CSV file) that returns a :class:`Listing`.  Each recording is a video file, or
a folder with one picture a frame.
"""

import csv
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from .decode import PICTURES, natural

VIDEOS = set(
    ".3gp .asf .avi .divx .dv .f4v .flv .m2ts .m2v .m4v .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm .wmv "
    ".y4m".split()
)
"""Endings that name a video."""

SIX_EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
ENTERFACE_CODES = dict(zip(("an", "di", "fe", "ha", "sa", "su"), SIX_EMOTIONS, strict=True))
CREMAD_CODES = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happiness",
    "NEU": "neutral",
    "SAD": "sadness",
}
RAVDESS_EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")


@dataclass(frozen=True)
class Recording:
    """One video, or a part of one, with what it shows.

    Attributes:
        source: its path, as the index names it: from the folder, or as the CSV has it.
        label: name of the class.
        subject: name of the person.
        start, end: seconds; None: from the beginning, to the end.
    """

    source: str
    label: str
    subject: str
    start: float | None = None
    end: float | None = None

    @property
    def name(self):
        """Tells the recordings of a listing apart."""
        if self.start is None and self.end is None:
            return self.source
        return f"{self.source}#{self.start or 0:g}-{'' if self.end is None else f'{self.end:g}'}"


@dataclass
class Listing:
    """What a collection holds.

    Attributes:
        root: Path that the sources start from.
        classes: names, by label; None: those that occur, sorted.
        recordings: list of Recording.
        skipped: list of (path, why).
    """

    root: Path
    classes: tuple = None
    recordings: list = field(default_factory=list)
    skipped: list = field(default_factory=list)

    def skip(self, path, why):
        self.skipped.append((str(path), why))

    def add(self, *what):
        self.recordings.append(Recording(*what))

    def add_by_name(self, path, label, subject, seen):
        """Add a file of a collection in which names are unique; a second one of the same name is a copy."""
        if path.stem in seen:
            self.skip(path, f"has the name of {seen[path.stem]}, which was taken")
        else:
            seen[path.stem] = path
            self.add(path.as_posix(), label, subject)


def folders(root):
    """``label/subject/any.mp4``, or deeper; the folders' names are the label and the subject."""
    listing = Listing(Path(root))
    for path in _found(listing):
        # A folder of pictures may be the subject's own.
        least = 2 if (listing.root / path).is_dir() else 3
        if len(path.parts) < least:
            listing.skip(path, f"has no {'label' if len(path.parts) < least - 1 else 'subject'}: label/subject/file")
        else:
            listing.add(path.as_posix(), path.parts[0], path.parts[1])
    return listing


def enterface05(root):
    """``subject 1/anger/sentence 1/s1_an_1.avi``; subject 6 lacks a level, so each folder is known by its name."""
    listing = Listing(Path(root), SIX_EMOTIONS)
    for path in _found(listing):
        # The folder that was given may be a subject's own.
        parts = [part.strip().lower() for part in (listing.root.resolve().name, *path.parts)]
        subject = _first(re.fullmatch(r"subject[ _-]?(\d+)", part) for part in parts)
        label = next((part for part in parts if part in SIX_EMOTIONS), None)
        named = re.match(r"s[ _]?(\d+)[ _](an|di|fe|ha|sa|su)(?![a-z])", path.name.lower())
        if not label and named:
            label = ENTERFACE_CODES[named[2]]
        if not subject or not label:
            missing = "label" if subject else "subject"
            listing.skip(path, f"has no {missing}: subject 1/anger/sentence 1/s1_an_1.avi")
        else:
            listing.add(path.as_posix(), label, str(int(subject[1])))
    return listing


def cremad(root):
    """``1001_DFA_ANG_XX.flv``: actor, sentence, emotion, intensity; folders do not matter."""
    listing, seen = Listing(Path(root), tuple(CREMAD_CODES.values())), {}
    for path in _found(listing):
        named = re.fullmatch(r"(\d{4})_[A-Z]{3}_([A-Z]{3})_[A-Z]{1,2}", path.stem)
        if not named or named[2] not in CREMAD_CODES:
            listing.skip(path, "has no label: 1001_DFA_ANG_XX.flv")
        else:
            listing.add_by_name(path, CREMAD_CODES[named[2]], named[1], seen)
    return listing


def ravdess(root):
    """``01-01-03-02-01-01-12.mp4``: modality, voice, emotion, intensity, sentence, repetition, actor.

    Most recordings come twice, with sound (01) and without (02); one is taken.
    """
    listing, seen, copies = Listing(Path(root), RAVDESS_EMOTIONS), {}, {}
    # With sound (01) first: the name begins with it.
    for path in sorted(_found(listing), key=lambda path: path.name):
        named = re.fullmatch(r"(\d\d)-(\d\d-(\d\d)-\d\d-\d\d-\d\d-(\d\d))", path.stem)
        emotion = int(named[3]) if named else 0
        if not 1 <= emotion <= len(RAVDESS_EMOTIONS):
            listing.skip(path, "has no label: 01-01-03-02-01-01-12.mp4")
        elif path.stem not in seen and named[2] in copies:
            listing.skip(path, f"shows the same as {copies[named[2]]}, which was taken")
        else:
            copies.setdefault(named[2], path)
            listing.add_by_name(path, RAVDESS_EMOTIONS[emotion - 1], named[4], seen)
    return listing


def table(path):
    """A CSV file, ``path,label,subject[,start,end]`` in its first line; paths from its folder, times in seconds."""
    listing, seen = Listing(Path(path).parent), {}
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            missing = [name for name in ("path", "label", "subject") if name not in (rows.fieldnames or ())]
            if missing:
                raise InputError(
                    f"{path}: has no column {missing[0]}; its first line must be path,label,subject "
                    f"or path,label,subject,start,end, and is {','.join(map(str, rows.fieldnames or ()))!r}"
                )
            for row in rows:
                _take_row(listing, f"line {rows.line_num} of {Path(path).name}", row, seen)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: is no CSV file in UTF-8: {error}") from None
    return listing


LAYOUTS = {
    "folders": folders,
    "enterface05": enterface05,
    "cremad": cremad,
    "ravdess": ravdess,
    "csv": table,
    "ict-youtube": table,
}


def list_recordings(source, layout=None):
    """List a collection.

    Args:
        source: folder, or a CSV file.
        layout: key of :data:`LAYOUTS`; default "csv" for a file, "folders" for a folder.

    Returns:
        Listing, ``classes`` filled in.

    Raises:
        InputError: there is no such source or layout, or it holds no recording at all.
    """
    source = Path(source)
    if not source.exists():
        raise InputError(f"{source}: there is no such folder or file")
    layout = layout or ("folders" if source.is_dir() else "csv")
    if layout not in LAYOUTS:
        raise InputError(f"--layout is {layout!r}; it must be one of {', '.join(LAYOUTS)}")
    if source.is_dir() == (LAYOUTS[layout] is table):
        needed = "a CSV file" if source.is_dir() else "a folder"
        raise InputError(f"{source}: layout {layout} needs {needed}")
    listing = LAYOUTS[layout](source)
    if not listing.recordings:
        reason = "; ".join(f"{path}: {why}" for path, why in listing.skipped[:3])
        raise InputError(f"{source}: holds no recording in layout {layout}{': ' + reason if reason else ''}")
    listing.classes = listing.classes or tuple(sorted({each.label for each in listing.recordings}))
    return listing


def _take_row(listing, where, row, seen):
    values = {name: (row.get(name) or "").strip() for name in ("path", "label", "subject", "start", "end")}
    missing = [name for name in ("path", "label", "subject") if not values[name]]
    if missing:
        listing.skip(values["path"] or where, f"has no {missing[0]} ({where})")
        return
    try:
        start, end = (float(values[name]) if values[name] else None for name in ("start", "end"))
    except ValueError:
        listing.skip(values["path"], f"start {values['start']!r}, end {values['end']!r} are no seconds ({where})")
        return
    if end is not None and not (start or 0) < end:
        listing.skip(values["path"], f"ends at {end:g} s, before it starts at {start or 0:g} s ({where})")
        return
    recording = Recording(values["path"], values["label"], values["subject"], start, end)
    if recording.name in seen:
        listing.skip(recording.name, f"stands in {seen[recording.name]} too ({where})")
        return
    seen[recording.name] = where
    listing.recordings.append(recording)


def _found(listing):
    """Paths below the root that are videos, or folders of pictures, in natural order; the unreadable are skipped."""
    found = []

    def unreadable(error):
        listing.skip(os.path.relpath(error.filename, listing.root), f"cannot be read: {error.strerror}")

    for folder, names, files in os.walk(listing.root, onerror=unreadable):
        names[:] = [name for name in names if not name.startswith(".")]
        here = Path(folder).relative_to(listing.root)
        endings = {name: Path(name).suffix.lower() for name in files if not name.startswith(".")}
        found += [here / name for name, ending in endings.items() if ending in VIDEOS]
        if here.parts and PICTURES & set(endings.values()):
            found.append(here)
    return sorted(found, key=lambda path: [natural(part) for part in path.parts])


def _first(matches):
    return next((match for match in matches if match), None)
