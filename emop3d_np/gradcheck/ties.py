"""Step 4 of a check: elements at a kink are moved in pairs, to find those that are tied.

An element at a kink alone may have any gradient between its one-sided slopes.  Where several are at one kink, as the
equal values under a maximum, moving them together shows it: their slopes do not add up.  What a tie gives away together
must then be right.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from kernels.arrays import BoolArray, IntArray

from . import effort, numeric
from . import tolerances as tol
from .elements import Place, single_gradients
from .finding import Finding, share_of_allowed
from .functions import Gradients
from .state import Case, Found, index_of


def judge_ties(case: Case, found: Found) -> None:
    """Find the ties among the elements at kinks, output by output, and judge the sum of their gradients.

    Raises:
        Stop: a gradient for a single output has another form than those before.
    """
    groups: dict[int, list[set[Place]]] = {}
    for (one, other), outputs in _pairs(found).items():
        if not case.budget.room(effort.LADDER_CALLS, effort.TIES):
            found.note("not all ties could be judged in time; give more seconds")
            break
        for m in outputs[_tied(case, found, one, other, outputs)]:
            of_output = groups.setdefault(int(m), [])
            touched = [group for group in of_output if group & {one, other}]
            of_output[:] = [group for group in of_output if group not in touched]
            of_output.append({one, other}.union(*touched))
    for m, of_output in groups.items():
        if case.budget.room(2 * effort.LADDER_CALLS, effort.TIE_GRADIENTS):
            gradients = single_gradients(case, found, m)
            for group in of_output:
                _judge_tie(case, found, m, sorted(group), gradients)


def _pairs(found: Found) -> dict[tuple[Place, Place], IntArray]:
    """Pairs of elements that have a kink of one output in common, with those outputs."""
    at_kink: dict[int, list[Place]] = {}
    for place, (slopes, _) in found.kinked.items():
        for m in slopes.outputs[slopes.kink]:
            at_kink.setdefault(int(m), []).append(place)
    pairs: dict[tuple[Place, Place], list[int]] = {}
    for m, places in at_kink.items():
        few = len(places) <= effort.ALL_PAIRS
        for one, other in itertools.combinations(places, 2) if few else itertools.pairwise(places):
            pairs.setdefault((one, other), []).append(m)
    return {both: np.array(outputs) for both, outputs in pairs.items()}


def _tied(case: Case, found: Found, one: Place, other: Place, outputs: IntArray) -> BoolArray:
    """For which of ``outputs`` the slopes of two elements do not add up to that of both moved together."""
    (a, size_a), (b, size_b) = found.kinked[one], found.kinked[other]
    size = max(size_a, size_b)
    both = numeric.slopes_by_ladder(case.point, case.precision, [(*one, size), (*other, size)])
    bounds = sum(each.of(outputs, each.side_error) for each in (a, b, both))
    sizes = sum(each.of(outputs, np.abs(each.left) + np.abs(each.right)) for each in (a, b))
    error = tol.SLOPE_ERRORS * bounds + tol.SAME_SLOPE * sizes
    sides = (both.left, a.left, b.left), (both.right, a.right, b.right)
    left, right = (np.abs(both.of(outputs, x) - a.of(outputs, y) - b.of(outputs, z)) for x, y, z in sides)
    return (left > error) | (right > error)


def _judge_tie(case: Case, found: Found, m: int, group: Sequence[Place], gradients: Gradients) -> None:
    """Judge the sum of the ``gradients`` for output ``m`` of a ``group`` of tied elements."""
    size = max(found.kinked[place][1] for place in group)
    slopes = numeric.slopes_by_ladder(case.point, case.precision, [(*place, size) for place in group])
    low, high, error, left, right = (
        float(slopes.of(np.array([m]), values)[0])
        for values in (slopes.low, slopes.high, slopes.error, slopes.left, slopes.right)
    )
    parts = np.array([gradients[i].flat[flat] for i, flat in group], np.float64)
    analytic = float(parts.sum())
    allowed = case.precision.rtol * float(np.abs(parts).sum() + abs(low) + abs(high))
    allowed = allowed + tol.NUMERIC_ERRORS * error + case.precision.atol
    spread = sum(float(case.answers.spread[i].flat[flat]) for i, flat in group)
    allowed += tol.SPREAD_OF_ANSWER * spread
    off = max(low - analytic, analytic - high, 0.0)
    found.rows[group[0][0]].ties += 1
    if off <= allowed or not np.isfinite(allowed):
        return
    shapes = [array.shape for array in case.point.base]
    places = ", ".join(f"{found.names[i]}{list(index_of(flat, shapes[i]))}" for i, flat in group[:6])
    words = case.point.pair.output_words(m)
    i, flat = group[int(np.abs(parts).argmax())]
    found.findings.append(
        Finding(
            found.names[i],
            index_of(flat, shapes[i]),
            analytic,
            min(max(analytic, low), high),
            left=left,
            right=right,
            error=off,
            allowed=allowed,
            how=f"tie of {len(group)} elements for {words}: gradients of {places} must add up",
        )
    )
    ratios = found.ratios[i]
    ratios.flat[flat] = np.fmax(ratios.flat[flat], share_of_allowed(off, allowed))
