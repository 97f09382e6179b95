"""Frames of a video, one at a time.

A video is any file that FFmpeg reads, a folder of pictures, or a camera.  PyAV reads them; it comes with the extra
``video``.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError

PICTURES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""Endings of the files that make a folder a video."""

PICTURE_RATE = 25.0
"""Frames per second of a folder of pictures, which does not say its own."""

CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}
"""FFmpeg's input device and how it names a camera, by ``sys.platform``."""


@dataclass(frozen=True)
class Frame:
    """One frame as it is meant to be seen: upright, with square pixels.

    Attributes:
        index: its number in the video, from 0.
        time: seconds since the first frame.
        height, width: in pixels.
    """

    index: int
    time: float
    height: int
    width: int
    _coded: Any
    _quarter_turns: int

    def grey(self) -> AnyArray:
        """Brightness, uint8 ndarray of shape (height, width); 0 is black, 255 white."""
        return self._array(self.height, self.width, "gray")

    def colour(self, shrink: float = 1) -> AnyArray:
        """Colours, uint8 ndarray of shape (height / shrink, width / shrink, 3), red first."""
        return self._array(max(round(self.height / shrink), 1), max(round(self.width / shrink), 1), "rgb24")

    def _array(self, height: int, width: int, pixels: str) -> AnyArray:
        if self._quarter_turns % 2:
            height, width = width, height
        interpolation = "AREA" if height < self._coded.height else "BILINEAR"
        picture = self._coded.reformat(width, height, pixels, interpolation=interpolation)
        return np.rot90(picture.to_ndarray(), self._quarter_turns)


class Video:
    """A video that is open; iterating gives its frames, from the first to the last, in constant memory.

    Args:
        path: file, URL that FFmpeg opens, or folder of pictures, which are taken in the order of their names
            (``frame_9`` before ``frame_10``).
        start, end: seconds: only frames from ``start`` on and before ``end`` are given; default: all.
        rate: frames per second to take.  At each tick it is the frame that is seen at that time; default: each frame
            is taken once.
        form: FFmpeg's name of the format or input device; default: FFmpeg finds out.
        threads: number of threads that decode; default 0, as many as there are cores.

    Raises:
        InputError: PyAV is missing; or the file does not exist, cannot be read, is empty, or holds no video.

    Attributes:
        rate: frames per second that the file states; None where it states none.
        notes: what was found strange, complete after the last frame.
    """

    def __init__(
        self,
        path: str | Path,
        start: float | None = None,
        end: float | None = None,
        rate: float | None = None,
        form: str | None = None,
        threads: int = 0,
    ) -> None:
        self.path, self.start, self.end, self.wanted_rate = path, start or 0.0, end, rate
        self.rate: float | None = None
        self.notes: list[str] = []
        self._container: Any = None
        self._pictures: list[Path] = []
        if form is None and Path(path).is_dir():
            self._pictures, self.rate = pictures_of(path), PICTURE_RATE
            if not self._pictures:
                raise InputError(f"{path}: the folder holds no pictures ({' '.join(sorted(PICTURES))})")
            return
        self._container = _open(path, form)
        try:
            streams = [s for s in self._container.streams.video if not s.disposition.value & ATTACHED_PICTURE]
            if not streams:
                sound = self._container.streams.audio
                raise InputError(f"{path}: holds no video, {'only sound' if sound else 'or is cut short'}")
            self._stream = streams[0]
            if self._stream.codec_context is None:
                raise InputError(f"{path}: no decoder for its video is built in")
        except InputError:
            self.close()
            raise
        self._stream.thread_type = "AUTO"
        self._stream.codec_context.thread_count = threads
        if self._stream.average_rate:
            self.rate = float(self._stream.average_rate)

    def __enter__(self) -> "Video":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        if self._container:
            self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        frames = self._every_frame()
        if self.wanted_rate:
            frames = _evened(frames, self.wanted_rate)
        for frame in frames:
            if self.end is not None and frame.time >= self.end:
                break
            if frame.time >= self.start:
                yield frame

    def _every_frame(self) -> Iterator[Frame]:
        coded_frames = map(_picture, self._pictures) if self._pictures else self._decoded()
        first = before = None
        index, shortest, longest = 0, np.inf, 0.0
        for index, coded in enumerate(coded_frames):
            time = coded.time
            if self._pictures or time is None:
                time = index / (self.rate or PICTURE_RATE)
            first = time if first is None else first
            time -= first
            if before is not None:
                shortest, longest = min(shortest, time - before), max(longest, time - before)
            before = time
            # Width of a pixel by its height, where the file states it.
            aspect = 1.0 if self._pictures else float(self._stream.sample_aspect_ratio or 1)
            height, width = coded.height, coded.width
            # Pixels that are not square are stretched, so that none is lost.
            height, width = (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)
            turns = round(coded.rotation / 90) % 4
            if turns % 2:
                height, width = width, height
            yield Frame(index, time, height, width, coded, turns)
        if before is None:
            raise InputError(f"{self.path}: no frame of it can be decoded")
        self._note_the_end(index + 1, before, shortest, longest)

    def _decoded(self) -> Iterator[Any]:
        """Frames as FFmpeg decodes them; damaged packets are passed over, and counted."""
        from av.error import FFmpegError

        damaged, packets = 0, self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self.notes.append(f"reading stopped early: {error.strerror}")
                packet = None
            if packet is None:
                break
            try:
                decoded = packet.decode()
            except FFmpegError:
                damaged += 1
                continue
            yield from decoded
        if damaged:
            self.notes.append(f"{damaged} damaged packets passed over")

    def _note_the_end(self, count: int, last: float, shortest: float, longest: float) -> None:
        """Note what is strange about a file of ``count`` frames, the last at ``last``; all times are in seconds."""
        if self._pictures:
            return
        if longest > 1.5 * shortest and not self.wanted_rate:
            self.notes.append(
                f"frames last from {1000 * shortest:.0f} to {1000 * longest:.0f} ms, and each was taken once; "
                f"--fps takes them evenly"
            )
        stream = self._stream
        announced = float(stream.duration * stream.time_base) if stream.duration else 0.0
        # A container says how many frames it holds, or how long they last, or neither.
        if stream.frames - count > max(2, stream.frames // 50):
            self.notes.append(f"cut short: {count} of the {stream.frames} frames that it announces")
        elif announced - last > max(0.5, 3 * longest):
            self.notes.append(f"cut short: {last:.1f} s of the {announced:.1f} s that it announces")


ATTACHED_PICTURE = 0x0400
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC, which marks the cover of a song: it is no video."""


def pictures_of(folder: str | Path) -> list[Path]:
    """The files of a folder that are pictures and not hidden, in the order of :func:`natural`."""
    files = (p for p in Path(folder).iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    return sorted(files, key=lambda path: natural(path.name))


def natural(name: str) -> list[tuple[int, str]]:
    """Key that sorts names with the numbers in them by value: ``frame_9`` before ``frame_10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _evened(frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
    """The frame that is seen at each tick, ``rate`` of them per second; a frame may come twice, or never."""
    tick, shown = 0, None
    for frame in frames:
        # A tick takes the frame that begins with it, within a millisecond for rounding.
        while shown is not None and tick / rate < frame.time - 1e-3:
            yield replace(shown, time=tick / rate)
            tick += 1
        shown = frame
    if shown is not None and tick / rate <= shown.time + 1e-3:
        yield replace(shown, time=tick / rate)


def _picture(path: Path) -> Any:
    """The picture in a file, as PyAV decodes it."""
    with _open(path, None) as container:
        try:
            return next(container.decode(video=0))
        except (StopIteration, IndexError, pyav().error.FFmpegError):
            raise InputError(f"{path}: no picture can be decoded") from None


def _open(path: str | Path, form: str | None) -> Any:
    """The container at ``path``, opened by PyAV."""
    av = pyav()
    try:
        if form is None and "://" not in str(path):
            with open(path, "rb") as file:
                if not file.read(1):
                    raise InputError(f"{path}: is empty, 0 bytes")
        # Titles that are no UTF-8 never matter; PyAV 19 takes them as they are, and the argument away.
        lenient = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}
        container = av.open(str(path), format=form, **lenient)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except InputError:
        raise
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be opened as a video: {words}") from None
    if container.format.name in ("tty", "subviewer", "srt"):
        container.close()
        raise InputError(f"{path}: cannot be opened as a video: it is a text")
    return container


def pyav() -> ModuleType:
    """The module ``av``, silenced.

    Raises:
        InputError: PyAV is missing.
    """
    try:
        import av
    except ImportError:
        raise InputError("videos need PyAV: pip install 'emop3d-np[video]'") from None
    av.logging.set_level(None)
    return av
