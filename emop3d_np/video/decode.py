"""Frames of a video, one at a time: any file FFmpeg reads, a folder of pictures, a camera (PyAV, extra ``video``)."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

PICTURES = {".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
"""Endings of the files that make a folder a video."""

PICTURE_RATE = 25.0
"""Frames a second of a folder of pictures, which does not say."""

CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}"), "win32": ("dshow", "video={}")}
"""FFmpeg's input device and its name, by ``sys.platform``."""


@dataclass(frozen=True)
class Frame:
    """One frame as it is meant to be seen: of square pixels, upright.

    Attributes:
        index: its number in the video, from 0.
        time: seconds since the first frame.
        height, width: pixels.
    """

    index: int
    time: float
    height: int
    width: int
    _coded: object
    _quarter_turns: int

    def grey(self):
        """Brightness, uint8 of shape (height, width), 0 black, 255 white."""
        return self._array(self.height, self.width, "gray")

    def colour(self, shrink=1):
        """Colours, uint8 of shape (height / shrink, width / shrink, 3), red first."""
        return self._array(max(round(self.height / shrink), 1), max(round(self.width / shrink), 1), "rgb24")

    def _array(self, height, width, pixels):
        if self._quarter_turns % 2:
            height, width = width, height
        interpolation = "AREA" if height < self._coded.height else "BILINEAR"
        picture = self._coded.reformat(width, height, pixels, interpolation=interpolation)
        return np.rot90(picture.to_ndarray(), self._quarter_turns)


class Video:
    """A video that is open; iterating gives its frames, from the first to the last, in constant memory.

    Args:
        path: file, folder of pictures (in the order of their names, numbers by value), or URL that FFmpeg opens.
        start, end: seconds; frames before ``start`` are passed over, and it ends before ``end``.  Default: all.
        rate: frames a second to take, by their time stamps, each tick the frame then to be seen; default: every frame.
        form: FFmpeg's name of the format or input device, for what does not say it itself.
        threads: that decode; default 0, as many as there are cores.

    Raises:
        InputError: PyAV is missing; there is no such file, it may not be read, it is empty, no video, or holds none.

    Attributes:
        rate: frames a second, as the file says; None where it does not.
        notes: after the last frame, what was found strange: list of str.
    """

    def __init__(self, path, start=None, end=None, rate=None, form=None, threads=0):
        self.path, self.start, self.end, self.wanted_rate = path, start or 0.0, end, rate
        self.notes = []
        self._container, self._pictures = None, ()
        folder = form is None and Path(path).is_dir()
        if folder:
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
        self.rate = float(self._stream.average_rate) if self._stream.average_rate else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._container:
            self._container.close()

    def __iter__(self):
        frames = self._every_frame()
        if self.wanted_rate:
            frames = _evened(frames, self.wanted_rate)
        for frame in frames:
            if self.end is not None and frame.time >= self.end:
                break
            if frame.time >= self.start:
                yield frame

    def _every_frame(self):
        coded_frames = map(_picture, self._pictures) if self._pictures else self._decoded()
        first = before = None
        shortest, longest = np.inf, 0.0
        for index, coded in enumerate(coded_frames):
            time = coded.time
            if self._pictures or time is None:
                time = index / (self.rate or PICTURE_RATE)
            first = time if first is None else first
            time -= first
            if before is not None:
                shortest, longest = min(shortest, time - before), max(longest, time - before)
            before = time
            aspect = float(coded_aspect(coded, self))
            height, width = coded.height, coded.width
            # Pixels become square by stretching, never by leaving any out.
            height, width = (height, round(width * aspect)) if aspect >= 1 else (round(height / aspect), width)
            turns = round(coded.rotation / 90) % 4
            if turns % 2:
                height, width = width, height
            yield Frame(index, time, height, width, coded, turns)
        if before is None:
            raise InputError(f"{self.path}: no frame of it can be decoded")
        self._note_the_end(index + 1, before, shortest, longest)

    def _decoded(self):
        """Frames as FFmpeg decodes them; damaged ones are passed over, and counted."""
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

    def _note_the_end(self, count, last, shortest, longest):
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
"""FFmpeg's AV_DISPOSITION_ATTACHED_PIC: the cover of a song, which is no video."""


def pictures_of(folder):
    """Files of a folder that are pictures, in the order of their names, numbers by value; hidden ones left out."""
    files = (p for p in Path(folder).iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith("."))
    return sorted(files, key=lambda path: natural(path.name))


def natural(name):
    """Key that sorts ``frame_9`` before ``frame_10``."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def coded_aspect(coded, video):
    """Width of a frame's pixels by their height; 1 where nothing is said."""
    aspect = None if video._pictures else video._stream.sample_aspect_ratio
    return aspect or 1


def _evened(frames, rate):
    """Of ``frames``, the one to be seen at each tick of ``rate``: some twice, some never."""
    tick, shown = 0, None
    for frame in frames:
        # A tick that falls on a frame, but for rounding, takes it.
        while shown is not None and tick / rate < frame.time - 1e-3:
            yield _at(shown, tick / rate)
            tick += 1
        shown = frame
    if shown is not None and tick / rate <= shown.time + 1e-3:
        yield _at(shown, tick / rate)


def _at(frame, time):
    return Frame(frame.index, time, frame.height, frame.width, frame._coded, frame._quarter_turns)


def _picture(path):
    with _open(path, None) as container:
        try:
            return next(container.decode(video=0))
        except (StopIteration, IndexError, _errors()):
            raise InputError(f"{path}: no picture can be decoded") from None


def _open(path, form):
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


def _errors():
    return pyav().error.FFmpegError


def pyav():
    try:
        import av
    except ImportError:
        raise InputError("videos need PyAV: pip install 'emop3d-np[video]'") from None
    av.logging.set_level(None)
    return av
