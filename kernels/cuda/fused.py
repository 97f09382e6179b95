"""The whole training pass of the usual network on the device: only the batch goes there, losses and logits come back.

The first layer is most of the work: ``fused_first_layer.py``.  ``fused_frames_pooling.py`` has the third layer,
``fused_windows.py`` the fifth, ``fused_features.py`` the last one.  Each reads maps that are not normalised, and
normalises on the way (``fused_normalization.py``).  Nothing is added by two blocks and there are no atomics.

For a network that :func:`fuse` does not cover, the layers call the functions beside this file.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import AnyArray, BoolArray, FloatArray, IntArray
from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from . import fused_first_layer, fused_windows
from .device_array import DeviceArray, same_side
from .fused_features import features_affine, planes_backward, sum_parts, weigh_planes
from .fused_first_layer import first_backward, first_forward
from .fused_frames_pooling import frame_bias_backward, frames_backward, frames_forward
from .fused_normalization import affine_coefficients, plane_moments
from .fused_windows import windows_backward, windows_forward, windows_spread
from .launch import MANY, STRIP
from .memory import Memory, memory, require_room
from .passes import Pass, apart, together
from .planes import activation_planes, parameter, parameter_planes
from .softmax_cross_entropy import cross_entropies, cross_entropies_backward

FIELD, STRIDES, POOL = (3, 4, 4), (1, 1, 1), (3, 2, 2)
"""The windows this file is written for."""

SLABS = 16
"""Groups of samples with gradients of their own, at most, in the third and the fifth layer."""

FIRST_SLABS, FRAME_GROUPS = 5, 7
"""The same of the first layer, where the output frames are in groups too."""

LABEL_BYTES = 8
"""Of a clip's label, on the device."""

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


class Made(NamedTuple):
    """What forward leaves for backward: maps that are not normalised, their planes' means and scales, and logits."""

    x3: Memory
    mean1: Memory
    scale1: Memory
    y3: Memory
    mean3: Memory
    scale3: Memory
    y5: Memory
    mean5: Memory
    scale5: Memory
    parts: Memory
    logits: Memory


def tiles_of(sizes: tuple[int, int], tile: tuple[int, int]) -> int:
    """How many tiles of rows and columns cover a plane."""
    return -(-sizes[0] // tile[0]) * -(-sizes[1] // tile[1])


def rows(*arrays: Memory) -> list[Memory]:
    """Each array as one row, the same memory."""
    return [array.reshape(array.size) for array in arrays]


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
                made = self._forward(activation_planes(clips), self._planes(parameters))
                return together(made.logits, made.scale1)

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
        n, f = len(x), self.maps
        w1, b1, w3, _, w5, _, w7, _ = net = self._planes(parameters)
        clips = activation_planes(x)
        made = self._forward(clips, net)
        losses, dlogits = memory((n,), self.dtype), memory(made.logits.shape, self.dtype)
        cross_entropies.over_elements(n, made.logits, classes, losses)
        # loss = sum_n losses[n] / N
        share = DeviceArray.empty((n,), self.dtype)
        share[...] = 1 / n
        cross_entropies_backward.over_elements(n, share.data, made.logits, classes, dlogits)
        alpha = self.dtype.type(ALPHA)

        # FC_OUT, NORM_6, L5WS
        y3, y5 = made.y3, made.y5
        frames, cells = y5.shape[2], y5.shape[3] * y5.shape[4]
        affine5, db5 = memory((*y5.shape[:3], 3), self.dtype), memory(y5.shape[1:], self.dtype)
        features_affine.over_elements(made.scale5.size, dlogits, made.parts, made.mean5, made.scale5, cells, affine5)
        dw7, (h, w) = memory(w7.shape, self.dtype), y3.shape[3:]
        planes_backward.of(f, frames, cells, self.classes).over_elements(
            (-(-self.classes // 3) + 1) * db5.size,
            *rows(dlogits, y5, made.mean5, made.scale5, w7, affine5),
            alpha,
            *rows(dw7, db5),
        )
        g, slabs = memory((n, f, frames, h, w), self.dtype), min(n, SLABS)
        windows_spread.of(frames + 2, h, w, f, self.classes)(
            n * f * frames * tiles_of((h, w), (fused_windows.ROWS_OWNED, fused_windows.COLUMNS_OUT)), STRIP,
            *rows(dlogits, w7, y5, affine5), alpha, *rows(g),
        )  # fmt: skip
        dn3, dw5 = memory(y3.shape, self.dtype), memory((slabs, *w5.shape), self.dtype)
        cells, pieces = h * w, -(-h * w // STRIP)
        sums3 = memory((n, f, frames + 2, pieces, 2), self.dtype)
        windows_backward.of(f, frames + 2, cells, f, slabs)(
            slabs * f * pieces, STRIP, *rows(g, y3, made.mean3, made.scale3, w5, dn3, dw5, sums3)
        )
        # NORM_4, L3P from its maximum over frames on
        affine3 = self._affine(sums3, made.mean3, made.scale3, cells)
        dn1, dw3 = memory(made.x3.shape, self.dtype), memory((slabs, *w3.shape), self.dtype)
        sums1 = memory((n, f, frames + 4, pieces, 3), self.dtype)
        frames_backward.of(frames + 4, cells, f, slabs)(
            slabs * f * pieces, STRIP, *rows(dn3, y3, affine3, made.x3, made.mean1, made.scale1, w3), alpha,
            *rows(dn1, dw3, sums1),
        )  # fmt: skip
        db3 = memory((slabs, f, frames + 2), self.dtype)
        frame_bias_backward(db3.size, STRIP, sums1, db3)
        # L3P's maximum in space, NORM_2, L1WS
        outputs = (self.h - 3) * (self.w - 3)
        affine1 = self._affine(sums1, made.mean1, made.scale1, outputs)
        dw1, db1 = self._first_backward(clips, w1, b1, dn1, affine1)

        db7 = dlogits  # a clip is a slab
        found = (dw1, db1, dw3, db3, dw5, db5, dw7, db7)
        for planes, channels, shape, gradient in zip(found, CHANNELS, self._shapes(gradients), gradients, strict=True):
            parameter(planes, shape, channels, gradient.reshape(shape))
        return losses, made.logits, made.scale1

    def _first_backward(self, x: Memory, w1: Memory, b1: Memory, dn1: Memory, affine: Memory) -> tuple[Memory, Memory]:
        """The gradients of L1WS in slabs, given ``dn1`` of the normalised maxima."""
        n, f = x.shape[0], self.maps
        slabs, groups = min(n, FIRST_SLABS), min(self.d - 2, FRAME_GROUPS)
        dw1, db1 = memory((slabs, groups, *w1.shape), self.dtype), memory((slabs, *b1.shape), self.dtype)
        owned = (fused_first_layer.ROWS_OWNED, fused_first_layer.COLUMNS_OWNED)
        first_backward.of(self.c, self.d, self.h, self.w, f, slabs, groups)(
            slabs * groups * self.c * f * tiles_of((self.h, self.w), owned), STRIP,
            *rows(x, w1, b1, dn1, affine), self.dtype.type(ALPHA), *rows(dw1, db1),
        )  # fmt: skip
        return dw1, db1

    def _forward(self, x: Memory, net: Sequence[Memory]) -> "Made":
        """All planes that backward needs; ``net``: the parameters in planes."""
        w1, b1, w3, b3, w5, b5, w7, b7 = net
        n, _, d, h, w = x.shape
        f, alpha = self.maps, self.dtype.type(ALPHA)
        # L1WS, and the maximum in space of L3P; NORM_2 is left to those who read
        x3 = memory((n, f, d - 2, (h - 3) // 2, (w - 3) // 2), self.dtype)
        down = fused_first_layer.rows_down(n)
        pieces = tiles_of((h - 3, w - 3), (down, fused_first_layer.COLUMNS_OUT))
        moments = memory((n, f, d - 2, pieces, 3), self.dtype)
        tasks = moments.size // 3
        first_forward.of(self.c, d, h, w, f, down)(tasks, STRIP, *rows(x, w1, b1), alpha, *rows(x3, moments))
        mean1, scale1 = self._moments(moments)
        # L3P from its maximum over frames on
        h, w = x3.shape[3:]
        y3, pieces = memory((n, f, d - 4, h, w), self.dtype), -(-h * w // STRIP)
        moments = memory((n, f, d - 4, pieces, 3), self.dtype)
        frames_forward.of(d - 2, h * w, f)(
            n * f * pieces, STRIP, *rows(x3, mean1, scale1, w3, b3), alpha, *rows(y3, moments)
        )
        mean3, scale3 = self._moments(moments)
        # L5WS
        y5 = memory((n, *b5.shape), self.dtype)
        down = fused_windows.rows_down(n)
        pieces = tiles_of((h - 3, w - 3), (down, fused_windows.COLUMNS_OUT))
        moments = memory((n, f, d - 6, pieces, 3), self.dtype)
        windows_forward.of(f, d - 4, h, w, f, down)(
            n * f * -(-(d - 6) // 2) * pieces, STRIP, *rows(y3, mean3, scale3, w5, b5), alpha, *rows(y5, moments)
        )
        mean5, scale5 = self._moments(moments)
        # FC_OUT
        parts, logits = memory((n + 1, f, d - 6, self.classes), self.dtype), memory((n, self.classes), self.dtype)
        weigh = weigh_planes.of(f, d - 6, (h - 3) * (w - 3), self.classes)
        weigh(parts.size, STRIP, *rows(y5, mean5, scale5, w7, parts))
        sum_parts(logits.size, STRIP, parts, b7, logits)
        return Made(x3, mean1, scale1, y3, mean3, scale3, y5, mean5, scale5, parts, logits)

    def _moments(self, moments: Memory) -> tuple[Memory, Memory]:
        """Mean and ``1 / sqrt(var + epsilon)`` of planes, from the ``moments (n, f, d, pieces, 3)`` of their pieces."""
        *shape, pieces, three = moments.shape
        mean, scale = memory(tuple(shape), self.dtype), memory(tuple(shape), self.dtype)
        by_plane, epsilon = moments.reshape((mean.size, pieces, three)), self.dtype.type(EPSILON)
        plane_moments(mean.size, STRIP, by_plane, epsilon, *rows(mean, scale))
        return mean, scale

    def _affine(self, sums: Memory, mean: Memory, scale: Memory, cells: int) -> Memory:
        """The coefficients of a normalisation, backward, of planes (n, f, d)."""
        affine, planes = memory((*mean.shape, 3), self.dtype), mean.size
        affine_coefficients(
            planes, STRIP, sums.reshape((planes, *sums.shape[3:])), *rows(mean, scale), cells,
            affine.reshape((planes, 3)),
        )  # fmt: skip
        return affine

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
        d, f, k = self.d, self.maps, self.classes
        h, w = (self.h - 3) // 2, (self.w - 3) // 2
        # planes of each layer, their cells and their pieces
        first, third, fifth = (d - 2) * f, (d - 4) * f, (d - 6) * f
        cells, cells5, pieces = h * w, (h - 3) * (w - 3), -(-h * w // STRIP)
        pieces1 = tiles_of((self.h - 3, self.w - 3), (fused_first_layer.rows_down(MANY), fused_first_layer.COLUMNS_OUT))
        pieces5 = tiles_of((h - 3, w - 3), (fused_windows.rows_down(MANY), fused_windows.COLUMNS_OUT))
        # the clip, also in planes; of each layer a map, moments, means and scales; FC_OUT's parts; logits and results
        numbers = self.d * self.h * self.w * self.c * (2 if self.c > 1 else 1)
        numbers += first * (cells + 3 * pieces1 + 2) + third * (cells + 3 * pieces + 2)
        numbers += fifth * (cells5 + 3 * pieces5 + 2 + k) + 2 * k + 1
        if training:
            # dn1, dn3 and L5WS' G, their sums, three coefficients a plane; the loss, its share, its gradient, a result
            numbers += first * (cells + 3 * pieces + 3) + third * (cells + 2 * pieces + 3) + fifth * (cells + 3) + k + 3
        return numbers * self.dtype.itemsize + (LABEL_BYTES if training else 0)
