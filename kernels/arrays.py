"""Names for the types of arrays that signatures use; shapes are said in the docstrings."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

FloatArray: TypeAlias = NDArray[np.floating[Any]]
"""float32 or float64: clips as a network takes them, maps, parameters, gradients."""

IntArray: TypeAlias = NDArray[np.integer[Any]]
"""Whole numbers: labels, places, counts."""

BoolArray: TypeAlias = NDArray[np.bool_]
"""Answers to a question about each element."""

Real: TypeAlias = float | np.floating[Any]
"""One number, of an array or of Python."""

AnyArray: TypeAlias = NDArray[Any]
"""Numbers of any kind: clips as they are stored."""
