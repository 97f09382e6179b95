"""What the fused kernels share: a strip, its window sums, and moments that its threads find together.

A strip is one warp, the only one of its block, so that its barriers cost next to nothing.  It goes down a plane row by
row, each thread with two columns: ``q`` and ``q + STRIP``.  Neighbours' numbers of a row lie in shared memory, what is
needed of the rows above in registers.  Where a kernel needs no neighbours, a strip goes along the frames of a run of
STRIP cells instead.

These kernels are made for the sizes of one network (``launch.ShapedKernel``) and see every array as one row, so that
most addresses are one register and a number that the compiler knows.
"""

from typing import Any

import numpy as np

from ..arrays import FloatArray
from .device_functions import least, most
from .launch import STRIP, inline
from .target import SIMULATED, cuda

WIDTH = 2 * STRIP
"""Columns of a strip."""

PITCH = WIDTH + 3
"""From a row in shared memory to the next: the last window begins with the last column."""

FRAMES = 4 if SIMULATED else 8
"""Frames whose sums a strip keeps before its threads add them up."""

SUMS, MOMENTS, KEPT = 2 * PITCH, 3 * STRIP, FRAMES * (STRIP + 1)
"""Numbers in shared memory: two rows, moments of every thread, one quantity of every cell in FRAMES frames."""

Pair = tuple[float, float]
"""Numbers of a thread's two columns."""

Moments = tuple[float, float, float]
"""The count of some numbers, their mean, and the sum of squares about it."""


def _cell(place: int) -> int:
    if place < 0:
        raise IndexError(f"cell {place}: an array begins with cell 0")
    return place


at: Any = _cell if SIMULATED else np.uint64
"""An index that is not negative: of others, the compiler asks each time whether they count from the end."""

short: Any = int if SIMULATED else np.int32
"""A whole number of 32 bits.  The simulator takes a third of the time with whole numbers of Python."""


@inline
def within(place: int, size: int) -> int:
    """``place``, or the nearest of ``0 ... size - 1``; 32 bits are enough for it, and twice as fast."""
    return most(short(0), least(short(place), short(size - 1)))


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
def sum_ahead(rows: FloatArray, start: int, own: Pair) -> Pair:
    """``own[0]``, which lies at ``start``, and its three neighbours behind it; the same of ``own[1]``, STRIP on."""
    end = start + STRIP
    left = (own[0] + rows[at(start + 1)]) + (rows[at(start + 2)] + rows[at(start + 3)])
    return left, (own[1] + rows[at(end + 1)]) + (rows[at(end + 2)] + rows[at(end + 3)])


@inline
def sum_behind(rows: FloatArray, start: int, own: Pair) -> Pair:
    """``own[0]``, which lies at ``start + 3``, and its three neighbours from ``start`` on; the same STRIP further."""
    end = start + STRIP
    left = (rows[at(start)] + rows[at(start + 1)]) + (rows[at(start + 2)] + own[0])
    return left, (rows[at(end)] + rows[at(end + 1)]) + (rows[at(end + 2)] + own[1])


@inline
def sum_down(a: Pair, b: Pair, c: Pair, d: Pair) -> Pair:
    """The sums of four rows, of two columns."""
    return (a[0] + b[0]) + (c[0] + d[0]), (a[1] + b[1]) + (c[1] + d[1])


# --- Moments, each as (count, mean, sum of squares about the mean).


@inline
def with_value(total: float, squares: float, value: float) -> Pair:
    """The sums of some numbers and of their squares, with one ``value`` more."""
    return total + value, squares + value * value


@inline
def about_mean(count: float, first: float, total: float, squares: float) -> Moments:
    """Moments of ``count`` numbers, given the sums of their differences to the first of them, and of the squares.

    Counted from one of the numbers themselves, no more digits are lost than the count has.
    """
    zero = count - count
    if not count > zero:
        return zero, zero, zero
    mean = total / count
    return count, first + mean, squares - mean * total


@inline
def combined(a: Moments, b: Moments) -> Moments:
    """Moments of two parts together (Chan, Golub and LeVeque); either may be of no numbers."""
    (count, mean, squares), (more, their_mean, their_squares) = a, b
    if not more > count - count:
        return a
    share, step = more / (count + more), their_mean - mean
    return count + more, mean + step * share, squares + their_squares + step * step * count * share


@inline
def moments_of_strip(shared: FloatArray, mine: Moments) -> Moments:
    """Moments of what all threads have, in a fixed order, right in thread 0; ``shared`` holds 3 STRIP numbers."""
    q, half = cuda.threadIdx.x, STRIP // 2
    while half > 0:
        shared[at(q)], shared[at(q + STRIP)], shared[at(q + 2 * STRIP)] = mine
        cuda.syncthreads()
        if q < half:
            p = q + half
            mine = combined(mine, (shared[at(p)], shared[at(p + STRIP)], shared[at(p + 2 * STRIP)]))
        cuda.syncthreads()
        half //= 2
    return mine


@inline
def moments_of_columns(
    count: float, inside: tuple[bool, bool], firsts: Pair, totals: tuple[float, float, float, float]
) -> Moments:
    """Moments of ``count`` numbers in each of two columns, as far as these are ``inside``.

    ``firsts`` are the columns' first numbers; ``totals`` of each column the sum of the differences to that, and of
    their squares.
    """
    zero = count - count
    left = about_mean(count if inside[0] else zero, firsts[0], totals[0], totals[1])
    return combined(left, about_mean(count if inside[1] else zero, firsts[1], totals[2], totals[3]))


@inline
def put_piece(moments: FloatArray, piece: int, found: Moments) -> None:
    """Write the moments of a piece."""
    moments[at(3 * piece)], moments[at(3 * piece + 1)], moments[at(3 * piece + 2)] = found
