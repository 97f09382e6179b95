"""Arrays by name in one row of the device's memory, so that one launch can work on the numbers of all of them."""

from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from ..arrays import FloatArray
from .device_array import DeviceArray, to_device

APART = 64
"""Every array begins at a multiple of so many numbers, where a warp's row of neighbours would begin as well."""


class Row(dict[str, DeviceArray]):
    """A dict of DeviceArrays that lie one after the other; the numbers between them are 0.

    Args:
        shapes: of the arrays, by name.
        values: one row with room for all of them.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], values: DeviceArray) -> None:
        self._all = values
        for name, (start, shape) in _places(shapes).items():
            self[name] = values[start : start + prod(shape)].reshape(shape)
        self._own = dict(self)

    @property
    def row(self) -> DeviceArray | None:
        """The numbers of all arrays as one; None once another array was put among them, or one taken out."""
        same = len(self) == len(self._own) and all(self.get(name) is own for name, own in self._own.items())
        return self._all if same else None

    def zeros(self) -> "Row":
        """Arrays of the same names and shapes, all 0."""
        values = DeviceArray.empty(self._all.shape, self._all.dtype)
        values[...] = 0
        return Row({name: own.shape for name, own in self._own.items()}, values)


def in_one_row(arrays: Mapping[str, FloatArray]) -> Row:
    """Copy arrays to the device, beside each other.

    Args:
        arrays: of one dtype, by name.
    """
    shapes = {name: values.shape for name, values in arrays.items()}
    *_, (last, shape) = places = _places(shapes).values()
    on_host = np.zeros(last + prod(shape), np.result_type(*arrays.values()))
    for (start, _), values in zip(places, arrays.values(), strict=True):
        on_host[start : start + values.size] = values.reshape(-1)
    return Row(shapes, to_device(on_host))


def _places(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, Any]]:
    """Where each array begins in the row, and its shape."""
    places, start = {}, 0
    for name, shape in shapes.items():
        places[name] = start, shape
        start += -(-prod(shape) // APART) * APART
    return places
