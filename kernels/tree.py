"""The order in which a batch's gradients are added up: that of a binary tree over its parts.

A floating-point sum depends on its order.  So a batch is cut into parts by the number of its clips alone, and the sums
of the parts are added as in a knock-out tournament, ``((p0 + p1) + (p2 + p3)) + ...``, whoever computed them: a thread,
or a process on another machine.  Who is given the parts ``first`` to ``end - 1``, a *share*, adds up what is complete
within it, the *subtrees*; whoever joins the subtrees of all shares comes to the bits that one alone comes to.

Subtrees are pairs ``(first, end)`` of parts: ``end - first`` is a power of two, and ``first`` a multiple of it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import DTypeLike

from .arrays import FloatArray, IntArray

PART_CLIPS = 2
"""The fewest clips of a part, but for smaller batches: for fewer, its gradients cost more than they save."""

Subtree = tuple[int, int]
Value = TypeVar("Value")


def parts_of(clips: int) -> int:
    """Into how many parts a batch is cut: a power of two, so that the tree is complete."""
    return 1 << max(clips // PART_CLIPS, 1).bit_length() - 1


def bounds(clips: int) -> IntArray:
    """The first clip of each part of a batch, and its number of clips: int64 of shape (parts + 1,)."""
    parts = parts_of(clips)
    return np.arange(parts + 1) * clips // parts


def shares(first: int, end: int, count: int) -> list[Subtree]:
    """The parts ``first`` to ``end - 1``, dealt out in order and evenly among ``count`` at most: ``(first, end)``s."""
    count = min(count, end - first)
    starts = [first + (end - first) * i // count for i in range(count + 1)] if count else []
    return list(pairwise(starts))


def subtrees(first: int, end: int) -> list[Subtree]:
    """The largest subtrees of which the parts ``first`` to ``end - 1`` consist, in order."""
    found = []
    while first < end:
        fits = 1 << (end - first).bit_length() - 1
        size = min(first & -first or fits, fits)
        found.append((first, first + size))
        first += size
    return found


def single(first: int, end: int) -> list[Subtree]:
    """The parts ``first`` to ``end - 1``, each a subtree of its own."""
    return [(part, part + 1) for part in range(first, end)]


def merges(subtrees: Sequence[Subtree]) -> IntArray:
    """How many sums each of consecutive subtrees completes, int64 of shape (m,); see :func:`add_up`."""
    counts = []
    for first, end in subtrees:
        size, count = end - first, 0
        # The right one of two siblings begins at an odd multiple of their size.
        while (end // size) % 2 == 0 and end - 2 * size >= subtrees[0][0]:
            size, count = 2 * size, count + 1
        counts.append(count)
    return np.array(counts, np.int64)


def add_up(values: Iterable[Value], counts: Iterable[int], add: Callable[[Value, Value], Value]) -> list[Value]:
    """The sums of the largest subtrees, of the values of consecutive ones.

    Args:
        values: of subtrees in order; taken one after the other, as they become ready.
        counts: what :func:`merges` says of these subtrees.
        add: the sum of two values; it may be kept in the first.
    """
    sums: list[Value] = []
    for value, count in zip(values, counts, strict=True):
        sums.append(value)
        for _ in range(count):
            right = sums.pop()
            sums.append(add(sums.pop(), right))
    return sums


class Share:
    """A stretch of a batch's parts that is computed here; by itself, the whole batch.

    Where several processes share a batch out, each passes an object of a subclass, which says by its two functions how
    they come by what the others have.

    Args:
        clips: of the whole batch.
        first, end: the parts ``first`` to ``end - 1``, which may be none; default all.

    Attributes:
        own: which clips of the batch are in it, a slice.
    """

    def __init__(self, clips: int, first: int = 0, end: int | None = None) -> None:
        self.clips, self.first = clips, first
        self.end = parts_of(clips) if end is None else end
        starts = bounds(clips)
        self.own = slice(int(starts[self.first]), int(starts[self.end]))

    @property
    def starts(self) -> IntArray:
        """The first clip of each part, counted from the first clip of the share, and the number of clips."""
        return bounds(self.clips)[self.first : self.end + 1] - self.own.start

    def total(self, sums: Sequence[FloatArray], length: int, dtype: DTypeLike) -> FloatArray:
        """The sum of the whole batch, a row of ``length`` numbers.

        Args:
            sums: such rows, one for each of ``subtrees(first, end)``; they are this network's memory, and overwritten
                by its next pass.
            length, dtype: of each.
        """
        return sums[0]

    def all_losses(self, losses: FloatArray) -> FloatArray:
        """The losses of all clips of the batch in order, given those of the clips in :attr:`own`."""
        return losses
