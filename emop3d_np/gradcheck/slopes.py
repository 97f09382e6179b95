"""Slopes by differences: a ladder of steps, extrapolated, each with an honest bound of its own error.

Along a direction ``v``, ``F(x + h v)`` is taken at steps ``h`` that shrink by a factor of 8 from a fraction of the
size of the values to a few units of their last place.  From one ladder come three slopes per output: central, and the
two one-sided ones, which do not use ``F(x)`` and so survive a jump.  Richardson's extrapolation removes the leading
error; of all steps and orders each output takes its own best.

scipy.differentiate.derivative is close, but works on functions of single numbers, has no one-sided pair beside the
central one, and needs SciPy 1.15.
"""

from dataclasses import dataclass, replace

import numpy as np

from kernels.arrays import BoolArray, FloatArray, IntArray

from . import tolerances as tol

PART = 1 << 13
"""Outputs that are worked on together: few enough to stay in the cache."""


@dataclass
class Slopes:
    """Slopes along one direction, one per output, each with the bound of its error.

    Attributes:
        central, left, right: arrays of shape (outputs,).
        central_error, side_error: bounds, the second of both sides.
        kink: left and right differ by more than their errors: any value between them is right.
        best_step: the step that gave most outputs their central slope.
        outputs: which outputs these are; all others do not change along the direction.
        infinite: the slope grows without bound, to one side at least.
        vague: differences do not tell the slope, and it is not rounding that hides it.
        hidden: rounding hides the slope, and the longest step says most of it.
        noise: rounding of these outputs, as the steps show it.
    """

    central: FloatArray
    left: FloatArray
    right: FloatArray
    central_error: FloatArray
    side_error: FloatArray
    kink: BoolArray
    best_step: float
    outputs: IntArray
    infinite: BoolArray
    vague: BoolArray
    hidden: BoolArray
    noise: FloatArray

    @property
    def low(self) -> FloatArray:
        return np.where(self.kink, np.minimum(self.left, self.right), self.central)

    @property
    def high(self) -> FloatArray:
        return np.where(self.kink, np.maximum(self.left, self.right), self.central)

    @property
    def size(self) -> FloatArray:
        """Sizes of the slopes: what a rounding error is relative to."""
        return np.maximum(np.abs(self.low), np.abs(self.high))

    def interval(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Between what bounds ``weights @ slopes`` may lie; ``weights`` of shape (all outputs,) or (q, all outputs)."""
        weights = weights[..., self.outputs]
        ends = weights * self.low, weights * self.high
        return np.minimum(*ends).sum(axis=-1), np.maximum(*ends).sum(axis=-1)

    def weighed(self, weights: FloatArray, values: FloatArray) -> FloatArray:
        """``weights @ values`` for ``values`` of these slopes."""
        return weights[..., self.outputs] @ values

    def of(self, outputs: IntArray, values: FloatArray) -> FloatArray:
        """``values`` of these slopes at the given ``outputs``; 0 at those that do not change."""
        if not len(self.outputs):
            return np.zeros(len(outputs))
        place = np.minimum(np.searchsorted(self.outputs, outputs), len(self.outputs) - 1)
        return np.where(self.outputs[place] == outputs, values[place], 0)

    def over(self, size: float) -> "Slopes":
        """The same for a direction ``size`` times as long."""
        scaled = ("central", "left", "right", "central_error", "side_error")
        return replace(self, **{name: getattr(self, name) / size for name in scaled})

    @property
    def error(self) -> FloatArray:
        return np.where(self.kink, self.side_error, self.central_error)


def ladder(eps: float) -> FloatArray:
    """Steps, largest first, for values whose last place is ``eps``; relative to the size of what is moved."""
    last = int(-np.log2(eps)) - tol.LAST_POWER
    last = max(last, tol.FIRST_POWER + (tol.FEWEST_STEPS - 1) * tol.STEP_POWER + 1)
    return 2.0 ** -np.arange(tol.FIRST_POWER, last, tol.STEP_POWER)


def slopes(
    steps: FloatArray,
    above: FloatArray,
    below: FloatArray,
    at: FloatArray,
    noise: FloatArray,
    largest: float | None = None,
    moved: float = 0.0,
) -> Slopes:
    """Slopes from the ladder.

    Args:
        steps: ndarray of shape (j,), largest first, each the same part of the one before.
        above, below: ``F(x + h v)`` and ``F(x - h v)``, of shape (j, outputs); NaN where F could not be taken.
        at: ``F(x)``, of shape (outputs,).
        noise: rounding of F, of shape (outputs,).
        largest: the largest output, where ``at`` holds a part of them; default the largest of ``at``.
        moved: the largest number that is moved, if known.
    """
    top = float(np.abs(at).max(initial=0)) if largest is None else largest
    floor = tol.STILL_ULPS * tol.DOUBLE * top
    tick = tol.TICK_ULPS * tol.DOUBLE * max(top, moved)
    parts = [slice(start, start + PART) for start in range(0, max(len(at), 1), PART)]
    noise_given = noise
    found = [_slopes(steps, above[:, p], below[:, p], at[p], noise_given[p], (floor, tick), p.start) for p in parts]
    *values, chosen, outputs = (np.concatenate(each) for each in zip(*found, strict=True))
    central, left, right, central_error, side_error, kink, infinite, vague, hidden, noise = values
    best_step = float(steps[np.bincount(chosen, minlength=len(steps)).argmax()])
    return Slopes(
        central, left, right, central_error, side_error, kink, best_step, outputs, infinite, vague, hidden, noise
    )


# Long: what each line takes from the lines above it is hard to hand on.
def _slopes(steps, above, below, at, noise, limits, start):
    """The fields of :class:`Slopes`, for the outputs from ``start`` on; in place of the best step, each output's."""
    floor, tick = limits
    active = ((above != at) | (below != at)).any(axis=0)  # NaN differs from everything
    outputs = np.flatnonzero(active)
    above, below, at, noise = above[:, active], below[:, active], at[active], noise[active]
    h, ratio = steps[:, np.newaxis], steps[0] / steps[1]
    noise = np.maximum(noise, tol.STILL_ULPS * np.finfo(np.float64).smallest_subnormal)  # outputs such as 1e-315
    with np.errstate(all="ignore"):
        infinite = _diverges(above, at, noise, h) | _diverges(below, at, noise, h)
        # What the finest steps show of rounding; a kink's part shrinks with the step, a jump's is the same at all.
        bends = np.abs(above + below - 2 * at)[-tol.FINEST_STEPS :]
        middle = np.median(bends, axis=0)
        steady = bends.max(axis=0) - bends.min(axis=0) <= tol.STEADY_BEND * middle
        noise = np.where(steady | ~np.isfinite(middle), noise, np.maximum(noise, middle))
        # Values that stand still for small steps are rounded to more than their own last place.
        moves = np.concatenate([np.abs(above - at), np.abs(below - at)])
        least = np.where(moves > 0, moves, np.inf).min(axis=0)
        noise = np.maximum(noise, _tick(above, below, at, noise, tick, ratio))
        still = (moves == 0).any(axis=0) & np.isfinite(least)
        noise = np.where(still, np.maximum(noise, np.minimum(least, floor)), noise)
        spread = tol.DIFFERENCE_NOISE * noise / h
        central, central_error, chosen = _best((above - below) / (2 * h), spread, ratio, 2)
        # Between neighbouring steps, without F(x): the leading error is of first order in h.
        widths = h[:-1] - h[1:]
        wide = tol.DIFFERENCE_NOISE * noise / widths
        right, right_error, _ = _best((above[:-1] - above[1:]) / widths, wide, ratio, 1)
        left, left_error, _ = _best((below[1:] - below[:-1]) / widths, wide, ratio, 1)
        side_error = np.maximum(right_error, left_error)
        # Beside a jump the differences through F(x) grow without bound: only the sides tell.
        jump = _jump(above, at, noise, h, right) | _jump(below, at, noise, h, left)
        apart = np.abs(right - left)
        kink = apart > tol.KINK_ERRORS * (right_error + left_error)
        kink &= apart > tol.KINK_SHARE * (np.abs(right) + np.abs(left))
        kink = (kink | jump) & np.isfinite(side_error)
        # At the end of a domain there is one side only; its slope is the slope.
        lone = ~np.isfinite(central)
        for side, its_error in ((left, left_error), (right, right_error)):
            use = lone & np.isfinite(side)
            central[use], central_error[use] = side[use], its_error[use]
            lone &= ~use
        error, size = np.where(kink, side_error, central_error), np.maximum(np.abs(right), np.abs(left))
        unsure = error > tol.UNDECIDED_SHARE * np.where(kink, size, np.abs(central))
        rounding = noise / steps[np.minimum(chosen + 1, len(steps) - 1)]
        vague = unsure & (error > tol.UNDECIDED_NOISE * rounding) & np.isfinite(central)
        hidden = (chosen <= 1) & (error > tol.GLANCE_SHARE * np.abs(central)) & (noise > 0)
    return (
        central,
        left,
        right,
        central_error,
        side_error,
        kink,
        infinite,
        vague,
        hidden,
        noise,
        chosen,
        outputs + start,
    )


def _tick(above, below, at, noise, limit, ratio):
    """Rounding that short steps do not show: what bends at one step by far more than it may after the next shorter one.

    Of ``x (1 + erf(x))`` at -6 the bracket is 0 but for one or two last places of 1, and stands still for short steps.
    """
    bends = np.abs(above + below - 2 * at)
    # Ticks to both sides cancel in these; then the width is not that of the step before, shrunk.
    widths = above - below
    odd = np.abs(widths[:-1] - ratio * widths[1:])
    ticks = np.zeros_like(at)
    for each, order in ((bends, tol.TICK_ORDER), (odd, tol.TICK_ORDER + 1)):
        sudden = each[:-1] > ratio**order * np.maximum(each[1:], noise)
        ticks = np.maximum(ticks, np.where(sudden & (each[:-1] <= limit), each[:-1], 0).max(axis=0, initial=0))
    return ticks


def _diverges(values, at, noise, h):
    """Whether slopes through F(x), to one side, grow without bound: by a factor from each of the finest steps on."""
    if len(h) < tol.FINEST_STEPS:
        return np.zeros(len(at), bool)
    slope = np.abs(values - at)[-tol.FINEST_STEPS :] / h[-tol.FINEST_STEPS :]
    growth = slope[1:] / slope[:-1]
    clear = np.abs(np.diff(slope, axis=0)) > tol.DIFFERENCE_NOISE * noise / h[-tol.FINEST_STEPS + 1 :]
    least, most = tol.DIVERGING
    return (clear & (growth > least) & (growth < most)).all(axis=0)


def _jump(values, at, noise, h, slope):
    last = values[-1] - at - h[-1] * slope
    before = values[-2] - at - h[-2] * slope
    gap = np.minimum(np.abs(last), np.abs(before))
    high = (gap > tol.JUMP_NOISE * noise) & (gap > tol.JUMP_SHARE * np.abs(slope))
    return high & (np.abs(last - before) <= tol.JUMP_STEADY * gap)


def _best(estimates, spread, ratio, order):
    """Of all steps and orders of extrapolation the one with the smallest error bound, for each output.

    A bound is the rounding at that step, plus what the next smaller step changes, plus whatever finer steps say
    beyond their own rounding.  The last term is what keeps a large step from being believed for its calm alone.
    """
    best = np.full(estimates.shape[1], np.nan)
    error = np.full(estimates.shape[1], np.inf)
    chosen = np.zeros(estimates.shape[1], int)
    table, rounding, first = estimates, spread * np.ones_like(estimates), 0
    for power in range(tol.EXTRAPOLATIONS):
        for j in range(len(table)):
            finer = np.abs(table[j + 1 :] - table[j])
            bound = rounding[j].copy()
            if len(finer):
                bound += finer[0] + np.nan_to_num(finer[1:] - rounding[j + 2 :], nan=np.inf).max(axis=0, initial=0)
            elif j:
                bound += np.abs(table[j] - table[j - 1])
            better = (bound < error) & np.isfinite(table[j])
            best[better], error[better], chosen[better] = table[j][better], bound[better], first + j
        # f(h) = f + c h^p + ...: the leading error, taken off by two steps
        factor = ratio ** (order * (power + 1))
        table = table[1:] + (table[1:] - table[:-1]) / (factor - 1)
        rounding, first = rounding[1:] * (1 + 2 / factor), first + 1
        if not len(table):
            break
    return best, error, chosen
