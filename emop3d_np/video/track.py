"""The one face of a video that matters, from frame to frame, cut out at one size."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .mtcnn import Detector
from .resample import crop

MARGIN = 44 / 182
"""Share of the cut-out's side that lies beyond the face's box, both borders together: FaceNet's 44 of 182 pixels."""

LEAST_SIDE = 24
"""Pixels of the smallest face in the pictures that are searched: frames are shrunk until it has no more."""

STEADINESS = 0.5
"""How much of the cut-out's last place stays in the next: boxes tremble by a pixel or two, faces should not."""

SAME_FACE = 0.3
"""Boxes that share this much of their union show the same face."""


@dataclass(frozen=True)
class Sighting:
    """A face in a frame.

    Attributes:
        frame, time: number of the frame in its video, and seconds since the first.
        run: counts up whenever frames in between were lost; within a run no frame is missing.
        box: ``(x, y, side)`` of the square that was cut out, pixels of the frame, may look over its border.
        pixels: uint8 ndarray of shape (size, size), grey.
        found: False where the face was not found and its last place was taken instead.
    """

    frame: int
    time: float
    run: int
    box: tuple
    pixels: np.ndarray
    found: bool


class FaceTracker:
    """Follows one face through the frames that it is called with, in order.

    Every ``every`` frames MTCNN searches the whole frame; in between its last network alone looks where the face was.
    Of several faces it begins with the one that ``prefer`` says, and stays with it.  Where the face is not found, its
    last place is taken for ``patience`` frames; then frames are lost until a face is found again.

    Args:
        size: pixels of a side of the cut-out; default 100.
        prefer: "largest" (default) or "central".
        every: frames from one search to the next; default 5.
        min_face: smallest face searched for, share of the frame's shorter side; default 0.1.
        patience: frames without a face that are bridged; default 5.
        margin: share of the cut-out beyond the face's box; default :data:`MARGIN`.

    Departure from FaceNet: the cut-out is square in the frame, around the box's middle, with the box's longer side;
    FaceNet stretches the box.

    Raises:
        InputError: the extra ``faces`` is not installed.

    Attributes:
        frames, lost: how many frames it was called with, and in how many of them no face was found.
    """

    def __init__(self, size=100, prefer="largest", every=5, min_face=0.1, patience=5, margin=MARGIN):
        self.size, self.prefer, self.every = size, prefer, every
        self.min_face, self.patience, self.margin = min_face, patience, margin
        self.detector = Detector()
        self._blas = _blas()
        self.frames = self.lost = self.run = 0
        self._box = self._cut = None
        self._since_search = self._missed = 0

    def __call__(self, frame):
        """The face in ``frame``, a Sighting; None where the frame is lost."""
        # The matrices are small: two threads of the BLAS take longer than one, much longer on a busy machine.
        with self._blas.limit(limits=1, user_api="blas"):
            return self._track(frame)

    def _track(self, frame):
        self.frames += 1
        shrink = max(self.min_face * min(frame.height, frame.width) / LEAST_SIDE, 1)
        box = self._look(frame.colour(shrink))
        if box is not None:
            fresh = self._cut is None
            self._box, self._missed = box, 0
            cut = self._square(box * shrink)
            self._cut = cut if fresh else STEADINESS * self._cut + (1 - STEADINESS) * cut
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

    def _look(self, picture):
        """Box of the face in the shrunk picture, or None."""
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
            nearest = max(boxes, key=lambda box: overlap(box, self._box))
            # The old face is searched for as long as it is waited for; another one begins when it is given up.
            return nearest if overlap(nearest, self._box) > SAME_FACE else None
        return min(boxes, key=lambda box: self._rank(box, picture.shape))

    def _rank(self, box, shape):
        x1, y1, x2, y2 = box
        if self.prefer == "largest":
            return -(x2 - x1) * (y2 - y1)
        return np.hypot((x1 + x2) - shape[1], (y1 + y2) - shape[0])

    def _square(self, box):
        side = max(box[2:] - box[:2]) / (1 - self.margin)
        return np.array([*((box[:2] + box[2:]) - side) / 2, side])


def overlap(one, other):
    """Share of two boxes' union that is common to both."""
    common = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0).prod()
    return common / ((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod() - common)


def _blas():
    try:
        from threadpoolctl import ThreadpoolController
    except ImportError:
        raise InputError("following faces needs threadpoolctl: pip install 'emop3d-np[faces]'") from None
    return ThreadpoolController()
