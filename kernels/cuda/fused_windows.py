"""The fifth layer of the usual network on the device: windows of 3 x 4 x 4 over maps that are normalised on the way in.

Forward and the way back through the windows are strips that go down a plane; the weights' and the input's gradients,
which have no neighbours, are strips that go along the frames of some cells.
"""

from collections.abc import Callable

from ..arrays import FloatArray
from .device_functions import least
from .fused_normalization import SCALE, SHIFT, SLOPE, before_activation, put_sums
from .launch import MANY, STRIP, shaped_kernel
from .strips import (
    FRAMES,
    PITCH,
    WIDTH,
    about_mean,
    activated,
    at,
    moments_of_strip,
    normalized,
    put,
    sum_ahead,
    sum_down,
    together,
    with_value,
)
from .target import SIMULATED, cuda



def rows_down(samples: int) -> int:
    """Rows of outputs that a strip computes in forward: with few clips, more strips are shorter."""
    return 4 if SIMULATED else 23 if samples >= MANY else 9



COLUMNS_OUT = WIDTH - 3
"""Columns of outputs of a strip: the last three see only parts of their windows."""

ROWS_OWNED = 3 if SIMULATED else 16
"""Rows of ``G`` that a strip makes in backward."""

MAPS = 4
"""Maps whose weights' gradients a strip adds up at a time."""

SUMS, MOMENTS = 2 * PITCH, 3 * STRIP
KEPT, OF_WEIGHTS = 2 * FRAMES * (STRIP + 1), 3 * MAPS * STRIP
"""Numbers in shared memory."""


@shaped_kernel("y", "moments")
def windows_forward(
    channels: int, depth: int, height: int, width: int, maps: int, rows_down: int
) -> Callable[..., None]:
    """Leaky ReLU of the weighted sum of normalised planes, and the moments of its pieces.

    Takes ``x (n, c, d, h, w)``, not normalised, the ``mean`` and ``scale (n, c, d)`` of its planes,
    ``weights (c, f, 3, h, w)``, ``bias (f, d', h', w')`` and alpha; writes ``y (n, f, d', h', w')`` and
    ``moments (n f d', pieces, 3)``.
    """
    frames, rows, columns, area = depth - 2, height - 3, width - 3, height * width
    across, down = -(-columns // COLUMNS_OUT), -(-rows // rows_down)

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
        sums = cuda.shared.array(SUMS, dtype=y.dtype)
        shared = cuda.shared.array(MOMENTS, dtype=y.dtype)
        one, q = y.dtype.type, cuda.threadIdx.x
        zero = one(0)
        for task in range(cuda.blockIdx.x, moments.size // 3, cuda.gridDim.x):
            left, top = task % across * COLUMNS_OUT, task // across % down * rows_down
            plane = task // (across * down)
            d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
            outputs = least(COLUMNS_OUT, columns - left)
            inside0, inside1 = q < outputs, q + STRIP < outputs
            w0, w1 = least(left + q, width - 1), least(left + q + STRIP, width - 1)
            # moments of this thread's columns, counted from their first numbers
            first0, total0, squares0 = zero, zero, zero
            first1, total1, squares1 = zero, zero, zero
            above1, above2, above3 = (zero, zero), (zero, zero), (zero, zero)
            for h in range(top, least(top + rows_down, rows) + 3):
                # P = sum_{c,i} x[n,c,d+i] W[c,f,i], in the last of the four rows of a window
                p0, p1 = zero, zero
                for c in range(channels):
                    for i in range(3):
                        frame = (n * channels + c) * depth + d + i
                        average, factor = mean[at(frame)], scale[at(frame)]
                        cell, weight = frame * area + h * width, ((c * maps + f) * 3 + i) * area + h * width
                        p0 += normalized(x[at(cell + w0)], average, factor) * weights[at(weight + w0)]
                        p1 += normalized(x[at(cell + w1)], average, factor) * weights[at(weight + w1)]
                if h >= top + 3:
                    row = h % 2 * PITCH + q
                    put(sums, row, sum_down(above3, above2, above1, (p0, p1)))
                    cuda.syncthreads()
                    z0, z1 = sum_ahead(sums, row)
                    cell, to = ((f * frames + d) * rows + h - 3) * columns, (plane * rows + h - 3) * columns
                    if inside0:
                        z0 = activated(z0 + bias[at(cell + left + q)], alpha)
                        y[at(to + left + q)] = z0
                        first0 = z0 if h == top + 3 else first0
                        total0, squares0 = with_value(total0, squares0, z0 - first0)
                    if inside1:
                        z1 = activated(z1 + bias[at(cell + left + q + STRIP)], alpha)
                        y[at(to + left + q + STRIP)] = z1
                        first1 = z1 if h == top + 3 else first1
                        total1, squares1 = with_value(total1, squares1, z1 - first1)
                above3, above2, above1 = above2, above1, (p0, p1)
            count = one(least(rows_down, rows - top))
            left_moments = about_mean(count if inside0 else zero, first0, total0, squares0)
            right_moments = about_mean(count if inside1 else zero, first1, total1, squares1)
            found = moments_of_strip(shared, together(left_moments, right_moments))
            if q == 0:
                moments[at(3 * task)], moments[at(3 * task + 1)], moments[at(3 * task + 2)] = found

    return windows_forward


@shaped_kernel("g")
def windows_spread(depth: int, height: int, width: int, maps: int, classes: int) -> Callable[..., None]:
    """FC_OUT, NORM_6 and leaky ReLU, backward; and ``G[n,f,d',h,w]``, the sum over the windows that cover ``(h, w)``.

    Takes ``dlogits (n, k)``, FC_OUT's ``weights (f, k, d', h', w')``, ``y`` of :func:`windows_forward`, NORM_6's
    ``affine`` coefficients and alpha; writes ``g``.  ``depth`` is that of the layer's input, ``d' = depth - 2``.
    """
    frames, rows, columns, area = depth - 2, height - 3, width - 3, height * width
    across, down = -(-width // COLUMNS_OUT), -(-height // ROWS_OWNED)
    step = frames * rows * columns

    def windows_spread(
        dlogits: FloatArray, weights: FloatArray, y: FloatArray, affine: FloatArray, alpha: float, g: FloatArray
    ) -> None:
        gradients = cuda.shared.array(SUMS, dtype=y.dtype)
        zero, q = y.dtype.type(0), cuda.threadIdx.x
        for task in range(cuda.blockIdx.x, g.size // area * down * across, cuda.gridDim.x):
            left, top = task % across * COLUMNS_OUT, task // across % down * ROWS_OWNED
            plane = task // (across * down)
            d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
            # column q of the strip is column left - 3 + q of the map
            w0, w1 = left - 3 + q, left - 3 + q + STRIP
            of_plane = affine[at(3 * plane + SCALE)], affine[at(3 * plane + SLOPE)], affine[at(3 * plane + SHIFT)]
            above1, above2, above3 = (zero, zero), (zero, zero), (zero, zero)
            for h in range(top - 3, least(top + ROWS_OWNED, height)):
                dz0, dz1 = zero, zero
                if h >= 0 and h < rows:
                    in_weights, in_y = ((f * classes * frames + d) * rows + h) * columns, (plane * rows + h) * columns
                    if w0 >= 0 and w0 < columns:
                        for k in range(classes):
                            dz0 += dlogits[at(n * classes + k)] * weights[at(in_weights + k * step + w0)]
                        dz0 = before_activation(dz0, y[at(in_y + w0)], of_plane, alpha)
                    if w1 >= 0 and w1 < columns:
                        for k in range(classes):
                            dz1 += dlogits[at(n * classes + k)] * weights[at(in_weights + k * step + w1)]
                        dz1 = before_activation(dz1, y[at(in_y + w1)], of_plane, alpha)
                row = (h + 3) % 2 * PITCH + q
                put(gradients, row + 3, (dz0, dz1))
                cuda.syncthreads()
                spread = sum_ahead(gradients, row)
                if h >= top:
                    g0, g1 = sum_down(spread, above1, above2, above3)
                    cell = plane * area + h * width
                    if q >= 3 and w0 < width:
                        g[at(cell + w0)] = g0
                    if w1 < width:
                        g[at(cell + w1)] = g1
                above3, above2, above1 = above2, above1, spread
            cuda.syncthreads()

    return windows_spread


@shaped_kernel("dx", "dweights", "sums")
def windows_backward(channels: int, depth: int, cells: int, maps: int, slabs: int) -> Callable[..., None]:
    """Gradients of the normalised ``x`` and of the weights; each plane is a row of ``cells = h w``.

    Takes ``g (n, f, d', cells)`` of :func:`windows_spread`, and ``x``, ``mean``, ``scale`` and ``weights`` as
    :func:`windows_forward` did; writes ``dx (n, c, d, cells)``, ``dweights (slab, c, f, 3, cells)`` and
    ``sums (n, c, d, pieces, 2)`` of ``dx`` and of ``dx`` times the normalised ``x``.
    """
    frames, pieces = depth - 2, -(-cells // STRIP)
    tasks = slabs * channels * pieces

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
        kept = cuda.shared.array(KEPT, dtype=dx.dtype)
        of_weights = cuda.shared.array(OF_WEIGHTS, dtype=dx.dtype)
        zero, q = dx.dtype.type(0), cuda.threadIdx.x
        samples = x.size // (channels * depth * cells)
        for task in range(cuda.blockIdx.x, tasks, cuda.gridDim.x):
            piece, c, slab = task % pieces, task // pieces % channels, task // (pieces * channels)
            inside = piece * STRIP + q < cells
            cell = least(piece * STRIP + q, cells - 1)
            for f0 in range(0, maps, MAPS):
                for r in range(0, OF_WEIGHTS, STRIP):
                    of_weights[at(r + q)] = zero
                for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                    for d in range(depth):
                        frame = (n * channels + c) * depth + d
                        value = normalized(x[at(frame * cells + cell)], mean[at(frame)], scale[at(frame)])
                        total = dx[at(frame * cells + cell)] if f0 > 0 and inside else zero
                        # dx[d] = sum_{i,f} W[f,i] G[f,d-i], dW[f,i] = sum_{n,d} x[d] G[f,d-i]
                        for f in range(f0, least(f0 + MAPS, maps)):
                            for i in range(3):
                                if d >= i and d - i < frames:
                                    gradient = g[at(((n * maps + f) * frames + d - i) * cells + cell)]
                                    total += weights[at(((c * maps + f) * 3 + i) * cells + cell)] * gradient
                                    of_weights[at(((f - f0) * 3 + i) * STRIP + q)] += value * gradient
                        if inside:
                            dx[at(frame * cells + cell)] = total
                        if f0 + MAPS >= maps:
                            row = d % FRAMES * (STRIP + 1) + q
                            kept[at(row)] = total if inside else zero
                            kept[at(row + FRAMES * (STRIP + 1))] = total * value if inside else zero
                            if d % FRAMES == FRAMES - 1 or d == depth - 1:
                                put_sums(kept, 2, d, sums, (frame - d % FRAMES) * pieces + piece, pieces)
                if inside:
                    for f in range(f0, least(f0 + MAPS, maps)):
                        for i in range(3):
                            to = (((slab * channels + c) * maps + f) * 3 + i) * cells + cell
                            dweights[at(to)] = of_weights[at(((f - f0) * 3 + i) * STRIP + q)]

    return windows_backward
