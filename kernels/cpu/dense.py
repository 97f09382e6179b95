"""The fully connected layer on all cores, one task a block of features: few classes, many features.

A task turns its block of the weights round once, so that the long axis is the inner one.
"""

import numpy as np
from numba import prange

from .jit import parallel, serial

BLOCK = 1 << 10
"""Features that one task owns."""


def dense(a, weights, bias):
    """As ``kernels.reference.dense``."""
    partial = np.empty((-(-len(weights) // BLOCK), len(a), weights.shape[1]), a.dtype)
    _dense_blocks(np.ascontiguousarray(a), np.ascontiguousarray(weights), partial)
    # y[n,k] = sum_j a[n,j] W[j,k] + b[k], the blocks of j in their order
    return partial.sum(axis=0) + bias


def dense_backward(dy, a, weights):
    """As ``kernels.reference.dense_backward``."""
    da = np.zeros(a.shape, a.dtype)
    dweights = np.empty(weights.shape, weights.dtype)
    _dense_blocks_backward(
        np.ascontiguousarray(dy), np.ascontiguousarray(a), np.ascontiguousarray(weights), da, dweights
    )
    return da, dweights, dy.sum(axis=0)


@parallel
def _dense_blocks(a, weights, partial):
    for block in prange(partial.shape[0]):
        start = block * BLOCK
        _dense_block(a, weights[start : start + BLOCK].T.copy(), start, partial[block])


@serial
def _dense_block(a, by_class, start, partial):
    classes, features = by_class.shape
    for n in range(a.shape[0]):
        own = a[n, start : start + features]
        for k in range(classes):
            total = own[0] * by_class[k, 0]
            for j in range(1, features):
                total += own[j] * by_class[k, j]
            partial[n, k] = total


@parallel
def _dense_blocks_backward(dy, a, weights, da, dweights):
    for block in prange((a.shape[1] + BLOCK - 1) // BLOCK):
        start = block * BLOCK
        by_class = weights[start : start + BLOCK].T.copy()
        dby_class = np.zeros_like(by_class)
        _dense_block_backward(dy, a, by_class, start, da, dby_class)
        dweights[start : start + BLOCK] = dby_class.T


@serial
def _dense_block_backward(dy, a, by_class, start, da, dby_class):
    classes, features = by_class.shape
    # y[n,k] = sum_j a[n,j] W[j,k] + b[k]
    for n in range(a.shape[0]):
        own = a[n, start : start + features]
        down = da[n, start : start + features]
        for k in range(classes):
            gradient = dy[n, k]
            for j in range(features):
                down[j] += gradient * by_class[k, j]
            for j in range(features):
                dby_class[k, j] += gradient * own[j]
