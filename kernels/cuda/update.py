"""The optimisers' updates, in place, one pass over the memory each; see ``emop3d_np.optimizers`` for the rules."""

import math

from .launch import kernel
from .target import cuda


@kernel(updates=("w",))
def gradient_descent(w, g, rate):
    for q in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        w[q] -= rate * g[q]


@kernel(updates=("w", "a"))
def momentum(w, g, a, rate, kept, nesterov):
    """``nesterov`` is 0 or 1."""
    for q in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        step = kept * a[q] + g[q]
        a[q] = step
        if nesterov > 0:
            step = g[q] + kept * step
        w[q] -= rate * step


@kernel(updates=("w", "m", "v"))
def adam(w, g, m, v, rate, new1, new2, epsilon):
    """``rate`` has the bias correction in it; ``new1 = 1 - beta1``, ``new2 = 1 - beta2``."""
    for q in range(cuda.grid(1), w.size, cuda.gridsize(1)):
        gradient = g[q]
        mean = m[q] + new1 * (gradient - m[q])
        square = v[q] + new2 * (gradient * gradient - v[q])
        m[q] = mean
        v[q] = square
        w[q] -= rate * mean / (math.sqrt(square) + epsilon)
