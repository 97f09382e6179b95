"""The operations in plain loops over single numbers, from their equations; imports nothing of what it judges."""

import itertools
import math

import numpy as np


def over(*sizes):
    return itertools.product(*map(range, sizes))


def weighted_sum(x, weights, bias, receptive_field, strides):
    rd, rh, rw = receptive_field
    sd, sh, sw = strides
    z = np.empty((len(x), *bias.shape), x.dtype)
    for n, d, h, w, f in over(*z.shape):
        total = bias[d, h, w, f]
        for i, j, k, c in over(rd, rh, rw, x.shape[-1]):
            row, column = sh * h + j, sw * w + k
            total += x[n, sd * d + i, row, column, c] * weights[i, row, column, c, f]
        z[n, d, h, w, f] = total
    return z


def leaky_relu(z, alpha):
    return np.array([v if v > 0 else alpha * v for v in z.flat]).reshape(z.shape)


def standardize(x, epsilon):
    y = np.empty_like(x)
    n, d, h, w, f = x.shape
    for sample, frame, channel in over(n, d, f):
        cells = [x[sample, frame, i, j, channel] for i, j in over(h, w)]
        mean = math.fsum(cells) / len(cells)
        variance = math.fsum((v - mean) ** 2 for v in cells) / len(cells)
        for i, j in over(h, w):
            root = math.sqrt(variance + epsilon)
            y[sample, frame, i, j, channel] = (x[sample, frame, i, j, channel] - mean) / root if root else 0
    return y


def pool_space(x, pool, reduce):
    n, d, h, w, f = x.shape
    ph, pw = pool
    m = np.empty((n, d, h // ph, w // pw, f), x.dtype)
    for s, t, i, j, c in over(*m.shape):
        m[s, t, i, j, c] = reduce([x[s, t, ph * i + a, pw * j + b, c] for a, b in over(ph, pw)])
    return m


def pool_frames(x, frames, reduce):
    n, d, h, w, f = x.shape
    m = np.empty((n, d - frames + 1, h, w, f), x.dtype)
    for s, t, i, j, c in over(*m.shape):
        m[s, t, i, j, c] = reduce([x[s, t + a, i, j, c] for a in range(frames)])
    return m


def scale_shift(m, weights, bias):
    z = np.empty_like(m)
    for n, d, h, w, f in over(*m.shape):
        z[n, d, h, w, f] = m[n, d, h, w, f] * weights[0, h, w, f] + bias[d, 0, 0, f]
    return z


def dense(a, weights, bias):
    y = np.empty((len(a), len(bias)), a.dtype)
    for n, k in over(*y.shape):
        y[n, k] = sum((a[n, j] * weights[j, k] for j in range(a.shape[1])), bias[k])
    return y


def softmax_cross_entropy(logits, labels):
    return np.array(
        [
            -math.log(math.exp(row[label]) / math.fsum(map(math.exp, row)))
            for row, label in zip(logits, labels, strict=True)
        ]
    )
