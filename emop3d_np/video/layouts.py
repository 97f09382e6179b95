"""How collections of videos are laid out: where each collection says what a video's label is, and who is seen in it.

A layout is a function that takes the collection's folder, or a CSV file, and returns a :class:`Listing`.  A recording
is a video file, or a folder with one picture per frame.
"""

import csv
import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError
from ..reading import MOST_TABLE, read_text, reading, short
from .decode import PICTURES, natural

VIDEOS = set(
    ".264 .265 .3g2 .3gp .amv .asf .av1 .avi .divx .dv .f4v .flv .gif .h264 .h265 .hevc .ivf .m1v .m2t .m2ts .m2v "
    ".m4v .mjpeg .mjpg .mkv .mov .mp4 .mpe .mpeg .mpg .mpv .mts .mxf .nut .obu .ogm .ogv .qt .rm .rmvb .swf .tod .trp "
    ".ts .vob .vp8 .vp9 .webm .wmv .wtv .y4m".split()
)
"""Endings that name a video; files without any are tried, too."""

NO_VIDEOS = set(
    ".7z .aac .aif .aiff .ass .bz2 .cfg .conf .csv .db .doc .docx .eaf .flac .gz .htm .html .ini .json .jsonl .lnk "
    ".log .m4a .mat .md .mid .mp3 .npy .npz .ods .odt .oga .ogg .opus .pdf .pickle .pkl .ppt .pptx .py .rar .rst .rtf "
    ".sh .srt .sub .tar .textgrid .tgz .toml .tsv .txt .url .vtt .wav .wma .xls .xlsx .xml .yaml .yml .zip".split()
)
"""Endings of what lies beside videos: texts, tables, sound, archives.  Files of yet others are skipped with a word."""

LONGEST = 1e9
"""Seconds that no video has: thirty years."""

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
        source: path of the video, relative to the collection's folder, or as the CSV file has it.
        label: name of the class.
        subject: name of the person.
        start, end: seconds; None stands for the beginning and the end of the video.
    """

    source: str
    label: str
    subject: str
    start: float | None = None
    end: float | None = None

    @property
    def name(self) -> str:
        """The source and, where the recording is a part of it, the times; no other recording of a listing has it."""
        if self.start is None and self.end is None:
            return self.source
        return f"{self.source}#{self.start or 0:g}-{'' if self.end is None else f'{self.end:g}'}"


@dataclass
class Listing:
    """What a collection holds.

    Attributes:
        root: folder that the sources are relative to.
        classes: names of the classes, in the order of their numbers; empty where a layout prescribes none.
        recordings: what can be used.
        skipped: ``(path, why)`` of what cannot.
    """

    root: Path
    classes: tuple[str, ...] = ()
    recordings: list[Recording] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def skip(self, path: str | Path, why: str) -> None:
        """Say of a path why it is not used."""
        self.skipped.append((str(path), why))

    def add(self, path: Path, label: str, subject: str) -> None:
        """Use the video at ``path``, relative to the root, as a whole."""
        self.recordings.append(Recording(path.as_posix(), label, subject))

    def add_by_name(self, path: Path, label: str, subject: str, seen: dict[str, Path]) -> None:
        """As :meth:`add`, where file names are unique: a second file of the same name is a copy, and is skipped.

        ``seen`` has the paths used so far, by name.
        """
        if path.stem in seen:
            self.skip(path, f"has the name of {seen[path.stem]}, which was taken")
        else:
            seen[path.stem] = path
            self.add(path, label, subject)


def folders(root: str | Path) -> Listing:
    """``label/subject/any.mp4``: the two outermost folders are named by the label and the subject."""
    listing = Listing(Path(root))
    for path in _found(listing):
        # A folder of pictures is a recording itself, so it may stand in the place of the subject's folder.
        least = 2 if (listing.root / path).is_dir() else 3
        if len(path.parts) < least:
            listing.skip(path, f"has no {'label' if len(path.parts) < least - 1 else 'subject'}: label/subject/file")
        else:
            listing.add(path, path.parts[0], path.parts[1])
    return listing


def enterface05(root: str | Path) -> Listing:
    """``subject 1/anger/sentence 1/s1_an_1.avi``.

    Subject 6 lacks the folders of sentences, so a folder is told by its name and not by its level.
    """
    listing = Listing(Path(root), SIX_EMOTIONS)
    for path in _found(listing):
        # The root itself may be the folder of one subject.
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
            listing.add(path, label, str(int(subject[1])))
    return listing


def cremad(root: str | Path) -> Listing:
    """``1001_DFA_ANG_XX.flv``: actor, sentence, emotion, intensity.  Folders do not matter."""
    listing = Listing(Path(root), tuple(CREMAD_CODES.values()))
    seen: dict[str, Path] = {}
    for path in _found(listing):
        named = re.fullmatch(r"(\d{4})_[A-Z]{3}_([A-Z]{3})_[A-Z]{1,2}", path.stem)
        if not named or named[2] not in CREMAD_CODES:
            listing.skip(path, "has no label: 1001_DFA_ANG_XX.flv")
        else:
            listing.add_by_name(path, CREMAD_CODES[named[2]], named[1], seen)
    return listing


def ravdess(root: str | Path) -> Listing:
    """``01-01-03-02-01-01-12.mp4``: modality, voice, emotion, intensity, sentence, repetition, actor.

    Most recordings come twice, with sound (modality 01) and without (02); one of the two is used.
    """
    listing = Listing(Path(root), RAVDESS_EMOTIONS)
    seen: dict[str, Path] = {}
    copies: dict[str, Path] = {}
    # Sorted by name, recordings with sound come first.
    for path in sorted(_found(listing), key=lambda path: path.name):
        named = re.fullmatch(r"(\d\d)-(\d\d-(\d\d)-\d\d-\d\d-\d\d-(\d\d))", path.stem)
        if not named or not 1 <= int(named[3]) <= len(RAVDESS_EMOTIONS):
            listing.skip(path, "has no label: 01-01-03-02-01-01-12.mp4")
        elif path.stem not in seen and named[2] in copies:
            listing.skip(path, f"shows the same as {copies[named[2]]}, which was taken")
        else:
            copies.setdefault(named[2], path)
            listing.add_by_name(path, RAVDESS_EMOTIONS[int(named[3]) - 1], named[4], seen)
    return listing


def table(path: str | Path) -> Listing:
    """A CSV file whose first line is ``path,label,subject`` or ``path,label,subject,start,end``.

    Paths are relative to its folder, times are in seconds.
    """
    listing = Listing(Path(path).parent)
    seen: dict[str, str] = {}
    text = read_text(path, most=MOST_TABLE)
    with reading(str(path), damaged=f"{path}: is no CSV file"):
        rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True)
        missing = [name for name in ("path", "label", "subject") if name not in (rows.fieldnames or ())]
        if missing:
            raise InputError(
                f"{path}: has no column {missing[0]}; its first line must be path,label,subject "
                f"or path,label,subject,start,end, and is {short(','.join(rows.fieldnames or ()))!r}"
            )
        for row in rows:
            _take_row(listing, f"line {rows.line_num} of {Path(path).name}", row, seen)
    return listing


LAYOUTS = {
    "folders": folders,
    "enterface05": enterface05,
    "cremad": cremad,
    "ravdess": ravdess,
    "csv": table,
    "ict-youtube": table,
}


def list_recordings(source: str | Path, layout: str | None = None) -> Listing:
    """List a collection.

    Args:
        source: folder, or a CSV file.
        layout: key of :data:`LAYOUTS`; default "csv" for a file, "folders" for a folder.

    Returns:
        Listing with at least one recording.  Its classes are the layout's own, or else the labels that occur, sorted.

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


def _take_row(listing: Listing, where: str, row: dict[str, str], seen: dict[str, str]) -> None:
    """Use or skip the recording in a row of a table; ``seen`` has where each recording so far stands, by name."""
    values = {name: (row.get(name) or "").strip() for name in ("path", "label", "subject", "start", "end")}
    missing = [name for name in ("path", "label", "subject") if not values[name]]
    if missing:
        listing.skip(values["path"] or where, f"has no {missing[0]} ({where})")
        return
    try:
        start, end = (_seconds(values[name]) if values[name] else None for name in ("start", "end"))
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


def _seconds(text: str) -> float:
    """The time in a cell; raises ValueError where it is none, or beyond all videos."""
    value = float(text)
    if not 0 <= value < LONGEST:
        raise ValueError(text)
    return value


def _found(listing: Listing) -> list[Path]:
    """Paths below the root that are videos or folders of pictures, in natural order.

    Links to folders are followed, after all that is there without them; no folder is looked into twice.  Folders that
    cannot be read, and files that may be videos and are not taken, are noted in the listing.
    """
    found: list[Path] = []
    seen: dict[tuple[int, int], Path] = {}
    waiting, links = [Path()], list[Path]()
    while waiting or links:
        here = waiting.pop() if waiting else links.pop(0)
        try:
            state = (listing.root / here).stat()
            if (state.st_dev, state.st_ino) in seen:
                listing.skip(here, f"is the folder {seen[state.st_dev, state.st_ino]} once more")
                continue
            seen[state.st_dev, state.st_ino] = here
            entries = [entry for entry in os.scandir(listing.root / here) if not entry.name.startswith(".")]
        except OSError as error:
            listing.skip(here, f"cannot be read: {error.strerror}")
            continue
        # From the end of the list, so that folders come in the order of their names.
        folders = sorted((entry for entry in entries if entry.is_dir()), key=lambda entry: entry.name, reverse=True)
        waiting += [here / entry.name for entry in folders if not entry.is_symlink()]
        links += [here / entry.name for entry in reversed(folders) if entry.is_symlink()]
        endings = {entry.name: Path(entry.name).suffix.lower() for entry in entries if not entry.is_dir()}
        found += [here / name for name, ending in endings.items() if ending in VIDEOS or not ending]
        for name, ending in endings.items():
            if ending and ending not in VIDEOS | PICTURES | NO_VIDEOS:
                listing.skip(here / name, f"its ending {ending} names no video")
        if here.parts and PICTURES & set(endings.values()):
            found.append(here)
    return sorted(found, key=lambda path: [natural(part) for part in path.parts])


def _first(matches: Iterable[re.Match[str] | None]) -> re.Match[str] | None:
    return next((match for match in matches if match), None)
