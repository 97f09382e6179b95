"""Softmax and the cross-entropy of the true class."""

import numpy as np

from ..arrays import FloatArray, IntArray


def softmax(logits: FloatArray) -> FloatArray:
    """Probabilities ``p[n,k] = exp(logits[n,k]) / sum_k exp(logits[n,k])``; (n, k) in and out.

    The largest logit is taken off first: the same value, and no overflow.
    """
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softmax_cross_entropy(logits: FloatArray, labels: IntArray) -> FloatArray:
    """Loss of each sample, ``-log p[n, labels[n]]``.

    Args:
        logits: ndarray of shape (n, k).
        labels: ndarray of shape (n,), integers in ``0 ... k - 1``.

    Returns:
        ndarray of shape (n,).  The loss of a batch is its mean.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(labels)), labels]


def softmax_cross_entropy_backward(dloss: FloatArray, logits: FloatArray, labels: IntArray) -> FloatArray:
    """Gradient of :func:`softmax_cross_entropy`: ``dlogits`` of shape (n, k), given ``dloss`` of shape (n,)."""
    # loss[n] = log sum_k exp(logits[n,k]) - logits[n, labels[n]]
    dlogits = softmax(logits)
    dlogits[np.arange(len(labels)), labels] -= 1
    return dloss[:, np.newaxis] * dlogits
