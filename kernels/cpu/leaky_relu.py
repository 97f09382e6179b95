"""Leaky ReLU on all cores, in blocks of consecutive elements."""

import numpy as np
from numba import prange

from ..arrays import FloatArray
from ..reference.leaky_relu import ALPHA
from .jit import parallel, serial

BLOCK = 1 << 14
"""Elements one task works on."""


def leaky_relu(z: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """As ``kernels.reference.leaky_relu``."""
    z = np.ascontiguousarray(z)
    y = np.empty_like(z)
    _activate(z.ravel(), z.dtype.type(alpha), y.ravel())
    return y


def leaky_relu_backward(dy: FloatArray, z: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """As ``kernels.reference.leaky_relu_backward``."""
    z = np.ascontiguousarray(z)
    dz = np.empty_like(z)
    _activate_backward(np.ascontiguousarray(dy).ravel(), z.ravel(), z.dtype.type(alpha), dz.ravel())
    return dz


@parallel
def _activate(z, alpha, y):
    for task in prange((z.size + BLOCK - 1) // BLOCK):
        part = slice(task * BLOCK, min((task + 1) * BLOCK, z.size))
        _activate_block(z[part], alpha, y[part])


@serial
def _activate_block(z, alpha, y):
    for q in range(z.size):
        # y = max(alpha z, z)
        y[q] = z[q] if z[q] > 0 else alpha * z[q]


@parallel
def _activate_backward(dy, z, alpha, dz):
    for task in prange((z.size + BLOCK - 1) // BLOCK):
        part = slice(task * BLOCK, min((task + 1) * BLOCK, z.size))
        _activate_block_backward(dy[part], z[part], alpha, dz[part])


@serial
def _activate_block_backward(dy, z, alpha, dz):
    for q in range(z.size):
        # y = max(alpha z, z): slope 1 above zero, alpha at and below it
        dz[q] = dy[q] if z[q] > 0 else alpha * dy[q]
