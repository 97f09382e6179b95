"""The first layer of the usual network on the device: windows of 3 x 4 x 4, normalisation, the maximum of 2 x 2.

Versions, with the time of backward and forward at batch 100 on an H100:

1. One thread per output, each map written to memory: never timed.
2. A block of 256 threads per tile of 16 x 32 outputs, all steps through shared memory with barriers between: 13.0 and
   7.8 ms.  An access of an array of five axes cost a dozen instructions, every loop began with a division, and 12 % of
   the warps were there.
3. Kept: strips (``strips.py``).  A product is made once per strip, the sums down the rows are in registers.
"""

from collections.abc import Callable

from ..arrays import FloatArray
from .device_functions import least, most
from .fused_normalization import SCALE, SHIFT, SLOPE
from .launch import STRIP, inline, shaped_kernel
from .strips import (
    PITCH,
    WIDTH,
    Pair,
    activated,
    at,
    moments_of_strip,
    put,
    sum_ahead,
    sum_down,
    together,
    with_value,
)
from .target import SIMULATED, cuda

ROWS_DOWN = 4 if SIMULATED else 34
"""Rows of outputs that a strip computes in forward; even."""

COLUMNS_OUT = WIDTH - 4
"""Columns of outputs of a strip in forward: the last three see only parts of their windows; even."""

ROWS_OWNED, COLUMNS_OWNED = 2 if SIMULATED else 10, WIDTH - 8
"""Weights of each of three frames that a strip owns in backward; even."""

SUMS, MOMENTS = 2 * PITCH, 3 * STRIP
OUTPUTS = 2 * WIDTH
OF_BIAS, OF_WEIGHTS = ROWS_OWNED * WIDTH, 3 * ROWS_OWNED * WIDTH
"""Numbers in shared memory."""


@inline
def _products(
    x: FloatArray, weights: FloatArray, first: tuple[int, int], cells: tuple[int, int], sizes: tuple[int, int, int, int]
) -> Pair:
    """``P = sum_{c,i} x[c,i] W[c,i]`` of two cells; ``first`` is where the first frame of each begins.

    ``sizes``: the channels, from a channel to the next in ``x`` and in ``weights``, from a frame to the next in both.
    """
    (in_x, in_weights), (left, right), (channels, step, filters, area) = first, cells, sizes
    p0 = p1 = weights.dtype.type(0)
    for c in range(channels):
        for i in range(3):
            frame, plane = in_x + c * step + i * area, in_weights + c * filters + i * area
            p0 += x[at(frame + left)] * weights[at(plane + left)]
            p1 += x[at(frame + right)] * weights[at(plane + right)]
    return p0, p1


@inline
def _outputs(sums: FloatArray, start: int, bias: FloatArray, cells: Pair, alpha: float) -> Pair:
    """Leaky ReLU of ``z = b + V[q] + ... + V[q+3]`` of two columns."""
    left, right = sum_ahead(sums, start)
    return activated(bias[at(cells[0])] + left, alpha), activated(bias[at(cells[1])] + right, alpha)


@shaped_kernel("pooled", "moments")
def first_forward(channels: int, depth: int, height: int, width: int, maps: int) -> Callable[..., None]:
    """L1WS and the maximum of 2 x 2, not yet normalised, and the moments of what each strip computes.

    Takes ``x (n, c, d, h, w)``, ``weights (c, f, 3, h, w)``, ``bias (f, d', h', w')`` and alpha; writes
    ``pooled (n, f, d', h' / 2, w' / 2)`` and ``moments (n f d', pieces, 3)``.
    """
    frames, rows, columns, area = depth - 2, height - 3, width - 3, height * width
    sizes = channels, depth * area, 3 * maps * area, area
    across, down = -(-columns // COLUMNS_OUT), -(-rows // ROWS_DOWN)
    pooled_rows, pooled_columns = rows // 2, columns // 2

    def first_forward(
        x: FloatArray, weights: FloatArray, bias: FloatArray, alpha: float, pooled: FloatArray, moments: FloatArray
    ) -> None:
        sums = cuda.shared.array(SUMS, dtype=pooled.dtype)
        maxima = cuda.shared.array(WIDTH, dtype=pooled.dtype)
        shared = cuda.shared.array(MOMENTS, dtype=pooled.dtype)
        one, q = pooled.dtype.type, cuda.threadIdx.x
        for task in range(cuda.blockIdx.x, moments.size // 3, cuda.gridDim.x):
            left, top = task % across * COLUMNS_OUT, task // across % down * ROWS_DOWN
            plane = task // (across * down)
            d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
            first = (n * channels * depth + d) * area, f * 3 * area
            w0, w1 = least(left + q, width - 1), least(left + q + STRIP, width - 1)
            in_bias, b0, b1 = (f * frames + d) * rows * columns, least(w0, columns - 1), least(w1, columns - 1)
            # moments of this thread's columns, where these are outputs of this strip
            count, mean0, mean1, squares0, squares1 = one(0), one(0), one(0), one(0), one(0)

            cell = top * width
            above3 = _products(x, weights, first, (cell + w0, cell + w1), sizes)
            above2 = _products(x, weights, first, (cell + width + w0, cell + width + w1), sizes)
            above1 = _products(x, weights, first, (cell + 2 * width + w0, cell + 2 * width + w1), sizes)
            for h in range(top, least(top + ROWS_DOWN, rows), 2):
                cell, below = (h + 3) * width, least(h + 4, height - 1) * width
                upper = _products(x, weights, first, (cell + w0, cell + w1), sizes)
                lower = _products(x, weights, first, (below + w0, below + w1), sizes)
                put(sums, q, sum_down(above3, above2, above1, upper))
                put(sums, PITCH + q, sum_down(above2, above1, upper, lower))
                above3, above2, above1 = above1, upper, lower
                cuda.syncthreads()
                cell, below = in_bias + h * columns, in_bias + least(h + 1, rows - 1) * columns
                upper0, upper1 = _outputs(sums, q, bias, (cell + b0, cell + b1), alpha)
                lower0, lower1 = _outputs(sums, PITCH + q, bias, (below + b0, below + b1), alpha)
                put(maxima, q, (most(upper0, lower0), most(upper1, lower1)))
                count += one(1)
                mean0, squares0 = with_value(one(1) / count, mean0, squares0, upper0)
                mean1, squares1 = with_value(one(1) / count, mean1, squares1, upper1)
                if h + 1 < rows:
                    count += one(1)
                    mean0, squares0 = with_value(one(1) / count, mean0, squares0, lower0)
                    mean1, squares1 = with_value(one(1) / count, mean1, squares1, lower1)
                cuda.syncthreads()
                if q < COLUMNS_OUT // 2 and left // 2 + q < pooled_columns and h // 2 < pooled_rows:
                    largest = most(maxima[at(2 * q)], maxima[at(2 * q + 1)])
                    pooled[at((plane * pooled_rows + h // 2) * pooled_columns + left // 2 + q)] = largest

            outputs = least(COLUMNS_OUT, columns - left)
            count0, count1 = count if q < outputs else one(0), count if q + STRIP < outputs else one(0)
            count0, mean0, squares0 = together(count0, mean0, squares0, count1, mean1, squares1)
            count0, mean0, squares0 = moments_of_strip(shared, count0, mean0, squares0)
            if q == 0:
                moments[3 * task], moments[3 * task + 1], moments[3 * task + 2] = count0, mean0, squares0

    return first_forward


@shaped_kernel("dweights", "dbias")
def first_backward(
    channels: int, depth: int, height: int, width: int, maps: int, slabs: int, groups: int
) -> Callable[..., None]:
    """The maximum of 2 x 2, NORM_2, leaky ReLU and L1WS, backward.

    A strip owns some weights of one channel and map, for its slab of samples and its group of output frames.  The
    windows that cover these weights begin up to three rows and columns before them, so outputs are computed again from
    four before on: whole blocks of 2 x 2.

    Takes what :func:`first_forward` took, ``dpooled``, the gradient of the normalised maxima, and NORM_2's ``affine``
    coefficients; writes ``dweights (slab, group, c, f, 3, h, w)`` and ``dbias (slab, f, d', h', w')``.
    """
    frames, rows, columns, area = depth - 2, height - 3, width - 3, height * width
    sizes = channels, depth * area, 3 * maps * area, area
    across, down = -(-width // COLUMNS_OWNED), -(-height // ROWS_OWNED)
    shape = rows, columns, rows // 2, columns // 2
    tasks = slabs * groups * channels * maps * down * across

    def first_backward(
        x: FloatArray,
        weights: FloatArray,
        bias: FloatArray,
        dpooled: FloatArray,
        affine: FloatArray,
        alpha: float,
        dweights: FloatArray,
        dbias: FloatArray,
    ) -> None:
        sums = cuda.shared.array(SUMS, dtype=bias.dtype)
        outputs = cuda.shared.array(OUTPUTS, dtype=bias.dtype)
        gradients = cuda.shared.array(SUMS, dtype=bias.dtype)
        of_weights = cuda.shared.array(OF_WEIGHTS, dtype=bias.dtype)
        of_bias = cuda.shared.array(OF_BIAS, dtype=bias.dtype)
        zero, q = bias.dtype.type(0), cuda.threadIdx.x
        samples = x.size // (channels * depth * area)
        for task in range(cuda.blockIdx.x, tasks, cuda.gridDim.x):
            left, top = task % across * COLUMNS_OWNED, task // across % down * ROWS_OWNED
            f, c = task // (across * down) % maps, task // (across * down * maps) % channels
            part = task // (across * down * maps * channels)
            group, slab = part % groups, part // groups
            at_columns = left - 4 + q, left - 4 + q + STRIP
            w0, w1 = most(0, least(at_columns[0], width - 1)), most(0, least(at_columns[1], width - 1))
            b0, b1 = least(w0, columns - 1), least(w1, columns - 1)
            for r in range(0, OF_WEIGHTS, WIDTH):
                put(of_weights, r + q, (zero, zero))
            for d in range(group * frames // groups, (group + 1) * frames // groups):
                in_bias = (f * frames + d) * rows * columns
                for r in range(0, OF_BIAS, WIDTH):
                    put(of_bias, r + q, (zero, zero))
                for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                    plane = (n * maps + f) * frames + d
                    of_plane = affine[at(3 * plane + SCALE)], affine[at(3 * plane + SLOPE)], affine[at(3 * plane + SHIFT)]
                    if of_plane[0] > zero:
                        first = (n * channels * depth + d) * area, f * 3 * area
                        mine = first[0] + c * depth * area
                        cell = most(0, top - 4) * width
                        above3 = _products(x, weights, first, (cell + w0, cell + w1), sizes)
                        cell = most(0, top - 3) * width
                        above2 = _products(x, weights, first, (cell + w0, cell + w1), sizes)
                        cell = most(0, top - 2) * width
                        above1 = _products(x, weights, first, (cell + w0, cell + w1), sizes)
                        spread1, spread2, spread3 = (zero, zero), (zero, zero), (zero, zero)
                        for h in range(top - 4, top + ROWS_OWNED, 2):
                            cell = most(0, least(h + 3, height - 1)) * width
                            upper = _products(x, weights, first, (cell + w0, cell + w1), sizes)
                            cell = most(0, least(h + 4, height - 1)) * width
                            lower = _products(x, weights, first, (cell + w0, cell + w1), sizes)
                            put(sums, q, sum_down(above3, above2, above1, upper))
                            put(sums, PITCH + q, sum_down(above2, above1, upper, lower))
                            above3, above2, above1 = above1, upper, lower
                            cuda.syncthreads()
                            cell = in_bias + most(0, least(h, rows - 1)) * columns
                            upper = _outputs(sums, q, bias, (cell + b0, cell + b1), alpha)
                            cell = in_bias + most(0, least(h + 1, rows - 1)) * columns
                            lower = _outputs(sums, PITCH + q, bias, (cell + b0, cell + b1), alpha)
                            put(outputs, q, upper)
                            put(outputs, WIDTH + q, lower)
                            cuda.syncthreads()
                            upper0, lower0 = _gradients(
                                outputs, q, dpooled, plane, of_plane, (h, at_columns[0]), shape, alpha
                            )
                            upper1, lower1 = _gradients(
                                outputs, q + STRIP, dpooled, plane, of_plane, (h, at_columns[1]), shape, alpha
                            )
                            put(gradients, q + 3, (upper0, upper1))
                            put(gradients, PITCH + q + 3, (lower0, lower1))
                            cuda.syncthreads()
                            # G[h,w] = sum_{j,k} dz[h-j,w-k]: along the row here, down the rows in registers
                            upper, lower = sum_ahead(gradients, q), sum_ahead(gradients, PITCH + q)
                            if h >= top:
                                r = (h - top) * WIDTH + q
                                _add(of_bias, r, (upper0, upper1))
                                _add(of_bias, r + WIDTH, (lower0, lower1))
                                # dW[i,h,w] = sum_{n,d'} x[n, d'+i, h, w] G[n,d',h,w]
                                cell = mine + least(h, height - 1) * width
                                below = mine + least(h + 1, height - 1) * width
                                g_upper = sum_down(upper, spread1, spread2, spread3)
                                g_lower = sum_down(lower, upper, spread1, spread2)
                                for i in range(3):
                                    p0, p1 = x[at(cell + i * area + w0)], x[at(cell + i * area + w1)]
                                    _add(of_weights, i * OF_BIAS + r, (p0 * g_upper[0], p1 * g_upper[1]))
                                    p0, p1 = x[at(below + i * area + w0)], x[at(below + i * area + w1)]
                                    _add(of_weights, i * OF_BIAS + r + WIDTH, (p0 * g_lower[0], p1 * g_lower[1]))
                            spread1, spread2, spread3 = lower, upper, spread1
                if c == 0:
                    for r in range(least(ROWS_OWNED, rows - top)):
                        for p in range(q, WIDTH, STRIP):
                            if 4 <= p and p < WIDTH - 4 and left - 4 + p < columns:
                                cell = ((slab * maps + f) * frames + d) * rows + top + r
                                dbias[at(cell * columns + left - 4 + p)] = of_bias[at(r * WIDTH + p)]
            for i in range(3):
                for r in range(least(ROWS_OWNED, height - top)):
                    for p in range(q, WIDTH, STRIP):
                        if 4 <= p and p < WIDTH - 4 and left - 4 + p < width:
                            cell = (((part * channels + c) * maps + f) * 3 + i) * height + top + r
                            dweights[at(cell * width + left - 4 + p)] = of_weights[at(i * OF_BIAS + r * WIDTH + p)]

    return first_backward


@inline
def _add(rows: FloatArray, start: int, values: Pair) -> None:
    """Add to the sums of two columns, the first of them at ``start``."""
    rows[at(start)] += values[0]
    rows[at(start + STRIP)] += values[1]


@inline
def _gradients(
    outputs: FloatArray,
    q: int,
    dpooled: FloatArray,
    plane: int,
    affine: tuple[float, float, float],
    place: tuple[int, int],
    shape: tuple[int, int, int, int],
    alpha: float,
) -> Pair:
    """``dz`` of column ``q`` of two rows of ``outputs``: half a block of 2 x 2, which may lie beyond the map.

    ``place`` is the row and the column in the map; ``shape``: rows and columns of the map, and of the pooled one.
    """
    (h, w), (rows, columns, pooled_rows, pooled_columns) = place, shape
    (scale, slope, shift), zero, odd = affine, alpha - alpha, q % 2
    # the first of the largest takes the gradient
    a, chosen = outputs[at(q - odd)], 0
    for k in range(1, 4):
        other = outputs[at(k // 2 * WIDTH + q - odd + k % 2)]
        if other > a:
            a, chosen = other, k
    dm, i, j = zero, h // 2, w // 2
    if h >= 0 and w >= 0 and i < pooled_rows and j < pooled_columns:
        dm = scale * dpooled[at((plane * pooled_rows + i) * pooled_columns + j)]
    upper, lower = zero, zero
    if w >= 0 and w < columns:
        if h >= 0 and h < rows:
            a = outputs[at(q)]
            upper = shift + slope * a + (dm if chosen == odd else zero)
            upper = upper if a > zero else alpha * upper
        if h + 1 >= 0 and h + 1 < rows:
            a = outputs[at(WIDTH + q)]
            lower = shift + slope * a + (dm if chosen == 2 + odd else zero)
            lower = lower if a > zero else alpha * lower
    return upper, lower
