"""The edition for NVIDIA devices: the functions of ``kernels.reference`` through numba.cuda, float32 and float64.

NumPy arrays are copied to the device and results back; with arrays of :func:`to_device` everything stays there.  Every
sum has one owner that adds in a fixed order: no atomics, and the same bits every run.  Where a kernel had other
versions, the head of its file lists them and says why the last one is kept; the others have had one.
"""

from .average_pool import (
    average_pool_frames,
    average_pool_frames_backward,
    average_pool_space,
    average_pool_space_backward,
)
from .dense import dense, dense_backward
from .device_array import to_device as to_device
from .device_array import upload as upload
from .fused import fuse
from .launch import finish as finish
from .leaky_relu import leaky_relu, leaky_relu_backward
from .max_pool import max_pool_frames, max_pool_frames_backward, max_pool_space, max_pool_space_backward
from .memory import pinned as pinned
from .scale_shift import scale_shift, scale_shift_backward
from .softmax_cross_entropy import softmax, softmax_cross_entropy, softmax_cross_entropy_backward
from .standardize import standardize, standardize_backward
from .weighted_sum import weighted_sum, weighted_sum_backward

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
