"""Plain loops over the planes of the fused passes.

A plane is a row ``q = h * width + w``, and a loop runs over all of it.  Outputs of a window keep the row length of its
input, so that the last three values of each row are no outputs: the row's *rest*, which is overwritten with values that
do no harm.

What a ``loop`` works on comes as arrays of its own, not in a record: the promise that arrays do not overlap, without
which it would not vectorise, holds for arguments that are arrays.  Rows of one array are compared when the loop begins.
"""

from ..arrays import FloatArray, Real
from .jit import borrowing, loop

PART = 1024
"""Values that are worked on at a time where a row is long: the dense layer's features, and all gradients together."""


@loop
def copy_row(a: FloatArray, b: FloatArray) -> None:
    """``b = a``, as far as ``b`` goes."""
    for q in range(b.size):
        b[q] = a[q]


@loop
def copy_channel(values: FloatArray, channels: int, plane: FloatArray) -> None:
    """Each of ``channels`` values that stand side by side, the first."""
    for q in range(plane.size):
        plane[q] = values[q * channels]


@loop
def add(total: FloatArray, a: FloatArray) -> None:
    """``total += a``."""
    for q in range(total.size):
        total[q] += a[q]


@loop
def add_scaled(total: FloatArray, factor: Real, a: FloatArray) -> None:
    """``total += factor a``."""
    for q in range(total.size):
        total[q] += factor * a[q]


@loop
def scale(factor: Real, a: FloatArray, b: FloatArray) -> None:
    """``b = factor a``."""
    for q in range(b.size):
        b[q] = factor * a[q]


@loop
def sum_of(a: FloatArray) -> Real:
    """``sum_q a[q]``."""
    found = a.dtype.type(0)
    for q in range(a.size):
        found += a[q]
    return found


@loop
def dot(a: FloatArray, b: FloatArray) -> Real:
    """``sum_q a[q] b[q]``."""
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


@loop
def sum_of_differences(a: FloatArray, center: Real) -> Real:
    """``sum_q (a[q] - center)``."""
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] - center
    return total


@loop
def sums_of_differences(a: FloatArray, center: Real) -> tuple[Real, Real]:
    """``sum_q (a[q] - center)``, and the sum of the squares of the same differences."""
    total, squares = a.dtype.type(0), a.dtype.type(0)
    for q in range(a.size):
        difference = a[q] - center
        total += difference
        squares += difference * difference
    return total, squares


@borrowing
def fill_rest(a: FloatArray, width: int, rest: int, value: Real) -> None:
    """Set the last ``rest`` values of each row of a plane."""
    if rest:
        for start in range(width - rest, a.size, width):
            for q in range(start, start + rest):
                a[q] = value
