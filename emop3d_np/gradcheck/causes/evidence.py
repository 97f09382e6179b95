"""What is known of one wrong input: what backward says, and what it should say for any incoming gradient.

The slopes of all outputs with every element moved alone are the Jacobian; with it the right gradient of any incoming
gradient is one product, so that a suspicion ("it saw the incoming gradient transposed") is put to the test at once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from kernels.arrays import AnyArray, BoolArray, FloatArray, IntArray

from ...errors import InputError
from .. import effort, numeric
from .. import tolerances as tol
from ..effort import Budget
from ..state import Case, Found

Cause: TypeAlias = Callable[["Evidence"], str]
"""A suspicion: what is wrong in words where it gives exactly what backward gives, else an empty text."""


@dataclass(frozen=True)
class Output:
    """One of forward's outputs.

    Attributes:
        number: its position; words: what to call it in a sentence.
        part: where it stands in the flat outputs; shape: its own.
        y: its values, of its shape.
    """

    number: int
    words: str
    part: slice
    shape: tuple[int, ...]
    y: FloatArray


@dataclass
class Evidence:
    """What is known of one input whose gradient is wrong.

    Attributes:
        case: what the check judges by.
        i: position of the input; name: what to call it; names: of all inputs.
        places: elements that are known, places in the flattened input, of shape (n,); all others are not looked at.
        jacobian: slopes of all outputs at these, of shape (outputs, n).
        d: incoming gradients, of shape (q, outputs).
        given: what backward says for them at the places, of shape (q, n).
        budget: the time that naming may take.
        cut: only outputs that move are in ``jacobian`` and ``d``: there are too many to keep all.
    """

    case: Case
    i: int
    names: list[Any]
    places: IntArray
    jacobian: FloatArray
    d: FloatArray
    given: FloatArray
    budget: Budget
    cut: bool = False

    # --- The right gradient

    def right(self, d: FloatArray) -> FloatArray:
        """The gradient for incoming gradients ``d``, of shape (q, outputs) or (outputs,), at the places."""
        return d @ self.jacobian

    @cached_property
    def wanted(self) -> FloatArray:
        """What backward should say, of the shape of ``given``."""
        return self.right(self.d)

    @property
    def name(self) -> Any:
        return self.names[self.i]

    @property
    def x(self) -> FloatArray:
        """The input itself, in float64."""
        return np.asarray(self.case.point.base[self.i], np.float64)

    @property
    def whole(self) -> bool:
        """Whether all elements are known."""
        return len(self.places) == self.x.size

    def shaped(self, values: FloatArray) -> FloatArray:
        """``values`` of shape (q, n) as (q, *shape of the input); only where all elements are known."""
        return values.reshape(-1, *self.x.shape)

    @cached_property
    def outputs(self) -> list[Output]:
        """The real outputs, one after the other as in the flat vector."""
        pair, found, at = self.case.point.pair, [], 0
        for j, size in zip(pair.real, pair.sizes, strict=True):
            part = slice(at, at + size)
            words = f"output {pair.form.output_names[j]}" if len(pair.real) > 1 else "the output"
            found.append(Output(j, words, part, pair.shapes[j], self.case.point.at[part].reshape(pair.shapes[j])))
            at += size
        return found

    def other_inputs(self) -> Iterator[tuple[Any, FloatArray]]:
        """The other floating inputs, each with its name."""
        for k, array in enumerate(self.case.point.base):
            if k != self.i and array.dtype.kind == "f" and array.size:
                yield self.names[k], np.asarray(array, np.float64)

    # --- Whether a suspicion holds

    @cached_property
    def exact(self) -> float:
        """What two gradients may differ by and still be the same, relative to the largest."""
        return max(tol.CAUSE_RTOL, tol.CAUSE_ULPS * self.case.precision.grade)

    @cached_property
    def gap(self) -> float:
        """How far backward's gradient is off, at most, relative to the largest."""
        return float(np.abs(self.given - self.wanted).max(initial=0)) / self._top(self.wanted)

    def _top(self, candidate: FloatArray) -> float:
        return float(max(np.abs(self.given).max(initial=0), np.abs(candidate).max(initial=0), np.finfo(float).tiny))

    def fits(self, candidate: FloatArray) -> bool:
        """Whether ``candidate``, of shape (q, n) or (q, *shape), is what backward gives, to rounding.

        It must leave hardly anything of the error: a small mistake is not explained by what is nearly right.
        """
        candidate = np.asarray(candidate, np.float64).reshape(self.given.shape)
        if not np.isfinite(candidate).all():
            return False
        top = self._top(candidate)
        off = np.abs(candidate - self.given).max(initial=0) / top
        return bool(off <= self.exact and off <= tol.CAUSE_LEAVES * self.gap)

    def fits_for(self, d: FloatArray) -> bool:
        """Whether backward gives the right gradient of other incoming gradients ``d``, of shape (q, outputs)."""
        return self.fits(self.right(d))

    def same(self, one: FloatArray, other: FloatArray) -> bool:
        """Whether two arrays are equal to rounding."""
        top = max(np.abs(one).max(initial=0), np.abs(other).max(initial=0))
        return bool((np.abs(one - other) <= self.exact * top).all())

    def with_output(self, output: Output, values: FloatArray) -> FloatArray:
        """The incoming gradients with the part of ``output`` replaced by ``values``, of shape (q, *its shape)."""
        d = self.d.copy()
        d[:, output.part] = values.reshape(len(d), -1)
        return d

    def d_of(self, output: Output) -> FloatArray:
        """The incoming gradients of ``output``, of shape (q, *its shape)."""
        return self.d[:, output.part].reshape(-1, *output.shape)

    # --- More questions to backward and forward

    def ask(self, d: FloatArray, arrays: list[AnyArray] | None = None) -> FloatArray | None:
        """What backward says of the input for ``d``, of shape (q, outputs), at the places; None where it gives none."""
        answers = []
        for each in d:
            try:
                answer = self.case.point.pair.backward(each, arrays)[self.i]
            except InputError:
                return None
            if answer is None or answer.shape != self.x.shape:
                return None
            answers.append(answer.astype(np.float64).ravel()[self.places])
        return np.array(answers)

    def slope_at(self, arrays: list[AnyArray], v: FloatArray) -> FloatArray:
        """Slopes of all outputs along ``v`` at other inputs ``arrays``, of shape (outputs,); NaN where none."""
        ends = []
        size = self.case.precision.start * self.case.point.sizes[self.i]
        for step in (size, -size, 2 * size, -2 * size):
            moved = list(arrays)
            moved[self.i] = moved[self.i] + step * v
            ends.append(self.case.point.pair.forward(moved))
        with np.errstate(all="ignore"):
            slope: FloatArray = (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * size)
        return slope


def gather(case: Case, found: Found, i: int, budget: Budget) -> Evidence | None:
    """The evidence on input ``i``, as much as time and memory allow; None where there is too little."""
    point, answers = case.point, case.answers
    outputs, size = len(point.at), point.base[i].size
    room = int(effort.JACOBIAN_NUMBERS // max(outputs, 1))
    calls = size
    if budget.seconds is not None:
        calls = int(budget.left(1) / max(effort.CALLS_PER_ELEMENT * case.forward_seconds, effort.SHORTEST_CALL))
    cut = room < min(size, effort.FEWEST_KNOWN)
    count = min(size, effort.FEWEST_KNOWN if cut else room, max(calls, effort.FEWEST_KNOWN))
    order = np.arange(size) if count == size else _sample(case, found, i, count)
    places, columns = [], []
    for flat in order:
        if budget.left(1) < 0:
            break
        column = _column(case, i, int(flat))
        if column is not None:
            places.append(int(flat))
            columns.append(column)
    if len(places) < min(size, effort.FEWEST_KNOWN) // 2 + 1:
        return None
    given = np.array([g[i].astype(np.float64).ravel()[places] for g in answers.gradients])
    moving = np.unique(np.concatenate([touched for touched, _ in columns])) if cut else np.arange(outputs)
    jacobian = np.zeros((len(moving), len(places)))
    for k, (touched, slopes) in enumerate(columns):
        jacobian[np.searchsorted(moving, touched), k] = slopes
    d = answers.incoming[:, moving] if cut else answers.incoming
    return Evidence(case, i, found.names, np.array(places), jacobian, d, given, budget, cut)


def _sample(case: Case, found: Found, i: int, count: int) -> IntArray:
    """Places to look at where not all can be: those found wrong first, then any."""
    shape = case.point.base[i].shape
    wrong = [f for f in found.findings if f.ratio > 1 and f.array == found.names[i] and len(f.index) == len(shape)]
    known = [int(np.ravel_multi_index(f.index, shape)) if shape else 0 for f in wrong]
    known = known[: effort.FEWEST_KNOWN]
    others = case.rng.integers(0, int(np.prod(shape)), min(count, effort.SAMPLED))
    return np.array(list(dict.fromkeys([*known, *map(int, others)]))[: min(count, effort.SAMPLED)])


def _column(case: Case, i: int, flat: int) -> tuple[IntArray, FloatArray] | None:
    """Outputs that one element moves, and their slopes; None at a kink, and where it cannot be moved."""
    point = case.point
    if not np.isfinite(point.base[i].flat[flat]):
        return None
    element = point.element(i, flat)
    slopes, sure = numeric.slopes_by_one_step(point, case.precision, element, case.precision.start, case.complex_works)
    top = np.abs(slopes.central).max(initial=0)
    if not sure or not slopes.central_error.max(initial=0) <= tol.CAUSE_SLOPE_ERROR * top:
        slopes = numeric.slopes_by_ladder(point, case.precision, [element])
    if slopes.kink.any() or not np.isfinite(slopes.central).all():
        return None
    return slopes.outputs, slopes.central


def zero_like(values: FloatArray, exact: float) -> BoolArray:
    """Which values are 0 beside the largest."""
    zero: BoolArray = np.abs(values) <= exact * np.abs(values).max(initial=0)
    return zero


def at_axis(ndim: int, axis: int, place: Any) -> tuple[Any, ...]:
    """An index of an array of ``ndim`` axes: ``place`` along ``axis``, everything along the others."""
    return (*[slice(None)] * axis, place, *[slice(None)] * (ndim - axis - 1))
