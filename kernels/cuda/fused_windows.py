"""The fifth layer of the usual network on the device: windows of 3 x 4 x 4 over maps that are normalised on the way in.

Forward and the way back through the windows are strips that go down a plane; the weights' and the input's gradients,
which have no neighbours, are strips that go along the frames of some cells.
"""

from collections.abc import Callable

from ..arrays import FloatArray
from .device_functions import least
from .fused_normalization import before_activation, coefficients, put_sums
from .launch import MANY, STRIP, inline, shaped_kernel
from .strips import (
    FRAMES,
    KEPT,
    MOMENTS,
    PITCH,
    SUMS,
    WIDTH,
    Pair,
    activated,
    at,
    moments_of_columns,
    moments_of_strip,
    normalized,
    put,
    put_piece,
    sum_ahead,
    sum_behind,
    sum_down,
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

SUMS_OF_TWO, KEPT_BACKWARD, OF_WEIGHTS = 2 * SUMS, 2 * KEPT, 3 * MAPS * STRIP
"""Numbers in shared memory."""


# Long: what goes down a plane with a strip stands in registers, which no function can be given to change.
@shaped_kernel("y", "moments")
def windows_forward(
    channels: int, depth: int, height: int, width: int, maps: int, rows_down: int
) -> Callable[..., None]:
    """Leaky ReLU of the weighted sum of normalised planes, and the moments of its pieces.

    A strip makes two frames of outputs, which have their weights and two of four frames of the input in common.

    Takes ``x (n, c, d, h, w)``, not normalised, the ``mean`` and ``scale (n, c, d)`` of its planes,
    ``weights (c, f, 3, h, w)``, ``bias (f, d', h', w')`` and alpha; writes ``y (n, f, d', h', w')`` and
    ``moments (n f d', pieces, 3)``.
    """
    frames, rows, columns, area = depth - 2, height - 3, width - 3, height * width
    across, down, pairs = -(-columns // COLUMNS_OUT), -(-rows // rows_down), -(-frames // 2)

    # Long: as above.
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
        sums = cuda.shared.array(SUMS_OF_TWO, dtype=y.dtype)
        shared = cuda.shared.array(MOMENTS, dtype=y.dtype)
        one, q = y.dtype.type, cuda.threadIdx.x
        zero = one(0)
        for task in range(
            cuda.blockIdx.x, x.size // (channels * depth * area) * maps * pairs * down * across, cuda.gridDim.x
        ):
            left, top = task % across * COLUMNS_OUT, task // across % down * rows_down
            pair = task // (across * down)
            d, f, n = pair % pairs * 2, pair // pairs % maps, pair // (pairs * maps)
            plane, both = (n * maps + f) * frames + d, d + 1 < frames
            outputs = least(COLUMNS_OUT, columns - left)
            inside = q < outputs, q + STRIP < outputs
            w0, w1 = least(left + q, width - 1), least(left + q + STRIP, width - 1)
            in_bias = (f * frames + d) * rows * columns
            # of each frame: sums of this thread's columns for their moments, counted from their first numbers
            firsts, others_firsts = (zero, zero), (zero, zero)
            totals, others_totals = (zero, zero, zero, zero), (zero, zero, zero, zero)
            above1, above2, above3 = (zero, zero), (zero, zero), (zero, zero)
            others1, others2, others3 = (zero, zero), (zero, zero), (zero, zero)
            for h in range(top, least(top + rows_down, rows) + 3):
                # P = sum_{c,i} x[n,c,d+i] W[c,f,i], in the last of the four rows of a window, of frames d and d + 1
                p0, p1, r0, r1 = zero, zero, zero, zero
                for c in range(channels):
                    frame, weight = (n * channels + c) * depth + d, (c * maps + f) * 3 * area + h * width
                    x0, x1 = _normalized(x, mean, scale, frame, (h * width + w0, h * width + w1), area)
                    for i in range(3):
                        following = least(frame + i + 1, (n * channels + c + 1) * depth - 1)
                        y0, y1 = _normalized(x, mean, scale, following, (h * width + w0, h * width + w1), area)
                        v0, v1 = weights[at(weight + i * area + w0)], weights[at(weight + i * area + w1)]
                        p0, p1, r0, r1 = p0 + x0 * v0, p1 + x1 * v1, r0 + y0 * v0, r1 + y1 * v1
                        x0, x1 = y0, y1
                if h >= top + 3:
                    row, h0 = h % 2 * 2 * PITCH + q, (h - 3) * columns + left + q
                    v, others_v = (
                        sum_down(above3, above2, above1, (p0, p1)),
                        sum_down(others3, others2, others1, (r0, r1)),
                    )
                    put(sums, row, v)
                    put(sums, row + PITCH, others_v)
                    cuda.syncthreads()
                    firsts, totals = _put_outputs(
                        sums, row, v, bias, in_bias + h0, y, plane * rows * columns + h0, inside, alpha, firsts, totals,
                        h == top + 3,
                    )  # fmt: skip
                    if both:
                        others_firsts, others_totals = _put_outputs(
                            sums, row + PITCH, others_v, bias, in_bias + rows * columns + h0, y,
                            (plane + 1) * rows * columns + h0, inside, alpha, others_firsts, others_totals,
                            h == top + 3,
                        )  # fmt: skip
                above3, above2, above1 = above2, above1, (p0, p1)
                others3, others2, others1 = others2, others1, (r0, r1)
            count, to = one(least(rows_down, rows - top)), plane * across * down + task % (across * down)
            found = moments_of_strip(shared, moments_of_columns(count, inside, firsts, totals))
            if q == 0:
                put_piece(moments, to, found)
            found = moments_of_strip(shared, moments_of_columns(count, inside, others_firsts, others_totals))
            if q == 0 and both:
                put_piece(moments, to + across * down, found)

    return windows_forward


@inline
def _normalized(
    x: FloatArray, mean: FloatArray, scale: FloatArray, frame: int, cells: tuple[int, int], area: int
) -> Pair:
    """Two cells of a frame, normalised."""
    average, factor = mean[at(frame)], scale[at(frame)]
    left, right = x[at(frame * area + cells[0])], x[at(frame * area + cells[1])]
    return normalized(left, average, factor), normalized(right, average, factor)


# Many arguments: numbers in registers are handed over and returned.
@inline
def _put_outputs(
    sums: FloatArray,
    row: int,
    own: Pair,
    bias: FloatArray,
    in_bias: int,
    y: FloatArray,
    in_y: int,
    inside: tuple[bool, bool],
    alpha: float,
    firsts: Pair,
    totals: tuple[float, float, float, float],
    begins: bool,
) -> tuple[Pair, tuple[float, float, float, float]]:
    """Write the outputs of a row in two columns, as far as ``inside``, and add them to what their moments come from."""
    (z0, z1), (total0, squares0, total1, squares1) = sum_ahead(sums, row, own), totals
    first0, first1 = firsts
    if inside[0]:
        z0 = activated(z0 + bias[at(in_bias)], alpha)
        y[at(in_y)] = z0
        first0 = z0 if begins else first0
        total0, squares0 = with_value(total0, squares0, z0 - first0)
    if inside[1]:
        z1 = activated(z1 + bias[at(in_bias + STRIP)], alpha)
        y[at(in_y + STRIP)] = z1
        first1 = z1 if begins else first1
        total1, squares1 = with_value(total1, squares1, z1 - first1)
    return (first0, first1), (total0, squares0, total1, squares1)


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
            of_plane = coefficients(affine, plane)
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
                spread = sum_behind(gradients, row, (dz0, dz1))
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
        kept = cuda.shared.array(KEPT_BACKWARD, dtype=dx.dtype)
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
                            kept[at(row + KEPT)] = total * value if inside else zero
                            if d % FRAMES == FRAMES - 1 or d == depth - 1:
                                put_sums(kept, 2, d, sums, (frame - d % FRAMES) * pieces + piece, pieces)
                if inside:
                    for f in range(f0, least(f0 + MAPS, maps)):
                        for i in range(3):
                            to = (((slab * channels + c) * maps + f) * 3 + i) * cells + cell
                            dweights[at(to)] = of_weights[at(((f - f0) * 3 + i) * STRIP + q)]

    return windows_backward
