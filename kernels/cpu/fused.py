"""The whole training pass of the strict network in one kernel, clip by clip, in planes that stay in the cache.

The same arithmetic as the functions beside it, in another order.  What it rests on:

- *Planes.*  One map of one frame is a plane, and loops run over a whole plane as one long row.  Outputs of a window
  keep the row length of its input, so that a step down is a shift by ``width`` (``fused_windows.py``).
- *Product first.*  A weight belongs to an input position, so a window is a box sum of products: first over rows, then
  over columns.  Its transpose is the same on a plane with zeros around.
- *Pairs.*  Two frames go together: of the four frames that their windows see, each is read once for both.
- *The maximum before the normalisation.*  A positive scale and a shift do not change which value is largest, so only
  the pooled quarter is normalised.
- *Clip by clip.*  A clip goes forward and backward at once, so that its maps are still in the cache
  (``fused_clip.py``).
- *Promises to the compiler.*  The loops' arrays do not overlap, and functions that only cut arrays count no references
  (``loop`` and ``borrowing`` in ``jit.py``).

A batch is cut into parts by its size, whatever the threads; each adds up gradients of its own, and these are added in
the order of a binary tree (``kernels/tree.py``).  A thread computes a share of consecutive parts and adds up what it
can; the sums of all threads are added last.  So the bits do not depend on the number of threads, nor on that of the
processes that share a batch out among them, and memory grows with the threads only.

A batch of too few parts for the threads goes clip by clip on all of them, each clip shared out by maps and frames: the
same functions in the same order of sums.

All work is given as tasks ``(job, clip, count)``: a :class:`Job`, for a clip or for all, in so many pieces.  Pieces of
one job write to different places, so it does not matter who does which.

For a network that :func:`fuse` does not cover, the functions beside this file do the same.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum, auto
from functools import cache, lru_cache
from typing import NamedTuple

import numpy as np
from numba import from_dtype, get_thread_id, prange, types
from numpy.typing import DTypeLike

from .. import tree
from ..arrays import BoolArray, FloatArray, IntArray
from . import threads
from .fused_clip import (
    are_finite,
    backward_3_and_1,
    backward_5,
    backward_clip,
    cross_entropy,
    dense_weights_backward,
    forward_1,
    forward_3,
    forward_5,
    forward_clip,
    logit,
    sums_backward_5,
)
from .fused_layout import (
    Plan,
    aligned,
    kept_in,
    parameter_shapes,
    parameter_widths,
    parameters_in,
    plan_of,
    scratch_in,
)
from .fused_loops import PART
from .fused_packing import add_up, add_up_alone, gather, pack, same, unpack
from .jit import by_address, parallel, pasted

TOGETHER = 4
"""Parts whose gradients a thread adds up together, so that it reads each once and writes their sum."""

WORTH_SHARING = 100_000
"""The fewest values of a clip, times the maps, for which it is shared out in training: threads wait for each other
after each of nine jobs, and one thread alone is done with a clip of that size in 0.1 ms.
"""


class Job(IntEnum):
    """What there is to do, and what a piece of it is."""

    TRAIN = auto()  # forward and backward; a piece is a thread's share of the batch
    FORWARD = auto()  # forward only; a piece is a clip
    # These five, one after the other, are the forward pass of a clip that is shared out.
    GATHER = auto()  # the clip as planes; a piece is a channel of a frame
    LAYER_1 = auto()  # L1WS, NORM_2, spatial maximum; a piece is a map of a pair of frames
    LAYER_3 = auto()  # L3P after that, NORM_4; a piece is a map of a pair of frames
    LAYER_5 = auto()  # L5WS, NORM_6; a piece is a map of a pair of frames
    LAYER_7 = auto()  # FC_OUT; a piece is a class
    # These follow in training, and the last one after the last clip of a part.
    LOSS = auto()  # in one piece
    LAYER_5_BACKWARD = auto()  # FC_OUT's inputs, NORM_6, L5WS but for sums over frames; a map of a pair of frames
    LAYER_5_SUMS = auto()  # those sums; a piece is a map
    LAYER_1_BACKWARD = auto()  # NORM_4, L3P, NORM_2, L1WS; a piece is a map
    LAYER_7_WEIGHTS = auto()  # FC_OUT's weights and biases; a piece is PART features


class Buffers(NamedTuple):
    """The memory of a network, in long rows; ``fused_layout.py`` says what stands where in them."""

    parameters: FloatArray  # (q): the parameters as planes
    gradients: FloatArray  # (rows, q): of each share its sums of gradients, and behind them those of single parts
    kept: FloatArray  # (threads, q): a thread's clip and its maps
    scratch: FloatArray  # (threads, q): a thread's planes


class Work(NamedTuple):
    """Which parts of a batch are trained on, and by whom."""

    clips: int  # of the whole batch, over which the mean of the loss is taken
    rows: IntArray  # (shares, rows): which rows of gradients each share has
    starts: IntArray  # (parts + 1): the first clip of each part, and the number of clips
    shares: IntArray  # (shares + 1): the first part of each thread's share, and the number of parts
    merges: IntArray  # (parts): how many sums of its share each part completes


NONE = Work(0, np.zeros((0, 0), np.int64), *[np.zeros(0, np.int64)] * 3)
"""In a forward pass there are no gradients to share out."""


class Batch(NamedTuple):
    """What a pass is given and what it answers.

    ``finite`` says for each clip whether all maps of its first layer are.
    """

    x: FloatArray  # (n, d, h, w, c), not to be written to
    labels: IntArray  # (n); of no elements in a forward pass
    losses: FloatArray  # (n); likewise
    logits: FloatArray  # (n, k)
    finite: BoolArray  # (n)


class Fused:
    """The fused passes for one network; several threads may call them, and take turns.

    Args:
        input_shape: ``(d, h, w, c)`` of a clip.
        maps, classes: of the network.
        dtype: float32 or float64.
    """

    def __init__(self, input_shape: tuple[int, int, int, int], maps: int, classes: int, dtype: DTypeLike) -> None:
        d, h, w, c = input_shape
        self.maps, self.classes, self.dtype = maps, classes, np.dtype(dtype)
        self.values = d * h * w * c * maps
        self.plan = plan_of(d, h, w, c, maps, classes)
        self.shapes, self.plane_widths = parameter_shapes(d, h, w, c, maps, classes), parameter_widths(w)
        self.ends = np.cumsum([shape[0] * shape[1] for shape in self.shapes])
        self.buffers = Buffers(
            parameters=aligned(self.plan.parameters, dtype)[0],
            gradients=aligned(self.plan.parameters, dtype, 0),
            kept=aligned(self.plan.kept, dtype, 0),
            scratch=aligned(self.plan.scratch, dtype, 0),
        )
        pairs = [maps * -(-frames // 2) for frames in (d - 2, d - 4, d - 6)]
        features = int(self.plan.parameters[6, 2:].prod())
        pieces = c * d, *pairs, classes, 1, pairs[2], maps, maps, -(-features // PART)
        self.jobs = list(zip(list(Job)[2:], pieces, strict=True))  # those of a clip that is shared out, in order
        self.seen: tuple[FloatArray, ...] | None = None  # what the last forward pass was given

    def forward(self, x: FloatArray, parameters: Iterable[FloatArray]) -> tuple[FloatArray, BoolArray]:
        """Logits (n, k) of clips (n, d, h, w, c), and ``finite``; see :meth:`training_pass`."""
        batch = self._batch(x, np.empty(0, np.int64))
        with threads.turn():  # all passes of a network share its memory
            self._prepare(parameters, unless_seen=True)
            tasks = [(Job.FORWARD, 0, len(x))]
            if len(x) == 1 or 2 * len(x) <= threads.count():  # too few clips for the threads: each is shared out
                tasks = [(job, n, pieces) for n in range(len(x)) for job, pieces in self.jobs if job <= Job.LAYER_7]
            self.run(tasks, self.buffers, batch)
        return batch.logits, batch.finite

    def training_pass(
        self,
        x: FloatArray,
        labels: IntArray,
        parameters: Iterable[FloatArray],
        gradients: Iterable[FloatArray],
        share: tree.Share | None = None,
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Forward and backward.

        Args:
            x: ndarray of shape (n, d, h, w, c), contiguous.
            labels: int64 ndarray of shape (n,).
            parameters: the network's arrays, in order.
            gradients: arrays of the same shapes, to be overwritten with the gradient of the mean loss.
            share: the parts of a batch that the clips are, where other processes have the others; default None, they
                are the batch.

        Returns:
            ``losses, logits, finite``: ndarrays of shape (n,), (n, k) and (n,); the last says for which clips all maps
            of the first layer were finite.
        """
        share = share or tree.Share(len(x))
        with threads.turn():
            self._prepare(parameters)
            work, places, merges = _shared_out(share.clips, share.first, share.end, threads.count())
            batch = self._batch(x, labels)
            if len(self.buffers.gradients) < work.rows.size:
                rows = aligned(self.plan.parameters, self.dtype, work.rows.size)
                self.buffers = self.buffers._replace(gradients=rows)
            rows = self.buffers.gradients
            self.run(self._training_tasks(work), self.buffers, batch, work)
            add_up(rows, places, merges)
            sums = [rows[place] for place in places[: len(tree.subtrees(share.first, share.end))]]
            total = share.total(sums, rows.shape[1], self.dtype)
            unpack(total, self.plan.parameters, self.plane_widths, self.ends, self._as_planes(gradients))
        return batch.losses, batch.logits, batch.finite

    def within_clips(self, parts: int, count: int) -> bool:
        """Whether so many parts of a batch go clip by clip on all of ``count`` threads, each clip shared out.

        Backward keeps as many threads busy with a clip as there are maps, so it pays for fewer parts than that.
        """
        return self.values >= WORTH_SHARING and 0 < parts < min(count, self.maps)

    def _training_tasks(self, work):
        """Each thread trains on its share of the parts, or all on one clip after the other."""
        if not self.within_clips(len(work.starts) - 1, threads.count()):
            return [(Job.TRAIN, 0, len(work.rows))]
        return [
            (job, n, pieces)
            for n in range(work.starts[-1])
            for job, pieces in self.jobs
            if job != Job.LAYER_7_WEIGHTS or n + 1 in work.starts
        ]

    def _batch(self, x, labels):
        """A batch whose answers are still to be written."""
        return Batch(
            x,
            labels,
            losses=np.empty(len(labels), self.dtype),
            logits=np.empty((len(x), self.classes), self.dtype),
            finite=np.ones(len(x), np.bool_),
        )

    def run(self, tasks: Sequence[tuple[Job, int, int]], buffers: Buffers, batch: Batch, work: Work = NONE) -> None:
        """Do tasks ``(job, clip, count)``, one after the other, each on all threads."""
        x = batch.x.view()
        x.flags.writeable = False  # as it may be: one compiled kernel for either
        _run_tasks(_task_runner(self.dtype), np.array(tasks), self.plan, buffers, batch._replace(x=x), work)

    def _prepare(self, parameters, unless_seen=False):
        """Put the parameters into planes; ``unless_seen``: they are compared with the last ones first."""
        parameters = [np.ascontiguousarray(values) for values in parameters]
        flat = tuple(values.reshape(-1) for values in parameters)
        if not (unless_seen and self.seen and same(flat, self.seen)):
            planes = self._as_planes(parameters)
            self.seen = None  # whatever ends what follows
            pack(planes, self.plan.parameters, self.plane_widths, self.ends, self.buffers.parameters)
            self.seen = tuple(values.copy() for values in flat) if unless_seen else None
        if len(self.buffers.kept) < threads.count():
            self.buffers = self.buffers._replace(
                kept=aligned(self.plan.kept, self.dtype, threads.count()),
                scratch=aligned(self.plan.scratch, self.dtype, threads.count()),
            )

    def _as_planes(self, arrays):
        """The arrays in their shapes (a, h, w, u, v); no copies."""
        return tuple(array.reshape(shape) for array, shape in zip(arrays, self.shapes, strict=True))


def fuse(
    input_shape: tuple[int, int, int, int],
    maps: int,
    classes: int,
    dtype: DTypeLike,
    receptive_field: tuple[int, int, int],
    strides: tuple[int, int, int],
    pool: tuple[int, int, int],
    pooling: str,
) -> Fused | None:
    """The fused passes for a network, or None for one they do not cover: they are written for the usual windows."""
    if (receptive_field, strides, pool, pooling) != ((3, 4, 4), (1, 1, 1), (3, 2, 2), "max"):
        return None
    return Fused(input_shape, maps, classes, dtype)


@lru_cache(maxsize=16)
def _shared_out(clips, first, end, count):
    """How parts of a batch are shared out among ``count`` threads.

    Returns:
        ``work, places, merges``: the Work; in which rows the sums of all shares are, in order, and how many sums of the
        stretch each completes.
    """
    dealt = tree.shares(first, end, count)
    merges = [tree.merges(tree.single(*share)) for share in dealt]
    starts = tree.bounds(clips)[first : end + 1]
    shares = np.array([first, *(last for _, last in dealt)])
    most = max(map(_rows, merges), default=0)
    rows = np.arange(len(dealt) * most).reshape(len(dealt), most)
    work = Work(clips, rows, starts - starts[0], shares - first, np.concatenate([*merges, NONE.merges]))
    sums = [tree.subtrees(*share) for share in dealt]
    places = np.concatenate([own[: len(found)] for own, found in zip(rows, sums, strict=True)] or [shares[:0]])
    return work, places, tree.merges([each for found in sums for each in found])


def _rows(merges):
    """How many rows a share needs for its sums and for the parts behind them."""
    sums, most = 0, 0
    for start in range(0, len(merges), TOGETHER):
        together = merges[start : start + TOGETHER]
        most = max(most, sums + len(together))
        sums += len(together) - int(together.sum())
    return most


# --- What runs side by side.


@parallel
def _run_tasks(run_task, tasks, plan, buffers, batch, work):
    """Do tasks (m, 3), one after the other; the pieces of one run side by side."""
    for job, clip, count in tasks:
        for piece in prange(count):
            run_task(job, clip, np.int64(piece), plan, buffers, batch, work, np.int64(get_thread_id()))


@cache
def _task_runner(dtype):
    """:func:`_run_task`, compiled for a dtype."""
    real, whole, flag = from_dtype(dtype), types.int64, types.boolean
    places, row, rows = whole[:, ::1], real[::1], real[:, ::1]
    plan = types.NamedTuple((whole, whole, places, places, places), Plan)
    buffers = types.NamedTuple((row, rows, rows, rows), Buffers)
    x = types.Array(real, 5, "C", readonly=True)
    work = types.NamedTuple((whole, places, *[whole[::1]] * 3), Work)
    batch = types.NamedTuple((x, whole[::1], row, rows, flag[::1]), Batch)
    return by_address(types.void(whole, whole, whole, plan, buffers, batch, work, whole))(_run_task)


def _run_task(job, n, piece, plan, buffers, batch, work, thread):
    """Do a piece of a job with the memory of a thread."""
    net = parameters_in(buffers.parameters, plan.parameters)
    scratch = scratch_in(buffers.scratch[thread], plan.scratch)
    # The pieces of a clip share the first thread's maps.
    kept = kept_in(buffers.kept[thread if job in (Job.TRAIN, Job.FORWARD) else 0], plan.kept)
    # What is called with constants would be compiled for these once more.
    training, part, slot = work.clips > 0, 0, np.int64(0)
    if job == Job.TRAIN:
        _train_share(piece, work, plan, net, buffers.gradients, kept, scratch, batch)
    elif job == Job.FORWARD:
        batch.finite[piece] = forward_clip(
            batch.x[piece], slot, training, plan, net, kept, scratch, batch.logits[piece]
        )
    else:
        if training:
            while work.starts[part + 1] <= n:
                part += 1
            slot = n - work.starts[part]
        if job <= Job.LAYER_7:
            _run_forward(job, n, piece, slot, training, plan, net, kept, scratch, batch)
        else:
            own = parameters_in(buffers.gradients[work.rows[part, 0]], plan.parameters)
            _run_backward(job, n, piece, slot, plan, net, own, kept, scratch, batch, work)


# Many arguments: it is pasted.
@pasted
def _run_forward(job, n, piece, slot, training, plan, net, kept, scratch, batch):
    """A piece of the forward pass of a clip."""
    frames, maps = batch.x.shape[1], net.w3.shape[0]
    f, first = piece % maps, piece // maps * 2
    if job == Job.GATHER:
        gather(batch.x[n], piece // frames, piece % frames, kept.x)
    elif job == Job.LAYER_1:
        forward_1(first, f, training, plan.width1, net, kept, scratch)
    elif job == Job.LAYER_3:
        for d in range(first, min(first + 2, kept.scale3.shape[1])):
            forward_3(d, f, net, kept)
    elif job == Job.LAYER_5:
        forward_5(first, f, slot, plan.width5, net, kept, scratch)
    else:
        batch.logits[n, piece] = logit(piece, kept.n5[slot].reshape(-1), net)
        if piece == 0:
            batch.finite[n] = are_finite(kept.scale1)


# Many arguments: it is pasted.
@pasted
def _run_backward(job, n, piece, slot, plan, net, own, kept, scratch, batch, work):
    """A piece of the backward pass of a clip, whose part has the gradients ``own``."""
    maps = net.w3.shape[0]
    if job == Job.LOSS:
        batch.losses[n] = cross_entropy(batch.logits[n], batch.labels[n], work.clips, kept.dlogits[slot])
    elif job == Job.LAYER_5_BACKWARD:
        f, first = piece % maps, piece // maps * 2
        backward_5(first, f, slot, plan.width5, net, own, kept, scratch, kept.g5[f, first : first + 2])
    elif job == Job.LAYER_5_SUMS:
        sums_backward_5(piece, slot, net, own, kept)
    elif job == Job.LAYER_1_BACKWARD:
        backward_3_and_1(piece, slot, plan.width1, net, own, kept, scratch)
    else:
        dense_weights_backward(piece * PART, slot + 1, kept.n5, kept.dlogits, own)


@pasted
def _train_share(share, work, plan, net, gradients, kept, scratch, batch):
    """Forward and backward for the parts of a share; its sums of gradients are left in its first rows."""
    rows, sums, end = work.rows[share], 0, work.shares[share + 1]
    for first in range(work.shares[share], end, TOGETHER):
        parts = min(TOGETHER, end - first)
        for part in range(first, first + parts):
            own = parameters_in(gradients[rows[sums + part - first]], plan.parameters)
            _train_part(part, work, plan, net, own, kept, scratch, batch)
        sums = add_up_alone(gradients, rows, sums, work.merges[first : first + parts])


@pasted
def _train_part(part, work, plan, net, own, kept, scratch, batch):
    """Forward and backward for the clips of a part, whose gradients are written to ``own``."""
    first, end, training = work.starts[part], work.starts[part + 1], work.clips > 0
    for n in range(first, end):
        slot = n - first
        batch.finite[n] = forward_clip(batch.x[n], slot, training, plan, net, kept, scratch, batch.logits[n])
        batch.losses[n] = cross_entropy(batch.logits[n], batch.labels[n], work.clips, kept.dlogits[slot])
        backward_clip(slot, plan, net, own, kept, scratch)
    for start in range(0, kept.n5[0].size, PART):
        dense_weights_backward(start, end - first, kept.n5, kept.dlogits, own)
