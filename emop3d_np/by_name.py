"""Arrays by name, as networks and optimisers keep them: dicts, or what an edition of the kernels has in their place."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kernels.arrays import FloatArray


def zeros(like: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Arrays of 0 with the names and shapes of others, kept where and as those are."""
    made: dict[str, FloatArray] = (
        like.zeros() if hasattr(like, "zeros") else {name: np.zeros_like(values) for name, values in like.items()}
    )
    return made


def side_by_side(*mappings: Mapping[str, Any]) -> Iterable[tuple[Any, ...]]:
    """The arrays that belong together, for work on each number by itself.

    Args:
        mappings: arrays by name; the names are those of the first.

    Returns:
        A tuple for each name.  Where all the mappings keep their arrays in one row of memory, as ``kernels.cuda.row``
        does, there is one tuple, of the rows.
    """
    rows = tuple(row for each in mappings if (row := getattr(each, "row", None)) is not None)
    if len(rows) == len(mappings):
        return [rows]
    return [tuple(each[name] for each in mappings) for name in mappings[0]]
