"""Frames of a video, one at a time.

A video is any file that FFmpeg reads, a folder of pictures, or a camera.  PyAV reads them; it comes with the extra
``video``.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from .pictures import UPRIGHT, Orientation, is_jpeg_in_tiff, orientation

PICTURES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""Endings of the files that make a folder a video."""

PICTURE_RATE = 25.0
"""Frames per second of a folder of pictures, which does not say its own."""

CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}
"""FFmpeg's input device and how it names a camera, by ``sys.platform``."""

MOST_PIXELS, MOST_ELONGATED = 2**26, 10
"""Pixels of a frame as it is meant to be seen, and how often its shorter side goes into its longer one, at most."""

LONGEST_GAP = 10.0
"""Seconds that a frame stays where frames are taken evenly (``rate``).  What is longer is a jump of the time stamps."""

STALLED = 30.0
"""Seconds to wait for a URL's next bytes."""


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
    _orientation: Orientation

    def grey(self) -> AnyArray:
        """Brightness, uint8 ndarray of shape (height, width); 0 is black, 255 white."""
        return self._array(self.height, self.width, "gray")

    def colour(self, shrink: float = 1) -> AnyArray:
        """Colours, uint8 ndarray of shape (height / shrink, width / shrink, 3), red first."""
        return self._array(max(round(self.height / shrink), 1), max(round(self.width / shrink), 1), "rgb24")

    def _array(self, height: int, width: int, form: str) -> AnyArray:
        swapped, rows, columns = self._orientation
        if swapped:
            height, width = width, height
        interpolation = "AREA" if height < self._coded.height else "BILINEAR"
        picture = self._coded.reformat(width, height, form, interpolation=interpolation)
        pixels = picture.to_ndarray()
        if swapped:
            pixels = pixels.swapaxes(0, 1)
        return np.asarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


class Video:
    """A video that is open; iterating gives its frames, from the first to the last, in constant memory.

    Args:
        path: file, URL that FFmpeg opens, or folder of pictures, which are taken in the order of their names
            (``frame_9`` before ``frame_10``).
        start, end: seconds: only frames from ``start`` on and before ``end`` are given; default: all.
        rate: frames per second to take.  At each tick it is the frame that is seen at that time, for up to
            :data:`LONGEST_GAP`; default: each frame is taken once.
        form: FFmpeg's name of the format or input device; default: FFmpeg finds out.
        threads: number of threads that decode; default 0, as many as there are cores.

    Raises:
        InputError: PyAV is missing; or the file does not exist, cannot be read, is empty, holds no video, or frames
            beyond :data:`MOST_PIXELS` or :data:`MOST_ELONGATED`; or a URL stalls for :data:`STALLED`.

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
            _require_size(path, self._stream.width, self._stream.height)
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
            frames = self._evened(frames, self.wanted_rate)
        for frame in frames:
            if self.end is not None and frame.time >= self.end:
                break
            if frame.time >= self.start:
                yield frame

    def _every_frame(self) -> Iterator[Frame]:
        coded_frames = self._decoded_pictures() if self._pictures else self._decoded()
        first = before = None
        index, shortest, longest = 0, np.inf, 0.0
        for index, (coded, upright) in enumerate(coded_frames):
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
            if upright[0]:
                height, width = width, height
            _require_size(self.path, width, height)
            yield Frame(index, time, height, width, coded, upright)
        if before is None:
            raise InputError(f"{self.path}: no frame of it can be decoded")
        self._note_the_end(index + 1, before, shortest, longest)

    def _decoded_pictures(self) -> Iterator[tuple[Any, Orientation]]:
        """The pictures of a folder as FFmpeg decodes them; those that cannot be are passed over, and noted."""
        failed: list[InputError] = []
        for path in self._pictures:
            try:
                picture = _picture(path)
            except InputError as error:
                failed.append(error)
            else:
                yield picture
        if len(failed) == len(self._pictures):
            raise failed[0]
        if failed:
            self.notes.append(f"{len(failed)} of {len(self._pictures)} pictures passed over: {failed[0]}")

    def _evened(self, frames: Iterable[Frame], rate: float) -> Iterator[Frame]:
        """The frame that is seen at each tick, ``rate`` of them per second; a frame may come twice, or never.

        Where time stamps jump ahead, no frames are given for the time between; where they go back, time goes on.
        """
        tick, shown, shift, jumps = 0, None, 0.0, []
        for frame in frames:
            now = frame.time + shift
            if shown is not None and not -1 <= now - shown.time <= LONGEST_GAP:
                jumps.append(f"from {shown.time:.1f} to {now:.1f} s")
                if tick / rate <= shown.time + 1e-3:
                    yield replace(shown, time=tick / rate)
                    tick += 1
                if now < shown.time:
                    shift += tick / rate - now
                    now = tick / rate
                tick = max(tick, math.ceil((now - 1e-3) * rate))
            # A tick takes the frame that begins with it, within a millisecond for rounding.
            while shown is not None and tick / rate < now - 1e-3:
                yield replace(shown, time=tick / rate)
                tick += 1
            shown = replace(frame, time=now)
        if shown is not None and tick / rate <= shown.time + 1e-3:
            yield replace(shown, time=tick / rate)
        if jumps:
            often = f" ({len(jumps)} times)" if len(jumps) > 1 else ""
            self.notes.append(f"time stamps jump {jumps[0]}{often}: nothing is shown for the time between")

    def _decoded(self) -> Iterator[tuple[Any, Orientation]]:
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
            for coded in decoded:
                yield coded, _display_orientation(coded)
        if damaged:
            self.notes.append(f"{damaged} damaged packets passed over")

    def _note_the_end(self, count: int, last: float, shortest: float, longest: float) -> None:
        """Note what is strange about a file of ``count`` frames, the last at ``last``; all times are in seconds."""
        if self._pictures:
            return
        if shortest < 0 and not self.wanted_rate:
            self.notes.append(f"time stamps go back, by up to {-shortest:.1f} s; frames were taken as they come")
        elif longest > 1.5 * shortest and not self.wanted_rate:
            self.notes.append(
                f"frames last from {1000 * shortest:.0f} to {1000 * longest:.0f} ms, and each was taken once; "
                f"--fps takes them evenly"
            )
        stream, (announced, tolerance) = self._stream, self._announced()
        # A container says how many frames it holds, or how long they last, or neither.
        if stream.frames - count > max(2, stream.frames // 50):
            self.notes.append(f"cut short: {count} of the {stream.frames} frames that it announces")
        elif announced - last > max(tolerance, 3 * longest):
            self.notes.append(f"cut short: {last:.1f} s of the {announced:.1f} s that it announces")

    def _announced(self) -> tuple[float, float]:
        """Seconds that the file says its video lasts, 0 where it does not, and how much less is nothing strange."""
        stream, container = self._stream, self._container
        if stream.duration:
            return float(stream.duration * stream.time_base), 0.5
        # Matroska says it in words of each stream, or of all together, of which sound may be the longer one.
        words = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
        if words:
            return 3600 * int(words[1]) + 60 * int(words[2]) + float(words[3]), 0.5
        if "matroska" in container.format.name and container.duration:
            seconds = container.duration / 1e6
            return seconds, 0.5 if len(container.streams) == 1 else max(1, seconds / 10)
        return 0.0, 0.0


ATTACHED_PICTURE = 0x0400
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC, which marks the cover of a song: it is no video."""


def pictures_of(folder: str | Path) -> list[Path]:
    """The files of a folder that are pictures and not hidden, in the order of :func:`natural`."""
    files = (p for p in Path(folder).iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    return sorted(files, key=lambda path: natural(path.name))


def natural(name: str) -> list[tuple[int, str]]:
    """Key that sorts names with the numbers in them by value: ``frame_9`` before ``frame_10``."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def _picture(path: Path) -> tuple[Any, Orientation]:
    """The picture in a file, as PyAV decodes it, and which side of it is up."""
    with _open(path, None) as container:
        try:
            data = path.read_bytes()
            if is_jpeg_in_tiff(data):
                raise InputError(
                    f"{path}: is a TIFF that holds a JPEG, which FFmpeg does not read rightly; save it as PNG"
                )
            for stream in container.streams.video[:1]:
                _require_size(path, stream.width, stream.height)
            return next(container.decode(video=0)), orientation(data)
        except (StopIteration, IndexError, OSError, pyav().error.FFmpegError):
            raise InputError(f"{path}: no picture can be decoded") from None


def _display_orientation(coded: Any) -> Orientation:
    """Which side of a frame is up, by its display matrix; as seen, (x, y) comes to (a x + c y, b x + d y)."""
    try:
        matrix = coded.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV does not know the type of something else that goes with the frame
        turns = round(coded.rotation / 90) % 4
        return bool(turns % 2), turns in (1, 2), turns in (2, 3)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(bytes(matrix), np.int32)[:5].tolist()
    swapped = abs(b) > abs(a)
    return (swapped, b < 0, c < 0) if swapped else (swapped, d < 0, a < 0)


def _require_size(path: str | Path, width: int, height: int) -> None:
    """Refuse frames that no one recorded, and that would fill the memory."""
    if width * height > MOST_PIXELS or max(width, height) > MOST_ELONGATED * min(width, height):
        raise InputError(
            f"{path}: its frames are {width} x {height} pixels as they are meant to be seen; at most "
            f"{MOST_PIXELS / 1e6:.0f} million are taken, and sides of {MOST_ELONGATED} to 1"
        )


def _open(path: str | Path, form: str | None) -> Any:
    """The container at ``path``, opened by PyAV."""
    av = pyav()
    name, options = str(path), dict[str, Any]()
    try:
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", name):
            options["timeout"] = STALLED
        elif form is None:
            # A pipe is read once, by FFmpeg.
            if Path(path).is_file():
                with open(path, "rb") as file:
                    if not file.read(1):
                        raise InputError(f"{path}: is empty, 0 bytes")
            elif not Path(path).exists():
                raise InputError(f"{path}: there is no such file")
            name = f"file:{name}"  # or FFmpeg takes what stands before a colon for a protocol
        # Titles that are no UTF-8 never matter; PyAV 19 takes them as they are, and the argument away.
        if int(av.__version__.split(".")[0]) < 19:
            options["metadata_errors"] = "ignore"
        container = av.open(name, format=form, **options)
    except InputError:
        raise
    except (OSError, ValueError, av.error.FFmpegError) as error:
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
