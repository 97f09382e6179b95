"""``python -m emop3d_np predict``: the timeline of emotions in a video, a camera's stream, or clips on disk."""

import json
import re
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from kernels.arrays import AnyArray, FloatArray

from ..datasets import classes, clip_shape, differences, require_finite
from ..datasets.arrays import open_array
from ..datasets.parts import PartedClips, is_parted
from ..errors import InputError
from ..training.ensemble import Ensemble
from .cutting import as_trained
from .decode import CAMERAS, Video
from .prepare import FaceSettings
from .track import FaceTracker, Sighting

if TYPE_CHECKING:
    from .annotated import Annotated

MOMENTS = 12
"""Faces in the picture of a timeline."""


@dataclass(frozen=True)
class Answer:
    """What the network says of one clip.

    Attributes:
        clip: its number in the timeline.
        first_frame, last_frame: numbers of its first and last frame in the video.
        start, end: times of these two frames, seconds; NaN for an .npy, which has no times.
        run: number of the run of frames that it is cut from; frames without a face lie between two runs.
        probabilities: ndarray of shape (k,).
    """

    clip: int
    first_frame: int
    last_frame: int
    start: float
    end: float
    run: int
    probabilities: FloatArray


class Predictor:
    """A trained network with the names of its classes, or several that answer together.

    Args:
        paths, moved, temperature: as of :class:`~emop3d_np.training.ensemble.Ensemble`: a checkpoint, or the folder of
            a run, of which the best network is taken where there is one (``--patience``); or a list of them.

    Raises:
        InputError: there is no checkpoint, it is damaged, or the runs cannot be averaged.

    Attributes:
        ensemble: the runs.
        net: the network, an EmoP3D; of several runs the first one's.
        settings: the settings of that run.
        class_names: names of the classes, in the order of their labels, as the checkpoints have them.
        record: how the training clips came to be, those of the first run; None where that is not known.
        notes: what its user should know, a line each.
    """

    def __init__(self, paths: str | Path | Sequence[str | Path], moved: int = 1, temperature: float = 1.0) -> None:
        self.ensemble = Ensemble(paths, moved, temperature)
        first = self.ensemble.first
        self.net, self.settings, self.record = first.net, first.settings, first.record
        self.notes: list[str] = []
        self.class_names = self.ensemble.stored_names or self._older_names(first.path)
        for member in self.ensemble.members[1:]:
            if unlike := differences(member.record, self.record):
                self.notes.append(
                    f"the training clips of {member.path} were cut out unlike those of {first.path}, which are "
                    f"followed: {', '.join(unlike)}"
                )

    def _older_names(self, file: Path) -> tuple[str, ...]:
        """As of :func:`older_names`, with a note that says so."""
        names, where = older_names(self.settings, file.parent)
        self.notes.append(f"{file} is of an older version and holds no names of classes; they are those of {where}")
        return names

    def probabilities(self, clips: AnyArray) -> FloatArray:
        """Probabilities (n, k) of raw clips (n, d, h, w, c), which are shrunk and standardised as in training.

        Raises:
            InputError: a value is NaN or infinite, or an answer is.
        """
        if clips.dtype.kind == "f":
            for number, clip in enumerate(clips):
                require_finite(clip, f"clip {number}")
        found = self.ensemble.probabilities(clips)
        if not np.isfinite(found).all():
            raise InputError("the answer is not finite: values or parameters are too large for the network's numbers")
        return found

    def cutting(self, **given: Any) -> tuple[dict[str, Any], list[str]]:
        """How faces are cut out: as those of the training clips were, but for what is ``given``.

        Args:
            given: ``rate`` of Video, and FaceTracker's options; None stands for what is not given.

        Returns:
            As of :func:`emop3d_np.video.cutting.as_trained`.
        """
        return as_trained(self.record, given, FaceSettings())

    def tracker(self, **options: Any) -> FaceTracker:
        """FaceTracker for clips of the network's size, with its other ``options``.

        Raises:
            InputError: no video can be made to fit, since the network's clips are not square and grey, or were not
                standardised.
        """
        _, h, w, c = clip_shape(self.settings)
        if h != w or c != 1:
            raise InputError(
                f"the network takes frames of (h, w, c) = {(h, w, c)}; faces of a video are square, of one channel"
            )
        if not all(member.settings.normalize for member in self.ensemble.members):
            raise InputError("the network was trained with --normalize False, on values that a video does not tell")
        return FaceTracker(h, **options)

    def timeline(self, sightings: Iterable[Sighting | None], overlap: int | None = None) -> Iterator[Answer]:
        """Answers for the clips of a video, each as soon as its last frame is there.

        Args:
            sightings: one per frame, None where the frame is lost; no clip reaches over a lost frame.
            overlap: frames that neighbouring clips share; default as of the training clips, else half a clip.
        """
        depth, overlap = self._checked(overlap)
        buffer: list[Sighting] = []
        clip = 0
        for seen in sightings:
            if seen is None:
                continue
            if buffer and seen.run != buffer[-1].run:
                buffer.clear()
            buffer.append(seen)
            if len(buffer) == depth:
                frames = np.array([each.pixels for each in buffer])[np.newaxis, ..., np.newaxis]
                first, last = buffer[0], buffer[-1]
                times = first.frame, last.frame, first.time, last.time
                yield Answer(clip, *times, seen.run, self.probabilities(frames)[0])
                clip += 1
                del buffer[: depth - overlap]

    def clips_timeline(self, path: str | Path, overlap: int | None = None) -> Iterator[Answer]:
        """Answers for clips (n, d, h, w, c), or for frames (t, h, w, c), which are cut into clips.

        Args:
            path: an .npy, or a folder of parts of clips.
            overlap: frames that neighbouring clips share where they are cut; default as of the training clips, else
                half a clip.

        Raises:
            InputError: the file does not fit the network, or holds a value that is NaN or infinite.
        """
        depth, overlap = self._checked(overlap)
        array = PartedClips(path, "clips") if is_parted(path) else open_array(path, str(path))
        shape = clip_shape(self.settings)
        if array.shape[1:] not in (shape, shape[1:]) or not len(array):
            raise InputError(
                f"{path}: has shape {array.shape}; this network takes clips (n, *{shape}) or frames (t, *{shape[1:]})"
            )
        if array.dtype.kind == "f":  # all are looked at before the first is answered
            for number in range(len(array)):
                require_finite(array[number], f"{path}: {'clip' if array.ndim == 5 else 'frame'} {number}")
        nan = float("nan")
        if isinstance(array, PartedClips) or array.ndim == 5:
            for clip in range(len(array)):
                probabilities = self.probabilities(array[clip][np.newaxis])[0]
                yield Answer(clip, clip * depth, (clip + 1) * depth - 1, nan, nan, 0, probabilities)
            return
        for clip, start in enumerate(range(0, len(array) - depth + 1, depth - overlap)):
            frames = array[start : start + depth][np.newaxis]
            yield Answer(clip, start, start + depth - 1, nan, nan, 0, self.probabilities(frames)[0])

    def _checked(self, overlap: int | None) -> tuple[int, int]:
        """Frames per clip, and how many of them neighbours share."""
        depth = self.net.input_shape[0]
        recorded = self.record.overlap if self.record else None
        default = depth // 2 if recorded is None else recorded
        overlap = default if overlap is None else overlap
        if not 0 <= overlap < depth:
            raise InputError(f"--overlap is {overlap}; clips of {depth} frames can share 0 to {depth - 1}")
        return depth, overlap


def holds_clips(source: str | Path) -> bool:
    """Whether what ``predict`` is given holds clips or frames as they are, and no video."""
    return str(source).endswith(".npy") or is_parted(source)


def older_names(settings: SimpleNamespace, run_folder: str | Path) -> tuple[tuple[str, ...], str]:
    """Names of the classes of a run whose checkpoint, being of an older version, holds none, and where they are from.

    They are read from ``classes.txt`` in the run's folder, or in or beside its training clips; where there is none,
    classes are named by their numbers.
    """
    if not settings.train_path:
        from ..datasets.faces import EMOTIONS

        return EMOTIONS, "the drawn faces"
    for folder in (run_folder, settings.train_path, Path(settings.train_path).parent):
        path = Path(folder) / classes.FILE
        try:
            names = classes.read_names(path)
        except InputError:
            continue
        if len(names) == settings.num_classes:
            return names, str(path)
    return classes.numbered(settings.num_classes), "their numbers"


def open_source(source: str | Path, rate: float | None = None) -> Video:
    """Open what ``predict`` is given: a file, folder of pictures, URL, or ``camera``, ``camera:1``, ``camera:NAME``.

    Raises:
        InputError: as Video does; or it is not known how cameras are opened on this system.
    """
    camera = re.fullmatch(r"camera(?::(.+))?", str(source))
    if not camera:
        return Video(source, rate=rate)
    if sys.platform not in CAMERAS:
        raise InputError(f"{source}: cameras are known for {', '.join(CAMERAS)}, and this is {sys.platform}")
    form, device = CAMERAS[sys.platform]
    return Video(device.format(camera[1] or 0), rate=rate, form=form)


class Moments:
    """Some faces, evenly spaced, of a stream of unknown length.

    Every ``every``-th face is kept.  When more than ``2 count`` are kept, every other one is given up and ``every``
    doubles.
    """

    def __init__(self, count: int = MOMENTS) -> None:
        self.most, self.every, self.seen = 2 * count, 1, 0
        self.kept: list[Sighting] = []

    def add(self, sighting: Sighting) -> None:
        """Take notice of the next face."""
        if self.seen % self.every == 0:
            self.kept.append(sighting)
            if len(self.kept) > self.most:
                self.kept, self.every = self.kept[::2], 2 * self.every
        self.seen += 1

    def evenly(self, count: int = MOMENTS) -> list[Sighting]:
        """At most ``count`` of the faces, the first and the last among them."""
        chosen = np.linspace(0, len(self.kept) - 1, min(count, len(self.kept))).round().astype(int)
        return [self.kept[i] for i in chosen]


def predict(
    source: str | Path,
    predictor: Predictor,
    overlap: int | None = None,
    moments: Moments | None = None,
    annotated: "Annotated | None" = None,
    **options: Any,
) -> Generator[Answer, None, tuple[int, int, list[str]] | None]:
    """Answers for a source, each as soon as it is known.

    Args:
        source: as of :func:`open_source`, or clips as of :meth:`Predictor.clips_timeline`.
        predictor: the network.
        overlap: frames that neighbouring clips share; default as of the training clips, else half a clip.
        moments: gets the faces, for a picture; default None.
        annotated: video that gets the frames, the faces' places and the answers; default None.
        options: as of :meth:`Predictor.cutting`.

    Returns:
        After the last answer, ``frames, lost, notes``: how many frames there were, how many without a face, and what
        was strange about the file.  None for clips.
    """
    if holds_clips(source):
        yield from predictor.clips_timeline(source, overlap)
        return None
    options, _ = predictor.cutting(**options)
    rate = options.pop("rate")
    tracker = predictor.tracker(**options)

    def sightings(video: Video) -> Iterator[Sighting | None]:
        for frame in video:
            seen = tracker(frame)
            if seen is not None and moments is not None:
                moments.add(seen)
            if annotated is not None:
                annotated.add(frame, None if seen is None else seen.box, rate or video.rate)
            yield seen

    with open_source(source, rate) as video:
        for answer in predictor.timeline(sightings(video), overlap):
            if annotated is not None:
                annotated.answer(answer)
            yield answer
    return tracker.frames, tracker.lost, video.notes


def as_line(answer: Answer, names: Sequence[str]) -> str:
    """An answer as a line of a table; ``names`` are those of the classes."""
    best = int(answer.probabilities.argmax())
    times = f"{answer.start:7.2f}-{answer.end:7.2f}" if np.isfinite(answer.start) else ""
    shares = " ".join(f"{p:5.3f}" for p in answer.probabilities)
    width = max(map(len, names))
    return (
        f"{answer.clip:>5} {answer.first_frame:>6}-{answer.last_frame:>6} {times:>15}  {names[best]:<{width}}  {shares}"
    )


def as_json(answer: Answer, names: Sequence[str]) -> str:
    """An answer as a line of JSON; ``names`` are those of the classes."""
    row: dict[str, Any] = {"clip": answer.clip, "first_frame": answer.first_frame, "last_frame": answer.last_frame}
    if np.isfinite(answer.start):
        row |= {"start": round(answer.start, 3), "end": round(answer.end, 3)}
    row |= {"label": names[int(answer.probabilities.argmax())]}
    row |= {"probabilities": {name: float(p) for name, p in zip(names, answer.probabilities, strict=True)}}
    return json.dumps(row)
