"""State, purity, memory and size, most of them on y = x^2."""

import numpy as np

from kernels import reference

from .making import as32, normal, pair, planted, right
from .shipped import OPERATIONS


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


right("square", square(lambda d, x: (2 * x * d,)))
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
right("square, 10,100 elements", square(lambda d, x: (2 * x * d,), lambda: (normal(100, 101),)))
planted(
    "square, 10,100 elements: wrong only in large arrays",
    square(lambda d, x: (2 * x * d * (1.01 if x.size > 9999 else 1),), lambda: (normal(100, 101),)),
)
planted("square, 250,000 elements: one is missing", square(hole, lambda: (normal(500, 500),)))
planted("square of |x|: gradient is 0", lambda: (lambda x: np.abs(x) ** 2, lambda d, x: (0 * x,), (normal(4, 5),)))
right("take", lambda: (lambda x: x[[0, 2, 2, 1]], lambda d, x: (_taken(d, x),), (normal(4),)))
planted(
    "take: repeated indices lose updates",
    lambda: (lambda x: x[[0, 2, 2, 1]], lambda d, x: (_lost(d, x),), (normal(4),)),
)
planted(
    "relu: slope 1 at 0: slope 2",
    lambda: (lambda x: np.maximum(x, 0), lambda d, x: (d * np.where(x == 0, 2, x > 0),), (np.array([0, 1.0, -1, 0]),)),
)
right(
    "relu: near 0",
    lambda: (lambda x: np.maximum(x, 0), lambda d, x: (d * (x > 0),), (np.array([1e-6, 1.0, -1, 2]),)),
)
planted(
    "relu: near 0: threshold 1e-5",
    lambda: (lambda x: np.maximum(x, 0), lambda d, x: (d * (x > 1e-5),), (np.array([1e-6, 1.0, -1, 2]),)),
)
planted("tiny: 1e-12 x^2: 1 % off", lambda: (lambda x: 1e-12 * x**2, lambda d, x: (2.02e-12 * x * d,), (normal(4, 5),)))
planted("tiny: 1e-12 x^2: gradient 0", lambda: (lambda x: 1e-12 * x**2, lambda d, x: (0 * x,), (normal(4, 5),)))
planted("offset 1e6: factor 1.001", lambda: (lambda x: x**3 + 1e6, lambda d, x: (3.003 * x**2 * d,), (normal(4, 5),)))
right("log", lambda: (np.log, lambda d, x: (d / x,), (np.array([1e-6, 1e-3, 1.0, 9.0]),)))
planted(
    "log: an epsilon in backward only",
    lambda: (np.log, lambda d, x: (d / (x + 1e-8),), (np.array([1e-6, 1e-3, 1.0, 9.0]),)),
)


def _taken(d, x):
    g = np.zeros_like(x)
    np.add.at(g, [0, 2, 2, 1], d)
    return g


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
right(
    "ravel",
    pair(lambda x: x.ravel() * np.arange(20.0), lambda d, x: ((d * np.arange(20.0)).reshape(4, 5),), normal(4, 5)),
)
planted(
    "ravel: put back columns first",
    pair(
        lambda x: x.ravel() * np.arange(20.0),
        lambda d, x: ((d * np.arange(20.0)).reshape(4, 5, order="F"),),
        normal(4, 5),
    ),
)
right("dropout", pair(dropped, lambda d, x: (dropped(d),), normal(4, 5)))
planted("dropout: another mask", pair(dropped, lambda d, x: (dropped(d, seed=4),), normal(4, 5)))
right("sum with a bias", pair(np.add, lambda d, x, b: (d, d.sum(0)), normal(4, 5), normal(5, seed=1)))
planted("sum with a bias: mean for sum", pair(np.add, lambda d, x, b: (d, d.mean(0)), normal(4, 5), normal(5, seed=1)))
planted("square: the incoming gradient is left out", pair(lambda x: x**2, lambda d, x: (2 * x,), normal(4, 5)))
