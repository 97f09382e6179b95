"""``python -m emop3d_np prepare``: from a collection of videos to clips to train on.

Every recording is decoded and its face cut out, in several processes side by side.  The faces stay in ``OUT/faces``, so
that a run goes on from them if it was interrupted, or is repeated with other clips.  Then the clips are written:

=================== ===========================================================================================
``Training.npy``    clips (n, d, h, w, 1), uint8, or float32 from 0 to 1; or parts of it, as of ``datasets.parts``
``labels.npy``      (n,) int64
``classes.txt``     names of the classes, one per line, in the order of the labels
``index.csv``       a row per clip: clip, source, first_frame (of the source, from 0), subject, label, label_name, video
``record.json``     how the clips came to be, as of ``emop3d_np.datasets.record``
``report.csv``      a row per recording: frames, lost ones and their share, clips, notes; or why it was skipped
=================== ===========================================================================================
"""

import csv
import errno
import hashlib
import io
import json
import stat
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from tqdm import tqdm

from kernels.arrays import AnyArray, FloatArray, IntArray

from ..datasets import classes, parts, record
from ..errors import InputError
from ..executors import NotStarted, is_being_imported, open_executor
from ..files import beside, remove_unfinished, require_apart, write_atomically
from ..launchers import PROCESSES, cores, has_its_own_count
from ..locks import Busy, one_of_several_writers, only_writer
from ..reading import is_whole, read_json, reading
from ..tasks import Lost, Share, Task, Unwanted, is_wanted, run_tasks
from .cutting import as_flags
from .decode import Video, pyav
from .layouts import Listing, Recording, list_recordings
from .prepare_messages import (
    DECODER_BROKE_DOWN,
    NO_GUARD,
    Row,
    cannot_be_written,
    no_clip_at_all,
    require_clips,
    why_no_clip,
)
from .track import MARGIN, FaceTracker

FORMAT = 3
"""Number of the form of the files in ``OUT/faces``; it counts up when they change."""

WITHOUT_CHECKSUM = 2
"""The form before, whose descriptions have no checksum; such files are used again, too."""

ONE_FILE = "Training.npy"
"""The file of all clips, where they are not in parts."""

WRITTEN = (ONE_FILE, "labels.npy", "index.csv", "classes.txt", "report.csv", record.FILE)
"""Names of the files in ``OUT``."""

WHY = ".why"
"""Ending of the file that says why a recording cannot be used, in the place of its faces."""

MOST_SIDE = 4096
"""Rows and columns of a clip, at most."""

Job: TypeAlias = tuple[Path, Recording, Path, "FaceSettings"]
"""The arguments of :func:`_cut_out`."""


@dataclass(frozen=True)
class FaceSettings:
    """What decides how faces are cut out: the arguments of FaceTracker, and ``rate`` of Video."""

    size: int = 100
    prefer: str = "largest"
    every: int = 5
    min_face: float = 0.1
    patience: int = 5
    margin: float = MARGIN
    rate: float | None = None

    def tracker(self) -> FaceTracker:
        """A tracker with these settings, for one video."""
        return FaceTracker(self.size, self.prefer, self.every, self.min_face, self.patience, self.margin)


def prepare(
    source: str | Path,
    out: str | Path,
    layout: str | None = None,
    depth_frames: int = 16,
    overlap: int | None = None,
    dtype: str = "uint8",
    faces: FaceSettings | None = None,
    clips_per_file: int | None = None,
    *,
    processes: int | None = None,
    executor: str | Executor = PROCESSES,
    part: Share | None = None,
    progress: bool = True,
) -> list[Row]:
    """Turn a collection of videos into clips on disk.

    Args:
        source: folder or CSV file, see ``layouts``.
        out: folder to write to; it is made where it does not exist.  Faces that an earlier run with the same settings
            left there are used again.
        layout: key of ``layouts.LAYOUTS``; default "csv" for a file, "folders" for a folder.
        depth_frames: frames per clip; default 16.
        overlap: frames that neighbouring clips share; default half a clip, 8 of 16.
        dtype: "uint8" (default), or "float32" for values from 0 to 1.
        faces: how faces are cut out; default ``FaceSettings()``.
        clips_per_file: of the parts that the clips are written in, as of :mod:`emop3d_np.datasets.parts`; default None,
            one file.
        processes: number of recordings that are worked on at the same time; default: as many as there are cores.
        executor: who works on them, as of :func:`~emop3d_np.executors.open_executor`; default processes here.
        part: of the recordings, those that are looked at; several processes may each do one.  The last one to finish
            writes the clips.  Default None, all; then recordings that could not be used before are tried again, too.
        progress: True (default) shows a bar.

    Returns:
        The rows of ``report.csv``; none where other parts are not finished.

    Raises:
        InputError: a setting or the source does not fit, an extra is missing, no recording gave a clip, another
            process prepares into ``out``, it cannot be written, or the script that calls this has no main guard.
    """
    if is_being_imported():
        raise InputError(NO_GUARD)
    at_once = _at_once(processes, executor)
    overlap = depth_frames // 2 if overlap is None else overlap
    require_clips(depth_frames, overlap, dtype)
    faces, out = faces or FaceSettings(), Path(out)
    if not is_whole(faces.size, 1, MOST_SIDE):
        raise InputError(f"--size is {faces.size}; clips have at most {MOST_SIDE} rows and columns")
    listing = list_recordings(source, layout)
    classes.require_names(listing.classes, str(source))
    pyav(), faces.tracker()  # where an extra is missing, they say so before any process starts
    read = [*([] if Path(source).is_dir() else [source]), *(listing.root / each.source for each in listing.recordings)]
    require_apart({f"out, its {name}": out / name for name in WRITTEN}, read)
    work = _Work(out, at_once, executor, part, progress)
    try:
        return _find_and_write(listing, work, depth_frames, overlap, dtype, faces, clips_per_file)
    except OSError as error:
        raise cannot_be_written(out, error) from None


def _at_once(processes: int | None, executor: str | Executor) -> int:
    """How many recordings are worked on at the same time, where nobody else decides it."""
    if processes and has_its_own_count(executor):
        raise InputError(
            f"--processes {processes}: with --executor {executor} as many videos are worked on at a time as it has "
            f"ranks or workers; leave --processes out"
        )
    return processes or len(cores())


@dataclass(frozen=True)
class _Work:
    """How recordings are worked on: as of :func:`prepare`."""

    out: Path
    processes: int
    executor: str | Executor
    part: Share | None
    progress: bool


def _find_and_write(
    listing: Listing,
    work: _Work,
    depth: int,
    overlap: int,
    dtype: str,
    faces: FaceSettings,
    clips_per_file: int | None,
) -> list[Row]:
    """Find the faces that are to be found and write the clips, as of :func:`prepare`."""
    out, recordings = work.out, listing.recordings
    jobs = {each.name: _job(listing.root, each, out, faces) for each in recordings}
    if work.part and not _part_is_the_last(work.part.of(recordings), jobs, work):
        return []
    try:
        with only_writer(out):
            (out / "faces").mkdir(exist_ok=True)
            remove_unfinished(out / "faces")
            parts.remove_unfinished(out)
            if clips_per_file:
                parts.require_own(out / parts.FOLDER)
            found = _all_faces(recordings, jobs, _known if work.part else _kept, work)
            remove_unfinished(out / "faces")  # of those who were killed meanwhile
            return _write_clips(listing, found, out, depth, overlap, dtype, faces, clips_per_file)
    except Busy as error:
        if not work.part:
            raise
        print(f"{error}; it writes the clips")
        return []


# --- Faces: each recording by itself.


def _part_is_the_last(recordings: Sequence[Recording], jobs: Mapping[str, Job], work: _Work) -> bool:
    """Find the faces of a part of all recordings; returns whether those of all are there now."""
    with one_of_several_writers(work.out):
        (work.out / "faces").mkdir(exist_ok=True)
        _all_faces(recordings, jobs, _known, work)
    missing = sum(not any(job[2].with_suffix(end).exists() for end in (".json", WHY)) for job in jobs.values())
    if missing:
        print(f"recordings not looked at yet: {missing}; the last part to finish writes the clips")
    return not missing


def _job(root: Path, recording: Recording, out: Path, faces: "FaceSettings") -> Job:
    # Whoever works on it may have another working folder.
    return (root / recording.source).absolute(), recording, _stem(out, recording).absolute(), faces


def _all_faces(
    recordings: Sequence[Recording], jobs: Mapping[str, Job], known: Callable[[Job], Row | None], work: "_Work"
) -> dict[str, Row]:
    """The result of :func:`_cut_out` for every recording, by the recording's name.

    Args:
        recordings: the recordings.
        jobs: by the recording's name.
        known: gives the result of an earlier run.
        work: how the others are worked on.
    """
    found = {each.name: row for each in recordings if (row := known(jobs[each.name]))}
    waiting = [jobs[each.name] for each in recordings if each.name not in found]
    with tqdm(
        total=len(recordings), initial=len(found), desc="finding faces", unit="video", disable=not work.progress
    ) as bar:
        for recording, result in _side_by_side(waiting, work.processes, work.executor, work.out) if waiting else ():
            found[recording.name] = result
            bar.update()
    return found


def _side_by_side(
    jobs: Sequence[Job], processes: int, executor: str | Executor, out: Path
) -> Iterator[tuple[Recording, Row]]:
    """``recording, result`` of each job as soon as it is done; one whose process dies twice is named so."""
    by_task = {Task(job[1].name, _cut_out, job, partial(_known, job)): job for job in jobs}
    try:
        with open_executor(executor, min(processes, len(jobs)), out) as engines:
            for task, result in run_tasks(list(by_task), engines):
                job = by_task[task]
                lost = isinstance(result, Lost)
                if engines.remote and not lost and result["identity"] != _identity_if_any(*job):
                    raise InputError(
                        f"{job[0]} is another file, or none, where it was worked on; all who work must see the same "
                        f"files by the same paths"
                    )
                why = DECODER_BROKE_DOWN if lost and result.died else f"was lost twice: {result}"
                yield job[1], _write_why(job, why) if lost else result
    except NotStarted:
        raise InputError(NO_GUARD) from None


def _stem(out: Path, recording: Recording) -> Path:
    """Path of a recording's files in ``out``, without their endings."""
    return out / "faces" / hashlib.sha256(recording.name.encode(errors="surrogateescape")).hexdigest()[:20]


def _identity(path: Path, recording: Recording, faces: FaceSettings) -> Any:
    """All that faces on disk depend on; they are used again where it is the same."""
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        raise InputError(f"{path}: is no file but a pipe, a socket or a device")
    state = [status.st_size, status.st_mtime_ns]
    return json.loads(json.dumps([FORMAT, asdict(recording), asdict(faces), state]))


def _known(job: Job) -> Row | None:
    """The result of :func:`_cut_out` in an earlier run, or why there was none; None where it was not done."""
    kept = _kept(job)
    if kept:
        return kept
    stem = job[2]
    try:
        with reading(str(stem)):
            said: Row = read_json(stem.with_suffix(WHY))
            whole = said.pop("checksum") == _checksum(said) and said["identity"] == _identity_if_any(*job)
            return said | {"why": str(said["why"])} if whole else None
    except (InputError, OSError):
        return None


def _kept(job: Job) -> Row | None:
    """The result of :func:`_cut_out` in an earlier run, or None."""
    path, recording, stem, faces = job
    try:
        with reading(str(stem)):
            result: Row = read_json(stem.with_suffix(".json"))
            checksum, (form, *same) = result.pop("checksum", None), result["identity"]
            whole = checksum == _checksum(result) if form == FORMAT else (form, checksum) == (WITHOUT_CHECKSUM, None)
            whole = whole and same == _identity(path, recording, faces)[1:] and result["digest"] == _digest(stem)
            return result if whole and _could_be(result, stem) else None
    except (InputError, OSError):
        return None


def _could_be(result: Row, stem: Path) -> bool:
    """Whether a result, which may have no checksum, fits the places of the faces that it is of."""
    sightings = np.load(stem.with_suffix(".track.npy"), allow_pickle=False)
    runs = [[int(start), int(count)] for start, count in _runs(sightings[:, 0])]
    return (
        result["runs"] == runs
        and is_whole(result["frames"], len(sightings))
        and is_whole(result["lost"])
        and result["frames"] - result["lost"] == np.count_nonzero(sightings[:, TRACK.index("found")])
        and isinstance(result["notes"], list)
        and all(isinstance(note, str) for note in result["notes"])
    )


def _checksum(result: Row) -> str:
    """Digest of a description, without its own."""
    return hashlib.blake2b(json.dumps(result, sort_keys=True).encode(), digest_size=16).hexdigest()


def _digest(stem: Path) -> str:
    """Digest of a recording's faces and their places.  It ties the two files to the description that has it.

    A kill between them, and then other settings, would otherwise leave a description of other faces.
    """
    digest = hashlib.blake2b(digest_size=16)
    for ending in (".npy", ".track.npy"):
        with open(stem.with_suffix(ending), "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _cut_out(path: Path, recording: Recording, stem: Path, faces: FaceSettings) -> Row:
    """Write the faces of a recording to ``stem.npy``, their places to ``stem.track.npy``, the result to ``stem.json``.

    Of a recording that cannot be used, ``stem.why`` says why.

    Returns:
        The result, as of :func:`_write_result`; or, for a recording that cannot be used, ``identity`` and ``why``.
    """
    try:
        identity = _identity(path, recording, faces)
        tracker, track = faces.tracker(), array("d")
        with (
            Video(path, recording.start, recording.end, faces.rate, threads=1) as video,
            beside(stem.with_suffix(".npy")) as unfinished,
            open(unfinished, "wb") as file,
        ):
            _write_header(file, 0, faces.size)
            for frame in video:
                if not is_wanted():
                    raise Unwanted("it was not wanted any more")
                seen = tracker(frame)
                if seen:
                    file.write(seen.pixels.data)
                    track.extend((seen.run, seen.frame, seen.time, *seen.box, seen.found))
            sightings = np.array(track).reshape(-1, len(TRACK))
            file.seek(0)
            _write_header(file, len(sightings), faces.size)
        write_atomically(stem.with_suffix(".track.npy"), lambda file: np.save(file, sightings))
        result = _write_result(stem, identity, sightings, tracker.frames, tracker.lost, video.notes)
        if stem.with_suffix(WHY).exists():
            stem.with_suffix(WHY).unlink()
        return result
    except Unwanted:
        raise
    except InputError as error:
        why = str(error).removeprefix(f"{path}: ")
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        why = str(error.strerror or error)
    except Exception as error:
        # Whatever a damaged file brings about, the others go on; the report says what it was.
        why = f"{type(error).__name__}: {error}"
    return _write_why((path, recording, stem, faces), why)


def _write_why(job: Job, why: str) -> Row:
    """Say in a file why a recording cannot be used; returns what it says."""
    said: Row = {"identity": _identity_if_any(*job), "why": why}
    text = json.dumps({**said, "checksum": _checksum(said)}).encode()
    write_atomically(job[2].with_suffix(WHY), lambda file: file.write(text))
    return said


def _identity_if_any(path: Path, recording: Recording, stem: Path, faces: FaceSettings) -> Any:
    """As of :func:`_identity`; None of what is not there, or no file."""
    try:
        return _identity(path, recording, faces)
    except (InputError, OSError):
        return None


def _write_result(stem: Path, identity: Any, sightings: FloatArray, *said: Any) -> Row:
    """Describe the faces of a recording, which are written, in ``stem.json``, with a checksum.

    Args:
        stem, identity: as of :func:`_cut_out` and :func:`_identity`.
        sightings: ndarray of shape (n, 7), as ``.track.npy`` has it.
        said: ``frames`` that the recording has, how many of them are ``lost``, and ``notes``.

    Returns:
        What it says: ``identity``, ``digest`` of the two files, ``runs`` (first row and length of each run of frames),
        and what is ``said``, by these names.
    """
    frames, lost, notes = said
    result: Row = {
        "identity": identity,
        "digest": _digest(stem),
        "frames": frames,
        "lost": lost,
        "runs": [[int(start), int(count)] for start, count in _runs(sightings[:, 0])],
        "notes": notes,
    }
    text = json.dumps({**result, "checksum": _checksum(result)}).encode()
    write_atomically(stem.with_suffix(".json"), lambda file: file.write(text))
    return result


TRACK = ("run", "frame", "time", "x", "y", "side", "found")
"""Columns of ``.track.npy``, as Sighting has them; ``x``, ``y`` and ``side`` are its box."""


def _write_header(file: IO[bytes], count: int, size: int) -> None:
    """Write an .npy header for ``count`` faces, equally long for any count, so that the end can write the right one."""
    header = io.BytesIO()
    shape = (count, size, size)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    file.write(header.getvalue())


def _runs(values: FloatArray) -> Iterable[tuple[int, int]]:
    """Start and length of each stretch of equal ``values``, an ndarray of shape (n,)."""
    starts = np.flatnonzero(np.diff(values, prepend=np.nan))
    return zip(starts, np.diff([*starts, len(values)]), strict=True)


# --- Clips: all recordings together.


def _write_clips(
    listing: Listing,
    found: Mapping[str, Row],
    out: Path,
    depth: int,
    overlap: int,
    dtype: str,
    faces: FaceSettings,
    clips_per_file: int | None,
) -> list[Row]:
    """Cut the faces of all recordings into clips and write the files that training reads, and the report.

    Returns the rows of the report.
    """
    rows: list[Row] = []
    plan: Plan = []
    for recording in listing.recordings:
        result = found[recording.name]
        row: Row = {"video": recording.name, "subject": recording.subject, "label": recording.label}
        if "why" in result:
            rows.append(row | {"clips": 0, "skipped": result["why"]})
            continue
        starts = [
            start + offset for start, count in result["runs"] for offset in range(0, count - depth + 1, depth - overlap)
        ]
        row |= {"frames": result["frames"], "lost": result["lost"], "clips": len(starts)}
        row |= {"lost_share": f"{result['lost'] / max(result['frames'], 1):.4f}", "notes": "; ".join(result["notes"])}
        if starts:
            plan.append((recording, starts))
        else:
            row["skipped"] = why_no_clip(result, depth)
        rows.append(row)
    rows += [{"video": path, "clips": 0, "skipped": why} for path, why in listing.skipped]
    _write_table(out / "report.csv", REPORT, rows)
    if not plan:
        raise no_clip_at_all(rows, out)

    clips = _clips(out, plan, depth, dtype)
    if clips_per_file:
        with parts.beside(out / parts.FOLDER) as unfinished:
            parts.write_into(unfinished, clips, clips_per_file)
            _forget(out)
            (out / ONE_FILE).unlink(missing_ok=True)
    else:
        with beside(out / ONE_FILE) as unfinished, open(unfinished, "wb") as file:
            parts.write_npy(file, clips)
            _forget(out)
            if parts.is_parted(out / parts.FOLDER):
                parts.remove(out / parts.FOLDER)
    labels = np.repeat(
        [listing.classes.index(recording.label) for recording, _ in plan], [len(starts) for _, starts in plan]
    )
    made = record.Record(
        *(tuple(listing.classes), depth, faces.size, faces.size, 1),
        grey=True, overlap=overlap, faces=as_flags(faces), made_by="prepare",
    )  # fmt: skip
    _describe(out, made, labels.astype(np.int64), _index(out, plan, listing.classes))
    return rows


Plan: TypeAlias = list[tuple[Recording, list[int]]]
"""The recordings that give clips, each with the rows of its faces at which these begin."""


def _clips(out: Path, plan: Plan, depth: int, dtype: str) -> Iterator[AnyArray]:
    """The clips (d, h, w, 1) of all recordings, in their order."""
    for recording, starts in plan:
        pixels = np.load(_stem(out, recording).with_suffix(".npy"), mmap_mode="r")[..., np.newaxis]
        for start in starts:
            clip = pixels[start : start + depth]
            yield clip if dtype == "uint8" else clip / np.float32(255)


def _index(out: Path, plan: Plan, names: Sequence[str]) -> Iterator[Row]:
    """The rows of ``index.csv``; ``names`` are those of the classes."""
    clip = 0
    for recording, starts in plan:
        frames = np.load(_stem(out, recording).with_suffix(".track.npy"))[:, TRACK.index("frame")]
        label = names.index(recording.label)
        for start in starts:
            values = clip, recording.source, int(frames[start]), recording.subject, label, recording.label
            yield dict(zip(INDEX, (*values, recording.name), strict=True))
            clip += 1


def _forget(out: Path) -> None:
    """Remove what stands beside the clips of before: new clips never stand with old labels, which would be taken."""
    for name in (record.FILE, "index.csv", "labels.npy", "classes.txt"):
        (out / name).unlink(missing_ok=True)


def _describe(out: Path, made: record.Record, labels: IntArray, index: Iterable[Row]) -> None:
    """Write what stands beside the clips; the record last, since it says that the folder is whole."""
    write_atomically(out / "labels.npy", lambda file: np.save(file, labels))
    _write_text(out / "classes.txt", "".join(f"{name}\n" for name in made.class_names))
    _write_table(out / "index.csv", INDEX, index)
    record.write(out, made)


INDEX = ("clip", "source", "first_frame", "subject", "label", "label_name", "video")
"""Columns of ``index.csv``."""

REPORT = ("video", "subject", "label", "frames", "lost", "lost_share", "clips", "notes", "skipped")
"""Columns of ``report.csv``."""


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write_text(path, text.getvalue())


def _write_text(path: Path, text: str) -> None:
    # A file's name need not be UTF-8.
    write_atomically(path, lambda file: file.write(text.encode(errors="backslashreplace")))
