"""``python -m emop3d_np prepare``: from a collection of videos to clips to train on.

Every recording is decoded and its face cut out, in processes side by side; the faces stay in ``OUT/faces``, so that a
run that was interrupted, or repeated with other clips, goes on from them.  Then the clips are written:

=================== ===========================================================================================
``Training.npy``    clips (n, d, h, w, 1), uint8, or float32 from 0 to 1
``labels.npy``      (n,) int64
``classes.txt``     names of the classes, one a line, in the order of the labels
``index.csv``       a row a clip: clip, source, first_frame (of the source, from 0), subject, label, label_name, video
``report.csv``      a row a recording: frames, lost frames and their share, clips, what was strange; skipped ones too
=================== ===========================================================================================
"""

import csv
import errno
import hashlib
import io
import json
import multiprocessing
import os
import signal
from array import array
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ..errors import InputError
from ..files import write_atomically
from .decode import Video, pyav
from .layouts import list_recordings
from .track import MARGIN, FaceTracker

FORMAT = 1
"""Of the files in ``OUT/faces``; changes with what they mean."""


@dataclass(frozen=True)
class FaceSettings:
    """What decides how faces are cut out: see FaceTracker, and ``rate`` of Video."""

    size: int = 100
    prefer: str = "largest"
    every: int = 5
    min_face: float = 0.1
    patience: int = 5
    margin: float = MARGIN
    rate: float | None = None

    def tracker(self):
        return FaceTracker(self.size, self.prefer, self.every, self.min_face, self.patience, self.margin)


def prepare(
    source,
    out,
    layout=None,
    depth_frames=16,
    overlap=None,
    dtype="uint8",
    faces=None,
    processes=None,
    progress=True,
):
    """Turn a collection of videos into clips on disk.

    Args:
        source: folder or CSV file, see ``layouts``.
        out: folder to write to; made if need be.  Faces found there by an earlier run with the same settings are used.
        layout: key of ``layouts.LAYOUTS``; default: by the source.
        depth_frames: frames of a clip; default 16.
        overlap: frames that neighbouring clips share; default half a clip, 8 of 16.
        dtype: "uint8" (default), or "float32" for values from 0 to 1.
        faces: FaceSettings; default FaceSettings().
        processes: recordings worked on at once; default: the cores there are.
        progress: shows a bar; default True.

    Returns:
        list of dict, a row of ``report.csv`` each.

    Raises:
        InputError: a setting or the source does not fit, an extra is missing, nothing could be used, ``out`` cannot be
            written, or it was interrupted.
    """
    overlap = depth_frames // 2 if overlap is None else overlap
    if not 0 <= overlap < depth_frames:
        raise InputError(f"--overlap is {overlap}; clips of {depth_frames} frames can share 0 to {depth_frames - 1}")
    if dtype not in ("uint8", "float32"):
        raise InputError(f"--dtype is {dtype!r}; it must be uint8 or float32")
    faces, out = faces or FaceSettings(), Path(out)
    listing = list_recordings(source, layout)
    pyav(), faces.tracker()  # an extra that is missing is missed here, and not in every process
    try:
        (out / "faces").mkdir(parents=True, exist_ok=True)
        found = _all_faces(listing, out, faces, processes, progress)
        return _write_clips(listing, found, out, depth_frames, overlap, dtype, faces)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from None


# --- Faces: a recording at a time.


def _all_faces(listing, out, faces, processes, progress):
    """What :func:`_cut_out` says of every recording, by name."""
    found, waiting = {}, []
    for recording in listing.recordings:
        job = (listing.root / recording.source, recording, _stem(out, recording), faces)
        kept = _kept(*job)
        if kept:
            found[recording.name] = kept
        else:
            waiting.append(job)
    with tqdm(
        total=len(listing.recordings), initial=len(found), desc="finding faces", unit="video", disable=not progress
    ) as bar:
        for recording, result in _side_by_side(waiting, processes or _cores()):
            found[recording.name] = result
            bar.update()
    return found


def _side_by_side(jobs, processes):
    """Yields ``recording, result`` of each job when done.  A job that kills its process is tried once more, alone."""
    jobs, suspects = list(reversed(jobs)), []
    while jobs or suspects:
        alone = not jobs
        batch = [suspects.pop()] if alone else jobs
        # Spawned: a forked copy of a process that has run threads may hang.
        context = multiprocessing.get_context("spawn")
        stop = context.Event()
        count = min(processes, len(batch))
        pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(stop,))
        running = {}
        try:
            while batch or running:
                while batch and len(running) < 2 * count:
                    job = batch.pop()
                    running[pool.submit(_cut_out, *job)] = job
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    result = future.result()
                    yield running.pop(future)[1], result
        except BrokenProcessPool:
            if alone:
                ((_, recording, *_),) = running.values()
                yield recording, {"why": "the decoder broke down on it"}
            else:
                suspects += running.values()
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(stop):
    """In each process: Ctrl-C is the parent's to hear."""
    global _stop  # noqa: PLW0603
    _stop = stop
    signal.signal(signal.SIGINT, signal.SIG_IGN)


_stop = None


def _stem(out, recording):
    return out / "faces" / hashlib.sha256(recording.name.encode()).hexdigest()[:20]


def _identity(path, recording, faces):
    """What must be the same for faces on disk to be used again."""
    stat = path.stat()
    state = [stat.st_size, stat.st_mtime_ns]
    return json.loads(json.dumps([FORMAT, asdict(recording), asdict(faces), state]))


def _kept(path, recording, stem, faces):
    """The result of an earlier run, or None."""
    try:
        result = json.loads(stem.with_suffix(".json").read_text())
        return result if result["identity"] == _identity(path, recording, faces) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _cut_out(path, recording, stem, faces):
    """Write the faces of a recording to ``stem.npy``, where they stood to ``.track.npy``, and the rest to ``.json``.

    Returns:
        dict: ``frames``, ``lost``, ``runs`` (first row and length of each run of frames), ``notes``; or ``why`` it
        cannot be used.
    """
    unfinished = stem.with_suffix(".unfinished")
    try:
        identity = _identity(path, recording, faces)
        tracker, track = faces.tracker(), array("d")
        with (
            Video(path, recording.start, recording.end, faces.rate, threads=1) as video,
            open(unfinished, "wb") as file,
        ):
            _write_header(file, 0, faces.size)
            for frame in video:
                if _stop is not None and _stop.is_set():
                    return {"why": "stopped"}
                seen = tracker(frame)
                if seen:
                    file.write(seen.pixels)
                    track.extend((seen.run, seen.frame, seen.time, *seen.box, seen.found))
            track = np.array(track).reshape(-1, len(TRACK))
            file.seek(0)
            _write_header(file, len(track), faces.size)
        os.replace(unfinished, stem.with_suffix(".npy"))
        write_atomically(stem.with_suffix(".track.npy"), lambda file: np.save(file, track))
        result = {
            "identity": identity,
            "frames": tracker.frames,
            "lost": tracker.lost,
            "runs": [[int(start), int(count)] for start, count in _runs(track[:, 0])],
            "notes": video.notes,
        }
        text = json.dumps(result).encode()
        write_atomically(stem.with_suffix(".json"), lambda file: file.write(text))
        return result
    except InputError as error:
        return {"why": str(error).removeprefix(f"{path}: ")}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        return {"why": str(error.strerror or error)}
    except Exception as error:
        # Whatever a damaged file brings about, the others go on; the report names it.
        return {"why": f"{type(error).__name__}: {error}"}
    finally:
        unfinished.unlink(missing_ok=True)


TRACK = ("run", "frame", "time", "x", "y", "side", "found")
"""Columns of ``.track.npy``: see Sighting."""


def _write_header(file, count, size):
    """An .npy header for so many faces; of one length for any count, so that it can be written again at the end."""
    header = io.BytesIO()
    shape = (count, size, size)
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
    file.write(header.getvalue())


def _runs(values):
    """Start and length of each stretch of equal ``values``."""
    starts = np.flatnonzero(np.diff(values, prepend=np.nan))
    return zip(starts, np.diff([*starts, len(values)]), strict=True)


# --- Clips: everything together.


def _write_clips(listing, found, out, depth, overlap, dtype, faces):
    rows, plan = [], []
    for recording in listing.recordings:
        result = found[recording.name]
        row = {"video": recording.name, "subject": recording.subject, "label": recording.label}
        if "why" in result:
            rows.append(row | {"clips": 0, "skipped": result["why"]})
            continue
        starts = [
            start + offset for start, count in result["runs"] for offset in range(0, count - depth + 1, depth - overlap)
        ]
        row |= {"frames": result["frames"], "lost": result["lost"], "clips": len(starts)}
        row |= {"lost_share": f"{result['lost'] / max(result['frames'], 1):.4f}", "notes": "; ".join(result["notes"])}
        if not starts:
            row["skipped"] = _why_no_clip(result, depth)
        rows.append(row)
        plan.append((recording, starts))
    rows += [{"video": path, "clips": 0, "skipped": why} for path, why in listing.skipped]
    _write_table(out / "report.csv", REPORT, rows)
    total = sum(len(starts) for _, starts in plan)
    if not total:
        reasons = "; ".join(f"{row['video']}: {row['skipped']}" for row in rows[:3])
        raise InputError(f"none of {len(rows)} recordings gave a clip ({reasons}); see {out / 'report.csv'}")

    shape = (total, depth, faces.size, faces.size, 1)
    labels, index = np.empty(total, np.int64), []
    unfinished = out / "Training.npy.unfinished"
    with open(unfinished, "wb") as file:
        description = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, description)
        for recording, starts in plan:
            pixels = np.load(_stem(out, recording).with_suffix(".npy"), mmap_mode="r") if starts else ()
            frames = np.load(_stem(out, recording).with_suffix(".track.npy"))[:, TRACK.index("frame")]
            label = listing.classes.index(recording.label)
            for start in starts:
                clip = pixels[start : start + depth]
                file.write(np.ascontiguousarray(clip if dtype == "uint8" else clip / np.float32(255)))
                labels[len(index)] = label
                values = len(index), recording.source, int(frames[start]), recording.subject, label, recording.label
                index.append(dict(zip(INDEX, (*values, recording.name), strict=True)))
    os.replace(unfinished, out / "Training.npy")
    write_atomically(out / "labels.npy", lambda file: np.save(file, labels))
    _write_table(out / "index.csv", INDEX, index)
    _write_text(out / "classes.txt", "".join(f"{name}\n" for name in listing.classes))
    return rows


INDEX = ("clip", "source", "first_frame", "subject", "label", "label_name", "video")
REPORT = ("video", "subject", "label", "frames", "lost", "lost_share", "clips", "notes", "skipped")


def _why_no_clip(result, depth):
    longest = max((count for _, count in result["runs"]), default=0)
    if not result["frames"]:
        return "no frame lies between its start and end"
    if not longest:
        return f"no face in any of its {result['frames']} frames"
    return f"too short: a clip needs {depth} frames, the longest run with a face has {longest}"


def _write_table(path, columns, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    _write_text(path, text.getvalue())


def _write_text(path, text):
    write_atomically(path, lambda file: file.write(text.encode()))


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def summary(rows, out):
    """The report in words: what became clips, what was lost, what was skipped and why."""
    used = [row for row in rows if row["clips"]]
    skipped = [row for row in rows if not row["clips"]]
    noted = [row for row in used if row["notes"]]
    frames, lost = (sum(row[name] for row in used) for name in ("frames", "lost"))
    lines = [
        f"{sum(row['clips'] for row in used)} clips of {len(used)} recordings, "
        f"{len({row['subject'] for row in used})} subjects, in {out}",
        f"frames without a face: {lost} of {frames}, {100 * lost / frames:.1f} %",
    ]
    width = max(len(row["label"]) for row in used)
    for label in sorted({row["label"] for row in used}):
        of_label = [row for row in used if row["label"] == label]
        lines.append(
            f"  {label:<{width}}  {sum(row['clips'] for row in of_label):>6} clips, {len(of_label)} recordings"
        )
    worst = sorted((row for row in used if row["lost"]), key=lambda row: -float(row["lost_share"]))
    lines += [f"lost {100 * float(row['lost_share']):.1f} %: {row['video']}" for row in worst[:5]]
    lines += [f"note: {row['video']}: {row['notes']}" for row in noted]
    lines += [f"skipped: {row['video']}: {row['skipped']}" for row in skipped]
    lines.append(f"{len(noted) + len(skipped)} warnings; every recording stands in {Path(out) / 'report.csv'}")
    return "\n".join(lines)
