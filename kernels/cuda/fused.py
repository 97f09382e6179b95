"""The whole training pass of the usual network on the device: only the batch goes there, losses and logits come back.

The first layer is most of the work.  Versions of its kernels:

1. The functions beside this file, one after the other: 158 MB of maps written at batch 100, read by the leaky ReLU,
   written, read by the normalisation, written, read by the pooling.
2. Kept: one block makes a tile of products with its halo in shared memory, sums them over the windows, first rows,
   then columns, applies the leaky ReLU, and writes the maxima of 2 x 2 and the tile's moments.  The maximum may come
   before the normalisation, because a positive scale and a shift do not change which value is largest.  The moments
   of a plane are put together from its tiles', in their order, and only the pooled quarter is normalised.  In
   backward the tile is computed again, which is cheaper than to write it and to read it, its gradient is spread back
   over the windows in shared memory, and the block adds up the gradient of the weights it owns over all frames of its
   samples.  Samples are dealt into a few slabs, which are added in their order.

A block of the backward kernel owns one tile of one map's weights, so nothing is added by two blocks and there are no
atomics.  For a network that :func:`fuse` does not cover, the layers call the functions beside this file.
"""

from contextlib import contextmanager

import numpy as np

from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .dense import features_backward, weigh_features, weights_backward
from .device_array import DeviceArray, to_device
from .elements import sum_slabs
from .launch import LAUNCH, MOST_THREADS, inline, kernel
from .max_pool import first_largest_frame
from .memory import kept, memory, require_room
from .planes import activation_planes, parameter, parameter_planes
from .scale_shift import sum_frames
from .softmax_cross_entropy import cross_entropies, cross_entropies_backward
from .standardize import normalize, reciprocal_deviation
from .target import SIMULATED, cuda
from .threads import cell, least, most, sum_over_block, tiles
from .weighted_sum import sum_windows, sum_windows_backward

FIELD, STRIDES, POOL = (3, 4, 4), (1, 1, 1), (3, 2, 2)
"""The windows this file is written for."""

ROWS, COLUMNS = (8, 10) if SIMULATED else (16, 32)
"""Outputs of a tile, even numbers: in backward it owns as many weights of each of three frames."""

FORWARD_PRODUCTS = (ROWS + 3, COLUMNS + 3)
FORWARD_SUMS = (ROWS, COLUMNS + 3)
OUTPUTS = (ROWS, COLUMNS)
BACKWARD_PRODUCTS = (ROWS + 7, COLUMNS + 7)
BACKWARD_SUMS = (ROWS + 4, COLUMNS + 7)
GRADIENTS = (ROWS + 4, COLUMNS + 4)
WEIGHTS = (3, ROWS, COLUMNS)

SCALE, SLOPE, SHIFT = 0, 1, 2
"""Places of the numbers of a plane in what :func:`affine_coefficients` writes."""

SLABS = 8
"""Groups of samples with first-layer gradients of their own, at most."""

CLIPS_AT_A_TIME = 128
"""Clips that are predicted together; a training step takes the whole batch."""

CHANNELS = (2, 1, 1, 1, 2, 1, 2, 1)
"""How many of the last axes of each parameter are channels; FC_OUT's features are seen as (d, h, w, f)."""


def fuse(input_shape, maps, classes, dtype, receptive_field, strides, pool, pooling):
    """The fused passes for a network, or None for one they do not cover: they are written for the usual windows."""
    if (receptive_field, strides, pool, pooling) != (FIELD, STRIDES, POOL, "max"):
        return None
    return Fused(input_shape, maps, classes, dtype)


class Fused:
    """The fused passes for one network; arguments as of :func:`fuse`."""

    def __init__(self, input_shape, maps, classes, dtype):
        self.d, self.h, self.w, self.c = input_shape
        self.maps, self.classes, self.dtype = maps, classes, np.dtype(dtype)
        self._kept = {}

    def forward(self, x, parameters):
        """Logits (n, k) of clips (n, d, h, w, c), and for each clip whether its first maps are finite."""
        results = []
        for start in range(0, len(x), CLIPS_AT_A_TIME):
            part = x[start : start + CLIPS_AT_A_TIME]
            with self._memory(len(part), training=False):
                _, scale, *_, logits = self._forward(self._clips(part), self._planes(parameters))
                results.append((np.asarray(DeviceArray(logits)), self._finite(scale)))
        logits, finite = zip(*results, strict=True)
        return np.concatenate(logits), np.concatenate(finite)

    def training_pass(self, x, labels, parameters, gradients):
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
        with self._memory(len(labels), training=True):
            return self._training_pass(x, labels, parameters, gradients)

    def _training_pass(self, x, labels, parameters, gradients):
        n = len(labels)
        net = w1, b1, w3, _, w5, _, w7, _ = self._planes(parameters)
        x, labels = self._clips(x), to_device(labels)
        n1, scale1, mean1, y3, n3, scale3, y5, n5, scale5, logits = self._forward(x, net)
        losses, dlogits = memory((n,), self.dtype), memory(logits.shape, self.dtype)
        cross_entropies.over_elements(n, logits, labels.data, losses)
        # loss = sum_n losses[n] / N
        share = DeviceArray.empty((n,), self.dtype)
        share[...] = 1 / n
        cross_entropies_backward.over_elements(n, share.data, logits, labels.data, dlogits)

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
        # NORM_4, L3P but for its maximum in space
        dz3 = self._before_activation(dn3, n3, scale3, y3)
        dn1, dw3 = memory(n1.shape, self.dtype), memory(w3.shape, self.dtype)
        slabs = min(n, SLABS)
        partial = memory((slabs, *w3.shape), self.dtype)
        planes, rows, columns = n * self.maps, *n1.shape[3:]
        frames_backward.over_tiles(planes * n1.shape[2], rows, columns, dz3, n1, w3, dn1)
        frame_weights_backward.over_tiles(slabs * self.maps, rows, columns, dz3, n1, partial)
        sum_slabs.over_elements(dw3.size, partial.reshape((slabs, dw3.size)), dw3.reshape(dw3.size))
        db3 = sum_frames(dz3)
        # its maximum in space, NORM_2, L1WS
        dw1, db1 = self._first_backward(x, w1, b1, n1, dn1, mean1, scale1)

        found = (dw1, db1, dw3, db3, dw5, db5, dw7, db7)
        for planes, channels, shape, gradient in zip(found, CHANNELS, self._shapes(gradients), gradients, strict=True):
            parameter(planes, shape, channels, gradient.reshape(shape))
        return np.asarray(DeviceArray(losses)), np.asarray(DeviceArray(logits)), self._finite(scale1)

    def _forward(self, x, net):
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
        # the rest of L3P, NORM_4
        y3 = memory((n, f, d - 4, *n1.shape[3:]), self.dtype)
        frames_forward.over_tiles(n * f * (d - 4), *n1.shape[3:], n1, w3, b3, alpha, y3)
        n3, scale3 = self._normalized(y3, epsilon)
        # L5WS, NORM_6, FC_OUT
        y5 = sum_windows(n3, w5, b5, FIELD, STRIDES, ALPHA)
        n5, scale5 = self._normalized(y5, epsilon)
        logits = memory((n, self.classes), self.dtype)
        weigh_features(n * self.classes, LAUNCH.threads, n5.reshape((n, w7.shape[0], w7.shape[2])), w7, b7, logits)
        return n1, scale, mean, y3, n3, scale3, y5, n5, scale5, logits

    def _normalized(self, y, epsilon):
        normalized, scale = memory(y.shape, self.dtype), memory(y.shape[:3], self.dtype)
        normalize(scale.size, LAUNCH.block, y, epsilon, normalized, scale)
        return normalized, scale

    def _before_activation(self, dn, normalized, scale, y):
        """The gradient in front of a leaky ReLU and a normalisation, over ``dn``; ``y`` has the sign of ``z``."""
        normalize_backward_activate(scale.size, LAUNCH.block, normalized, scale, y, self.dtype.type(ALPHA), dn)
        return dn

    def _first_backward(self, x, w1, b1, n1, dn1, mean, scale):
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

    def _finite(self, scale):
        """For each clip whether every plane of the first layer has moments."""
        return (np.asarray(DeviceArray(scale)) > 0).all(axis=(1, 2))

    def _clips(self, x):
        return activation_planes(x if isinstance(x, DeviceArray) else to_device(x))

    def _planes(self, parameters):
        """The parameters in planes: weights (c, f, i, h, w), biases (f, d, h, w), FC_OUT's weights (f, k, d h w)."""
        arrays = [
            parameter_planes(values.reshape(shape), channels)
            for values, shape, channels in zip(parameters, self._shapes(parameters), CHANNELS, strict=True)
        ]
        for which, shape in ((2, arrays[2].shape[:1] + arrays[2].shape[2:]), (3, arrays[3].shape[:2])):
            arrays[which] = arrays[which].reshape(shape)
        arrays[6] = arrays[6].reshape((self.maps, self.classes, arrays[6].size // (self.maps * self.classes)))
        return arrays

    def _shapes(self, parameters):
        shapes = [tuple(values.shape) for values in parameters]
        d, h, w, f = shapes[5]
        shapes[6] = (d, h, w, f, self.classes)
        return shapes

    @contextmanager
    def _memory(self, n, training):
        """The memory of a pass, kept for the next one over as many clips."""
        arrays = self._kept.get((training, n))
        if arrays is None:
            for key in [key for key in self._kept if key[0] == training]:
                del self._kept[key]
            each = self.bytes_per_clip(training)
            require_room(n * each, f"a batch of {n:,} clips", hint=f"lower --batch_size; a clip takes {each:,}")
            arrays = self._kept[training, n] = []
        with kept(arrays):
            yield

    def bytes_per_clip(self, training=True):
        """Memory that a clip takes on its way, without what a batch takes once."""
        d, f = self.d, self.maps
        h, w = (self.h - 3) // 2, (self.w - 3) // 2
        clip, pooled = self.d * self.h * self.w * self.c, h * w * f
        last = (d - 6) * (h - 3) * (w - 3) * f
        forward = clip * (2 if self.c > 1 else 1) + (d - 2) * pooled + 2 * (d - 4) * pooled + 2 * last
        # dn1, dn3, dz5, and L5WS' G
        backward = (d - 2) * pooled + (d - 4) * pooled + last + (d - 6) * pooled
        return (forward + (backward if training else 0)) * self.dtype.itemsize


# --- The first layer.


@inline
def _products(x, weights, plane, corner, size, products):
    """``P[r,q] = sum_{c,i} x[n, c, d + i, top + r, left + q] W[c, f, i, top + r, left + q]``, 0 beyond the frame.

    ``plane`` is ``(n, f, d)``, ``corner`` is ``(top, left)``, ``size`` the rows and columns of ``products``.
    """
    (n, f, d), (top, left), (rows, columns) = plane, corner, size
    zero = weights.dtype.type(0)
    channels, height, width = x.shape[1], x.shape[3], x.shape[4]
    for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
        h = top + r
        for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
            w = left + q
            total = zero
            if h >= 0 and w >= 0 and h < height and w < width:
                for c in range(channels):
                    for i in range(3):
                        total += x[n, c, d + i, h, w] * weights[c, f, i, h, w]
            products[r, q] = total
    cuda.syncthreads()


@inline
def _sum_rows(products, size, sums):
    """``V[r,q] = P[r,q] + ... + P[r+3,q]``; ``size``: the rows and columns of ``sums``."""
    rows, columns = size
    for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
        for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
            sums[r, q] = (products[r, q] + products[r + 1, q]) + (products[r + 2, q] + products[r + 3, q])
    cuda.syncthreads()


@inline
def _activated(sums, r, q, bias, alpha):
    """Leaky ReLU of ``z = b + V[r,q] + ... + V[r,q+3]``."""
    z = bias + ((sums[r, q] + sums[r, q + 1]) + (sums[r, q + 2] + sums[r, q + 3]))
    return z if z > z - z else alpha * z


@kernel("pooled", "moments")
def first_forward(x, weights, bias, alpha, pooled, moments):
    """L1WS and the maximum of 2 x 2 of a tile, and its mean and sum of squares about the mean."""
    products = cuda.shared.array(FORWARD_PRODUCTS, dtype=pooled.dtype)
    sums = cuda.shared.array(FORWARD_SUMS, dtype=pooled.dtype)
    outputs = cuda.shared.array(OUTPUTS, dtype=pooled.dtype)
    shared = cuda.shared.array(MOST_THREADS, dtype=pooled.dtype)
    one = pooled.dtype.type
    maps, frames, height, width = bias.shape
    pooled_rows, pooled_columns = pooled.shape[3], pooled.shape[4]
    across, down = (width + COLUMNS - 1) // COLUMNS, (height + ROWS - 1) // ROWS
    for task in range(cuda.blockIdx.x, x.shape[0] * maps * frames * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS, task // across % down * ROWS
        plane = task // (across * down)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        rows, columns = least(ROWS, height - top), least(COLUMNS, width - left)
        _products(x, weights, (n, f, d), (top, left), FORWARD_PRODUCTS, products)
        _sum_rows(products, FORWARD_SUMS, sums)
        for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                outputs[r, q] = _activated(sums, r, q, bias[f, d, top + r, left + q], alpha)
        cuda.syncthreads()

        # the moments of the tile, counted from its first value
        count, first = one(rows * columns), outputs[0, 0]
        total = one(0)
        for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                total += outputs[r, q] - first
        mean = sum_over_block(shared, total) / count
        total = one(0)
        for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                centred = outputs[r, q] - first - mean
                total += centred * centred
        total = sum_over_block(shared, total)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            moments[plane, task % (across * down), 0] = first + mean
            moments[plane, task % (across * down), 1] = total

        for r in range(cuda.threadIdx.y, least(ROWS // 2, pooled_rows - top // 2), cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, least(COLUMNS // 2, pooled_columns - left // 2), cuda.blockDim.x):
                upper = most(outputs[2 * r, 2 * q], outputs[2 * r, 2 * q + 1])
                lower = most(outputs[2 * r + 1, 2 * q], outputs[2 * r + 1, 2 * q + 1])
                pooled[n, f, d, top // 2 + r, left // 2 + q] = most(upper, lower)
        cuda.syncthreads()


@kernel("mean", "scale", updates=("pooled",))
def normalize_pooled(moments, height, width, epsilon, mean, scale, pooled):
    """NORM_2 of the pooled maps, by the moments of the whole maps, which are put together from their tiles'."""
    shared = cuda.shared.array(2, dtype=pooled.dtype)
    one = pooled.dtype.type
    samples, maps, frames, rows, columns = pooled.shape
    across, pieces = (width + COLUMNS - 1) // COLUMNS, moments.shape[1]
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            count, average, squares = one(0), moments[plane, 0, 0], one(0)
            for piece in range(pieces):
                more = one(
                    least(ROWS, height - piece // across * ROWS) * least(COLUMNS, width - piece % across * COLUMNS)
                )
                # Chan, Golub and LeVeque: moments of two parts together
                step = moments[plane, piece, 0] - average
                share = more / (count + more)
                squares += moments[plane, piece, 1] + step * step * count * share
                average += step * share
                count += more
            factor = reciprocal_deviation(squares / count, epsilon, one(1))
            shared[0] = average
            shared[1] = factor
            mean[n, f, d] = average
            scale[n, f, d] = factor
        cuda.syncthreads()
        average, factor = shared[0], shared[1]
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                if factor > one(0):
                    pooled[n, f, d, h, w] = (pooled[n, f, d, h, w] - average) * factor
                else:
                    pooled[n, f, d, h, w] = one(0)
        cuda.syncthreads()


@kernel("affine")
def affine_coefficients(pooled, dpooled, mean, scale, outputs, affine):
    """NORM_2 backward: ``da = shift + slope a``, and ``scale dn`` more where ``a`` was chosen as a maximum.

    ``affine[n,f,d]`` are the three numbers of a plane, at SCALE, SLOPE and SHIFT.

    ``da = scale (dn - mean(dn) - n mean(dn n))`` with ``n = (a - mean) scale``; ``dn`` is 0 where nothing was chosen,
    so its two sums are those of the pooled maps.
    """
    shared = cuda.shared.array(MOST_THREADS, dtype=pooled.dtype)
    one = pooled.dtype.type
    samples, maps, frames, rows, columns = pooled.shape
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        of_dn, of_dn_n = one(0), one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                of_dn += dpooled[n, f, d, h, w]
                of_dn_n += dpooled[n, f, d, h, w] * pooled[n, f, d, h, w]
        mean_dn = sum_over_block(shared, of_dn) / one(outputs)
        mean_dn_n = sum_over_block(shared, of_dn_n) / one(outputs)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            factor = scale[n, f, d]
            affine[n, f, d, SCALE] = factor
            affine[n, f, d, SLOPE] = -factor * factor * mean_dn_n
            affine[n, f, d, SHIFT] = factor * factor * mean_dn_n * mean[n, f, d] - factor * mean_dn


@kernel("dweights", "dbias")
def first_backward(x, weights, bias, dpooled, affine, alpha, dweights, dbias):
    """The maximum of 2 x 2, NORM_2, leaky ReLU and L1WS, backward.

    A block owns a tile of the weights of one channel and map, rows ``top`` on and columns ``left`` on, for its slab of
    samples.  The windows that cover the tile begin up to three rows and columns before it, so outputs are computed from
    four before on: whole blocks of 2 x 2.
    """
    products = cuda.shared.array(BACKWARD_PRODUCTS, dtype=bias.dtype)
    sums = cuda.shared.array(BACKWARD_SUMS, dtype=bias.dtype)
    gradients = cuda.shared.array(GRADIENTS, dtype=bias.dtype)
    of_weights = cuda.shared.array(WEIGHTS, dtype=bias.dtype)
    of_bias = cuda.shared.array(OUTPUTS, dtype=bias.dtype)
    zero = bias.dtype.type(0)
    slabs, channels, maps, _, height, width = dweights.shape
    samples, frames = x.shape[0], bias.shape[1]
    across, down = (width + COLUMNS - 1) // COLUMNS, (height + ROWS - 1) // ROWS
    for task in range(cuda.blockIdx.x, slabs * channels * maps * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS, task // across % down * ROWS
        f, c = task // (across * down) % maps, task // (across * down * maps) % channels
        slab = task // (across * down * maps * channels)
        for r in range(cuda.threadIdx.y, ROWS, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, COLUMNS, cuda.blockDim.x):
                for i in range(3):
                    of_weights[i, r, q] = zero
        for d in range(frames):
            for r in range(cuda.threadIdx.y, ROWS, cuda.blockDim.y):
                for q in range(cuda.threadIdx.x, COLUMNS, cuda.blockDim.x):
                    of_bias[r, q] = zero
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                if affine[n, f, d, SCALE] > zero:
                    # a = leaky ReLU(z), again
                    plane, corner = (n, f, d), (top - 4, left - 4)
                    _products(x, weights, plane, corner, BACKWARD_PRODUCTS, products)
                    _sum_rows(products, BACKWARD_SUMS, sums)
                    _output_gradients(sums, bias, dpooled, affine, plane, corner, alpha, gradients)
                    # G[h,w] = sum_{j,k} dz[h-j,w-k]: rows into sums, which are no longer used, then columns
                    for r in range(cuda.threadIdx.y, ROWS, cuda.blockDim.y):
                        for q in range(cuda.threadIdx.x, COLUMNS + 4, cuda.blockDim.x):
                            sums[r, q] = (gradients[r + 1, q] + gradients[r + 2, q]) + (
                                gradients[r + 3, q] + gradients[r + 4, q]
                            )
                    cuda.syncthreads()
                    for r in range(cuda.threadIdx.y, least(ROWS, height - top), cuda.blockDim.y):
                        for q in range(cuda.threadIdx.x, least(COLUMNS, width - left), cuda.blockDim.x):
                            g = (sums[r, q + 1] + sums[r, q + 2]) + (sums[r, q + 3] + sums[r, q + 4])
                            # dW[i,h,w] = sum_{n,d'} x[n, d'+i, h, w] G[n,d',h,w]
                            for i in range(3):
                                of_weights[i, r, q] += x[n, c, d + i, top + r, left + q] * g
                            of_bias[r, q] += gradients[r + 4, q + 4]
                    cuda.syncthreads()
            if c == 0:
                for r in range(cuda.threadIdx.y, least(ROWS, bias.shape[2] - top), cuda.blockDim.y):
                    for q in range(cuda.threadIdx.x, least(COLUMNS, bias.shape[3] - left), cuda.blockDim.x):
                        dbias[slab, f, d, top + r, left + q] = of_bias[r, q]
        for i in range(3):
            for r in range(cuda.threadIdx.y, least(ROWS, height - top), cuda.blockDim.y):
                for q in range(cuda.threadIdx.x, least(COLUMNS, width - left), cuda.blockDim.x):
                    dweights[slab, c, f, i, top + r, left + q] = of_weights[i, r, q]


@inline
def _output_gradients(sums, bias, dpooled, affine, plane, corner, alpha, gradients):
    """``dz`` of a tile of plane ``(n, f, d)``; one thread per block of 2 x 2.

    ``corner`` is the tile's first row and column, both even, maybe negative.
    """
    (n, f, d), (top, left) = plane, corner
    scale, slope, shift = affine[n, f, d, SCALE], affine[n, f, d, SLOPE], affine[n, f, d, SHIFT]
    zero = alpha - alpha
    height, width = bias.shape[2], bias.shape[3]
    for r in range(2 * cuda.threadIdx.y, ROWS + 4, 2 * cuda.blockDim.y):
        for q in range(2 * cuda.threadIdx.x, COLUMNS + 4, 2 * cuda.blockDim.x):
            h, w = top + r, left + q
            dm, chosen, best = zero, -1, zero
            if h >= 0 and w >= 0 and h + 1 < height and w + 1 < width:
                dm = scale * dpooled[n, f, d, h // 2, w // 2]
                # the first of the largest takes the gradient
                for k in range(4):
                    a = _activated(sums, r + k // 2, q + k % 2, bias[f, d, h + k // 2, w + k % 2], alpha)
                    if k == 0 or a > best:
                        best, chosen = a, k
            for k in range(4):
                i, j = k // 2, k % 2
                gradient = zero
                if h + i >= 0 and w + j >= 0 and h + i < height and w + j < width:
                    a = _activated(sums, r + i, q + j, bias[f, d, h + i, w + j], alpha)
                    gradient = shift + slope * a + (dm if k == chosen else zero)
                    if a <= zero:
                        gradient = alpha * gradient
                gradients[r + i, q + j] = gradient
    cuda.syncthreads()


# --- The third layer, and what comes after the fifth.


@kernel("y")
def frames_forward(x, weights, bias, alpha, y):
    """``y = leaky ReLU(m w + b)``, ``m`` the largest of three frames."""
    zero = y.dtype.type(0)
    samples, maps, frames, rows, columns = y.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            m = x[n, f, d + first_largest_frame(x, n, f, d, h, w, 3), h, w]
            z = m * weights[f, h, w] + bias[f, d]
            y[n, f, d, h, w] = z if z > zero else alpha * z


@kernel("dx")
def frames_backward(dz, x, weights, dx):
    """Every frame collects the gradients of the runs of three that chose it."""
    samples, maps, frames, rows, columns = x.shape
    for task in range(cuda.blockIdx.x, samples * maps * frames * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if h < rows and w < columns:
            total = dx.dtype.type(0)
            for start in range(most(0, d - 2), least(d, frames - 3) + 1):
                if start + first_largest_frame(x, n, f, start, h, w, 3) == d:
                    total += dz[n, f, start, h, w]
            dx[n, f, d, h, w] = total * weights[f, h, w]


@kernel("dweights")
def frame_weights_backward(dz, x, dweights):
    """``dw[f,h,w] = sum_{n,d} dz m`` over the samples of each slab, ``m`` the largest of three frames."""
    slabs, maps, rows, columns = dweights.shape
    samples, frames = dz.shape[0], dz.shape[2]
    for task in range(cuda.blockIdx.x, slabs * maps * tiles(rows, columns), cuda.gridDim.x):
        plane, h, w = cell(task, rows, columns)
        f, slab = plane % maps, plane // maps
        if h < rows and w < columns:
            total = dweights.dtype.type(0)
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                for d in range(frames):
                    m = x[n, f, d + first_largest_frame(x, n, f, d, h, w, 3), h, w]
                    total += dz[n, f, d, h, w] * m
            dweights[slab, f, h, w] = total


@kernel(updates=("dy",))
def normalize_backward_activate(y, scale, before, alpha, dy):
    """:func:`normalize_backward` in place, and the slope of the leaky ReLU, whose result was ``before``."""
    shared = cuda.shared.array(MOST_THREADS, dtype=scale.dtype)
    one = scale.dtype.type
    samples, maps, frames, rows, columns = y.shape
    count = one(rows * columns)
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        of_dy, of_dy_y = one(0), one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                of_dy += dy[n, f, d, h, w]
                of_dy_y += dy[n, f, d, h, w] * y[n, f, d, h, w]
        mean_dy = sum_over_block(shared, of_dy) / count
        mean_dy_y = sum_over_block(shared, of_dy_y) / count
        factor = scale[n, f, d]
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                dx = factor * (dy[n, f, d, h, w] - mean_dy - y[n, f, d, h, w] * mean_dy_y)
                dy[n, f, d, h, w] = dx if before[n, f, d, h, w] > one(0) else alpha * dx
