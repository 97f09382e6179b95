"""The whole training pass of the strict network in one kernel, clip by clip, in planes that stay in the cache.

The same arithmetic as the functions beside it, in another order.  What it rests on:

- *Planes.*  One map of one frame is a plane, and loops run over a whole plane as one long row.  Outputs of a window
  keep the row length of its input, so that a step down is a shift by ``width``; the last columns of a row are then no
  outputs (the ``rest``) and are overwritten with values that do no harm.
- *Product first.*  A weight belongs to an input position, so a window is a box sum of products: first over rows, then
  over columns.  Its transpose is the same on a plane with zeros around.
- *Pairs.*  Two frames go together: of the four frames that their windows see, each is read once for both.
- *The maximum before the normalisation.*  A positive scale and a shift do not change which value is largest, so only
  the pooled quarter is normalised.
- *Clip by clip.*  A clip goes forward and backward at once, so that its maps are still in the cache.
- *Promises to the compiler.*  The loops' arrays do not overlap, and functions that only cut arrays count no references
  (``loop`` and ``borrowing`` in ``jit.py``).

A batch is cut into chunks by its size, whatever the threads; each adds up gradients of its own, and these are added in
their order.  So the bits do not depend on the number of threads.

For a network that :func:`fuse` does not cover, the functions beside this file do the same.
"""

from collections import namedtuple
from functools import cache

import numpy as np
from numba import from_dtype, get_num_threads, get_thread_id, prange, types

from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .jit import borrowing, by_address, loop, parallel, serial

CHUNKS = 8
"""The most parts of a batch with gradients of their own, and so the most threads that a training step can use."""

CHUNK = 2
"""The fewest clips of a part, but for smaller batches: for fewer, its gradients cost more than they save."""

GROUP = 4
"""Clips whose features are kept, so that the gradients of the dense layer's weights are fetched once for them."""

PART = 1024
"""Values that are worked on at a time, of the dense layer's features and of the gradients."""

Arrays = namedtuple("Arrays", "w1 b1 w3 b3 w5 b5 w7 b7")
"""The parameters of L1WS, L3P, L5WS and FC_OUT, or their gradients, in planes.

An array that is (a, h, w, u, v) in the network is (v, u, a, q) here, ``q = h * width + w``: ``a`` counts frames, ``u``
channels (of FC_OUT: maps) and ``v`` maps (of FC_OUT: classes).
"""

Kept = namedtuple("Kept", "x a1 n1 mean1 scale1 n3 scale3 a5 n5 mean5 scale5 dn3")
"""A clip as planes (c, d, q), and its maps (f, d, q).

``n1``, ``n3``, ``n5`` are normalised, ``n1`` after the maximum; ``a1``, which only training keeps, and ``a5`` are not
yet.  Of ``n5``, the features, there is one for each clip of a group, (n, f, d, q).  Where a layer's output has an odd
number of frames, ``x``, ``n3`` and ``dn3`` have a frame more, so that all frames of outputs are pairs: its values are 0
in ``x`` and ``n3`` and mean nothing in ``dn3``.
"""

Scratch = namedtuple("Scratch", "p v a dn dz s g dn1 dlogits")
"""Planes that are written and read again at once; of ``p`` and ``g`` there is one for each frame of a pair.

``dz`` has three zeros in front, ``s`` three rows that are set to zero.  ``dn1`` has the four frames that backward is
at, frame d as d % 4; ``dlogits`` is of each clip of a group.
"""


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
        # (a, h, w, u, v) of each parameter, and the widths of their planes
        self.shapes = [
            (3, h, w, c, maps),
            (d - 2, h - 3, w - 3, 1, maps),
            (1, h2, w2, 1, maps),
            (d - 4, 1, 1, 1, maps),
            (3, h2, w2, maps, maps),
            (d - 6, h2 - 3, w2 - 3, 1, maps),
            (d - 6, h2 - 3, w2 - 3, maps, classes),
            (1, 1, 1, 1, classes),
        ]
        self.plane_widths = np.array([w, w, w2, 1, w2, w2, w2, 1])
        self.ends = np.cumsum([shape[0] * shape[1] for shape in self.shapes])
        self.classes, self.dtype = classes, np.dtype(dtype)
        self.packed = _places(
            [(v, u, a, h * q) for (a, h, _, u, v), q in zip(self.shapes, self.plane_widths, strict=True)]
        )
        self.kept_places, self.scratch_places = _kept_places(d, h, w, c, maps), _scratch_places(h, w, classes)
        self.widths = w, w2
        self.parameters = _aligned(self.packed, dtype)[0]
        # One row a chunk, one row a thread.
        self.gradients = _aligned(self.packed, dtype, 0)
        self.kept = _aligned(self.kept_places, dtype, 0)
        self.scratch = _aligned(self.scratch_places, dtype, 0)
        self.no_labels = np.empty(0, np.int64)
        self.seen = None  # what the last forward pass was given

    def forward(self, x, parameters):
        """Logits (n, k) of clips (n, d, h, w, c), and ``finite``; see :meth:`training_pass`."""
        self._prepare(parameters, unless_seen=True)
        logits, finite = np.empty((len(x), self.classes), self.dtype), np.ones(len(x), np.bool_)
        nothing = np.empty(0, self.dtype)
        if len(x) > 1:
            self._run([(FORWARD, len(x))], x, self.no_labels, nothing, logits, finite)
            return logits, finite
        # One clip is shared out by pairs of planes, layer by layer; all is kept with the first thread's maps.
        places = dict(zip(Kept._fields, self.kept_places, strict=True))
        maps = places["n1"][2]
        pairs = [maps * -(-places[name][3] // 2) for name in ("n1", "n3", "n5")]
        finite = np.ones(pairs[0], np.bool_)
        tasks = places["x"][2] * places["x"][3], *pairs, self.classes
        jobs = list(zip((GATHER, PAIRS_1, PAIRS_3, PAIRS_5, CLASSES), tasks, strict=True))
        self._run(jobs, x, self.no_labels, nothing, logits, finite)
        return logits, finite.all(keepdims=True)

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
        chunks = _chunks(len(x))
        if len(self.gradients) < chunks:
            self.gradients = _aligned(self.packed, self.dtype, chunks)
        losses, logits = np.empty(len(x), self.dtype), np.empty((len(x), self.classes), self.dtype)
        finite = np.ones(len(x), np.bool_)
        self._run([(TRAIN, chunks)], x, labels, losses, logits, finite)
        _add_up(self.gradients[:chunks])
        _unpack(self.gradients[0], self.packed, self.plane_widths, self.ends, self._as_planes(gradients))
        return losses, logits, finite

    def _run(self, jobs, x, labels, losses, logits, finite):
        """Do jobs, pairs of one and how many tasks it has, one after the other."""
        x = x.view()
        x.flags.writeable = False  # as it may be: one compiled kernel for either
        _run_tasks(
            _task_runner(self.dtype), np.array(jobs), x, labels, self.widths, self.packed, self.kept_places,
            self.scratch_places, self.parameters, self.gradients, self.kept, self.scratch, losses, logits, finite,
        )  # fmt: skip

    def _prepare(self, parameters, unless_seen=False):
        """Put the parameters into planes; ``unless_seen``: they are compared with the last ones first."""
        parameters = [np.ascontiguousarray(values) for values in parameters]
        flat = tuple(values.reshape(-1) for values in parameters)
        if not (unless_seen and self.seen and _same(flat, self.seen)):
            _pack(self._as_planes(parameters), self.packed, self.plane_widths, self.ends, self.parameters)
            self.seen = tuple(values.copy() for values in flat) if unless_seen else None
        threads = get_num_threads()
        if len(self.kept) < threads:
            self.kept = _aligned(self.kept_places, self.dtype, threads)
            self.scratch = _aligned(self.scratch_places, self.dtype, threads)

    def _as_planes(self, arrays):
        """The arrays in their shapes (a, h, w, u, v); no copies."""
        return tuple(array.reshape(shape) for array, shape in zip(arrays, self.shapes, strict=True))


def _chunks(clips):
    """Parts of a batch: a power of two, so that they share out evenly."""
    return min(CHUNKS, 1 << max(clips // CHUNK, 1).bit_length() - 1)


LINE = 16
"""Arrays begin at multiples of this many values, in float32 a line of the cache: loops read whole lines."""


def _places(shapes):
    """Start and shape of arrays that stand one behind the other: a row (start, n, m, d, q) for each."""
    shapes = np.array(shapes)
    lengths = -(-shapes.prod(axis=1) // LINE) * LINE
    return np.column_stack([lengths.cumsum() - lengths, shapes])


def _aligned(places, dtype, rows=1):
    """Zeros for ``rows`` times all arrays of ``places``, each row at the beginning of a line."""
    length = -(-(places[-1, 0] + places[-1, 1:].prod()) // LINE) * LINE
    values = np.zeros(rows * length + LINE, dtype)
    start = -values.ctypes.data % (LINE * values.itemsize) // values.itemsize
    return values[start : start + rows * length].reshape(rows, length)


def _kept_places(d, h, w, c, maps):
    """Of the arrays of Kept, in order."""
    h2, w2 = (h - 3) // 2, (w - 3) // 2
    pooled, last = h2 * w2, (h2 - 3) * w2
    even = d % 2
    shapes = {
        "x": (c, d + even, h * w),
        "a1": (maps, d - 2, (h - 3) * w),
        "n1": (maps, d - 2, pooled),
        "mean1": (maps, d - 2, 1),
        "scale1": (maps, d - 2, 1),
        "n3": (maps, d - 4 + even, pooled),
        "scale3": (maps, d - 4, 1),
        "a5": (maps, d - 6, last),
        "n5": (GROUP, maps, d - 6, last),
        "mean5": (maps, d - 6, 1),
        "scale5": (maps, d - 6, 1),
        "dn3": (maps, d - 4 + even, pooled),
    }
    return _places([(1, *shapes[name])[-4:] for name in Kept._fields])


def _scratch_places(h, w, classes):
    """Of the arrays of Scratch, in order."""
    outputs = (h - 3) * w
    shapes = {
        "p": (2, h * w + 3),
        "v": (1, outputs + 3),
        "a": (1, outputs),
        "dn": (1, outputs),
        "dz": (1, outputs + 3),
        "s": (1, (h + 3) * w),
        "g": (2, h * w),
        "dn1": (4, ((h - 3) // 2) * ((w - 3) // 2)),
        "dlogits": (GROUP, classes),
    }
    return _places([(1, 1, *shapes[name]) for name in Scratch._fields])


# --- What runs side by side.

# One driver for all jobs.
TRAIN, FORWARD, GATHER, PAIRS_1, PAIRS_3, PAIRS_5, CLASSES = range(7)


@parallel
def _run_tasks(
    run_task, jobs, x, labels, widths, packed, kept_places, scratch_places,
    parameters, gradients, kept, scratch, losses, logits, finite,
):  # fmt: skip
    for job, tasks in jobs:
        for task in prange(tasks):
            run_task(
                job, np.int64(task), tasks, x, labels, widths, packed, kept_places, scratch_places,
                parameters, gradients, kept, scratch, losses, logits, finite, np.int64(get_thread_id()),
            )  # fmt: skip


@cache
def _task_runner(dtype):
    """:func:`_run_task`, compiled for a dtype."""
    real, whole, flag = from_dtype(dtype), types.int64, types.boolean
    x = types.Array(real, 5, "C", readonly=True)
    widths, places, rows = types.UniTuple(whole, 2), whole[:, ::1], real[:, ::1]
    return by_address(types.void(
        whole, whole, whole, x, whole[::1], widths, places, places, places,
        real[::1], rows, rows, rows, real[::1], rows, flag[::1], whole,
    ))(_run_task)  # fmt: skip


def _run_task(
    job, task, tasks, x, labels, widths, packed, kept_places, scratch_places,
    parameters, gradients, kept, scratch, losses, logits, finite, thread,
):  # fmt: skip
    net = _arrays(parameters, packed)
    work = _scratch(scratch[thread], scratch_places)
    if job in (TRAIN, FORWARD):
        maps = _kept(kept[thread], kept_places)
        first, end = task * x.shape[0] // tasks, (task + 1) * x.shape[0] // tasks
        own = net
        if job == TRAIN:
            gradients[task] = 0
            own = _arrays(gradients[task], packed)
        for n in range(first, end):
            slot = (n - first) % GROUP
            n5, dlogits = maps.n5[slot], work.dlogits[slot]
            finite[n] = _forward_clip(x[n], job == TRAIN, widths, net, maps, n5, work, logits[n])
            if job == TRAIN:
                losses[n] = _cross_entropy(logits[n], labels[n], x.shape[0], dlogits)
                _backward_clip(widths, net, own, maps, n5, dlogits, work)
                if slot == GROUP - 1 or n == end - 1:
                    _dense_weights_backward(slot + 1, maps.n5, work.dlogits, own)
        return
    maps = _kept(kept[0], kept_places)
    features = net.w3.shape[0]
    f, d = task % features, task // features * 2
    if job == GATHER:
        _gather(x[0], task // maps.x.shape[1], task % maps.x.shape[1], maps.x)
    elif job == PAIRS_1:
        finite[task] = _forward_1(d, f, False, widths[0], net, maps, work)
    elif job == PAIRS_3:
        for each in range(d, min(d + 2, maps.scale3.shape[1])):
            _forward_3(each, f, net, maps)
    elif job == PAIRS_5:
        _forward_5(d, f, widths[1], net, maps, maps.n5[0], work)
    else:
        logits[0, task] = _logit(task, maps.n5[0].reshape(-1), net)


@borrowing
def _gather(clip, c, d, planes):
    """One channel of one frame of a clip, (d, h, w, c), as a plane, (c, d, q); nothing for the frame that is none."""
    if d < clip.shape[0]:
        values = clip[d].reshape(-1)
        if clip.shape[3] == 1:
            _copy(values, planes[0, d])
        else:
            _copy_channel(values[c:], clip.shape[3], planes[c, d])


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
        _part(flat, places[0])[0], _part(flat, places[1])[0], _part(flat, places[2])[0], _part(flat, places[3])[0],
        _part(flat, places[4])[0], _part(flat, places[5])[0], _part(flat, places[6])[0], _part(flat, places[7])[0],
        _part(flat, places[8]), _part(flat, places[9])[0], _part(flat, places[10])[0], _part(flat, places[11])[0],
    )  # fmt: skip


@serial
def _scratch(flat, places):
    return Scratch(
        _part(flat, places[0])[0, 0], _part(flat, places[1])[0, 0, 0], _part(flat, places[2])[0, 0, 0],
        _part(flat, places[3])[0, 0, 0], _part(flat, places[4])[0, 0, 0], _part(flat, places[5])[0, 0, 0],
        _part(flat, places[6])[0, 0], _part(flat, places[7])[0, 0], _part(flat, places[8])[0, 0],
    )  # fmt: skip


@serial
def _part(flat, place):
    """One of the arrays that stand one behind the other in ``flat``."""
    start, n, m, d, q = place
    return flat[start : start + n * m * d * q].reshape((n, m, d, q))


# --- The network, forward.


@borrowing
def _forward_clip(x, training, widths, net, kept, n5, scratch, logits):
    """Logits of a clip; False if a map of the first layer is not finite."""
    maps, frames1 = kept.n1.shape[:2]
    for c in range(x.shape[3]):
        for d in range(x.shape[0]):
            _gather(x, c, d, kept.x)
    finite = True
    for f in range(maps):
        for d in range(0, frames1, 2):
            finite &= _forward_1(d, f, training, widths[0], net, kept, scratch)
            for seen in range(max(d - 2, 0), min(d, frames1 - 2)):
                _forward_3(seen, f, net, kept)
    for f in range(maps):
        for d in range(0, frames1 - 4, 2):
            _forward_5(d, f, widths[1], net, kept, n5, scratch)
    for k in range(logits.size):
        logits[k] = _logit(k, n5.reshape(-1), net)
    return finite


@borrowing
def _forward_1(first, f, training, width, net, kept, scratch):
    """L1WS, NORM_2 and the spatial maximum of L3P: one map of a pair of frames; False if it is not finite."""
    finite = True
    _pair_of_products(kept.x, first, net.w1[f], scratch.p)
    for d in range(first, min(first + 2, kept.n1.shape[1])):
        m, a = kept.n1[f, d], kept.a1[f, d] if training else scratch.a
        _activations(scratch.p[d - first], width, net.b1[f, 0, d], scratch.v, a)
        mean, scale = _mean_and_scale(a, width, 3)
        _pool_plane(a, width, m)
        _normalize(m, mean, scale, m)
        kept.mean1[f, d, 0], kept.scale1[f, d, 0] = mean, scale
        finite &= scale > 0
    return finite


@borrowing
def _forward_3(d, f, net, kept):
    """The rest of L3P, and NORM_4: one map of one frame."""
    n1, y = kept.n1[f], kept.n3[f, d]
    _pool_frames(n1[d], n1[d + 1], n1[d + 2], net.w3[f, 0, 0], net.b3[f, 0, d, 0], y)
    mean, scale = _mean_and_scale(y, y.size, 0)
    _normalize(y, mean, scale, y)
    kept.scale3[f, d, 0] = scale


@borrowing
def _forward_5(first, f, width, net, kept, n5, scratch):
    """L5WS and NORM_6: one map of a pair of frames."""
    _pair_of_products(kept.n3, first, net.w5[f], scratch.p)
    for d in range(first, min(first + 2, n5.shape[1])):
        a = kept.a5[f, d]
        _activations(scratch.p[d - first], width, net.b5[f, 0, d], scratch.v, a)
        mean, scale = _mean_and_scale(a, width, 3)
        _fill_rest(a, width, 3, mean)
        _normalize(a, mean, scale, n5[f, d])
        kept.mean5[f, d, 0], kept.scale5[f, d, 0] = mean, scale


@borrowing
def _logit(k, features, net):
    """FC_OUT: one class."""
    return net.b7[k, 0, 0, 0] + _dot(features, net.w7[k].reshape(-1))


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


@borrowing
def _backward_clip(widths, net, gradients, kept, n5, dlogits, scratch):
    """Adds a clip's gradients, but for those of FC_OUT."""
    maps, frames1 = kept.n1.shape[:2]
    kept.dn3[:] = 0
    for f in range(maps):
        for d in range(0, frames1 - 4, 2):
            _backward_5(d, f, widths[1], net, gradients, kept, n5, dlogits, scratch)
    for f in range(maps):
        scratch.dn1[:] = 0
        for d in range(0, frames1, 2):
            # Frames d and d + 1 of L3P are the last that add to the same frames of its input.
            for each in range(d, min(d + 2, frames1 - 2)):
                _backward_3(each, f, net, gradients, kept, scratch.dn1)
            _backward_1(d, f, widths[0], net, gradients, kept, scratch)
            scratch.dn1[d % 4 : d % 4 + 2] = 0  # for frames d + 4 and d + 5


@borrowing
def _dense_weights_backward(clips, n5, dlogits, gradients):
    """FC_OUT's weights and biases: adds the gradients of a group of clips."""
    # y[k] = sum_j a[j] W[j,k] + b[k]
    size = n5[0].size
    for start in range(0, size, PART):
        part = slice(start, min(start + PART, size))
        for k in range(dlogits.shape[1]):
            for n in range(clips):
                _add_scaled(gradients.w7[k].reshape(-1)[part], dlogits[n, k], n5[n].reshape(-1)[part])
    for n in range(clips):
        for k in range(dlogits.shape[1]):
            gradients.b7[k, 0, 0, 0] += dlogits[n, k]


@borrowing
def _dense_inputs_backward(d, f, dlogits, net, dn):
    """FC_OUT's inputs: one map of one frame."""
    dn[:] = 0
    for k in range(dlogits.size):
        _add_scaled(dn, dlogits[k], net.w7[k, f, d])


@borrowing
def _backward_5(first, f, width, net, gradients, kept, n5, dlogits, scratch):
    """FC_OUT's inputs, NORM_6 and L5WS: one map of a pair of frames; adds to the gradients, and to ``dn3``."""
    scratch.g[1] = 0  # if there is no second frame
    for d in range(first, min(first + 2, n5.shape[1])):
        a = kept.a5[f, d]
        dn = scratch.dn[: a.size]
        _dense_inputs_backward(d, f, dlogits, net, dn)
        dz = scratch.dz[: a.size + 3]
        means = _two_means(dn, n5[f, d], _outputs(a, width, 3))
        _normalize_activate_backward(
            dn, a, kept.mean5[f, d, 0], kept.scale5[f, d, 0], means, dz[3:], gradients.b5[f, 0, d]
        )
        _window_sums_backward(dz, width, scratch.s, scratch.g[d - first])
    g0, g1 = scratch.g[0], scratch.g[1]
    for c in range(net.w5.shape[1]):
        x, w, dx, dw = kept.n3[c, first:], net.w5[f, c], kept.dn3[c, first:], gradients.w5[f, c]
        _weights_backward(x[0], x[1], x[2], x[3], g0, g1, dw[0], dw[1], dw[2])
        _inputs_backward(g0, g1, w[0], w[1], w[2], dx[0], dx[1], dx[2], dx[3])


@borrowing
def _backward_3(d, f, net, gradients, kept, dn1):
    """NORM_4 and L3P but for its spatial maximum: one map of one frame; adds to the gradients, and to ``dn1``."""
    dy, y, n1 = kept.dn3[f, d], kept.n3[f, d], kept.n1[f]
    mean_dy, mean_dy_y = _two_means(dy, y, dy.size)
    gradients.b3[f, 0, d, 0] += _pool_frames_backward(
        dy, y, kept.scale3[f, d, 0], mean_dy, mean_dy_y, n1[d], n1[d + 1], n1[d + 2],
        net.w3[f, 0, 0], net.b3[f, 0, d, 0], gradients.w3[f, 0, 0], dn1[d % 4], dn1[(d + 1) % 4], dn1[(d + 2) % 4],
    )  # fmt: skip


@borrowing
def _backward_1(first, f, width, net, gradients, kept, scratch):
    """The spatial maximum of L3P, NORM_2 and L1WS: one map of a pair of frames; adds to the gradients."""
    scratch.g[1] = 0  # if there is no second frame
    for d in range(first, min(first + 2, kept.n1.shape[1])):
        dm, a, dn, dz = scratch.dn1[d % 4], kept.a1[f, d], scratch.dn, scratch.dz
        _pool_plane_backward(a, dm, width, dn)
        # dn is dm at the largest of each block and 0 elsewhere, so its two means come from the pooled maps.
        means = _two_means(dm, kept.n1[f, d], _outputs(a, width, 3))
        _normalize_activate_backward(
            dn, a, kept.mean1[f, d, 0], kept.scale1[f, d, 0], means, dz[3:], gradients.b1[f, 0, d]
        )
        _window_sums_backward(dz, width, scratch.s, scratch.g[d - first])
    for c in range(net.w1.shape[1]):
        x, dw = kept.x[c, first:], gradients.w1[f, c]
        _weights_backward(x[0], x[1], x[2], x[3], scratch.g[0], scratch.g[1], dw[0], dw[1], dw[2])


# --- Windows.


@borrowing
def _pair_of_products(x, d, w, p):
    """``p`` (2, q) of a pair of frames of x (c, d, q), with weights w (c, i, q)."""
    for c in range(x.shape[0]):
        _products(x[c, d], x[c, d + 1], x[c, d + 2], x[c, d + 3], w[c, 0], w[c, 1], w[c, 2], c > 0, p[0], p[1])


@borrowing
def _activations(p, width, bias, v, a):
    """``a = leaky ReLU(z)``, ``z[q] = b[q] + sum_{j,k} P[q + j * width + k]``; ``v`` takes the sums over rows."""
    _sum_rows(p, width, v[: a.size + 3])
    _sum_columns_activate(v, bias, a)


@borrowing
def _window_sums_backward(dz, width, s, g):
    """``G[q]``: the sum of ``dz`` over the windows that cover ``q``.

    ``dz`` has three zeros in front; the rest of its rows is set to zero.
    """
    _fill_rest(dz[3:], width, 3, dz.dtype.type(0))
    below = 3 * width + dz.size - 3
    s[: 3 * width] = 0
    _sum_columns(dz, s[3 * width : below])
    s[below : below + 3 * width] = 0
    _sum_rows(s, width, g[:below])


@loop
def _products(x0, x1, x2, x3, w0, w1, w2, more, p0, p1):
    """``P[d,q] = sum_{c,i} x[c,d+i,q] W[c,i,q]`` of a pair of frames; ``more``: add a further channel."""
    if more:
        for q in range(w0.size):
            p0[q] += x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
            p1[q] += x1[q] * w0[q] + x2[q] * w1[q] + x3[q] * w2[q]
    else:
        for q in range(w0.size):
            p0[q] = x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
            p1[q] = x1[q] * w0[q] + x2[q] * w1[q] + x3[q] * w2[q]


@loop
def _weights_backward(x0, x1, x2, x3, g0, g1, dw0, dw1, dw2):
    """``dW[c,i,q] += sum_d x[c,d+i,q] G[d,q]`` over a pair of frames."""
    for q in range(dw0.size):
        dw0[q] += x0[q] * g0[q] + x1[q] * g1[q]
        dw1[q] += x1[q] * g0[q] + x2[q] * g1[q]
        dw2[q] += x2[q] * g0[q] + x3[q] * g1[q]


@loop
def _inputs_backward(g0, g1, w0, w1, w2, dx0, dx1, dx2, dx3):
    """``dx[c,d+i,q] += W[c,i,q] G[d,q]`` of a pair of frames."""
    for q in range(dx0.size):
        dx0[q] += w0[q] * g0[q]
        dx1[q] += w1[q] * g0[q] + w0[q] * g1[q]
        dx2[q] += w2[q] * g0[q] + w1[q] * g1[q]
        dx3[q] += w2[q] * g1[q]


@loop
def _sum_rows(p, width, v):
    p1, p2, p3 = p[width:], p[2 * width :], p[3 * width :]
    for q in range(v.size):
        v[q] = (p[q] + p1[q]) + (p2[q] + p3[q])


@loop
def _sum_columns(dz, s):
    z1, z2, z3 = dz[1:], dz[2:], dz[3:]
    for q in range(s.size):
        s[q] = (dz[q] + z1[q]) + (z2[q] + z3[q])


@loop
def _sum_columns_activate(v, bias, a):
    v1, v2, v3 = v[1:], v[2:], v[3:]
    alpha = a.dtype.type(ALPHA)
    for q in range(a.size):
        z = bias[q] + ((v[q] + v1[q]) + (v2[q] + v3[q]))
        a[q] = z if z > 0 else alpha * z


# --- The normalisation.


@borrowing
def _outputs(a, width, rest):
    """How many values of a plane are outputs."""
    return (a.size // width) * (width - rest)


@borrowing
def _mean_and_scale(a, width, rest):
    """Mean and ``1 / sqrt(var + epsilon)`` of a plane, whose rest is overwritten; 0, 0 if they are not finite.

    Sums are of what the values differ from the mean of the first row: large offsets do no harm, and a constant plane
    has just its value as mean.
    """
    one = a.dtype.type
    first, row = a[0], width - rest
    near = first + _sum_of_differences(a[:row], first) / one(row)
    _fill_rest(a, width, rest, near)
    total, squares = _sums_of_differences(a, near)
    count = one(_outputs(a, width, rest))
    variance = (squares - total * (total / count)) / count
    if np.isfinite(variance):
        return near + total / count, one(1 / np.sqrt(max(variance, one(0)) + EPSILON))
    return one(0), one(0)


@borrowing
def _fill_rest(a, width, rest, value):
    if rest:
        for start in range(width - rest, a.size, width):
            for q in range(start, start + rest):
                a[q] = value


@borrowing
def _normalize(a, mean, scale, y):
    """``y = (a - mean) scale``; a plane without finite moments, ``scale = 0``, becomes 0."""
    if scale == 0:
        y[:] = 0
    else:
        for q in range(y.size):
            y[q] = (a[q] - mean) * scale


@borrowing
def _two_means(dy, y, count):
    """``mean(dy)`` and ``mean(dy y)`` over ``count`` values; where arrays have more, ``dy`` or ``y`` is 0."""
    return _sum(dy) / dy.dtype.type(count), _dot(dy, y) / dy.dtype.type(count)


@loop
def _normalize_activate_backward(dn, a, mean, scale, means, dz, db):
    """``da = scale (dn - mean(dn) - n mean(dn n))``, then leaky ReLU's slope; adds ``dz`` to ``db``."""
    alpha = dz.dtype.type(ALPHA)
    mean_dn, mean_dn_n = means
    if scale == 0:
        dz[:] = 0
    else:
        for q in range(dz.size):
            n = (a[q] - mean) * scale
            da = scale * (dn[q] - mean_dn - n * mean_dn_n)
            dz[q] = da if a[q] > 0 else alpha * da
            db[q] += da if a[q] > 0 else alpha * da


# --- Pooling.


@borrowing
def _pool_plane(a, width, m):
    """The largest of each 2 x 2 block."""
    columns = (width - 3) // 2
    for h in range(m.size // columns):
        _pool_row(a[2 * h * width :], a[(2 * h + 1) * width :], m[h * columns : (h + 1) * columns])


@loop
def _pool_row(upper, lower, m):
    for w in range(m.size):
        u = upper[2 * w] if upper[2 * w] > upper[2 * w + 1] else upper[2 * w + 1]
        v = lower[2 * w] if lower[2 * w] > lower[2 * w + 1] else lower[2 * w + 1]
        m[w] = u if u > v else v


@borrowing
def _pool_plane_backward(a, dm, width, dn):
    """``dn`` is ``dm`` where ``a`` is the largest of its block, the first in row-major order, and 0 elsewhere."""
    columns = (width - 3) // 2
    rows = dm.size // columns
    for h in range(rows):
        upper, lower = 2 * h * width, (2 * h + 1) * width
        _pool_row_backward(a[upper:], a[lower:], dm[h * columns : (h + 1) * columns], dn[upper:lower], dn[lower:])
    _fill_rest(dn, width, width - 2 * columns, dn.dtype.type(0))
    dn[2 * rows * width :] = 0


@loop
def _pool_row_backward(upper, lower, dm, dn_upper, dn_lower):
    zero = dm.dtype.type(0)
    for w in range(dm.size):
        a0, a1, a2, a3 = upper[2 * w], upper[2 * w + 1], lower[2 * w], lower[2 * w + 1]
        u = a0 if a0 >= a1 else a1
        v = a2 if a2 >= a3 else a3
        above, below = (dm[w], zero) if u >= v else (zero, dm[w])
        dn_upper[2 * w] = above if a0 >= a1 else zero
        dn_upper[2 * w + 1] = zero if a0 >= a1 else above
        dn_lower[2 * w] = below if a2 >= a3 else zero
        dn_lower[2 * w + 1] = zero if a2 >= a3 else below


@loop
def _pool_frames(x0, x1, x2, w, b, y):
    """``y = leaky ReLU(z)``, ``z = m w + b``, ``m`` the largest of three frames."""
    alpha = y.dtype.type(ALPHA)
    for q in range(y.size):
        u = x0[q] if x0[q] > x1[q] else x1[q]
        z = (u if u > x2[q] else x2[q]) * w[q] + b
        y[q] = z if z > 0 else alpha * z


@loop
def _pool_frames_backward(dy, y, scale, mean_dy, mean_dy_y, x0, x1, x2, w, b, dw, dx0, dx1, dx2):
    """NORM_4, leaky ReLU and the maximum of three frames; returns ``db``, adds to ``dw`` and to the frames' ``dx``."""
    zero, alpha = y.dtype.type(0), y.dtype.type(ALPHA)
    db = zero
    for q in range(y.size):
        u = x0[q] if x0[q] >= x1[q] else x1[q]
        m = u if u >= x2[q] else x2[q]
        # y = normalised leaky ReLU(z), z = m w + b
        da = scale * (dy[q] - mean_dy - y[q] * mean_dy_y)
        dz = da if m * w[q] + b > 0 else alpha * da
        db += dz
        dw[q] += dz * m
        # m = the largest of three frames; the first that is so large takes the gradient
        dm = dz * w[q]
        dx0[q] += dm if (x0[q] >= x1[q]) & (x0[q] >= x2[q]) else zero
        dx1[q] += dm if (x0[q] < x1[q]) & (x1[q] >= x2[q]) else zero
        dx2[q] += dm if u < x2[q] else zero
    return db


# --- Plain loops.


@loop
def _copy(a, b):
    for q in range(b.size):
        b[q] = a[q]


@loop
def _copy_channel(values, channels, plane):
    for q in range(plane.size):
        plane[q] = values[q * channels]


@loop
def _add(total, a):
    for q in range(total.size):
        total[q] += a[q]


@loop
def _add_scaled(total, factor, a):
    for q in range(total.size):
        total[q] += factor * a[q]


@loop
def _sum(a):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q]
    return total


@loop
def _dot(a, b):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


@loop
def _sum_of_differences(a, center):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] - center
    return total


@loop
def _sums_of_differences(a, center):
    """Of differences from ``center``, and of their squares."""
    total, squares = a.dtype.type(0), a.dtype.type(0)
    for q in range(a.size):
        difference = a[q] - center
        total += difference
        squares += difference * difference
    return total, squares


# --- Between the network's arrays and planes.


@parallel
def _pack(values, places, widths, ends, flat):
    """(a, h, w, u, v) to (v, u, a, h * width + w), for all arrays ``values``; what is beyond w stays 0.

    A task is a row of an array; ``ends`` says with which task each array ends.
    """
    for task in prange(ends[-1]):
        _pack_row(values, places, widths, ends, task, flat)


@serial
def _pack_row(values, places, widths, ends, task, flat):
    which, a, h = _row_of_task(values, ends, task)
    packed, width, array = _part(flat, places[which]), widths[which], values[which]
    _, _, columns, channels, maps = array.shape
    for v in range(maps):
        for u in range(channels):
            row = packed[v, u, a, h * width : (h + 1) * width]
            for w in range(columns):
                row[w] = array[a, h, w, u, v]


@parallel
def _unpack(flat, places, widths, ends, values):
    """The opposite of :func:`_pack`."""
    for task in prange(ends[-1]):
        _unpack_row(flat, places, widths, ends, task, values)


@serial
def _unpack_row(flat, places, widths, ends, task, values):
    which, a, h = _row_of_task(values, ends, task)
    packed, width, array = _part(flat, places[which]), widths[which], values[which]
    _, _, columns, channels, maps = array.shape
    for v in range(maps):
        for u in range(channels):
            row = packed[v, u, a, h * width : (h + 1) * width]
            for w in range(columns):
                array[a, h, w, u, v] = row[w]


@serial
def _row_of_task(values, ends, task):
    which, begin = 0, 0
    while task >= ends[which]:
        begin = ends[which]
        which += 1
    height = values[which].shape[1]
    return which, (task - begin) // height, (task - begin) % height


@parallel
def _same(values, others):
    """Whether all values of flat arrays are equal, array by array."""
    different = 0
    for which in range(len(values)):
        a, b = values[which], others[which]
        for part in prange((a.size + PART - 1) // PART):
            different += _differences(a[part * PART : (part + 1) * PART], b[part * PART : (part + 1) * PART])
    return different == 0


@loop
def _differences(a, b):
    count = 0
    for q in range(a.size):
        count += a[q] != b[q]
    return count


@parallel
def _add_up(chunks):
    """Add all rows to the first, one after the other."""
    parts = (chunks.shape[1] + PART - 1) // PART
    for part in prange(parts):
        for chunk in range(1, chunks.shape[0]):
            _add(chunks[0, part * PART : (part + 1) * PART], chunks[chunk, part * PART : (part + 1) * PART])
