"""Mistakes that ports of this network make, each as a change of the reference kernels: to be recognised by."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from kernels import reference
from kernels.reference.leaky_relu import ALPHA
from kernels.reference.max_pool import blocks, blocks_backward, runs
from kernels.reference.standardize import EPSILON, _moments


def changed(**functions: Callable[..., Any]) -> SimpleNamespace:
    """The reference edition with some of its functions replaced."""
    everything = {name: getattr(reference, name) for name in reference.__all__}
    return SimpleNamespace(**(everything | functions))


def _normalization_backward(mean_term, variance_term):
    def standardize_backward(dy, x, epsilon=EPSILON):
        centred, scale = _moments(x, epsilon)
        y = centred * scale
        mean_dy = dy.mean(axis=(2, 3), keepdims=True) if mean_term else 0
        mean_dy_y = (dy * y).mean(axis=(2, 3), keepdims=True) if variance_term else 0
        return scale * (dy - mean_dy - y * mean_dy_y)

    return standardize_backward


def _sample_variance(x, epsilon=EPSILON):
    centred, scale = _moments(x, 0)
    count = x.shape[2] * x.shape[3]
    return centred / np.sqrt(1 / scale**2 * count / max(count - 1, 1) + epsilon)


def _batch_moments(x, epsilon=EPSILON):
    centred = x - x.mean(axis=(0, 2, 3), keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=(0, 2, 3), keepdims=True) + epsilon)


def _slope(below):
    return lambda dy, z, alpha=ALPHA: np.where(z > 0, dy, below * dy)


def _ties_in_space(share):
    def max_pool_space_backward(dm, x, pool):
        cells = blocks(x, pool)
        best = cells == cells.max(axis=-1, keepdims=True)
        return blocks_backward(
            best * dm[..., np.newaxis] / (best.sum(-1, keepdims=True) if share else 1), x.shape, pool
        )

    return max_pool_space_backward


def _last_in_space(dm, x, pool):
    cells = blocks(x, pool)
    dcells = np.zeros_like(cells)
    last = cells.shape[-1] - 1 - cells[..., ::-1].argmax(axis=-1)
    np.put_along_axis(dcells, last[..., np.newaxis], dm[..., np.newaxis], axis=-1)
    return blocks_backward(dcells, x.shape, pool)


def _ties_in_time(share):
    def max_pool_frames_backward(dm, x, frames):
        windows = runs(x, frames)
        best = windows == windows.max(axis=-1, keepdims=True)
        parts = best * dm[..., np.newaxis] / (best.sum(-1, keepdims=True) if share else 1)
        dx = np.zeros_like(x)
        for i in range(frames):
            dx[:, i : i + dm.shape[1]] += parts[..., i]
        return dx

    return max_pool_frames_backward


def _last_in_time(dm, x, frames):
    windows = runs(x, frames)
    chosen = frames - 1 - windows[..., ::-1].argmax(axis=-1)
    dx = np.zeros_like(x)
    for i in range(frames):
        dx[:, i : i + dm.shape[1]] += np.where(chosen == i, dm, 0)
    return dx


def _frames_overwritten(dm, x, frames):
    """Windows overlap: a frame that several windows chose keeps the last one's gradient only."""
    chosen = runs(x, frames).argmax(axis=-1)
    dx = np.zeros_like(x)
    for d in range(dm.shape[1]):
        for i in range(frames):
            hit = chosen[:, d] == i
            dx[:, d + i][hit] = dm[:, d][hit]
    return dx


def _window(**change):
    """The weighted sum's backward with a window one too short, or one place off."""

    def weighted_sum_backward(dz, x, weights, receptive_field, strides, input_gradient=True):
        field = (
            receptive_field[0],
            receptive_field[1] + change.get("rows", 0),
            receptive_field[2] + change.get("columns", 0),
        )
        dx, dweights, dbias = reference.weighted_sum_backward(dz, x, weights, field, strides, True)
        shift = change.get("shift", 0)
        if shift:
            dz = np.roll(dz, shift, axis=(2, 3))
            dx, dweights, _ = reference.weighted_sum_backward(dz, x, weights, receptive_field, strides, True)
        return dx if input_gradient else None, dweights, dbias

    return weighted_sum_backward


def _no_leaky(dz, m, weights):
    _, dweights, dbias = reference.scale_shift_backward(dz, m, weights)
    return dz, dweights, dbias


def _no_one_hot(dloss, logits, labels):
    return dloss[:, np.newaxis] * reference.softmax(logits)


MISTAKES = {
    "normalisation: the term through the mean is missing": {
        "standardize_backward": _normalization_backward(False, True)
    },
    "normalisation: the term through the variance is missing": {
        "standardize_backward": _normalization_backward(True, False)
    },
    "normalisation: mean and variance are held constant": {
        "standardize_backward": _normalization_backward(False, False)
    },
    "normalisation: sample variance (n - 1) instead of the population's": {"standardize": _sample_variance},
    "normalisation: moments over the batch instead of each sample": {"standardize": _batch_moments},
    "leaky ReLU: backward has slope 0 below zero": {"leaky_relu_backward": _slope(0.0)},
    "leaky ReLU: backward is missing (slope 1 everywhere)": {"leaky_relu_backward": _slope(1.0)},
    "leaky ReLU: another alpha (0.2)": {
        "leaky_relu": lambda z, alpha=0.2: np.maximum(0.2 * z, z), "leaky_relu_backward": _slope(0.2)
    },
    "leaky ReLU: another alpha (0.1)": {
        "leaky_relu": lambda z, alpha=0.1: np.maximum(0.1 * z, z), "leaky_relu_backward": _slope(0.1)
    },
    "wrong tie: pooling in space splits a tie evenly": {"max_pool_space_backward": _ties_in_space(True)},
    "wrong tie: pooling in space gives all of a tie the whole gradient": {
        "max_pool_space_backward": _ties_in_space(False)
    },
    "wrong tie: pooling in space gives a tie to the last": {"max_pool_space_backward": _last_in_space},
    "wrong tie: pooling over frames splits a tie evenly": {"max_pool_frames_backward": _ties_in_time(True)},
    "wrong tie: pooling over frames gives all of a tie the whole gradient": {
        "max_pool_frames_backward": _ties_in_time(False)
    },
    "wrong tie: pooling over frames gives a tie to the last frame": {"max_pool_frames_backward": _last_in_time},
    "pooling over frames: overlapping windows overwrite each other instead of adding": {
        "max_pool_frames_backward": _frames_overwritten
    },
    "off-by-one window: the transposed box sum is one row short": {"weighted_sum_backward": _window(rows=-1)},
    "off-by-one window: the transposed box sum is one column short": {"weighted_sum_backward": _window(columns=-1)},
    "off-by-one window: the transposed box sum is one row and one column short": {
        "weighted_sum_backward": _window(rows=-1, columns=-1)
    },
    "off-by-one window: the windows are shifted by one": {"weighted_sum_backward": _window(shift=1)},
    "off-by-one window: the windows are shifted by minus one": {"weighted_sum_backward": _window(shift=-1)},
    "pooling: the gradient is not multiplied by the pooling weights": {"scale_shift_backward": _no_leaky},
    "softmax cross-entropy: the one-hot label is not subtracted": {"softmax_cross_entropy_backward": _no_one_hot},
}  # fmt: skip
