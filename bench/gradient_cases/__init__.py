"""Pairs of functions to put to gradient checkers: wrong backward passes, and right ones that look wrong.

The wrong ones are copies of this project's operations, or of usual ones, with one mistake planted in each.  What kinds
of mistakes is drawn from public issue threads of gradient checkers and of frameworks.  ``CASES`` are all of them.
"""

from . import (  # noqa: F401  each adds its own
    algebra,
    choices,
    kinks,
    layers,
    memory,
    networks,
    rounding,
    rules,
    scales,
    sequences,
    shipped,
    special,
)
from .making import CASES, Case, twin

__all__ = ["CASES", "Case", "twin"]
