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

BEYOND = {
    "sine: factor 1 + 1e-10",
    "sine: wrong beyond x = 4, which no input reaches",
    "sine: a lost update, once in 30 calls",
    "sine: a lost update, once in 1,000 calls",
}
"""Wrong ones that a check cannot be held to find: below every sensible tolerance, at other inputs, or so rarely that it
takes luck.  They stay in the table, so that nobody reads there that a gradient checker finds everything."""

__all__ = ["BEYOND", "CASES", "Case", "twin"]
