"""Where rounding is large or the range of numbers wide: tails, saturation, tiny arrays, coarse and fine dtypes."""

import math

import numpy as np

from .making import as32, both, changed, normal, twins

# --- Wide ranges within one gradient


def recurrent(x, w, u):
    """States of h = tanh(x_t w + h u), with x of shape (steps, n, inputs)."""
    states = [np.zeros((x.shape[1], u.shape[0]), x.dtype)]
    for each in x:
        states.append(np.tanh(each @ w + states[-1] @ u))
    return states


def recurrent_backward(d, x, w, u, first=0):
    states, dx, dw, du = recurrent(x, w, u), np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
    for t in reversed(range(first, len(x))):
        dz = d * (1 - states[t + 1] ** 2)
        dx[t], d = dz @ w.T, dz @ u.T
        dw += x[t].T @ dz
        du += states[t].T @ dz
    return dx, dw, du


def recurrent_truth(torch, x, w, u):
    h = torch.zeros(x.shape[1], u.shape[0], dtype=x.dtype)
    for each in x:
        h = torch.tanh(each @ w + h @ u)
    return h


STEPS = normal(30, 3, 4), normal(4, 5, seed=1), normal(5, 5, seed=2) / 3
both(
    "recurrent",
    lambda *a: recurrent(*a)[-1],
    recurrent_backward,
    STEPS,
    {"no gradient before step 10": changed(recurrent_backward, first=10)},
    recurrent_truth,
)

GAINS = 10.0 ** -np.arange(8)


def gained_backward(d, x, least=1.0):
    return (d * np.cos(x) * (GAINS * np.where(GAINS < 2e-6, least, 1)).astype(x.dtype),)


both(
    "gains of 1 to 1e-7",
    lambda x: np.sin(x) * GAINS.astype(x.dtype),
    gained_backward,
    (normal(3, 8),),
    {"1 % off at the least two": changed(gained_backward, least=1.01)},
    lambda torch, x: torch.sin(x) * torch.tensor(GAINS, dtype=x.dtype),
)


def rectified_backward(d, x, lost=None):
    g = d * (x > 0)
    if lost is not None:
        g[lost] = 0
    return (g,)


MILLION = np.abs(normal(1_000_000)) + 0.1
both(
    "relu of 1,000,000",
    lambda x: np.maximum(x, 0),
    rectified_backward,
    (MILLION,),
    {"one element is missing": changed(rectified_backward, lost=654_321)},
    lambda torch, x: torch.relu(x),
)


def mean_of_squares_backward(d, x, lost=0):
    g = d * 2 * x / x.dtype.type(x.size)
    g[:lost] = 0
    return (g,)


twins(
    "mean of 300,000 squares: float32",
    lambda x: np.mean(x**2),
    mean_of_squares_backward,
    as32(normal(300_000)),
    {"the first is missing": changed(mean_of_squares_backward, lost=1)},
    lambda torch, x: (x**2).mean(),
)

# --- Tails


def normal_distribution(x):
    return np.vectorize(math.erfc, otypes=[float])(-x / math.sqrt(2)).astype(x.dtype) / 2


def normal_density(x):
    return np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi)


def gelu(x):
    return x * normal_distribution(x)


def gelu_backward(d, x):
    return (d * (normal_distribution(x) + x * normal_density(x)),)


ROOT = math.sqrt(2 / math.pi)


def gelu_tanh(x):
    return x / 2 * (1 + np.tanh(ROOT * (x + 0.044715 * x**3)))


def gelu_tanh_backward(d, x, root=ROOT):
    t = np.tanh(root * (x + 0.044715 * x**3))
    return (d * ((1 + t) / 2 + x / 2 * (1 - t**2) * root * (1 + 3 * 0.044715 * x**2)),)


TAIL = np.array([-5.0, -5.3, -4.1, -1, 0, 0.3, 2, 5])
twins(
    "GELU at -5",
    gelu,
    gelu_backward,
    (TAIL,),
    {"gradient of its tanh form": gelu_tanh_backward},
    lambda torch, x: torch.nn.functional.gelu(x),
)
both(
    "GELU by tanh at -5",
    gelu_tanh,
    gelu_tanh_backward,
    (TAIL,),
    {"a constant with four digits": changed(gelu_tanh_backward, root=0.7978)},
    lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
)


def mish_backward(d, x, carried=True):
    t, s = np.tanh(np.logaddexp(0, x)), 1 / (1 + np.exp(-x))
    return (d * (t + x * (1 - t**2) * (s if carried else 1)),)


twins(
    "mish at -12",
    lambda x: x * np.tanh(np.logaddexp(0, x)),
    mish_backward,
    (np.array([-12.0, -11, -3, 0, 1, 20]),),
    {"sigmoid is missing": changed(mish_backward, carried=False)},
    lambda torch, x: torch.nn.functional.mish(x),
)
twins(
    "x (1 - cos x) near 0",
    lambda x: x * (1 - np.cos(x)),
    lambda d, x: (d * (1 - np.cos(x) + x * np.sin(x)),),
    (np.array([1e-6, -1e-5, 1e-3, 0.5]),),
    {"second term is missing": lambda d, x: (d * (1 - np.cos(x)),)},
    lambda torch, x: x * (1 - torch.cos(x)),
)


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def sigmoid_backward(d, x, sign=-1):
    y = sigmoid(x)
    return (d * y * (1 + sign * y),)


both(
    "sigmoid at 40",
    sigmoid,
    sigmoid_backward,
    (np.array([-40.0, 40, 0, 3]),),
    {"sign": changed(sigmoid_backward, sign=1)},
    lambda torch, x: torch.sigmoid(x),
)


def tanh_backward(d, x, power=2):
    return (d * (1 - np.tanh(x) ** power),)


both(
    "tanh at 9",
    np.tanh,
    tanh_backward,
    (np.array([-9.0, 9, 8, 0.4]),),
    {"cubed": changed(tanh_backward, power=3)},
    lambda torch, x: torch.tanh(x),
)

twins(
    "log of sigmoid at -800",
    lambda x: -np.logaddexp(0, -x),
    lambda d, x: (d * sigmoid(-x),),
    (np.array([-800.0, -30, 0, 30, 800]),),
    {
        "sigmoid of x": lambda d, x: (d * sigmoid(x),),
        "overflows to NaN": lambda d, x: (d * np.exp(-x) / (1 + np.exp(-x)),),
    },
    lambda torch, x: torch.nn.functional.logsigmoid(x),
)


def sinc(x):
    return np.where(x == 0, 1, np.sin(x) / np.where(x == 0, 1, x))


def sinc_backward(d, x):
    safe = np.where(x == 0, 1, x)
    series = -x / 3 + x**3 / 30 - x**5 / 840
    return (d * np.where(np.abs(x) < 1e-2, series, (np.cos(x) - sinc(x)) / safe),)


twins(
    "sin(x) / x near 0",
    sinc,
    sinc_backward,
    (np.array([0, 1e-9, 1e-3, -0.5, 4]),),
    {
        "NaN at 0": lambda d, x: (d * (np.cos(x) / x - np.sin(x) / x**2),),
        "0 below 0.01": lambda d, x: (sinc_backward(d, x)[0] * (np.abs(x) > 1e-2),),
    },
    lambda torch, x: torch.sinc(x / math.pi),
)

# --- Saturation and cancelling


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def softmax_backward(d, x, projected=True):
    y = softmax(x)
    return (y * (d - (d * y).sum(-1, keepdims=True) * projected),)


def softmax_truth(torch, x):
    return torch.softmax(x, -1)


WITHOUT_SUM = {"the sum is missing": changed(softmax_backward, projected=False)}
SATURATED = np.array([[0, 16.0], [16, 0.5], [3, -20]])
twins("softmax of 0 and 16", softmax, softmax_backward, (SATURATED,), WITHOUT_SUM, softmax_truth)
twins("softmax of 0 and 16: float32", softmax, softmax_backward, as32(SATURATED), WITHOUT_SUM, softmax_truth)
twins("softmax: float32 logits of 10", softmax, softmax_backward, as32(10 * normal(4, 6)), WITHOUT_SUM, softmax_truth)


def log_sum_exp(x):
    largest = x.max(-1)
    return largest + np.log(np.exp(x - largest[..., np.newaxis]).sum(-1))


twins(
    "log of a sum of exp, at 1,000",
    log_sum_exp,
    lambda d, x: (d[..., np.newaxis] * softmax(x),),
    (1000 + 5 * normal(4, 4),),
    {"over the other axis": lambda d, x: (d[..., np.newaxis] * softmax(x.T).T,)},
    lambda torch, x: torch.logsumexp(x, -1),
)


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(1e-5))


def layer_norm_backward(d, x, centred=True):
    y, root = layer_norm(x), np.sqrt(x.var(-1, keepdims=True) + x.dtype.type(1e-5))
    return ((d - d.mean(-1, keepdims=True) * centred - y * (d * y).mean(-1, keepdims=True)) / root,)


both(
    "layer norm over two values",
    layer_norm,
    layer_norm_backward,
    (normal(5, 2),),
    {"the term through the mean is missing": changed(layer_norm_backward, centred=False)},
    lambda torch, x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
)

# --- Arrays far from 1


def affine_tanh(x, w):
    return np.tanh(x @ w + 0.3)


def affine_tanh_backward(d, x, w, factor=1.0):
    dz = d * (1 - affine_tanh(x, w) ** 2)
    return (factor * dz) @ w.T, x.T @ dz


for size in (1e-13, 1e-17):
    twins(
        f"inputs near {size:g}",
        affine_tanh,
        affine_tanh_backward,
        (size * normal(3, 4), normal(4, 5, seed=1)),
        {"factor 1.2": changed(affine_tanh_backward, factor=1.2)},
        lambda torch, x, w: torch.tanh(x @ w + 0.3),
    )
twins(
    "fine waves: sin(1e5 x)",
    lambda x: np.sin(1e5 * x),
    lambda d, x: (1e5 * np.cos(1e5 * x) * d,),
    (normal(4, 5),),
    {"factor 1.0001": lambda d, x: (1.0001e5 * np.cos(1e5 * x) * d,)},
    lambda torch, x: torch.sin(1e5 * x),
)


def logistic(x, count=25):
    states = [x]
    for _ in range(count):
        states.append(3.9 * states[-1] * (1 - states[-1]))
    return states


def logistic_backward(d, x, factor=1.0):
    for state in reversed(logistic(x)[:-1]):
        d = d * 3.9 * (1 - 2 * state)
    return (factor * d,)


def logistic_truth(torch, x):
    for _ in range(25):
        x = 3.9 * x * (1 - x)
    return x


twins(
    "a chaotic map, 25 times",
    lambda x: logistic(x)[-1],
    logistic_backward,
    (np.array([0.123, 0.4, 0.77]),),
    {"1 % off": changed(logistic_backward, factor=1.01)},
    logistic_truth,
)
twins(
    "quotient, divisor near 1e-7",
    np.divide,
    lambda d, x, y: (d / y, -d * x / y**2),
    (normal(6), 1e-7 * normal(6, seed=1)),
    {"an epsilon in backward only": lambda d, x, y: (d / (y + 1e-12), -d * x / (y + 1e-12) ** 2)},
    lambda torch, x, y: x / y,
)


def power_backward(d, x, p, logarithm=True):
    y, safe = x**p, np.where(x > 0, x, 1)
    return d * p * x ** (p - 1), (d * y * np.log(safe if logarithm else x)) if logarithm is not None else d * y


POWERS = np.array([0, 0.2, 1, 3]), np.array([2.0, 3, 1.5, -2])
twins(
    "power with a base of 0",
    np.power,
    power_backward,
    POWERS,
    {
        "NaN for the exponent at 0": changed(power_backward, logarithm=False),
        "logarithm is missing": changed(power_backward, logarithm=None),
    },
    lambda torch, x, p: x**p,
)

# --- Coarse and fine numbers

HALF = np.array([12.3, -11.6, 12, 0.5, -3], np.float16)
twins(
    "square near 12: float16",
    lambda x: x**2,
    lambda d, x: (2 * x * d,),
    (HALF,),
    {"factor 1.1": lambda d, x: (np.float16(2.2) * x * d,)},
    lambda torch, x: x**2,
)
twins(
    "exp of 81: float32",
    np.exp,
    lambda d, x: (d * np.exp(x),),
    as32(np.array([81.0, 80, -5, 1])),
    {"factor 1.01": lambda d, x: (d * np.exp(x) * np.float32(1.01),)},
    lambda torch, x: torch.exp(x),
)
LONG = normal(3, 4).astype(np.longdouble)
twins(
    "square: longdouble",
    lambda x: x**2,
    lambda d, x: (2 * x * d,),
    (LONG,),
    {"factor 1.001": lambda d, x: (2 * x * d * np.longdouble("1.001"),)},
    lambda torch, x: x**2,
)


def dense(x, w, b):
    return np.tanh(x @ w + b)


def dense_backward(d, x, w, b, dtype=None, factor=1.0):
    dz = d * (1 - dense(x, w, b) ** 2)
    dw = x.T @ dz if dtype is None else (x.T.astype(dtype) @ dz.astype(dtype)).astype(w.dtype)
    return dz @ w.T, dw * w.dtype.type(factor), dz.sum(0)


DENSE = normal(7, 6), normal(6, 5, seed=1), normal(5, seed=2)
twins(
    "tanh layer: float32",
    dense,
    dense_backward,
    as32(*DENSE),
    {
        "weights' gradient in float16": changed(dense_backward, dtype=np.float16),
        "factor 1.00001": changed(dense_backward, factor=1.00001),
    },
    lambda torch, x, w, b: torch.tanh(x @ w + b),
)


def of_two_kinds(d, x, w, b, summed=True):
    dx, dw, db = dense_backward(d, x, w, b)
    return dx, dw.astype(w.dtype), (db if summed else (d * (1 - dense(x, w, b) ** 2))[0]).astype(b.dtype)


twins(
    "tanh layer: float32 weights, float64 inputs",
    dense,
    of_two_kinds,
    (DENSE[0], *as32(*DENSE[1:])),
    {"bias not summed over the batch": changed(of_two_kinds, summed=False)},
    lambda torch, x, w, b: torch.tanh(x @ w.to(x.dtype) + b.to(x.dtype)),
)
