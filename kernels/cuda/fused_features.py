"""FC_OUT of the usual network on the device, over maps that are normalised on the way in.

Each plane ``(f, d)`` of a clip adds its part to a logit.  These parts, and the sums of the weights over the planes, are
all that NORM_6 needs backward: the sums of its gradient and of its gradient times its result.
"""

from ..arrays import FloatArray
from .device_functions import block_sum
from .fused_normalization import put_affine
from .launch import STRIP, kernel
from .strips import normalized
from .target import cuda


@kernel("parts")
def weigh_planes(
    y: FloatArray, mean: FloatArray, scale: FloatArray, weights: FloatArray, parts: FloatArray
) -> None:
    """``parts[n,f,d,k] = sum_{h,w} n[n,f,d,h,w] W[f,k,d,h,w]``, of the normalised ``y``.

    Args:
        y: (n, f, d, cells); ``mean`` and ``scale`` are those of its planes, (n, f, d).
        weights: (f, k, d, cells).
        parts: (n + 1, f, d, k); the last clip is all ones: the sums of the weights.
    """
    shared = cuda.shared.array(STRIP, dtype=y.dtype)
    one, q = y.dtype.type, cuda.threadIdx.x
    clips, maps, frames, classes = parts.shape
    for task in range(cuda.blockIdx.x, clips * maps * frames * classes, cuda.gridDim.x):
        k, d = task % classes, task // classes % frames
        f, n = task // (classes * frames) % maps, task // (classes * frames * maps)
        total = one(0)
        if n < clips - 1:
            average, factor = mean[n, f, d], scale[n, f, d]
            for cell in range(q, y.shape[3], STRIP):
                total += normalized(y[n, f, d, cell], average, factor) * weights[f, k, d, cell]
        else:
            for cell in range(q, y.shape[3], STRIP):
                total += weights[f, k, d, cell]
        total = block_sum(shared, q, STRIP, total)
        if q == 0:
            parts[n, f, d, k] = total


@kernel("logits")
def sum_parts(parts: FloatArray, bias: FloatArray, logits: FloatArray) -> None:
    """``logits[n,k] = b[k] + sum_{f,d} parts[n,f,d,k]``."""
    shared = cuda.shared.array(STRIP, dtype=logits.dtype)
    samples, classes = logits.shape
    maps, frames, q = parts.shape[1], parts.shape[2], cuda.threadIdx.x
    for task in range(cuda.blockIdx.x, samples * classes, cuda.gridDim.x):
        k, n = task % classes, task // classes
        total = logits.dtype.type(0)
        for plane in range(q, maps * frames, STRIP):
            total += parts[n, plane // frames, plane % frames, k]
        total = block_sum(shared, q, STRIP, total)
        if q == 0:
            logits[n, k] = bias[k] + total


@kernel("affine")
def features_affine(
    dlogits: FloatArray, parts: FloatArray, mean: FloatArray, scale: FloatArray, cells: int, affine: FloatArray
) -> None:
    """NORM_6's coefficients (n, f, d, 3), see ``fused_normalization.affine_coefficients``.

    With ``dn = sum_k dlogits[k] W[k]``, the sum of ``dn n`` over a plane is that of ``dlogits[k] parts[k]``.
    """
    one = mean.dtype.type
    maps, frames, classes = parts.shape[1], parts.shape[2], parts.shape[3]
    last = parts.shape[0] - 1
    for plane in range(cuda.grid(1), last * maps * frames, cuda.gridsize(1)):
        d, f, n = plane % frames, plane // frames % maps, plane // (frames * maps)
        of_dn, of_dn_n = one(0), one(0)
        for k in range(classes):
            of_dn += dlogits[n, k] * parts[last, f, d, k]
            of_dn_n += dlogits[n, k] * parts[n, f, d, k]
        put_affine(affine[n, f, d], of_dn / one(cells), of_dn_n / one(cells), mean[n, f, d], scale[n, f, d])


@kernel("dweights")
def planes_backward(
    dlogits: FloatArray, y: FloatArray, mean: FloatArray, scale: FloatArray, dweights: FloatArray
) -> None:
    """``dW[f,k,d,h,w] = sum_n n[n,f,d,h,w] dlogits[n,k]``, of the normalised ``y``: one owner a cell."""
    maps, classes, frames, cells = dweights.shape
    size, zero = cells * frames * classes * maps, dweights.dtype.type(0)
    for place in range(cuda.grid(1), size, cuda.gridsize(1)):
        cell, d = place % cells, place // cells % frames
        k, f = place // (cells * frames) % classes, place // (cells * frames * classes)
        total = zero
        for n in range(y.shape[0]):
            total += normalized(y[n, f, d, cell], mean[n, f, d], scale[n, f, d]) * dlogits[n, k]
        dweights[f, k, d, cell] = total
