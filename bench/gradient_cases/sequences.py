"""Steps in time and attention: weights that are used more than once."""

import numpy as np

from .making import both, changed, normal, twins


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# --- LSTM: gates in the order input, forget, cell, output


def gates(x, h, w, u, b):
    i, f, g, o = np.split(x @ w + h @ u + b, 4, axis=1)
    return sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)


def lstm(x, h, c, w, u, b):
    i, f, g, o = gates(x, h, w, u, b)
    new = f * c + i * g
    return o * np.tanh(new), new


def lstm_backward(d, x, h, c, w, u, b, *, forget="old", joined=True):
    dh, dc = d
    i, f, g, o = gates(x, h, w, u, b)
    new = f * c + i * g
    t = np.tanh(new)
    dc = (dc if joined else 0) + dh * o * (1 - t**2)
    held = c if forget == "old" else new
    parts = dc * g * i * (1 - i), dc * held * f * (1 - f), dc * i * (1 - g**2), dh * t * o * (1 - o)
    dz = np.concatenate(parts, axis=1)
    return dz @ w.T, dz @ u.T, dc * f, x.T @ dz, h.T @ dz, dz.sum(0)


def lstm_truth(torch, x, h, c, w, u, b):
    i, f, g, o = (x @ w + h @ u + b).chunk(4, 1)
    new = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(new), new


CELL = normal(3, 4), normal(3, 5, seed=1), normal(3, 5, seed=2), normal(4, 20, seed=3), normal(5, 20, seed=4) / 2
CELL = *CELL, normal(20, seed=5)
LSTM_MISTAKES = {
    "forget gate sees the new cell": changed(lstm_backward, forget="new"),
    "gradient of the cell is dropped": changed(lstm_backward, joined=False),
}
both("LSTM cell", lstm, lstm_backward, CELL, LSTM_MISTAKES, lstm_truth)


# --- GRU over time, weights shared by all steps


def gru(x, h, w, u):
    states = [h]
    for each in x:
        z, r, h = *np.split(sigmoid(each @ w[:, :10] + states[-1] @ u[:, :10]), 2, axis=1), states[-1]
        n = np.tanh(each @ w[:, 10:] + r * (h @ u[:, 10:]))
        states.append((1 - z) * n + z * h)
    return states


def gru_backward(d, x, h, w, u, shared=True):
    states, dx, dw, du = gru(x, h, w, u), np.zeros_like(x), np.zeros_like(w), np.zeros_like(u)
    for t in reversed(range(len(x))):
        h, a, b = states[t], x[t] @ w, states[t] @ u
        z, r = sigmoid(a[:, :5] + b[:, :5]), sigmoid(a[:, 5:10] + b[:, 5:10])
        n = np.tanh(a[:, 10:] + r * b[:, 10:])
        dn = d * (1 - z) * (1 - n**2)
        da = np.hstack([d * (h - n) * z * (1 - z), dn * b[:, 10:] * r * (1 - r), dn])
        db = np.hstack([da[:, :10], dn * r])
        dx[t], d = da @ w.T, d * z + db @ u.T
        dw, du = (dw + x[t].T @ da, du + h.T @ db) if shared else (x[t].T @ da, h.T @ db)
    return dx, d, dw, du


def gru_truth(torch, x, h, w, u):
    for each in x:
        z, r = torch.sigmoid(each @ w[:, :10] + h @ u[:, :10]).chunk(2, 1)
        n = torch.tanh(each @ w[:, 10:] + r * (h @ u[:, 10:]))
        h = (1 - z) * n + z * h
    return h


TIME = normal(4, 2, 3), normal(2, 5, seed=1), normal(3, 15, seed=2), normal(5, 15, seed=3)
ONE_STEP = {"weights of one step alone": changed(gru_backward, shared=False)}
both("GRU over time", lambda *a: gru(*a)[-1], gru_backward, TIME, ONE_STEP, gru_truth)


# --- Attention


def heads(x, count=2):
    """(n, t, c) to (n, heads, t, c / heads)."""
    return x.reshape(*x.shape[:2], count, -1).swapaxes(1, 2)


def joined(x):
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def probabilities(q, k, seen):
    scores = heads(q) @ heads(k).swapaxes(2, 3) / q.dtype.type((q.shape[2] / 2) ** 0.5)
    return softmax(np.where(seen[:, np.newaxis, np.newaxis], scores, -np.inf))


def attention(q, k, v, seen):
    return joined(probabilities(q, k, seen) @ heads(v))


def attention_backward(d, q, k, v, seen, projected=True, mixed=False):
    a, root = probabilities(q, k, seen), q.dtype.type((q.shape[2] / 2) ** 0.5)
    d = d.reshape(len(d), 2, d.shape[1], -1) if mixed else heads(d)
    da = d @ heads(v).swapaxes(2, 3)
    ds = a * (da - projected * (da * a).sum(-1, keepdims=True)) / root
    return joined(ds @ heads(k)), joined(ds.swapaxes(2, 3) @ heads(q)), joined(a.swapaxes(2, 3) @ d), None


def attention_truth(torch, q, k, v, seen):
    q, k, v = (x.reshape(*x.shape[:2], 2, -1).transpose(1, 2) for x in (q, k, v))
    y = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None, None])
    return y.transpose(1, 2).reshape(y.shape[0], y.shape[2], -1)


TOKENS = normal(2, 4, 6), normal(2, 5, 6, seed=1), normal(2, 5, 6, seed=2)
SEEN = np.array([[1, 1, 1, 1, 0], [1, 1, 0, 0, 0]], bool)
ATTENTION_MISTAKES = {
    "softmax without its sum": changed(attention_backward, projected=False),
    "heads mixed with steps": changed(attention_backward, mixed=True),
}
both("attention with padding", attention, attention_backward, (*TOKENS, SEEN), ATTENTION_MISTAKES, attention_truth)


def turned(x, sign=1):
    """Rotary positions: pairs of channels turned by an angle of their step."""
    angle = np.arange(x.shape[1])[:, np.newaxis] * 0.7 ** np.arange(x.shape[2] // 2)
    c, s = np.cos(angle).astype(x.dtype), sign * np.sin(angle).astype(x.dtype)
    one, other = x[..., 0::2], x[..., 1::2]
    return np.stack([one * c - other * s, one * s + other * c], -1).reshape(x.shape)


def turned_truth(torch, x):
    angle = torch.arange(5.0, dtype=x.dtype)[:, None] * 0.7 ** torch.arange(3.0, dtype=x.dtype)
    return torch.view_as_real(torch.view_as_complex(x.reshape(2, 5, 3, 2)) * torch.exp(1j * angle)).reshape(x.shape)


twins(
    "rotary positions",
    turned,
    lambda d, x: (turned(d, -1),),
    (normal(2, 5, 6),),
    {"turned the same way": lambda d, x: (turned(d),)},
    turned_truth,
)


# --- One layer, used twice


def twice(x, w):
    return np.tanh(np.tanh(x @ w) @ w)


def twice_backward(d, x, w, adds=True):
    h = np.tanh(x @ w)
    dz = d * (1 - np.tanh(h @ w) ** 2)
    da = dz @ w.T * (1 - h**2)
    return da @ w.T, x.T @ da + (h.T @ dz if adds else 0)


SHARED = normal(3, 4), normal(4, 4, seed=1)
TWICE = {"= for +=": changed(twice_backward, adds=False)}
both("one layer, used twice", twice, twice_backward, SHARED, TWICE, lambda t, x, w: t.tanh(t.tanh(x @ w) @ w))
