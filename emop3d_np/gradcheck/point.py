"""The point at which a pair is checked, and how its inputs are moved from there.

Written ``F`` in comments: the outputs as one flat vector, as a function of all inputs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kernels.arrays import AnyArray, FloatArray

from . import effort
from . import tolerances as tol
from .functions import Pair

Element = tuple[int, int, float]
"""An element to be moved: position of its input, place in the flattened input, the size that steps are parts of."""


@dataclass(frozen=True)
class Point:
    """Where ``F`` is taken.

    Attributes:
        pair: the functions.
        base: the inputs that are moved: those of ``pair``, or the same numbers in float64.
        sizes: of each input a power of two near its usual value, so that elements that are 0 have a size too; steps are
            relative to it.
        at: ``F`` at ``base``, of shape (outputs,).
    """

    pair: Pair
    base: list[AnyArray]
    sizes: list[float]
    at: FloatArray

    @property
    def large(self) -> bool:
        """Whether its arrays are so large that few of them should be there at a time."""
        return self.numbers > effort.MANY_NUMBERS

    @property
    def numbers(self) -> int:
        """How many numbers the inputs and outputs are."""
        return sum(a.size for a in self.base) + len(self.at)

    def random_direction(self, i: int, rng: np.random.Generator) -> FloatArray:
        """A direction for input ``i``, of its shape: normal numbers times the values, or the size where they are 0."""
        array = self.base[i]
        v = rng.standard_normal(array.shape) * np.where(array == 0, self.sizes[i], np.abs(array))
        return np.where(np.isfinite(v), v, 0)

    def moved(self, v: Mapping[int, FloatArray], t: float) -> tuple[FloatArray, dict[int, FloatArray]]:
        """``F(x + t v)`` of shape (outputs,), and for each input in ``v`` the step that its rounded numbers make."""
        arrays, steps = list(self.base), {}
        with np.errstate(all="ignore"):
            for i, along in v.items():
                arrays[i] = (self.base[i] + t * along).astype(self.base[i].dtype, copy=False)
                steps[i] = self._step(i, arrays[i])
        return self.pair.forward(arrays), steps

    def step(self, i: int, along: FloatArray, t: float) -> FloatArray:
        """The step of input ``i`` that :meth:`moved` gives for it."""
        with np.errstate(all="ignore"):
            return self._step(i, (self.base[i] + t * along).astype(self.base[i].dtype, copy=False))

    def _step(self, i: int, moved: AnyArray) -> FloatArray:
        step = np.asarray(moved.astype(np.float64, copy=False) - self.base[i])
        step[~np.isfinite(self.base[i])] = 0
        return step

    def element(self, i: int, flat: int) -> Element:
        """An element with its size: that of its input, or its own where that is larger."""
        size, value = self.sizes[i], abs(self.base[i].flat[flat])
        if value > 0:
            size = max(size, float(2.0 ** np.round(np.log2(float(value)))))
        return i, flat, size

    def element_ends(self, elements: Sequence[Element], step: float) -> list[FloatArray]:
        """``F`` with each of ``elements`` moved up, and down, by ``step`` sizes: two arrays of shape (outputs,).

        Both are corrected to belong to exactly ``step``, whatever the rounding of the inputs.
        """
        ends = []
        for sign in (1, -1):
            arrays, real = list(self.base), 0.0
            for i, flat, size in elements:
                if arrays[i] is self.base[i]:
                    arrays[i] = self.base[i].copy()
                before = self.base[i].flat[flat]
                arrays[i].flat[flat] = before + np.asarray(sign * step * size).astype(before.dtype)
                real = (float(arrays[i].flat[flat]) - float(before)) / (sign * size)
            if real == 0:
                ends.append(np.full_like(self.at, np.nan))
                continue
            values = self.pair.forward(arrays)
            ends.append(values if real == step else self.at + (values - self.at) * (step / real))
        return ends

    def complex_slope(self, v: Mapping[int, FloatArray]) -> FloatArray | None:
        """Slopes along ``v`` by the complex step, of shape (outputs,); None where it gives none."""
        h = tol.COMPLEX_STEP
        return self._imaginary([a + 1j * h * v[i] if i in v else a for i, a in enumerate(self.base)])

    def complex_slope_of_element(self, element: Element) -> FloatArray | None:
        """The same for one element moved by its size."""
        i, flat, size = element
        arrays = list(self.base)
        arrays[i] = arrays[i].astype(complex)
        arrays[i].flat[flat] += 1j * tol.COMPLEX_STEP * size
        return self._imaginary(arrays)

    def _imaginary(self, arrays: list[AnyArray]) -> FloatArray | None:
        values = self.pair.forward(arrays, "c")
        slope = values.imag / tol.COMPLEX_STEP
        if self.pair.real_when_complex or not np.isfinite(slope).all():
            return None
        same = np.abs(values.real - self.at) <= tol.COMPLEX_REAL * np.abs(self.at).max()
        return slope if same.all() else None


def nudged(arrays: Sequence[AnyArray], size: float, salt: int) -> list[AnyArray]:
    """Every value moved by up to ``size`` of itself; equal values stay equal, zeros stay zero.

    The moves come from a hash of the values' bits and ``salt``.
    """
    result = []
    for array in arrays:
        if array.dtype.kind != "f":
            result.append(array)
            continue
        bits = np.atleast_1d(array.astype(np.float64)).view(np.uint64)
        with np.errstate(over="ignore"):
            mixed = (bits ^ np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)) * np.uint64(0xFF51AFD7ED558CCD)
            mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        unit = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
        with np.errstate(all="ignore"):
            moved = array * (1 + size * unit.reshape(array.shape))
        result.append(np.asarray(np.where(np.isfinite(array), moved, array), array.dtype))
    return result


def size_of(array: AnyArray) -> float:
    """A power of two near the root mean square of ``array``; 1 where that is 0."""
    values = array[np.isfinite(array)].astype(np.float64)
    top = np.abs(values).max(initial=0)
    if not top:
        return 1.0
    return float(2.0 ** np.round(np.log2(top * np.sqrt(np.square(values / top).mean()))))
