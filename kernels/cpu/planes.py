"""The loops of the fused passes over planes: windows, normalisation, pooling.

A plane is a row ``q = h * width + w``, and a loop runs over all of it.  Outputs of a window keep the row length of its
input, so that the last three values of each row are no outputs: the row's *rest*, which is overwritten with values that
do no harm.

What a ``loop`` works on comes as arrays of its own, not in a record: the promise that arrays do not overlap, without
which it would not vectorise, holds for arguments that are arrays.  Rows of one array are compared when the loop begins.
"""

import numpy as np

from ..arrays import FloatArray, Real
from ..reference.leaky_relu import ALPHA
from ..reference.standardize import EPSILON
from .jit import borrowing, loop

PART = 1024
"""Values that are worked on at a time where a row is long: the dense layer's features, and all gradients together."""

# --- Windows.


@borrowing
def pair_of_products(x: FloatArray, d: int, w: FloatArray, p: FloatArray) -> None:
    """``p`` (2, q) of frames ``d`` and ``d + 1`` of outputs, of x (c, d, q) and weights w (c, 3, q)."""
    for c in range(x.shape[0]):
        _products(x[c, d : d + 4], w[c], c > 0, p)


@borrowing
def activations(p: FloatArray, width: int, bias: FloatArray, v: FloatArray, a: FloatArray) -> None:
    """``a = leaky ReLU(z)``, ``z[q] = b[q] + sum_{j,k} P[q + j * width + k]``; ``v`` takes the sums over rows."""
    _sum_rows(p, width, v[: a.size + 3])
    _sum_columns_activate(v, bias, a)


@borrowing
def window_sums_backward(dz: FloatArray, width: int, s: FloatArray, g: FloatArray) -> None:
    """``G[q]``: the sum of ``dz`` over the windows that cover ``q``; ``s`` takes the sums over columns.

    ``dz`` has three zeros in front; the rest of its rows is set to zero.
    """
    fill_rest(dz[3:], width, 3, dz.dtype.type(0))
    below = 3 * width + dz.size - 3
    s[: 3 * width] = 0
    _sum_columns(dz, s[3 * width : below])
    s[below : below + 3 * width] = 0
    _sum_rows(s, width, g[:below])


@loop
def _products(x, w, more, p):
    """``P[d,q] = sum_{c,i} x[c,d+i,q] W[c,i,q]``: x (4, q), w (3, q), p (2, q); ``more``: add a further channel."""
    x0, x1, x2, x3 = x[0], x[1], x[2], x[3]
    w0, w1, w2 = w[0], w[1], w[2]
    p0, p1 = p[0], p[1]
    if more:
        for q in range(w0.size):
            p0[q] += x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
            p1[q] += x1[q] * w0[q] + x2[q] * w1[q] + x3[q] * w2[q]
    else:
        for q in range(w0.size):
            p0[q] = x0[q] * w0[q] + x1[q] * w1[q] + x2[q] * w2[q]
            p1[q] = x1[q] * w0[q] + x2[q] * w1[q] + x3[q] * w2[q]


@loop
def weights_backward(x: FloatArray, g: FloatArray, dw: FloatArray) -> None:
    """``dW[c,i,q] += sum_d x[c,d+i,q] G[d,q]`` over a pair of frames: x (4, q), g (2, q), dw (3, q)."""
    x0, x1, x2, x3 = x[0], x[1], x[2], x[3]
    g0, g1 = g[0], g[1]
    dw0, dw1, dw2 = dw[0], dw[1], dw[2]
    for q in range(dw0.size):
        dw0[q] += x0[q] * g0[q] + x1[q] * g1[q]
        dw1[q] += x1[q] * g0[q] + x2[q] * g1[q]
        dw2[q] += x2[q] * g0[q] + x3[q] * g1[q]


@loop
def inputs_backward(g: FloatArray, w: FloatArray, dx: FloatArray) -> None:
    """``dx[c,d+i,q] += W[c,i,q] G[d,q]`` of a pair of frames: g (2, q), w (3, q), dx (4, q)."""
    g0, g1 = g[0], g[1]
    w0, w1, w2 = w[0], w[1], w[2]
    dx0, dx1, dx2, dx3 = dx[0], dx[1], dx[2], dx[3]
    for q in range(dx0.size):
        dx0[q] += w0[q] * g0[q]
        dx1[q] += w1[q] * g0[q] + w0[q] * g1[q]
        dx2[q] += w2[q] * g0[q] + w1[q] * g1[q]
        dx3[q] += w2[q] * g1[q]


@loop
def _sum_rows(p, width, v):
    """``v[q] = sum_j p[q + j * width]``, over the four rows of a window."""
    p1, p2, p3 = p[width:], p[2 * width :], p[3 * width :]
    for q in range(v.size):
        v[q] = (p[q] + p1[q]) + (p2[q] + p3[q])


@loop
def _sum_columns(dz, s):
    """``s[q] = sum_k dz[q + k]``, over the four columns of a window."""
    z1, z2, z3 = dz[1:], dz[2:], dz[3:]
    for q in range(s.size):
        s[q] = (dz[q] + z1[q]) + (z2[q] + z3[q])


@loop
def _sum_columns_activate(v, bias, a):
    """``a = leaky ReLU(z)``, ``z[q] = b[q] + sum_k v[q + k]``."""
    v1, v2, v3 = v[1:], v[2:], v[3:]
    alpha = a.dtype.type(ALPHA)
    for q in range(a.size):
        z = bias[q] + ((v[q] + v1[q]) + (v2[q] + v3[q]))
        a[q] = z if z > 0 else alpha * z


# --- The normalisation.


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
    near = first + _sum_of_differences(a[:row], first) / one(row)
    fill_rest(a, width, rest, near)
    total, squares = _sums_of_differences(a, near)
    count = one(outputs(a, width, rest))
    variance = (squares - total * (total / count)) / count
    if np.isfinite(variance):
        return near + total / count, one(1 / np.sqrt(max(variance, one(0)) + EPSILON))
    return one(0), one(0)


@borrowing
def fill_rest(a: FloatArray, width: int, rest: int, value: Real) -> None:
    """Set the last ``rest`` values of each row of a plane."""
    if rest:
        for start in range(width - rest, a.size, width):
            for q in range(start, start + rest):
                a[q] = value


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
    return _sum(dy) / dy.dtype.type(count), dot(dy, y) / dy.dtype.type(count)


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


# --- Pooling.


@borrowing
def pool_plane(a: FloatArray, width: int, m: FloatArray) -> None:
    """The largest of each 2 x 2 block."""
    columns = (width - 3) // 2
    for h in range(m.size // columns):
        _pool_row(a[2 * h * width :], a[(2 * h + 1) * width :], m[h * columns : (h + 1) * columns])


@loop
def _pool_row(upper, lower, m):
    """The largest of each 2 x 2 block of two rows."""
    for w in range(m.size):
        u = upper[2 * w] if upper[2 * w] > upper[2 * w + 1] else upper[2 * w + 1]
        v = lower[2 * w] if lower[2 * w] > lower[2 * w + 1] else lower[2 * w + 1]
        m[w] = u if u > v else v


@borrowing
def pool_plane_backward(a: FloatArray, dm: FloatArray, width: int, dn: FloatArray) -> None:
    """``dn`` is ``dm`` where ``a`` is the largest of its block, the first in row-major order, and 0 elsewhere."""
    columns = (width - 3) // 2
    rows = dm.size // columns
    for h in range(rows):
        upper, lower = 2 * h * width, (2 * h + 1) * width
        _pool_row_backward(a[upper:], a[lower:], dm[h * columns : (h + 1) * columns], dn[upper:lower], dn[lower:])
    fill_rest(dn, width, width - 2 * columns, dn.dtype.type(0))
    dn[2 * rows * width :] = 0


@loop
def _pool_row_backward(upper, lower, dm, dn_upper, dn_lower):
    """The same of two rows."""
    zero = dm.dtype.type(0)
    for w in range(dm.size):
        a0, a1, a2, a3 = upper[2 * w], upper[2 * w + 1], lower[2 * w], lower[2 * w + 1]
        u = a0 if a0 >= a1 else a1
        v = a2 if a2 >= a3 else a3
        above, below = (dm[w], zero) if u >= v else (zero, dm[w])
        dn_upper[2 * w] = above if a0 >= a1 else zero
        dn_upper[2 * w + 1] = zero if a0 >= a1 else above
        dn_lower[2 * w] = below if a2 >= a3 else zero
        dn_lower[2 * w + 1] = zero if a2 >= a3 else below


@loop
def pool_frames(x: FloatArray, w: FloatArray, b: Real, y: FloatArray) -> None:
    """``y = leaky ReLU(z)``, ``z = m w + b``, ``m`` the largest of three frames x (3, q)."""
    x0, x1, x2 = x[0], x[1], x[2]
    alpha = y.dtype.type(ALPHA)
    for q in range(y.size):
        u = x0[q] if x0[q] > x1[q] else x1[q]
        z = (u if u > x2[q] else x2[q]) * w[q] + b
        y[q] = z if z > 0 else alpha * z


# Many arguments: a loop over arrays in a record would not vectorise.
@loop
def pool_frames_backward(
    d: int, dy: FloatArray, y: FloatArray, norm: tuple[float, float, float],
    x: FloatArray, w: FloatArray, b: Real, dw: FloatArray, dx: FloatArray,
) -> Real:  # fmt: skip
    """NORM_4, leaky ReLU and the maximum of frames d, d + 1, d + 2; returns ``db``, adds to ``dw`` and to ``dx``.

    Args:
        d: the first of the three frames.
        dy, y: (q), the gradient by the normalised map, and the map.
        norm: ``scale, mean(dy), mean(dy y)``.
        x: (d, q), the pooled maps.
        w, b: (q) and a number, the weights and the shift.
        dw: (q).
        dx: (4, q), frame d as d % 4.
    """
    x0, x1, x2 = x[d], x[d + 1], x[d + 2]
    dx0, dx1, dx2 = dx[d % 4], dx[(d + 1) % 4], dx[(d + 2) % 4]
    scale, mean_dy, mean_dy_y = norm
    zero, alpha = y.dtype.type(0), y.dtype.type(ALPHA)
    db = zero
    for q in range(y.size):
        u = x0[q] if x0[q] >= x1[q] else x1[q]
        m = u if u >= x2[q] else x2[q]
        # y = normalised leaky ReLU(z), z = m w + b
        da = scale * (dy[q] - mean_dy - y[q] * mean_dy_y)
        dz = da if m * w[q] + b > 0 else alpha * da
        db += dz
        dw[q] += dz * m
        # m = the largest of three frames; the first that is so large takes the gradient
        dm = dz * w[q]
        dx0[q] += dm if (x0[q] >= x1[q]) & (x0[q] >= x2[q]) else zero
        dx1[q] += dm if (x0[q] < x1[q]) & (x1[q] >= x2[q]) else zero
        dx2[q] += dm if u < x2[q] else zero
    return db


# --- Plain loops.


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
def _sum(a):
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q]
    return total


@loop
def dot(a: FloatArray, b: FloatArray) -> Real:
    """``sum_q a[q] b[q]``."""
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] * b[q]
    return total


@loop
def _sum_of_differences(a, center):
    """``sum_q (a[q] - center)``."""
    total = a.dtype.type(0)
    for q in range(a.size):
        total += a[q] - center
    return total


@loop
def _sums_of_differences(a, center):
    """``sum_q (a[q] - center)``, and the sum of the squares of the same differences."""
    total, squares = a.dtype.type(0), a.dtype.type(0)
    for q in range(a.size):
        difference = a[q] - center
        total += difference
        squares += difference * difference
    return total, squares
