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

import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from . import again, coarse, first_calls, numeric, rules
from .directions import judge_directions
from .effort import Budget
from .elements import judge_elements, judge_nearest
from .functions import Pair
from .report import Report
from .state import Case, Found, Stop
from .ties import judge_ties


def check(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[ArrayLike],
    *,
    names: Sequence[Any] | None = None,
    not_differentiable: Sequence[Any] = (),
    rtol: float | None = None,
    atol: float = 0.0,
    seconds: float | None = 10.0,
    seed: int = 0,
    complex_step: bool | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Report:
    """Check that ``backward`` is the gradient of ``forward`` at ``inputs``.

    Args:
        forward: ``forward(*inputs)`` gives an array or a tuple of arrays.
        backward: ``backward(d_outputs, *inputs)`` gives a tuple with a gradient per input, None for integers and for
            what is ``not_differentiable``.  ``d_outputs`` is an array where forward gives an array, else a tuple.
        inputs: tuple of arrays.  Integer arrays (labels, indices) are handed through.
        names: what to call the inputs in the report; default the names of forward's arguments, or their positions
            where it takes any number of them.
        not_differentiable: names or positions of floating inputs whose gradient is not checked, such as a mask; for any
            other a gradient of None is wrong.  Default none.
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
        InputError: a function raises, forward changes its inputs, something other than the right number of real arrays
            is returned, ``inputs`` is no tuple of real arrays, or ``not_differentiable`` names none of them.
    """
    called = _names(forward, inputs, names)
    pair = Pair(forward, backward, inputs, _positions(not_differentiable, called))
    for name, value in (("rtol", rtol), ("atol", atol), ("seconds", seconds)):
        if value is not None and not value >= 0:
            raise InputError(f"{name} is {value}; it must not be negative")
    budget = Budget(seconds)
    judge = partial(_judged, called, seed, (rtol, atol), complex_step is not False, progress or (lambda items: items))
    first = judge(pair, budget)
    return again.given_a_second_chance(first, pair, budget, judge)


# Many arguments: what is asked for once and for all, and then what is tried.
def _judged(
    names: Sequence[Any],
    seed: int,
    tolerances: tuple[float | None, float],
    may_be_complex: bool,
    progress: Callable[[Iterable[Any]], Iterable[Any]],
    pair: Pair,
    budget: Budget,
    roughness: float = 0.0,
) -> again.Judged:
    """One whole check; ``roughness``: by how much outputs are known to jump."""
    found, rng, case = Found.nothing(pair, names), np.random.default_rng(seed), None
    try:
        case = _prepared(pair, found, budget, rng, (*tolerances, roughness), may_be_complex)
        judge_directions(case, found)
        judge_elements(case, found, progress)
        judge_ties(case, found)
    except Stop:  # a broken rule, which the pair has noted
        pass
    unmovable = found.sum_up()
    if case is not None and not found.findings:
        judge_nearest(case, found)
    return again.Judged(case, found, Report.of(found, pair.problems, unmovable, budget))


def assert_gradients(
    forward: Callable[..., Any], backward: Callable[..., Any], inputs: Sequence[ArrayLike], **options: Any
) -> None:
    """For a test: :func:`check`, with ``options`` of the same names.

    Raises:
        AssertionError: the gradients are not right; its message is the whole report.
        InputError: as of :func:`check`.
    """
    report = check(forward, backward, inputs, **options)
    if not report:
        raise AssertionError(str(report))


def _names(forward: Callable[..., Any], inputs: Sequence[ArrayLike], names: Sequence[Any] | None) -> Sequence[Any]:
    """What to call the inputs: ``names``, or forward's first arguments, or positions where it does not name so many."""
    count = len(inputs) if isinstance(inputs, (tuple, list)) else 0
    if names is not None:
        if len(names) != count:
            raise InputError(f"names has {len(names)} entries for {count} inputs")
        return names
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):  # not every function of an extension has a signature
        return range(count)
    by_position = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return by_position[:count] if len(by_position) >= count else range(count)


def _positions(not_differentiable: Sequence[Any], names: Sequence[Any]) -> list[int]:
    if isinstance(not_differentiable, str):
        not_differentiable = [not_differentiable]
    positions = []
    for each in not_differentiable:
        if each in names:
            positions.append(list(names).index(each))
        elif isinstance(each, int) and 0 <= each < len(names):
            positions.append(each)
        else:
            raise InputError(f"not_differentiable has {each!r}; the inputs are {', '.join(map(str, names))}")
    return positions


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
    at, unrepeatable, forward_seconds = first_calls.first_outputs(pair, rng, found)
    unrepeatable = unrepeatable + roughness
    point, eps = first_calls.choose_point(pair, at, rng, found)
    precision = first_calls.measure_precision(point, eps, unrepeatable, rtol, atol, rng)
    answers = rules.ask_and_test(point, precision, rng, found)
    if point.base is not pair.inputs:
        wide = coarse.widened(point, precision, answers, found)
        if wide is not None:
            point, answers = wide
            precision = first_calls.measure_precision(point, eps, unrepeatable, rtol, atol, rng)
    return Case(
        budget=budget,
        rng=rng,
        point=point,
        precision=precision,
        answers=answers,
        forward_seconds=forward_seconds,
        complex_works=may_be_complex and numeric.complex_step_works(point, precision, answers.judged, rng),
    )
