"""False alarms on random inputs: 22 usual functions at 6 scales, each with its right gradient and wrong twins.

    python bench/false_alarms.py [float64] [float32] [--seeds 15] [--twins]

A checker that looks away has no false alarms; so the wrong twins of the same functions, at the same scales, are counted
beside them: a factor of 1.01, a wrong sign, the largest element 0, the last row dropped.
"""

import argparse
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np.gradcheck import check

SCALES = (1e-6, 1e-3, 0.1, 1.0, 30.0, 1e3)
SHAPE = (4, 6)


@dataclass(frozen=True)
class Function:
    """``forward(*inputs)``, ``backward(d, *inputs)``, and the shapes of the inputs."""

    forward: Any
    backward: Any
    shapes: tuple[tuple[int, ...], ...] = (SHAPE,)
    positive: bool = False


def of_elements(forward, slope, positive=False):
    return Function(forward, lambda d, x: (d * slope(x),), positive=positive)


def logistic(x):
    return 1 / (1 + np.exp(-x))


ALPHA, SCALE = 1.6732632423543772, 1.0507009873554805
ROOT = float(np.sqrt(2 / np.pi))


def gelu(x):
    return x * (1 + special.erf(x / x.dtype.type(2**0.5))) / 2


def gelu_slope(x):
    bell = np.exp(-(x**2) / 2) / x.dtype.type((2 * np.pi) ** 0.5)
    return (1 + special.erf(x / x.dtype.type(2**0.5))) / 2 + x * bell


def inner(x):
    return ROOT * (x + 0.044715 * x**3)


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(inner(x)))


def gelu_tanh_slope(x):
    t = np.tanh(inner(x))
    return 0.5 * (1 + t) + 0.5 * x * (1 - t**2) * ROOT * (1 + 3 * 0.044715 * x**2)


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def mish(x):
    return x * np.tanh(softplus(x))


def mish_slope(x):
    t = np.tanh(softplus(x))
    return t + x * (1 - t**2) * logistic(x)


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(d, x):
    y = softmax(x)
    return (y * (d - (d * y).sum(axis=-1, keepdims=True)),)


def log_softmax(x):
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def log_softmax_backward(d, x):
    return (d - softmax(x) * d.sum(axis=-1, keepdims=True),)


def layer_norm(x):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)


def layer_norm_backward(d, x):
    centred = x - x.mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    y = centred * scale
    return (scale * (d - d.mean(axis=-1, keepdims=True) - y * (d * y).mean(axis=-1, keepdims=True)),)


def rms_norm(x):
    return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)


def rms_norm_backward(d, x):
    scale = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    y = x * scale
    return (scale * (d - y * (d * y).mean(axis=-1, keepdims=True)),)


def log_sum_exp(x):
    top = x.max(axis=-1)
    return top + np.log(np.exp(x - top[:, None]).sum(axis=-1))


def cross_entropy(x):
    return -log_softmax(x)[np.arange(len(x)), np.arange(len(x)) % x.shape[1]].mean()


def cross_entropy_backward(d, x):
    g = softmax(x)
    g[np.arange(len(x)), np.arange(len(x)) % x.shape[1]] -= 1
    return (g * (d / x.dtype.type(len(x))),)


def convolve(x, w):
    return np.stack([x[:, j : j + x.shape[1] - len(w) + 1] for j in range(len(w))], -1) @ w


def convolve_backward(d, x, w):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for j in range(len(w)):
        dx[:, j : j + d.shape[1]] += d * w[j]
        dw[j] = (d * x[:, j : j + d.shape[1]]).sum()
    return dx, dw


def max_pool(x):
    return x.reshape(len(x), -1, 2).max(axis=-1)


def max_pool_backward(d, x):
    pairs = x.reshape(len(x), -1, 2)
    g = np.zeros_like(pairs)
    np.put_along_axis(g, pairs.argmax(axis=-1)[..., None], d[..., None], axis=-1)
    return (g.reshape(x.shape),)


def cumulative_product_backward(d, x):
    g = np.zeros_like(x)
    for k in range(x.shape[1]):
        others = x.copy()
        others[:, k] = 1
        g[:, k] = (d[:, k:] * np.cumprod(others, axis=1)[:, k:]).sum(axis=1)
    return (g,)


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


FUNCTIONS = {
    "relu": of_elements(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype)),
    "leaky relu": of_elements(
        lambda x: np.where(x > 0, x, x.dtype.type(0.01) * x),
        lambda x: np.where(x > 0, x.dtype.type(1), x.dtype.type(0.01)),
    ),
    "elu": of_elements(elu, lambda x: np.where(x > 0, x.dtype.type(1), np.exp(np.minimum(x, 0)))),
    "selu": of_elements(
        lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(np.minimum(x, 0))),
        lambda x: SCALE * np.where(x > 0, x.dtype.type(1), ALPHA * np.exp(np.minimum(x, 0))),
    ),
    "gelu": of_elements(gelu, gelu_slope),
    "gelu tanh": of_elements(gelu_tanh, gelu_tanh_slope),
    "silu": of_elements(lambda x: x * logistic(x), lambda x: logistic(x) * (1 + x * (1 - logistic(x)))),
    "mish": of_elements(mish, mish_slope),
    "softplus": of_elements(softplus, logistic),
    "sigmoid": of_elements(logistic, lambda x: logistic(x) * (1 - logistic(x))),
    "tanh": of_elements(np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "softmax": Function(softmax, softmax_backward),
    "log softmax": Function(log_softmax, log_softmax_backward),
    "layer norm": Function(layer_norm, layer_norm_backward),
    "rms norm": Function(rms_norm, rms_norm_backward),
    "logsumexp": Function(log_sum_exp, lambda d, x: (d[:, None] * softmax(x),)),
    "cross entropy": Function(cross_entropy, cross_entropy_backward),
    "matmul": Function(lambda a, b: a @ b, lambda d, a, b: (d @ b.T, a.T @ d), (SHAPE, (6, 3))),
    "convolution": Function(convolve, convolve_backward, (SHAPE, (3,))),
    "max pool": Function(max_pool, max_pool_backward),
    "square root": of_elements(np.sqrt, lambda x: 0.5 / np.sqrt(x), positive=True),
    "cumprod": Function(lambda x: np.cumprod(x, axis=1), cumulative_product_backward),
}  # fmt: skip


def sign(g):
    return -g


def factor(g):
    return g * g.dtype.type(1.01)


def largest(g):
    g = g.copy()
    g.flat[np.abs(g).argmax()] = 0
    return g


def row(g):
    g = g.copy()
    g[-1] = 0
    return g


TWINS = {"factor 1.01": factor, "wrong sign": sign, "largest is 0": largest, "last row is 0": row}


def inputs_of(function, scale, seed, dtype):
    rng = np.random.default_rng(seed)
    arrays = [(scale * rng.standard_normal(shape)).astype(dtype) for shape in function.shapes]
    return tuple(np.abs(a) + np.asarray(1e-3 * scale, dtype) for a in arrays) if function.positive else tuple(arrays)


def twin(function, change):
    """The pair with ``change`` made to the last gradient."""

    def backward(d, *arrays):
        *others, last = function.backward(d, *arrays)
        return *others, change(last)

    return backward


def differs(function, wrong, arrays):
    """Whether a twin is wrong at all here: where the gradient is 0, or rounding is all of it, it is not."""
    d = np.asarray(np.random.default_rng(0).uniform(1, 2, np.shape(function.forward(*arrays))), arrays[0].dtype)
    right, other = function.backward(d, *arrays)[-1], wrong(d, *arrays)[-1]
    rounding = float(np.finfo(right.dtype).eps) * max(1.0, float(np.abs(right).max()))
    return bool((np.abs(right.astype(float) - other) > 1e4 * rounding).any())


def trial(name, scale, seed, dtype, change=None):
    """The report on a function, or on its twin with ``change``; None where the twin is not wrong."""
    function = FUNCTIONS[name]
    arrays = inputs_of(function, scale, seed, dtype)
    backward = function.backward if change is None else twin(function, change)
    with np.errstate(all="ignore"):
        if change is not None and not differs(function, backward, arrays):
            return None
        return check(function.forward, backward, arrays, seconds=20, seed=seed)


def count(dtype, seeds, with_twins, say=print):
    """Check all; returns Counters of right and wrong pairs: how many, and how many got which verdict."""
    right, wrong = Counter(), Counter()
    for name in FUNCTIONS:
        for scale in SCALES:
            for seed in range(seeds):
                report = trial(name, scale, seed, dtype)
                right["all"] += 1
                right["passed"] += report.passed
                if not report.passed:
                    say(f"{dtype} {name} at {scale:g}, seed {seed}: {report.worst!s} {report.problems}")
                for words, change in TWINS.items() if with_twins else ():
                    report = trial(name, scale, seed, dtype, change)
                    if report is not None:
                        wrong["all"] += 1
                        wrong["caught"] += not report.passed
                        if report.passed:
                            say(f"{dtype} {name} at {scale:g}, seed {seed}: {words} passes")
    return right, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dtypes", nargs="*", default=["float64", "float32"])
    parser.add_argument("--seeds", type=int, default=15)
    parser.add_argument("--twins", action="store_true", help="the wrong twins, too")
    parser.add_argument("--quiet", action="store_true", help="the counts alone")
    chosen = parser.parse_args()
    for dtype in chosen.dtypes:
        begun = time.process_time()
        say = (lambda *_: None) if chosen.quiet else print
        right, wrong = count(dtype, chosen.seeds, chosen.twins, say)
        line = f"{dtype}: {right['all'] - right['passed']} false alarms of {right['all']}"
        if chosen.twins:
            line += f"; {wrong['caught']} wrong twins caught of {wrong['all']}"
        print(f"{line}; {time.process_time() - begun:.0f} CPU s", flush=True)


if __name__ == "__main__":
    main()
