"""The operations of this project with a mistake in their backward pass."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from emop3d_np.gradcheck.mistakes import MISTAKES
from kernels import reference

from .making import as32, normal, planted, right

FIELD, STRIDES = (2, 3, 3), (1, 1, 1)


def labels(count):
    return np.arange(count) % 4


OPERATIONS = {
    "weighted_sum": (
        lambda x, w, b: reference.weighted_sum(x, w, b, FIELD, STRIDES),
        lambda d, x, w, b: reference.weighted_sum_backward(d, x, w, FIELD, STRIDES),
        lambda: (normal(2, 3, 5, 5, 2), normal(2, 5, 5, 2, 3, seed=1), normal(2, 3, 3, 3, seed=2)),
    ),
    "leaky_relu": (
        reference.leaky_relu,
        lambda d, z: (reference.leaky_relu_backward(d, z),),
        lambda: (normal(2, 3, 4, 4, 2),),
    ),
    "standardize": (
        reference.standardize,
        lambda d, x: (reference.standardize_backward(d, x),),
        lambda: (normal(2, 2, 4, 4, 2),),
    ),
    "max_pool_space": (
        lambda x: reference.max_pool_space(x, (2, 2)),
        lambda d, x: (reference.max_pool_space_backward(d, x, (2, 2)),),
        lambda: (normal(2, 2, 5, 5, 2),),
    ),
    "max_pool_frames": (
        lambda x: reference.max_pool_frames(x, 3),
        lambda d, x: (reference.max_pool_frames_backward(d, x, 3),),
        lambda: (normal(2, 6, 2, 2, 2),),
    ),
    "average_pool_space": (
        lambda x: reference.average_pool_space(x, (2, 2)),
        lambda d, x: (reference.average_pool_space_backward(d, x, (2, 2)),),
        lambda: (normal(2, 2, 5, 5, 2),),
    ),
    "scale_shift": (
        reference.scale_shift,
        lambda d, m, w, b: reference.scale_shift_backward(d, m, w),
        lambda: (normal(2, 3, 4, 4, 2), normal(1, 4, 4, 2, seed=1), normal(3, 1, 1, 2, seed=2)),
    ),
    "dense": (
        reference.dense,
        lambda d, a, w, b: reference.dense_backward(d, a, w),
        lambda: (normal(4, 12), normal(12, 5, seed=1), normal(5, seed=2)),
    ),
    "softmax_cross_entropy": (
        lambda z: reference.softmax_cross_entropy(z, labels(len(z))),
        lambda d, z: (reference.softmax_cross_entropy_backward(d, z, labels(len(z))),),
        lambda: (normal(6, 4),),
    ),
}  # fmt: skip


def spoilt(name, spoil, single=False):
    """The operation with ``spoil(gradients, d, inputs) -> gradients`` behind its backward pass."""

    def make():
        forward, backward, inputs = OPERATIONS[name]
        arrays = as32(*inputs()) if single else inputs()
        return forward, lambda d, *a: tuple(spoil(list(backward(d, *a)), d, a)), arrays

    return make


def first(change):
    """Change the last array that has more than a few elements (the weights, where there are some)."""

    def spoil(gradients, d, inputs):
        k = 1 if len(gradients) > 1 else 0
        gradients[k] = change(gradients[k].copy())
        return gradients

    return spoil


def at(place, factor):
    def change(g):
        g.flat[place(g.size)] *= factor
        return g

    return change


def border(g):
    g[..., -1, :] = 0
    return g


def largest(g):
    g.flat[np.abs(g).argmax()] *= 1.01
    return g


for op in OPERATIONS:
    planted(f"{op}: factor 1.001", spoilt(op, first(lambda g: g * g.dtype.type(1.001))))
    planted(f"{op}: float32: factor 1.001", spoilt(op, first(lambda g: g * g.dtype.type(1.001)), single=True))
    planted(f"{op}: computed in float32", spoilt(op, first(lambda g: g.astype(np.float32).astype(np.float64))))
    planted(f"{op}: one element 1 % off", spoilt(op, first(largest)))
    right(f"{op}", spoilt(op, lambda g, d, a: g))
    right(f"{op}: float32", spoilt(op, lambda g, d, a: g, single=True))
    right(f"{op}: gradients as views", spoilt(op, lambda g, d, a: [np.stack([each, each])[0] for each in g]))
for op in ("weighted_sum", "standardize", "leaky_relu", "scale_shift"):
    planted(f"{op}: 0 at the border", spoilt(op, first(border)))
for op in ("weighted_sum", "dense", "scale_shift"):
    planted(f"{op}: sign of the last gradient", spoilt(op, lambda g, d, a: [*g[:-1], -g[-1]]))


def with_functions(op, words, inputs=None):
    """An operation with one of the mistakes that ``gradcheck compare`` knows."""

    def make():
        forward, _, own = OPERATIONS[op]
        backward = MISTAKES[words][f"{op}_backward"]
        more = {
            "max_pool_space": ((2, 2),), "max_pool_frames": (3,), "softmax_cross_entropy": (labels(6),),
        }.get(op, ())  # fmt: skip
        if op == "weighted_sum":
            return forward, lambda d, x, w, b: backward(d, x, w, FIELD, STRIDES), own()
        if op == "scale_shift":
            return forward, lambda d, m, w, b: backward(d, m, w), own()
        return forward, lambda d, *a: (backward(d, *a, *more),), (inputs or own)()

    return make


def tied(*shape):
    return lambda: (np.random.default_rng(3).integers(0, 3, shape).astype(float),)


for op, words in (
    ("standardize", "normalisation: the term through the mean is missing"),
    ("standardize", "normalisation: the term through the variance is missing"),
    ("standardize", "normalisation: mean and variance are held constant"),
    ("leaky_relu", "leaky ReLU: backward has slope 0 below zero"),
    ("leaky_relu", "leaky ReLU: backward is missing (slope 1 everywhere)"),
    ("max_pool_frames", "pooling over frames: overlapping windows overwrite each other instead of adding"),
    ("weighted_sum", "off-by-one window: the transposed box sum is one row short"),
    ("weighted_sum", "off-by-one window: the transposed box sum is one column short"),
    ("weighted_sum", "off-by-one window: the windows are shifted by one"),
    ("scale_shift", "pooling: the gradient is not multiplied by the pooling weights"),
    ("softmax_cross_entropy", "softmax cross-entropy: the one-hot label is not subtracted"),
):
    planted(f"{op}: {words.split(': ')[1]}", with_functions(op, words))
for op, shape in (("max_pool_space", (2, 2, 4, 4, 2)), ("max_pool_frames", (2, 5, 2, 2, 2))):
    where = "in space" if op == "max_pool_space" else "over frames"
    planted(
        f"{op}: ties: all of them get everything",
        with_functions(op, f"wrong tie: pooling {where} gives all of a tie the whole gradient", tied(*shape)),
    )
    right(
        f"{op}: ties: split evenly", with_functions(op, f"wrong tie: pooling {where} splits a tie evenly", tied(*shape))
    )
    last = "to the last" if op == "max_pool_space" else "to the last frame"
    right(f"{op}: ties: the last", with_functions(op, f"wrong tie: pooling {where} gives a tie {last}", tied(*shape)))

    def make_first(op=op, shape=shape):
        forward, backward, _ = OPERATIONS[op]
        return forward, backward, tied(*shape)()

    right(f"{op}: ties", make_first)
