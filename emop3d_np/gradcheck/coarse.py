"""Gradients in coarser numbers than float64: the formula is judged in float64, and its rounding apart.

In float32 a gradient that is a millionth of the largest one drowns in what the largest may be off by.  Where forward
and backward take float64 as well, the same formula is put to the whole check there; what is left to judge in float32 is
whether that gives the same gradients but for rounding.
"""

from dataclasses import replace

import numpy as np

from ..errors import InputError
from . import tolerances as tol
from .finding import share_of_allowed
from .functions import Gradients
from .point import Point
from .rules import input_rounding
from .state import Answers, Found, Precision


def widened(point: Point, precision: Precision, answers: Answers, found: Found) -> tuple[Point, Answers] | None:
    """The point and the answers of the same backward pass in float64; None where it does not compute in float64.

    Args:
        point: inputs in float64, at which forward computes in float64.
        precision, answers: of the coarser numbers, which are judged beside those in float64.
        found: gets the shares of the allowed rounding, and the worst of it.
    """
    pair = point.pair.widened()
    wide = replace(point, pair=pair)
    try:
        gradients = [pair.backward(d) for d in answers.incoming]
    except InputError:
        return None
    for each in gradients:
        if not all(_is_double(each[i], pair.inputs[i].shape) for i in answers.judged):
            return None
    if not _fine(wide, answers, gradients[0]):
        return None
    if not _same_but_for_rounding(precision, answers, gradients, found):
        return None
    spread = input_rounding(pair, tol.DOUBLE, answers.incoming[0], gradients[0], answers.judged)
    found.note(
        "forward and backward also compute in float64: the formula is judged there, and the coarser gradients by it"
    )
    return wide, Answers(incoming=answers.incoming, gradients=gradients, judged=answers.judged, spread=spread)


def _is_double(gradient, shape):
    return (
        gradient is not None
        and gradient.dtype == np.float64
        and gradient.shape == shape
        and np.isfinite(gradient).all()
    )


def _fine(wide: Point, answers: Answers, gradients: Gradients) -> bool:
    """Whether backward's arithmetic is that of float64: it answers other factors, and finer moves, as it should."""
    pair, d = wide.pair, answers.incoming[0]
    again = pair.backward(tol.UNEVEN_FACTOR * d)
    top = max(float(np.abs(gradients[i]).max()) for i in answers.judged)
    for i in answers.judged:
        if not (np.abs(again[i] / tol.UNEVEN_FACTOR - gradients[i]) <= tol.FINE_GRADIENT * top).all():
            return False
    rng = np.random.default_rng(0)
    v = {i: np.where(wide.base[i] == 0, 0, wide.random_direction(i, rng)) for i in answers.judged}
    changes = []
    for size in (tol.FINE_MOVE, tol.PLAIN_MOVE):
        arrays = [a + size * v[i] if i in v else a for i, a in enumerate(wide.base)]
        try:
            moved = pair.backward(d, arrays)
        except InputError:
            return False
        changes.append(sum(float(np.abs(moved[i] - gradients[i]).sum()) for i in answers.judged))
    fine, plain = changes
    count = sum(gradients[i].size for i in answers.judged)
    noise, ratio = tol.FINE_GRADIENT * tol.FINE_MOVE / tol.PLAIN_MOVE * top * count, tol.FINE_MOVE / tol.PLAIN_MOVE
    return bool(fine <= tol.MOVE_FACTOR * (ratio * plain + noise))


def _same_but_for_rounding(precision: Precision, answers: Answers, wide: list[Gradients], found: Found) -> bool:
    """Whether the coarser gradients are those in float64, rounded; their shares of the allowed error are noted."""
    worst: list[tuple[int, float, float]] = []
    for d, narrow, exact in zip(answers.incoming, answers.gradients, wide, strict=True):
        terms = precision.floor * float(np.abs(d).max())
        for i in answers.judged:
            allowed = precision.rtol * np.abs(exact[i]) + tol.SPREAD_OF_ELEMENT * answers.spread[i] + precision.atol
            allowed += precision.ulps * precision.grade * max(float(np.abs(exact[i]).max()), terms)
            allowed += float(np.finfo(narrow[i].dtype).tiny) * tol.SMALLEST_NORMALS
            off = np.abs(narrow[i].astype(np.float64) - exact[i])
            shares = share_of_allowed(off, allowed)
            place = int(shares.argmax())
            if not shares.flat[place] <= 1:
                return False
            worst.append((i, float(off.flat[place]), float(allowed.flat[place])))
    for i, off, allowed_there in worst:
        found.record_direction(i, off, allowed_there)
    return True
