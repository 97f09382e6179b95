"""What the fused kernels share: a strip, its window sums, and moments that its threads find together.

A strip is one warp, the only one of its block, so that its barriers cost next to nothing.  It goes down a plane row by
row, each thread with two columns: ``q`` and ``q + STRIP``.  Neighbours' numbers of a row lie in shared memory, what is
needed of the rows above in registers.  Where a kernel needs no neighbours, a strip goes along the frames of a run of
STRIP cells instead.

These kernels are made for the sizes of one network (``launch.ShapedKernel``) and see every array as one row, so that
most addresses are one register and a number that the compiler knows.
"""

import numpy as np

from ..arrays import FloatArray
from .launch import STRIP, inline
from .target import cuda

WIDTH = 2 * STRIP
"""Columns of a strip."""

PITCH = WIDTH + 3
"""From a row in shared memory to the next: the last window begins with the last column."""

FRAMES = 8
"""Frames whose sums a strip keeps before its threads add them up."""

Pair = tuple[float, float]
"""Numbers of a thread's two columns."""

at = np.uint64
"""An index that is not negative: of others, the compiler asks each time whether they count from the end."""


@inline
def normalized(value: float, mean: float, scale: float) -> float:
    """``(value - mean) scale``, and 0 where the plane has no finite deviation: its ``scale`` is 0."""
    return (value - mean) * scale if scale > scale - scale else scale


@inline
def activated(z: float, alpha: float) -> float:
    """Leaky ReLU."""
    return z if z > z - z else alpha * z


@inline
def put(rows: FloatArray, start: int, values: Pair) -> None:
    """Share the numbers of two columns, the first of them at ``start``."""
    rows[at(start)] = values[0]
    rows[at(start + STRIP)] = values[1]


@inline
def sum_ahead(rows: FloatArray, start: int) -> Pair:
    """The sums of four neighbours from ``start`` on, and of four from ``start + STRIP`` on: the columns of a window."""
    end = start + STRIP
    left = (rows[at(start)] + rows[at(start + 1)]) + (rows[at(start + 2)] + rows[at(start + 3)])
    return left, (rows[at(end)] + rows[at(end + 1)]) + (rows[at(end + 2)] + rows[at(end + 3)])


@inline
def sum_down(a: Pair, b: Pair, c: Pair, d: Pair) -> Pair:
    """The sums of four rows, of two columns."""
    return (a[0] + b[0]) + (c[0] + d[0]), (a[1] + b[1]) + (c[1] + d[1])


# --- Moments, each as (count, mean, sum of squares about the mean).


@inline
def with_value(share: float, mean: float, squares: float, value: float) -> Pair:
    """Mean and squares with one ``value`` more, which is ``share`` of all then (Welford)."""
    step = value - mean
    mean += step * share
    return mean, squares + step * (value - mean)


@inline
def together(
    count: float, mean: float, squares: float, more: float, their_mean: float, their_squares: float
) -> tuple[float, float, float]:
    """Moments of two parts together (Chan, Golub and LeVeque); either may be of no numbers."""
    if more > count - count:
        share = more / (count + more)
        step = their_mean - mean
        squares += their_squares + step * step * count * share
        mean += step * share
    return count + more, mean, squares


@inline
def moments_of_strip(shared: FloatArray, count: float, mean: float, squares: float) -> tuple[float, float, float]:
    """Moments of what all threads have, in a fixed order, right in thread 0; ``shared`` has room for 3 STRIP numbers."""
    q, half = cuda.threadIdx.x, STRIP // 2
    while half > 0:
        shared[at(q)], shared[at(q + STRIP)], shared[at(q + 2 * STRIP)] = count, mean, squares
        cuda.syncthreads()
        if q < half:
            p = q + half
            count, mean, squares = together(
                count, mean, squares, shared[at(p)], shared[at(p + STRIP)], shared[at(p + 2 * STRIP)]
            )
        cuda.syncthreads()
        half //= 2
    return count, mean, squares
