"""The first layer of the usual network on the device: windows of 3 x 4 x 4, normalisation, the maximum of 2 x 2.

Versions, with the time of backward and forward at batch 100 on an H100:

1. One thread per output, each map written to memory: never timed.
2. A block of 256 threads per tile of 16 x 32 outputs, all steps through shared memory with barriers between: 13.0 and
   7.8 ms.  The threads waited for each other, for divisions in the heads of their loops, and at 12 % occupancy.
3. Kept: strips (``strips.py``).  A row of products is made once per strip, the sums down the rows are in registers.
"""

from ..arrays import FloatArray
from .device_functions import least, most
from .fused_normalization import SCALE, SHIFT, SLOPE
from .launch import STRIP, inline, kernel
from .strips import WIDTH, activated, moments_of_strip, put, sum_ahead, together, with_value
from .target import SIMULATED, cuda

ROWS_DOWN = 4 if SIMULATED else 34
"""Rows of outputs that a strip computes in forward; even."""

COLUMNS_OUT = WIDTH - 4
"""Columns of outputs of a strip in forward: the last three see only parts of their windows; even."""

ROWS_OWNED, COLUMNS_OWNED = (2, WIDTH - 8) if SIMULATED else (10, WIDTH - 8)
"""Weights of each of three frames that a strip owns in backward; even."""

@inline
def _products(
    x: FloatArray,
    weights: FloatArray,
    plane: tuple[int, int, int],
    rows: tuple[int, int],
    columns: tuple[int, int],
) -> tuple[tuple[float, float], tuple[float, float]]:
    """``P = sum_{c,i} x[n,c,d+i] W[c,f,i]`` of two columns, in each of two rows; ``plane`` is ``(n, f, d)``.

    What lies beyond the frame is taken from its edge: only outputs beyond the map would come of it.
    """
    (n, f, d), (upper, lower), (left, right) = plane, rows, columns
    upper, lower = most(0, least(upper, x.shape[3] - 1)), most(0, least(lower, x.shape[3] - 1))
    zero = weights.dtype.type(0)
    upper_left, upper_right, lower_left, lower_right = zero, zero, zero, zero
    for c in range(x.shape[1]):
        for i in range(3):
            frame, weight = x[n, c, d + i], weights[c, f, i]
            upper_left += frame[upper, left] * weight[upper, left]
            upper_right += frame[upper, right] * weight[upper, right]
            lower_left += frame[lower, left] * weight[lower, left]
            lower_right += frame[lower, right] * weight[lower, right]
    return (upper_left, upper_right), (lower_left, lower_right)


@inline
def _sum_down(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> tuple[float, float]:
    """The sums of four rows, of two columns."""
    return (a[0] + b[0]) + (c[0] + d[0]), (a[1] + b[1]) + (c[1] + d[1])


@inline
def _outputs(
    sums: FloatArray, bias: FloatArray, row: int, columns: tuple[int, int], alpha: float
) -> tuple[float, float]:
    """Leaky ReLU of ``z = b + V[q] + ... + V[q+3]`` of two columns; ``bias`` is a plane."""
    left, right = sum_ahead(sums, cuda.threadIdx.x)
    h, w0, w1 = most(0, least(row, bias.shape[0] - 1)), columns[0], columns[1]
    w0, w1 = least(w0, bias.shape[1] - 1), least(w1, bias.shape[1] - 1)
    return activated(bias[h, w0] + left, alpha), activated(bias[h, w1] + right, alpha)


@kernel("pooled", "moments")
def first_forward(
    x: FloatArray, weights: FloatArray, bias: FloatArray, alpha: float, pooled: FloatArray, moments: FloatArray
) -> None:
    """L1WS and the maximum of 2 x 2, not yet normalised, and the moments of what each strip computes."""
    sums = cuda.shared.array((2, WIDTH + 3), dtype=pooled.dtype)
    maxima = cuda.shared.array(WIDTH, dtype=pooled.dtype)
    shared = cuda.shared.array((3, STRIP), dtype=pooled.dtype)
    one, q = pooled.dtype.type, cuda.threadIdx.x
    maps, frames, height, width = bias.shape
    across, down = (width + COLUMNS_OUT - 1) // COLUMNS_OUT, (height + ROWS_DOWN - 1) // ROWS_DOWN
    for task in range(cuda.blockIdx.x, x.shape[0] * maps * frames * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS_OUT, task // across % down * ROWS_DOWN
        plane = task // (across * down)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        columns = least(left + q, x.shape[4] - 1), least(left + q + STRIP, x.shape[4] - 1)
        # moments of this thread's columns, where these are outputs of this strip
        count = one(0)
        mean0, mean1, squares0, squares1 = one(0), one(0), one(0), one(0)

        above3, above2 = _products(x, weights, (n, f, d), (top, top + 1), columns)
        above1, _ = _products(x, weights, (n, f, d), (top + 2, top + 2), columns)
        for h in range(top, least(top + ROWS_DOWN, height), 2):
            upper, lower = _products(x, weights, (n, f, d), (h + 3, h + 4), columns)
            put(sums[0], q, _sum_down(above3, above2, above1, upper))
            put(sums[1], q, _sum_down(above2, above1, upper, lower))
            above3, above2, above1 = above1, upper, lower
            cuda.syncthreads()
            upper0, upper1 = _outputs(sums[0], bias[f, d], h, columns, alpha)
            lower0, lower1 = _outputs(sums[1], bias[f, d], h + 1, columns, alpha)
            maxima[q], maxima[q + STRIP] = most(upper0, lower0), most(upper1, lower1)
            count += one(1)
            mean0, squares0 = with_value(count, mean0, squares0, upper0)
            mean1, squares1 = with_value(count, mean1, squares1, upper1)
            if h + 1 < height:
                count += one(1)
                mean0, squares0 = with_value(count, mean0, squares0, lower0)
                mean1, squares1 = with_value(count, mean1, squares1, lower1)
            cuda.syncthreads()
            if q < COLUMNS_OUT // 2 and left // 2 + q < pooled.shape[4] and h // 2 < pooled.shape[3]:
                pooled[n, f, d, h // 2, left // 2 + q] = most(maxima[2 * q], maxima[2 * q + 1])

        outputs = least(COLUMNS_OUT, width - left)
        count0, count1 = count if q < outputs else one(0), count if q + STRIP < outputs else one(0)
        count0, mean0, squares0 = together(count0, mean0, squares0, count1, mean1, squares1)
        count0, mean0, squares0 = moments_of_strip(shared, count0, mean0, squares0)
        if q == 0:
            piece = task % (across * down)
            moments[plane, piece, 0], moments[plane, piece, 1], moments[plane, piece, 2] = count0, mean0, squares0


@kernel("dweights", "dbias")
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
    """The maximum of 2 x 2, NORM_2, leaky ReLU and L1WS, backward.

    A strip owns some weights of one channel and map, for its slab of samples and its group of output frames.  The
    windows that cover these weights begin up to three rows and columns before them, so outputs are computed again from
    four before on: whole blocks of 2 x 2.

    Args:
        dpooled: gradient of the normalised maxima.
        affine: see ``fused_normalization.affine_coefficients``.
        dweights: (slab, group, c, f, 3, h, w).
        dbias: (slab, f, d, h', w').
    """
    sums = cuda.shared.array((2, WIDTH + 3), dtype=bias.dtype)
    outputs = cuda.shared.array((2, WIDTH), dtype=bias.dtype)
    gradients = cuda.shared.array((2, WIDTH + 3), dtype=bias.dtype)
    of_weights = cuda.shared.array((3, ROWS_OWNED, WIDTH), dtype=bias.dtype)
    of_bias = cuda.shared.array((ROWS_OWNED, WIDTH), dtype=bias.dtype)
    zero, q = bias.dtype.type(0), cuda.threadIdx.x
    slabs, groups, channels, maps, _, height, width = dweights.shape
    samples, frames = x.shape[0], bias.shape[1]
    across, down = (width + COLUMNS_OWNED - 1) // COLUMNS_OWNED, (height + ROWS_OWNED - 1) // ROWS_OWNED
    for task in range(cuda.blockIdx.x, slabs * groups * channels * maps * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS_OWNED, task // across % down * ROWS_OWNED
        f, c = task // (across * down) % maps, task // (across * down * maps) % channels
        group = task // (across * down * maps * channels) % groups
        slab = task // (across * down * maps * channels * groups)
        first, second = left - 4 + q, left - 4 + q + STRIP
        columns = most(0, least(first, width - 1)), most(0, least(second, width - 1))
        for r in range(ROWS_OWNED):
            for i in range(3):
                of_weights[i, r, q], of_weights[i, r, q + STRIP] = zero, zero
        for d in range(group * frames // groups, (group + 1) * frames // groups):
            for r in range(ROWS_OWNED):
                of_bias[r, q], of_bias[r, q + STRIP] = zero, zero
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                if affine[n, f, d, SCALE] > zero:
                    plane = n, f, d
                    above3, above2 = _products(x, weights, plane, (top - 4, top - 3), columns)
                    above1, _ = _products(x, weights, plane, (top - 2, top - 2), columns)
                    spread1, spread2, spread3 = (zero, zero), (zero, zero), (zero, zero)
                    for h in range(top - 4, top + ROWS_OWNED, 2):
                        upper, lower = _products(x, weights, plane, (h + 3, h + 4), columns)
                        put(sums[0], q, _sum_down(above3, above2, above1, upper))
                        put(sums[1], q, _sum_down(above2, above1, upper, lower))
                        above3, above2, above1 = above1, upper, lower
                        cuda.syncthreads()
                        a_upper = _outputs(sums[0], bias[f, d], h, columns, alpha)
                        a_lower = _outputs(sums[1], bias[f, d], h + 1, columns, alpha)
                        put(outputs[0], q, a_upper)
                        put(outputs[1], q, a_lower)
                        cuda.syncthreads()
                        dz_upper, dz_lower = _gradients(
                            outputs, bias[f, d], dpooled[n, f, d], affine[n, f, d], h, (first, second), alpha
                        )
                        put(gradients[0], q + 3, dz_upper)
                        put(gradients[1], q + 3, dz_lower)
                        cuda.syncthreads()
                        # G[h,w] = sum_{j,k} dz[h-j,w-k]: along the row here, down the rows in registers
                        upper, lower = sum_ahead(gradients[0], q), sum_ahead(gradients[1], q)
                        if h >= top:
                            g_upper = _sum_down(upper, spread1, spread2, spread3)
                            g_lower = _sum_down(lower, upper, spread1, spread2)
                            r, h0, h1 = h - top, least(h, height - 1), least(h + 1, height - 1)
                            # dW[i,h,w] = sum_{n,d'} x[n, d'+i, h, w] G[n,d',h,w]
                            for i in range(3):
                                frame = x[n, c, d + i]
                                of_weights[i, r, q] += frame[h0, columns[0]] * g_upper[0]
                                of_weights[i, r, q + STRIP] += frame[h0, columns[1]] * g_upper[1]
                                of_weights[i, r + 1, q] += frame[h1, columns[0]] * g_lower[0]
                                of_weights[i, r + 1, q + STRIP] += frame[h1, columns[1]] * g_lower[1]
                            of_bias[r, q] += dz_upper[0]
                            of_bias[r, q + STRIP] += dz_upper[1]
                            of_bias[r + 1, q] += dz_lower[0]
                            of_bias[r + 1, q + STRIP] += dz_lower[1]
                        spread1, spread2, spread3 = lower, upper, spread1
            if c == 0:
                for r in range(least(ROWS_OWNED, bias.shape[2] - top)):
                    for p in range(q, WIDTH, STRIP):
                        if 4 <= p and p < WIDTH - 4 and left - 4 + p < bias.shape[3]:
                            dbias[slab, f, d, top + r, left - 4 + p] = of_bias[r, p]
        for i in range(3):
            for r in range(least(ROWS_OWNED, height - top)):
                for p in range(q, WIDTH, STRIP):
                    if 4 <= p and p < WIDTH - 4 and left - 4 + p < width:
                        dweights[slab, group, c, f, i, top + r, left - 4 + p] = of_weights[i, r, p]


@inline
def _gradients(
    outputs: FloatArray,
    bias: FloatArray,
    dpooled: FloatArray,
    affine: FloatArray,
    row: int,
    columns: tuple[int, int],
    alpha: float,
) -> tuple[tuple[float, float], tuple[float, float]]:
    """``dz`` of two rows from ``row`` on, an even number, of two columns; both may lie beyond the map.

    ``bias``, ``dpooled`` and ``affine`` are those of the plane.
    """
    q = cuda.threadIdx.x
    upper0, lower0 = _block_gradients(outputs, q, bias, dpooled, affine, row, columns[0], alpha)
    upper1, lower1 = _block_gradients(outputs, q + STRIP, bias, dpooled, affine, row, columns[1], alpha)
    return (upper0, upper1), (lower0, lower1)


@inline
def _block_gradients(
    outputs: FloatArray,
    q: int,
    bias: FloatArray,
    dpooled: FloatArray,
    affine: FloatArray,
    h: int,
    w: int,
    alpha: float,
) -> tuple[float, float]:
    """``dz`` of column ``q`` of the two rows, which is column ``w`` of the map: half a block of 2 x 2."""
    zero = alpha - alpha
    height, width = bias.shape
    odd = q % 2
    # the first of the largest takes the gradient
    a, chosen = outputs[0, q - odd], 0
    for k in range(1, 4):
        other = outputs[k // 2, q - odd + k % 2]
        if other > a:
            a, chosen = other, k
    dm, i, j = zero, h // 2, w // 2
    if h >= 0 and w >= 0 and i < dpooled.shape[0] and j < dpooled.shape[1]:
        dm = affine[SCALE] * dpooled[i, j]
    upper, lower = zero, zero
    if w >= 0 and w < width:
        if h >= 0 and h < height:
            a = outputs[0, q]
            upper = affine[SHIFT] + affine[SLOPE] * a + (dm if chosen == odd else zero)
            upper = upper if a > zero else alpha * upper
        if h + 1 >= 0 and h + 1 < height:
            a = outputs[1, q]
            lower = affine[SHIFT] + affine[SLOPE] * a + (dm if chosen == 2 + odd else zero)
            lower = lower if a > zero else alpha * lower
    return upper, lower
