"""The functions that every edition offers, and in which of its files each stands."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .contracts import checked

OPERATIONS = {
    "average_pool": (
        "average_pool_frames",
        "average_pool_frames_backward",
        "average_pool_space",
        "average_pool_space_backward",
    ),
    "dense": ("dense", "dense_backward"),
    "fused": ("fuse",),
    "leaky_relu": ("leaky_relu", "leaky_relu_backward"),
    "max_pool": ("max_pool_frames", "max_pool_frames_backward", "max_pool_space", "max_pool_space_backward"),
    "scale_shift": ("scale_shift", "scale_shift_backward"),
    "softmax_cross_entropy": ("softmax", "softmax_cross_entropy", "softmax_cross_entropy_backward"),
    "standardize": ("standardize", "standardize_backward"),
    "weighted_sum": ("weighted_sum", "weighted_sum_backward"),
}


def operations_of(package: str) -> dict[str, Callable[..., Any]]:
    """The operations of an edition by name, each with its contract; ``package`` is the edition's full name.

    All its files are imported before a name is taken: importing ``weighted_sum.py`` would set the package's attribute
    of that name to the file, and the edition sets it to the function.
    """
    files = {file: import_module(f"{package}.{file}") for file in OPERATIONS}
    equations = package.endswith(".reference")
    return {
        name: checked(name, getattr(files[file], name), equations)
        for file, names in OPERATIONS.items()
        for name in names
    }
