"""One judged value, and what was done for one input: the parts that a report is made of."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from kernels.arrays import FloatArray


def share_of_allowed(off: ArrayLike, allowed: ArrayLike) -> FloatArray:
    """Share of the allowed error that is used; above 1 is wrong, as is anything where nothing is allowed."""
    off, allowed = np.asarray(off), np.asarray(allowed)
    with np.errstate(all="ignore"):
        share = off / allowed
        within, beyond = np.where(off > 0, share, 0), np.where(allowed > 0, share, np.inf)
        return np.where(off <= allowed, within, beyond)


@dataclass
class Finding:
    """One judged value.

    Attributes:
        array: name or position of the input.
        index: its multi-index.
        analytic: what backward says; numeric: what it should say (at a kink: the nearest value that would be right).
        left, right: one-sided slopes.
        error, allowed: the value is right if ``error <= allowed``.
        how: what was looked at, in words.
    """

    array: object
    index: tuple[int, ...]
    analytic: float = math.nan
    numeric: float = math.nan
    left: float = math.nan
    right: float = math.nan
    error: float = math.inf
    allowed: float = 0.0
    how: str = ""

    @property
    def ratio(self) -> float:
        """Share of the allowed error that is used; above 1 is wrong.  NaN counts as infinite."""
        return math.inf if math.isnan(self.error) else float(share_of_allowed(self.error, self.allowed))

    @property
    def along(self) -> bool:
        """Whether it is about a whole direction, not one element."""
        return self.how.startswith("along")

    def __str__(self) -> str:
        place = f"input {self.array}" if isinstance(self.array, int) else self.array
        index = f"[{', '.join(map(str, self.index))}]" if self.index is not None else ""
        lines = f"{place}{index}: analytic {self.analytic:.9g}, numeric {self.numeric:.9g}"
        if self.left != self.right and not math.isnan(self.left):
            lines += f" (left {self.left:.6g}, right {self.right:.6g})"
        return lines + f", error {self.error:.3g}, allowed {self.allowed:.3g}" + (f"; {self.how}" if self.how else "")


@dataclass
class InputRow:
    """What was done for one input.

    Attributes:
        elements: judged one by one; directions: judged as a whole.
        kinks: elements at a kink; ties: groups of them that are tied; unmovable: elements forward cannot be moved at;
            undecided: elements whose slope is not finite, or not to be had by differences.
        worst, worst_direction: largest share of the allowed error, of the elements and of the directions.
    """

    name: object
    shape: tuple[int, ...]
    dtype: str
    elements: int = 0
    directions: int = 0
    kinks: int = 0
    ties: int = 0
    unmovable: int = 0
    undecided: int = 0
    worst: float = math.nan
    worst_direction: float = 0.0
