"""Step 1 of a check, the rules: what holds for any backward pass, for all elements at once.

Gradients have the shape and dtype of their inputs and are finite; the same question has the same answer, to the bit,
whatever was asked in between; a zero incoming gradient gives exact zeros; the answer is linear in the question, and
does not depend on how the incoming gradient lies in memory.
"""

import numpy as np

from kernels.arrays import AnyArray, FloatArray

from ..errors import InputError
from . import effort, shapes
from . import tolerances as tol
from .effort import Budget
from .finding import Finding
from .functions import Gradients, Layout, Pair, same_bits
from .point import Point, nudged
from .state import Answers, Found, Precision, Stop, index_of


def ask_and_test(point: Point, precision: Precision, rng: np.random.Generator, found: Found, budget: Budget) -> Answers:
    """Put the rules to backward; returns its answers, by which the elements are judged later.

    Raises:
        Stop: gradients have a wrong form, so that nothing more can be said.
        InputError: there is no gradient at all.
    """
    pair = point.pair
    incoming = _incoming(pair, rng, 1 if point.large else 3)
    begun = budget.spent
    first = pair.backward(incoming[0])
    # So many calls of forward take as long as one question to backward, which calls forward before.
    cost = (budget.spent - begun) / max(budget.call, 1e-9)

    def room(questions: int, what: str) -> bool:
        return budget.room(questions * cost, effort.RULES, what)

    judged = judged_inputs(pair, first, found)
    gradients = [first]
    if len(incoming) > 1 and room(len(incoming) - 1, "other incoming gradients"):
        gradients += [pair.backward(d) for d in incoming[1:]]
    incoming = incoming[: len(gradients)]
    for others in gradients[1:]:
        judged = judged_inputs(pair, others, found)
    if room(1, "a zero incoming gradient"):
        _test_zero(pair, first, judged, found)
    if room(2, "whether backward repeats itself"):
        _test_repetition(pair, incoming[0], first, judged, found)
    if room(2, "whether backward relies on the last forward"):
        _test_independence(pair, incoming[0], first, judged, found)
    spread = {i: np.broadcast_to(0.0, first[i].shape) for i in judged}
    if room(tol.INPUT_NUDGES, "what rounding of the inputs changes"):
        nudges = 1 if point.large else tol.INPUT_NUDGES
        spread = input_rounding(pair, precision.grade, incoming[0], first, judged, precision.floor, nudges)
    answers = Answers(incoming=incoming, gradients=gradients, judged=judged, spread=spread)
    if room(4, "whether backward is linear"):
        _test_linearity(pair, answers, precision, found)
    if room(5, "incoming gradients that lie otherwise in memory"):
        _test_layouts(pair, answers, precision, found)
    return answers


def judged_inputs(pair: Pair, gradients: Gradients, found: Found) -> list[int]:
    """Positions of the inputs that ``gradients`` has something to judge for; nothing of them is judged so far.

    Raises:
        Stop: a gradient has a wrong shape or dtype, or is not finite.
        InputError: there is no gradient at all.
    """
    for i in range(len(gradients)):
        _test_form(pair, i, gradients[i], found)
    judged = [i for i in pair.moved if gradients[i] is not None]
    if pair.moved and not judged:
        raise InputError("backward returns None for every input: there is nothing to check")
    for i in judged:
        found.ratios[i] = np.full(pair.inputs[i].shape, np.nan)
    return judged


def _incoming(pair: Pair, rng: np.random.Generator, number: int) -> FloatArray:
    """One or three random incoming gradients, of shape (number, outputs), in numbers that the outputs' dtypes hold."""
    count = sum(pair.sizes)
    if number == 1:
        incoming = rng.standard_normal((1, count))
    else:
        incoming = np.array([rng.standard_normal(count), rng.standard_normal(count), rng.uniform(-2, 2, count)])
    begin = 0
    for j, size in zip(pair.real, pair.sizes, strict=True):
        part = slice(begin, begin + size)
        if pair.dtypes[j] != np.float64:
            incoming[:, part] = incoming[:, part].astype(pair.dtypes[j])
        begin += size
    incoming[:, pair.left_out] = 0
    return incoming


def _test_form(pair: Pair, i: int, gradient: AnyArray | None, found: Found) -> None:
    array, name = pair.inputs[i], found.names[i]
    words = ""
    if i in pair.constant:
        found.note(f"input {name} is not differentiable, as the caller says: not checked")
    elif gradient is None:
        if i in pair.moved:
            pair.add_problem(
                f"gradient of input {name} is None, though the input is {array.dtype}; if it has none on purpose, say "
                f"so: not_differentiable=[{name!r}]",
                i,
            )
    elif array.dtype.kind != "f":
        if gradient.any():
            words = f"input {name} has dtype {array.dtype}, so its gradient must be None (or zeros)"
    elif gradient.shape != array.shape:
        words = f"gradient of input {name} has shape {gradient.shape}, the input {array.shape}"
        words += shapes.hint(gradient.shape, array.shape)
    elif not np.isfinite(gradient).all():
        index = index_of(int(np.flatnonzero(~np.isfinite(gradient))[0]), gradient.shape)
        found.findings.append(Finding(name, index, float(gradient[index]), how="a gradient must be finite"))
        words = f"gradient of input {name} holds {gradient[index]} at {index}"
    if words:
        pair.add_problem(words, i)
        raise Stop
    if gradient is not None and i in pair.moved and gradient.dtype != array.dtype:
        words = f"gradient of input {name} has dtype {gradient.dtype}, the input {array.dtype}"
        if np.finfo(gradient.dtype).eps < np.finfo(array.dtype).eps:
            found.note(f"{words}: its values are judged as they are")
        else:
            pair.add_problem(words, i)


def _test_repetition(pair: Pair, d: FloatArray, first: Gradients, judged: list[int], found: Found) -> None:
    """The same question twice more must have the same answer, to the bit."""
    for when, again in [(words, pair.backward(d)) for words in ("a second call", "a third call")]:
        for i in judged:
            if not same_bits(again[i], first[i]):
                off = np.abs(again[i] - first[i])
                how = f"backward is not repeatable: {when} gives another gradient"
                _report_unequal(pair, i, first[i], again[i], off, how, found)


def _test_zero(pair: Pair, first: Gradients, judged: list[int], found: Found) -> None:
    """A zero incoming gradient must give exact zeros."""
    zero = np.zeros(sum(pair.sizes))
    for i, gradient in enumerate(pair.backward(zero)):
        if i in judged and gradient.shape == first[i].shape and gradient.any():
            off = np.nan_to_num(np.abs(gradient), nan=np.inf)
            how = "a zero incoming gradient must give zeros"
            _report_unequal(pair, i, gradient, np.zeros_like(gradient), off, how, found)


def _test_independence(pair: Pair, d: FloatArray, first: Gradients, judged: list[int], found: Found) -> None:
    """Whether backward uses its arguments or what the last forward kept: allowed, but worth a note."""
    pair.try_forward(nudged(pair.inputs, tol.DISTURBANCE, 11))
    alone = pair.backward_alone(d, pair.inputs)
    if any(alone[i] is not None and not same_bits(alone[i], first[i]) for i in judged):
        found.note("backward relies on what the last forward kept, not on its arguments; forward is called before it")


def input_rounding(
    pair: Pair,
    grade: float,
    d: FloatArray,
    first: Gradients,
    judged: list[int],
    floor: float = 0.0,
    nudges: int = tol.INPUT_NUDGES,
) -> dict[int, FloatArray]:
    """What one last place of the inputs changes in the gradient, for each input; values that tie are moved alike.

    A gradient may be rounding alone, as that of a bias before a normalisation is; ``floor`` is the size of its terms.
    """
    changes = []
    for salt in range(nudges):
        try:
            changes.append(pair.backward(d, nudged(pair.inputs, grade, salt + 20)))
        except InputError:
            return {i: np.zeros(first[i].shape) for i in judged}
    spread = {}
    for i in judged:
        moved = np.array([np.abs(c[i].astype(np.float64) - first[i]) for c in changes])
        limit = tol.SPREAD_LIMIT * grade**0.5 * max(float(np.abs(first[i]).max()), floor)
        usual = np.nan_to_num(np.median(moved, axis=0) if len(moved) > 1 else moved[0], nan=0.0)
        spread[i] = np.minimum(np.maximum(usual, usual.mean()), limit)
    return spread


def _test_linearity(pair: Pair, answers: Answers, precision: Precision, found: Found) -> None:
    """backward(a d + b e) = a backward(d) + b backward(e)."""
    # Where there is one alone, it is added to itself.
    d, e = answers.incoming[0], answers.incoming[-1]
    g, f = answers.gradients[0], answers.gradients[-1]
    large = _factor(pair, answers)
    questions = [("the sum of two incoming gradients", d + e, 1.0, 1.0, 1.0)]
    if large > 1:
        questions += [
            (f"{large:g} times the incoming gradient", large * d, large, 0, large),
            (f"the incoming gradient over {large:g}", d / large, 1 / large, 0, 1 / large),
        ]
    for words, question, of_g, of_f, factor in questions:
        answer = pair.backward(question)
        for i in answers.judged:
            if not _has_form(pair, i, answer, g, found, "the incoming gradient"):
                raise Stop
            wanted = of_g * g[i].astype(np.float64) + of_f * f[i]
            size = factor * float(max(np.abs(g[i]).max(), np.abs(f[i]).max(), precision.floor))
            how = f"backward is not linear: {words} gives another gradient"
            _compare(pair, i, answer[i], wanted, (size, factor), how, answers, precision, found)


def _factor(pair: Pair, answers: Answers) -> float:
    """By what the incoming gradient is multiplied: as much as does not overflow, a power of two."""
    d, g = answers.incoming[0], answers.gradients[0]
    dtypes = [pair.dtypes[j] for j in pair.real] + [g[i].dtype for i in answers.judged]
    largest = max([np.abs(d).max(initial=0), *(np.abs(g[i]).max(initial=0) for i in answers.judged)])
    room = min(float(np.finfo(dtype).max) for dtype in dtypes) * tol.OVERFLOW_SHARE
    factor = float(tol.LINEAR_FACTOR)
    while factor > 1 and factor * float(largest) > room:
        factor /= 2
    # What is multiplied on the way may be larger than what comes of it.
    while factor > 1 and not all(np.isfinite(pair.backward(factor * d)[i]).all() for i in answers.judged):
        factor /= 16
    return factor


LAYOUTS: dict[str, Layout] = {
    "in Fortran order": np.asfortranarray,
    "whose elements are not neighbours in memory": lambda d: np.repeat(d, 2, axis=-1)[..., ::2],
    "that lies backwards in memory": lambda d: np.flip(np.flip(d).copy()),
}
"""Ways in which an incoming gradient may lie in memory, beside the contiguous one: transposed and cut arrays do."""


def _test_layouts(pair: Pair, answers: Answers, precision: Precision, found: Found) -> None:
    """The same incoming gradient, lying otherwise in memory, has the same gradient; sums may be added in another order.

    A gradient that comes from a sum is often one number that is broadcast: all strides are 0.
    """
    if not any(pair.shapes[j] for j in pair.real):
        return  # scalars
    d = answers.incoming[0]
    questions = [(words, d, layout, answers.gradients[0]) for words, layout in LAYOUTS.items()]
    if not len(pair.left_out):  # infinite outputs have an incoming gradient of 0
        ones = np.ones_like(d)
        questions.append(("that is one number, broadcast", ones, _broadcast, pair.backward(ones)))
    for words, question, layout, wanted in questions:
        try:
            again = pair.backward(question, layout=layout)
        except InputError as error:
            pair.add_problem(f"backward does not take an incoming gradient {words}: {error}")
            continue
        how = f"backward depends on memory: an incoming gradient {words} gives another gradient"
        for i in answers.judged:
            if _has_form(pair, i, again, wanted, found, "the memory of the incoming gradient"):
                size = float(max(np.abs(wanted[i]).max(), answers.tops[i].max(), precision.floor))
                _compare(pair, i, again[i], wanted[i].astype(np.float64), (size, 1), how, answers, precision, found)


def _broadcast(d: AnyArray) -> AnyArray:
    """An array of one value, as one number in memory."""
    return np.broadcast_to(d.flat[0], d.shape) if d.size else d


def _has_form(pair: Pair, i: int, answer: Gradients, wanted: Gradients, found: Found, what: str) -> bool:
    """Whether backward's answer has the form of another; a problem where it changes with ``what``."""
    if answer[i] is not None and answer[i].shape == wanted[i].shape:
        return True
    pair.add_problem(f"gradient of input {found.names[i]} changes its form with {what}", i)
    return False


# Many arguments: what is compared, and what it is compared by.
def _compare(
    pair: Pair,
    i: int,
    answer: AnyArray,
    wanted: FloatArray,
    scale: tuple[float, float],
    how: str,
    answers: Answers,
    precision: Precision,
    found: Found,
) -> None:
    """Report an answer for input ``i`` that differs from ``wanted`` by more than rounding.

    ``scale``: the largest gradient that went into it, and the factor of the incoming gradients.
    """
    size, factor = scale
    given = answer.astype(np.float64)
    allowed = precision.rtol * size + tol.SPREAD_OF_ANSWER * factor * answers.spread[i] + precision.atol
    allowed = allowed + float(np.finfo(answer.dtype).tiny) * tol.SMALLEST_NORMALS
    if not np.isfinite(given).all():
        how = f"gradient holds {given[~np.isfinite(given)][0]}: {how.split(': ')[-1]}"
    off = np.abs(given - wanted)
    if not (off <= allowed).all():
        excess = np.where(off <= allowed, 0, np.nan_to_num(off / allowed, nan=np.inf))
        _report_unequal(pair, i, given, wanted, excess, how, found, allowed)


def _report_unequal(
    pair: Pair,
    i: int,
    given: AnyArray,
    wanted: AnyArray,
    off: FloatArray,
    how: str,
    found: Found,
    allowed: FloatArray | None = None,
) -> None:
    """Two answers for input ``i`` differ: a problem, and a finding at the element that is furthest ``off``."""
    index = index_of(int(np.nan_to_num(off, nan=np.inf).argmax()), off.shape)
    analytic, numeric = float(given[index]), float(wanted[index])
    found.findings.append(
        Finding(
            found.names[i],
            index,
            analytic,
            numeric,
            left=numeric,
            right=numeric,
            error=abs(analytic - numeric),
            allowed=0.0 if allowed is None else float(allowed[index]),
            how=how,
        )
    )
    where = f" most at {index}" if index else ""
    pair.add_problem(f"{how}, for input {found.names[i]}{where}", i)
