"""Choices: order, ties, masks, kinks in a row, points where the slope is not finite, gather and scatter."""

import numpy as np

from .making import both, changed, normal, twins

# --- Kinks


def two_layers(x, w, u):
    return np.maximum(np.maximum(x @ w, 0) @ u, 0)


def two_layers_backward(d, x, w, u, masked=True):
    z = x @ w
    h = np.maximum(z, 0)
    dz = d * (h @ u > 0)
    dh = dz @ u.T
    da = dh * (z > 0) if masked else dh
    return x.T @ da if masked is None else da @ w.T, x.T @ da, h.T @ dz


ZERO_ROW = normal(4, 3) * np.array([[1], [0], [1], [1]]), normal(3, 5, seed=1), normal(5, 2, seed=2)
both(
    "two relu, a row of zeros",
    two_layers,
    two_layers_backward,
    ZERO_ROW,
    {"the inner one is missing": changed(two_layers_backward, masked=False)},
    lambda torch, x, w, u: torch.relu(torch.relu(x @ w) @ u),
)


def largest_k(x, k=3):
    return -np.sort(-x, -1)[..., :k]


def largest_k_backward(d, x, k=3):
    g = np.zeros_like(x)
    np.put_along_axis(g, np.argsort(-x, -1, kind="stable")[..., :k], d, -1)
    return (g,)


def all_of_the_last(d, x, k=3):
    (g,) = largest_k_backward(d, x, k)
    return (np.where(x == largest_k(x, k)[..., -1:], d[..., -1:], g),)


TIES = np.array([[1.0, 2, 2, 2, 0, 3], [5, 5, 5, 5, 1, 2]])
twins(
    "top three, equal values",
    largest_k,
    largest_k_backward,
    (TIES,),
    {"all that equal the third take its gradient": all_of_the_last},
)


def median_backward(d, x, both=False):
    order = np.argsort(x, -1, kind="stable")
    g = np.zeros_like(x)
    np.put_along_axis(g, order[:, 2:3], d[:, np.newaxis], -1)
    return ((x == np.median(x, -1, keepdims=True)) * d[:, np.newaxis] if both else g,)


twins(
    "median of five, equal values",
    lambda x: np.median(x, -1),
    median_backward,
    (np.array([[1.0, 2, 2, 5, 0], [3, 3, 3, 3, 3], [0.1, 0.2, 0.3, 0.4, 0.5]]),),
    {"every equal one takes it": changed(median_backward, both=True)},
)


def split_evenly(d, x):
    top = x == x.max(-1, keepdims=True)
    return (top / top.sum(-1, keepdims=True) * d[..., np.newaxis],)


twins(
    "maximum of a row of equals",
    lambda x: x.max(-1),
    split_evenly,
    (np.array([[2.0, 2, 2, 2], [1, 0, 1, 0.5]]),),
    {
        "all take all": lambda d, x: ((x == x.max(-1, keepdims=True)) * d[..., np.newaxis],),
        "nobody takes it where tied": lambda d, x: ((x > np.sort(x)[:, -2:-1]) * d[..., np.newaxis],),
    },
)


def huber_backward(d, x, delta=1.5):
    return (d * np.clip(x, -delta, delta),)


twins(
    "Huber loss at its corner",
    lambda x: np.where(np.abs(x) <= 1.5, x**2 / 2, 1.5 * (np.abs(x) - 0.75)),
    huber_backward,
    (np.array([-1.5, 1.5, 0, 3, -7]),),
    {"1 outside": lambda d, x: (d * np.where(np.abs(x) <= 1.5, x, np.sign(x)),)},
    lambda torch, x: torch.nn.functional.huber_loss(x, torch.zeros_like(x), reduction="none", delta=1.5),
)


def hard_swish(x):
    return x * np.clip(x + 3, 0, 6) / 6


def hard_swish_backward(d, x, own=True):
    inside = (x > -3) & (x < 3)
    return (d * ((2 * x * own + 3) / 6 * inside + (x >= 3)),)


twins(
    "hard swish at its corners",
    hard_swish,
    hard_swish_backward,
    (np.array([-3.0, 3, 0, 1, -2, 5, -8]),),
    {"the gate held constant": lambda d, x: (d * np.clip(x + 3, 0, 6) / 6,)},
    lambda torch, x: torch.nn.functional.hardswish(x),
)
twins(
    "PReLU",
    lambda x, a: np.where(x > 0, x, a * x),
    lambda d, x, a: (d * np.where(x > 0, 1, a), (d * np.where(x > 0, 0, x)).sum(0)),
    (normal(5, 4), np.array([0.25, 0, -0.5, 1])),
    {"slope's gradient over positive x too": lambda d, x, a: (d * np.where(x > 0, 1, a), (d * x).sum(0))},
    lambda torch, x, a: torch.nn.functional.prelu(x, a),
)
twins(
    "product of two relu at 0",
    lambda x, y: np.maximum(x, 0) * np.maximum(y, 0),
    lambda d, x, y: (d * (x > 0) * np.maximum(y, 0), d * (y > 0) * np.maximum(x, 0)),
    (np.array([0, 0, 1.0, 2, -1]), np.array([0, 2.0, 0, 3, 1])),
    {"not masked by x": lambda d, x, y: (d * np.maximum(y, 0), d * (y > 0) * np.maximum(x, 0))},
    lambda torch, x, y: torch.relu(x) * torch.relu(y),
)
twins(
    "square root of a square",
    lambda x: np.sqrt(x**2),
    lambda d, x: (d * np.sign(x),),
    (np.array([-1.0, 0, 2, -3e-9]),),
    {"NaN at 0": lambda d, x: (d * x / np.sqrt(x**2),)},
    lambda torch, x: torch.abs(x),
)
ROOTS = np.array([-1.0, 4, 0.25, -9])
twins(
    "root where positive, else 0",
    lambda x: np.where(x > 0, np.sqrt(np.where(x > 0, x, 1)), 0),
    lambda d, x: (d * np.where(x > 0, 0.5 / np.sqrt(np.where(x > 0, x, 1)), 0),),
    (ROOTS,),
    {"NaN from the branch not taken": lambda d, x: (d * (x > 0) * 0.5 / np.sqrt(x),)},
    lambda torch, x: torch.where(x > 0, torch.sqrt(torch.where(x > 0, x, 1)), 0),
)

# --- Outputs that are not finite


def masked_log_softmax(x, seen):
    z = np.where(seen, x, -np.inf)
    largest = z.max(-1, keepdims=True)
    return z - largest - np.log(np.exp(z - largest).sum(-1, keepdims=True))


def masked_log_softmax_backward(d, x, seen, masked=True, clean=True):
    p = np.exp(masked_log_softmax(x, seen)) if masked else np.exp(x) / np.exp(x).sum(-1, keepdims=True)
    d = np.where(seen, d, 0) if clean else d
    return (np.where(seen, d - p * d.sum(-1, keepdims=True), 0) if clean else d - p * d.sum(-1, keepdims=True)), None


SEEN = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]], bool)
both(
    "log-softmax with a mask of -inf",
    masked_log_softmax,
    masked_log_softmax_backward,
    (normal(3, 4), SEEN),
    {"probabilities without the mask": changed(masked_log_softmax_backward, masked=False)},
    lambda torch, x, seen: torch.log_softmax(torch.where(seen, x, -torch.inf), -1),
)

# --- Gather, scatter, running sums


def rows_backward(d, table, index, adds=True):
    g = np.zeros_like(table)
    if adds:
        np.add.at(g, index, d)
    else:
        g[index] = d
    return g, None


TABLE = normal(6, 3), np.array([[0, 2, 2], [5, 2, 0]])
both(
    "embedding, repeated rows",
    lambda table, index: table[index],
    rows_backward,
    TABLE,
    {"= for +=": changed(rows_backward, adds=False)},
    lambda torch, table, index: table[index],
)


def padded_embedding(table, index):
    return table[index] * (index != 0)[..., np.newaxis]


twins(
    "embedding with a row for padding",
    padded_embedding,
    lambda d, table, index: rows_backward(d * (index != 0)[..., np.newaxis], table, index),
    TABLE,
    {"padding gets a gradient": rows_backward},
    lambda torch, table, index: table[index] * (index != 0)[..., None],
)


def scattered(x, index):
    y = np.zeros((4, x.shape[1]), x.dtype)
    np.add.at(y, index, x)
    return y


twins(
    "scatter by adding",
    scattered,
    lambda d, x, index: (d[index], None),
    (normal(6, 2), np.array([0, 3, 3, 1, 3, 0])),
    {"shared among those of one place": lambda d, x, i: (d[i] / np.bincount(i)[i][:, np.newaxis], None)},
    lambda torch, x, index: torch.zeros(4, 2, dtype=x.dtype).index_add(0, index, x),
)
twins(
    "running sum",
    lambda x: np.cumsum(x, -1),
    lambda d, x: (np.cumsum(d[..., ::-1], -1)[..., ::-1],),
    (normal(3, 5),),
    {
        "not reversed": lambda d, x: (np.cumsum(d, -1),),
        "own element left out": lambda d, x: (np.cumsum(d[..., ::-1], -1)[..., ::-1] - d,),
    },
    lambda torch, x: torch.cumsum(x, -1),
)


def running_product_backward(d, x):
    g = np.zeros_like(x)
    for j in range(len(x)):
        others = x.copy()
        others[j] = 1
        g[j] = (d * np.cumprod(others))[j:].sum()
    return (g,)


def by_division(d, x):
    total = np.cumsum((d * np.cumprod(x))[::-1])[::-1]
    return (total / np.where(x == 0, 1, x),)


twins(
    "running product with a zero",
    np.cumprod,
    running_product_backward,
    (np.array([2.0, -1, 0, 3, 0.5]),),
    {"by division": by_division},
    lambda torch, x: torch.cumprod(x, 0),
)


def scan(a, x):
    y, last = np.zeros_like(x), 0
    for t in range(len(x)):
        last = y[t] = a[t] * last + x[t]
    return y


def scan_backward(d, a, x, shift=1):
    y, g = scan(a, x), np.zeros_like(x)
    for t in reversed(range(len(x))):
        g[t] = d[t] + (a[min(t + shift, len(x) - 1)] * g[t + 1] if t + 1 < len(x) else 0)
    return g * np.concatenate([0 * y[:1], y[:-1]]), g


def scan_truth(torch, a, x):
    states = [x[0]]
    for t in range(1, len(x)):
        states.append(a[t] * states[-1] + x[t])
    return torch.stack(states)


SCAN = np.abs(normal(7, 2)), normal(7, 2, seed=1)
both(
    "linear recurrence",
    scan,
    scan_backward,
    SCAN,
    {"factors one step early": changed(scan_backward, shift=0)},
    scan_truth,
)


def log_running_sum(x):
    return np.logaddexp.accumulate(x, -1)


def log_running_sum_backward(d, x, reverse=True):
    y = log_running_sum(x)
    weights = np.tril(np.exp(x[..., np.newaxis, :] - y[..., np.newaxis]))
    return (np.einsum("...ij,...i->...j", weights, d) if reverse else d * np.exp(x - y),)


twins(
    "running log of a sum of exp",
    log_running_sum,
    log_running_sum_backward,
    (normal(2, 5),),
    {"only its own step": changed(log_running_sum_backward, reverse=False)},
    lambda torch, x: torch.logcumsumexp(x, -1),
)
