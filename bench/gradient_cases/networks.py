"""Operations of other networks."""

import numpy as np

from .making import as32, changed, normal, pair, planted, right


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
right("convolution", pair(convolution, convolution_backward, *IMAGES))
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
right("layer norm: float32", pair(layer_norm, layer_norm_backward, *SINGLE))
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
right("attention", pair(attention, attention_backward, *TOKENS))
planted("attention: the future leaks", pair(attention, changed(attention_backward, leak=1e-6), *TOKENS))
planted("attention: scale is missing", pair(attention, changed(attention_backward, scale=False), *TOKENS))
right(
    "softmax",
    pair(softmax, lambda d, x: (softmax(x) * (d - (d * softmax(x)).sum(-1, keepdims=True)),), normal(3, 6)),
)
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
planted(
    "GRU cell: float32: the reset gate is missing once", pair(gru, changed(gru_backward, reset=False), *as32(*CELL))
)


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
