"""Mistakes in the values: a factor, the derivative of an activation, a term too many or too few."""

import itertools
from collections.abc import Iterator

import numpy as np

from kernels.arrays import FloatArray

from .. import tolerances as tol
from .evidence import Evidence, Output, zero_like


def all_zeros(e: Evidence) -> str:
    """Nothing arrives."""
    somewhere = any(g[e.i].any() for g in e.case.answers.gradients)
    return "" if somewhere else "is 0 everywhere: it is not passed on, or not collected"


def factor(e: Evidence) -> str:
    """One factor everywhere, and what it may come from."""
    square = float((e.wanted**2).sum())
    if not square:
        return ""
    times = float((e.wanted * e.given).sum()) / square
    if not times or not e.fits(times * e.wanted):
        return ""
    if abs(times + 1) < tol.CAUSE_FACTOR:
        return "has the wrong sign everywhere"
    if np.count_nonzero(e.jacobian) < tol.CAUSE_LEAST - 1:
        return ""  # between two numbers there is always a factor
    words, meaning = f"is {times:.6g} times the right one everywhere", _where_from(e, times)
    return f"{words} ({meaning})" if meaning else words


def _where_from(e: Evidence, times: float) -> str:
    """What a factor may come from: a length that was divided by or not, or a scalar input."""

    def is_factor(value: float) -> bool:
        return bool(abs(times - value) <= tol.CAUSE_FACTOR * abs(value))

    for name, value in e.other_inputs():
        if value.size == 1 and abs(value.item()) not in (0, 1):
            if is_factor(1 / value.item()):
                return f"a multiplication by {name} is left out"
            if is_factor(value.item()):
                return f"multiplied by {name} once too often"
    for n, words in _lengths(e):
        known = [
            (n, f"{n} is {words}: a sum for a mean, or counted so many times?"),
            (1 / n, f"{n} is {words}: a mean for a sum?"),
        ]
        if n > tol.CAUSE_PLAIN:
            known.append((n**0.5, f"the root of {n}, {words}: a division by it left out?"))
            known.append((n**-0.5, f"one over the root of {n}, {words}: divided by it once too often?"))
        if n > tol.CAUSE_PLAIN and words.startswith("the number of elements that each"):
            known.append((n / (n - 1), f"{n} / {n - 1}, and {n} is {words}: n - 1 for n, as in a variance?"))
            known.append(((n - 1) / n, f"{n - 1} / {n}, and {n} is {words}: n for n - 1, as in a variance?"))
        for times_n, meaning in known:
            if is_factor(times_n):
                return meaning
    for (a, n), (b, m) in itertools.permutations(enumerate(e.x.shape), 2):
        if n != m and is_factor(n / m):
            return f"{n} / {m}: divided by the length of axis {b} instead of axis {a}?"
    return ""


def _lengths(e: Evidence) -> list[tuple[int, str]]:
    """Numbers above 1 that something may have been divided by, or not, in words; the likeliest first."""
    used = np.abs(e.jacobian) > tol.CAUSE_ZERO * np.abs(e.jacobian).max(initial=0)
    users, parts = (np.unique(used.sum(axis)[used.any(axis)]) for axis in (0, 1))
    lengths = []
    if len(parts) == 1 and e.whole:
        lengths.append((int(parts[0]), "the number of elements that each output uses"))
    if len(users) == 1:
        lengths.append((int(users[0]), "the number of outputs that use each element"))
    shapes = [(output.words, output.shape) for output in e.outputs] + [(f"input {e.name}", e.x.shape)]
    shapes += [(f"input {name}", value.shape) for name, value in e.other_inputs()]
    lengths += [(n, f"the length of axis {a} of {words}") for words, shape in shapes for a, n in enumerate(shape)]
    lengths += [(int(np.prod(shape)), f"the number of elements of {words}") for words, shape in shapes]
    return [(n, words) for n, words in lengths if n > 1]


def two_factors(e: Evidence) -> str:
    """One factor where the outputs are positive, another where they are negative: the slope of a leaky unit."""
    for output in e.outputs:
        d = e.d_of(output)
        if not ((output.y > 0).any() and (output.y < 0).any()):
            continue
        above = e.right(e.with_output(output, np.where(output.y > 0, d, 0)))
        below = e.right(e.with_output(output, np.where(output.y > 0, 0, d)))
        if len(e.outputs) > 1:  # what other outputs give is in both
            rest = e.right(e.with_output(output, 0 * d))
            above, below = above - rest, below - rest
        else:
            rest = np.zeros_like(above)
        terms = np.stack([above.ravel(), below.ravel()], axis=1)
        factors, *_ = np.linalg.lstsq(terms, (e.given - rest).ravel(), rcond=None)
        if not above.any() or not below.any() or not e.fits(rest + factors[0] * above + factors[1] * below):
            continue
        positive, negative = (0.0 if abs(each) < tol.CAUSE_FACTOR else float(each) for each in factors)
        if abs(positive - 1) < tol.CAUSE_FACTOR < abs(negative - 1):
            return (
                f"is {negative:.6g} times the right one for what comes from negative values of {output.words}, right "
                "for positive ones: the slope below zero"
            )
        if abs(negative - 1) < tol.CAUSE_FACTOR < abs(positive - 1):
            return f"is {positive:.6g} times the right one for what comes from positive values of {output.words}"
    return ""


def dead_outputs(e: Evidence) -> str:
    """Right for outputs that answer, and something for outputs that stand still: the mask of a rectifier left out."""
    if not e.whole:
        return ""
    for output in e.outputs:
        slopes = np.abs(e.jacobian[output.part]).max(axis=1, initial=0).reshape(output.shape)
        still = slopes <= e.exact * slopes.max(initial=0)
        if not still.any() or still.all():
            continue
        answer = e.ask(e.with_output(output, np.where(still, 0, e.d_of(output))))
        if answer is not None and e.same(answer, e.wanted) and not e.same(answer, e.given):
            at = int(np.flatnonzero(still)[0])
            where = e.case.point.pair.output_words(output.part.start + at)
            return (
                f"counts places of {output.words} that do not answer to it, such as {where}, and is right but for "
                "these: the mask of a rectifier, a clip or a choice is left out"
            )
    return ""


# --- Functions of one number: output and input have one shape, and each output answers to its own element alone


def _derivative(e: Evidence) -> FloatArray | None:
    """f'(x) of a function that goes element by element, of the input's shape."""
    if not e.whole or len(e.outputs) != 1 or e.outputs[0].shape != e.x.shape or e.x.size < tol.CAUSE_LEAST:
        return None
    slopes: FloatArray = np.diagonal(e.jacobian)
    rest = e.jacobian - np.diag(slopes)
    return slopes if zero_like(np.append(rest.ravel(), slopes), e.exact)[: rest.size].all() else None


def activation(e: Evidence) -> str:
    """The derivative of an activation: left out, twice, upside down, the value in its place, at the output."""
    slopes = _derivative(e)
    if slopes is None:
        return ""
    y, x, d = e.outputs[0].y.ravel(), e.x.ravel(), e.d
    with np.errstate(all="ignore"):
        known = {
            "is the incoming gradient itself: the derivative is left out": d,
            "is the incoming gradient times the value: the value in place of the derivative": d * y,
            "is the incoming gradient times the input: the input in place of the derivative": d * x,
            "has the derivative squared: it is multiplied by it twice": d * slopes**2,
            "is divided by the derivative instead of multiplied": d / slopes,
            "has its mask turned round: it passes where it should be 0, and is 0 where it should pass": d
            * (1 - slopes),
            "is one part of the product rule alone, the incoming gradient times y / x": d * y / x,
            "is one part of the product rule alone, without the incoming gradient times y / x": d * (slopes - y / x),
        }
        for words, candidate in known.items():
            if e.fits(candidate):
                return words
    return _at_the_output(e) or _epsilon_of_slopes(e, slopes)


def _at_the_output(e: Evidence) -> str:
    """The output taken for the input, or the input for the output."""
    arrays = list(e.case.point.pair.inputs)
    y = e.outputs[0].y.astype(arrays[e.i].dtype)
    base = [np.asarray(a, np.float64) if a.dtype.kind == "f" else a for a in e.case.point.base]
    base[e.i] = e.outputs[0].y
    if e.fits(e.d * e.slope_at(base, np.ones(e.x.shape))):
        return "is the derivative at the output: f'(f(x)) in place of f'(x)"
    arrays[e.i] = y
    answer = e.ask(e.d, arrays)
    if answer is not None and e.same(answer, e.wanted):
        return "takes the input for the output: its formula is right for y = f(x), and gets x"
    return ""


def _epsilon_of_slopes(e: Evidence, slopes: FloatArray) -> str:
    """1/(x + epsilon) and 1/sqrt(x + epsilon): an epsilon in forward or in backward alone."""
    with np.errstate(all="ignore"):
        theirs = (e.given / e.d)[0]
        for power, scale in ((1, 1.0), (2, 4.0)):
            epsilon = float(np.median(1 / slopes**power - 1 / theirs**power)) / scale
            root = np.abs(1 / slopes**power - scale * epsilon) ** (1 / power)
            if epsilon and e.fits(e.d * np.sign(slopes) / root):
                if epsilon > 0:
                    return f"is right without an epsilon of {epsilon:.4g}, which forward adds"
                return f"is right for an epsilon of {-epsilon:.4g}, which forward does not add"
    return ""


# --- Functions after which an activation stands: what the incoming gradient was not multiplied by


def incoming_values(e: Evidence) -> str:
    """Right for an incoming gradient that was multiplied by something else."""
    for output in e.outputs:
        d = e.d_of(output)
        for words, values in _times(e, output, d):
            if np.isfinite(values).all() and e.fits_for(e.with_output(output, values)):
                return words
    return ""


def _times(e: Evidence, output: Output, d: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    """Other incoming gradients of one output, each with what it means in words."""
    y = output.y
    where = "" if len(e.outputs) == 1 else f" of {output.words}"
    with np.errstate(all="ignore"):
        if not zero_like(y, e.exact).any() and (np.abs(y) < 1).all():
            slope = 1 - y**2
            yield f"lacks the factor 1 - y^2{where}: the derivative of tanh is left out", d / slope
            yield f"has the factor 1 - y^2{where} twice: tanh's derivative", d * slope
            yield (
                f"has 1 - tanh(y)^2 for 1 - y^2{where}: the derivative of tanh is taken at its output",
                d * (1 - np.tanh(y) ** 2) / slope,
            )
        if ((y > 0) & (y < 1)).all():
            slope, again = y * (1 - y), 1 / (1 + np.exp(-y))
            yield f"lacks the factor y (1 - y){where}: the derivative of the sigmoid is left out", d / slope
            yield f"has the factor y (1 - y){where} twice: the sigmoid's derivative", d * slope
            yield (
                f"has the sigmoid's derivative at its output{where}, not at its input",
                d * again * (1 - again) / slope,
            )
        yield f"lacks the factor y{where}, the output itself", d / y
        yield f"has the factor y{where}, the output itself, once too often", d * y
        yield f"does not use the incoming gradient{where}: it is right for ones", np.ones_like(d)
        for name, value in e.other_inputs():
            try:
                factor = np.broadcast_to(value, output.shape)
            except ValueError:
                continue
            if np.ptp(factor) > 0:
                yield f"lacks the factor {name}", d / factor
                yield f"has the factor {name} once too often", d * factor


def missing_term(e: Evidence) -> str:
    """A term that is missing or counted twice: the way around, a multiple of the input, one number for all."""
    off = e.given - e.wanted
    if e.whole and len(e.outputs) == 1 and e.outputs[0].shape == e.x.shape and e.x.size >= tol.CAUSE_LEAST:
        if e.fits(e.wanted - e.d):
            return "lacks the incoming gradient itself: the direct way, a skip connection, is left out"
        if e.fits(e.wanted + e.d):
            return "has the incoming gradient itself once too often: a skip connection is counted twice"
    if len(e.places) < tol.CAUSE_LEAST:
        return ""
    x = e.x.ravel()[e.places]
    terms = [("the input itself", x)]
    if e.x.shape and len(e.case.point.at) == 1:
        terms += [("the sign of the input", np.sign(x))]
    for words, term in terms:
        if not np.ptp(term):
            continue
        times = off @ term / float(term @ term)
        if e.fits(e.wanted + np.outer(times, term)):
            # One coefficient for each incoming gradient, in proportion to it, is that of a penalty.
            ratio = times / e.d[:, 0] if len(e.case.point.at) == 1 else times * np.nan
            if np.ptp(ratio) <= tol.CAUSE_FACTOR * abs(ratio).max():
                what = f"{ratio[0]:+.6g} times {words}"
                return f"is right but for {what}: a penalty (weight decay) left out or counted twice"
    return ""


def matrix_not_transposed(e: Evidence) -> str:
    """The Jacobian in place of its transpose: W for its transpose, a running sum that runs the wrong way."""
    if e.whole and e.jacobian.shape[0] == e.jacobian.shape[1] and e.fits(e.d @ e.jacobian.T):
        return (
            "multiplies by the Jacobian where its transpose is due: a matrix not transposed, a sum the wrong way round"
        )
    return ""


def one_of_two_uses(e: Evidence) -> str:
    """What is missing is backward's own answer for the transposed incoming gradient: x times its own transpose."""
    for output in e.outputs:
        if len(output.shape) >= 2 and output.shape[-1] == output.shape[-2]:
            answer = e.ask(e.with_output(output, e.d_of(output).swapaxes(-1, -2)))
            if answer is not None and e.same(answer + e.given, e.wanted):
                return "is that of one of two uses alone: what comes by the transposed incoming gradient must be added"
    return ""


def product_with(e: Evidence) -> str:
    """The incoming gradient, alone or times something, summed over the other axes: the wrong factor beside it."""
    if not e.whole:
        return ""
    for output in e.outputs:
        d = e.d_of(output)
        factors = [("", np.ones(output.shape)), (f" times {output.words}", output.y)]
        factors += [(f" times {name}", value) for name, value in e.other_inputs() if value.shape == output.shape]
        for kept in itertools.combinations(range(len(output.shape)), e.x.ndim):
            if tuple(output.shape[axis] for axis in kept) != e.x.shape:
                continue
            over = tuple(axis for axis in range(len(output.shape)) if axis not in kept)
            for words, factor in factors:
                if e.fits((d * factor).sum(tuple(axis + 1 for axis in over))):
                    summed = f", summed over axes {over}" if over else ""
                    return f"is the incoming gradient{words}{summed}: another factor is due there"
    return ""
