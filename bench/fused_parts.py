"""Each part of the fused training pass by itself, on one thread: time, operations, bytes, and the machine's limit.

Called by ``bench/speed.py``.  A part's limit is what its arithmetic would take at the rate of this machine's matrix
product, or its numbers at the rate at which the cache is read, whichever is longer.
"""

import numpy as np
from numba import njit
from timing import Step, median_seconds
from work import parts

from kernels.cpu import fused


@njit
def _first(widths, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.n1.shape[1], 2):
            fused._forward_1(d, f, True, widths[0], net, kept, scratch)


@njit
def _pool(widths, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(kept.scale3.shape[1]):
            fused._forward_3(d, f, net, kept)


@njit
def _second(widths, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.a5.shape[1], 2):
            fused._forward_5(d, f, widths[1], net, kept, kept.n5[0], scratch)


@njit
def _last(widths, net, own, kept, scratch, logits):
    for k in range(logits.size):
        logits[k] = fused._logit(k, kept.n5[0].reshape(-1), net)


@njit
def _last_backward(widths, net, own, kept, scratch, logits):
    fused._dense_weights_backward(fused.GROUP, kept.n5, scratch.dlogits, own)


@njit
def _second_backward(widths, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.a5.shape[1], 2):
            fused._backward_5(d, f, widths[1], net, own, kept, kept.n5[0], scratch.dlogits[0], scratch)


@njit
def _pool_backward(widths, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(kept.scale3.shape[1]):
            fused._backward_3(d, f, net, own, kept, scratch.dn1)


@njit
def _first_backward(widths, net, own, kept, scratch, logits):
    for f in range(kept.n1.shape[0]):
        for d in range(0, kept.n1.shape[1], 2):
            fused._backward_1(d, f, widths[0], net, own, kept, scratch)


PARTS = (
    _first, _pool, _second, _last, _last_backward, _second_backward, _pool_backward, _first_backward,
)  # fmt: skip
"""In the order of ``work.parts``."""


def _repeated(part):
    @njit(nogil=True)
    def run(times, widths, packed, kept_places, scratch_places, parameters, gradients, kept, scratch, logits):
        net, own = fused._arrays(parameters, packed), fused._arrays(gradients, packed)
        maps, work = fused._kept(kept, kept_places), fused._scratch(scratch, scratch_places)
        for _ in range(times):
            part(widths, net, own, maps, work, logits)

    return run


def measure(limits, repeats):
    """Rows of the table: a dict of part name to seconds a clip, operations, bytes, and times the limit.

    Args:
        limits: of one thread, as :func:`limits.measure` gives them.
        repeats: of which the median is taken.
    """
    step = Step(2)
    step.train()
    its = step.net._fused
    arguments = (
        its.widths, its.packed, its.kept_places, its.scratch_places, its.parameters, its.gradients[0], its.kept[0],
        its.scratch[0], np.zeros(step.net.num_classes, np.float32),
    )  # fmt: skip
    rows, times = {}, 10
    for part, (name, work) in zip(PARTS, parts(step.net).items(), strict=True):
        run = _repeated(part)
        clips = fused.GROUP if part is _last_backward else 1
        seconds = median_seconds(lambda run=run: run(times, *arguments), repeats) / times / clips
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
