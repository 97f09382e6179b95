"""The third layer of the usual network on the device: the largest of three frames, its weight, bias and leaky ReLU.

Each thread goes along the frames of one cell and keeps the last three in registers, so that every map is read once.
NORM_2 is done on the way in; of NORM_4 the moments of each run of STRIP cells are found on the way out.

Planes here are rows of ``cells = h w``.
"""

from ..arrays import FloatArray
from .device_functions import block_sum, least
from .fused_normalization import before_activation, put_moments, put_sums
from .launch import STRIP, kernel
from .strips import FRAMES, activated, normalized
from .target import cuda


@kernel("y", "moments")
def frames_forward(
    x: FloatArray,
    mean: FloatArray,
    scale: FloatArray,
    weights: FloatArray,
    bias: FloatArray,
    alpha: float,
    y: FloatArray,
    moments: FloatArray,
) -> None:
    """``y = leaky ReLU(m w + b)``, where ``m`` is the largest of three normalised frames.

    Args:
        x: (n, f, d, cells), not normalised; ``mean`` and ``scale`` are those of its planes, (n, f, d).
        weights, bias: (f, cells) and (f, d').
        y: (n, f, d', cells).
        moments: (n, f, d', pieces, 3).
    """
    kept = cuda.shared.array((FRAMES, STRIP + 1), dtype=y.dtype)
    samples, maps, frames, cells = y.shape
    pieces = (cells + STRIP - 1) // STRIP
    for task in range(cuda.blockIdx.x, samples * maps * pieces, cuda.gridDim.x):
        piece, f, n = task % pieces, task // pieces % maps, task // (pieces * maps)
        start = piece * STRIP
        cell = least(start + cuda.threadIdx.x, cells - 1)
        first = normalized(x[n, f, 0, cell], mean[n, f, 0], scale[n, f, 0])
        second = normalized(x[n, f, 1, cell], mean[n, f, 1], scale[n, f, 1])
        for d in range(frames):
            third = normalized(x[n, f, d + 2, cell], mean[n, f, d + 2], scale[n, f, d + 2])
            m = second if second > first else first
            m = third if third > m else m
            value = activated(m * weights[f, cell] + bias[f, d], alpha)
            if start + cuda.threadIdx.x < cells:
                y[n, f, d, cell] = value
            kept[d % FRAMES, cuda.threadIdx.x] = value
            first, second = second, third
            if d % FRAMES == FRAMES - 1 or d == frames - 1:
                put_moments(kept, d, least(STRIP, cells - start), moments[n, f], piece)


@kernel("dx", "dweights", "sums")
def frames_backward(
    dn: FloatArray,
    y: FloatArray,
    affine: FloatArray,
    x: FloatArray,
    mean: FloatArray,
    scale: FloatArray,
    weights: FloatArray,
    alpha: float,
    dx: FloatArray,
    dweights: FloatArray,
    sums: FloatArray,
) -> None:
    """NORM_4, leaky ReLU and the maximum of three frames, backward: every frame collects what chose it.

    Args:
        dn: gradient of the normalised ``y``; ``affine`` are NORM_4's coefficients.
        y, x, mean, scale, weights: as of :func:`frames_forward`.
        dx: gradient of the normalised ``x``.
        dweights: (slab, f, cells).
        sums: (n, f, d, pieces, 3) of ``dx``, of ``dx`` times the normalised ``x``, and of the gradient before the leaky
            ReLU, which is that of the bias.
    """
    kept = cuda.shared.array((3, FRAMES, STRIP + 1), dtype=dx.dtype)
    zero = dx.dtype.type(0)
    slabs, maps, cells = dweights.shape
    samples, frames = x.shape[0], x.shape[2]
    pieces, q = (cells + STRIP - 1) // STRIP, cuda.threadIdx.x
    for task in range(cuda.blockIdx.x, slabs * maps * pieces, cuda.gridDim.x):
        piece, f, slab = task % pieces, task // pieces % maps, task // (pieces * maps)
        inside = piece * STRIP + q < cells
        cell = least(piece * STRIP + q, cells - 1)
        weight, of_weight = weights[f, cell], zero
        for n in range(slab * samples // slabs, (slab + 1) * samples // slabs):
            first = normalized(x[n, f, 0, cell], mean[n, f, 0], scale[n, f, 0])
            second = normalized(x[n, f, 1, cell], mean[n, f, 1], scale[n, f, 1])
            of_first, of_second = zero, zero
            for d in range(frames):
                third, of_third, dz = zero, zero, zero
                if d < frames - 2:
                    third = normalized(x[n, f, d + 2, cell], mean[n, f, d + 2], scale[n, f, d + 2])
                    dz = before_activation(dn[n, f, d, cell], y[n, f, d, cell], affine[n, f, d], alpha)
                    # the first of the largest takes the gradient
                    if third > first and third > second:
                        of_third, of_weight = dz, of_weight + dz * third
                    elif second > first:
                        of_second, of_weight = of_second + dz, of_weight + dz * second
                    else:
                        of_first, of_weight = of_first + dz, of_weight + dz * first
                gradient = of_first * weight
                if inside:
                    dx[n, f, d, cell] = gradient
                kept[0, d % FRAMES, q] = gradient if inside else zero
                kept[1, d % FRAMES, q] = gradient * first if inside else zero
                kept[2, d % FRAMES, q] = dz if inside else zero
                first, second, of_first, of_second = second, third, of_second, of_third
                if d % FRAMES == FRAMES - 1 or d == frames - 1:
                    put_sums(kept, d, sums[n, f], piece)
        if inside:
            dweights[slab, f, cell] = of_weight


@kernel("dbias")
def frame_bias_backward(sums: FloatArray, dbias: FloatArray) -> None:
    """``db[f,d'] = sum_{n,h,w} dz``, from the third of the ``sums`` of :func:`frames_backward`."""
    shared = cuda.shared.array(STRIP, dtype=dbias.dtype)
    maps, frames = dbias.shape
    samples, pieces, q = sums.shape[0], sums.shape[3], cuda.threadIdx.x
    for task in range(cuda.blockIdx.x, maps * frames, cuda.gridDim.x):
        d, f = task % frames, task // frames
        total = dbias.dtype.type(0)
        for part in range(q, samples * pieces, STRIP):
            total += sums[part // pieces, f, d, part % pieces, 2]
        total = block_sum(shared, q, STRIP, total)
        if q == 0:
            dbias[f, d] = total
