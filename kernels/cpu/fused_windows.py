"""The windows of the fused passes: products, their box sums, and the way back.

``fused_loops.py`` says what a plane is.
"""

from ..arrays import FloatArray
from ..reference.leaky_relu import ALPHA
from .fused_loops import fill_rest
from .jit import borrowing, loop


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
