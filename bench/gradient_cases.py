# Long: it is a list of cases.
"""Pairs of functions to put to gradient checkers: wrong backward passes, and right ones that look wrong.

Each case is made anew for each checker, for some of them keep state.  The wrong ones are copies of this project's
operations, or of a few general ones, with one mistake planted in each.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np.gradcheck.mistakes import MISTAKES
from kernels import reference

CASES = []
FIELD, STRIDES = (2, 3, 3), (1, 1, 1)


@dataclass(frozen=True)
class Case:
    """``make() -> forward, backward, inputs``; ``right``: the verdict that is due."""

    name: str
    right: bool
    make: object


def planted(name, make):
    CASES.append(Case(name, False, make))


def right(name, make):
    CASES.append(Case(name, True, make))


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def as32(*arrays):
    return tuple(array.astype(np.float32) for array in arrays)


# --- Operations of this project: right pair and inputs.


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

    right(f"{op}: ties: the first", make_first)


# --- State, purity, size, on y = x^2 and the like.


def square(wrong, inputs=lambda: (normal(4, 5),)):
    return lambda: (lambda x: x**2, wrong, inputs())


def squared_by(kind):
    """A fresh object of ``kind`` for every checker: it keeps state."""
    return lambda: (lambda x: x**2, kind(), (normal(4, 5),))


class Accumulates:
    def __init__(self):
        self.buffer = 0

    def __call__(self, d, x):
        self.buffer = self.buffer + 2 * x * d
        return (self.buffer.copy(),)


class OneBehind:
    def __init__(self):
        self.last = None

    def __call__(self, d, x):
        last, self.last = self.last, 2 * x * d
        return (self.last if last is None else last,)


def keeps_first():
    kept = {}

    def forward(x):
        kept.setdefault("x", x.copy())
        return x**2

    return forward, lambda d, x: (2 * kept["x"] * d,), (normal(4, 5),)


def racing():
    rng = np.random.default_rng(5)

    def backward(d, x):
        g = 2 * x * d
        if rng.random() < 0.5:
            g.flat[rng.integers(g.size)] = 0
        return (g,)

    return lambda x: x**2, backward, (normal(4, 5),)


def changes_d(d, x):
    d *= 2 * x
    return (d.copy(),)


def changes_x(d, x):
    g = 2 * x * d
    x[...] = 0
    return (g,)


def hole(d, x):
    g = 2 * x * d
    g[123, 456] = 0
    return (g,)


planted("square: gradient is added to the last call's", squared_by(Accumulates))
planted("square: the gradient of the call before", squared_by(OneBehind))
planted("square: values of the first call for ever", keeps_first)
planted("square: a lost update, half of the time", racing)
planted("square: incoming gradient is changed in place", square(changes_d))
planted("square: input is changed in place", square(changes_x))
planted("square: gradient of the wrong dtype", square(lambda d, x: ((2 * x * d).astype(np.float32),)))
planted("square: wrong for a negative incoming gradient", square(lambda d, x: (np.where(d < 0, 1.9, 2) * x * d,)))
planted("square: gradient is clipped", square(lambda d, x: (np.clip(2 * x * d, -5, 5),)))
planted("square: not 0 for 0", square(lambda d, x: (2 * x * d + 1e-14,)))
planted("square: NaN at the largest", square(lambda d, x: (np.where(x == x.max(), np.nan, 2 * x * d),)))
planted(
    "square: wrong only in large arrays",
    square(lambda d, x: (2 * x * d * (1.01 if x.size > 9999 else 1),), lambda: (normal(100, 101),)),
)
planted("square: one of 250,000 elements is missing", square(hole, lambda: (normal(500, 500),)))
planted("square of |x|: gradient is 0", lambda: (lambda x: np.abs(x) ** 2, lambda d, x: (0 * x,), (normal(4, 5),)))
planted(
    "take: repeated indices lose updates",
    lambda: (lambda x: x[[0, 2, 2, 1]], lambda d, x: (_lost(d, x),), (normal(4),)),
)
planted(
    "relu: slope 2 at 0",
    lambda: (lambda x: np.maximum(x, 0), lambda d, x: (d * np.where(x == 0, 2, x > 0),), (np.array([0, 1.0, -1, 0]),)),
)
planted(
    "relu: threshold 1e-5",
    lambda: (lambda x: np.maximum(x, 0), lambda d, x: (d * (x > 1e-5),), (np.array([1e-6, 1.0, -1, 2]),)),
)
planted("tiny: 1e-12 x^2, 1 % off", lambda: (lambda x: 1e-12 * x**2, lambda d, x: (2.02e-12 * x * d,), (normal(4, 5),)))
planted("tiny: 1e-12 x^2, gradient 0", lambda: (lambda x: 1e-12 * x**2, lambda d, x: (0 * x,), (normal(4, 5),)))
planted("offset 1e6: 1.001", lambda: (lambda x: x**3 + 1e6, lambda d, x: (3.003 * x**2 * d,), (normal(4, 5),)))
planted(
    "log: an epsilon in backward only",
    lambda: (np.log, lambda d, x: (d / (x + 1e-8),), (np.array([1e-6, 1e-3, 1.0, 9.0]),)),
)


def _lost(d, x):
    g = np.zeros_like(x)
    g[[0, 2, 2, 1]] += d
    return g


for slope in (0, 0.5, 1):
    right(
        f"relu: slope {slope} at 0",
        lambda slope=slope: (
            lambda x: np.maximum(x, 0), lambda d, x: (d * np.where(x == 0, slope, x > 0),), (np.array([0, 1.0, -1, 0]),)
        ),
    )  # fmt: skip
right("abs: 0 at 0", lambda: (np.abs, lambda d, x: (d * np.sign(x),), (np.array([0, 1.0, -2, 0]),)))
right(
    "relu: a nanometre from the kink",
    lambda: (lambda x: np.maximum(x, 0), lambda d, x: (d * (x > 0),), (np.array([1e-9, -1e-9, 1.0, -1e-12]),)),
)
right("square of |x|", lambda: (lambda x: np.abs(x) ** 2, lambda d, x: (2 * x * d,), (normal(4, 5),)))
right(
    "maximum of two, tied",
    lambda: (np.maximum, lambda d, x, y: (d * (x >= y), d * (x < y)), (np.array([1, 2.0, 3]), np.array([1, 1.0, 5]))),
)
right("tiny: 1e-12 x^2", lambda: (lambda x: 1e-12 * x**2, lambda d, x: (2e-12 * x * d,), (normal(4, 5),)))
right("offset 1e6", lambda: (lambda x: x**3 + 1e6, lambda d, x: (3 * x**2 * d,), (normal(4, 5),)))
right("large: sin(x), x near 1e6", lambda: (np.sin, lambda d, x: (np.cos(x) * d,), (1e6 * normal(4, 5),)))
right("large: square, float32, 1e6", lambda: (lambda x: x**2, lambda d, x: (2 * x * d,), as32(1e6 * normal(4, 5))))
right("sqrt and 1e-8", lambda: (np.sqrt, lambda d, x: (d / 2 / np.sqrt(x),), (np.array([1e-8, 1e-3, 1.0, 9.0]),)))
right(
    "a jump 1e-4 away",
    lambda: (
        lambda x: np.where(x > 1, x**2 + 5, x),
        lambda d, x: (np.where(x > 1, 2 * x, 1) * d,),
        (np.array([1 + 1e-4, 1 - 1e-4, 3.0]),),
    ),
)
right("floor", lambda: (np.floor, lambda d, x: (0 * d,), (np.array([0.5, 1.2, 2.9]),)))
right(
    "float32 inside",
    lambda: (lambda x: (x.astype(np.float32) ** 2).astype(float), lambda d, x: (2 * x * d,), (normal(4, 5),)),
)
right("identity", lambda: (lambda x: x, lambda d, x: (d,), (normal(4, 5),)))
right(
    "sum of two, one gradient for both", lambda: (np.add, lambda d, x, y: (d, d), (normal(4, 5), normal(4, 5, seed=1)))
)
right(
    "standardize near 1e6",
    lambda: (reference.standardize, OPERATIONS["standardize"][1], (normal(1, 1, 4, 4, 1) + 1e6,)),
)
right(
    "standardize, a constant map",
    lambda: (reference.standardize, OPERATIONS["standardize"][1], (np.ones((1, 1, 4, 4, 1)),)),
)
right(
    "softmax cross-entropy, saturated",
    lambda: (OPERATIONS["softmax_cross_entropy"][0], OPERATIONS["softmax_cross_entropy"][1], (30 * normal(6, 4),)),
)
right("square, 250,000 elements", square(lambda d, x: (2 * x * d,), lambda: (normal(500, 500),)))


# --- Operations of other networks.


def pair(forward, backward, *inputs):
    """``make`` of a case without state: ``inputs`` are arrays."""
    return lambda: (forward, backward, tuple(each.copy(order="K") for each in inputs))


def changed(backward, **mistake):
    return lambda d, *inputs: backward(d, *inputs, **mistake)


def windows(x, w, stride, padding):
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    views = np.lib.stride_tricks.sliding_window_view(padded, w.shape[2:], axis=(2, 3))
    return padded, views[:, :, ::stride, ::stride]


def convolution(x, w, stride=2, padding=1):
    return np.einsum("nchwij,fcij->nfhw", windows(x, w, stride, padding)[1], w)


def convolution_backward(d, x, w, stride=2, padding=1, flipped=False, shift=0):
    padded, views = windows(x, w, stride, padding)
    dpadded, kernel = np.zeros_like(padded), w[..., ::-1, ::-1] if flipped else w
    rows, columns = (stride * length for length in d.shape[2:])
    for i, j in np.ndindex(*w.shape[2:]):
        dpadded[:, :, i : i + rows : stride, j : j + columns : stride] += np.einsum(
            "nfhw,fc->nchw", d, kernel[..., i, j]
        )
    dx = np.roll(dpadded, shift, -1)[:, :, padding : padding + x.shape[2], padding : padding + x.shape[3]]
    return dx, np.einsum("nchwij,nfhw->fcij", views, d)


IMAGES = normal(2, 3, 7, 8), normal(4, 3, 3, 3, seed=1)
right("convolution: stride 2, padding 1", pair(convolution, convolution_backward, *IMAGES))
planted("convolution: window flipped", pair(convolution, changed(convolution_backward, flipped=True), *IMAGES))
planted("convolution: padding off by one", pair(convolution, changed(convolution_backward, shift=1), *IMAGES))


def batch_norm(x, scale, shift, epsilon=1e-5):
    return (x - x.mean(0)) / np.sqrt(x.var(0) + epsilon) * scale + shift


def batch_norm_backward(d, x, scale, shift, epsilon=1e-5, ddof=0):
    factor = 1 / np.sqrt(x.var(0, ddof=ddof) + epsilon)
    y, dy = (x - x.mean(0)) * factor, d * scale
    return factor * (dy - dy.mean(0) - y * (dy * y).mean(0)), (d * y).sum(0), d.sum(0)


FEATURES = normal(8, 5), normal(5, seed=1), normal(5, seed=2)
right("batch norm", pair(batch_norm, batch_norm_backward, *FEATURES))
planted("batch norm: another epsilon", pair(batch_norm, changed(batch_norm_backward, epsilon=1e-6), *FEATURES))
planted("batch norm: the sample's variance", pair(batch_norm, changed(batch_norm_backward, ddof=1), *FEATURES))


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(1e-5))


def layer_norm_backward(d, x, factor=1.0):
    scale = 1 / np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(1e-5))
    y = layer_norm(x)
    dx = scale * (d - d.mean(-1, keepdims=True) - y * (d * y).mean(-1, keepdims=True))
    return ((dx * x.dtype.type(factor)).astype(x.dtype),)


SINGLE = as32(normal(4, 32) + 10)
right("layer norm: float32, offset", pair(layer_norm, layer_norm_backward, *SINGLE))
planted("layer norm: float32: 1.001", pair(layer_norm, changed(layer_norm_backward, factor=1.001), *SINGLE))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def attention(q, k, v):
    seen = np.tri(q.shape[1], dtype=bool)
    return softmax(np.where(seen, q @ k.swapaxes(1, 2) / np.sqrt(q.shape[2]), -np.inf)) @ v


def attention_backward(d, q, k, v, leak=0.0, scale=True):
    root = np.sqrt(q.shape[2])
    a = softmax(np.where(np.tri(q.shape[1], dtype=bool), q @ k.swapaxes(1, 2) / root, -np.inf))
    da = d @ v.swapaxes(1, 2)
    ds = (a * (da - (da * a).sum(-1, keepdims=True)) + leak * (a == 0)) / (root if scale else 1)
    return ds @ k, ds.swapaxes(1, 2) @ q, a.swapaxes(1, 2) @ d


TOKENS = normal(2, 4, 3), normal(2, 4, 3, seed=1), normal(2, 4, 3, seed=2)
right("attention: causal", pair(attention, attention_backward, *TOKENS))
planted("attention: the future leaks", pair(attention, changed(attention_backward, leak=1e-6), *TOKENS))
planted("attention: scale is missing", pair(attention, changed(attention_backward, scale=False), *TOKENS))
planted("softmax: the diagonal only", pair(softmax, lambda d, x: (softmax(x) * (1 - softmax(x)) * d,), normal(3, 6)))


def gru(x, h, w, u):
    a, b, size = x @ w, h @ u, h.shape[1]
    z, r = (1 / (1 + np.exp(-(a + b)[:, part])) for part in (slice(size), slice(size, 2 * size)))
    return (1 - z) * np.tanh(a[:, 2 * size :] + r * b[:, 2 * size :]) + z * h


def gru_backward(d, x, h, w, u, carry=True, reset=True):
    a, b, size = x @ w, h @ u, h.shape[1]
    z, r = (1 / (1 + np.exp(-(a + b)[:, part])) for part in (slice(size), slice(size, 2 * size)))
    c = np.tanh(a[:, 2 * size :] + r * b[:, 2 * size :])
    dc = d * (1 - z) * (1 - c**2)
    gates = d * (h - c) * z * (1 - z), dc * b[:, 2 * size :] * r * (1 - r)
    da, db = np.hstack([*gates, dc]), np.hstack([*gates, dc * r if reset else dc])
    return da @ w.T, db @ u.T + (d * z if carry else 0), x.T @ da, h.T @ db


CELL = normal(3, 4), normal(3, 5, seed=1), normal(4, 15, seed=2), normal(5, 15, seed=3)
right("GRU cell", pair(gru, gru_backward, *CELL))
right("GRU cell: float32", pair(gru, gru_backward, *as32(*CELL)))
planted("GRU cell: the carried part is missing", pair(gru, changed(gru_backward, carry=False), *CELL))
planted("GRU cell: the reset gate is missing once", pair(gru, changed(gru_backward, reset=False), *as32(*CELL)))


def tanh_layers(x, w, count=40):
    states = [x]
    for _ in range(count):
        states.append(np.tanh(states[-1] @ w))
    return states


def tanh_layers_backward(d, x, w, first=0):
    states, dw = tanh_layers(x, w), np.zeros_like(w)
    for t in reversed(range(len(states) - 1)):
        dz = d * (1 - states[t + 1] ** 2)
        dw += states[t].T @ dz if t >= first else 0
        d = dz @ w.T
    return d, dw


UNROLLED = normal(3, 6), normal(6, 6, seed=3) / 2
right("40 steps in time", pair(lambda x, w: tanh_layers(x, w)[-1], tanh_layers_backward, *UNROLLED))
planted(
    "40 steps in time: truncated",
    pair(lambda x, w: tanh_layers(x, w)[-1], changed(tanh_layers_backward, first=30), *UNROLLED),
)

# --- Order, kinks, ties.


def ranks(x):
    return x.argsort(-1, kind="stable").argsort(-1, kind="stable")


right("sort", pair(np.sort, lambda d, x: (np.take_along_axis(d, ranks(x), -1),), normal(3, 6)))
right(
    "sort: ties", pair(np.sort, lambda d, x: (np.take_along_axis(d, ranks(x), -1),), np.array([[1.0, 1, 2, 0, 2, 5]]))
)
planted(
    "sort: not the inverse order", pair(np.sort, lambda d, x: (np.take_along_axis(d, x.argsort(-1), -1),), normal(3, 6))
)
right(
    "median of seven",
    pair(lambda x: np.median(x, -1), lambda d, x: ((ranks(x) == 3) * d[:, np.newaxis],), normal(4, 7)),
)
planted(
    "median of eight: one takes all",
    pair(lambda x: np.median(x, -1), lambda d, x: ((ranks(x) == 3) * d[:, np.newaxis],), normal(4, 8)),
)
EDGES = np.array([-2.0, -1, -0.5, 0, 1, 3])
right("clip", pair(lambda x: np.clip(x, -1, 1), lambda d, x: (d * ((x > -1) & (x < 1)),), EDGES))
planted(
    "clip: slope 1.5 at its end",
    pair(lambda x: np.clip(x, -1, 1), lambda d, x: (d * np.where(x == 1, 1.5, (x > -1) & (x < 1)),), EDGES),
)
planted("round: straight through", pair(np.round, lambda d, x: (d,), normal(6)))


def root_of_squares(x):
    return np.sqrt((x.reshape(-1, 4) ** 2).sum(1))


def root_of_squares_backward(d, x):
    y = root_of_squares(x)
    return ((x.reshape(-1, 4) * (d / np.where(y > 0, y, np.inf))[:, np.newaxis]).reshape(x.shape),)


right(
    "L2 pooling: a block of zeros",
    pair(root_of_squares, root_of_squares_backward, normal(3, 8) * (np.arange(24) > 3).reshape(3, 8)),
)
TIED = np.array([1.0, 2, 3]), np.array([1.0, 2, 0])
planted("maximum of two, tied: both take all", pair(np.maximum, lambda d, x, y: (d * (x >= y), d * (y >= x)), *TIED))
planted("maximum of two, tied: neither takes it", pair(np.maximum, lambda d, x, y: (d * (x > y), d * (y > x)), *TIED))
MEETING = lambda x: np.maximum(x, 0) - np.maximum(-x, 0)  # noqa: E731
right("two kinks that make a line", pair(MEETING, lambda d, x: (d,), np.array([-1.0, 0, 2])))
planted("two kinks that make a line: 0 at 0", pair(MEETING, lambda d, x: (d * (x != 0),), np.array([-1.0, 0, 2])))

# --- Scales and sizes.

TINY = np.array([1.0, 1e-12, 1])
right("a tiny gradient among others", pair(lambda x: x**2 * TINY, lambda d, x: (2 * x * TINY * d,), normal(3)))
planted(
    "a tiny gradient among others: doubled",
    pair(lambda x: x**2 * TINY, lambda d, x: (2 * x * np.array([1, 2e-12, 1]) * d,), normal(3)),
)
right("tiny: 1e-20 sin(x)", pair(lambda x: 1e-20 * np.sin(x), lambda d, x: (1e-20 * np.cos(x) * d,), normal(4, 5)))
planted(
    "tiny: 1e-20 sin(x), 1 % off",
    pair(lambda x: 1e-20 * np.sin(x), lambda d, x: (1.01e-20 * np.cos(x) * d,), normal(4, 5)),
)
right("x near 1e-150", pair(lambda x: 3 * x, lambda d, x: (3 * d,), 1e-150 * normal(5)))
planted(
    "exp: one element 1e-6 off",
    pair(np.exp, lambda d, x: (np.exp(x) * d * np.where(x == x.flat[7], 1 + 1e-6, 1),), normal(4, 5)),
)
planted("sin: rounded to 6 decimals", pair(np.sin, lambda d, x: (np.round(np.cos(x) * d, 6),), normal(9)))
planted(
    "square: float16, 10 % off",
    pair(lambda x: x**2, lambda d, x: ((np.float16(2.2) * x * d).astype(np.float16),), normal(4, 5).astype(np.float16)),
)
right("sum of 100,000: float32", pair(lambda x: (x**2).sum(), lambda d, x: (2 * x * d,), *as32(normal(100_000))))
right(
    "softplus: tails",
    pair(lambda x: np.logaddexp(0, x), lambda d, x: (d / (1 + np.exp(-x)),), np.array([-700.0, -40, 0, 40, 700])),
)
planted(
    "softplus: 0 in the tail",
    pair(
        lambda x: np.logaddexp(0, x),
        lambda d, x: (np.where(x < -5, 0, d / (1 + np.exp(-x))),),
        np.array([-10.0, -1, 0, 40]),
    ),
)
HILBERT = 1 / (np.arange(6)[:, np.newaxis] + np.arange(6) + 1)


def solve_backward(d, a, b, sign=-1):
    db = np.linalg.solve(a.T, d)
    return sign * np.outer(db, np.linalg.solve(a, b)), db


right("solve: condition 1e7", pair(np.linalg.solve, solve_backward, HILBERT, normal(6)))
planted("solve: sign", pair(np.linalg.solve, changed(solve_backward, sign=1), HILBERT, normal(6)))
planted(
    "inverse: not transposed",
    pair(np.linalg.inv, lambda d, x: (-np.linalg.inv(x) @ d @ np.linalg.inv(x),), normal(4, 4)),
)
right(
    "product with a zero",
    pair(np.prod, lambda d, x: (d * np.array([np.delete(x, i).prod() for i in range(4)]),), np.array([2.0, 0, 3, -1])),
)
planted(
    "product with a zero: 0 there",
    pair(
        np.prod, lambda d, x: (d * np.where(x != 0, x.prod() / np.where(x != 0, x, 1), 0),), np.array([2.0, 0, 3, -1])
    ),
)

# --- Memory and state.


def reuses_buffers():
    y, g = np.zeros((4, 5)), np.zeros((4, 5))

    def forward(x):
        return np.multiply(x, x, out=y) if x.dtype == y.dtype else x * x

    return forward, lambda d, x: (np.multiply(2 * x, d, out=g),), (normal(4, 5),)


def wrong_from_call(number):
    def make():
        calls = []

        def backward(d, x):
            calls.append(1)
            return (2 * x * d * (1 if len(calls) < number else 1.5),)

        return lambda x: x**2, backward, (normal(4, 5),)

    return make


def dropped(x, seed=3):
    return 2 * x * (np.random.default_rng(seed).random(x.shape) < 0.5)


right("square: both passes write to buffers of their own", reuses_buffers)
planted("square: wrong from the sixth call on", wrong_from_call(6))
right("square: columns first", square(lambda d, x: (2 * x * d,), lambda: (np.asfortranarray(normal(4, 5)),)))
planted(
    "ravel: put back columns first",
    pair(
        lambda x: x.ravel() * np.arange(20.0),
        lambda d, x: ((d * np.arange(20.0)).reshape(4, 5, order="F"),),
        normal(4, 5),
    ),
)
right("dropout: the same mask", pair(dropped, lambda d, x: (dropped(d),), normal(4, 5)))
planted("dropout: another mask", pair(dropped, lambda d, x: (dropped(d, seed=4),), normal(4, 5)))
planted("sum with a bias: mean for sum", pair(np.add, lambda d, x, b: (d, d.mean(0)), normal(4, 5), normal(5, seed=1)))
planted("the incoming gradient is left out", pair(lambda x: x**2, lambda d, x: (2 * x,), normal(4, 5)))
