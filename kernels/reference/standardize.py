"""Normalisation of every map by its own mean and standard deviation; also the preprocessing of the input."""

import numpy as np

from ..arrays import AnyArray, FloatArray

EPSILON = 1e-8
"""Added to the variance by the NORM layers; the input's preprocessing adds nothing (0)."""


def standardize(x: AnyArray, epsilon: float = EPSILON, out: FloatArray | None = None) -> FloatArray:
    """``y = (x - mean) / sqrt(var + epsilon)`` per sample, frame and map, over ``(h, w)``.

    Args:
        x: ndarray of shape (n, d, h, w, f).
        epsilon: added to the variance; default 1e-8.
        out: array to write to; default a new one of the dtype of ``x``, float64 for integers.

    Returns:
        ndarray ``y`` of the shape of ``x``.  A result that is not finite becomes 0: a map that holds a NaN
        or an infinity, or (``epsilon = 0``) a constant map; and a map whose squares float64 cannot hold, as those of
        values from 1e155 on.  Around 1e154 it depends on the order of the sums, and so on the edition.

    Source: ``normalization_layer`` of the original; with ``epsilon=0`` its ``input_data.normalize``.  Departure: the
    moments are taken in float64, in two passes, so that a large offset or a constant map leaves no float32 noise.
    """
    centred, scale = _moments(x, epsilon)
    if out is None:
        out = np.empty(x.shape, x.dtype if x.dtype.kind in "fc" else np.float64)
    np.multiply(centred, scale, out=out, casting="same_kind")
    return out


def standardize_backward(dy: FloatArray, x: FloatArray, epsilon: float = EPSILON) -> FloatArray:
    """Gradient of :func:`standardize`: ``dx``, of the shape of ``x``.

    A map whose result was replaced by 0 gets the gradient 0 (the original lets NaN through).
    """
    # y = (x - mean(x)) * scale, scale = 1 / sqrt(var(x) + epsilon)
    centred, scale = _moments(x, epsilon)
    y = centred * scale
    # x acts directly, through the mean and through the variance: one term each
    mean_dy = dy.mean(axis=(2, 3), keepdims=True, dtype=y.dtype)
    mean_dy_y = (dy * y).mean(axis=(2, 3), keepdims=True)
    return (scale * (dy - mean_dy - y * mean_dy_y)).astype(x.dtype)


def _moments(x, epsilon):
    """``x - mean`` and ``1 / sqrt(var + epsilon)``, population variance; both are 0 for a map without finite ones."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        # Taking off the first value beforehand changes nothing, but leaves an exact 0 of a constant map.
        centred = x - x[:, :, :1, :1].astype(np.result_type(x.dtype, np.float64))
        centred = centred - centred.mean(axis=(2, 3), keepdims=True)
        scale = 1 / np.sqrt((centred**2).mean(axis=(2, 3), keepdims=True) + epsilon)
    finite = np.isfinite(scale)
    return np.where(finite, centred, 0), np.where(finite, scale, 0)
