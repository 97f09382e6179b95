"""Softmax and cross-entropy, one task per sample."""

import numpy as np
from numba import prange

from ..arrays import FloatArray, IntArray
from .jit import parallel, serial


def softmax(logits: FloatArray) -> FloatArray:
    """As ``kernels.reference.softmax``."""
    p = np.empty_like(logits, order="C")
    _softmax_rows(np.ascontiguousarray(logits), p)
    return p


def softmax_cross_entropy(logits: FloatArray, labels: IntArray) -> FloatArray:
    """As ``kernels.reference.softmax_cross_entropy``."""
    loss = np.empty(len(logits), logits.dtype)
    _cross_entropy_rows(np.ascontiguousarray(logits), np.ascontiguousarray(labels, np.int64), loss)
    return loss


def softmax_cross_entropy_backward(dloss: FloatArray, logits: FloatArray, labels: IntArray) -> FloatArray:
    """As ``kernels.reference.softmax_cross_entropy_backward``."""
    # loss[n] = log sum_k exp(logits[n,k]) - logits[n, labels[n]]
    dlogits = softmax(logits)
    dlogits[np.arange(len(labels)), labels] -= 1
    return dloss[:, np.newaxis] * dlogits


@parallel
def _softmax_rows(logits, p):
    for n in prange(logits.shape[0]):
        _softmax_row(logits[n], p[n])


@serial
def _softmax_row(logits, p):
    # p[k] = exp(logits[k] - largest) / sum_k exp(logits[k] - largest)
    largest = logits.max()
    total = 0 * largest
    for k in range(p.size):
        p[k] = np.exp(logits[k] - largest)
        total += p[k]
    for k in range(p.size):
        p[k] /= total


@parallel
def _cross_entropy_rows(logits, labels, loss):
    for n in prange(logits.shape[0]):
        loss[n] = _cross_entropy_row(logits[n], labels[n])


@serial
def _cross_entropy_row(logits, label):
    # -log p[label] = log sum_k exp(logits[k] - largest) - (logits[label] - largest)
    largest = logits.max()
    total = 0 * largest
    for k in range(logits.size):
        total += np.exp(logits[k] - largest)
    return np.log(total) - (logits[label] - largest)
