"""Check gradients: any pair of functions forward and backward, the shipped network, or somebody's port of it.

report = emop3d_np.gradcheck.check(forward, backward, inputs)
print(report)
emop3d_np.gradcheck.assert_gradients(forward, backward, inputs)  # in a test

How a check goes is said in ``checker.py``; the numbers that decide what is right are in ``tolerances.py``, those that
decide how much is looked at in ``effort.py``.
"""

from .checker import assert_gradients, check
from .finding import Finding
from .forward_mode import check_jvp
from .frameworks import check_jax, check_torch
from .layers import check_layer
from .report import Report

__all__ = ["Finding", "Report", "assert_gradients", "check", "check_jax", "check_jvp", "check_layer", "check_torch"]
