"""The pooling of the fused passes, max over rows and columns of a plane, then over frames, and the way back.

``max_pool.py`` has the same for networks that the fused passes do not cover.
"""

from ..arrays import FloatArray, Real
from ..reference.leaky_relu import ALPHA
from .fused_loops import fill_rest
from .jit import borrowing, loop


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
