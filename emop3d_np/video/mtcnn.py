"""MTCNN, the face detector that FaceNet's preparation uses: three small networks, one after the other.

PNet looks at every place of a picture at many sizes and proposes boxes; RNet, on 24 x 24 pixels of each, throws most of
them out; ONet, on 48 x 48, decides and gives five points of the face.  Each corrects the boxes of the one before.

Pictures are uint8 ``(h, w, 3)``, red first; boxes ``(x1, y1, x2, y2)`` in pixels from the picture's left upper corner.

Source: Zhang, Zhang, Li and Qiao, Joint Face Detection and Alignment using Multitask Cascaded Convolutional Networks,
2016; the arithmetic of boxes as in FaceNet's ``detect_face``, rounding included.
"""

from dataclasses import dataclass

import numpy as np

from . import weights
from .resample import crop

THRESHOLDS = (0.6, 0.7, 0.7)
"""Least probability of a face that PNet, RNet and ONet let through."""

FACTOR = 0.709
"""Each picture PNet sees has this share of the side of the one before: half of its area."""

CELL, STRIDE = 12, 2
"""PNet sees 12 x 12 pixels at a time, every second place."""

CROPS_AT_A_TIME = 64


@dataclass(frozen=True)
class Face:
    """A face found: its box, the probability that it is one, and ``points`` (5, 2): x and y of eyes, nose, mouth."""

    box: np.ndarray
    score: float
    points: np.ndarray


class Network:
    """One of the three: convolutions with PReLU and maximum pools, then heads side by side.

    Args:
        name: "pnet", "rnet" or "onet".

    Called with float32 pictures (n, h, w, 3), values -1 to 1; returns its heads' outputs in order: PNet's
    ``(n, h', w', k)``, the others' ``(n, k)``.  The last one holds probabilities (no face, face).
    """

    # Per network: number of its first convolution; then for each the side of the pool behind it (0: none); heads.
    PLANS = {  # noqa: RUF012
        "pnet": (0, (2, 0, 0), ("conv2d_4", "conv2d_3")),
        "rnet": (5, (3, 3, 0), ("dense_2", "dense_1")),
        "onet": (8, (3, 3, 2, 0), ("dense_5", "dense_6", "dense_4")),
    }
    # Activations are counted through all networks, the one behind each dense layer included.
    FIRST_SLOPES = {"pnet": 0, "rnet": 3, "onet": 7}  # noqa: RUF012
    DENSE = {"rnet": "dense", "onet": "dense_3"}  # noqa: RUF012

    def __init__(self, name):
        arrays = weights.load(name)
        first, pools, heads = self.PLANS[name]
        self.convolutions = []
        for layer, pool in enumerate(pools):
            conv = f"conv2d_{first + layer}" if first + layer else "conv2d"
            slope = f"p_re_lu_{self.FIRST_SLOPES[name] + layer}" if self.FIRST_SLOPES[name] + layer else "p_re_lu"
            kernel, bias = arrays[f"{conv}/kernel"], arrays[f"{conv}/bias"]
            # ONNX has (f, c, x, y): the networks were trained on pictures lying on their side.
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

    def __call__(self, x):
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


def convolve(x, taps, bias):
    """``y[n,h,w,f] = bias[f] + sum_{j,k,c} x[n,h+j,w+k,c] taps[j,k,c,f]``, without padding."""
    rows, columns, c, f = taps.shape
    n, h, w, _ = x.shape
    h, w = h - rows + 1, w - columns + 1
    # All that one output sees, side by side, so that one matrix product does the rest.
    seen = np.empty((n, h, w, rows * columns, c), x.dtype)
    for j in range(rows):
        for k in range(columns):
            seen[:, :, :, j * columns + k] = x[:, j : j + h, k : k + w]
    y = seen.reshape(-1, rows * columns * c) @ taps.reshape(-1, f)
    y += bias
    return y.reshape(n, h, w, f)


def prelu(x, slope):
    """``x = max(x, 0) + slope[f] min(x, 0)``, in place."""
    below = np.minimum(x, 0)
    below *= slope
    np.maximum(x, 0, out=x)
    x += below


def max_pool(x, side):
    """Maximum of ``side x side``, every second place; windows that look over the end see what is there."""
    _, h, w, _ = x.shape
    h_out, w_out = (h - side + 1) // 2 + 1, (w - side + 1) // 2 + 1
    m = None
    for j in range(side):
        for k in range(side):
            part = x[:, j::2, k::2][:, :h_out, :w_out]
            if m is None:
                m = part.copy()
            else:
                np.maximum(m[:, : part.shape[1], : part.shape[2]], part, out=m[:, : part.shape[1], : part.shape[2]])
    return m


def softmax(logits):
    e = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


class Detector:
    """The cascade.  ``detect`` finds all faces of a picture, ``follow`` one face from one picture to the next."""

    def __init__(self):
        self.pnet, self.rnet, self.onet = (Network(name) for name in ("pnet", "rnet", "onet"))

    def detect(self, picture, min_face=20):
        """All faces of a picture.

        Args:
            picture: uint8 ndarray of shape (h, w, 3), red first.
            min_face: smallest side of a face, pixels; default 20, FaceNet's.  The time goes with its inverse square.

        Returns:
            list of Face, the most certain first.
        """
        boxes = self._propose(picture, min_face)
        boxes = self._refine(picture, boxes)
        return self._decide(picture, boxes)

    def follow(self, picture, box):
        """The face that was at ``box`` in the picture before, or None where ONet sees none there."""
        faces = self._decide(picture, np.trunc(squared(box[np.newaxis])))
        return faces[0] if faces else None

    def _propose(self, picture, min_face):
        """PNet at every size: squared boxes of shape (m, 4)."""
        h, w = picture.shape[:2]
        scale, found = CELL / min_face, []
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
        found = np.concatenate([np.empty((0, 9)), *found])
        found = found[suppress(found[:, :4], found[:, 4], 0.7)]
        return np.trunc(squared(shifted(found[:, :4], found[:, 5:], 0)))

    def _refine(self, picture, boxes):
        """RNet on each box: fewer squared boxes."""
        shifts, faces = self._look(self.rnet, 24, picture, boxes)
        score = faces[:, 1]
        kept = np.flatnonzero(score > THRESHOLDS[1])
        kept = kept[suppress(boxes[kept], score[kept], 0.7)]
        return np.trunc(squared(shifted(boxes[kept], shifts[kept], 1)))

    def _decide(self, picture, boxes):
        """ONet on each box: the faces."""
        shifts, points, faces = self._look(self.onet, 48, picture, boxes)
        score = faces[:, 1]
        kept = np.flatnonzero(score > THRESHOLDS[2])
        boxes, shifts, points, score = boxes[kept], shifts[kept], points[kept], score[kept]
        # Points come as shares of the box, all x first.
        corner, size = boxes[:, np.newaxis, :2], boxes[:, np.newaxis, 2:] - boxes[:, np.newaxis, :2] + 1
        points = corner + points.reshape(-1, 2, 5).transpose(0, 2, 1) * size - 1
        boxes = shifted(boxes, shifts, 1)
        return [Face(boxes[i], float(score[i]), points[i]) for i in suppress(boxes, score, 0.7, of_smaller=True)]

    def _look(self, network, side, picture, boxes):
        """Outputs of ``network`` for the picture inside each box, ``side x side`` pixels, black beyond the picture."""
        outputs = []
        for start in range(0, max(len(boxes), 1), CROPS_AT_A_TIME):
            crops = [
                # Boxes count their corners' pixels from 1, both inside.
                crop(picture, (x1 - 1, y1 - 1, x2, y2), (side, side), "black")
                for x1, y1, x2, y2 in boxes[start : start + CROPS_AT_A_TIME]
            ]
            x = np.array(crops, np.float32).reshape(-1, side, side, 3)
            outputs.append(network(standardized(x)))
        return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def standardized(pixels):
    """Values 0 to 255 as the networks take them, -1 to 1."""
    return (pixels - np.float32(127.5)) / np.float32(128)


def shifted(boxes, shifts, last):
    """Boxes moved by a network's output, which is given in shares of their sides; ``last`` pixels count as inside."""
    sides = boxes[:, 2:] - boxes[:, :2] + last
    return boxes + shifts * np.tile(sides, 2)


def squared(boxes):
    """Boxes widened to squares around the same middle."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return np.hstack([corner, corner + longer])


def suppress(boxes, scores, most, of_smaller=False):
    """Non-maximum suppression: of boxes that overlap by more than ``most``, the one of the highest score stays.

    The overlap is taken of their union or, ``of_smaller``, of the smaller one.

    Returns:
        ndarray of the indices that stay, the highest score first.
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
