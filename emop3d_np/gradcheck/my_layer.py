"""A layer to begin with: each row normalised, then a gain and a shift.  Two lines of backward are wrong.

Check it, read what is said, mend the lines, check again; then put your own functions in their place:

    emop3d gradcheck function my_layer.py

The page "Check your own layer" goes through it step by step.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

rng = np.random.default_rng(0)
inputs = rng.standard_normal((4, 6)), rng.standard_normal(6), rng.standard_normal(6)


def normalised(x: Floats) -> tuple[Floats, Floats]:
    """Each row with mean 0 and variance 1, and one over its standard deviation."""
    centred = x - x.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
    return centred * scale, scale


def forward(x: Floats, gain: Floats, shift: Floats) -> Floats:
    """Rows x (4, 6), a gain and a shift for each column (6): the output y (4, 6)."""
    return normalised(x)[0] * gain + shift


def backward(d: Floats, x: Floats, gain: Floats, shift: Floats) -> tuple[Floats, Floats, Floats]:
    """The gradients of x, gain and shift, for the gradient ``d`` (4, 6) of the output."""
    # y = u * gain + shift
    u, scale = normalised(x)
    du = d * gain
    dgain = (d * u).mean(axis=0)
    dshift = d.sum(axis=0)
    # u = (x - mean(x)) * scale: x acts directly, through its mean and through its variance
    dx = scale * (du - u * (du * u).mean(axis=1, keepdims=True))
    return dx, dgain, dshift
