"""The readable edition: each equation in a line or two of NumPy, any shape, float32 and float64."""

from .affine import affine as affine
from .average_pool import (
    average_pool_frames,
    average_pool_frames_backward,
    average_pool_space,
    average_pool_space_backward,
)
from .dense import dense, dense_backward
from .leaky_relu import leaky_relu, leaky_relu_backward
from .max_pool import max_pool_frames, max_pool_frames_backward, max_pool_space, max_pool_space_backward
from .scale_shift import scale_shift, scale_shift_backward
from .softmax_cross_entropy import softmax, softmax_cross_entropy, softmax_cross_entropy_backward
from .standardize import standardize, standardize_backward
from .weighted_sum import weighted_sum, weighted_sum_backward


def fuse(*_):
    """This edition has no fused pass: it is the layers, one after the other."""


__all__ = [
    "average_pool_frames",
    "average_pool_frames_backward",
    "average_pool_space",
    "average_pool_space_backward",
    "dense",
    "dense_backward",
    "fuse",
    "leaky_relu",
    "leaky_relu_backward",
    "max_pool_frames",
    "max_pool_frames_backward",
    "max_pool_space",
    "max_pool_space_backward",
    "scale_shift",
    "scale_shift_backward",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "standardize",
    "standardize_backward",
    "weighted_sum",
    "weighted_sum_backward",
]
