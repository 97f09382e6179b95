"""Leaky ReLU, the activation behind every weighted layer but the last."""

import numpy as np

from ..arrays import FloatArray

ALPHA = 0.01
"""Slope below zero, the original's."""


def leaky_relu(z: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """``y = max(alpha z, z)``, element by element, for ``0 < alpha < 1``; ``z`` and ``y`` of any shape."""
    return np.maximum(alpha * z, z)


def leaky_relu_backward(dy: FloatArray, z: FloatArray, alpha: float = ALPHA) -> FloatArray:
    """Gradient of :func:`leaky_relu`: ``dz``, of the shape of ``z``.

    At the kink, ``z = 0``, the slope is ``alpha``, as TensorFlow's.
    """
    # y = max(alpha z, z): slope 1 above zero, alpha at and below it
    return np.where(z > 0, dy, alpha * dy)
