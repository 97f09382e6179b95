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


SEEN_APART = 1e-6
"""One-sided slopes that differ by less, relative to their size, are not shown."""
MANY_TIMES = 10
"""An error of more than so many times the value is not said in percent."""


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
    def verdict(self) -> str:
        """How right it is, in words: what part of the value it is off by, or what part of the allowed error it uses."""
        if self.ratio <= 1:
            return f"{100 * self.ratio:.2g} % of what is allowed"
        if math.isnan(self.analytic) and math.isnan(self.numeric):
            return "a rule is broken"
        if not math.isfinite(self.analytic):
            return f"wrong: backward gives {self.analytic}"
        if not math.isfinite(self.error):
            return "wrong"
        if not abs(self.numeric) > 0:
            return f"wrong: {self.analytic:.3g} where it should be 0"
        share, value = self.error / abs(self.numeric), "slope along it" if self.along else "value"
        if share > MANY_TIMES:
            return f"wrong by {share:.3g} times the {value}"
        return f"wrong by {100 * share:.3g} % of the {value}"

    @property
    def along(self) -> bool:
        """Whether it is about a whole direction, not one element."""
        return self.how.startswith("along")

    @property
    def place(self) -> str:
        """The input and the place in it, in words."""
        name = f"input {self.array}" if isinstance(self.array, int) else str(self.array)
        return f"{name}[{', '.join(map(str, self.index))}]" if self.index else name

    def __str__(self) -> str:
        lines = f"{self.place}: analytic {self.analytic:.9g}, numeric {self.numeric:.9g}"
        if abs(self.left - self.right) > SEEN_APART * (abs(self.left) + abs(self.right)):
            lines += f" (left {self.left:.6g}, right {self.right:.6g})"
        if math.isnan(self.analytic) and math.isnan(self.numeric):
            return f"{self.place}: {self.how or self.verdict}"
        return lines + f": {self.verdict}" + (f"; {self.how}" if self.how else "")


@dataclass
class InputRow:
    """What was done for one input.

    Attributes:
        elements: judged one by one; directions: judged as a whole.
        kinks: elements at a kink; ties: groups of them that are tied; unmovable: elements forward cannot be moved at;
            undecided: elements whose slope is not finite, or not to be had by differences.
        worst, worst_direction: largest share of the allowed error, of the elements and of the directions.
        verdict: the same in words: by what part of the value the worst is wrong, or what part of the allowed it uses.
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
    verdict: str = ""
