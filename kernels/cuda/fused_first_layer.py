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
from .fused_normalization import coefficients
from .launch import MANY, STRIP, inline, shaped_kernel
from .strips import (
    MOMENTS,
    PITCH,
    SUMS,
    WIDTH,
    Pair,
    activated,
    at,
    moments_of_columns,
    moments_of_strip,
    put,
    put_piece,
    sum_ahead,
    sum_behind,
    sum_down,
    with_value,
    within,
)
from .target import SIMULATED, cuda


def rows_down(samples: int) -> int:
    """Rows of outputs that a strip computes in forward, an even number: with few clips, more strips are shorter."""
    return 4 if SIMULATED else 34 if samples >= MANY else 10


COLUMNS_OUT = WIDTH - 4
"""Columns of outputs of a strip in forward: the last three see only parts of their windows; even."""

ROWS_OWNED, COLUMNS_OWNED = 4 if SIMULATED else 10, WIDTH - 8
"""Weights of each of three frames that a strip owns in backward; even."""

Frames = tuple[float, float, float, float, float, float]
"""Numbers of a thread's two columns in three frames; numba-cuda-mlir keeps no tuple of tuples in a variable."""

OUTPUTS = 2 * WIDTH
OF_BIAS, OF_WEIGHTS = ROWS_OWNED * WIDTH, 3 * ROWS_OWNED * WIDTH
"""Numbers in shared memory."""


@inline
def _of_frames(x: FloatArray, first: int, cells: tuple[int, int], area: int) -> Frames:
    """Two cells of three frames or planes, of which the first begins at ``first``."""
    left, right = first + cells[0], first + cells[1]
    return (
        x[at(left)],
        x[at(right)],
        x[at(left + area)],
        x[at(right + area)],
        x[at(left + 2 * area)],
        x[at(right + 2 * area)],
    )


@inline
def _product(x: Frames, weights: Frames) -> Pair:
    """``P = sum_i x[i] W[i]`` of two cells."""
    left = x[0] * weights[0] + x[2] * weights[2] + x[4] * weights[4]
    return left, x[1] * weights[1] + x[3] * weights[3] + x[5] * weights[5]


@inline
def _products(
    x: FloatArray,
    weights: FloatArray,
    first: tuple[int, int],
    cells: tuple[int, int],
    begin: int,
    sizes: tuple[int, int, int, int],
) -> Pair:
    """``P = sum_{c,i} x[c,i] W[c,i]`` of two cells, from channel ``begin`` on.

    ``first`` is where the first frame of the first channel begins in each array.  ``sizes``: how many channels; from a
    channel to the next in ``x`` and in ``weights``, from a frame to the next in both.
    """
    (in_x, in_weights), (channels, step, filters, area) = first, sizes
    p0: float = weights.dtype.type(0)  # type: ignore[assignment]
    p1 = p0
    for c in range(begin, channels):
        more = _product(
            _of_frames(x, in_x + c * step, cells, area), _of_frames(weights, in_weights + c * filters, cells, area)
        )
        p0, p1 = p0 + more[0], p1 + more[1]
    return p0, p1


@inline
def _ahead(
    x: FloatArray,
    weights: FloatArray,
    first: tuple[int, int],
    rows: tuple[int, int],
    columns: tuple[int, int],
    shape: tuple[int, int],
) -> tuple[Frames, Frames, Frames, Frames]:
    """What :func:`_products_ahead` needs of the first channel, read a turn before: memory is slow."""
    (height, width), (w0, w1) = shape, columns
    area, upper, lower = height * width, within(rows[0], height) * width, within(rows[1], height) * width
    return (
        _of_frames(x, first[0], (upper + w0, upper + w1), area),
        _of_frames(weights, first[1], (upper + w0, upper + w1), area),
        _of_frames(x, first[0], (lower + w0, lower + w1), area),
        _of_frames(weights, first[1], (lower + w0, lower + w1), area),
    )


# Many arguments: numbers in registers are handed over.
@inline
def _products_ahead(
    x_upper: Frames,
    weights_upper: Frames,
    x_lower: Frames,
    weights_lower: Frames,
    x: FloatArray,
    weights: FloatArray,
    first: tuple[int, int],
    rows: tuple[int, int],
    columns: tuple[int, int],
    shape: tuple[int, int],
    sizes: tuple[int, int, int, int],
) -> tuple[Pair, Pair]:
    """:func:`_products` of two rows, their first channel from what :func:`_ahead` read."""
    (height, width), (w0, w1) = shape, columns
    upper, lower = _product(x_upper, weights_upper), _product(x_lower, weights_lower)
    if sizes[0] > 1:
        cell, below = within(rows[0], height) * width, within(rows[1], height) * width
        more = _products(x, weights, first, (cell + w0, cell + w1), 1, sizes)
        upper = upper[0] + more[0], upper[1] + more[1]
        more = _products(x, weights, first, (below + w0, below + w1), 1, sizes)
        lower = lower[0] + more[0], lower[1] + more[1]
    return upper, lower


@inline
def _outputs(sums: FloatArray, start: int, own: Pair, bias: Pair, alpha: float) -> Pair:
    """Leaky ReLU of ``z = b + V[q] + ... + V[q+3]`` of two columns; ``own`` are their ``V``."""
    left, right = sum_ahead(sums, start, own)
    return activated(bias[0] + left, alpha), activated(bias[1] + right, alpha)


# Long: what goes down a plane with a strip stands in registers, which no function can be given to change.
@shaped_kernel("pooled", "moments")
def first_forward(channels: int, depth: int, height: int, width: int, maps: int, rows_down: int) -> Callable[..., None]:
    """L1WS and the maximum of 2 x 2, not yet normalised, and the moments of what each strip computes.

    Takes ``x (n, c, d, h, w)``, ``weights (c, f, 3, h, w)``, ``bias (f, d', h', w')`` and alpha; writes
    ``pooled (n, f, d', h' / 2, w' / 2)`` and ``moments (n f d', pieces, 3)``.
    """
    frames, rows, columns, area = depth - 2, height - 3, width - 3, height * width
    sizes = channels, depth * area, 3 * maps * area, area
    across, down = -(-columns // COLUMNS_OUT), -(-rows // rows_down)
    pooled_rows, pooled_columns = rows // 2, columns // 2

    # Long: as above.
    def first_forward(
        x: FloatArray, weights: FloatArray, bias: FloatArray, alpha: float, pooled: FloatArray, moments: FloatArray
    ) -> None:
        sums = cuda.shared.array(SUMS, dtype=pooled.dtype)
        maxima = cuda.shared.array(WIDTH, dtype=pooled.dtype)
        shared = cuda.shared.array(MOMENTS, dtype=pooled.dtype)
        one, q = pooled.dtype.type, cuda.threadIdx.x
        zero = one(0)
        for task in range(cuda.blockIdx.x, moments.size // 3, cuda.gridDim.x):
            left, top = task % across * COLUMNS_OUT, task // across % down * rows_down
            plane = task // (across * down)
            d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
            first = (n * channels * depth + d) * area, f * 3 * area
            w0, w1 = within(left + q, width), within(left + q + STRIP, width)
            in_bias, b0, b1 = (f * frames + d) * rows * columns, within(w0, columns), within(w1, columns)
            # moments of this thread's columns, counted from their first numbers
            first0, total0, squares0 = zero, zero, zero
            first1, total1, squares1 = zero, zero, zero

            cell = top * width
            above3 = _products(x, weights, first, (cell + w0, cell + w1), 0, sizes)
            above2 = _products(x, weights, first, (cell + width + w0, cell + width + w1), 0, sizes)
            above1 = _products(x, weights, first, (cell + 2 * width + w0, cell + 2 * width + w1), 0, sizes)
            x_upper, w_upper, x_lower, w_lower = _ahead(
                x, weights, first, (top + 3, top + 4), (w0, w1), (height, width)
            )
            for h in range(top, least(top + rows_down, rows), 2):
                upper, lower = _products_ahead(
                    x_upper, w_upper, x_lower, w_lower,
                    x, weights, first, (h + 3, h + 4), (w0, w1), (height, width), sizes,
                )  # fmt: skip
                x_upper, w_upper, x_lower, w_lower = _ahead(
                    x, weights, first, (h + 5, h + 6), (w0, w1), (height, width)
                )
                cell, below = in_bias + h * columns, in_bias + within(h + 1, rows) * columns
                bias_upper = bias[at(cell + b0)], bias[at(cell + b1)]
                bias_lower = bias[at(below + b0)], bias[at(below + b1)]
                v_upper, v_lower = sum_down(above3, above2, above1, upper), sum_down(above2, above1, upper, lower)
                put(sums, q, v_upper)
                put(sums, PITCH + q, v_lower)
                above3, above2, above1 = above1, upper, lower
                cuda.syncthreads()
                upper0, upper1 = _outputs(sums, q, v_upper, bias_upper, alpha)
                lower0, lower1 = _outputs(sums, PITCH + q, v_lower, bias_lower, alpha)
                put(maxima, q, (most(upper0, lower0), most(upper1, lower1)))
                if h == top:
                    first0, first1 = upper0, upper1
                total0, squares0 = with_value(total0, squares0, upper0 - first0)
                total1, squares1 = with_value(total1, squares1, upper1 - first1)
                if h + 1 < rows:
                    total0, squares0 = with_value(total0, squares0, lower0 - first0)
                    total1, squares1 = with_value(total1, squares1, lower1 - first1)
                cuda.syncthreads()
                if q < COLUMNS_OUT // 2 and left // 2 + q < pooled_columns and h // 2 < pooled_rows:
                    largest = most(maxima[at(2 * q)], maxima[at(2 * q + 1)])
                    pooled[at((plane * pooled_rows + h // 2) * pooled_columns + left // 2 + q)] = largest

            outputs = least(COLUMNS_OUT, columns - left)
            count = one(least(rows_down, rows - top))
            inside, totals = (q < outputs, q + STRIP < outputs), (total0, squares0, total1, squares1)
            found = moments_of_strip(shared, moments_of_columns(count, inside, (first0, first1), totals))
            if q == 0:
                put_piece(moments, task, found)

    return first_forward


# Long: as above.
@shaped_kernel("dweights", "dbias", registers=128)
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
    pooled_rows, pooled_columns = rows // 2, columns // 2
    tasks = slabs * groups * channels * maps * down * across

    # Long: as above.
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
            first_column, second_column = left - 4 + q, left - 4 + q + STRIP
            w0, w1 = within(first_column, width), within(second_column, width)
            b0, b1 = within(first_column, columns), within(second_column, columns)
            m0, m1 = within(first_column // 2, pooled_columns), within(second_column // 2, pooled_columns)
            # whether the columns lie in the map, and in a whole block of 2 x 2
            inside0, inside1 = b0 == first_column, b1 == second_column
            block0 = inside0 and first_column // 2 == m0
            block1 = inside1 and second_column // 2 == m1
            for r in range(0, OF_WEIGHTS, WIDTH):
                put(of_weights, r + q, (zero, zero))
            for d in range(group * frames // groups, (group + 1) * frames // groups):
                in_bias = (f * frames + d) * rows * columns
                for r in range(0, OF_BIAS, WIDTH):
                    put(of_bias, r + q, (zero, zero))
                for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                    plane = (n * maps + f) * frames + d
                    of_plane = coefficients(affine, plane)
                    if of_plane[0] > zero:
                        first = (n * channels * depth + d) * area, f * 3 * area
                        mine, in_pooled = first[0] + c * depth * area, plane * pooled_rows * pooled_columns
                        cell = within(top - 4, height) * width
                        above3 = _products(x, weights, first, (cell + w0, cell + w1), 0, sizes)
                        cell = within(top - 3, height) * width
                        above2 = _products(x, weights, first, (cell + w0, cell + w1), 0, sizes)
                        cell = within(top - 2, height) * width
                        above1 = _products(x, weights, first, (cell + w0, cell + w1), 0, sizes)
                        x_upper, w_upper, x_lower, w_lower = _ahead(
                            x, weights, first, (top - 1, top), (w0, w1), (height, width)
                        )
                        spread1, spread2, spread3 = (zero, zero), (zero, zero), (zero, zero)
                        for h in range(top - 4, top + ROWS_OWNED, 2):
                            upper, lower = _products_ahead(
                                x_upper, w_upper, x_lower, w_lower,
                                x, weights, first, (h + 3, h + 4), (w0, w1), (height, width), sizes,
                            )  # fmt: skip
                            # memory is slow: this is for the next turn, and what follows for the end of this one
                            x_upper, w_upper, x_lower, w_lower = _ahead(
                                x, weights, first, (h + 5, h + 6), (w0, w1), (height, width)
                            )
                            cell = in_bias + within(h, rows) * columns
                            bias_upper = bias[at(cell + b0)], bias[at(cell + b1)]
                            cell = in_bias + within(h + 1, rows) * columns
                            bias_lower = bias[at(cell + b0)], bias[at(cell + b1)]
                            cell = in_pooled + within(h // 2, pooled_rows) * pooled_columns
                            of_blocks = dpooled[at(cell + m0)], dpooled[at(cell + m1)]
                            v_upper, v_lower = (
                                sum_down(above3, above2, above1, upper),
                                sum_down(above2, above1, upper, lower),
                            )
                            put(sums, q, v_upper)
                            put(sums, PITCH + q, v_lower)
                            above3, above2, above1 = above1, upper, lower
                            cuda.syncthreads()
                            cell, below = within(h, height) * width, within(h + 1, height) * width
                            mine_upper = _of_frames(x, mine, (cell + w0, cell + w1), area)
                            mine_lower = _of_frames(x, mine, (below + w0, below + w1), area)
                            a_upper = _outputs(sums, q, v_upper, bias_upper, alpha)
                            a_lower = _outputs(sums, PITCH + q, v_lower, bias_lower, alpha)
                            put(outputs, q, a_upper)
                            put(outputs, WIDTH + q, a_lower)
                            cuda.syncthreads()
                            inside = within(h, rows) == h, within(h + 1, rows) == h + 1
                            dm0 = of_blocks[0] if block0 & inside[0] & inside[1] else zero
                            dm1 = of_blocks[1] if block1 & inside[0] & inside[1] else zero
                            upper0, lower0 = _gradients(
                                outputs, q, (a_upper[0], a_lower[0]), dm0, of_plane, inside, alpha
                            )
                            upper1, lower1 = _gradients(
                                outputs, q + STRIP, (a_upper[1], a_lower[1]), dm1, of_plane, inside, alpha
                            )
                            upper0, lower0 = upper0 if inside0 else zero, lower0 if inside0 else zero
                            upper1, lower1 = upper1 if inside1 else zero, lower1 if inside1 else zero
                            put(gradients, q + 3, (upper0, upper1))
                            put(gradients, PITCH + q + 3, (lower0, lower1))
                            cuda.syncthreads()
                            # G[h,w] = sum_{j,k} dz[h-j,w-k]: along the row here, down the rows in registers
                            upper = sum_behind(gradients, q, (upper0, upper1))
                            lower = sum_behind(gradients, PITCH + q, (lower0, lower1))
                            if h >= top:
                                r = (h - top) * WIDTH + q
                                _add(of_bias, r, (upper0, upper1))
                                _add(of_bias, r + WIDTH, (lower0, lower1))
                                # dW[i,h,w] = sum_{n,d'} x[n, d'+i, h, w] G[n,d',h,w]
                                g_upper = sum_down(upper, spread1, spread2, spread3)
                                g_lower = sum_down(lower, upper, spread1, spread2)
                                _add_frames(of_weights, r, mine_upper, g_upper)
                                _add_frames(of_weights, r + WIDTH, mine_lower, g_lower)
                            spread1, spread2, spread3 = lower, upper, spread1
                if c == 0:
                    for r in range(least(ROWS_OWNED, rows - top)):
                        for p in range(q, WIDTH, STRIP):
                            if p >= 4 and p < WIDTH - 4 and left - 4 + p < columns:
                                cell = ((slab * maps + f) * frames + d) * rows + top + r
                                dbias[at(cell * columns + left - 4 + p)] = of_bias[at(r * WIDTH + p)]
            for i in range(3):
                for r in range(least(ROWS_OWNED, height - top)):
                    for p in range(q, WIDTH, STRIP):
                        if p >= 4 and p < WIDTH - 4 and left - 4 + p < width:
                            cell = (((part * channels + c) * maps + f) * 3 + i) * height + top + r
                            dweights[at(cell * width + left - 4 + p)] = of_weights[at(i * OF_BIAS + r * WIDTH + p)]

    return first_backward


@inline
def _add(rows: FloatArray, start: int, values: Pair) -> None:
    """Add to the sums of two columns, the first of them at ``start``."""
    rows[at(start)] += values[0]
    rows[at(start + STRIP)] += values[1]


@inline
def _add_frames(rows: FloatArray, start: int, x: Frames, g: Pair) -> None:
    """:func:`_add` ``x[i] g`` to the sums of each frame ``i``."""
    _add(rows, start, (x[0] * g[0], x[1] * g[1]))
    _add(rows, start + OF_BIAS, (x[2] * g[0], x[3] * g[1]))
    _add(rows, start + 2 * OF_BIAS, (x[4] * g[0], x[5] * g[1]))


@inline
def _gradients(
    outputs: FloatArray,
    q: int,
    own: Pair,
    of_block: float,
    affine: tuple[float, float, float],
    inside: tuple[bool, bool],
    alpha: float,
) -> Pair:
    """``dz`` of column ``q`` of two rows of ``outputs``, half a block of 2 x 2; 0 for rows that are not ``inside``.

    ``own`` are the column's two outputs; ``of_block`` is the gradient of the block's normalised maximum, or 0 where
    the map has no whole block.
    """
    (scale, slope, shift), (a, b), zero, even = affine, own, alpha - alpha, q % 2 == 0
    other = q + 1 if even else q - 1
    upper, lower = outputs[at(other)], outputs[at(other + WIDTH)]
    # the first of the largest takes the gradient: left before right, the upper row before the lower
    of_upper = ((a > upper) | (even & (a == upper))) & (a >= b) & (a >= lower)
    of_lower = (b > a) & (b > upper) & ((b > lower) | (even & (b == lower)))
    dm = scale * of_block
    da, db = shift + slope * a + (dm if of_upper else zero), shift + slope * b + (dm if of_lower else zero)
    da, db = da if a > zero else alpha * da, db if b > zero else alpha * db
    return da if inside[0] else zero, db if inside[1] else zero
