"""Softmax and the cross-entropy of the true class: one thread per sample, since there are few classes."""

import math

import numpy as np

from ..arrays import FloatArray, IntArray
from .device_array import DeviceArray, operation, to_device
from .launch import inline, kernel
from .memory import Memory
from .target import cuda


@operation(arrays=1)
def softmax(logits: DeviceArray) -> DeviceArray:
    """As ``kernels.reference.softmax``."""
    p = DeviceArray.empty(logits.shape, logits.dtype)
    probabilities.over_elements(len(logits), logits.data, p.data)
    return p


@operation(arrays=1)
def softmax_cross_entropy(logits: DeviceArray, labels: IntArray | DeviceArray) -> DeviceArray:
    """As ``kernels.reference.softmax_cross_entropy``; the labels are on either side."""
    losses = DeviceArray.empty((len(logits),), logits.dtype)
    cross_entropies.over_elements(len(logits), logits.data, _labels(labels), losses.data)
    return losses


@operation(arrays=2)
def softmax_cross_entropy_backward(
    dloss: DeviceArray, logits: DeviceArray, labels: IntArray | DeviceArray
) -> DeviceArray:
    """As ``kernels.reference.softmax_cross_entropy_backward``; the labels are on either side."""
    dlogits = DeviceArray.empty(logits.shape, logits.dtype)
    cross_entropies_backward.over_elements(len(logits), dloss.data, logits.data, _labels(labels), dlogits.data)
    return dlogits


def _labels(labels: IntArray | DeviceArray) -> Memory:
    on_device = labels if isinstance(labels, DeviceArray) else to_device(np.asarray(labels, np.int64))
    return on_device.data


@inline
def _total(logits: FloatArray, n: int, largest: float) -> float:
    total = logits[n, 0] - logits[n, 0]
    for k in range(logits.shape[1]):
        total += math.exp(logits[n, k] - largest)
    return total


@inline
def _largest(logits: FloatArray, n: int) -> float:
    largest = logits[n, 0]
    for k in range(1, logits.shape[1]):
        if logits[n, k] > largest:
            largest = logits[n, k]
    return largest


@kernel("p")
def probabilities(logits: FloatArray, p: FloatArray) -> None:
    for n in range(cuda.grid(1), p.shape[0], cuda.gridsize(1)):
        largest = _largest(logits, n)
        total = _total(logits, n, largest)
        for k in range(p.shape[1]):
            p[n, k] = math.exp(logits[n, k] - largest) / total


@kernel("losses")
def cross_entropies(logits: FloatArray, labels: IntArray, losses: FloatArray) -> None:
    for n in range(cuda.grid(1), losses.size, cuda.gridsize(1)):
        # the largest logit is taken off first: the same value, and no overflow
        largest = _largest(logits, n)
        losses[n] = math.log(_total(logits, n, largest)) - (logits[n, labels[n]] - largest)


@kernel("dlogits")
def cross_entropies_backward(dlosses: FloatArray, logits: FloatArray, labels: IntArray, dlogits: FloatArray) -> None:
    one = dlogits.dtype.type
    for n in range(cuda.grid(1), dlosses.size, cuda.gridsize(1)):
        # loss[n] = log sum_k exp(logits[n,k]) - logits[n, labels[n]]
        largest = _largest(logits, n)
        total = _total(logits, n, largest)
        for k in range(dlogits.shape[1]):
            p = math.exp(logits[n, k] - largest) / total
            dlogits[n, k] = dlosses[n] * (p - one(1) if labels[n] == k else p)
