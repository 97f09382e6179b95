"""What the steps of a check share: what is fixed before the first gradient is judged, and what was found."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.arrays import FloatArray, IntArray

from . import tolerances as tol
from .effort import Budget
from .finding import Finding, InputRow, share_of_allowed
from .functions import Gradients, Pair
from .point import Point
from .slopes import Slopes


class Stop(Exception):
    """A rule is broken so that nothing more can be said."""


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How exactly forward computes, and what a right backward pass can be held to.

    Attributes:
        eps: last place of forward's arithmetic where the inputs are moved.
        grade: last place of the coarsest numbers that take part: inputs, outputs, forward's arithmetic.
        ulps: last places of the largest gradient that each gradient may be off by.
        rtol, atol: allowed relative and absolute error.
        steps: the ladder of steps, of shape (j,), largest first, relative to the sizes of the inputs.
        start: the step where rounding and curvature balance.
        noise: rounding of each output, of shape (outputs,).
        floor: size of the terms that a gradient may be a difference of, however small it is itself.
    """

    eps: float
    grade: float
    ulps: float
    rtol: float
    atol: float
    steps: FloatArray
    start: float
    noise: FloatArray
    floor: float = 0.0

    def of_outputs(self, value: float) -> float:
        """What the gradient of an input of this ``value`` is rounded by, relative to the outputs it moves."""
        return tol.OUTPUT_ULPS * self.grade * min(1.0, tol.LONGEST / max(abs(value), 1.0))


@dataclass(kw_only=True)
class Answers:
    """What backward answers to the incoming gradients that everything is judged by.

    Attributes:
        incoming: incoming gradients, of shape (q, outputs).
        gradients: for each of them the gradients of all inputs.
        judged: positions of the inputs that have gradients.
        spread: by input, of its shape: what one last place of the inputs changes in the gradient.
        singles: outputs that got an incoming gradient of their own, of shape (s,); asked for by the elements' step.
        single_gradients: for each of these the gradients of all inputs.
        tops: by input, of shape (q + s,): the largest gradient for each question, no less for a single output than
            for all of them.  A factor such as 1 - s loses last places of 1, however small the gradient it ends in.
    """

    incoming: FloatArray
    gradients: list[Gradients]
    judged: list[int]
    spread: dict[int, FloatArray]
    singles: IntArray = field(default_factory=lambda: np.empty(0, int))
    single_gradients: list[Gradients] = field(default_factory=list)
    tops: dict[int, FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        self.tops = {i: _largest(self.gradients, i) for i in self.judged}

    def add_singles(self, outputs: Sequence[int], gradients: list[Gradients]) -> None:
        """Judge by incoming gradients of single ``outputs``, too."""
        self.singles, self.single_gradients = np.array(outputs, int), gradients
        for i in self.judged:
            whole = self.tops[i]
            self.tops[i] = np.append(whole, np.maximum(_largest(gradients, i), whole.max()))

    def of_element(self, i: int, flat: int) -> FloatArray:
        """Gradients of one element, of shape (q + s,)."""
        return np.array([g[i].flat[flat] for g in (*self.gradients, *self.single_gradients)], np.float64)


def _largest(gradients: list[Gradients], i: int) -> FloatArray:
    return np.array([np.abs(g[i]).max() for g in gradients], np.float64)


@dataclass(kw_only=True)
class Case:
    """What directions, elements and ties are judged by; of it only ``answers`` grows.

    Attributes:
        budget: the time that may be taken.
        rng: draws directions, and samples of elements and outputs.
        point, precision, answers: what is moved, how exactly, and what backward says.
        forward_seconds: time of one call of forward.
        complex_works: the complex step was shown to agree with differences.
    """

    budget: Budget
    rng: np.random.Generator
    point: Point
    precision: Precision
    answers: Answers
    forward_seconds: float
    complex_works: bool

    @property
    def elements(self) -> int:
        """Number of elements of all judged inputs."""
        return sum(self.point.base[i].size for i in self.answers.judged)


@dataclass
class Found:
    """What a check found so far.

    Attributes:
        names: of the inputs, for the report.
        rows: what was done for each input.
        ratios: for each input an array of its shape, the share of the allowed error that was used, NaN where nothing
            was judged; None for inputs that have no gradient.
        notes: what a reader should know beside.
        findings: values that were looked at closely.
        kinked: elements at a kink, ``(input, place)``, with their slopes and the size that steps were relative to.
        method: the numeric side, in words.
        undecided: elements whose slope differences do not tell, ``(input, place)``.
        causes: what is likely wrong, in words.
        errors: of wrong inputs, by position: what backward says less what it should say, NaN where not known.
    """

    names: list[Any]
    rows: list[InputRow]
    ratios: list[Any]
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    kinked: dict[tuple[int, int], tuple[Slopes, float]] = field(default_factory=dict)
    method: str = ""
    undecided: set[tuple[int, int]] = field(default_factory=set)
    causes: list[str] = field(default_factory=list)
    errors: dict[int, FloatArray] = field(default_factory=dict)

    @classmethod
    def nothing(cls, pair: Pair) -> "Found":
        """The beginning, with the inputs' names."""
        names = pair.form.names
        rows = [InputRow(name, a.shape, str(a.dtype)) for name, a in zip(names, pair.inputs, strict=True)]
        return cls(list(names), rows, [None] * len(rows))

    def note(self, words: str) -> None:
        """Tell the reader ``words``, once."""
        if words not in self.notes:
            self.notes.append(words)

    def leave_undecided(self, i: int, flat: int, infinite: bool) -> None:
        """An element whose gradient can be called neither right nor wrong."""
        if (i, flat) not in self.undecided:
            self.undecided.add((i, flat))
            self.rows[i].undecided += 1
            name, index = self.names[i], list(index_of(flat, self.rows[i].shape))
            why = "the slope is not finite there" if infinite else "differences do not settle on a slope there"
            self.note(f"not decided: {name}{index}: {why}")

    def record_direction(self, i: int, off: float, allowed: float) -> None:
        """A direction of input ``i`` was judged."""
        row = self.rows[i]
        row.worst_direction = max(row.worst_direction, float(share_of_allowed(off, allowed)))

    def sum_up(self) -> list[str]:
        """Complete the rows; returns the problems of inputs that cannot be moved, and notes single such elements."""
        problems = []
        for row, ratios in zip(self.rows, self.ratios, strict=True):
            judged = ratios[~np.isnan(ratios)] if ratios is not None else np.empty(0)
            row.worst = float(judged.max()) if judged.size else math.nan
            if row.unmovable and row.unmovable >= tol.MOSTLY_UNMOVABLE * row.elements + 1:
                problems.append(
                    f"input {row.name} cannot be moved: forward gives NaN or raises beside the given values"
                )
            elif row.unmovable:
                self.note(f"{row.unmovable} elements of input {row.name} cannot be moved; they were not judged")
        return problems


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The multi-index of a place in the flattened array."""
    return tuple(int(place) for place in np.unravel_index(flat, shape)) if shape else ()
