"""The fifth layer of the usual network on the device: windows of 3 x 4 x 4 over maps that are normalised on the way in.

Forward and the way back through the windows are strips that go down a plane; the weights' and the input's gradients,
which have no neighbours, are strips that go along the frames of some cells.
"""

from ..arrays import FloatArray
from .device_functions import least
from .fused_normalization import before_activation, put_sums
from .launch import STRIP, kernel
from .strips import FRAMES, WIDTH, activated, moments_of_strip, normalized, put, sum_ahead, together, with_value
from .target import SIMULATED, cuda

ROWS_DOWN = 4 if SIMULATED else 24
"""Rows of outputs that a strip computes in forward."""

COLUMNS_OUT = WIDTH - 3
"""Columns of outputs of a strip: the last three see only parts of their windows."""

ROWS_OWNED = 3 if SIMULATED else 16
"""Rows of ``G`` that a strip makes in backward."""

MAPS = 4
"""Maps whose weights' gradients a strip adds up at a time."""


@kernel("y", "moments")
def windows_forward(
    x: FloatArray,
    mean: FloatArray,
    scale: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    alpha: float,
    y: FloatArray,
    moments: FloatArray,
) -> None:
    """``y``: leaky ReLU of the weighted sum of ``x``, normalised by ``mean`` and ``scale``; and moments of its pieces.

    Args:
        x: (n, c, d, h, w), not normalised; ``mean`` and ``scale`` are those of its planes, (n, c, d).
        weights, bias: (c, f, 3, h, w) and (f, d', h', w').
        y: (n, f, d', h', w').
        moments: (n f d', pieces, 3).
    """
    sums = cuda.shared.array((2, WIDTH + 3), dtype=y.dtype)
    shared = cuda.shared.array((3, STRIP), dtype=y.dtype)
    one, q = y.dtype.type, cuda.threadIdx.x
    maps, frames, height, width = bias.shape
    across, down = (width + COLUMNS_OUT - 1) // COLUMNS_OUT, (height + ROWS_DOWN - 1) // ROWS_DOWN
    for task in range(cuda.blockIdx.x, x.shape[0] * maps * frames * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS_OUT, task // across % down * ROWS_DOWN
        plane = task // (across * down)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        outputs = least(COLUMNS_OUT, width - left)
        inside0, inside1 = q < outputs, q + STRIP < outputs
        w0, w1 = least(left + q, x.shape[4] - 1), least(left + q + STRIP, x.shape[4] - 1)
        count = one(0)
        mean0, mean1, squares0, squares1 = one(0), one(0), one(0), one(0)
        above1, above2, above3 = (one(0), one(0)), (one(0), one(0)), (one(0), one(0))
        for h in range(top, least(top + ROWS_DOWN, height) + 3):
            # P = sum_{c,i} x[n,c,d+i] W[c,f,i], in the last of the four rows of a window
            p0, p1 = one(0), one(0)
            for c in range(x.shape[1]):
                for i in range(3):
                    average, factor = mean[n, c, d + i], scale[n, c, d + i]
                    frame, weight = x[n, c, d + i], weights[c, f, i]
                    p0 += normalized(frame[h, w0], average, factor) * weight[h, w0]
                    p1 += normalized(frame[h, w1], average, factor) * weight[h, w1]
            if h >= top + 3:
                row = sums[h % 2]
                put(row, q, ((above3[0] + above2[0]) + (above1[0] + p0), (above3[1] + above2[1]) + (above1[1] + p1)))
                cuda.syncthreads()
                z0, z1 = sum_ahead(row, q)
                count += one(1)
                if inside0:
                    z0 = activated(z0 + bias[f, d, h - 3, left + q], alpha)
                    y[n, f, d, h - 3, left + q] = z0
                    mean0, squares0 = with_value(count, mean0, squares0, z0)
                if inside1:
                    z1 = activated(z1 + bias[f, d, h - 3, left + q + STRIP], alpha)
                    y[n, f, d, h - 3, left + q + STRIP] = z1
                    mean1, squares1 = with_value(count, mean1, squares1, z1)
            above3, above2, above1 = above2, above1, (p0, p1)
        count0, count1 = count if inside0 else one(0), count if inside1 else one(0)
        count0, mean0, squares0 = together(count0, mean0, squares0, count1, mean1, squares1)
        count0, mean0, squares0 = moments_of_strip(shared, count0, mean0, squares0)
        if q == 0:
            piece = task % (across * down)
            moments[plane, piece, 0], moments[plane, piece, 1], moments[plane, piece, 2] = count0, mean0, squares0


@kernel("g", "dbias")
def windows_spread(
    dlogits: FloatArray,
    last_weights: FloatArray,
    y: FloatArray,
    affine: FloatArray,
    alpha: float,
    g: FloatArray,
    dbias: FloatArray,
) -> None:
    """FC_OUT, NORM_6 and leaky ReLU, backward; and ``G[n,f,d',h,w]``, the sum over the windows that cover ``(h, w)``.

    Args:
        dlogits: (n, k).
        last_weights: of FC_OUT, (f, k, d', h', w').
        y, affine: what :func:`windows_forward` wrote, and NORM_6's coefficients of its planes.
        g: (n, f, d', h, w).
        dbias: (slab, f, d', h', w').
    """
    gradients = cuda.shared.array((2, WIDTH + 3), dtype=y.dtype)
    of_bias = cuda.shared.array((ROWS_OWNED, WIDTH), dtype=y.dtype)
    zero, q = y.dtype.type(0), cuda.threadIdx.x
    slabs, maps, frames, height, width = dbias.shape
    samples, rows, columns = y.shape[0], g.shape[3], g.shape[4]
    across, down = (columns + COLUMNS_OUT - 1) // COLUMNS_OUT, (rows + ROWS_OWNED - 1) // ROWS_OWNED
    for task in range(cuda.blockIdx.x, slabs * maps * frames * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS_OUT, task // across % down * ROWS_OWNED
        plane = task // (across * down)
        d, f, slab = plane % frames, plane // frames % maps, plane // (frames * maps)
        # column q of the strip is column left - 3 + q of the map
        w0, w1 = left - 3 + q, left - 3 + q + STRIP
        for r in range(ROWS_OWNED):
            of_bias[r, q], of_bias[r, q + STRIP] = zero, zero
        for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
            above1, above2, above3 = (zero, zero), (zero, zero), (zero, zero)
            for h in range(top - 3, least(top + ROWS_OWNED, rows)):
                dz0, dz1 = zero, zero
                if h >= 0 and h < height:
                    if w0 >= 0 and w0 < width:
                        for k in range(dlogits.shape[1]):
                            dz0 += dlogits[n, k] * last_weights[f, k, d, h, w0]
                        dz0 = before_activation(dz0, y[n, f, d, h, w0], affine[n, f, d], alpha)
                    if w1 >= 0 and w1 < width:
                        for k in range(dlogits.shape[1]):
                            dz1 += dlogits[n, k] * last_weights[f, k, d, h, w1]
                        dz1 = before_activation(dz1, y[n, f, d, h, w1], affine[n, f, d], alpha)
                row = gradients[h % 2]
                put(row, q + 3, (dz0, dz1))
                cuda.syncthreads()
                v0, v1 = sum_ahead(row, q)
                if h >= top:
                    of_bias[h - top, q] += dz0
                    of_bias[h - top, q + STRIP] += dz1
                    if q >= 3 and w0 < columns:
                        g[n, f, d, h, w0] = (v0 + above1[0]) + (above2[0] + above3[0])
                    if w1 < columns:
                        g[n, f, d, h, w1] = (v1 + above1[1]) + (above2[1] + above3[1])
                above3, above2, above1 = above2, above1, (v0, v1)
            cuda.syncthreads()
        for r in range(least(ROWS_OWNED, height - top)):
            for p in range(q, WIDTH, STRIP):
                if p >= 3 and left - 3 + p < width:
                    dbias[slab, f, d, top + r, left - 3 + p] = of_bias[r, p]


@kernel("dx", "dweights", "sums")
def windows_backward(
    g: FloatArray,
    x: FloatArray,
    mean: FloatArray,
    scale: FloatArray,
    weights: FloatArray,
    dx: FloatArray,
    dweights: FloatArray,
    sums: FloatArray,
) -> None:
    """Gradients of the normalised ``x`` and of the weights; planes here are rows of ``cells = h w``.

    Args:
        g: (n, f, d', cells), of :func:`windows_spread`.
        x, mean, scale: (n, c, d, cells), and (n, c, d).
        weights: (c, f, 3, cells).
        dx: (n, c, d, cells).
        dweights: (slab, c, f, 3, cells).
        sums: (n, c, d, pieces, 2) of ``dx`` and of ``dx`` times the normalised ``x``.
    """
    kept = cuda.shared.array((2, FRAMES, STRIP + 1), dtype=dx.dtype)
    of_weights = cuda.shared.array((MAPS, 3, STRIP), dtype=dx.dtype)
    zero, q = dx.dtype.type(0), cuda.threadIdx.x
    slabs, channels, maps, _, cells = dweights.shape
    samples, frames, frames_out = x.shape[0], x.shape[2], g.shape[2]
    pieces = (cells + STRIP - 1) // STRIP
    for task in range(cuda.blockIdx.x, slabs * channels * pieces, cuda.gridDim.x):
        piece, c, slab = task % pieces, task // pieces % channels, task // (pieces * channels)
        inside = piece * STRIP + q < cells
        cell = least(piece * STRIP + q, cells - 1)
        for f0 in range(0, maps, MAPS):
            some = least(MAPS, maps - f0)
            for f in range(some):
                for i in range(3):
                    of_weights[f, i, q] = zero
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                for d in range(frames):
                    value = normalized(x[n, c, d, cell], mean[n, c, d], scale[n, c, d])
                    total = dx[n, c, d, cell] if f0 > 0 and inside else zero
                    # dx[d] = sum_{i,f} W[f,i] G[f,d-i], dW[f,i] = sum_{n,d} x[d] G[f,d-i]
                    for f in range(some):
                        for i in range(3):
                            if d >= i and d - i < frames_out:
                                gradient = g[n, f0 + f, d - i, cell]
                                total += weights[c, f0 + f, i, cell] * gradient
                                of_weights[f, i, q] += value * gradient
                    if inside:
                        dx[n, c, d, cell] = total
                    if f0 + MAPS >= maps:
                        kept[0, d % FRAMES, q] = total if inside else zero
                        kept[1, d % FRAMES, q] = total * value if inside else zero
                        if d % FRAMES == FRAMES - 1 or d == frames - 1:
                            put_sums(kept, d, sums[n, c], piece)
            if inside:
                for f in range(some):
                    for i in range(3):
                        dweights[slab, c, f0 + f, i, cell] = of_weights[f, i, q]
