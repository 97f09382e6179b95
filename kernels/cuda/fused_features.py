"""FC_OUT of the usual network on the device, over maps that are normalised on the way in.

Each plane ``(f, d)`` of a clip adds its part to a logit.  These parts, and the sums of the weights over the planes, are
all that NORM_6 needs backward: the sums of its gradient and of its gradient times its result.
"""

from collections.abc import Callable

from ..arrays import FloatArray
from .device_functions import block_sum, least
from .fused_normalization import before_activation, coefficients, put_affine
from .launch import STRIP, kernel, shaped_kernel
from .strips import at, normalized
from .target import cuda


@shaped_kernel("parts")
def weigh_planes(maps: int, frames: int, cells: int, classes: int) -> Callable[..., None]:
    """``parts[n,f,d,k] = sum_{h,w} n[n,f,d,h,w] W[f,k,d,h,w]``, of normalised planes.

    Takes ``y (n, f, d, cells)``, not normalised, the ``mean`` and ``scale (n, f, d)`` of its planes, and
    ``weights (f, k, d, cells)``.  Writes ``parts (n + 1, f, d, k)``; its last clip is of the sums of the weights.
    """

    def weigh_planes(
        y: FloatArray, mean: FloatArray, scale: FloatArray, weights: FloatArray, parts: FloatArray
    ) -> None:
        shared = cuda.shared.array(STRIP, dtype=y.dtype)
        one, q = y.dtype.type, cuda.threadIdx.x
        for task in range(cuda.blockIdx.x, parts.size, cuda.gridDim.x):
            k, plane = task % classes, task // classes
            d, f = plane % frames, plane // frames % maps
            weight, total = ((f * classes + k) * frames + d) * cells, one(0)
            if plane < mean.size:
                average, factor = mean[plane], scale[plane]
                for cell in range(q, cells, STRIP):
                    total += normalized(y[at(plane * cells + cell)], average, factor) * weights[at(weight + cell)]
            else:
                for cell in range(q, cells, STRIP):
                    total += weights[at(weight + cell)]
            total = block_sum(shared, q, STRIP, total)
            if q == 0:
                parts[task] = total

    return weigh_planes


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


@shaped_kernel("dweights", "dbias")
def planes_backward(maps: int, frames: int, cells: int, classes: int) -> Callable[..., None]:
    """``dW[f,k,d,h,w] = sum_n n[n,f,d,h,w] dlogits[n,k]``, of normalised planes; and the gradient of L5WS's bias.

    One thread per weight of three classes, and one per bias, which is the sum over the clips of what is left of
    ``dlogits`` before NORM_6 and the leaky ReLU.

    Takes ``dlogits (n, k)``, ``y``, ``mean``, ``scale`` and ``weights`` as of :func:`weigh_planes`, NORM_6's ``affine``
    coefficients and alpha; writes ``dweights (f, k, d, cells)`` and ``dbias (f, d, cells)``.
    """
    step, some = frames * cells, -(-classes // 3)
    size = maps * some * step

    # Many arguments: they are all the arrays that it reads and writes.
    def planes_backward(
        dlogits: FloatArray,
        y: FloatArray,
        mean: FloatArray,
        scale: FloatArray,
        weights: FloatArray,
        affine: FloatArray,
        alpha: float,
        dweights: FloatArray,
        dbias: FloatArray,
    ) -> None:
        samples, zero = mean.size // (maps * frames), dweights.dtype.type(0)
        for place in range(cuda.grid(1), size + maps * step, cuda.gridsize(1)):
            cell, d, total = place % cells, place // cells % frames, zero
            if place < size:
                k, f, more, most = place // step % some * 3, place // (step * some), zero, zero
                second, third = least(k + 1, classes - 1), least(k + 2, classes - 1)
                for n in range(samples):
                    plane = (n * maps + f) * frames + d
                    value = normalized(y[at(plane * cells + cell)], mean[at(plane)], scale[at(plane)])
                    total += value * dlogits[at(n * classes + k)]
                    more += value * dlogits[at(n * classes + second)]
                    most += value * dlogits[at(n * classes + third)]
                to = (f * classes * frames + d) * cells + cell
                dweights[at(to + k * step)] = total
                if k + 1 < classes:
                    dweights[at(to + second * step)] = more
                if k + 2 < classes:
                    dweights[at(to + third * step)] = most
            else:
                f = (place - size) // step
                weight = (f * classes * frames + d) * cells + cell
                for n in range(samples):
                    plane, dn = (n * maps + f) * frames + d, zero
                    for k in range(classes):
                        dn += dlogits[at(n * classes + k)] * weights[at(weight + k * step)]
                    of_plane = coefficients(affine, plane)
                    total += before_activation(dn, y[at(plane * cells + cell)], of_plane, alpha)
                dbias[at(place - size)] = total

    return planes_backward
