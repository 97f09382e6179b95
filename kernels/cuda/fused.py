"""The whole training pass of the usual network on the device: only the batch goes there, losses and logits come back.

The first layer is most of the work: ``fused_windows_and_pooling.py``.  ``fused_frames_pooling.py`` takes the third
layer's steps together, ``fused_normalization.py`` those behind the third and the fifth.  Nothing is added by two blocks
and there are no atomics.

For a network that :func:`fuse` does not cover, the layers call the functions beside this file.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import AnyArray, BoolArray, FloatArray, IntArray
from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .dense import features_backward, weigh_features, weights_backward
from .device_array import DeviceArray, same_side
from .elements import sum_slabs
from .fused_frames_pooling import frame_weights_backward, frames_backward, frames_forward
from .fused_normalization import normalize_backward_activate
from .fused_windows_and_pooling import (
    COLUMNS,
    ROWS,
    affine_coefficients,
    first_backward,
    first_forward,
    normalize_pooled,
)
from .launch import LAUNCH
from .memory import Memory, memory, require_room
from .passes import Pass, apart, together
from .planes import activation_planes, parameter, parameter_planes
from .scale_shift import sum_frames
from .softmax_cross_entropy import cross_entropies, cross_entropies_backward
from .standardize import normalize
from .weighted_sum import sum_windows, sum_windows_backward

FIELD, STRIDES, POOL = (3, 4, 4), (1, 1, 1), (3, 2, 2)
"""The windows this file is written for."""

SLABS = 8
"""Groups of samples with first-layer gradients of their own, at most."""

CLIPS_AT_A_TIME = 128
"""Clips that are predicted together; a training step takes the whole batch."""

CHANNELS = (2, 1, 1, 1, 2, 1, 2, 1)
"""How many of the last axes of each parameter are channels; FC_OUT's features are seen as (d, h, w, f)."""


Clips: TypeAlias = AnyArray | DeviceArray


def fuse(
    input_shape: tuple[int, int, int, int],
    maps: int,
    classes: int,
    dtype: DTypeLike,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    pool: tuple[int, int, int],
    pooling: str,
) -> "Fused | None":
    """The fused passes for a network, or None for one they do not cover: they are written for the usual windows.

    Args:
        input_shape: ``(d, h, w, c)`` of a clip.
        maps: feature maps ``f`` of every layer.
        classes: ``k``.
        dtype: float32 or float64.
        receptive_field, strides: frames, rows and columns of the weighted sums' windows and of their steps.
        pool: frames, rows and columns that are pooled.
        pooling: "max" or "average".
    """
    if (receptive_field, strides, pool, pooling) != (FIELD, STRIDES, POOL, "max"):
        return None
    return Fused(input_shape, maps, classes, dtype)


class Fused:
    """The fused passes for one network; arguments as of :func:`fuse`."""

    def __init__(self, input_shape: tuple[int, int, int, int], maps: int, classes: int, dtype: DTypeLike) -> None:
        self.d, self.h, self.w, self.c = input_shape
        self.maps, self.classes = maps, classes
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self._kept: dict[tuple[bool, int], Pass] = {}

    def forward(self, x: Clips, parameters: Sequence[DeviceArray]) -> tuple[FloatArray, BoolArray]:
        """Logits (n, k) of clips (n, d, h, w, c), and for each clip whether its first maps are finite."""
        parameters, results = list(parameters), []
        for start in range(0, len(x), CLIPS_AT_A_TIME):
            part = x[start : start + CLIPS_AT_A_TIME]
            of_part = self._memory(len(part), training=False)
            clips = of_part.sent("clips", part)

            def work(clips: DeviceArray = clips) -> Memory:
                _, scale, *_, logits = self._forward(activation_planes(clips), self._planes(parameters))
                return together(logits, scale)

            results.append(of_part.run(work, clips, *parameters))
        logits, finite, _ = apart(np.concatenate(results), self.classes)
        return logits, finite

    def training_pass(
        self, x: Clips, labels: IntArray, parameters: Sequence[DeviceArray], gradients: Sequence[DeviceArray]
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Forward and backward.

        Args:
            x: clips (n, d, h, w, c), a NumPy array or a DeviceArray.
            labels: int64 ndarray of shape (n,).
            parameters: DeviceArrays, in order.
            gradients: DeviceArrays of the same shapes, to be overwritten with the gradient of the mean loss.

        Returns:
            ``losses, logits, finite``: ndarrays of shape (n,), (n, k) and (n,); the last says for which clips all maps
            of the first layer were finite.

        Raises:
            InputError: the batch does not fit into the device's memory; the bytes are named.
        """
        parameters = list(parameters)
        same_side((parameters[0], *gradients), ("parameter", *["gradient"] * len(gradients)))
        of_batch = self._memory(len(labels), training=True)
        clips, on_device = of_batch.sent("clips", x), of_batch.sent("labels", labels)

        def work() -> Memory:
            losses, logits, scale = self._training_pass(clips, on_device.data, parameters, gradients)
            return together(logits, scale, losses)

        logits, finite, losses = apart(of_batch.run(work, clips, *parameters, *gradients), self.classes)
        return losses, logits, finite

    def _training_pass(
        self, x: DeviceArray, classes: Memory, parameters: Sequence[DeviceArray], gradients: Sequence[DeviceArray]
    ) -> tuple[Memory, Memory, Memory]:
        """The launches: ``losses, logits, scale1`` in memory of the pass; nothing is copied or waited for here."""
        n = len(x)
        net = w1, b1, w3, _, w5, _, w7, _ = self._planes(parameters)
        clips = activation_planes(x)
        n1, scale1, mean1, y3, n3, scale3, y5, n5, scale5, logits = self._forward(clips, net)
        losses, dlogits = memory((n,), self.dtype), memory(logits.shape, self.dtype)
        cross_entropies.over_elements(n, logits, classes, losses)
        # loss = sum_n losses[n] / N
        share = DeviceArray.empty((n,), self.dtype)
        share[...] = 1 / n
        cross_entropies_backward.over_elements(n, share.data, logits, classes, dlogits)

        # FC_OUT
        groups, features = w7.shape[0], w7.shape[2]
        by_map = n5.reshape((n, groups, features))
        dw7, db7, dn5 = memory(w7.shape, self.dtype), memory((self.classes,), self.dtype), memory(n5.shape, self.dtype)
        weights_backward.over_tiles(groups, self.classes, features, dlogits, by_map, dw7)
        sum_slabs.over_elements(self.classes, dlogits, db7)
        features_backward.over_tiles(groups, n, features, dlogits, w7, dn5.reshape(by_map.shape))
        # NORM_6, L5WS
        dz5 = self._before_activation(dn5, n5, scale5, y5)
        dn3, dw5, db5 = sum_windows_backward(dz5, n3, w5, FIELD, STRIDES, True)
        # NORM_4, L3P from its maximum over frames on
        dz3 = self._before_activation(dn3, n3, scale3, y3)
        dn1, dw3 = memory(n1.shape, self.dtype), memory(w3.shape, self.dtype)
        slabs = min(n, SLABS)
        partial = memory((slabs, *w3.shape), self.dtype)
        rows, columns = n1.shape[3:]
        frames_backward.over_tiles(n * self.maps * n1.shape[2], rows, columns, dz3, n1, w3, dn1)
        frame_weights_backward.over_tiles(slabs * self.maps, rows, columns, dz3, n1, partial)
        sum_slabs.over_elements(dw3.size, partial.reshape((slabs, dw3.size)), dw3.reshape(dw3.size))
        db3 = sum_frames(dz3)
        # L3P's maximum in space, NORM_2, L1WS
        dw1, db1 = self._first_backward(clips, w1, b1, n1, dn1, mean1, scale1)

        found = (dw1, db1, dw3, db3, dw5, db5, dw7, db7)
        for planes, channels, shape, gradient in zip(found, CHANNELS, self._shapes(gradients), gradients, strict=True):
            parameter(planes, shape, channels, gradient.reshape(shape))
        return losses, logits, scale1

    def _forward(self, x: Memory, net: Sequence[Memory]) -> tuple[Memory, ...]:
        """All planes that backward needs, the logits last; ``net``: the parameters in planes."""
        w1, b1, w3, b3, w5, b5, w7, b7 = net
        n, _, d, h, w = x.shape
        f, alpha, epsilon = self.maps, self.dtype.type(ALPHA), self.dtype.type(EPSILON)
        rows, columns = h - 3, w - 3
        # L1WS, NORM_2, and the maximum in space of L3P
        n1 = memory((n, f, d - 2, rows // 2, columns // 2), self.dtype)
        pieces = -(-rows // ROWS) * -(-columns // COLUMNS)
        moments = memory((n * f * (d - 2), pieces, 2), self.dtype)
        first_forward(n * f * (d - 2) * pieces, LAUNCH.block, x, w1, b1, alpha, n1, moments)
        mean, scale = memory((n, f, d - 2), self.dtype), memory((n, f, d - 2), self.dtype)
        normalize_pooled(n * f * (d - 2), LAUNCH.block, moments, rows, columns, epsilon, mean, scale, n1)
        # L3P from its maximum over frames on, NORM_4
        y3 = memory((n, f, d - 4, *n1.shape[3:]), self.dtype)
        frames_forward.over_tiles(n * f * (d - 4), *n1.shape[3:], n1, w3, b3, alpha, y3)
        n3, scale3 = self._normalized(y3, epsilon)
        # L5WS, NORM_6, FC_OUT
        y5 = sum_windows(n3, w5, b5, FIELD, STRIDES, ALPHA)
        n5, scale5 = self._normalized(y5, epsilon)
        logits = memory((n, self.classes), self.dtype)
        weigh_features(n * self.classes, LAUNCH.threads, n5.reshape((n, w7.shape[0], w7.shape[2])), w7, b7, logits)
        return n1, scale, mean, y3, n3, scale3, y5, n5, scale5, logits

    def _normalized(self, y: Memory, epsilon: float) -> tuple[Memory, Memory]:
        normalized, scale = memory(y.shape, self.dtype), memory(y.shape[:3], self.dtype)
        normalize(scale.size, LAUNCH.block, y, epsilon, normalized, scale)
        return normalized, scale

    def _before_activation(self, dn: Memory, normalized: Memory, scale: Memory, y: Memory) -> Memory:
        """The gradient before leaky ReLU and normalisation, written over ``dn``; ``y`` has the sign of ``z``."""
        normalize_backward_activate(scale.size, LAUNCH.block, normalized, scale, y, self.dtype.type(ALPHA), dn)
        return dn

    def _first_backward(
        self, x: Memory, w1: Memory, b1: Memory, n1: Memory, dn1: Memory, mean: Memory, scale: Memory
    ) -> tuple[Memory, Memory]:
        slabs = min(x.shape[0], SLABS)
        rows, columns = b1.shape[2:]
        affine = memory((*scale.shape, 3), self.dtype)
        affine_coefficients(scale.size, LAUNCH.block, n1, dn1, mean, scale, rows * columns, affine)
        weights, biases = memory((slabs, *w1.shape), self.dtype), memory((slabs, *b1.shape), self.dtype)
        pieces = -(-self.h // ROWS) * -(-self.w // COLUMNS)
        first_backward(
            slabs * self.c * self.maps * pieces, LAUNCH.block,
            x, w1, b1, dn1, affine, self.dtype.type(ALPHA), weights, biases,
        )  # fmt: skip
        dw1, db1 = memory(w1.shape, self.dtype), memory(b1.shape, self.dtype)
        sum_slabs.over_elements(dw1.size, weights.reshape((slabs, dw1.size)), dw1.reshape(dw1.size))
        sum_slabs.over_elements(db1.size, biases.reshape((slabs, db1.size)), db1.reshape(db1.size))
        return dw1, db1

    def _planes(self, parameters: Sequence[DeviceArray]) -> list[Memory]:
        """The parameters in planes: weights (c, f, i, h, w), biases (f, d, h, w), FC_OUT's weights (f, k, d h w)."""
        arrays = [
            parameter_planes(values.reshape(shape), channels)
            for values, shape, channels in zip(parameters, self._shapes(parameters), CHANNELS, strict=True)
        ]
        for which, shape in ((2, arrays[2].shape[:1] + arrays[2].shape[2:]), (3, arrays[3].shape[:2])):
            arrays[which] = arrays[which].reshape(shape)
        arrays[6] = arrays[6].reshape((self.maps, self.classes, arrays[6].size // (self.maps * self.classes)))
        return arrays

    def _shapes(self, parameters: Sequence[DeviceArray]) -> list[tuple[int, ...]]:
        """The shapes of the parameters, that of FC_OUT's weights as (d, h, w, f, k)."""
        shapes = [tuple(values.shape) for values in parameters]
        d, h, w, f = shapes[5]
        shapes[6] = (d, h, w, f, self.classes)
        return shapes

    def _memory(self, n: int, training: bool) -> Pass:
        """The pass over ``n`` clips, with what it kept the last time; passes over other numbers of clips go for it."""
        if (training, n) not in self._kept:
            # a set of clips has a last part: forward passes over two numbers of clips take turns
            others = [key for key in self._kept if key[0] == training]
            for key in others if training else others[:-1]:
                del self._kept[key]
            each = self.bytes_per_clip(training)
            require_room(n * each, f"a batch of {n:,} clips", hint=f"lower --batch_size; a clip takes {each:,}")
            self._kept[training, n] = Pass()
        return self._kept[training, n]

    def bytes_per_clip(self, training: bool = True) -> int:
        """Memory that each clip of a batch takes on its way, without what the batch takes once."""
        d, f = self.d, self.maps
        h, w = (self.h - 3) // 2, (self.w - 3) // 2
        clip, pooled = self.d * self.h * self.w * self.c, h * w * f
        last = (d - 6) * (h - 3) * (w - 3) * f
        forward = clip * (2 if self.c > 1 else 1) + (d - 2) * pooled + 2 * (d - 4) * pooled + 2 * last
        # dn1, dn3, dz5, and L5WS' G
        backward = (d - 2) * pooled + (d - 4) * pooled + last + (d - 6) * pooled
        return (forward + (backward if training else 0)) * self.dtype.itemsize
