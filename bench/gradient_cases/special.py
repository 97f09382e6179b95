"""Solvers and tables inside, special functions, steep and flat places, complex numbers, float16."""

import math

import numpy as np

from .making import as32, both, changed, normal, planted, right, twins

# --- Forward passes that iterate until they are content


def fixed_point(x, w, stop=1e-12):
    y = np.zeros_like(x)
    while True:
        y, last = np.tanh(y @ w + x), y
        if np.abs(y - last).max() <= stop:
            return y


def unrolled(torch, x, w):
    y = torch.zeros_like(x)
    for _ in range(200):
        y = torch.tanh(y @ w + x)
    return y


CONTRACTING = normal(3, 4), normal(4, 4, seed=1) / 5


def implicit_backward(d, x, w, implicit=True):
    """dz = slope (d + dz w.T): a linear system for each row; not ``implicit``: of the last step alone."""
    y = fixed_point(x, w)
    slope = 1 - y**2
    dz = slope * d
    if implicit:
        dz = np.stack(
            [np.linalg.solve(np.eye(len(w)) - s[:, np.newaxis] * w, z) for s, z in zip(slope, dz, strict=True)]
        )
    return dz, y.T @ dz


twins(
    "fixed point of a layer",
    fixed_point,
    implicit_backward,
    CONTRACTING,
    {"of the last step alone": changed(implicit_backward, implicit=False)},
    unrolled,
)


def newton_root(x):
    y = np.ones_like(x)
    for _ in range(40):
        y = (y + x / y) / 2
    return y


twins(
    "root by Newton's steps",
    newton_root,
    lambda d, x: (d / 2 / newton_root(x),),
    (np.abs(normal(6)) + 0.1,),
    {"of the last step alone": lambda d, x: (d / 2 / newton_root(x) / 2 + 0 * x,)},
    lambda torch, x: torch.sqrt(x),
)


def noisy():
    """Threads that add in any order: forward differs by last places from call to call."""
    rng = np.random.default_rng(11)
    return lambda x: x**2 * (1 + 2e-16 * rng.integers(-2, 3, x.shape))


right("square, repeatable to rounding", lambda: (noisy(), lambda d, x: (2 * x * d,), (normal(4, 5),)))
planted(
    "square, repeatable to rounding: factor 1.0001", lambda: (noisy(), lambda d, x: (2.0002 * x * d,), (normal(4, 5),))
)

# --- Tables and steps

KNOTS = np.linspace(-3, 3, 601)
VALUES = np.sin(3 * KNOTS)


def looked_up_backward(d, x, smooth=False):
    k = np.searchsorted(KNOTS, x, "right") - 1
    own = (VALUES[k + 1] - VALUES[k]) / (KNOTS[k + 1] - KNOTS[k])
    return (d * (3 * np.cos(3 * x) if smooth else own),)


BETWEEN = np.array([0.003, -1.4049, 2.7, 1.1101, -2.2266])
twins(
    "table of 600 values, linear between",
    lambda x: np.interp(x, KNOTS, VALUES),
    looked_up_backward,
    (BETWEEN,),
    {"slope of the smooth function": changed(looked_up_backward, smooth=True)},
)
twins(
    "a jump 1e-9 away",
    lambda x: np.where(x > 1, x**2 + 5, x),
    lambda d, x: (np.where(x > 1, 2 * x, 1) * d,),
    (np.array([1 + 1e-9, 1 - 1e-9, 3.0, 0.2]),),
    {"slopes of the other side": lambda d, x: (np.where(x > 1, 1, 2 * x) * d,)},
)
twins(
    "leaky relu of slope 0.999, at 0",
    lambda x: np.where(x > 0, x, 0.999 * x),
    lambda d, x: (d * np.where(x > 0, 1, 0.999),),
    (np.array([0.0, 1, -2, 0]),),
    {"slope 0.9 at 0": lambda d, x: (d * np.where(x > 0, 1, np.where(x == 0, 0.9, 0.999)),)},
    lambda torch, x: torch.where(x > 0, x, 0.999 * x),
)
twins(
    "x |x| at 0",
    lambda x: x * np.abs(x),
    lambda d, x: (2 * np.abs(x) * d,),
    (np.array([0.0, 1, -2, 1e-8]),),
    {"|x|": lambda d, x: (np.abs(x) * d,)},
    lambda torch, x: x * torch.abs(x),
)


def root_backward(d, x, share=1.0):
    """0 at 0, where the slope is not finite: what a check can say of that element is that it cannot tell."""
    return (d * share / 2 / np.sqrt(np.where(x > 0, x, np.inf)),)


twins(
    "square root with a 0 among others",
    np.sqrt,
    root_backward,
    (np.array([0.0, 1, 4, 0.3]),),
    {"half of it": changed(root_backward, share=0.5)},
)

# --- Steep, flat, special


def slopes_of_angle(d, y, x, sign=-1):
    r = x**2 + y**2
    return d * x / r, sign * d * y / r


twins(
    "angle of two coordinates",
    np.arctan2,
    slopes_of_angle,
    (np.array([0, 1, -1e-3, 2.0]), np.array([1, 0, -1, 1e-6])),
    {"sign": changed(slopes_of_angle, sign=1)},
    lambda torch, y, x: torch.atan2(y, x),
)
twins(
    "arc cosine near 1",
    np.arccos,
    lambda d, x: (-d / np.sqrt((1 - x) * (1 + x)),),
    (np.array([1 - 1e-9, 0.9999, -0.3, -1 + 1e-6]),),
    {"1 % off": lambda d, x: (-1.01 * d / np.sqrt((1 - x) * (1 + x)),)},
    lambda torch, x: torch.acos(x),
)


def digamma(x, terms=6):
    shift = np.zeros_like(x)
    while (x < 12).any():
        small = x < 12
        shift = np.where(small, shift - 1 / x, shift)
        x = np.where(small, x + 1, x)
    series = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760][:terms]
    return shift + np.log(x) - 1 / (2 * x) - sum(c / x ** (2 * k + 2) for k, c in enumerate(series))


twins(
    "logarithm of the gamma function",
    np.vectorize(math.lgamma, otypes=[float]),
    lambda d, x: (d * digamma(x),),
    (np.array([0.2, 1, 3.3, 20]),),
    {"series of one term": lambda d, x: (d * digamma(x, terms=1),)},
    lambda torch, x: torch.lgamma(x),
)
twins(
    "x to the power -3, near 0.001",
    lambda x: x**-3.0,
    lambda d, x: (-3 * d * x**-4.0,),
    (np.array([1e-3, -2e-3, 0.5, 4]),),
    {"power -3 kept": lambda d, x: (-3 * d * x**-3.0,)},
    lambda torch, x: x**-3.0,
)


def by_temperature(d, x, t, rows=None):
    y = np.exp(x / t) / np.exp(x / t).sum(-1, keepdims=True)
    dz = y * (d - (d * y).sum(-1, keepdims=True))
    return dz / t, -(dz * x)[:rows].sum() / t**2


twins(
    "softmax by a temperature",
    lambda x, t: np.exp(x / t) / np.exp(x / t).sum(-1, keepdims=True),
    by_temperature,
    (normal(3, 4), np.array(0.3)),
    {"temperature not summed over all": changed(by_temperature, rows=1)},
    lambda torch, x, t: torch.softmax(x / t, -1),
)
both(
    "batch norm of one",
    lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + x.dtype.type(1e-5)),
    lambda d, x: (0 * d,),
    (normal(1, 4),),
    {"mean and variance held constant": lambda d, x: (d / np.sqrt(x.var(0) + x.dtype.type(1e-5)),)},
)


def masked_mean(x, seen):
    count = seen.sum(-1)
    return np.where(count > 0, (x * seen).sum(-1) / np.maximum(count, 1), 0).astype(x.dtype)


def masked_mean_backward(d, x, seen, safe=True):
    count = seen.sum(-1)
    share = d / (np.maximum(count, 1) if safe else count)
    return (share[:, np.newaxis] * seen).astype(x.dtype), None


both(
    "mean under a mask, one row empty",
    masked_mean,
    masked_mean_backward,
    (normal(3, 4), np.array([[1, 0, 1, 1], [0, 0, 0, 0], [0, 1, 0, 0]])),
    {"NaN in the empty row": changed(masked_mean_backward, safe=False)},
    lambda torch, x, seen: (x * seen).sum(-1) / seen.sum(-1).clamp(min=1),
)

# --- Long sums in float32


def running_sum_backward(d, x, shift=0):
    return (np.cumsum(d[::-1])[::-1] - shift * d,)


twins(
    "running sum of 800: float32",
    np.cumsum,
    running_sum_backward,
    as32(normal(800)),
    {"own element left out": changed(running_sum_backward, shift=1)},
    lambda torch, x: torch.cumsum(x, 0),
)


def scalar_backward(d, a, x, mean=False):
    s = (d * x).sum(dtype=x.dtype)
    return np.asarray(s / x.dtype.type(x.size if mean else 1)), d * a


twins(
    "scalar times 100,000: float32",
    lambda a, x: a * x,
    scalar_backward,
    as32(np.array(0.7), normal(100_000)),
    {"mean for sum": changed(scalar_backward, mean=True)},
    lambda torch, a, x: a * x,
)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(d, x, projected=True):
    y = softmax(x)
    return (y * (d - projected * (d * y).sum(-1, keepdims=True)),)


twins(
    "softmax of 400 classes: float32",
    softmax,
    softmax_backward,
    as32(3 * normal(2, 400)),
    {"the sum is missing": changed(softmax_backward, projected=False)},
    lambda torch, x: torch.softmax(x, -1),
)

# --- float16


def half_dense(x, w):
    return np.tanh(x.astype(np.float32) @ w.astype(np.float32)).astype(x.dtype)


def half_dense_backward(d, x, w, factor=1.0):
    x_, w_, d_ = (each.astype(np.float32) for each in (x, w, d))
    dz = d_ * (1 - np.tanh(x_ @ w_) ** 2)
    return (dz @ w_.T).astype(x.dtype), (factor * x_.T @ dz).astype(w.dtype)


twins(
    "tanh layer: float16, float32 inside",
    half_dense,
    half_dense_backward,
    tuple(each.astype(np.float16) for each in (normal(4, 6), normal(6, 5, seed=1))),
    {"5 % off": changed(half_dense_backward, factor=1.05)},
)

# --- Complex numbers, by PyTorch's convention: for a real loss the gradient is dL/da + i dL/db of z = a + ib


def complex_normal(*shape, seed=0):
    return normal(*shape, seed=seed) + 1j * normal(*shape, seed=seed + 100)


SIGNAL = complex_normal(3, 4), complex_normal(4, seed=1)
twins(
    "complex: product",
    lambda z, w: z * w,
    lambda d, z, w: (d * w.conj(), (d * z.conj()).sum(0)),
    SIGNAL,
    {"not conjugated": lambda d, z, w: (d * w, (d * z).sum(0))},
    lambda torch, z, w: z * w,
)
twins(
    "complex: power of a signal",
    lambda z: z.real**2 + z.imag**2,
    lambda d, z: (2 * d * z,),
    SIGNAL[:1],
    {"conjugated": lambda d, z: (2 * d * z.conj(),), "factor 2 is missing": lambda d, z: (d * z,)},
    lambda torch, z: z.real**2 + z.imag**2,
)
twins(
    "complex: spectrum of a real signal",
    np.fft.fft,
    lambda d, x: ((np.fft.ifft(d) * x.shape[-1]).real,),
    (normal(2, 6),),
    {"divided by the length": lambda d, x: (np.fft.ifft(d).real,)},
    lambda torch, x: torch.fft.fft(x),
)
twins(
    "half of a float64, in float32",
    lambda x: x.astype(np.float32) / 2,
    lambda d, x: (d.astype(np.float64) / 2,),
    (normal(3, 4),),
    {"doubled": lambda d, x: (d.astype(np.float64) * 2,)},
)
