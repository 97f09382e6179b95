"""Step 2 of a check: every input is moved along whole directions, and what fails is halved down to one element.

The directions are a random one, all elements alike, and the input's own gradient.  Along a direction ``v`` the slope
of ``d @ F``, for an incoming gradient ``d`` of shape (outputs,), must be the sum of ``g v``, for the gradient ``g``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kernels.arrays import FloatArray, IntArray

from . import effort, elements
from . import slopes as ladders
from . import tolerances as tol
from .finding import Finding, share_of_allowed
from .state import Case, Found, Stop, index_of


def judge_directions(case: Case, found: Found) -> None:
    """Judge all inputs along directions, in as many rounds as the time budget allows."""
    if not len(case.point.at):
        return
    found.method = "complex step" if case.complex_works else "differences"
    all_elements = case.budget.allows(2 * case.elements * case.forward_seconds, effort.ALL_DIRECTIONS)
    for q in range(1 if all_elements else min(effort.ROUNDS, len(case.answers.incoming))):
        for i in case.answers.judged:
            if q and case.budget.left(effort.DIRECTIONS) < 0:
                return
            for way in _ways(case, i, q):
                # Of an input that is known to be wrong, another culprit is not worth the budget.
                if found.rows[i].worst_direction > 1 and case.budget.left(effort.DIRECTIONS) < 0:
                    break
                # A machine that is slow for a moment is no reason to see nothing of an input.
                share = effort.AT_LEAST if case.budget.quick and not found.rows[i].directions else 1.0
                if not case.budget.room(1, share, f"all directions of {found.names[i]}"):
                    break
                _judge(case, found, way)


@dataclass(frozen=True)
class _Way:
    """A question to be judged.

    Attributes:
        i: position of the input that is moved.
        v: along what, of the input's shape.
        d: the incoming gradient, of shape (outputs,).
        g: the gradient of the input for it, in float64, of the input's shape.
        words: the direction in words.
    """

    i: int
    v: FloatArray
    d: FloatArray
    g: FloatArray
    words: str

    @property
    def slope(self) -> float:
        """What backward says of it."""
        return float((self.g * self.v).sum())


def _ways(case: Case, i: int, q: int) -> list[_Way]:
    """The directions of input ``i`` for incoming gradient ``q``."""
    point = case.point
    d, g = case.answers.incoming[q], case.answers.gradients[q][i].astype(np.float64)
    ways = [_Way(i, point.random_direction(i, case.rng), d, g, "a random direction")]
    if q == 0:
        alike = np.where(np.isfinite(point.base[i]), point.sizes[i], 0) * np.ones(g.shape)
        ways.append(_Way(i, alike, d, g, "all elements alike"))
        if g.any():
            along = g * (point.sizes[i] / np.abs(g).max())
            # A huge gradient is that of a tiny value, as of a root: a step of the others' size leaves it far behind.
            values = np.abs(point.base[i]).astype(np.float64)
            along = np.where(values > 0, np.clip(along, -values, values), along)
            ways.append(_Way(i, along, d, g, "its own gradient"))
    return ways


def _judge(case: Case, found: Found, way: _Way) -> None:
    """Judge one direction: by the complex step, by one step, or, where these do not show that it is right, by all."""
    found.rows[way.i].directions += 1
    noise = tol.DIRECTION_NOISE * float(np.sqrt(np.square(way.d * case.precision.noise).sum()))
    if _right_by_complex_step(case, found, way) or _right_by_one_step(case, found, way, noise):
        return
    quick = case.budget.quick and not case.point.large
    share = effort.AT_LEAST if quick and found.rows[way.i].directions <= 1 else 1.0
    if case.budget.room(_ladder_calls(case), share, "all steps along directions"):
        _judge_by_ladder(case, found, way, noise)
    else:
        found.rows[way.i].directions -= 1


def _ladder_calls(case: Case) -> int:
    return effort.LARGE_LADDER_CALLS if case.point.large else effort.LADDER_CALLS


def _right_by_complex_step(case: Case, found: Found, way: _Way) -> bool:
    slope = case.point.complex_slope({way.i: way.v}) if case.complex_works else None
    if slope is None:
        return False
    terms = np.abs(way.d) @ np.abs(slope) + np.abs(way.g * way.v).sum()
    off = abs(way.slope - float(way.d @ slope))
    allowed = _allowed(case, way) + tol.COMPLEX_ERROR * terms
    if off <= allowed:
        found.record_direction(way.i, off, allowed)
    return bool(off <= allowed)


def _right_by_one_step(case: Case, found: Found, way: _Way, noise: float) -> bool:
    """``noise``: rounding of ``d @ F``."""
    step = case.precision.start
    up, down = (_residual(case, way, sign * step) for sign in (1, -1))
    off = abs(up - down) / (2 * step)
    bound = tol.DIFFERENCE_NOISE * noise / step + tol.CURVATURE * abs(up + down)
    allowed = _allowed(case, way)
    share = tol.LARGE_SHARE if case.point.large else tol.DIRECTION_SHARE
    exact = bound <= share * float(np.sqrt(np.square(way.g * way.v).sum()))
    if exact and off <= allowed + bound:
        found.record_direction(way.i, off, allowed + bound)
        return True
    # What bends within the step, as at a kink, is not told from what is wrong without smaller steps.
    bent = tol.CURVATURE * abs(up + down) / step
    quick = case.budget.quick and not case.point.large
    if off > allowed + bound + bent and not (quick or case.budget.room(_ladder_calls(case), 1.0)):
        place = int(np.abs(way.g * way.v).argmax())
        numeric = way.slope + (up - down) / (2 * step)
        _report(found, way, place, (numeric, off, allowed + bound), "by one step alone")
        return True  # that is all there is time for
    return False


def _allowed(case: Case, way: _Way) -> float:
    """Rounding of the analytic slope along a direction."""
    precision, gv = case.precision, way.g * way.v
    along = float(np.sqrt(np.square(gv).sum()) + abs(gv.sum()))
    largest = np.abs(way.g).max(initial=0)
    floor = precision.ulps * precision.grade * largest * float(np.sqrt(np.square(way.v).sum()))
    # Rounding of the inputs: errors of elements may have one cause, and one sign.
    parts = np.abs(case.answers.spread[way.i] * way.v)
    of_root, of_sum = float(np.sqrt(np.square(parts).sum())), float(parts.sum())
    spread = max(tol.SPREAD_OF_ROOT * of_root, tol.SPREAD_OF_SUM * of_sum)
    largest_output = float(np.abs(way.d * case.point.at).max(initial=0))
    terms = precision.of_outputs(case.point.sizes[way.i]) * largest_output * float(np.sqrt(np.square(way.v).sum()))
    return float(precision.rtol * along + floor + spread + terms + precision.atol)


def _residual(case: Case, way: _Way, t: float) -> float:
    """How far ``d @ F`` at ``x + t v`` is from what the gradient foretells."""
    values, steps = case.point.moved({way.i: way.v}, t)
    return _unforetold(case, way, values, steps[way.i])


def _unforetold(case: Case, way: _Way, values: FloatArray, step: FloatArray) -> float:
    """The same for outputs ``values``, and the ``step`` that the rounded input really made."""
    return float(way.d @ (values - case.point.at) - (way.g * step).sum())


# --- By all steps


def _judge_by_ladder(case: Case, found: Found, way: _Way, noise: float) -> None:
    """Judge a direction by all steps; ``noise``: rounding of ``d @ F``."""
    point, steps = case.point, case.precision.steps
    if len(steps) * len(point.at) >= effort.LADDER_NUMBERS and len(steps) >= effort.LONG_LADDER:
        steps = steps[1::3][: effort.FEW_STEPS] if point.large else steps[1::2]
    above, below = (np.array([point.moved({way.i: way.v}, t)[0] for t in sign * steps]) for sign in (1, -1))
    values = np.abs(point.base[way.i])
    moved = float(values[np.isfinite(values)].max(initial=0))
    shown, kinked, infinite = _seen_of_outputs(case, steps, above, below, moved)
    noise = max(noise, tol.DIRECTION_NOISE * float(np.sqrt(np.square(way.d * shown).sum())))
    if len(kinked):
        way = _without_kinks(case, found, way, kinked)
    up, down = (
        np.array([[_unforetold_at(case, way, values, t)] for values, t in zip(side, sign * steps, strict=True)])
        for side, sign in ((above, 1), (below, -1))
    )
    del above, below  # which are large
    residual = ladders.slopes(steps, up, down, np.zeros(1), np.array([noise]))
    allowed, off = _allowed(case, way), 0.0
    if len(residual.outputs):
        off = abs(float(residual.central[0]))
        allowed += tol.NUMERIC_ERRORS * float(residual.central_error[0])
    if residual.infinite.any() or residual.vague.any() or infinite:
        found.rows[way.i].directions -= 1  # as along a step that leaves tiny values under a root far behind
    elif not np.isfinite(allowed):
        found.rows[way.i].directions -= 1  # gradients whose sums overflow
    elif not np.isfinite(off):
        name = found.names[way.i]
        found.note(f"input {name} cannot be moved along {way.words}: forward gives NaN or raises")
    elif off <= allowed:
        found.record_direction(way.i, off, allowed)
    else:
        _blame(case, found, way, way.slope + float(residual.central[0]), residual.best_step, off, allowed)


def _seen_of_outputs(
    case: Case, steps: FloatArray, above: FloatArray, below: FloatArray, moved: float
) -> tuple[FloatArray, IntArray, bool]:
    """What a ladder shows: rounding of all outputs, which have a kink, and whether a slope is infinite.

    Part by part: all slopes at a time would be many arrays.
    """
    at, noise = case.point.at, case.precision.noise
    shown, kinked, infinite = np.array(noise), [np.empty(0, int)], False
    largest = float(np.abs(at).max(initial=0))
    for start in range(0, len(at), ladders.PART):
        part = slice(start, start + ladders.PART)
        slopes = ladders.slopes(steps, above[:, part], below[:, part], at[part], noise[part], largest, moved)
        shown[start + slopes.outputs] = slopes.noise
        kinked.append(start + slopes.outputs[slopes.kink])
        infinite = infinite or bool(slopes.infinite.any())
    return shown, np.concatenate(kinked), infinite


def _unforetold_at(case: Case, way: _Way, values: FloatArray, t: float) -> float:
    """:func:`_unforetold` for ``values`` of ``F`` at ``x + t v``."""
    step = case.point.step(way.i, way.v, t)
    return _unforetold(case, way, values, np.where(np.isfinite(step), step, 0))


def _blame(case: Case, found: Found, way: _Way, numeric: float, step: float, off: float, allowed: float) -> None:
    """A direction fails by more than kinks explain: halve it, and report it with the element that it leads to."""
    flat = _halve(case, way, step)
    looked = case.budget.room(effort.LADDER_CALLS, 1.0)
    if looked and elements.judge(case, found, way.i, flat) and (way.i, flat) in found.kinked:
        return  # kinks may each take any slope: the whole need not lie between its own two
    _report(found, way, flat, (numeric, off, allowed), "halving it led here")


def _report(found: Found, way: _Way, flat: int, what: tuple[float, float, float], how: str) -> None:
    """A direction is wrong: ``what`` is its numeric slope, the error and what is allowed."""
    numeric, off, allowed = what
    found.record_direction(way.i, off, allowed)
    found.findings.append(
        Finding(
            found.names[way.i],
            index_of(flat, way.v.shape),
            way.slope,
            numeric,
            left=numeric,
            right=numeric,
            error=off,
            allowed=allowed,
            how=f"along {way.words}; {how}",
        )
    )


def _halve(case: Case, way: _Way, step: float) -> int:
    """The element to blame: of a direction that fails, follow the half that is further off."""
    places = np.flatnonzero(way.v)
    while len(places) > 1:
        if not case.budget.room(4, 1.0):
            return int(places[np.abs(way.g * way.v).flat[places].argmax()])
        halves = np.array_split(places, 2)
        off = []
        for half in halves:
            part = _part(way, half)
            up, down = (_residual(case, part, sign * step) for sign in (1, -1))
            off.append(np.nan_to_num(abs(up - down), nan=0.0))
        places = halves[int(np.argmax(off))]
    return int(places[0])


def _part(way: _Way, places: IntArray) -> _Way:
    """The direction with all but ``places``, of the flattened input, left out."""
    part = np.zeros(way.v.size)
    part[places] = way.v.flat[places]
    return replace(way, v=part.reshape(way.v.shape))


# --- Outputs with a kink along the direction


@dataclass(frozen=True)
class _Sides:
    """A direction with the slopes of all outputs to both sides of it, of shape (outputs,)."""

    way: _Way
    left: FloatArray
    right: FloatArray


@dataclass(frozen=True)
class _Interval:
    """What the slope of ``d @ F`` may be, between the one-sided slopes, and what backward says of it."""

    low: float
    high: float
    analytic: float
    allowed: float

    @property
    def off(self) -> float:
        """How far outside it is."""
        return max(self.low - self.analytic, self.analytic - self.high, 0.0)


def _without_kinks(case: Case, found: Found, way: _Way, kinked: IntArray) -> _Way:
    """Judge the ``kinked`` outputs by their one-sided slopes; returns the same direction for the other outputs."""
    d_kinks = np.zeros_like(way.d)
    d_kinks[kinked] = way.d[kinked]
    smooth_d = way.d - d_kinks
    smooth_g = case.point.pair.backward(smooth_d)[way.i].astype(np.float64)
    if not np.isfinite(smooth_g).all():
        words = f"gradient of input {found.names[way.i]} holds {smooth_g[~np.isfinite(smooth_g)][0]}"
        case.point.pair.add_problem(f"{words} where the incoming gradient is 0 at outputs at a kink", way.i)
        raise Stop
    _judge_kinks(case, found, replace(way, d=d_kinks, g=way.g - smooth_g))
    return replace(way, d=smooth_d, g=smooth_g)


def _judge_kinks(case: Case, found: Found, way: _Way) -> None:
    """Judge a direction along which all outputs in ``way.d`` have a kink.

    Kinks that have nothing to do with each other may each take any slope; then the slope along all of them need
    not lie between those of the whole.  So a whole that fails is halved: what still fails at one element is wrong,
    and so is what fails where the slopes of the halves do not add up to that of the whole, a tie.
    """
    places = np.flatnonzero(way.v)
    whole = _look(case, _part(way, places))
    interval = _interval(case, whole)
    while interval.off > interval.allowed and case.budget.room(effort.LADDER_CALLS, 1.0, "all kinks"):
        if len(places) == 1:
            elements.judge(case, found, way.i, int(places[0]))
            return
        halves = np.array_split(places, 2)
        looks = [_look(case, _part(way, half)) for half in halves]
        intervals = [_interval(case, look) for look in looks]
        ratios = [float(share_of_allowed(each.off, each.allowed)) for each in intervals]
        if not max(ratios) > 1:
            _judge_tied(case, found, whole, looks)
            return
        k = int(np.argmax(ratios))
        places, whole, interval = halves[k], looks[k], intervals[k]


def _look(case: Case, way: _Way) -> _Sides:
    """One-sided slopes along a direction, by one small step."""
    point, step = case.point, case.precision.steps[tol.KINK_STEP]
    right = (point.moved({way.i: way.v}, step)[0] - point.at) / step
    left = (point.at - point.moved({way.i: way.v}, -step)[0]) / step
    return _Sides(way, left, right)


def _interval(case: Case, sides: _Sides) -> _Interval:
    way, step = sides.way, case.precision.steps[tol.KINK_STEP]
    ends = way.d * sides.left, way.d * sides.right
    low, high = np.minimum(*ends).sum(), np.maximum(*ends).sum()
    allowed = _allowed(case, way) + tol.SAME_SLOPE * np.abs(ends).sum()
    allowed += tol.DIFFERENCE_NOISE * float(np.abs(way.d) @ case.precision.noise) / step
    return _Interval(low, high, way.slope, allowed)


def _judge_tied(case: Case, found: Found, whole: _Sides, halves: Sequence[_Sides]) -> None:
    """Judge a direction once more, for those outputs for which the slopes of its ``halves`` do not add up."""
    way, step = whole.way, case.precision.steps[tol.KINK_STEP]
    one, other = halves
    gap = np.abs(whole.left - one.left - other.left) + np.abs(whole.right - one.right - other.right)
    size = sum(np.abs(half.left) + np.abs(half.right) for half in halves)
    tied = gap > tol.SAME_SLOPE * size + tol.SLOPE_NOISE * case.precision.noise / step
    if not tied.any():
        return
    d = np.where(tied, way.d, 0)
    g = case.point.pair.backward(d)[way.i].astype(np.float64)
    tie = replace(whole, way=replace(way, d=d, g=g))
    interval = _interval(case, tie)
    if interval.off <= interval.allowed:
        return
    found.findings.append(
        Finding(
            found.names[way.i],
            index_of(int(np.abs(g * way.v).argmax()), way.v.shape),
            interval.analytic,
            min(max(interval.analytic, interval.low), interval.high),
            left=interval.low,
            right=interval.high,
            error=interval.off,
            allowed=interval.allowed,
            how=f"along {way.words}, where elements are tied: their gradients must add up",
        )
    )
    found.record_direction(way.i, interval.off, interval.allowed)
