"""What the fused kernels share: a strip, its window sums, and numbers that its threads add up together.

A strip is one warp, the only one of its block, so that its barriers cost next to nothing.  It goes down a plane row by
row, each thread with two columns: ``q`` and ``q + STRIP``.  Neighbours' numbers of a row lie in shared memory, what is
needed of the rows above in registers.  Where a kernel needs no neighbours, a strip goes along the frames of a run of
STRIP cells instead.
"""

from ..arrays import FloatArray
from .launch import STRIP, inline
from .target import cuda

WIDTH = 2 * STRIP
"""Columns of a strip."""

FRAMES = 8
"""Frames whose sums a strip keeps before its threads add them up."""

Pair = tuple[float, float]
"""Numbers of a thread's two columns."""


@inline
def normalized(value: float, mean: float, scale: float) -> float:
    """``(value - mean) scale``, and 0 where the plane has no finite deviation: its ``scale`` is 0."""
    return (value - mean) * scale if scale > scale - scale else scale


@inline
def activated(z: float, alpha: float) -> float:
    """Leaky ReLU."""
    return z if z > z - z else alpha * z


@inline
def put(row: FloatArray, q: int, values: Pair) -> None:
    """Share the numbers of columns ``q`` and ``q + STRIP``."""
    row[q], row[q + STRIP] = values


@inline
def sum_ahead(row: FloatArray, q: int) -> Pair:
    """``row[q] + ... + row[q+3]`` of both columns: the columns of a window."""
    p = q + STRIP
    return (row[q] + row[q + 1]) + (row[q + 2] + row[q + 3]), (row[p] + row[p + 1]) + (row[p + 2] + row[p + 3])


# --- Moments, each as (count, mean, sum of squares about the mean).


@inline
def with_value(count: float, mean: float, squares: float, value: float) -> Pair:
    """Mean and squares of ``count`` numbers, the last of them ``value`` and the others' given (Welford)."""
    step = value - mean
    mean += step / count
    return mean, squares + step * (value - mean)


@inline
def together(
    count: float, mean: float, squares: float, more: float, their_mean: float, their_squares: float
) -> tuple[float, float, float]:
    """Moments of two parts together (Chan, Golub and LeVeque); either may be of no numbers."""
    zero = count - count
    if more > zero:
        share = more / (count + more)
        step = their_mean - mean
        squares += their_squares + step * step * count * share
        mean += step * share
    return count + more, mean, squares


@inline
def moments_of_strip(shared: FloatArray, count: float, mean: float, squares: float) -> tuple[float, float, float]:
    """Moments of what all threads have, in a fixed order, right in thread 0; ``shared``: (3, STRIP)."""
    q, half = cuda.threadIdx.x, STRIP // 2
    while half > 0:
        shared[0, q], shared[1, q], shared[2, q] = count, mean, squares
        cuda.syncthreads()
        if q < half:
            count, mean, squares = together(
                count, mean, squares, shared[0, q + half], shared[1, q + half], shared[2, q + half]
            )
        cuda.syncthreads()
        half //= 2
    return count, mean, squares
