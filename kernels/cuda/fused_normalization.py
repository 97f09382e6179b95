"""Normalisation in the fused passes: moments and sums that kernels find on their way, and what comes of them backward.

No pass of its own reads a map to normalise it: what writes a map also finds the moments of its pieces, and what reads
it normalises.  Backward, NORM is ``da = shift + slope a + scale dn`` with three coefficients per plane, which come from
the sums of ``dn`` and of ``dn n`` over the plane, with ``n`` the normalised ``a``.
"""

from ..arrays import FloatArray
from .device_functions import block_sum, least
from .launch import STRIP, inline, kernel
from .standardize import reciprocal_deviation
from .strips import FRAMES, moments_of_strip, together
from .target import cuda

SCALE, SLOPE, SHIFT = 0, 1, 2
"""Places of the coefficients of a plane, in arrays called ``affine`` (n, f, d, 3)."""


@inline
def before_activation(dn: float, y: float, affine: FloatArray, alpha: float) -> float:
    """Gradient before leaky ReLU and normalisation; ``y``, its result, has the sign of what it was given."""
    zero = dn - dn
    if not affine[SCALE] > zero:
        return zero
    da = affine[SHIFT] + affine[SLOPE] * y + affine[SCALE] * dn
    return da if y > zero else alpha * da


@inline
def put_moments(kept: FloatArray, d: int, count: int, moments: FloatArray, piece: int) -> None:
    """Moments of a strip's ``count`` cells for the frames kept up to ``d``, one frame per thread, two passes."""
    one = kept.dtype.type
    cuda.syncthreads()
    for k in range(cuda.threadIdx.x, d % FRAMES + 1, STRIP):
        total = one(0)
        for q in range(count):
            total += kept[k, q] - kept[k, 0]
        mean = kept[k, 0] + total / one(count)
        squares = one(0)
        for q in range(count):
            squares += (kept[k, q] - mean) * (kept[k, q] - mean)
        frame = d - d % FRAMES + k
        moments[frame, piece, 0], moments[frame, piece, 1], moments[frame, piece, 2] = one(count), mean, squares
    cuda.syncthreads()


@inline
def put_sums(kept: FloatArray, d: int, sums: FloatArray, piece: int) -> None:
    """Sums over a strip of each quantity ``kept``, for the frames up to ``d``, one of each per thread."""
    rows = d % FRAMES + 1
    cuda.syncthreads()
    for k in range(cuda.threadIdx.x, kept.shape[0] * rows, STRIP):
        total = kept[k // rows, k % rows, 0]
        for q in range(1, STRIP):
            total += kept[k // rows, k % rows, q]
        sums[d - d % FRAMES + k % rows, piece, k // rows] = total
    cuda.syncthreads()


@kernel("mean", "scale")
def plane_moments(moments: FloatArray, epsilon: float, mean: FloatArray, scale: FloatArray) -> None:
    """Mean and ``1 / sqrt(var + epsilon)`` (0 where that is not finite) of planes, from their pieces' moments.

    ``moments`` is (planes, pieces, 3): the count, the mean and the sum of squares about the mean.
    """
    shared = cuda.shared.array((3, STRIP), dtype=mean.dtype)
    one = mean.dtype.type
    for plane in range(cuda.blockIdx.x, mean.size, cuda.gridDim.x):
        count, average, squares = one(0), one(0), one(0)
        for piece in range(cuda.threadIdx.x, moments.shape[1], STRIP):
            count, average, squares = together(
                count, average, squares, moments[plane, piece, 0], moments[plane, piece, 1], moments[plane, piece, 2]
            )
        count, average, squares = moments_of_strip(shared, count, average, squares)
        if cuda.threadIdx.x == 0:
            mean[plane] = average
            scale[plane] = reciprocal_deviation(squares / count, epsilon, one(1))


@kernel("affine")
def affine_coefficients(
    sums: FloatArray, mean: FloatArray, scale: FloatArray, cells: int, affine: FloatArray
) -> None:
    """``da = shift + slope a + scale dn`` of planes, from sums of ``dn`` and of ``dn n`` over their pieces.

    ``da = scale (dn - mean(dn) - n mean(dn n))`` with ``n = (a - mean) scale``.  The means are over the ``cells`` of
    ``a``: where ``dn`` is that of its maxima, it is 0 at the others.

    Args:
        sums: (planes, pieces, ...), the two sums first.
        mean, scale: (planes,).
        affine: (planes, 3).
    """
    shared = cuda.shared.array(STRIP, dtype=mean.dtype)
    one, q = mean.dtype.type, cuda.threadIdx.x
    for plane in range(cuda.blockIdx.x, mean.size, cuda.gridDim.x):
        of_dn, of_dn_n = one(0), one(0)
        for piece in range(q, sums.shape[1], STRIP):
            of_dn += sums[plane, piece, 0]
            of_dn_n += sums[plane, piece, 1]
        mean_dn = block_sum(shared, q, STRIP, of_dn) / one(cells)
        mean_dn_n = block_sum(shared, q, STRIP, of_dn_n) / one(cells)
        if q == 0:
            put_affine(affine[plane], mean_dn, mean_dn_n, mean[plane], scale[plane])


@inline
def put_affine(affine: FloatArray, mean_dn: float, mean_dn_n: float, mean: float, scale: float) -> None:
    """The coefficients of one plane; all 0 where ``scale`` is."""
    zero = scale - scale
    known = scale > zero
    affine[SCALE] = scale
    affine[SLOPE] = -scale * scale * mean_dn_n if known else zero
    affine[SHIFT] = scale * scale * mean_dn_n * mean - scale * mean_dn if known else zero
