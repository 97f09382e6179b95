"""``check``: is this backward pass the gradient of that forward pass?

What is done, in this order; each step is a module of its own:

1. :mod:`.rules`.  The pair is called by the rules: shapes, dtypes, NaN, the same bits twice and after other calls,
   exact zeros for a zero incoming gradient, linear in the incoming gradient, nothing changed in place.
2. :mod:`.directions`.  Every input is moved along whole directions (random, all alike, along its own gradient); a
   direction that fails is halved until one element is left.
3. :mod:`.elements`.  Every input is moved element by element, all of them or as many as the time budget allows, and all
   outputs are watched: a column of the Jacobian.  It is judged for several incoming gradients, those of single outputs
   among them.
4. :mod:`.ties`.  Elements at a kink are moved in pairs, to find those that are tied: what a tie gives away together
   must add up.

What is right is decided by the numbers in :mod:`.tolerances`; how much is looked at, by those in :mod:`.effort`.  The
numeric side is the complex step where it is shown to agree with differences, else the ladder of :mod:`.slopes`.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..errors import InputError
from . import again, causes, coarse, effort, first_calls, numeric, rules
from .directions import judge_directions
from .domain import beyond
from .effort import Budget
from .elements import judge_elements, judge_nearest
from .forms import Form
from .functions import Pair
from .report import Report
from .state import Case, Found, Stop
from .ties import judge_ties


def check(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[Any] | dict[str, Any],
    *,
    names: Sequence[Any] | None = None,
    not_differentiable: Sequence[Any] = (),
    cache: bool | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    seconds: float | None = 10.0,
    seed: int = 0,
    complex_step: bool | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Report:
    """Check that ``backward`` is the gradient of ``forward`` at ``inputs``.

    Args:
        forward: ``forward(*inputs)`` gives an array, or a tuple, a list or a dict of arrays.
        backward: ``backward(d_outputs, *inputs)`` gives a tuple with a gradient per input, None for integers and for
            what is ``not_differentiable``.  ``d_outputs`` has the form of what forward gives.  Other forms, such as
            ``backward(d_outputs, cache)`` and ``backward(d_y, d_z, *inputs)``, are told by its arguments (forms.py).
        inputs: tuple of arrays, or a dict of them, which are then given by name.  An input may be a nested dict, list
            or tuple of arrays.  Integers (labels, indices, axes), strings and the like are handed through; complex
            numbers are judged by real and imaginary part, and their gradient is dL/da + i dL/db, as PyTorch has it.
            Verdicts hold for 0 and for sizes from 1e-100 to 1e100 (float32: 1e-12 to 1e12) with finite outputs; where
            one beyond that is not right, the report says so.
        names: what to call the inputs in the report; default the names of forward's arguments, or their positions
            where it takes any number of them.
        not_differentiable: names or positions of floating inputs whose gradient is not checked, such as a mask; for any
            other a gradient of None is wrong.  Default none.
        cache: whether forward gives ``(outputs, cache)`` and backward takes ``(d_outputs, cache)``; default: whether
            that is what backward's arguments look like.
        rtol: allowed relative error; default FLOAT64_RTOL, 1e-9, for float64, for float32 about 1e-5 (it grows with the
            root of the number of outputs).  On top of it come the error of the numeric side, bounded for every value,
            and some last places of the largest gradient of the input: what is less than 1e-14 of that is not judged in
            float64.
        atol: allowed absolute error; default 0.
        seconds: time budget, default 10; None: every element, however long it takes.
        seed: of the random incoming gradients and directions.
        complex_step: False never passes complex numbers to forward; default None: where they prove to work.
        progress: wraps the elements that are gone through, as tqdm does.

    Returns:
        Report: true where the gradients are right; ``passed``, ``worst``, ``str(report)`` and more.

    Raises:
        InputError: a function raises, forward changes its inputs, gradients do not have the form of the inputs,
            ``inputs`` has no floating numbers, or masked arrays, or ``not_differentiable`` names none of them.
    """
    form = Form(forward, backward, inputs, names, not_differentiable, cache)
    return judge(form, rtol, atol, seconds, seed, complex_step, progress)


def judge(
    form: Form,
    rtol: float | None = None,
    atol: float = 0.0,
    seconds: float | None = 10.0,
    seed: int = 0,
    complex_step: bool | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Report:
    """:func:`check` of a pair of functions whose form is known."""
    for name, value in (("rtol", rtol), ("atol", atol), ("seconds", seconds)):
        if value is not None and not value >= 0:
            raise InputError(f"{name} is {value}; it must not be negative")
    pair, budget = Pair(form), Budget(seconds)
    options = seed, (rtol, atol), complex_step is not False, progress or (lambda items: items)
    judge_once = partial(_judged, *options)
    with np.errstate(all="ignore"):  # far from the usual sizes, differences of outputs overflow
        report = again.given_a_second_chance(judge_once(pair, budget), pair, budget, judge_once)
    words = "" if report else beyond(pair.inputs, form.names)
    if words:
        report.notes.insert(0, words)
    return report


# Many arguments: what is asked for once and for all, and then what is tried.
def _judged(
    seed: int,
    tolerances: tuple[float | None, float],
    may_be_complex: bool,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
    pair: Pair,
    budget: Budget,
    roughness: float = 0.0,
) -> again.Judged:
    """One whole check; ``roughness``: by how much outputs are known to jump."""
    found, rng, case = Found.nothing(pair), np.random.default_rng(seed), None
    try:
        case = _prepared(pair, found, budget, rng, (*tolerances, roughness), may_be_complex)
        judge_directions(case, found)
        judge_elements(case, found, progress)
        judge_ties(case, found)
    except Stop:  # a broken rule, which the pair has noted
        pass
    unmovable = found.sum_up()
    if case is not None:
        _say_more(case, found)
    if budget.skipped:
        found.note(f"there was no time for: {', '.join(budget.skipped)}; give more seconds")
    for words in pair.form.notes:
        found.note(words)
    return again.Judged(case, found, Report.of(found, pair.problems, unmovable, budget))


def assert_gradients(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[Any] | dict[str, Any],
    **options: Any,
) -> None:
    """For a test: :func:`check`, with ``options`` of the same names.

    Raises:
        AssertionError: the gradients are not right; its message is the whole report.
        InputError: as of :func:`check`.
    """
    report = check(forward, backward, inputs, **options)
    if not report:
        raise AssertionError(str(report))


def _say_more(case: Case, found: Found) -> None:
    """The value nearest to what is allowed, where all are right; what is likely wrong, where one is not."""
    if not found.findings and case.budget.room(effort.LADDER_CALLS, 1):
        judge_nearest(case, found)
    found.causes = causes.likely(case, found)


def _prepared(
    pair: Pair,
    found: Found,
    budget: Budget,
    rng: np.random.Generator,
    tolerances: tuple[float | None, float, float],
    may_be_complex: bool,
) -> Case:
    """What the gradients are judged by: how exactly forward computes, and what backward answers by the rules.

    Raises:
        Stop: a rule is broken so that nothing can be judged.
    """
    rtol, atol, roughness = tolerances
    at, unrepeatable = first_calls.first_outputs(pair, rng, found, budget)
    unrepeatable = unrepeatable + roughness
    point, eps = first_calls.choose_point(pair, at, rng, found, budget)
    precision = first_calls.measure_precision(point, eps, unrepeatable, rtol, atol, rng, budget)
    answers = rules.ask_and_test(point, precision, rng, found, budget)
    if point.base is not pair.inputs and budget.room(24, effort.RULES):
        wide = coarse.widened(point, precision, answers, found)
        if wide is not None:
            point, answers = wide
            precision = first_calls.measure_precision(point, eps, unrepeatable, rtol, atol, rng, budget)
    may_be_complex = may_be_complex and point.numbers < effort.COMPLEX_NUMBERS and budget.room(6, effort.RULES)
    return Case(
        budget=budget,
        rng=rng,
        point=point,
        precision=precision,
        answers=answers,
        forward_seconds=budget.call,
        complex_works=may_be_complex
        and pair.form.may_be_complex
        and numeric.complex_step_works(point, precision, answers.judged, rng),
    )
