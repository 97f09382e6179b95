"""What the judges of exercises share: a judge gets a student's :class:`.answers.Answer` and says what is wrong with it.

A judge asks for a function with ``answer.function("backward(dz, x)")`` or for a value with ``answer.value("n")``, and
then uses what is here: :func:`gradients` is the gradient checker, :func:`same` compares with values that are known,
:func:`number` judges a number that was to be predicted, :func:`array` looks at the form alone, :func:`.counting.counts`
counts additions.  ``mistakes`` is what a judge knows of typical wrong answers: words, each with what somebody who made
that mistake would have got; no two of them may be alike for the numbers that a judge tries, nor like what is right.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..gradcheck import Report
from ..gradcheck.checker import check
from .answers import Answer, Wrong
from .counting import additions, counts

__all__ = [
    "Answer",
    "Wrong",
    "additions",
    "array",
    "besides",
    "counts",
    "gradients",
    "number",
    "numbers",
    "same",
    "shape_of",
    "tuple_of",
]

CLOSE = 1e-9
"""Values that differ by less, relative to the largest that is right, are the same."""

WRITTEN = 1e-6
"""A number worked out by hand may end after so many of its digits, relative to it, as on a pocket calculator."""

SECONDS = 60.0
"""Budget of the gradient checker; arrays are so small that it needs far less on any machine."""


class Known(Wrong):
    """A mistake that a judge knows; the words name it, and leave nothing to guess."""


def numbers(*shape: int, seed: int = 0) -> AnyArray:
    """Random numbers to judge by, float64, the same at every call; none is near 0, and no two are alike."""
    drawn = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return np.asarray(drawn + 0.25 * np.sign(drawn))


def array(got: Any, shape: Sequence[int], what: str, dtype: Any = np.float64) -> AnyArray:
    """``got`` as an array.

    Args:
        got: what the student's function returned.
        shape: that it must have.
        what: it is, in words or by its letter.
        dtype: that it must have; default float64, a number of Python will do where the shape is ().

    Raises:
        Wrong: it is something else, has another shape or dtype, or numbers that are not finite.
    """
    shape, dtype, got = tuple(shape), np.dtype(dtype), _plain(got)
    form = f"an array of shape {shape}" if shape else "a number"
    if got is None:
        raise Wrong(f"{what} is None; is there a return?")
    if isinstance(got, (tuple, list)) or callable(got) or not (hasattr(got, "__array__") or shape_of(got) == ()):
        raise Wrong(f"{what} is a {type(got).__name__}; it must be {form}")
    found = np.asarray(got)
    if found.dtype.kind not in "fiub":
        form = f"an array of {dtype}" if shape else "a number"
        raise Wrong(f"{what} is of the type {type(got).__name__} ({found.dtype}); it must be {form}")
    if found.shape != shape:
        raise Wrong(f"{what} has the shape {found.shape}; it must have {shape}{_about_shapes(found.shape, shape)}")
    if found.dtype != dtype and (shape or found.dtype.kind not in "fi"):
        raise Wrong(f"{what} has the dtype {found.dtype}; it must have {dtype}, as the arrays that were given")
    if not np.isfinite(found).all():
        place = _first(~np.isfinite(found))
        raise Wrong(
            f"{_at(what, place)} is {found[place]}; {np.sum(~np.isfinite(found))} of {found.size} are not finite"
        )
    return found


def _plain(got: Any) -> Any:
    """A number of Python's other kinds, as a fraction, as a float; all else as it is."""
    return float(got) if isinstance(got, Fraction | Decimal) else got


def shape_of(got: Any) -> tuple[int, ...] | None:
    """The shape of what a student's function returned; None where it has none, as lists of unequal length."""
    try:
        shape: tuple[int, ...] = np.shape(got)
    except Exception:
        return None
    return shape


def tuple_of(got: Any, names: str) -> tuple[Any, ...]:
    """What a function returned that must return several things, ``names`` apart; of numbers, an array will do.

    Raises:
        Wrong: it is no tuple, or not of so many.
    """
    wanted = names.split()
    if got is None:
        raise Wrong(f"nothing is returned; it must be {', '.join(wanted)}")
    if isinstance(got, np.ndarray) and got.shape == (len(wanted),):
        return tuple(got)
    if not isinstance(got, (tuple, list)) or len(got) != len(wanted):
        what = f"{len(got)} things are" if isinstance(got, (tuple, list)) else f"one {type(got).__name__} is"
        raise Wrong(f"{what} returned; it must be {len(wanted)}: {', '.join(wanted)}")
    return tuple(got)


def same(got: Any, right: AnyArray, what: str, mistakes: Mapping[str, Any] | None = None) -> None:
    """See that the student's array is the right one.

    Args:
        got: what the student's function returned.
        right: what it must return.
        what: it is, in words or by its letter.
        mistakes: words, each with the array, or a list of arrays, that somebody gets who makes that mistake.

    Raises:
        Wrong: with the words of the mistake it is, else with what it looks like, and the first element that is wrong.
    """
    right = np.asarray(right)
    for words, those in (mistakes or {}).items():
        for looks in those if isinstance(those, list) else [those]:
            if shape_of(got) == np.shape(looks) and not _equal(looks, right) and _equal(np.asarray(got), looks):
                raise Known(words)
    found = array(got, right.shape, what, right.dtype)
    if _equal(found, right):
        return
    off = ~_near(found, right)
    place = _first(off)
    many = f": {off.sum()} of {off.size} elements are wrong" if off.size > 1 else ""
    one, other = found[place], right[place]
    words = f"{_at(what, place)} is {_said(one, other)}; it must be {_said(other, one)}{many}"
    looks = _looks_like(found, right)
    raise Wrong(words + (f"; {looks}" if looks else ""))


@contextmanager
def besides(case: str) -> Iterator[None]:
    """Within, a judge asks once more, with other sizes and values: who fixed one of them in an answer is told so.

    Args:
        case: what is other, as in "windows of 2".

    Raises:
        Wrong: what is within raises it; the case stands before its words, as before those of other errors, and where
            the mistake is none that the judge knows, a question.
    """
    try:
        yield
    except Known as known:
        raise Known(f"right at first, but not with {case}: {known}") from None
    except Wrong as wrong:
        raise Wrong(f"right at first, but not with {case}; is a size or a number fixed in it? {wrong}") from None
    except Exception as error:
        error.besides = f"right at first, but not with {case}: "  # type: ignore[attr-defined]
        raise


def number(answer: Answer, name: str, right: float, mistakes: Mapping[Any, str] | None = None) -> None:
    """See that a number was predicted rightly.

    Args:
        answer: the student's file.
        name: what the file calls the number.
        right: the number.
        mistakes: wrong numbers, each with words that say what its mistake is, without giving the right one away.

    Raises:
        Wrong: it is another number, or none.
    """
    got = _plain(answer.value(name))
    if got is None or got is Ellipsis:
        raise Wrong(f"{name} is {got!r}; put your number there")
    if shape_of(got) != () or np.asarray(got).dtype.kind not in "fiu" or not np.isfinite(got):
        raise Wrong(f"{name} is {got!r}; it must be a number")
    if _written(float(got), right):
        return
    for wrong, words in (mistakes or {}).items():
        if _written(float(got), wrong):
            raise Wrong(f"{name} is not {_said(got, right)}: {words}")
    whole = float(got).is_integer() and float(right).is_integer()
    if abs(float(got) - right) <= 1e-3 * abs(right) and not whole:
        raise Wrong(f"{name} is nearly right; write it as an expression, such as 1 / 7, so that no digit is missing")
    raise Wrong(f"{name} is not {_said(got)}; it is {'less' if right < float(got) else 'more'}")


def _written(got: float, number: float) -> bool:
    """Whether it is the number, up to rounding; one with a fraction may be cut after the digits that are WRITTEN."""
    digits = 0.0 if float(number).is_integer() else WRITTEN * abs(number)
    return abs(got - number) <= max(digits, CLOSE * max(1, abs(number)))


# Many arguments: the last three are given by name.
def gradients(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    inputs: Sequence[AnyArray],
    names: str,
    *,
    mistakes: Mapping[str, Callable[..., Any] | Sequence[Callable[..., Any]]] | None = None,
    constant: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> str:
    """See, by the gradient checker, that a student's backward pass is the gradient of a forward pass.

    Args:
        forward: ``forward(*inputs)`` gives an array.
        backward: ``backward(d, *inputs)``, the student's, gives a gradient, or a tuple of one per input.
        inputs: small arrays.
        names: of the inputs, apart.
        mistakes: words, each with a backward pass of that mistake, or several; of the gradients that a mistake does
            not touch it may give None.
        constant: names of the inputs that have no gradient.
        options: more of what :func:`emop3d_np.gradcheck.check` takes.

    Returns:
        What is to be said of a right answer.

    Raises:
        Wrong: it is not the gradient; with the words of the mistake it is, else with what the checker finds likely,
            and the worst element.
    """
    wanted = [name for name in names.split() if name not in constant]
    arrays = dict(zip(names.split(), inputs, strict=True))
    d = numbers(*np.shape(forward(*inputs)), seed=1)
    got = _gradients(backward(d, *inputs), wanted)
    for words, those in (mistakes or {}).items():
        for looks in [those] if callable(those) else those:
            pairs = list(zip(got, _gradients(looks(d, *inputs), wanted), strict=True))
            if all(other is None or (shape_of(one) == np.shape(other) and _equal(one, other)) for one, other in pairs):
                raise Known(words)
    _see_order(got, [arrays[name].shape for name in wanted], wanted)
    for name, gradient in zip(wanted, got, strict=True):
        array(gradient, arrays[name].shape, f"the gradient of {name}", arrays[name].dtype)
    report = check(
        forward, backward, tuple(inputs), names=names.split(), not_differentiable=constant, seconds=SECONDS,
        **(options or {}),
    )  # fmt: skip
    if not report:
        raise Wrong(_said_by(report))
    return f"the gradient checker finds {_gradients_of(wanted)} right"


def _gradients_of(names: Sequence[str]) -> str:
    """The gradients of one or several inputs, in words."""
    if len(names) == 1:
        return f"the gradient of {names[0]}"
    return f"the gradients of {', '.join(names[:-1])} and {names[-1]}"


def _see_order(got: Sequence[Any], shapes: Sequence[tuple[int, ...]], wanted: Sequence[str]) -> None:
    """See that gradients come in their order, as far as their shapes tell."""
    found = [shape_of(each) for each in got]
    if found == list(shapes) or sorted(map(str, found)) != sorted(map(str, shapes)):
        return
    first = next(n for n, shape in enumerate(shapes) if found[n] != shape)
    place = ("first", "second", "third", "fourth", "fifth")[first]
    order = ", ".join(f"d{name}" for name in wanted)
    raise Wrong(f"the {place} has the shape of d{wanted[shapes.index(found[first])]}; the order is {order}")


def _gradients(got: Any, wanted: Sequence[str]) -> tuple[Any, ...]:
    """What a backward pass returned, as a tuple."""
    rows = isinstance(got, list) and not any(isinstance(each, np.ndarray) for each in got)  # an array as a list
    if len(wanted) == 1 and (rows or not isinstance(got, (tuple, list))):
        return (got,)
    return tuple_of(got, " ".join(f"d{name}" for name in wanted))


def _said_by(report: Report) -> str:
    """What the gradient checker says, for a student."""
    words = [each + _of_rules(each) for each in report.problems[:1]] + list(report.causes)
    wrong = [finding for finding in report.findings if finding.ratio > 1 and not finding.along]
    if wrong and not report.problems:
        each = wrong[0]
        words.append(
            f"the gradient of {each.place} is {_said(each.analytic)}; by differences of the loss it is "
            f"{_said(each.numeric)} ({each.verdict})"
        )
    rows = [str(row.name) for row in report.inputs if row.verdict.endswith("of what is allowed")]
    if rows and not report.problems:
        words.append(f"{_gradients_of(rows)} {'are' if len(rows) > 1 else 'is'} right")
    return "; ".join(words) or str(report)


def _of_rules(problem: str) -> str:
    """What a student makes of a gradient that is there where nothing arrives, or grows with the square of that."""
    if problem.startswith("a zero incoming gradient"):
        return ": what arrives multiplies every term of it"
    return ": what arrives multiplies every term once" if problem.startswith("backward is not linear") else ""


def _looks_like(found: AnyArray, right: AnyArray) -> str:
    """What a wrong array looks like, in words; nothing where it looks like nothing."""
    if (right != np.floor(right)).all() and (found == np.floor(right)).all():
        return "it is rounded down: // is no division as / is"
    scale = float(np.vdot(right, found) / np.vdot(right, right)) if right.any() else 0.0
    if found.size < 2:
        return _looks_like_times(scale)
    if not found.any():
        return "all of it is 0"
    if scale and _equal(found, scale * right):
        return (
            "its sign is turned"
            if abs(scale + 1) < CLOSE
            else f"all of it is {_said(scale)} times as large as it must be"
        )
    if _equal(found - right, np.full(right.shape, (found - right).flat[0])):
        return f"all of it is {_said((found - right).flat[0])} too large"
    for axis in range(right.ndim):
        if _equal(np.flip(found, axis), right):
            return f"it is right in the other direction along axis {axis}"
        for step in range(1, right.shape[axis]):
            if _equal(np.roll(found, step, axis), right):
                return f"it is shifted along axis {axis}"
    for order in itertools.permutations(range(min(right.ndim, 5))):
        if right.ndim <= 5 and found.transpose(order).shape == right.shape and _equal(found.transpose(order), right):
            return "its axes are in another order"
    inner = tuple(slice(1, -1) if size > 2 else slice(None) for size in right.shape)
    if right[inner].size > 1 and any(size > 2 for size in right.shape) and _equal(found[inner], right[inner]):
        return "it is right away from the border"
    if not (found != 0)[right != 0].all() and _near(found, right)[found != 0].all():
        return "what is not 0 in it is right"
    return ""


def _looks_like_times(scale: float) -> str:
    """How many times as large as it must be a number is, where that says something."""
    if abs(scale + 1) < CLOSE:
        return "its sign is turned"
    times = scale if abs(scale) > 1 else 1 / (scale or 1)
    if abs(times - round(times)) > CLOSE or not 1 < abs(times) < 1000:
        return ""
    words = "" if times > 0 else ", and its sign is turned"
    return f"it is {abs(round(times))} times as {'large' if abs(scale) > 1 else 'small'} as it must be{words}"


def _about_shapes(found: tuple[int, ...], right: tuple[int, ...]) -> str:
    """What is likely the matter with a shape, in words."""
    if sorted(found) == sorted(right):
        return "; are axes in another order?"
    if found in _without_ones(right):
        return "; keepdims=True keeps the axes that a sum runs over"
    if math.prod(found) == math.prod(right):
        return "; is a reshape missing?"
    if len(found) != len(right):
        return "; is a sum missing?" if len(found) > len(right) else "; is there a sum too many?"
    return ""


def _without_ones(shape: tuple[int, ...]) -> set[tuple[int, ...]]:
    """A shape with one or several of its axes of length 1 left out, in every way."""
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    some = itertools.chain.from_iterable(itertools.combinations(ones, n + 1) for n in range(len(ones)))
    return {tuple(size for axis, size in enumerate(shape) if axis not in out) for out in some}


def _near(one: Any, other: Any) -> AnyArray:
    """Where two arrays hold the same numbers, up to rounding."""
    one, other = np.asarray(one), np.asarray(other)
    coarse = max((np.finfo(each.dtype).eps for each in (one, other) if each.dtype.kind == "f"), default=0)
    near: AnyArray = np.abs(one - other) <= max(CLOSE, 100 * coarse) * max(1e-300, float(np.abs(other).max(initial=0)))
    return near


def _equal(one: Any, other: Any) -> bool:
    """Whether two arrays of one shape hold the same numbers, up to rounding."""
    one, other = np.asarray(one), np.asarray(other)
    return one.dtype.kind in "fiub" and one.shape == other.shape and bool(_near(one, other).all())


def _first(mask: AnyArray) -> tuple[int, ...]:
    """The first place where something holds."""
    return tuple(int(i) for i in np.unravel_index(np.flatnonzero(mask)[0], mask.shape))


def _at(what: str, place: tuple[int, ...]) -> str:
    places = f"[{', '.join(map(str, place))}]" if place else ""
    return f"{what}{places}" if not places or what.isidentifier() else f"element {places} of {what}"


def _said(value: Any, beside: Any = None) -> str:
    """A number in six digits, a whole one in all; in as many more as it takes to tell it from the one beside it."""
    if abs(float(value)) < 1e9 and float(value) == round(float(value)):
        return f"{float(value):.0f}"
    digits, value, beside = 6, float(value), float(value if beside is None else beside)
    while digits < 17 and value != beside and f"{value:.{digits}g}" == f"{beside:.{digits}g}":
        digits += 1
    return f"{value:.{digits}g}"


# Many arguments: the last is given by name.
def no_loop(answer: Answer, function: Callable[..., Any], small: Sequence[Any], large: Sequence[Any], over: str) -> str:
    """See that a function whose values are right needs no loop over something.

    Args:
        answer: the student's file, which counts its steps.
        function: of that file.
        small, large: two lists of arguments; of the second, what ``over`` names is longer.
        over: what there must be no loop over, in words.

    Returns:
        What is to be said of a right answer.

    Raises:
        Wrong: it takes more steps for the larger arguments.
    """
    steps = []
    for arguments in (small, large):
        function(*arguments)
        steps.append(answer.steps)
    if steps[1] > 1.2 * steps[0]:
        raise Wrong(
            f"the values are right, but there is a loop over the {over}: "
            f"{steps[0]} steps of Python for a few of them, {steps[1]} for more"
        )
    return f"the values are right, in {steps[0]} steps of Python however many {over} there are"


def three_additions(answer: Answer, signature: str, window: int) -> None:
    """See that a function's sums over ``window`` neighbours of a row, which are right, take three additions each.

    Args:
        answer: the student's file.
        signature: of its function of the row.
        window: how many neighbours a sum adds up.

    Raises:
        Wrong: they take more; or fewer are seen than it must be, since they are added up out of sight.
    """
    length = 600
    each = additions(answer, signature, np.abs(numbers(length))) / (length - window + 1)
    if each > 3.2:
        raise Wrong(f"the sums are right and take {each:.2g} additions each; three will do")
    if each < 2.5:
        raise Wrong(f"the sums are right, but {each:.2g} additions are seen for each: write them as + or += of rows")


def added_up(function: Callable[[AnyArray], AnyArray], length: int) -> str:
    """What the first sum of a row adds up, in words; the function makes a row of sums from a row of ``length``."""
    counts = {place: float(function(one)[0]) for place, one in enumerate(np.eye(length))}
    terms = [f"p[{place}]" if count == 1 else f"{_said(count)} p[{place}]" for place, count in counts.items() if count]
    return f"the first sum is {' + '.join(terms) or '0'}"


def shapes_in_words(said: str, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...], str]] = ()) -> str:
    """What NumPy says of arrays that do not fit each other, in plain words.

    Args:
        said: NumPy's words.
        pairs: for products of matrices, which NumPy does not name: the shapes of both, and how the line writes it.

    Returns:
        Plain words; nothing where it says something else.
    """
    shapes = ["(" + each + ")" for each in re.findall(r"\(((?:\d+,? ?)*)\)", said.replace(",)", ", )"))]
    shapes = [re.sub(r" *, *(?=\d)", ", ", re.sub(r", *\)", ",)", each)) for each in shapes]
    if "mismatch in its core dimension" in said:
        for one, other, line in pairs:
            if one[-1:] != other[-2:][:1]:
                return f"{line}: {one} @ {other} do not fit: which is to be transposed?"
        return "the two sides of a product @ do not fit: which is to be transposed?"
    if "not aligned" in said and len(shapes) >= 2:
        return f"{shapes[0]} @ {shapes[1]} do not fit: which is to be transposed?"
    if "non-broadcastable output" in said and len(shapes) == 2:
        why = "is the slice as long?" if shapes[0].count(",") == shapes[1].count(",") else "is a sum missing?"
        return f"what is added has the shape {shapes[1]}, and what it is added to {shapes[0]}: {why}"
    if "could not broadcast input array" in said and len(shapes) == 2:
        return f"what is put there has the shape {shapes[0]}; the place has {shapes[1]}"
    if "could not be broadcast together with shapes" in said and len(shapes) >= 2:
        both = " and ".join(each for each in dict.fromkeys(shapes) if each != "()")  # a number fits everything
        return f"arrays of the shapes {both} do not fit each other: from the last axis on, sizes are equal or one is 1"
    return ""
