"""The optimisers' updates in place, each in one pass over the memory; ``emop3d_np.optimizers`` has the rules."""

import math

from ..arrays import FloatArray
from .launch import kernel
from .target import cuda


@kernel(updates=("w",))
def gradient_descent(w: FloatArray, g: FloatArray, rate: float) -> None:
    for q in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        w[q] -= rate * g[q]


@kernel(updates=("w", "a"))
def momentum(w: FloatArray, g: FloatArray, a: FloatArray, rate: float, kept: float, nesterov: float) -> None:
    """``nesterov`` is 0 or 1."""
    for q in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        step = kept * a[q] + g[q]
        a[q] = step
        if nesterov > 0:
            step = g[q] + kept * step
        w[q] -= rate * step


@kernel(updates=("w", "m", "v"))
def adam(
    w: FloatArray, g: FloatArray, m: FloatArray, v: FloatArray, rate: float, new1: float, new2: float, epsilon: float
) -> None:
    """``rate`` has the bias correction in it; ``new1 = 1 - beta1``, ``new2 = 1 - beta2``."""
    for q in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        gradient = g[q]
        mean = m[q] + new1 * (gradient - m[q])
        square = v[q] + new2 * (gradient * gradient - v[q])
        m[q] = mean
        v[q] = square
        w[q] -= rate * mean / (math.sqrt(square) + epsilon)
