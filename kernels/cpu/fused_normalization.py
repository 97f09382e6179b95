"""The normalisation of the fused passes, over the outputs of a plane, and the activation's way back with it."""

import numpy as np

from ..arrays import FloatArray, Real
from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .fused_loops import dot, fill_rest, sum_of, sum_of_differences, sums_of_differences
from .jit import borrowing, loop


@borrowing
def outputs(a: FloatArray, width: int, rest: int) -> int:
    """How many values of the plane ``a`` are outputs."""
    return (a.size // width) * (width - rest)


@borrowing
def mean_and_scale(a: FloatArray, width: int, rest: int) -> tuple[Real, Real]:
    """Mean and ``1 / sqrt(var + epsilon)`` of a plane, whose rest is overwritten; 0, 0 if they are not finite.

    Sums are of what the values differ from the mean of the first row: large offsets do no harm, and a constant plane
    has just its value as mean.
    """
    one = a.dtype.type
    first, row = a[0], width - rest
    near = first + sum_of_differences(a[:row], first) / one(row)
    fill_rest(a, width, rest, near)
    total, squares = sums_of_differences(a, near)
    count = one(outputs(a, width, rest))
    variance = (squares - total * (total / count)) / count
    if np.isfinite(variance):
        return near + total / count, one(1 / np.sqrt(max(variance, one(0)) + EPSILON))
    return _mean_and_scale_of_large(a, width, rest)


@borrowing
def _mean_and_scale_of_large(a, width, rest):
    """The same with sums in float64: the squares of values beyond 1e19 are too large for float32."""
    one, row = a.dtype.type, width - rest
    near = 0.0
    for q in range(row):
        near += np.float64(a[q]) / row
    fill_rest(a, width, rest, one(near))
    total, squares = 0.0, 0.0
    for q in range(a.size):
        difference = np.float64(a[q]) - np.float64(one(near))
        total += difference
        squares += difference * difference
    count = np.float64(outputs(a, width, rest))
    variance = (squares - total * (total / count)) / count
    if np.isfinite(variance):
        return one(one(near) + total / count), one(1 / np.sqrt(max(variance, 0.0) + EPSILON))
    return one(0), one(0)


@borrowing
def normalize(a: FloatArray, mean: Real, scale: Real, y: FloatArray) -> None:
    """``y = (a - mean) scale``; a plane without finite moments, ``scale = 0``, becomes 0."""
    if scale == 0:
        y[:] = 0
    else:
        for q in range(y.size):
            y[q] = (a[q] - mean) * scale


@borrowing
def two_means(dy: FloatArray, y: FloatArray, count: int) -> tuple[Real, Real]:
    """``mean(dy)`` and ``mean(dy y)`` over ``count`` values; where arrays have more, ``dy`` or ``y`` is 0."""
    return sum_of(dy) / dy.dtype.type(count), dot(dy, y) / dy.dtype.type(count)


@loop
def normalize_activate_backward(
    dn: FloatArray, a: FloatArray, mean: Real, scale: Real, means: tuple[Real, Real], dz: FloatArray, db: FloatArray
) -> None:
    """``da = scale (dn - mean(dn) - n mean(dn n))``, then leaky ReLU's slope; adds ``dz`` to ``db``.

    ``means`` are ``mean(dn), mean(dn n)``.
    """
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
