"""A second look at what was found wrong: is it the convention at a kink, or a forward pass that is not exact?

*At a kink* of several inputs at once, as a median of equal values or the eigenvectors of the identity, the slopes of
single elements tell nothing: what is right there is a limit of the gradients beside it, or between such limits
(Clarke's generalized gradient).  So backward is asked at points around: if its gradients jump from one to the next,
if what it says on the kink lies among them, and if the whole check is right beside the kink, it follows a convention.

*An iteration that stops early* gives outputs that jump by what it left over.  Gradients that are off by little are
judged again by what differences over such jumps can tell.
"""

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kernels.arrays import AnyArray, FloatArray

from ..errors import InputError
from . import tolerances as tol
from .effort import Budget
from .finding import Finding
from .functions import Pair
from .report import Report
from .state import Case, Found


@dataclass(frozen=True)
class Judged:
    """A check that was done: ``case`` is None if it stopped before anything was judged."""

    case: Case | None
    found: Found
    report: Report


def given_a_second_chance(first: Judged, pair: Pair, budget: Budget, judge: Callable[..., Judged]) -> Report:
    """The report, or that of a second check that shows why the first one need not have been right.

    Args:
        first: the check that was done.
        pair, budget: what it was done with.
        judge: ``judge(pair, budget, roughness=0.0)`` does another one.
    """
    case, report = first.case, first.report
    wrong = [each for each in report.findings if each.ratio > 1]
    if case is None or pair.problems or not wrong or budget.left(1) < 0:
        return report
    if all(each.error <= tol.NEARLY * max(abs(each.numeric), abs(each.analytic)) for each in wrong):
        return _if_forward_jumps(report, case, pair, budget, judge)
    if case.budget.left(1) > tol.SAMPLES_BESIDE * case.forward_seconds and _among_limits(case, first.found, wrong):
        return _beside_the_kink(report, case, pair, budget, judge)
    return report


# --- At a kink


def _beside_the_kink(report: Report, case: Case, pair: Pair, budget: Budget, judge: Callable[..., Judged]) -> Report:
    """The report of a check beside the point where that is right; else the one that was there."""
    beside = copy.copy(pair)
    beside.inputs = _moved(pair.inputs, case, tol.BESIDE, np.random.default_rng(1))
    beside.problems = []
    try:
        other = judge(beside, budget).report
    except InputError:
        return report
    if not other.passed:
        return report
    where = f"{report.worst.array}{list(report.worst.index)}" if report.worst else ""
    other.notes.insert(
        0,
        f"right beside the kink (moved by {tol.BESIDE:g}); another convention on it: at the given values "
        f"differences see another gradient, most at {where}",
    )
    return other


def _moved(arrays: list[AnyArray], case: Case, share: float, rng: np.random.Generator) -> list[AnyArray]:
    """All judged inputs moved at random by up to ``share`` of their sizes; infinite values stay."""
    moved = list(arrays)
    for i in case.answers.judged:
        step = share * case.point.sizes[i] * rng.uniform(-1, 1, arrays[i].shape)
        values = np.asarray(arrays[i] + np.where(np.isfinite(arrays[i]), step, 0))
        moved[i] = values.astype(arrays[i].dtype).reshape(arrays[i].shape)
    return moved


def _among_limits(case: Case, found: Found, wrong: list[Finding]) -> bool:
    """Whether the gradients at the point lie among those just around it, which jump where they were found wrong."""
    point, d = case.point, case.answers.incoming[0]
    share = case.precision.eps**tol.AROUND_POWER
    rng = np.random.default_rng(2)
    samples = []
    for _ in range(tol.SAMPLES_BESIDE):
        try:
            samples.append(point.pair.backward(d, _moved(point.base, case, share, rng)))
        except InputError:
            return False
    here, around = {}, {}
    for i in case.answers.judged:
        here[i] = case.answers.gradients[0][i].astype(np.float64)
        around[i] = np.array([each[i] for each in samples], np.float64)
        if not np.isfinite(around[i]).all():
            return False
        jumps = np.ptp(around[i], axis=0) > _slack(around[i])
        if any(each.array == found.names[i] and not each.along and not jumps[each.index] for each in wrong):
            return False
        parts = _parts(here[i], point.base[i])
        if not all(_between(part(here[i][np.newaxis])[0], part(around[i]), _slack(around[i])) for part in parts):
            return False
    # What tied elements of different inputs take together, as those under a maximum of two arrays.
    alike = [(i, j) for i, j in itertools.combinations(here, 2) if here[i].shape == here[j].shape]
    sums = [(here[i] + here[j], around[i] + around[j]) for i, j in alike]
    return all(_between(of_here, of_around, _slack(of_around)) for of_here, of_around in sums)


def _slack(around: FloatArray) -> float:
    """Gradients around a point that span less do not jump."""
    return tol.AROUND_SLACK * float(np.abs(around).max(initial=0))


def _parts(here: FloatArray, values: FloatArray) -> list[Callable[[FloatArray], FloatArray]]:
    """What of a gradient must lie among the limits: all elements, their sums, along each axis, and along ``x``."""
    axes = tuple(range(1, here.ndim + 1))
    finite = np.where(np.isfinite(values), values, 0).astype(np.float64)
    parts: list[Callable[[FloatArray], FloatArray]] = [
        lambda g: g,
        lambda g: g.sum(axis=axes),
        lambda g: (g * finite).sum(axis=axes),
    ]
    return parts + [lambda g, axis=axis: g.sum(axis=axis) for axis in axes]


def _between(here: FloatArray, around: FloatArray, slack: float) -> bool:
    """Whether ``here`` is hardly further out than what lies ``around``, of which few samples are seen."""
    low, high = around.min(axis=0), around.max(axis=0)
    wide = tol.AROUND_WIDTH * (high - low) / 2
    count = max(around[0].size and here.size, 1)
    return bool((np.abs(here - (low + high) / 2) <= wide + slack * max(1.0, (count**0.5))).all())


# --- A forward pass that jumps


def _if_forward_jumps(report: Report, case: Case, pair: Pair, budget: Budget, judge: Callable[..., Judged]) -> Report:
    """The report of a check that takes the jumps of forward for rounding, if there are some and it is right."""
    calls = tol.JUMP_POINTS + tol.JUMP_HALVINGS * (2 * tol.JUMP_ORDER + 1)
    if budget.left(1) < calls * case.forward_seconds:
        return report
    height = _height_of_jump(case)
    if not height:
        return report
    other = judge(pair, budget, roughness=height)
    if not other.report.passed:
        return report
    other.report.notes.insert(
        0,
        f"forward jumps by {height:.1g}, as does an iteration that stops early; slopes are no more exact than that",
    )
    return other.report


def _height_of_jump(case: Case) -> float:
    """The largest change of an output between two points that are next to each other; 0 where none is seen.

    Differences of sixth order hold nothing of a smooth function; the points are moved to where these are largest, and
    nearer to each other, until what is left between them is a jump or nothing.
    """
    point, rng, order = case.point, np.random.default_rng(3), tol.JUMP_ORDER
    v = {i: point.random_direction(i, rng) for i in case.answers.judged}
    low, high, count, output = -tol.JUMP_REACH, tol.JUMP_REACH, tol.JUMP_POINTS, None
    for _ in range(tol.JUMP_HALVINGS):
        ends = np.linspace(low, high, count)
        values = np.array([point.moved(v, t)[0] for t in ends])
        if not np.isfinite(values).all():
            return 0.0
        bends = np.abs(np.diff(values, order, axis=0))
        if output is None:
            k, output = map(int, np.unravel_index(int(bends.argmax()), bends.shape))
        else:
            k = int(bends[:, output].argmax())
        low, high, count = ends[k], ends[k + order], 2 * order + 1
    change = np.abs(np.diff(values[:, output])).max()
    return float(change) if change > tol.JUMP_NOISE * case.precision.noise[output] else 0.0
