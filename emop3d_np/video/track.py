"""The one face of a video that matters, from frame to frame, cut out at one size."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from kernels.arrays import AnyArray, FloatArray

from ..errors import InputError
from .decode import Frame
from .mtcnn import Detector
from .resample import crop

MARGIN = 44 / 182
"""Share of the cut-out's side that lies beyond the face's box, on both sides together: FaceNet's 44 of 182 pixels."""

LEAST_SIDE = 24
"""Frames are shrunk before the search so that the smallest face to be found has a side of so many pixels."""

STEADINESS = 0.5
"""Weight of the cut-out's last place in its next: boxes tremble by a pixel or two, and faces should not."""

SAME_FACE = 0.3
"""Boxes whose common part is more than this share of their union show the same face."""


@dataclass(frozen=True)
class Sighting:
    """A face in a frame.

    Attributes:
        frame: number of the frame in its video.
        time: seconds since the first frame.
        run: number of the run of frames that it belongs to; a run ends where frames are lost, and has no gaps.
        box: ``(x, y, side)`` of the square that was cut out, in pixels of the frame; it may reach over the border.
        pixels: uint8 ndarray of shape (size, size), grey.
        found: False where the face was not found and its last place was taken instead.
    """

    frame: int
    time: float
    run: int
    box: tuple[float, float, float]
    pixels: AnyArray
    found: bool


class FaceTracker:
    """Follows one face through the frames that it is called with, in order.

    Every ``every`` frames MTCNN searches the whole frame; in between its last network alone looks where the face was.
    Of several faces the tracker takes the one that ``prefer`` says, and stays with it.  Where the face is not found,
    its last place is taken for ``patience`` frames; then frames are lost until a face is found again.

    Args:
        size: side of the cut-out in pixels; default 100.
        prefer: "largest" (default) or "central".
        every: frames from one search to the next; default 5.
        min_face: side of the smallest face to be found, as a share of the frame's shorter side; default 0.1.
        patience: frames without a face that are bridged; default 5.
        margin: share of the cut-out that lies beyond the face's box; default :data:`MARGIN`.

    Departure from FaceNet: the cut-out is a square of the frame around the box's middle, and the box's longer side
    decides its size; FaceNet stretches the box to a square.

    Raises:
        InputError: the extra ``faces`` is not installed.

    Attributes:
        frames: how many frames it was called with.
        lost: in how many of them no face was found.
    """

    def __init__(
        self,
        size: int = 100,
        prefer: str = "largest",
        every: int = 5,
        min_face: float = 0.1,
        patience: int = 5,
        margin: float = MARGIN,
    ) -> None:
        self.size, self.prefer, self.every = size, prefer, every
        self.min_face, self.patience, self.margin = min_face, patience, margin
        self.detector = Detector()
        self._blas = _blas()
        self.frames = self.lost = self.run = 0
        self._box: FloatArray | None = None  # of the face, in the shrunk picture
        self._cut: FloatArray | None = None  # the square to cut out, x, y and side, in the frame
        self._since_search = self._missed = 0

    def __call__(self, frame: Frame) -> Sighting | None:
        """The face in ``frame``; None where the frame is lost."""
        # The matrices are small: two threads of the BLAS take longer than one, and much longer on a busy machine.
        with self._blas.limit(limits=1, user_api="blas"):
            return self._track(frame)

    def _track(self, frame: Frame) -> Sighting | None:
        self.frames += 1
        shrink = max(self.min_face * min(frame.height, frame.width) / LEAST_SIDE, 1)
        box = self._look(frame.colour(shrink))
        if box is not None:
            last, self._box, self._missed = self._cut, box, 0
            cut = self._square(box * shrink)
            self._cut = cut if last is None else STEADINESS * last + (1 - STEADINESS) * cut
        else:
            self.lost += 1
            self._missed += 1
            if self._cut is not None and self._missed > self.patience:
                self._box = self._cut = None
                self.run += 1
            if self._cut is None:
                return None
        x, y, side = map(float, self._cut)
        pixels = crop(frame.grey(), (x, y, x + side, y + side), (self.size, self.size))
        return Sighting(
            frame.index, frame.time, self.run, (x, y, side), (pixels + 0.5).astype(np.uint8), box is not None
        )

    def _look(self, picture: AnyArray) -> FloatArray | None:
        """Box of the face in the shrunk picture (h, w, 3), or None."""
        self._since_search += 1
        if self._box is not None and self._since_search < self.every:
            face = self.detector.follow(picture, self._box)
            if face:
                return face.box
        self._since_search = 0
        boxes = [face.box for face in self.detector.detect(picture, LEAST_SIDE)]
        if not boxes:
            return None
        if self._box is not None:
            last = self._box
            nearest = max(boxes, key=lambda box: overlap(box, last))
            # Another face is not taken while there is still patience for this one.
            return nearest if overlap(nearest, last) > SAME_FACE else None
        return min(boxes, key=lambda box: self._rank(box, picture.shape))

    def _rank(self, box: FloatArray, shape: tuple[int, ...]) -> float:
        """What is least for the face that is preferred."""
        x1, y1, x2, y2 = map(float, box)
        if self.prefer == "largest":
            return -(x2 - x1) * (y2 - y1)
        return float(np.hypot((x1 + x2) - shape[1], (y1 + y2) - shape[0]))

    def _square(self, box: FloatArray) -> FloatArray:
        """x, y and side of the square to cut out for a face at ``box``."""
        side = max(box[2:] - box[:2]) / (1 - self.margin)
        return np.array([*((box[:2] + box[2:]) - side) / 2, side])


def overlap(one: FloatArray, other: FloatArray) -> float:
    """The common part of two boxes ``(x1, y1, x2, y2)``, as a share of their union."""
    common = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0).prod()
    return float(common / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - common))


def _blas() -> Any:
    """What sets the number of threads that NumPy's matrix products run on."""
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        raise InputError("following faces needs threadpoolctl: pip install 'emop3d-np[faces]'") from None
    return ThreadpoolController()
