"""The whole training pass of the strict network in one kernel, a few clips at a time, in planes that stay in the cache.

The same arithmetic as the functions beside it, in another order.  What it rests on:

- *Planes.*  One map of one frame is a plane, and loops run over a whole plane as one long row.  Outputs of a window
  keep the row length of its input, so that a step down is a shift by ``width``; the last columns of a row are then no
  outputs (the ``rest``) and are overwritten with values that do no harm.
- *Product first.*  A weight belongs to an input position, so a window is a box sum of products: first over rows, then
  over columns.  Its transpose is the same on a plane with zeros around.
- *The maximum before the normalisation.*  A positive scale and a shift do not change which value is largest, so only
  the pooled quarter is normalised.
- *Recomputed.*  Backward computes the maps of the first layer again: quicker than to store and to read them.
- *Groups.*  Up to ``GROUP`` clips go through together and share each read of weights and each write of gradients.

A batch is cut into ``CHUNKS`` chunks, whatever the threads; each adds up gradients of its own, and these are added in
their order.  So the bits do not depend on the number of threads.

For a network that :func:`fuse` does not cover, the functions beside this file do the same.
"""

from collections import namedtuple

import numpy as np
from numba import get_num_threads, get_thread_id, prange

from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .jit import parallel, serial

CHUNKS = 8
"""Parts of a batch with gradients of their own: the most threads that a training step can use."""

GROUP = 4
"""Clips that go through the network together."""

FEATURES = 1024
"""Features of the dense layer that are worked on at a time: what fits into the nearest cache for all classes."""

Arrays = namedtuple("Arrays", "w1 b1 w3 b3 w5 b5 w7 b7")
"""The parameters of L1WS, L3P, L5WS and FC_OUT, or their gradients, in planes.

An array that is (a, h, w, u, v) in the network is (v, u, a, q) here, ``q = h * width + w``: ``a`` counts frames, ``u``
channels (of FC_OUT: maps) and ``v`` maps (of FC_OUT: classes).  Gradients have an axis of chunks in front.
"""

Workspace = namedtuple(
    "Workspace",
    "x p v a dz sums g chosen n1 mean1 scale1 n3 scale3 a5 n5 scale5 dn1 dn3 dn5 dz5 sums5 g5 m dm",
)
"""What one thread works in; ``n1``, ``n3``, ``n5`` are the normalised maps (after the maximum, for ``n1``)."""


def fuse(input_shape, maps, classes, dtype, receptive_field, strides, pool, pooling):
    """The fused passes for a network, or None for one they do not cover: they are written for the usual windows."""
    if (receptive_field, strides, pool, pooling) != ((3, 4, 4), (1, 1, 1), (3, 2, 2), "max"):
        return None
    return Fused(input_shape, maps, classes, dtype)


class Fused:
    """The fused passes for one network.

    Args:
        input_shape: ``(d, h, w, c)`` of a clip.
        maps, classes: of the network.
        dtype: float32 or float64.
    """

    def __init__(self, input_shape, maps, classes, dtype):
        d, h, w, c = input_shape
        h2, w2 = (h - 3) // 2, (w - 3) // 2
        self.shapes = [
            # (a, h, w, u, v) of each parameter, and the width of its plane
            ((3, h, w, c, maps), w),
            ((d - 2, h - 3, w - 3, 1, maps), w),
            ((1, h2, w2, 1, maps), w2),
            ((d - 4, 1, 1, 1, maps), 1),
            ((3, h2, w2, maps, maps), w2),
            ((d - 6, h2 - 3, w2 - 3, 1, maps), w2),
            ((d - 6, h2 - 3, w2 - 3, maps, classes), w2),
            ((1, 1, 1, 1, classes), 1),
        ]
        self.input_shape, self.maps, self.classes, self.dtype = input_shape, maps, classes, np.dtype(dtype)
        self.packed = Arrays(*(np.zeros((v, u, a, h * width), dtype) for (a, h, w, u, v), width in self.shapes))
        self.gradients = None
        self.workspaces = None

    def forward(self, x, parameters):
        """Logits (n, k) of clips (n, d, h, w, c); see :meth:`training_pass`."""
        self._prepare(parameters)
        logits = np.empty((len(x), self.classes), self.dtype)
        finite = np.ones(len(x), np.bool_)
        _forward_groups(self._planes(x), x, self._widths(), self.packed, self.workspaces, logits, finite)
        return logits, finite

    def training_pass(self, x, labels, parameters, gradients):
        """Forward and backward.

        Args:
            x: ndarray of shape (n, d, h, w, c), contiguous.
            labels: int64 ndarray of shape (n,).
            parameters: the network's arrays, in order.
            gradients: arrays of the same shapes, to be overwritten with the gradient of the mean loss.

        Returns:
            ``losses, logits, finite``: ndarrays of shape (n,), (n, k) and (n,); the last says for which clips all maps
            of the first layer were finite.
        """
        self._prepare(parameters)
        if self.gradients is None:
            self.gradients = Arrays(*(np.empty((CHUNKS, *array.shape), self.dtype) for array in self.packed))
        losses, logits = np.empty(len(x), self.dtype), np.empty((len(x), self.classes), self.dtype)
        finite = np.ones(len(x), np.bool_)
        widths = self._widths()
        _train_chunks(
            self._planes(x), x, labels, widths, self.packed, self.gradients, self.workspaces, losses, logits, finite
        )
        chunks = min(CHUNKS, len(x))
        for packed, gradient, (shape, width) in zip(self.gradients, gradients, self.shapes, strict=True):
            _unpack(packed[:chunks], width, gradient.reshape(shape))
        return losses, logits, finite

    def _prepare(self, parameters):
        for packed, values, (shape, width) in zip(self.packed, parameters, self.shapes, strict=True):
            _pack(np.ascontiguousarray(values).reshape(shape), width, packed)
        if self.workspaces is None or len(self.workspaces.p) < get_num_threads():
            self.workspaces = self._new_workspaces(get_num_threads())

    def _widths(self):
        _, _, w, _ = self.input_shape
        return w, (w - 3) // 2

    def _planes(self, x):
        """Clips of one channel as (n, 1, d, q), without a copy; nothing for others, whose planes are gathered later."""
        d, h, w, c = self.input_shape
        return x.reshape(len(x), 1, d, h * w) if c == 1 else np.empty((0, 1, d, h * w), self.dtype)

    def _new_workspaces(self, threads):
        d, h, w, c = self.input_shape
        h2, w2 = (h - 3) // 2, (w - 3) // 2
        q1, a1, q2, a5 = h * w, (h - 3) * w, h2 * w2, (h2 - 3) * w2
        per_map = (GROUP, self.maps)
        shapes = {
            "x": (GROUP if c > 1 else 0, c, d, q1),
            "p": (q1 + 3,),
            "v": (a1 + 3,),
            "a": (a1,),
            "dz": (a1 + 3,),
            "sums": (q1 + 3 * w,),
            "g": (2, q1),
            "chosen": (h2, w2),
            "n1": (*per_map, d - 2, q2),
            "mean1": (*per_map, d - 2),
            "scale1": (*per_map, d - 2),
            "n3": (*per_map, d - 4, q2),
            "scale3": (*per_map, d - 4),
            "a5": (*per_map, d - 6, a5),
            "n5": (*per_map, d - 6, a5),
            "scale5": (*per_map, d - 6),
            "dn1": (*per_map, d - 2, q2),
            "dn3": (*per_map, d - 4, q2),
            "dn5": (*per_map, d - 6, a5),
            "dz5": (a5 + 3,),
            "sums5": (q2 + 3 * w2,),
            "g5": (q2,),
            "m": (q2,),
            "dm": (q2,),
        }
        kinds = {"chosen": np.uint32}
        return Workspace(
            **{name: np.zeros((threads, *shape), kinds.get(name, self.dtype)) for name, shape in shapes.items()}
        )


# --- Drivers: what runs side by side.


@parallel
def _train_chunks(planes, x, labels, widths, net, gradients, spaces, losses, logits, finite):
    count = x.shape[0]
    chunks = min(CHUNKS, count)
    for chunk in prange(chunks):
        own = _chunk_of(gradients, chunk)
        _clear(own)
        _train_chunk(
            planes, x, labels, chunk * count // chunks, (chunk + 1) * count // chunks, widths, net, own,
            _space_of(spaces, get_thread_id()), losses, logits, finite,
        )  # fmt: skip


@serial
def _train_chunk(planes, x, labels, first, end, widths, net, gradients, space, losses, logits, finite):
    groups = (end - first + GROUP - 1) // GROUP
    for group in range(groups):
        start = first + group * (end - first) // groups
        stop = first + (group + 1) * (end - first) // groups
        clips = _group_planes(planes, x, start, stop, space)
        _forward_group(clips, widths, net, space, logits[start:stop], finite[start:stop])
        dlogits = np.empty_like(logits[start:stop])
        for n in range(start, stop):
            losses[n] = _cross_entropy(logits[n], labels[n], x.shape[0], dlogits[n - start])
        _backward_group(clips, widths, net, gradients, space, dlogits)


@parallel
def _forward_groups(planes, x, widths, net, spaces, logits, finite):
    count = x.shape[0]
    groups = (count + GROUP - 1) // GROUP
    for group in prange(groups):
        start = group * count // groups
        stop = (group + 1) * count // groups
        space = _space_of(spaces, get_thread_id())
        clips = _group_planes(planes, x, start, stop, space)
        _forward_group(clips, widths, net, space, logits[start:stop], finite[start:stop])


@serial
def _group_planes(planes, x, start, stop, space):
    if planes.shape[0]:
        return planes[start:stop]
    for n in range(start, stop):
        for c in range(x.shape[4]):
            for d in range(x.shape[1]):
                q = 0
                for h in range(x.shape[2]):
                    for w in range(x.shape[3]):
                        space.x[n - start, c, d, q] = x[n, d, h, w, c]
                        q += 1
    return space.x[: stop - start]


@serial
def _space_of(s, t):
    return Workspace(
        s.x[t], s.p[t], s.v[t], s.a[t], s.dz[t], s.sums[t], s.g[t], s.chosen[t], s.n1[t], s.mean1[t], s.scale1[t],
        s.n3[t], s.scale3[t], s.a5[t], s.n5[t], s.scale5[t], s.dn1[t], s.dn3[t], s.dn5[t], s.dz5[t], s.sums5[t],
        s.g5[t], s.m[t], s.dm[t],
    )  # fmt: skip


@serial
def _chunk_of(g, c):
    return Arrays(g.w1[c], g.b1[c], g.w3[c], g.b3[c], g.w5[c], g.b5[c], g.w7[c], g.b7[c])


@serial
def _clear(g):
    g.w1[:] = 0
    g.b1[:] = 0
    g.w3[:] = 0
    g.b3[:] = 0
    g.w5[:] = 0
    g.b5[:] = 0
    g.w7[:] = 0
    g.b7[:] = 0


# --- The network, forward.


@serial
def _forward_group(clips, widths, net, space, logits, finite):
    count = clips.shape[0]
    maps, frames1 = space.n1.shape[1:3]
    frames3 = space.n3.shape[2]
    frames5 = space.n5.shape[2]
    # A frame's input is read once for all maps, a map's weights once for all clips.
    for d in range(frames1):
        for f in range(maps):
            for n in range(count):
                finite[n] &= _forward_1(clips[n], widths[0], d, f, net, space, n)
    for n in range(count):
        for f in range(maps):
            for d in range(frames3):
                _forward_3(d, f, net, space, n)
        for d in range(frames5):
            for f in range(maps):
                _forward_5(widths[1], d, f, net, space, n)
    _dense(space.n5[:count].reshape(count, -1), net, logits)


@serial
def _forward_1(clip, width, d, f, net, space, n):
    """L1WS, NORM_2 and the spatial maximum of L3P: one map of one frame."""
    _products(clip, d, net.w1[f], space.p)
    _window_sums(space.p, width, net.b1[f, 0, d], space.v, space.a)
    mean, scale = _moments(space.a, width, 3)
    space.mean1[n, f, d] = mean
    space.scale1[n, f, d] = scale
    _pool_plane(space.a, width, mean, scale, space.n1[n, f, d].reshape(space.chosen.shape))
    return scale > 0


@serial
def _forward_3(d, f, net, space, n):
    """The rest of L3P, and NORM_4: one map of one frame."""
    y = space.n3[n, f, d]
    _largest_of_frames(space.n1[n, f], d, space.m)
    _scale_shift(space.m, net.w3[f, 0, 0], net.b3[f, 0, d, 0], y)
    mean, scale = _moments(y, y.size, 0)
    space.scale3[n, f, d] = scale
    _normalize(y, mean, scale, y)


@serial
def _forward_5(width, d, f, net, space, n):
    """L5WS and NORM_6: one map of one frame."""
    a = space.a5[n, f, d]
    _products(space.n3[n], d, net.w5[f], space.p)
    _window_sums(space.p, width, net.b5[f, 0, d], space.v, a)
    mean, scale = _moments(a, width, 3)
    space.scale5[n, f, d] = scale
    _normalize(a, mean, scale, space.n5[n, f, d])


@serial
def _dense(features, net, logits):
    weights = net.w7.reshape(net.w7.shape[0], -1)
    for n in range(features.shape[0]):
        for k in range(weights.shape[0]):
            logits[n, k] = net.b7[k, 0, 0, 0]
    for start in range(0, weights.shape[1], FEATURES):
        stop = min(start + FEATURES, weights.shape[1])
        for k in range(weights.shape[0]):
            for n in range(features.shape[0]):
                logits[n, k] += _dot(features[n, start:stop], weights[k, start:stop])


@serial
def _cross_entropy(logits, label, count, dlogits):
    """Loss of a clip, and its gradient for the mean over ``count`` clips."""
    largest = logits.max()
    total = logits.dtype.type(0)
    for k in range(logits.size):
        dlogits[k] = np.exp(logits[k] - largest)
        total += dlogits[k]
    for k in range(logits.size):
        dlogits[k] = (dlogits[k] / total - (k == label)) / count
    return np.log(total) - (logits[label] - largest)


# --- The network, backward.


@serial
def _backward_group(clips, widths, net, gradients, space, dlogits):
    count = clips.shape[0]
    maps, frames1 = space.n1.shape[1:3]
    frames3 = space.n3.shape[2]
    frames5 = space.n5.shape[2]
    _dense_backward(dlogits, space.n5[:count].reshape(count, -1), net, gradients, space.dn5[:count].reshape(count, -1))
    for n in range(count):
        space.dn3[n] = 0
        space.dn1[n] = 0
        for d in range(frames5):
            for f in range(maps):
                _backward_5(widths[1], d, f, net, gradients, space, n)
        for f in range(maps):
            for d in range(frames3):
                _backward_3(d, f, net, gradients, space, n)
    for d in range(frames1):
        for f in range(maps):
            # Two clips at a time share a read and a write of each gradient.
            for n in range(0, count - 1, 2):
                _backward_1(clips[n], widths[0], d, f, net, gradients, space, n, space.g[0])
                _backward_1(clips[n + 1], widths[0], d, f, net, gradients, space, n + 1, space.g[1])
                for c in range(clips.shape[1]):
                    for i in range(3):
                        dw = gradients.w1[f, c, i]
                        _add_two_products(dw, clips[n, c, d + i], space.g[0], clips[n + 1, c, d + i], space.g[1])
            if count % 2:
                _backward_1(clips[count - 1], widths[0], d, f, net, gradients, space, count - 1, space.g[0])
                for c in range(clips.shape[1]):
                    for i in range(3):
                        _add_product(gradients.w1[f, c, i], clips[count - 1, c, d + i], space.g[0])


@serial
def _dense_backward(dlogits, features, net, gradients, dfeatures):
    weights = net.w7.reshape(net.w7.shape[0], -1)
    dweights = gradients.w7.reshape(net.w7.shape[0], -1)
    # y[n,k] = sum_j a[n,j] W[j,k] + b[k]
    for start in range(0, weights.shape[1], FEATURES):
        part = slice(start, min(start + FEATURES, weights.shape[1]))
        for n in range(dlogits.shape[0]):
            dfeatures[n, part] = 0
            for k in range(weights.shape[0]):
                _add_scaled(dfeatures[n, part], dlogits[n, k], weights[k, part])
                _add_scaled(dweights[k, part], dlogits[n, k], features[n, part])
    for n in range(dlogits.shape[0]):
        for k in range(weights.shape[0]):
            gradients.b7[k, 0, 0, 0] += dlogits[n, k]


@serial
def _backward_5(width, d, f, net, gradients, space, n):
    """NORM_6 and L5WS: one map of one frame; adds to the gradients, and to ``dn3``."""
    a = space.a5[n, f, d]
    dz = space.dz5[3:]
    outputs = (a.size // width) * (width - 3)
    _normalize_backward(space.dn5[n, f, d], space.n5[n, f, d], space.scale5[n, f, d], outputs, dz)
    _activate_backward(dz, a)
    _fill_rest(dz, width, 3, a.dtype.type(0))
    _add(gradients.b5[f, 0, d], dz)
    _window_sums_backward(space.dz5, width, space.sums5, space.g5)
    for c in range(net.w5.shape[1]):
        for i in range(3):
            _add_product(gradients.w5[f, c, i], space.n3[n, c, d + i], space.g5)
            _add_product(space.dn3[n, c, d + i], net.w5[f, c, i], space.g5)


@serial
def _backward_3(d, f, net, gradients, space, n):
    """NORM_4 and L3P but for its spatial maximum: one map of one frame; adds to the gradients, and to ``dn1``."""
    w = net.w3[f, 0, 0]
    b = net.b3[f, 0, d, 0]
    dz = space.dm
    _normalize_backward(space.dn3[n, f, d], space.n3[n, f, d], space.scale3[n, f, d], dz.size, dz)
    _largest_of_frames(space.n1[n, f], d, space.m)
    # y = leaky ReLU(z), z = m w + b
    _scale_shift_activate_backward(dz, space.m, w, b)
    _add_product(gradients.w3[f, 0, 0], dz, space.m)
    gradients.b3[f, 0, d, 0] += _sum(dz)
    # m = the largest of three frames; the first that is so large takes the gradient
    _multiply(dz, w)
    for i in range(3):
        _add_to_chosen_frame(space.n1[n, f], d, i, dz, space.dn1[n, f, d + i])


@serial
def _backward_1(clip, width, d, f, net, gradients, space, n, g):
    """The spatial maximum of L3P, NORM_2 and L1WS: one map of one frame; adds to the bias' gradient, gives ``g``."""
    a, dz = space.a, space.dz[3:]
    # Recomputed: a = leaky ReLU(z)
    _products(clip, d, net.w1[f], space.p)
    _window_sums(space.p, width, net.b1[f, 0, d], space.v, a)
    # n = (a - mean) scale, and m the largest of a block: dn is dm there and 0 elsewhere, so its two sums come from
    # the pooled map.  da = scale (dn - mean(dn) - n mean(dn n)) is an affine map of a, and scale dm where a was chosen.
    dm, m = space.dn1[n, f, d], space.n1[n, f, d]
    mean, scale = space.mean1[n, f, d], space.scale1[n, f, d]
    outputs = a.dtype.type((a.size // width) * (width - 3))
    mean_dn = _sum(dm) / outputs
    mean_dn_n = _dot(dm, m) / outputs
    slope = -scale * scale * mean_dn_n
    _affine_backward(a, -scale * mean_dn - slope * mean, slope, dz)
    _find_chosen(a, width, space.chosen)
    _add_at_chosen(a, dm, space.chosen.reshape(-1), scale, dz)
    if scale == 0:
        dz[:] = 0
    _fill_rest(dz, width, 3, a.dtype.type(0))
    _add(gradients.b1[f, 0, d], dz)
    _window_sums_backward(space.dz, width, space.sums, g)


# --- Planes.  Every loop writes one array only: that is what lets it vectorise.


@serial
def _products(x, d, w, p):
    """``P[q] = sum_{c,i} x[c, d+i, q] W[c,i,q]``."""
    for c in range(w.shape[0]):
        x0, x1, x2 = x[c, d], x[c, d + 1], x[c, d + 2]
        w0, w1, w2 = w[c, 0], w[c, 1], w[c, 2]
        if c == 0:
            for q in range(w0.size):
                p[q] = x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
        else:
            for q in range(w0.size):
                p[q] += x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]


@serial
def _window_sums(p, width, bias, v, a):
    """``z[q] = b[q] + sum_{j,k} P[q + j * width + k]``, its leaky ReLU into ``a``; ``v`` takes the sums over rows."""
    p1, p2, p3 = p[width:], p[2 * width :], p[3 * width :]
    for q in range(a.size + 3):
        v[q] = (p[q] + p1[q]) + (p2[q] + p3[q])
    v1, v2, v3 = v[1:], v[2:], v[3:]
    alpha = a.dtype.type(ALPHA)
    for q in range(a.size):
        z = bias[q] + ((v[q] + v1[q]) + (v2[q] + v3[q]))
        a[q] = z if z > 0 else alpha * z


@serial
def _window_sums_backward(dz, width, sums, g):
    """``G[q]``: the sum of ``dz`` over the windows that cover ``q``.

    ``dz`` has three zeros in front and zeros in the rest of its rows; ``sums`` has three rows of zeros at either end.
    """
    z1, z2, z3 = dz[1:], dz[2:], dz[3:]
    inner = sums[3 * width :]
    for q in range(z3.size):
        inner[q] = (dz[q] + z1[q]) + (z2[q] + z3[q])
    s1, s2, s3 = sums[width:], sums[2 * width :], sums[3 * width :]
    for q in range(g.size):
        g[q] = (sums[q] + s1[q]) + (s2[q] + s3[q])


@serial
def _moments(a, width, rest):
    """Mean and ``1 / sqrt(var + epsilon)`` of a plane; the rest of its rows is set to the mean.

    In two passes, from the first value on: large offsets do no harm, and a constant plane has just its value as mean.
    A plane with values that are not finite gets 0, 0.
    """
    one = a.dtype.type
    count = one((a.size // width) * (width - rest))
    first = a[0]
    _fill_rest(a, width, rest, first)
    total = one(0)
    for q in range(a.size):
        total += a[q] - first
    mean = first + total / count
    _fill_rest(a, width, rest, mean)
    total = one(0)
    for q in range(a.size):
        total += (a[q] - mean) * (a[q] - mean)
    variance = total / count
    if np.isfinite(variance):
        return mean, one(1 / np.sqrt(variance + EPSILON))
    return one(0), one(0)


@serial
def _fill_rest(a, width, rest, value):
    if rest:
        for start in range(width - rest, a.size, width):
            for q in range(start, start + rest):
                a[q] = value


@serial
def _normalize(a, mean, scale, y):
    """``y = (a - mean) scale``; a plane without finite moments, ``scale = 0``, becomes 0."""
    if scale == 0:
        y[:] = 0
    else:
        for q in range(y.size):
            y[q] = (a[q] - mean) * scale


@serial
def _normalize_backward(dy, y, scale, count, da):
    """``da = scale (dy - mean(dy) - y mean(dy y))``, means over ``count`` values; ``dy``, ``y`` are 0 in the rest."""
    mean_dy = _sum(dy) / dy.dtype.type(count)
    mean_dy_y = _dot(dy, y) / dy.dtype.type(count)
    for q in range(da.size):
        da[q] = scale * (dy[q] - mean_dy - y[q] * mean_dy_y)


@serial
def _activate_backward(dz, a):
    """Leaky ReLU's slope onto ``dz``, in place: ``a`` has the sign of ``z``."""
    alpha = a.dtype.type(ALPHA)
    for q in range(dz.size):
        dz[q] = dz[q] if a[q] > 0 else alpha * dz[q]


@serial
def _pool_plane(a, width, mean, scale, m):
    """``m = (largest of each 2 x 2 block of a - mean) scale``; 0 for a plane without finite moments."""
    rows, columns = m.shape
    for h in range(rows):
        upper, lower, row = a[2 * h * width :], a[(2 * h + 1) * width :], m[h]
        for w in range(columns):
            u = upper[2 * w] if upper[2 * w] > upper[2 * w + 1] else upper[2 * w + 1]
            v = lower[2 * w] if lower[2 * w] > lower[2 * w + 1] else lower[2 * w + 1]
            row[w] = ((u if u > v else v) - mean) * scale
    if scale == 0:
        m[:] = 0


@serial
def _find_chosen(a, width, chosen):
    """Where in the plane the first maximum of each 2 x 2 block is, in row-major order."""
    rows, columns = chosen.shape
    for h in range(rows):
        start = 2 * h * width
        upper, lower, row = a[start:], a[start + width :], chosen[h]
        for w in range(columns):
            a0, a1, a2, a3 = upper[2 * w], upper[2 * w + 1], lower[2 * w], lower[2 * w + 1]
            u = a0 if a0 >= a1 else a1
            v = a2 if a2 >= a3 else a3
            in_upper = 0 if a0 >= a1 else 1
            in_lower = width if a2 >= a3 else width + 1
            row[w] = np.uint32(start + 2 * w + (in_upper if u >= v else in_lower))


@serial
def _affine_backward(a, shift, slope, dz):
    """``dz = (shift + slope a)`` times leaky ReLU's slope."""
    alpha = a.dtype.type(ALPHA)
    for q in range(a.size):
        da = shift + slope * a[q]
        dz[q] = da if a[q] > 0 else alpha * da


@serial
def _add_at_chosen(a, dm, chosen, scale, dz):
    """Add ``scale dm``, times leaky ReLU's slope, where ``a`` was the largest of its block."""
    alpha = a.dtype.type(ALPHA)
    for j in range(chosen.size):
        at = chosen[j]
        da = scale * dm[j]
        dz[at] += da if a[at] > 0 else alpha * da


@serial
def _largest_of_frames(n1, d, m):
    x0, x1, x2 = n1[d], n1[d + 1], n1[d + 2]
    for q in range(m.size):
        u = x0[q] if x0[q] > x1[q] else x1[q]
        m[q] = u if u > x2[q] else x2[q]


@serial
def _add_to_chosen_frame(n1, d, i, dm, dn):
    """Add ``dm`` where frame ``d + i`` is the first of the three that is largest."""
    x0, x1, x2 = n1[d], n1[d + 1], n1[d + 2]
    if i == 0:
        for q in range(dm.size):
            dn[q] += dm[q] if (x0[q] >= x1[q]) & (x0[q] >= x2[q]) else 0
    elif i == 1:
        for q in range(dm.size):
            dn[q] += dm[q] if (x1[q] > x0[q]) & (x1[q] >= x2[q]) else 0
    else:
        for q in range(dm.size):
            dn[q] += dm[q] if (x2[q] > x0[q]) & (x2[q] > x1[q]) else 0


@serial
def _scale_shift(m, w, b, y):
    """``y = leaky ReLU(m w + b)``."""
    alpha = y.dtype.type(ALPHA)
    for q in range(y.size):
        z = m[q] * w[q] + b
        y[q] = z if z > 0 else alpha * z


@serial
def _scale_shift_activate_backward(dz, m, w, b):
    alpha = dz.dtype.type(ALPHA)
    for q in range(dz.size):
        dz[q] = dz[q] if m[q] * w[q] + b > 0 else alpha * dz[q]


@serial
def _add(total, a):
    for q in range(total.size):
        total[q] += a[q]


@serial
def _add_scaled(total, factor, a):
    for q in range(total.size):
        total[q] += factor * a[q]


@serial
def _add_product(total, a, b):
    for q in range(total.size):
        total[q] += a[q] * b[q]


@serial
def _add_two_products(total, a, b, c, d):
    for q in range(total.size):
        total[q] += a[q] * b[q] + c[q] * d[q]


@serial
def _multiply(a, b):
    for q in range(a.size):
        a[q] *= b[q]


@serial
def _sum(a):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q]
    return total


@serial
def _dot(a, b):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


# --- Between the network's arrays and planes.


@parallel
def _pack(values, width, packed):
    """(a, h, w, u, v) to (v, u, a, h * width + w); what is beyond w stays 0."""
    for task in prange(values.shape[0] * values.shape[1]):
        _pack_row(values, width, task // values.shape[1], task % values.shape[1], packed)


@serial
def _pack_row(values, width, a, h, packed):
    _, _, columns, channels, maps = values.shape
    for v in range(maps):
        for u in range(channels):
            row = packed[v, u, a, h * width : (h + 1) * width]
            for w in range(columns):
                row[w] = values[a, h, w, u, v]


@parallel
def _unpack(packed, width, values):
    """The sum over chunks, in their order, of (v, u, a, h * width + w), to (a, h, w, u, v)."""
    for task in prange(values.shape[0] * values.shape[1]):
        _unpack_row(packed, width, task // values.shape[1], task % values.shape[1], values)


@serial
def _unpack_row(packed, width, a, h, values):
    _, _, columns, channels, maps = values.shape
    for v in range(maps):
        for u in range(channels):
            for chunk in range(packed.shape[0]):
                row = packed[chunk, v, u, a, h * width : (h + 1) * width]
                for w in range(columns):
                    values[a, h, w, u, v] = row[w] if chunk == 0 else values[a, h, w, u, v] + row[w]
