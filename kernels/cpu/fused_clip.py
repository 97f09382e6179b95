"""The fused passes of a single clip: forward and backward through the network, a map of a pair of frames at a time.

``fused_layout.py`` says what stands in the records ``net``, ``gradients``, ``kept`` and ``scratch``.  A function
computes map ``f`` of frame ``d``, or of the two frames from ``first`` on; ``slot`` is the clip's place in its part.
"""

import numpy as np

from ..arrays import FloatArray
from .fused_layout import Kept, Parameters, Plan, Scratch
from .fused_loops import PART, add_scaled, dot, fill_rest, scale
from .fused_normalization import mean_and_scale, normalize, normalize_activate_backward, outputs, two_means
from .fused_packing import gather
from .fused_pooling import pool_frames, pool_frames_backward, pool_plane, pool_plane_backward
from .fused_windows import activations, inputs_backward, pair_of_products, weights_backward, window_sums_backward
from .jit import borrowing, pasted, serial

# --- Forward.


@borrowing
def forward_clip(
    x: FloatArray, slot: int, training: bool, plan: Plan,
    net: Parameters, kept: Kept, scratch: Scratch, logits: FloatArray,
) -> bool:  # fmt: skip
    """Logits (k) of a clip x (d, h, w, c); False if a map of the first layer is not finite."""
    maps, frames1 = kept.n1.shape[:2]
    for c in range(x.shape[3]):
        for d in range(x.shape[0]):
            gather(x, c, d, kept.x)
    for f in range(maps):
        for d in range(0, frames1, 2):
            forward_1(d, f, training, plan.width1, net, kept, scratch)
            for seen in range(max(d - 2, 0), min(d, frames1 - 2)):
                forward_3(seen, f, net, kept)
    for f in range(maps):
        for d in range(0, frames1 - 4, 2):
            forward_5(d, f, slot, plan.width5, net, kept, scratch)
    for k in range(logits.size):
        logits[k] = logit(k, kept.n5[slot].reshape(-1), net)
    return are_finite(kept.scale1)


@borrowing
def are_finite(scale1: FloatArray) -> bool:
    """Whether the maps of L1WS are, of which NORM_2 has kept what it multiplies by, (f, d, 1): 0 where one is not."""
    finite = True
    for f in range(scale1.shape[0]):
        for d in range(scale1.shape[1]):
            finite &= scale1[f, d, 0] > 0
    return finite


@borrowing
def forward_1(first: int, f: int, training: bool, width: int, net: Parameters, kept: Kept, scratch: Scratch) -> None:
    """L1WS, NORM_2 and the spatial maximum of L3P: one map of a pair of frames."""
    pair_of_products(kept.x, first, net.w1[f], scratch.p)
    for d in range(first, min(first + 2, kept.n1.shape[1])):
        m, a = kept.n1[f, d], kept.a1[f, d] if training else scratch.a
        activations(scratch.p[d - first], width, net.b1[f, 0, d], scratch.v, a)
        mean, scale = mean_and_scale(a, width, 3)
        pool_plane(a, width, m)
        normalize(m, mean, scale, m)
        kept.mean1[f, d, 0], kept.scale1[f, d, 0] = mean, scale


@borrowing
def forward_3(d: int, f: int, net: Parameters, kept: Kept) -> None:
    """The maximum over frames of L3P, its weights and leaky ReLU, and NORM_4: one map of one frame."""
    y = kept.n3[f, d]
    pool_frames(kept.n1[f, d : d + 3], net.w3[f, 0, 0], net.b3[f, 0, d, 0], y)
    mean, scale = mean_and_scale(y, y.size, 0)
    normalize(y, mean, scale, y)
    kept.scale3[f, d, 0] = scale


@borrowing
def forward_5(first: int, f: int, slot: int, width: int, net: Parameters, kept: Kept, scratch: Scratch) -> None:
    """L5WS and NORM_6: one map of a pair of frames."""
    n5 = kept.n5[slot]
    pair_of_products(kept.n3, first, net.w5[f], scratch.p)
    for d in range(first, min(first + 2, n5.shape[1])):
        a = kept.a5[f, d]
        activations(scratch.p[d - first], width, net.b5[f, 0, d], scratch.v, a)
        mean, scale = mean_and_scale(a, width, 3)
        fill_rest(a, width, 3, mean)
        normalize(a, mean, scale, n5[f, d])
        kept.mean5[f, d, 0], kept.scale5[f, d, 0] = mean, scale


@borrowing
def logit(k: int, features: FloatArray, net: Parameters) -> float:
    """FC_OUT: one class, of a clip's features in a row."""
    return net.b7[k, 0, 0, 0] + dot(features, net.w7[k].reshape(-1))


@serial
def cross_entropy(logits: FloatArray, label: int, count: int, dlogits: FloatArray) -> float:
    """Loss of a clip of logits (k), and its gradient ``dlogits`` (k) for the mean over ``count`` clips."""
    largest = logits.max()
    total = logits.dtype.type(0)
    for k in range(logits.size):
        dlogits[k] = np.exp(logits[k] - largest)
        total += dlogits[k]
    for k in range(logits.size):
        dlogits[k] = (dlogits[k] / total - (k == label)) / count
    return np.log(total) - (logits[label] - largest)


# --- Backward.


# The gradients of a part are written by its first clip, in ``slot`` 0, and the others add to them; what it finds there
# is of another part.  Those of FC_OUT are written once for all.


@pasted
def backward_clip(slot: int, plan: Plan, net: Parameters, gradients: Parameters, kept: Kept, scratch: Scratch) -> None:
    """Adds a clip's gradients to those of its part, but for those of FC_OUT."""
    maps, frames5 = kept.a5.shape[:2]
    kept.dn3[:] = 0
    for f in range(maps):
        if slot == 0:
            gradients.w5[f] = 0
        for d in range(0, frames5, 2):
            backward_5(d, f, slot, plan.width5, net, gradients, kept, scratch, scratch.g)
            for c in range(maps):
                weights_backward(kept.n3[c, d : d + 4], scratch.g, gradients.w5[f, c])
                inputs_backward(scratch.g, net.w5[f, c], kept.dn3[c, d : d + 4])
    for f in range(maps):
        backward_3_and_1(f, slot, plan.width1, net, gradients, kept, scratch)


@borrowing
def sums_backward_5(m: int, slot: int, net: Parameters, gradients: Parameters, kept: Kept) -> None:
    """What a clip that is shared out adds up over L5WS, once ``kept.g5`` is there: in the order of
    :func:`backward_clip`, the weights of map m, and the gradient by map m of its inputs.
    """
    maps, frames5 = kept.a5.shape[:2]
    if slot == 0:
        gradients.w5[m] = 0
    kept.dn3[m] = 0
    for each in range(maps):
        for d in range(0, frames5, 2):
            weights_backward(kept.n3[each, d : d + 4], kept.g5[m, d : d + 2], gradients.w5[m, each])
            inputs_backward(kept.g5[each, d : d + 2], net.w5[each, m], kept.dn3[m, d : d + 4])


@borrowing
def backward_3_and_1(
    f: int, slot: int, width: int, net: Parameters, gradients: Parameters, kept: Kept, scratch: Scratch
) -> None:
    """NORM_4, L3P, NORM_2 and L1WS: one map of all frames; adds to ``gradients``."""
    frames1 = kept.n1.shape[1]
    if slot == 0:
        gradients.w1[f] = 0
        gradients.w3[f] = 0
        gradients.b3[f] = 0
    scratch.dn1[:] = 0
    for d in range(0, frames1, 2):
        # Frames d and d + 1 of L3P are the last that add to the same frames of its input.
        for each in range(d, min(d + 2, frames1 - 2)):
            backward_3(each, f, net, gradients, kept, scratch.dn1)
        backward_1(d, f, slot, width, net, gradients, kept, scratch)
        scratch.dn1[d % 4 : d % 4 + 2] = 0  # for frames d + 4 and d + 5


@borrowing
def dense_weights_backward(start: int, clips: int, n5: FloatArray, dlogits: FloatArray, gradients: Parameters) -> None:
    """FC_OUT's weights for the :data:`PART` features from ``start`` on, with the first of them its biases: the
    gradients of a part of so many ``clips``, of their features n5 (n, f, d, q).
    """
    # y[k] = sum_j a[j] W[j,k] + b[k]
    part = slice(start, min(start + PART, n5[0].size))
    for k in range(dlogits.shape[1]):
        row = gradients.w7[k].reshape(-1)[part]
        scale(dlogits[0, k], n5[0].reshape(-1)[part], row)
        for n in range(1, clips):
            add_scaled(row, dlogits[n, k], n5[n].reshape(-1)[part])
        if start == 0:
            gradients.b7[k, 0, 0, 0] = 0
            for n in range(clips):
                gradients.b7[k, 0, 0, 0] += dlogits[n, k]


@borrowing
def _dense_inputs_backward(d, f, dlogits, net, dn):
    """FC_OUT's inputs: one map of one frame."""
    dn[:] = 0
    for k in range(dlogits.size):
        add_scaled(dn, dlogits[k], net.w7[k, f, d])


# Many arguments: the last is memory of the thread, or of the clip where it is shared out.
@borrowing
def backward_5(
    first: int, f: int, slot: int, width: int,
    net: Parameters, gradients: Parameters, kept: Kept, scratch: Scratch, g: FloatArray,
) -> None:  # fmt: skip
    """FC_OUT's inputs, NORM_6 and L5WS but for its weights: one map of a pair of frames.

    Adds to ``gradients`` by the biases; ``g`` (2, q) takes the gradients by the products.
    """
    n5 = kept.n5[slot]
    if first + 1 == n5.shape[1]:
        g[1] = 0  # there is no second frame
    for d in range(first, min(first + 2, n5.shape[1])):
        a = kept.a5[f, d]
        dn = scratch.dn[: a.size]
        _dense_inputs_backward(d, f, kept.dlogits[slot], net, dn)
        dz = scratch.dz[: a.size + 3]
        means = two_means(dn, n5[f, d], outputs(a, width, 3))
        if slot == 0:
            gradients.b5[f, 0, d] = 0
        normalize_activate_backward(
            dn, a, kept.mean5[f, d, 0], kept.scale5[f, d, 0], means, dz[3:], gradients.b5[f, 0, d]
        )
        window_sums_backward(dz, width, scratch.s, g[d - first])


@borrowing
def backward_3(d: int, f: int, net: Parameters, gradients: Parameters, kept: Kept, dn1: FloatArray) -> None:
    """NORM_4 and L3P but for its spatial maximum: one map of one frame; adds to ``gradients``, and to dn1 (4, q)."""
    dy, y = kept.dn3[f, d], kept.n3[f, d]
    mean_dy, mean_dy_y = two_means(dy, y, dy.size)
    norm = kept.scale3[f, d, 0], mean_dy, mean_dy_y
    gradients.b3[f, 0, d, 0] += pool_frames_backward(
        d, dy, y, norm, kept.n1[f], net.w3[f, 0, 0], net.b3[f, 0, d, 0], gradients.w3[f, 0, 0], dn1
    )


@borrowing
def backward_1(
    first: int, f: int, slot: int, width: int, net: Parameters, gradients: Parameters, kept: Kept, scratch: Scratch
) -> None:
    """The spatial maximum of L3P, NORM_2 and L1WS: one map of a pair of frames; adds to ``gradients``."""
    if first + 1 == kept.n1.shape[1]:
        scratch.g[1] = 0  # there is no second frame
    for d in range(first, min(first + 2, kept.n1.shape[1])):
        dm, a, dn, dz = scratch.dn1[d % 4], kept.a1[f, d], scratch.dn, scratch.dz
        pool_plane_backward(a, dm, width, dn)
        # dn is dm at the largest of each block and 0 elsewhere, so its two means come from the pooled maps.
        means = two_means(dm, kept.n1[f, d], outputs(a, width, 3))
        if slot == 0:
            gradients.b1[f, 0, d] = 0
        normalize_activate_backward(
            dn, a, kept.mean1[f, d, 0], kept.scale1[f, d, 0], means, dz[3:], gradients.b1[f, 0, d]
        )
        window_sums_backward(dz, width, scratch.s, scratch.g[d - first])
    for c in range(net.w1.shape[1]):
        weights_backward(kept.x[c, first : first + 4], scratch.g, gradients.w1[f, c])
