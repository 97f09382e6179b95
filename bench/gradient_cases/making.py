"""How a case is made: a wrong backward pass and its right twin, by names that say which belong together.

Each case is made anew for each checker, for some of them keep state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

CASES = []


@dataclass(frozen=True)
class Case:
    """A pair of functions to be judged.

    Attributes:
        name: of a wrong one "twin: what is wrong", so "sort: ties: split" is the wrong twin of "sort: ties", or of
            "sort" where no right case is called "sort: ties".
        right: the verdict that is due.
        make: ``make() -> forward, backward, inputs``.
        truth: of a right one ``truth(torch, *tensors) -> tensor or tuple of tensors``, forward once more in other
            words, by which PyTorch's automatic differentiation confirms the case; None: by algebra.
    """

    name: str
    right: bool
    make: Callable[[], tuple[Any, Any, tuple[np.ndarray, ...]]]
    truth: Callable[..., Any] | None = None

    @property
    def single(self):
        """Is some input coarser than float64?"""
        kinds = [np.asarray(each).dtype for each in self.make()[2]]
        return any(kind.kind in "fc" and np.finfo(kind).eps > np.finfo(np.float64).eps for kind in kinds)


def planted(name, make):
    CASES.append(Case(name, False, make))


def right(name, make, truth=None):
    CASES.append(Case(name, True, make, truth))


def twins(name, forward, backward, inputs, wrong, truth=None):
    """A right case and its wrong twins.

    Args:
        name: of the right one.
        forward, backward: functions without state; ``inputs``: a tuple of arrays.
        wrong: backward passes by what is wrong with them in words.
        truth: as of :class:`Case`.
    """
    right(name, pair(forward, backward, *inputs), truth)
    for words, mistaken in wrong.items():
        planted(f"{name}: {words}", pair(forward, mistaken, *inputs))


def both(name, forward, backward, inputs, wrong, truth=None):
    """:func:`twins` in float64, and once more in float32 under the name "name: float32"."""
    twins(name, forward, backward, inputs, wrong, truth)
    twins(f"{name}: float32", forward, backward, as32(*inputs), wrong, truth)


def twin(case):
    """The right twin of a wrong case.

    Raises:
        KeyError: there is none.
    """
    named = {each.name: each for each in CASES if each.right}
    name = case.name
    while name not in named:
        name, colon, _ = name.rpartition(": ")
        if not colon:
            raise KeyError(f"{case.name!r} has no right twin")
    return named[name]


def pair(forward, backward, *inputs):
    """``make`` of a case without state: ``inputs`` are arrays."""
    return lambda: (forward, backward, tuple(each.copy(order="K") for each in inputs))


def changed(backward, **mistake):
    return lambda d, *inputs: backward(d, *inputs, **mistake)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def as32(*arrays):
    """The same with float64 arrays made float32."""
    return tuple(array.astype(np.float32) if array.dtype == np.float64 else array for array in arrays)
