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
from functools import cache

import numpy as np
from numba import from_dtype, get_num_threads, get_thread_id, prange, types

from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .jit import by_address, parallel, serial

CHUNKS = 8
"""Parts of a batch with gradients of their own: the most threads that a training step can use."""

GROUP = 4
"""Clips that go through the network together."""

FEATURES = 1024
"""Features of the dense layer that are worked on at a time: what fits into the nearest cache for all classes."""

Arrays = namedtuple("Arrays", "w1 b1 w3 b3 w5 b5 w7 b7")
"""The parameters of L1WS, L3P, L5WS and FC_OUT, or their gradients, in planes.

An array that is (a, h, w, u, v) in the network is (v, u, a, q) here, ``q = h * width + w``: ``a`` counts frames, ``u``
channels (of FC_OUT: maps) and ``v`` maps (of FC_OUT: classes).
"""

Kept = namedtuple("Kept", "x n1 mean1 scale1 n3 scale3 a5 n5 scale5 dn1 dn3 dn5")
"""The maps of a group of clips.  ``n1``, ``n3``, ``n5`` are normalised, ``n1`` after the maximum; ``a5`` is not yet."""

Scratch = namedtuple("Scratch", "p v a dz sums g dz5 sums5 g5 m dm chosen")
"""Planes that are written and read again at once."""


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
        self.input_shape, self.classes, self.dtype = input_shape, classes, np.dtype(dtype)
        self.packed = _places([(v, u, a, h * width) for (a, h, w, u, v), width in self.shapes])
        self.kept_places, self.scratch_places = _kept_places(d, h, w, c, maps), _scratch_places(h, w)
        self.widths = w, w2
        self.parameters = np.zeros(_size(self.packed), dtype)
        self.gradients = np.empty((0, _size(self.packed)), dtype)
        # One row a thread.
        self.kept = np.empty((0, _size(self.kept_places)), dtype)
        self.scratch = np.empty((0, _size(self.scratch_places)), dtype)
        self.chosen = np.empty((0, h2, w2), np.uint32)
        self.no_labels = np.empty(0, np.int64)

    def forward(self, x, parameters):
        """Logits (n, k) of clips (n, d, h, w, c), and ``finite``; see :meth:`training_pass`."""
        self._prepare(parameters)
        logits, finite = np.empty((len(x), self.classes), self.dtype), np.ones(len(x), np.bool_)
        nothing = np.empty(0, self.dtype)
        if len(x) <= GROUP:
            # A few clips are shared out by planes, layer by layer; all are kept with the first thread's maps.
            finite = np.ones((len(x), self.kept_places[1, 2:4].prod()), np.bool_)
            for job, layer in ((PLANES_1, 1), (PLANES_3, 4), (PLANES_5, 7)):
                planes = len(x) * self.kept_places[layer, 2:4].prod()
                self._run(job, planes, x, self.no_labels, nothing, logits, finite.reshape(-1))
            self._run(DENSE, 1, x, self.no_labels, nothing, logits, finite.reshape(-1))
            return logits, finite.all(axis=1)
        groups = max(-(-len(x) // GROUP), min(len(x), CHUNKS))
        self._run(FORWARD, groups, x, self.no_labels, nothing, logits, finite)
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
        chunks = min(CHUNKS, len(x))
        if len(self.gradients) < chunks:
            self.gradients = np.empty((chunks, self.parameters.size), self.dtype)
        losses, logits = np.empty(len(x), self.dtype), np.empty((len(x), self.classes), self.dtype)
        finite = np.ones(len(x), np.bool_)
        self._run(TRAIN, chunks, x, labels, losses, logits, finite)
        for which, (gradient, (shape, width)) in enumerate(zip(gradients, self.shapes, strict=True)):
            _unpack(self.gradients[:chunks], self.packed, which, width, gradient.reshape(shape))
        return losses, logits, finite

    def _run(self, job, tasks, x, labels, losses, logits, finite):
        x = x.view()
        x.flags.writeable = False  # as it may be: one compiled kernel for either
        _run_tasks(
            _task_runner(self.dtype), job, tasks, self._planes(x), x, labels, self.widths,
            self.packed, self.kept_places, self.scratch_places, self.parameters, self.gradients,
            self.kept, self.scratch, self.chosen, losses, logits, finite,
        )  # fmt: skip

    def _prepare(self, parameters):
        for which, (values, (shape, width)) in enumerate(zip(parameters, self.shapes, strict=True)):
            _pack(np.ascontiguousarray(values).reshape(shape), self.packed, which, width, self.parameters)
        threads = get_num_threads()
        if len(self.kept) < threads:
            self.kept = np.empty((threads, self.kept.shape[1]), self.dtype)
            self.scratch = np.zeros((threads, self.scratch.shape[1]), self.dtype)
            self.chosen = np.empty((threads, *self.chosen.shape[1:]), np.uint32)

    def _planes(self, x):
        """Clips as (n, c, d, q) where that is cheap: of one channel (no copy), or one group; else none."""
        d, h, w, c = self.input_shape
        planes = np.empty((0, c, d, h * w), self.dtype)
        if c == 1 or len(x) <= GROUP:
            planes = np.ascontiguousarray(np.moveaxis(x, -1, 1)).reshape(len(x), c, d, h * w)
        planes.flags.writeable = False
        return planes


def _places(shapes):
    """Start and shape of arrays that stand one behind the other: a row (start, n, m, d, q) for each."""
    shapes = np.array(shapes)
    ends = shapes.prod(axis=1).cumsum()
    return np.column_stack([ends - shapes.prod(axis=1), shapes])


def _size(places):
    return places[-1, 0] + places[-1, 1:].prod()


def _kept_places(d, h, w, c, maps):
    """Of the arrays of Kept, in order."""
    h2, w2 = (h - 3) // 2, (w - 3) // 2
    pooled, last = h2 * w2, (h2 - 3) * w2
    per_frame_1, per_frame_3, per_frame_5 = ((GROUP, maps, frames) for frames in (d - 2, d - 4, d - 6))
    shapes = {
        "x": (GROUP if c > 1 else 0, c, d, h * w),
        "n1": (*per_frame_1, pooled),
        "mean1": (*per_frame_1, 1),
        "scale1": (*per_frame_1, 1),
        "n3": (*per_frame_3, pooled),
        "scale3": (*per_frame_3, 1),
        "a5": (*per_frame_5, last),
        "n5": (*per_frame_5, last),
        "scale5": (*per_frame_5, 1),
        "dn1": (*per_frame_1, pooled),
        "dn3": (*per_frame_3, pooled),
        "dn5": (*per_frame_5, last),
    }
    return _places([shapes[name] for name in Kept._fields])


def _scratch_places(h, w):
    """Of the arrays of Scratch but ``chosen``, in order."""
    h2, w2 = (h - 3) // 2, (w - 3) // 2
    lengths = {
        "p": h * w + 3,
        "v": (h - 3) * w + 3,
        "a": (h - 3) * w,
        "dz": (h - 3) * w + 3,
        "sums": (h + 3) * w,
        "g": h * w,
        "dz5": (h2 - 3) * w2 + 3,
        "sums5": (h2 + 3) * w2,
        "g5": h2 * w2,
        "m": h2 * w2,
        "dm": h2 * w2,
    }
    return _places([(1, 1, 2 if name == "g" else 1, lengths[name]) for name in Scratch._fields if name in lengths])


# --- What runs side by side.

# One driver for all jobs.
TRAIN, FORWARD, PLANES_1, PLANES_3, PLANES_5, DENSE = range(6)


@parallel
def _run_tasks(
    run_task, job, tasks, planes, x, labels, widths, packed, kept_places, scratch_places,
    parameters, gradients, kept, scratch, chosen, losses, logits, finite,
):  # fmt: skip
    for task in prange(tasks):
        run_task(
            job, np.int64(task), tasks, planes, x, labels, widths, packed, kept_places, scratch_places,
            parameters, gradients, kept, scratch, chosen, losses, logits, finite, np.int64(get_thread_id()),
        )  # fmt: skip


@cache
def _task_runner(dtype):
    """:func:`_run_task`, compiled for a dtype."""
    real, whole, flag = from_dtype(dtype), types.int64, types.boolean
    planes, x = (types.Array(real, ndim, "C", readonly=True) for ndim in (4, 5))
    widths, places, rows = types.UniTuple(whole, 2), whole[:, ::1], real[:, ::1]
    return by_address(types.void(
        whole, whole, whole, planes, x, whole[::1], widths, places, places, places,
        real[::1], rows, rows, rows, types.uint32[:, :, ::1], real[::1], rows, flag[::1], whole,
    ))(_run_task)  # fmt: skip


def _run_task(
    job, task, tasks, planes, x, labels, widths, packed, kept_places, scratch_places,
    parameters, gradients, kept, scratch, chosen, losses, logits, finite, thread,
):  # fmt: skip
    net = _arrays(parameters, packed)
    work = _scratch(scratch[thread], scratch_places, chosen[thread])
    if job in (TRAIN, FORWARD):
        maps = _kept(kept[thread], kept_places)
        first, end = task * x.shape[0] // tasks, (task + 1) * x.shape[0] // tasks
        own = net
        if job == TRAIN:
            gradients[task] = 0
            own = _arrays(gradients[task], packed)
        groups = (end - first + GROUP - 1) // GROUP
        for group in range(groups):
            start = first + group * (end - first) // groups
            stop = first + (group + 1) * (end - first) // groups
            clips = _group_planes(planes, x, start, stop, maps)
            _forward_group(clips, widths, net, maps, work, logits[start:stop], finite[start:stop])
            if job == TRAIN:
                dlogits = np.empty_like(logits[start:stop])
                for n in range(start, stop):
                    losses[n] = _cross_entropy(logits[n], labels[n], x.shape[0], dlogits[n - start])
                _backward_group(clips, widths, net, own, maps, work, dlogits)
    else:
        maps = _kept(kept[0], kept_places)
        count, features = x.shape[0], net.w3.shape[0]
        if job == DENSE:
            _dense(maps.n5[:count].reshape(count, -1), net, logits)
        else:
            n, plane = task // (tasks // count), task % (tasks // count)
            d, f = plane // features, plane % features
            if job == PLANES_1:
                finite[task] = _forward_1(planes[n], widths[0], d, f, net, maps, work, n)
            elif job == PLANES_3:
                _forward_3(d, f, net, maps, work, n)
            else:
                _forward_5(widths[1], d, f, net, maps, work, n)


@serial
def _group_planes(planes, x, start, stop, kept):
    """Clips as (n, c, d, q): there already, or gathered for this group."""
    if planes.shape[0]:
        return planes[start:stop]
    for n in range(start, stop):
        for c in range(x.shape[4]):
            for d in range(x.shape[1]):
                q = 0
                for h in range(x.shape[2]):
                    for w in range(x.shape[3]):
                        kept.x[n - start, c, d, q] = x[n, d, h, w, c]
                        q += 1
    return kept.x[: stop - start]


@serial
def _arrays(flat, places):
    """The arrays that stand one behind the other in ``flat``."""
    return Arrays(
        _part(flat, places[0]), _part(flat, places[1]), _part(flat, places[2]), _part(flat, places[3]),
        _part(flat, places[4]), _part(flat, places[5]), _part(flat, places[6]), _part(flat, places[7]),
    )  # fmt: skip


@serial
def _kept(flat, places):
    return Kept(
        _part(flat, places[0]), _part(flat, places[1]), _part(flat, places[2]), _part(flat, places[3]),
        _part(flat, places[4]), _part(flat, places[5]), _part(flat, places[6]), _part(flat, places[7]),
        _part(flat, places[8]), _part(flat, places[9]), _part(flat, places[10]), _part(flat, places[11]),
    )  # fmt: skip


@serial
def _scratch(flat, places, chosen):
    return Scratch(
        _row(flat, places[0]), _row(flat, places[1]), _row(flat, places[2]), _row(flat, places[3]),
        _row(flat, places[4]), _part(flat, places[5])[0, 0], _row(flat, places[6]), _row(flat, places[7]),
        _row(flat, places[8]), _row(flat, places[9]), _row(flat, places[10]), chosen,
    )  # fmt: skip


@serial
def _part(flat, place):
    """One of the arrays that stand one behind the other in ``flat``."""
    start, n, m, d, q = place
    return flat[start : start + n * m * d * q].reshape((n, m, d, q))


@serial
def _row(flat, place):
    return _part(flat, place)[0, 0, 0]


# --- The network, forward.


@serial
def _forward_group(clips, widths, net, kept, scratch, logits, finite):
    count = clips.shape[0]
    maps, frames1 = kept.n1.shape[1:3]
    frames3 = kept.n3.shape[2]
    frames5 = kept.n5.shape[2]
    # A frame's input is read once for all maps, a map's weights once for all clips.
    for d in range(frames1):
        for f in range(maps):
            for n in range(count):
                finite[n] &= _forward_1(clips[n], widths[0], d, f, net, kept, scratch, n)
    for n in range(count):
        for f in range(maps):
            for d in range(frames3):
                _forward_3(d, f, net, kept, scratch, n)
        for d in range(frames5):
            for f in range(maps):
                _forward_5(widths[1], d, f, net, kept, scratch, n)
    _dense(kept.n5[:count].reshape(count, -1), net, logits)


@serial
def _forward_1(clip, width, d, f, net, kept, scratch, n):
    """L1WS, NORM_2 and the spatial maximum of L3P: one map of one frame."""
    _products(clip, d, net.w1[f], scratch.p)
    _window_sums(scratch.p, width, net.b1[f, 0, d], scratch.v, scratch.a)
    mean, scale = _moments(scratch.a, width, 3)
    kept.mean1[n, f, d, 0] = mean
    kept.scale1[n, f, d, 0] = scale
    _pool_plane(scratch.a, width, mean, scale, kept.n1[n, f, d].reshape(scratch.chosen.shape))
    return scale > 0


@serial
def _forward_3(d, f, net, kept, scratch, n):
    """The rest of L3P, and NORM_4: one map of one frame."""
    y = kept.n3[n, f, d]
    _largest_of_frames(kept.n1[n, f], d, scratch.m)
    _scale_shift(scratch.m, net.w3[f, 0, 0], net.b3[f, 0, d, 0], y)
    mean, scale = _moments(y, y.size, 0)
    kept.scale3[n, f, d, 0] = scale
    _normalize(y, mean, scale, y)


@serial
def _forward_5(width, d, f, net, kept, scratch, n):
    """L5WS and NORM_6: one map of one frame."""
    a = kept.a5[n, f, d]
    _products(kept.n3[n], d, net.w5[f], scratch.p)
    _window_sums(scratch.p, width, net.b5[f, 0, d], scratch.v, a)
    mean, scale = _moments(a, width, 3)
    kept.scale5[n, f, d, 0] = scale
    _normalize(a, mean, scale, kept.n5[n, f, d])


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
def _backward_group(clips, widths, net, gradients, kept, scratch, dlogits):
    count = clips.shape[0]
    maps, frames1 = kept.n1.shape[1:3]
    frames3 = kept.n3.shape[2]
    frames5 = kept.n5.shape[2]
    _dense_backward(dlogits, kept.n5[:count].reshape(count, -1), net, gradients, kept.dn5[:count].reshape(count, -1))
    for n in range(count):
        kept.dn3[n] = 0
        kept.dn1[n] = 0
        for d in range(frames5):
            for f in range(maps):
                _backward_5(widths[1], d, f, net, gradients, kept, scratch, n)
        for f in range(maps):
            for d in range(frames3):
                _backward_3(d, f, net, gradients, kept, scratch, n)
    for d in range(frames1):
        for f in range(maps):
            # Two clips at a time share a read and a write of each gradient.
            for n in range(0, count - 1, 2):
                _backward_1(clips[n], widths[0], d, f, net, gradients, kept, scratch, n, scratch.g[0])
                _backward_1(clips[n + 1], widths[0], d, f, net, gradients, kept, scratch, n + 1, scratch.g[1])
                for c in range(clips.shape[1]):
                    for i in range(3):
                        dw = gradients.w1[f, c, i]
                        _add_two_products(dw, clips[n, c, d + i], scratch.g[0], clips[n + 1, c, d + i], scratch.g[1])
            if count % 2:
                _backward_1(clips[count - 1], widths[0], d, f, net, gradients, kept, scratch, count - 1, scratch.g[0])
                for c in range(clips.shape[1]):
                    for i in range(3):
                        _add_product(gradients.w1[f, c, i], clips[count - 1, c, d + i], scratch.g[0])


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
def _backward_5(width, d, f, net, gradients, kept, scratch, n):
    """NORM_6 and L5WS: one map of one frame; adds to the gradients, and to ``dn3``."""
    a = kept.a5[n, f, d]
    dz = scratch.dz5[3:]
    outputs = (a.size // width) * (width - 3)
    _normalize_backward(kept.dn5[n, f, d], kept.n5[n, f, d], kept.scale5[n, f, d, 0], outputs, dz)
    _activate_backward(dz, a)
    _fill_rest(dz, width, 3, a.dtype.type(0))
    _add(gradients.b5[f, 0, d], dz)
    _window_sums_backward(scratch.dz5, width, scratch.sums5, scratch.g5)
    for c in range(net.w5.shape[1]):
        for i in range(3):
            _add_product(gradients.w5[f, c, i], kept.n3[n, c, d + i], scratch.g5)
            _add_product(kept.dn3[n, c, d + i], net.w5[f, c, i], scratch.g5)


@serial
def _backward_3(d, f, net, gradients, kept, scratch, n):
    """NORM_4 and L3P but for its spatial maximum: one map of one frame; adds to the gradients, and to ``dn1``."""
    w = net.w3[f, 0, 0]
    b = net.b3[f, 0, d, 0]
    dz = scratch.dm
    _normalize_backward(kept.dn3[n, f, d], kept.n3[n, f, d], kept.scale3[n, f, d, 0], dz.size, dz)
    _largest_of_frames(kept.n1[n, f], d, scratch.m)
    # y = leaky ReLU(z), z = m w + b
    _scale_shift_activate_backward(dz, scratch.m, w, b)
    _add_product(gradients.w3[f, 0, 0], dz, scratch.m)
    gradients.b3[f, 0, d, 0] += _sum(dz)
    # m = the largest of three frames; the first that is so large takes the gradient
    _multiply(dz, w)
    for i in range(3):
        _add_to_chosen_frame(kept.n1[n, f], d, i, dz, kept.dn1[n, f, d + i])


@serial
def _backward_1(clip, width, d, f, net, gradients, kept, scratch, n, g):
    """The spatial maximum of L3P, NORM_2 and L1WS: one map of one frame; adds to the bias' gradient, gives ``g``."""
    a, dz = scratch.a, scratch.dz[3:]
    # Recomputed: a = leaky ReLU(z)
    _products(clip, d, net.w1[f], scratch.p)
    _window_sums(scratch.p, width, net.b1[f, 0, d], scratch.v, a)
    # n = (a - mean) scale, and m the largest of a block: dn is dm there and 0 elsewhere, so its two sums come from
    # the pooled map.  da = scale (dn - mean(dn) - n mean(dn n)) is an affine map of a, and scale dm where a was chosen.
    dm, m = kept.dn1[n, f, d], kept.n1[n, f, d]
    mean, scale = kept.mean1[n, f, d, 0], kept.scale1[n, f, d, 0]
    outputs = a.dtype.type((a.size // width) * (width - 3))
    mean_dn = _sum(dm) / outputs
    mean_dn_n = _dot(dm, m) / outputs
    slope = -scale * scale * mean_dn_n
    _affine_backward(a, -scale * mean_dn - slope * mean, slope, dz)
    _find_chosen(a, width, scratch.chosen)
    _add_at_chosen(a, dm, scratch.chosen.reshape(-1), scale, dz)
    if scale == 0:
        dz[:] = 0
    _fill_rest(dz, width, 3, a.dtype.type(0))
    _add(gradients.b1[f, 0, d], dz)
    _window_sums_backward(scratch.dz, width, scratch.sums, g)


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
def _pack(values, places, which, width, flat):
    """(a, h, w, u, v) to (v, u, a, h * width + w), which is array ``which`` of ``flat``; what is beyond w stays 0."""
    for task in prange(values.shape[0] * values.shape[1]):
        _pack_row(values, places, which, width, task // values.shape[1], task % values.shape[1], flat)


@serial
def _pack_row(values, places, which, width, a, h, flat):
    packed = _part(flat, places[which])
    _, _, columns, channels, maps = values.shape
    for v in range(maps):
        for u in range(channels):
            row = packed[v, u, a, h * width : (h + 1) * width]
            for w in range(columns):
                row[w] = values[a, h, w, u, v]


@parallel
def _unpack(flat, places, which, width, values):
    """The opposite of :func:`_pack`, of the sum over chunks in their order; ``flat`` has a row a chunk."""
    for task in prange(values.shape[0] * values.shape[1]):
        _unpack_row(flat, places, which, width, task // values.shape[1], task % values.shape[1], values)


@serial
def _unpack_row(flat, places, which, width, a, h, values):
    _, _, columns, channels, maps = values.shape
    for chunk in range(flat.shape[0]):
        packed = _part(flat[chunk], places[which])
        for v in range(maps):
            for u in range(channels):
                row = packed[v, u, a, h * width : (h + 1) * width]
                for w in range(columns):
                    values[a, h, w, u, v] = row[w] if chunk == 0 else values[a, h, w, u, v] + row[w]
