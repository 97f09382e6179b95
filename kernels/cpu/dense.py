"""The fully connected layer on all cores, one task per block of features: few classes, many features.

A task turns its block of the weights round once, so that the long axis is the inner one.
"""

import numpy as np
from numba import prange

from ..arrays import FloatArray
from .jit import parallel, serial

BLOCK = 1 << 10
"""Features that one task owns."""


def dense(a: FloatArray, weights: FloatArray, bias: FloatArray) -> FloatArray:
    """As ``kernels.reference.dense``."""
    partial = np.empty((-(-len(weights) // BLOCK), len(a), weights.shape[1]), a.dtype)
    _dense_blocks(np.ascontiguousarray(a), np.ascontiguousarray(weights), partial)
    # y[n,k] = sum_j a[n,j] W[j,k] + b[k], the blocks of j in their order
    return partial.sum(axis=0) + bias


def dense_backward(dy: FloatArray, a: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
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
        _dense_block(a, weights, block * BLOCK, partial[block])


@serial
def _dense_block(a, weights, start, partial):
    by_class = _turned(weights, start)
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
        _dense_block_backward(dy, a, weights, block * BLOCK, da, dweights)


@serial
def _dense_block_backward(dy, a, weights, start, da, dweights):
    by_class = _turned(weights, start)
    dby_class = np.zeros_like(by_class)
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
    for j in range(features):
        for k in range(classes):
            dweights[start + j, k] = dby_class[k, j]


@serial
def _turned(weights, start):
    """The block of ``weights`` that begins at feature ``start``, classes first."""
    features = min(BLOCK, weights.shape[0] - start)
    by_class = np.empty((weights.shape[1], features), weights.dtype)
    for j in range(features):
        for k in range(weights.shape[1]):
            by_class[k, j] = weights[start + j, k]
    return by_class
