"""What a network answers to a set of clips, a part of them at a time."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from kernels.arrays import AnyArray, FloatArray, IntArray

from .. import datasets
from ..network import EmoP3D
from . import ranks

EVALUATED_TOGETHER = 32
"""Clips of a forward pass, at most: as quick as more, and during a training its batch is in memory too."""


def logits_in_parts(
    net: EmoP3D,
    clips: datasets.ClipSet,
    chosen: IntArray,
    together: int,
    normalized: bool,
    changes: Iterable[Callable[[AnyArray], None]] = (),
) -> Iterator[tuple[FloatArray, IntArray]]:
    """Put clips to a network, a part of them at a time.

    Args:
        net: EmoP3D.
        clips: ClipSet.
        chosen: array of shape (n,): numbers of the clips.
        together: clips per part.
        normalized: whether the clips are standardised, as the setting ``normalize`` says.
        changes: a function per part that changes its clips, as of :meth:`ClipSet.batches`; default none.

    Yields:
        ``logits, labels`` of each part, arrays of shape (b, k) and (b,).
    """
    parts = (chosen[start : start + together] for start in range(0, len(chosen), together))
    for x, labels in clips.batches(parts, net.kernels, net.dtype, normalized, changes):
        yield net.forward(x), labels


def all_logits(net: EmoP3D, clips: datasets.ClipSet, chosen: IntArray, together: int, normalized: bool) -> FloatArray:
    """The logits (n, k) of clips, of which each rank computes some parts; arguments as of :func:`logits_in_parts`."""
    here = ranks.here()
    mine = here.some(-(-len(chosen) // together))
    own = chosen[mine.start * together : mine.stop * together]
    parts = [logits for logits, _ in logits_in_parts(net, clips, own, together, normalized)]
    return np.concatenate(here.everyones(parts))
