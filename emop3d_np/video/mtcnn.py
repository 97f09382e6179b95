"""MTCNN, the face detector that FaceNet's preparation uses: three small networks, one after the other.

PNet looks at every place of a picture at many sizes and proposes boxes.  RNet sees each box at 24 x 24 pixels and
throws most of them out.  ONet sees the others at 48 x 48, decides, and gives five points of the face.  Each network
corrects the boxes of the one before.

Pictures are uint8 ``(h, w, 3)``, red first.  Boxes are ``(x1, y1, x2, y2)`` in pixels from the picture's left upper
corner.

Source: Zhang, Zhang, Li and Qiao, Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks,
2016; the arithmetic of boxes as in FaceNet's ``detect_face``, rounding included.
"""

from dataclasses import dataclass

import numpy as np

from kernels.arrays import AnyArray, FloatArray, IntArray

from . import weights
from .resample import crop

THRESHOLDS = (0.6, 0.7, 0.7)
"""The least probability of a face with which a box passes PNet, RNet and ONet."""

FACTOR = 0.709
"""PNet sees the picture smaller and smaller, with sides of this factor each time: half of the area."""

CELL, STRIDE = 12, 2
"""An output of PNet sees 12 x 12 pixels, and the next one begins 2 pixels further."""

CROPS_AT_A_TIME = 64
"""Boxes that RNet and ONet look at together."""


@dataclass(frozen=True)
class Face:
    """A face that was found.

    Attributes:
        box: ndarray of shape (4,).
        score: probability that it is a face.
        points: ndarray of shape (5, 2): x and y of both eyes, the nose, and both corners of the mouth.
    """

    box: FloatArray
    score: float
    points: FloatArray


class Network:
    """One of the three networks: convolutions with PReLU and maximum pools, then heads side by side.

    Args:
        name: "pnet", "rnet" or "onet".
    """

    # Per network: the number of its first convolution; the side of the pool behind each convolution, 0 where there is
    # none; and its heads.
    PLANS = {  # noqa: RUF012
        "pnet": (0, (2, 0, 0), ("conv2d_4", "conv2d_3")),
        "rnet": (5, (3, 3, 0), ("dense_2", "dense_1")),
        "onet": (8, (3, 3, 2, 0), ("dense_5", "dense_6", "dense_4")),
    }
    # Per network: the number of its first activation.  They are counted through all networks, dense layers included.
    FIRST_SLOPES = {"pnet": 0, "rnet": 3, "onet": 7}  # noqa: RUF012
    DENSE = {"rnet": "dense", "onet": "dense_3"}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        arrays = weights.load(name)
        first, pools, heads = self.PLANS[name]
        self.convolutions = []
        for layer, pool in enumerate(pools):
            conv = f"conv2d_{first + layer}" if first + layer else "conv2d"
            slope = f"p_re_lu_{self.FIRST_SLOPES[name] + layer}" if self.FIRST_SLOPES[name] + layer else "p_re_lu"
            kernel, bias = arrays[f"{conv}/kernel"], arrays[f"{conv}/bias"]
            # The file has (f, c, x, y), since the networks were trained on pictures that lie on their side.
            taps = np.ascontiguousarray(kernel.transpose(3, 2, 1, 0))
            self.convolutions.append((taps, bias, arrays[slope].ravel(), pool))
        self.dense = None
        if name in self.DENSE:
            kernel, bias = arrays[f"{self.DENSE[name]}/kernel"], arrays[f"{self.DENSE[name]}/bias"]
            side, maps = 3, kernel.shape[0] // 9
            upright = kernel.reshape(side, side, maps, -1).transpose(1, 0, 2, 3).reshape(kernel.shape)
            self.dense = np.ascontiguousarray(upright), bias, arrays["slope"]
        self.heads = [
            (arrays[f"{head}/kernel"].reshape(arrays[f"{head}/bias"].size, -1).T, arrays[f"{head}/bias"])
            if name == "pnet"
            else (arrays[f"{head}/kernel"], arrays[f"{head}/bias"])
            for head in heads
        ]

    def __call__(self, x: FloatArray) -> tuple[FloatArray, ...]:
        """Outputs of the heads for pictures.

        Args:
            x: float32 ndarray of shape (n, h, w, 3), values from -1 to 1.

        Returns:
            One ndarray per head, in order: of shape (n, h', w', k) from PNet, (n, k) from the others.  The last one
            holds probabilities, of no face and of a face.
        """
        for taps, bias, slope, pool in self.convolutions:
            x = convolve(x, taps, bias)
            prelu(x, slope)
            if pool:
                x = max_pool(x, pool)
        if self.dense:
            kernel, bias, slope = self.dense
            x = x.reshape(len(x), len(kernel)) @ kernel + bias
            prelu(x, slope)
        *outputs, logits = (x @ kernel + bias for kernel, bias in self.heads)
        return *outputs, softmax(logits)


def convolve(x: FloatArray, taps: FloatArray, bias: FloatArray) -> FloatArray:
    """``y[n,h,w,f] = bias[f] + sum_{j,k,c} x[n,h+j,w+k,c] taps[j,k,c,f]``, without padding."""
    rows, columns, c, f = taps.shape
    n, h, w, _ = x.shape
    h, w = h - rows + 1, w - columns + 1
    # All that one output sees stands side by side, so that one matrix product is the whole convolution.
    seen = np.empty((n, h, w, rows * columns, c), x.dtype)
    for j in range(rows):
        for k in range(columns):
            seen[:, :, :, j * columns + k] = x[:, j : j + h, k : k + w]
    y = seen.reshape(-1, rows * columns * c) @ taps.reshape(-1, f)
    y += bias
    return y.reshape(n, h, w, f)


def prelu(x: FloatArray, slope: FloatArray) -> None:
    """``x = max(x, 0) + slope[f] min(x, 0)``, in place."""
    below = np.minimum(x, 0)
    below *= slope
    np.maximum(x, 0, out=x)
    x += below


def max_pool(x: FloatArray, side: int) -> FloatArray:
    """Maximum of windows of ``side x side``, 2 apart; a window that reaches over the end takes what is inside.

    ``x`` is of shape (n, h, w, f), the result (n, h', w', f).
    """
    _, h, w, _ = x.shape
    h_out, w_out = (h - side + 1) // 2 + 1, (w - side + 1) // 2 + 1
    m = x[:, ::2, ::2][:, :h_out, :w_out].copy()
    for j in range(side):
        for k in range(side):
            part = x[:, j::2, k::2][:, :h_out, :w_out]
            inside = m[:, : part.shape[1], : part.shape[2]]
            np.maximum(inside, part, out=inside)
    return m


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities along the last axis."""
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


class Detector:
    """The three networks in a row: ``detect`` finds all faces of a picture, ``follow`` one face in the next picture."""

    def __init__(self) -> None:
        self.pnet, self.rnet, self.onet = (Network(name) for name in ("pnet", "rnet", "onet"))

    def detect(self, picture: AnyArray, min_face: float = 20) -> list[Face]:
        """All faces of a picture.

        Args:
            picture: uint8 ndarray of shape (h, w, 3), red first.
            min_face: side of the smallest face to be found, in pixels; default 20, as in FaceNet.  With half of it, a
                search takes four times as long.

        Returns:
            The faces, the most probable first.
        """
        boxes = self._propose(picture, min_face)
        boxes = self._refine(picture, boxes)
        return self._decide(picture, boxes)

    def follow(self, picture: AnyArray, box: FloatArray) -> Face | None:
        """The face in ``picture`` (h, w, 3) that was at ``box`` in the one before; None where ONet sees none there."""
        faces = self._decide(picture, np.trunc(squared(box[np.newaxis])))
        return faces[0] if faces else None

    def _propose(self, picture: AnyArray, min_face: float) -> FloatArray:
        """Square boxes (m, 4) where PNet sees a face at some size."""
        h, w = picture.shape[:2]
        scale = CELL / min_face
        found = [np.empty((0, 9))]  # box, score, and shifts of the box
        while min(h, w) * scale >= CELL:
            size = int(np.ceil(h * scale)), int(np.ceil(w * scale))
            shifts, faces = self.pnet(standardized(crop(picture, (0, 0, w, h), size))[np.newaxis])
            score = faces[0, :, :, 1]
            y, x = np.nonzero(score >= THRESHOLDS[0])
            places = STRIDE * np.column_stack([x, y])
            corners = np.hstack([np.trunc((places + 1) / scale), np.trunc((places + CELL) / scale)])
            proposed = np.column_stack([corners, score[y, x], shifts[0, y, x]])
            found.append(proposed[suppress(proposed[:, :4], proposed[:, 4], 0.5)])
            scale *= FACTOR
        together = np.concatenate(found)
        together = together[suppress(together[:, :4], together[:, 4], 0.7)]
        return np.trunc(squared(shifted(together[:, :4], together[:, 5:], 0)))

    def _refine(self, picture: AnyArray, boxes: FloatArray) -> FloatArray:
        """Those of the square boxes (m, 4) that RNet lets through, corrected."""
        shifts, faces = self._look(self.rnet, 24, picture, boxes)
        score = faces[:, 1]
        kept = np.flatnonzero(score > THRESHOLDS[1])
        kept = kept[suppress(boxes[kept], score[kept], 0.7)]
        return np.trunc(squared(shifted(boxes[kept], shifts[kept], 1)))

    def _decide(self, picture: AnyArray, boxes: FloatArray) -> list[Face]:
        """The faces that ONet sees in the boxes (m, 4)."""
        shifts, points, faces = self._look(self.onet, 48, picture, boxes)
        score = faces[:, 1]
        kept = np.flatnonzero(score > THRESHOLDS[2])
        boxes, shifts, points, score = boxes[kept], shifts[kept], points[kept], score[kept]
        # The points are shares of the box, and all x come before all y.
        corner, size = boxes[:, np.newaxis, :2], boxes[:, np.newaxis, 2:] - boxes[:, np.newaxis, :2] + 1
        points = corner + points.reshape(-1, 2, 5).transpose(0, 2, 1) * size - 1
        boxes = shifted(boxes, shifts, 1)
        return [Face(boxes[i], float(score[i]), points[i]) for i in suppress(boxes, score, 0.7, of_smaller=True)]

    def _look(self, network: Network, side: int, picture: AnyArray, boxes: FloatArray) -> list[FloatArray]:
        """Outputs (m, k) of ``network`` for the boxes (m, 4), each seen at ``side x side`` pixels.

        What lies beyond the picture is black.
        """
        outputs = []
        for start in range(0, max(len(boxes), 1), CROPS_AT_A_TIME):
            crops = [
                # Boxes number pixels from 1 and include both of their corners.
                crop(picture, (x1 - 1, y1 - 1, x2, y2), (side, side), "black")
                for x1, y1, x2, y2 in boxes[start : start + CROPS_AT_A_TIME]
            ]
            x = np.array(crops, np.float32).reshape(-1, side, side, 3)
            outputs.append(network(standardized(x)))
        return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def standardized(pixels: FloatArray) -> FloatArray:
    """Pixels from 0 to 255 as the networks take them, from -1 to 1; any shape."""
    return np.asarray((pixels - np.float32(127.5)) / np.float32(128))


def shifted(boxes: FloatArray, shifts: FloatArray, last: int) -> FloatArray:
    """Boxes (m, 4) whose corners are moved by ``shifts`` (m, 4), shares of the boxes' sides.

    ``last`` is 1 where the pixel at the second corner counts as part of a side, and 0 where it does not.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + last
    return np.asarray(boxes + shifts * np.tile(sides, 2))


def squared(boxes: FloatArray) -> FloatArray:
    """Boxes (m, 4) widened to squares around the same middle."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return np.hstack([corner, corner + longer])


def suppress(boxes: FloatArray, scores: FloatArray, most: float, of_smaller: bool = False) -> IntArray:
    """Non-maximum suppression: where boxes overlap by more than ``most``, the one with the highest score stays.

    Args:
        boxes: ndarray of shape (m, 4).
        scores: ndarray of shape (m,).
        most: overlap that is allowed: the common part of two boxes, as a share of their union.
        of_smaller: True takes the share of the smaller box instead; default False.

    Returns:
        ndarray of the indices of the boxes that stay, the highest score first.
    """
    areas = (boxes[:, 2] - boxes[:, 0] + 1) * (boxes[:, 3] - boxes[:, 1] + 1)
    order, kept = np.argsort(scores, kind="stable")[::-1], []
    while order.size:
        best, rest = order[0], order[1:]
        kept.append(best)
        sides = np.minimum(boxes[best, 2:], boxes[rest, 2:]) - np.maximum(boxes[best, :2], boxes[rest, :2]) + 1
        common = np.maximum(sides, 0).prod(axis=1)
        whole = np.minimum(areas[best], areas[rest]) if of_smaller else areas[best] + areas[rest] - common
        order = rest[common <= most * whole]
    return np.array(kept, np.intp)
