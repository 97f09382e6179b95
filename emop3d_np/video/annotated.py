"""A video once more, with the face's square and the answer drawn in."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from ..files import outcome
from .decode import Frame, pyav

if TYPE_CHECKING:
    from .predict import Answer

Box: TypeAlias = tuple[float, float, float]
"""``x, y, side`` of the square that was cut out, in pixels of the frame."""


class Annotated:
    """A video that is written while it is predicted, since a camera or a pipe shows nothing twice; without its sound.

    It is put in place at the end of the ``with`` statement, if nothing is raised.  The answer shown in a frame is the
    mean of those for the clips that it belongs to, so that a frame waits until the last of them is answered.

    Args:
        out: file to write; its ending gives the container.
        names: of the classes.
        depth: frames per clip.

    Raises:
        InputError: the extra ``plots`` (for its letters) is missing, or the file cannot be written.
    """

    def __init__(self, out: str | Path, names: Sequence[str], depth: int) -> None:
        self.out, self.names, self.depth = out, names, depth
        self._waiting: deque[tuple[Frame, Box | None]] = deque()
        self._coming: deque[Answer] = deque()
        self._covering: deque[Answer] = deque()
        self._rate = Fraction(25)
        self._stream: Any = None
        self._written = 0

    def __enter__(self) -> "Annotated":
        _drawing()
        with self._errors(), ExitStack() as stack:
            path = stack.enter_context(outcome(self.out))
            self._container = stack.enter_context(pyav().open(str(path), "w"))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, traceback)  # which removes what is there
            return
        with self._errors(), self._stack:
            while self._waiting:
                self._write(*self._waiting.popleft())
            if self._stream is not None:
                self._container.mux(self._stream.encode(None))

    def add(self, frame: Frame, box: Box | None, rate: float | None) -> None:
        """Take the next frame.

        Args:
            frame: the frame.
            box: where the face is; None where there is none.
            rate: frames per second of the video; None where it is not known.
        """
        self._rate = Fraction(rate or 25).limit_denominator(1000)
        self._waiting.append((frame, box))
        if len(self._waiting) > self.depth:
            with self._errors():
                self._write(*self._waiting.popleft())

    def answer(self, answer: "Answer") -> None:
        """Take the next answer, after the last frame of its clip and before the one behind it."""
        self._coming.append(answer)

    def _write(self, frame: Frame, box: Box | None) -> None:
        picture = frame.colour()
        # Colours are stored once per 2 x 2 pixels, so both sides must be even.
        picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2].copy()
        av = pyav()
        if self._stream is None:
            codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
            self._stream = self._container.add_stream(codec, self._rate)
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = "yuv420p"
        while self._coming and self._coming[0].first_frame <= frame.index:
            self._covering.append(self._coming.popleft())
        while self._covering and self._covering[0].last_frame < frame.index:
            self._covering.popleft()
        _draw(picture, box, self._covering, self.names)
        drawn = av.VideoFrame.from_ndarray(picture, "rgb24")
        drawn.pts, drawn.time_base = self._written, 1 / self._stream.codec_context.framerate
        self._container.mux(self._stream.encode(drawn))
        self._written += 1

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Around what PyAV writes: raises InputError, with the reason, if it cannot."""
        try:
            yield
        except InputError:
            raise
        except (OSError, ValueError, pyav().error.FFmpegError) as error:
            raise InputError(f"{self.out} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _drawing() -> Any:
    """What draws: Pillow's modules of images, of pens and of letters."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        raise InputError("drawing needs Pillow, which comes with matplotlib: pip install 'emop3d-np[plots]'") from None
    return Image, ImageDraw, ImageFont


def _draw(picture: AnyArray, box: Box | None, covering: Collection["Answer"], names: Sequence[str]) -> None:
    """Draw the square, and the mean of the answers ``covering`` it, into a picture (h, w, 3)."""
    if box is None:
        return
    image, pens, letters = _drawing()
    x, y, side = box
    canvas = image.fromarray(picture)
    pen = pens.Draw(canvas)
    size = max(picture.shape[0] // 24, 10)
    pen.rectangle((x, y, x + side, y + side), outline=(0, 255, 0), width=max(size // 8, 1))
    if covering:
        mean = np.mean([answer.probabilities for answer in covering], axis=0)
        text = f"{names[mean.argmax()]} {100 * mean.max():.0f} %"
        place = max(x, 0), max(y - 1.3 * size, 0)
        pen.text(place, text, (0, 255, 0), letters.load_default(size), stroke_width=1, stroke_fill=(0, 0, 0))
    picture[...] = np.asarray(canvas)
