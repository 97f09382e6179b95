"""How much is looked at: the time budget, and how it is shared among the steps of a check.

None of these numbers makes a gradient right or wrong; they decide how many gradients are judged.
"""

import time
from dataclasses import dataclass, field

import numpy as np

# --- Shares of the budget.  Those of later steps are larger, as time is counted from the beginning.

ALL_DIRECTIONS = 0.3
"""Where all elements can be judged in this share, one round of directions is enough; else there are three."""
ROUNDS = 3
"""Rounds of directions, one for each incoming gradient."""
DIRECTIONS = 0.4
"""No further round, and no further direction of an input known to be wrong, after this share."""
SINGLES_COST, SINGLES = 0.5, 0.3
"""Single outputs get incoming gradients of their own if moving all elements takes less than the first share, and until
the second is spent."""
ALL_ELEMENTS, CALLS_PER_ELEMENT = 0.5, 2.5
"""All elements are gone through where that takes less than this share, at so many calls of forward per element."""
FIRST_LOOKS = 0.8
"""First looks at elements end here."""
CLOSE_LOOKS = 0.9
"""Looks by all steps end here, ..."""
FEWEST_CLOSE_LOOKS, MOST_WRONG = 8, 40
"""... but for so many of them, and also when this many elements proved wrong."""
FIRST_CALLS, ROUNDING, RULES = 0.1, 0.2, 0.4
"""Calls to see whether forward repeats itself, to measure how it rounds, and for the rules, each only where it ends
before this share: a forward pass of seconds is put to the first directions instead."""
AT_LEAST, QUICK = 4.0, 0.02
"""One direction of each input is judged up to so many budgets, if one call of forward takes less than this share."""
LADDER_CALLS, LARGE_LADDER_CALLS = 30, 90
"""Calls of forward that one look by all steps takes as long as; along a direction with large outputs."""
TIES, TIE_GRADIENTS = 1.0, 1.0
"""Pairs at a kink are moved until the first share is spent, the ties found are judged until the second is."""

NAMING = 0.1
"""What is likely wrong is looked for in this share, counted from there."""

# --- Numbers of things

MANY_NUMBERS = 5e5
"""Where inputs and outputs are more numbers than this, memory counts: one incoming gradient, one nudge of the inputs,
a ladder of few steps along directions, and rounding as one nudge shows it."""
COMPLEX_NUMBERS = 5e6
"""Where they are more than this, there is no complex step, which doubles every array."""
FEW_STEPS = 4
"""Steps of such a ladder."""
SINGLE_OUTPUTS, SINGLE_NUMBERS = 512, 4e6
"""At most so many outputs get an incoming gradient of their own, and their gradients hold at most so many numbers."""
LISTED = 3e5
"""More elements than this are never gone through one by one."""
SAMPLED = 400
"""At most so many elements are judged one by one where not all can be."""
CORNERS_LISTED, CORNERS, LARGEST = 243, 24, 8
"""Likely culprits of each input: how many corners, edges and middles are listed, how many of these are taken, and how
many of the largest gradients."""
SHUFFLED, DRAWN = 1e5, 4000
"""Inputs of fewer elements are shuffled whole for a sample; of larger ones so many places are drawn."""
LADDER_NUMBERS, LONG_LADDER = 2e5, 8
"""A ladder of at least 8 steps is halved for a direction if its outputs would be more numbers than this."""
ALL_PAIRS = 9
"""Of up to so many elements at one kink all pairs are tried for ties, else neighbours only."""

JACOBIAN_NUMBERS, MASKED_NUMBERS = 4e6, 1e6
"""Of a wrong input so many slopes are kept, and gone through output by output, to find what is likely wrong."""
SHORTEST_CALL = 1e-5
"""Seconds that a call of forward takes at least, with what is done around it."""
FEWEST_KNOWN = 12
"""Fewer elements are too few to name a mistake by."""
MOST_AXES = 5
"""Orders of more axes than this are not tried."""
LONGEST_WINDOW = 32
"""Longer windows are not tried without one of their ends."""
PLACES_SAID = 6
"""So many places of an axis are listed in a sentence."""
MOST_ROWS, MOST_MATCHED, MOST_PLACES = 64, 4096, 32
"""Flattened orders of up to so many rows, orders of up to so many places, and up to so many single places are tried."""


def now() -> float:
    """Seconds by the clock that is there when it is asked: tests have one of their own."""
    return time.perf_counter()


@dataclass
class Budget:
    """The time that a check may take, counted from its making.

    Attributes:
        seconds: None or 0 where there is no limit to what is started.
        started: by the clock of :func:`now`.
        call: seconds of one call of forward, once that is known.
        skipped: what there was no time for, in words.
    """

    seconds: float | None
    started: float = field(default_factory=now)
    call: float = 0.0
    skipped: list[str] = field(default_factory=list)

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return now() - self.started

    def left(self, share: float) -> float:
        """Seconds until ``share`` of the budget is spent; negative when it is."""
        return np.inf if self.seconds is None else share * self.seconds - self.spent

    def room(self, calls: float, share: float, what: str = "") -> bool:
        """Whether so many calls of forward end before ``share`` of the budget is spent; else ``what`` was left out."""
        has = self.seconds is None or self.spent + calls * self.call <= share * self.seconds
        if not has and what and what not in self.skipped:
            self.skipped.append(what)
        return has

    @property
    def quick(self) -> bool:
        """Whether a call of forward is but a small part of the budget."""
        return self.seconds is None or self.call < QUICK * self.seconds

    def allows(self, cost: float, share: float) -> bool:
        """Whether something that takes ``cost`` seconds fits into ``share`` of the whole budget."""
        return cost < share * (self.seconds or np.inf)
