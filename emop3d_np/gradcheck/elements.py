"""Step 3 of a check: every input is moved element by element, all of them or as many as the time budget allows.

All outputs are watched: a column of the Jacobian.  It is judged for several incoming gradients, those of single outputs
among them.  A first look takes one step; what that does not settle is looked at again, by all steps.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kernels.arrays import FloatArray

from . import effort, numeric
from . import tolerances as tol
from .finding import Finding, share_of_allowed
from .functions import Gradients
from .point import Element
from .rules import judged_inputs
from .slopes import Slopes
from .state import Case, Found, index_of

Place = tuple[int, int]
"""An element: position of its input, and its place in the flattened input."""


def judge_elements(case: Case, found: Found, progress: Callable[[Iterable[Place]], Iterable[Place]]) -> None:
    """Judge the elements of all inputs; ``progress`` wraps those that are gone through.

    Raises:
        Stop: a gradient for a single output has another form than those before.
    """
    if not len(case.point.at):
        _require_zeros(case, found)
        return
    _ask_singles(case, found)
    undecided = []
    for i, flat in progress(_order(case)):
        if not case.budget.room(3, effort.FIRST_LOOKS):
            break
        if not _glance(case, found, i, flat):
            undecided.append((i, flat))
    undecided.sort(key=lambda each: -found.ratios[each[0]].flat[each[1]])
    _look_closely(case, found, undecided)
    for i in case.answers.judged:
        found.rows[i].elements = int((~np.isnan(found.ratios[i])).sum())


def judge(case: Case, found: Found, i: int, flat: int) -> bool:
    """Judge one element by all steps; the outcome is written into ``found``.

    Returns:
        whether it is right, as is one that cannot be moved.
    """
    point = case.point
    if not np.isfinite(point.base[i].flat[flat]):
        return True
    element = point.element(i, flat)
    slopes, compared = _by_all_steps(case, i, flat)
    decided = not (slopes.infinite | slopes.vague).any()
    found.ratios[i].flat[flat] = compared.ratio.max() if compared.possible and decided else np.nan
    if not compared.possible:
        found.rows[i].unmovable += 1
        return True
    if not decided:
        found.leave_undecided(i, flat, bool(slopes.infinite.any()))
        return True
    if slopes.kink.any():
        found.kinked[(i, flat)] = (slopes, element[2])
    found.rows[i].kinks += bool(slopes.kink.any())
    found.findings.append(_finding(case, found, i, flat, slopes, compared))
    return compared.right


def _by_all_steps(case: Case, i: int, flat: int) -> tuple[Slopes, "_Compared"]:
    """Slopes by the ladder, with longer steps where rounding hides them; and the gradients beside them."""
    element = case.point.element(i, flat)

    def look(longer: int) -> tuple[Slopes, _Compared]:
        slopes = numeric.slopes_by_ladder(case.point, case.precision, [element], longer)
        return slopes, _compare(case, i, flat, slopes, tol.NUMERIC_ERRORS)

    slopes, compared = look(0)
    # No longer than to a fraction of 1: beyond that lie other values, at which forward need not even end.
    longest, longer = max(0, int(-np.log2(element[2]) // tol.STEP_POWER)), 0
    while longer < longest and compared.possible:
        if len(slopes.outputs):
            if compared.exact or not slopes.hidden.any():
                break
        elif not (compared.analytic.any() or element[2] < tol.TINY):
            break
        longer = min(longer + tol.GROWN_STEPS, longest)
        more, beside = look(longer)
        if len(slopes.outputs) and not beside.error.sum() < compared.error.sum():
            break
        slopes, compared = more, beside
    if case.complex_works and compared.possible and slopes.vague.any() and not slopes.kink.any():
        slopes = _confirmed_by_complex_step(case, element, slopes)
        compared = _compare(case, i, flat, slopes, tol.NUMERIC_ERRORS)
    return slopes, compared


def _confirmed_by_complex_step(case: Case, element: Element, slopes: Slopes) -> Slopes:
    """The complex step's slopes, where the vague ones of differences do not speak against them; else these."""
    imaginary = case.point.complex_slope_of_element(element)
    if imaginary is None:
        return slopes
    exact = imaginary[slopes.outputs] / element[2]
    if not (np.abs(exact - slopes.central) <= slopes.central_error).all():
        return slopes
    error = tol.COMPLEX_ERROR * np.abs(exact)
    return replace(slopes, central=exact, central_error=error, vague=np.zeros_like(slopes.vague))


def judge_nearest(case: Case, found: Found) -> None:
    """Look closely at the element nearest its allowed error, where no element needed it, so that there is a finding.

    What the first look said of it stays.
    """
    nearest: Place | None = None
    share = -np.inf
    for i, ratios in enumerate(found.ratios):
        if ratios is not None and ratios.size and not np.isnan(ratios).all():
            flat = int(np.nanargmax(ratios))
            if ratios.flat[flat] > share:
                nearest, share = (i, flat), float(ratios.flat[flat])
    if nearest is not None:
        i, flat = nearest
        judge(case, found, i, flat)
        found.ratios[i].flat[flat] = share


def single_gradients(case: Case, found: Found, output: int) -> Gradients:
    """Gradients of all inputs for an incoming gradient of 1 at one output, 0 elsewhere.

    Raises:
        Stop: one that was there for other incoming gradients is missing, and others have a wrong form.
    """
    d = np.zeros(len(case.point.at))
    d[output] = 1
    pair = case.point.pair
    gradients = pair.backward(d)
    if any(gradients[i] is None or not np.isfinite(gradients[i]).all() for i in case.answers.judged):
        case.answers.judged = judged_inputs(pair, gradients, found)
    return gradients


# --- Which elements, and in which order


def _require_zeros(case: Case, found: Found) -> None:
    """Without outputs all gradients are 0."""
    for i in case.answers.judged:
        if case.answers.gradients[0][i].any():
            words = f"there are no outputs, so gradient of input {found.names[i]} must be 0"
            case.point.pair.add_problem(words, i)


def _ask_singles(case: Case, found: Found) -> None:
    """Ask for gradients of single outputs, in random order, as many as time and memory allow."""
    count, total = len(case.point.at), case.elements
    room = min(effort.SINGLE_OUTPUTS, int(effort.SINGLE_NUMBERS // max(total, 1)))
    if count > 1 and case.budget.allows(total * case.forward_seconds, effort.SINGLES_COST):
        outputs, gradients = [], []
        asked = np.setdiff1d(np.arange(count), case.point.pair.left_out)
        for m in case.rng.permutation(asked)[:room]:
            if case.budget.left(effort.SINGLES) < 0:
                break
            outputs.append(int(m))
            gradients.append(single_gradients(case, found, int(m)))
        case.answers.add_singles(outputs, gradients)


def _order(case: Case) -> Sequence[Place]:
    """All elements, or a sample of them, the likeliest culprits first, if not all will have their turn."""
    judged, total = case.answers.judged, case.elements
    seconds = total * effort.CALLS_PER_ELEMENT * case.forward_seconds
    if total < effort.LISTED and case.budget.allows(seconds, effort.ALL_ELEMENTS):
        return [(i, flat) for i in judged for flat in range(case.point.base[i].size)]
    turns = [_likely_first(case, i) for i in judged]
    sampled = (each for each in itertools.chain.from_iterable(itertools.zip_longest(*turns)) if each)
    return list(itertools.islice(sampled, effort.SAMPLED))


def _likely_first(case: Case, i: int) -> list[Place]:
    """Elements of one input: corners, edges, middles and the largest gradients in turn, then others at random."""
    array, g = case.point.base[i], np.abs(case.answers.gradients[0][i])
    ends = [sorted({0, length // 2, length - 1}) for length in array.shape]
    listed = itertools.islice(itertools.product(*ends), effort.CORNERS_LISTED)
    corners = [np.ravel_multi_index(place, array.shape) for place in listed]
    corners = [corners[k] for k in case.rng.permutation(len(corners))] if array.ndim else [0]
    largest = itertools.cycle(np.argsort(g, axis=None)[::-1][: effort.LARGEST])
    whole = array.size < effort.SHUFFLED
    others = case.rng.permutation(array.size) if whole else case.rng.integers(0, array.size, effort.DRAWN)
    likely = itertools.chain.from_iterable(zip(corners[: effort.CORNERS], largest, strict=False))
    return [(i, flat) for flat in dict.fromkeys(map(int, [*likely, *others]))]


def _look_closely(case: Case, found: Found, undecided: Sequence[Place]) -> None:
    """Judge by all steps what a first look did not settle, the worst first."""
    wrong = 0
    for count, (i, flat) in enumerate(undecided):
        over = case.budget.left(effort.CLOSE_LOOKS) < 0 or wrong >= effort.MOST_WRONG
        none = not case.budget.room(effort.LADDER_CALLS, effort.CLOSE_LOOKS)
        if (over and count >= effort.FEWEST_CLOSE_LOOKS) or none:
            left_out = undecided[count:]
            for j, place in left_out:
                found.ratios[j].flat[place] = np.nan
            if not wrong:
                found.note(f"{len(left_out)} elements need more time than the budget allows; give more seconds")
            return
        wrong += not judge(case, found, i, flat)


# --- One element


@dataclass(frozen=True)
class _Compared:
    """One element's gradients beside the numeric slopes, for all questions: arrays of shape (q + s,).

    Attributes:
        low, high: what the gradient may be, by the numeric side.
        error: bound of its error.
        scale: size of the terms that it adds.
        analytic: what backward says.
        own: what a right gradient may be off by, without the numeric side's error.
        allowed: with it.
        off: how far ``analytic`` is outside of ``low`` and ``high``.
        ratio: share of the allowed error that is used.
    """

    low: FloatArray
    high: FloatArray
    error: FloatArray
    scale: FloatArray
    analytic: FloatArray
    own: FloatArray
    allowed: FloatArray
    off: FloatArray
    ratio: FloatArray

    @property
    def possible(self) -> bool:
        """Whether the element could be moved."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.allowed).all())

    @property
    def exact(self) -> bool:
        """Whether the numeric side's error is too small for a wrong gradient to hide in it."""
        return bool((self.error <= tol.GLANCE_SHARE * self.scale + self.own).all())

    @property
    def right(self) -> bool:
        """Whether the gradient is right for all questions."""
        return bool((self.ratio <= 1).all())


def _compare(case: Case, i: int, flat: int, slopes: Slopes, errors: float) -> _Compared:
    """Compare one element; ``errors``: how many times the numeric side's error is allowed."""
    answers, precision = case.answers, case.precision
    low, high = slopes.interval(answers.incoming)
    values = slopes.error, slopes.size, np.abs(case.point.at[slopes.outputs])
    error, scale, terms = (slopes.weighed(np.abs(answers.incoming), each) for each in values)
    if len(answers.singles):
        of_singles = [slopes.of(answers.singles, each) for each in (slopes.low, slopes.high, *values[:2])]
        # An output of 1e-250 that stands still may have been moved by what is too small for numbers.
        of_singles.append(np.abs(case.point.at[answers.singles]))
        low, high, error, scale, terms = map(np.append, (low, high, error, scale, terms), of_singles)
    analytic = answers.of_element(i, flat)
    own = precision.rtol * scale + precision.ulps * precision.grade * answers.tops[i]
    own = own + precision.of_outputs(float(case.point.base[i].flat[flat])) * terms
    own = own + tol.SPREAD_OF_ELEMENT * answers.spread[i].flat[flat] + precision.atol
    allowed = own + errors * error
    off = np.fmax(np.fmax(low - analytic, analytic - high), 0)
    return _Compared(low, high, error, scale, analytic, own, allowed, off, share_of_allowed(off, allowed))


def _glance(case: Case, found: Found, i: int, flat: int) -> bool:
    """Whether one step settles that an element is right; a larger one where rounding hides a small slope."""
    for factor in tol.GLANCES:
        if _settled(case, found, i, flat, factor * case.precision.start):
            return True
        if not found.ratios[i].flat[flat] <= 1:
            return False
    return False


def _settled(case: Case, found: Found, i: int, flat: int, step: float) -> bool:
    """Whether one ``step`` settles that an element is right; the ratio is written into ``found``."""
    point = case.point
    if not np.isfinite(point.base[i].flat[flat]):
        return True
    element = point.element(i, flat)
    slopes, sure = numeric.slopes_by_one_step(point, case.precision, element, step, case.complex_works)
    compared = _compare(case, i, flat, slopes, tol.GLANCE_ERRORS)
    found.ratios[i].flat[flat] = compared.ratio.max() if compared.possible else np.inf
    seen = len(slopes.outputs) > 0 or element[2] >= tol.TINY
    return compared.possible and compared.right and sure and compared.exact and seen


def _finding(case: Case, found: Found, i: int, flat: int, slopes: Slopes, compared: _Compared) -> Finding:
    """The question for which an element is worst."""
    q, whole = int(compared.ratio.argmax()), len(case.answers.incoming)
    low, high, analytic = compared.low[q], compared.high[q], compared.analytic[q]
    if q < whole:
        how = ""
        left, right = (slopes.weighed(case.answers.incoming[q], side) for side in (slopes.left, slopes.right))
    else:
        m = case.answers.singles[q - whole]
        how = f"for {case.point.pair.output_words(m)} alone"
        left, right = (slopes.of(np.array([m]), side)[0] for side in (slopes.left, slopes.right))
    if low < high:
        how = f"{how}; at a kink, anything between {low:.9g} and {high:.9g} is right".lstrip("; ")
    return Finding(
        found.names[i],
        index_of(flat, case.point.base[i].shape),
        float(analytic),
        float(min(max(analytic, low), high)),
        left=float(left),
        right=float(right),
        error=float(compared.off[q]),
        allowed=float(compared.allowed[q]),
        how=how,
    )
