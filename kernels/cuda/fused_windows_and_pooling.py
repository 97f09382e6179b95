"""Kernels of the first layer of the usual network, from the clips to its pooled and normalised maps, and back.

Versions:

1. The functions beside this file, one after the other: 158 MB of maps written at batch 100, read by the leaky ReLU,
   written, read by the normalisation, written, read by the pooling.
2. Kept: one block makes a tile of products with its halo in shared memory, sums them over the windows, first rows,
   then columns, applies the leaky ReLU, and writes the maxima of 2 x 2 and the tile's moments.  The maximum may come
   before the normalisation, because a positive scale and a shift do not change which value is largest.  The moments
   of a plane are put together from its tiles', in their order, and only the pooled quarter is normalised.  In
   backward the tile is computed again, which is cheaper than to write it and to read it, its gradient is spread back
   over the windows in shared memory, and the block adds up the gradient of the weights it owns over all frames of its
   samples.  Samples are dealt into a few slabs, which are added in their order.

A block of the backward kernel owns one tile of one map's weights, so nothing is added by two blocks and there are no
atomics.
"""

from ..arrays import FloatArray
from .device_functions import least, most, sum_over_block
from .launch import MOST_THREADS, inline, kernel
from .standardize import reciprocal_deviation
from .target import SIMULATED, cuda

ROWS, COLUMNS = (8, 10) if SIMULATED else (16, 32)
"""Outputs of a tile, even numbers: in backward it owns as many weights of each of three frames."""

FORWARD_PRODUCTS = (ROWS + 3, COLUMNS + 3)
FORWARD_SUMS = (ROWS, COLUMNS + 3)
OUTPUTS = (ROWS, COLUMNS)
BACKWARD_PRODUCTS = (ROWS + 7, COLUMNS + 7)
BACKWARD_SUMS = (ROWS + 4, COLUMNS + 7)
GRADIENTS = (ROWS + 4, COLUMNS + 4)
WEIGHTS = (3, ROWS, COLUMNS)

SCALE, SLOPE, SHIFT = 0, 1, 2
"""Places of the numbers of a plane in what :func:`affine_coefficients` writes."""


@inline
def _products(
    x: FloatArray,
    weights: FloatArray,
    plane: tuple[int, int, int],
    corner: tuple[int, int],
    size: tuple[int, int],
    products: FloatArray,
) -> None:
    """``P[r,q] = sum_{c,i} x[n, c, d + i, top + r, left + q] W[c, f, i, top + r, left + q]``, 0 beyond the frame.

    ``plane`` is ``(n, f, d)``, ``corner`` is ``(top, left)``, ``size`` the rows and columns of ``products``.
    """
    (n, f, d), (top, left), (rows, columns) = plane, corner, size
    zero = weights.dtype.type(0)
    channels, height, width = x.shape[1], x.shape[3], x.shape[4]
    for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
        h = top + r
        for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
            w = left + q
            total = zero
            if h >= 0 and w >= 0 and h < height and w < width:
                for c in range(channels):
                    for i in range(3):
                        total += x[n, c, d + i, h, w] * weights[c, f, i, h, w]
            products[r, q] = total
    cuda.syncthreads()


@inline
def _sum_rows(products: FloatArray, size: tuple[int, int], sums: FloatArray) -> None:
    """``V[r,q] = P[r,q] + ... + P[r+3,q]``; ``size``: the rows and columns of ``sums``."""
    rows, columns = size
    for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
        for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
            sums[r, q] = (products[r, q] + products[r + 1, q]) + (products[r + 2, q] + products[r + 3, q])
    cuda.syncthreads()


@inline
def _activated(sums: FloatArray, r: int, q: int, bias: float, alpha: float) -> float:
    """Leaky ReLU of ``z = b + V[r,q] + ... + V[r,q+3]``."""
    z = bias + ((sums[r, q] + sums[r, q + 1]) + (sums[r, q + 2] + sums[r, q + 3]))
    return z if z > z - z else alpha * z


@kernel("pooled", "moments")
def first_forward(
    x: FloatArray, weights: FloatArray, bias: FloatArray, alpha: float, pooled: FloatArray, moments: FloatArray
) -> None:
    """L1WS and the maximum of 2 x 2 of a tile, and its mean and sum of squares about the mean."""
    products = cuda.shared.array(FORWARD_PRODUCTS, dtype=pooled.dtype)
    sums = cuda.shared.array(FORWARD_SUMS, dtype=pooled.dtype)
    outputs = cuda.shared.array(OUTPUTS, dtype=pooled.dtype)
    shared = cuda.shared.array(MOST_THREADS, dtype=pooled.dtype)
    one = pooled.dtype.type
    maps, frames, height, width = bias.shape
    pooled_rows, pooled_columns = pooled.shape[3], pooled.shape[4]
    across, down = (width + COLUMNS - 1) // COLUMNS, (height + ROWS - 1) // ROWS
    for task in range(cuda.blockIdx.x, x.shape[0] * maps * frames * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS, task // across % down * ROWS
        plane = task // (across * down)
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        rows, columns = least(ROWS, height - top), least(COLUMNS, width - left)
        _products(x, weights, (n, f, d), (top, left), FORWARD_PRODUCTS, products)
        _sum_rows(products, FORWARD_SUMS, sums)
        for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                outputs[r, q] = _activated(sums, r, q, bias[f, d, top + r, left + q], alpha)
        cuda.syncthreads()

        # the moments of the tile, counted from its first value
        count, first = one(rows * columns), outputs[0, 0]
        total = one(0)
        for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                total += outputs[r, q] - first
        mean = sum_over_block(shared, total) / count
        total = one(0)
        for r in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                centred = outputs[r, q] - first - mean
                total += centred * centred
        total = sum_over_block(shared, total)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            moments[plane, task % (across * down), 0] = first + mean
            moments[plane, task % (across * down), 1] = total

        for r in range(cuda.threadIdx.y, least(ROWS // 2, pooled_rows - top // 2), cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, least(COLUMNS // 2, pooled_columns - left // 2), cuda.blockDim.x):
                upper = most(outputs[2 * r, 2 * q], outputs[2 * r, 2 * q + 1])
                lower = most(outputs[2 * r + 1, 2 * q], outputs[2 * r + 1, 2 * q + 1])
                pooled[n, f, d, top // 2 + r, left // 2 + q] = most(upper, lower)
        cuda.syncthreads()


@kernel("mean", "scale", updates=("pooled",))
def normalize_pooled(
    moments: FloatArray,
    height: int,
    width: int,
    epsilon: float,
    mean: FloatArray,
    scale: FloatArray,
    pooled: FloatArray,
) -> None:
    """NORM_2 of the pooled maps, by the moments of the whole maps, which are put together from their tiles'."""
    shared = cuda.shared.array(2, dtype=pooled.dtype)
    one = pooled.dtype.type
    samples, maps, frames, rows, columns = pooled.shape
    across, pieces = (width + COLUMNS - 1) // COLUMNS, moments.shape[1]
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            count, average, squares = one(0), moments[plane, 0, 0], one(0)
            for piece in range(pieces):
                more = one(
                    least(ROWS, height - piece // across * ROWS) * least(COLUMNS, width - piece % across * COLUMNS)
                )
                # Chan, Golub and LeVeque: moments of two parts together
                step = moments[plane, piece, 0] - average
                share = more / (count + more)
                squares += moments[plane, piece, 1] + step * step * count * share
                average += step * share
                count += more
            factor = reciprocal_deviation(squares / count, epsilon, one(1))
            shared[0] = average
            shared[1] = factor
            mean[n, f, d] = average
            scale[n, f, d] = factor
        cuda.syncthreads()
        average, factor = shared[0], shared[1]
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                if factor > one(0):
                    pooled[n, f, d, h, w] = (pooled[n, f, d, h, w] - average) * factor
                else:
                    pooled[n, f, d, h, w] = one(0)
        cuda.syncthreads()


@kernel("affine")
def affine_coefficients(
    pooled: FloatArray, dpooled: FloatArray, mean: FloatArray, scale: FloatArray, outputs: int, affine: FloatArray
) -> None:
    """NORM_2 backward: ``da = shift + slope a``, and ``scale dn`` more where ``a`` was chosen as a maximum.

    ``affine[n,f,d]`` are the three numbers of a plane, at SCALE, SLOPE and SHIFT.

    ``da = scale (dn - mean(dn) - n mean(dn n))`` with ``n = (a - mean) scale``; ``dn`` is 0 where nothing was chosen,
    so its two sums are those of the pooled maps.
    """
    shared = cuda.shared.array(MOST_THREADS, dtype=pooled.dtype)
    one = pooled.dtype.type
    samples, maps, frames, rows, columns = pooled.shape
    for plane in range(cuda.blockIdx.x, samples * maps * frames, cuda.gridDim.x):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        of_dn, of_dn_n = one(0), one(0)
        for h in range(cuda.threadIdx.y, rows, cuda.blockDim.y):
            for w in range(cuda.threadIdx.x, columns, cuda.blockDim.x):
                of_dn += dpooled[n, f, d, h, w]
                of_dn_n += dpooled[n, f, d, h, w] * pooled[n, f, d, h, w]
        mean_dn = sum_over_block(shared, of_dn) / one(outputs)
        mean_dn_n = sum_over_block(shared, of_dn_n) / one(outputs)
        if cuda.threadIdx.x == 0 and cuda.threadIdx.y == 0:
            factor = scale[n, f, d]
            affine[n, f, d, SCALE] = factor
            affine[n, f, d, SLOPE] = -factor * factor * mean_dn_n
            affine[n, f, d, SHIFT] = factor * factor * mean_dn_n * mean[n, f, d] - factor * mean_dn


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

    A block owns a tile of the weights of one channel and map for its slab of samples.  The windows that cover the tile
    begin up to three rows and columns before it, so outputs are computed from four before on: whole blocks of 2 x 2.
    """
    products = cuda.shared.array(BACKWARD_PRODUCTS, dtype=bias.dtype)
    sums = cuda.shared.array(BACKWARD_SUMS, dtype=bias.dtype)
    gradients = cuda.shared.array(GRADIENTS, dtype=bias.dtype)
    of_weights = cuda.shared.array(WEIGHTS, dtype=bias.dtype)
    of_bias = cuda.shared.array(OUTPUTS, dtype=bias.dtype)
    zero = bias.dtype.type(0)
    slabs, channels, maps, _, height, width = dweights.shape
    samples, frames = x.shape[0], bias.shape[1]
    across, down = (width + COLUMNS - 1) // COLUMNS, (height + ROWS - 1) // ROWS
    for task in range(cuda.blockIdx.x, slabs * channels * maps * down * across, cuda.gridDim.x):
        left, top = task % across * COLUMNS, task // across % down * ROWS
        f, c = task // (across * down) % maps, task // (across * down * maps) % channels
        slab = task // (across * down * maps * channels)
        for r in range(cuda.threadIdx.y, ROWS, cuda.blockDim.y):
            for q in range(cuda.threadIdx.x, COLUMNS, cuda.blockDim.x):
                for i in range(3):
                    of_weights[i, r, q] = zero
        for d in range(frames):
            for r in range(cuda.threadIdx.y, ROWS, cuda.blockDim.y):
                for q in range(cuda.threadIdx.x, COLUMNS, cuda.blockDim.x):
                    of_bias[r, q] = zero
            for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
                if affine[n, f, d, SCALE] > zero:
                    plane, corner = (n, f, d), (top - 4, left - 4)  # of the outputs, which are computed again
                    _products(x, weights, plane, corner, BACKWARD_PRODUCTS, products)
                    _sum_rows(products, BACKWARD_SUMS, sums)
                    _output_gradients(sums, bias, dpooled, affine, plane, corner, alpha, gradients)
                    # G[h,w] = sum_{j,k} dz[h-j,w-k]: rows into sums, which are no longer used, then columns
                    _spread_rows(gradients, sums)
                    for r in range(cuda.threadIdx.y, least(ROWS, height - top), cuda.blockDim.y):
                        for q in range(cuda.threadIdx.x, least(COLUMNS, width - left), cuda.blockDim.x):
                            g = (sums[r, q + 1] + sums[r, q + 2]) + (sums[r, q + 3] + sums[r, q + 4])
                            # dW[i,h,w] = sum_{n,d'} x[n, d'+i, h, w] G[n,d',h,w]
                            for i in range(3):
                                of_weights[i, r, q] += x[n, c, d + i, top + r, left + q] * g
                            of_bias[r, q] += gradients[r + 4, q + 4]
                    cuda.syncthreads()
            if c == 0:
                for r in range(cuda.threadIdx.y, least(ROWS, bias.shape[2] - top), cuda.blockDim.y):
                    for q in range(cuda.threadIdx.x, least(COLUMNS, bias.shape[3] - left), cuda.blockDim.x):
                        dbias[slab, f, d, top + r, left + q] = of_bias[r, q]
        for i in range(3):
            for r in range(cuda.threadIdx.y, least(ROWS, height - top), cuda.blockDim.y):
                for q in range(cuda.threadIdx.x, least(COLUMNS, width - left), cuda.blockDim.x):
                    dweights[slab, c, f, i, top + r, left + q] = of_weights[i, r, q]


@inline
def _output_gradients(
    sums: FloatArray,
    bias: FloatArray,
    dpooled: FloatArray,
    affine: FloatArray,
    plane: tuple[int, int, int],
    corner: tuple[int, int],
    alpha: float,
    gradients: FloatArray,
) -> None:
    """``dz`` of a tile of plane ``(n, f, d)``; one thread per block of 2 x 2.

    ``corner`` is the tile's first row and column, both even, maybe negative.
    """
    (n, f, d), (top, left) = plane, corner
    scale, slope, shift = affine[n, f, d, SCALE], affine[n, f, d, SLOPE], affine[n, f, d, SHIFT]
    zero = alpha - alpha
    height, width = bias.shape[2], bias.shape[3]
    for r in range(2 * cuda.threadIdx.y, ROWS + 4, 2 * cuda.blockDim.y):
        for q in range(2 * cuda.threadIdx.x, COLUMNS + 4, 2 * cuda.blockDim.x):
            h, w = top + r, left + q
            dm, chosen, best = zero, -1, zero
            if h >= 0 and w >= 0 and h + 1 < height and w + 1 < width:
                dm = scale * dpooled[n, f, d, h // 2, w // 2]
                # the first of the largest takes the gradient
                for k in range(4):
                    a = _activated(sums, r + k // 2, q + k % 2, bias[f, d, h + k // 2, w + k % 2], alpha)
                    if k == 0 or a > best:
                        best, chosen = a, k
            for k in range(4):
                i, j = k // 2, k % 2
                gradient = zero
                if h + i >= 0 and w + j >= 0 and h + i < height and w + j < width:
                    a = _activated(sums, r + i, q + j, bias[f, d, h + i, w + j], alpha)
                    gradient = shift + slope * a + (dm if k == chosen else zero)
                    if a <= zero:
                        gradient = alpha * gradient
                gradients[r + i, q + j] = gradient
    cuda.syncthreads()


@inline
def _spread_rows(gradients: FloatArray, sums: FloatArray) -> None:
    """``V[r,q] = dz[r+1,q] + ... + dz[r+4,q]``, for the rows of weights that the block owns."""
    for r in range(cuda.threadIdx.y, ROWS, cuda.blockDim.y):
        for q in range(cuda.threadIdx.x, COLUMNS + 4, cuda.blockDim.x):
            sums[r, q] = (gradients[r + 1, q] + gradients[r + 2, q]) + (gradients[r + 3, q] + gradients[r + 4, q])
    cuda.syncthreads()
