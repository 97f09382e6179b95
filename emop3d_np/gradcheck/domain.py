"""The values at which a verdict can be relied on, and what is said beyond them.

A slope is a difference of outputs over a step.  Far from the usual sizes the outputs, or their differences, are beyond
the numbers of the dtype: the square of 1e-250 is 0, that of 1e200 infinite, and no step shows the slope.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

SIZES = {2: (1e-2, 1e2), 4: (1e-12, 1e12), 8: (1e-100, 1e100)}
"""Least and largest size of an input by the bytes of its numbers, beside 0: squares and cubes are in range, too."""


def beyond(arrays: Sequence[AnyArray], names: Sequence[Any]) -> str:
    """A line on the first value of the inputs that is outside of :data:`SIZES`; empty where there is none."""
    for array, name in zip(arrays, names, strict=True):
        if array.dtype.kind != "f":
            continue
        least, most = SIZES[min(array.dtype.itemsize, 8)]
        sizes = np.abs(array)
        outside = np.isfinite(array) & (((sizes > 0) & (sizes < least)) | (sizes > most))
        if outside.any():
            index = [int(place) for place in np.argwhere(outside)[0]]
            value = float(array[tuple(index)])
            return (
                f"input {name} holds {value:.3g} at {index}: for {array.dtype} verdicts hold for sizes from {least:g} "
                f"to {most:g}, and for 0; beyond, a right gradient may be called wrong"
            )
    return ""
