"""Each part of the fused training pass by itself, on one thread: time, operations, bytes, and the machine's limit.

Called by ``bench/speed.py``.  A part's limit is what its arithmetic would take at the rate of this machine's matrix
product, or its numbers at the rate at which the cache is read, whichever is longer.
"""

import numpy as np
from numba import njit
from timing import Step, median_seconds
from work import parts

from kernels.cpu import fused_clip as clip
from kernels.cpu import fused_layout as layout
from kernels.cpu.fused_loops import PART
from kernels.cpu.fused_windows import inputs_backward, weights_backward


@njit
def _first(plan, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.n1.shape[1], 2):
            clip.forward_1(d, f, True, plan.width1, net, kept, scratch)


@njit
def _pool(plan, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(kept.scale3.shape[1]):
            clip.forward_3(d, f, net, kept)


@njit
def _second(plan, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.a5.shape[1], 2):
            clip.forward_5(d, f, 0, plan.width5, net, kept, scratch)


@njit
def _last(plan, net, own, kept, scratch, logits):
    for k in range(logits.size):
        logits[k] = clip.logit(k, kept.n5[0].reshape(-1), net)


@njit
def _last_backward(plan, net, own, kept, scratch, logits):
    for start in range(0, kept.n5[0].size, PART):
        clip.dense_weights_backward(start, layout.GROUP, kept.n5, kept.dlogits, own)


@njit
def _second_backward(plan, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.a5.shape[1], 2):
            clip.backward_5(d, f, 0, plan.width5, net, own, kept, scratch, scratch.g)
            for c in range(kept.n3.shape[0]):
                weights_backward(kept.n3[c, d : d + 4], scratch.g, own.w5[f, c])
                inputs_backward(scratch.g, net.w5[f, c], kept.dn3[c, d : d + 4])


@njit
def _pool_backward(plan, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(kept.scale3.shape[1]):
            clip.backward_3(d, f, net, own, kept, scratch.dn1)


@njit
def _first_backward(plan, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.n1.shape[1], 2):
            clip.backward_1(d, f, 1, plan.width1, net, own, kept, scratch)


PARTS = (
    _first, _pool, _second, _last, _last_backward, _second_backward, _pool_backward, _first_backward,
)  # fmt: skip
"""In the order of ``work.parts``."""


def _repeated(part):
    @njit(nogil=True)
    def run(times, plan, buffers, logits):
        net = layout.parameters_in(buffers.parameters, plan.parameters)
        own = layout.parameters_in(buffers.gradients[0], plan.parameters)
        kept = layout.kept_in(buffers.kept[0], plan.kept)
        scratch = layout.scratch_in(buffers.scratch[0], plan.scratch)
        for _ in range(times):
            part(plan, net, own, kept, scratch, logits)

    return run


def measure(limits, repeats):
    """Rows of the table: a dict of part name to seconds a clip, operations, bytes, and times the limit.

    Args:
        limits: of one thread, as :func:`limits.measure` gives them.
        repeats: of which the median is taken.
    """
    step = Step(2)
    step.train()
    plan, buffers = step.net._fused.plan, step.net._fused.buffers
    logits = np.zeros(step.net.num_classes, np.float32)
    rows, times = {}, 10
    for part, (name, work) in zip(PARTS, parts(step.net).items(), strict=True):
        run = _repeated(part)
        clips = layout.GROUP if part is _last_backward else 1
        seconds = median_seconds(lambda run=run: run(times, plan, buffers, logits), repeats) / times / clips
        moved = 4 * work.numbers
        limit = max(work.operations / limits["sgemm"], moved / limits["cache_read"]) / 1e9
        rows[name] = {
            "seconds": seconds,
            "operations": work.operations,
            "bytes": moved,
            "gflops": work.operations / seconds / 1e9,
            "gbytes": moved / seconds / 1e9,
            "times_limit": seconds / limit,
        }
    return rows
