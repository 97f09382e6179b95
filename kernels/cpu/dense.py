"""The fully connected layer on all cores: few classes, many features, so the long axis is always the inner one."""

import numpy as np
from numba import prange

from .jit import parallel, serial

BLOCK = 1 << 10
"""Features one backward task owns."""


def dense(a, weights, bias):
    """As ``kernels.reference.dense``."""
    y = np.empty((a.shape[0], weights.shape[1]), a.dtype)
    _dense_samples(np.ascontiguousarray(a), np.ascontiguousarray(weights.T), bias, y)
    return y


def dense_backward(dy, a, weights):
    """As ``kernels.reference.dense_backward``."""
    da = np.empty(a.shape, a.dtype)
    dweights = np.zeros(weights.shape[::-1], weights.dtype)
    _dense_features_backward(
        np.ascontiguousarray(dy), np.ascontiguousarray(a), np.ascontiguousarray(weights.T), da, dweights
    )
    return da, np.ascontiguousarray(dweights.T), dy.sum(axis=0)


@parallel
def _dense_samples(a, weights, bias, y):
    for n in prange(a.shape[0]):
        _dense_sample(a[n], weights, bias, y[n])


@serial
def _dense_sample(a, weights, bias, y):
    for k in range(y.size):
        # y[k] = sum_j a[j] W[j,k] + b[k]
        total = a[0] * weights[k, 0]
        for j in range(1, a.size):
            total += a[j] * weights[k, j]
        y[k] = total + bias[k]


@parallel
def _dense_features_backward(dy, a, weights, da, dweights):
    features = a.shape[1]
    for task in prange((features + BLOCK - 1) // BLOCK):
        part = slice(task * BLOCK, min((task + 1) * BLOCK, features))
        _dense_feature_backward(dy, a[:, part], weights[:, part], da[:, part], dweights[:, part])


@serial
def _dense_feature_backward(dy, a, weights, da, dweights):
    # y[n,k] = sum_j a[n,j] W[j,k] + b[k]
    da[:] = 0
    for n in range(a.shape[0]):
        for k in range(weights.shape[0]):
            for j in range(a.shape[1]):
                da[n, j] += dy[n, k] * weights[k, j]
                dweights[k, j] += dy[n, k] * a[n, j]
