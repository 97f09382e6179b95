"""Normalisation in the fused passes: moments and sums that kernels find on their way, and what comes of them backward.

No pass of its own reads a map to normalise it: what writes a map also finds the moments of its pieces, and what reads
it normalises.  Backward, NORM is ``da = shift + slope a + scale dn`` with three coefficients per plane, which come from
the sums of ``dn`` and of ``dn n`` over the plane, with ``n`` the normalised ``a``.
"""

from ..arrays import FloatArray
from .device_functions import block_sum
from .launch import STRIP, inline, kernel
from .standardize import reciprocal_deviation
from .strips import FRAMES, MOMENTS, about_mean, at, combined, moments_of_strip, put_piece, with_value
from .target import cuda

SCALE, SLOPE, SHIFT = 0, 1, 2
"""Places of the coefficients of a plane, in arrays called ``affine`` (n, f, d, 3)."""

PARTS = STRIP // FRAMES
"""Threads that share the moments of a frame."""


@inline
def coefficients(affine: FloatArray, plane: int) -> tuple[float, float, float]:
    """Scale, slope and shift of a plane; ``affine`` comes as one row."""
    return affine[at(3 * plane + SCALE)], affine[at(3 * plane + SLOPE)], affine[at(3 * plane + SHIFT)]


@inline
def before_activation(dn: float, y: float, affine: tuple[float, float, float], alpha: float) -> float:
    """Gradient before leaky ReLU and normalisation; ``y``, its result, has the sign of what it was given."""
    (scale, slope, shift), zero = affine, dn - dn
    da = shift + slope * y + scale * dn if scale > zero else zero
    return da if y > zero else alpha * da


@inline
def put_moments(
    kept: FloatArray, parts: FloatArray, d: int, count: int, moments: FloatArray, start: int, pieces: int
) -> None:
    """Moments of a strip's ``count`` cells for the frames kept up to ``d``; PARTS threads share a frame.

    Args:
        kept, parts: in shared memory; ``parts`` has room for 2 STRIP numbers.
        start: the piece of the first of these frames.
        pieces: how many each frame has.
    """
    one, thread = kept.dtype.type, cuda.threadIdx.x
    k, part = thread // PARTS, thread % PARTS
    cuda.syncthreads()
    row = k * (STRIP + 1)
    first, total, squares = kept[at(row)], one(0), one(0)
    for q in range(0, STRIP, PARTS):
        if q + part < count:
            total, squares = with_value(total, squares, kept[at(row + q + part)] - first)
    parts[at(thread)], parts[at(thread + STRIP)] = total, squares
    cuda.syncthreads()
    if part == 0 and k <= d % FRAMES:
        for other in range(1, PARTS):
            total += parts[at(thread + other)]
            squares += parts[at(thread + other + STRIP)]
        put_piece(moments, start + k * pieces, about_mean(one(count), first, total, squares))


@inline
def put_sums(kept: FloatArray, quantities: int, d: int, sums: FloatArray, start: int, pieces: int) -> None:
    """Sums over a strip of each quantity kept, for the frames up to ``d``; each thread makes one sum at a time.

    ``start`` and ``pieces`` as of :func:`put_moments`.
    """
    cuda.syncthreads()
    for k in range(cuda.threadIdx.x, quantities * FRAMES, STRIP):
        quantity, row = k // FRAMES, k % FRAMES
        if row <= d % FRAMES:
            total = kept[at(k * (STRIP + 1))]
            for q in range(1, STRIP):
                total += kept[at(k * (STRIP + 1) + q)]
            sums[at((start + row * pieces) * quantities + quantity)] = total
    cuda.syncthreads()


@kernel("mean", "scale")
def plane_moments(moments: FloatArray, epsilon: float, mean: FloatArray, scale: FloatArray) -> None:
    """Mean and ``1 / sqrt(var + epsilon)`` (0 where that is not finite) of planes, from their pieces' moments.

    ``moments`` is (planes, pieces, 3): the count, the mean and the sum of squares about the mean.
    """
    shared = cuda.shared.array(MOMENTS, dtype=mean.dtype)
    one = mean.dtype.type
    for plane in range(cuda.blockIdx.x, mean.size, cuda.gridDim.x):
        found = one(0), one(0), one(0)
        for piece in range(cuda.threadIdx.x, moments.shape[1], STRIP):
            found = combined(found, (moments[plane, piece, 0], moments[plane, piece, 1], moments[plane, piece, 2]))
        count, average, squares = moments_of_strip(shared, found)
        if cuda.threadIdx.x == 0:
            mean[plane] = average
            scale[plane] = reciprocal_deviation(squares / count, epsilon, one(1))


@kernel("affine")
def affine_coefficients(sums: FloatArray, mean: FloatArray, scale: FloatArray, cells: int, affine: FloatArray) -> None:
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
