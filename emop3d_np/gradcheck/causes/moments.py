"""Mistakes in normalisations and softmax: the way through a mean, a variance or a sum left out."""

import itertools
from collections.abc import Iterator

import numpy as np

from kernels.arrays import FloatArray

from .. import effort
from .. import tolerances as tol
from .evidence import Evidence


def through_moments(e: Evidence) -> str:
    """What differs from the right gradient is constant, or a multiple of x - mean(x), within groups along some axes."""
    if not e.whole or not e.x.ndim or e.x.ndim > effort.MOST_AXES:
        return ""
    for shape, axes, group in _groups(e):
        given, wanted, x = (values.reshape(-1, *shape) for values in (e.given, e.wanted, e.x))
        over = f"over {group}"
        mean = given.mean(axes, keepdims=True)
        no_sum = _small(e, wanted, axes)
        if no_sum and e.fits(wanted + mean):
            return f"lacks the way through the mean {over}: it is right once its own mean is taken off"
        centred = x - x.mean(axes, keepdims=True)
        if no_sum:
            words = _along(e, given, wanted, centred, axes)
            if words:
                return f"{words} the variance {over}"
            if _both(e, given, wanted, centred, axes):
                return f"lacks the ways through the mean and the variance {over}"
        elif _orthogonal(e, wanted, x, axes) and _explained(e, given, wanted, x, axes):
            return f"lacks the way through the norm (or mean square) {over}"
    return ""


def _groups(e: Evidence) -> Iterator[tuple[tuple[int, ...], tuple[int, ...], str]]:
    """What moments may go over: a shape of the input, axes of (q, *that shape), and the same in words.

    All sets of axes; and, as a group normalisation does, parts of one axis with all axes behind it.
    """
    shape, ndim = e.x.shape, e.x.ndim
    for count in range(1, ndim + 1):
        for places in itertools.combinations(range(ndim), count):
            lengths = [shape[place] for place in places]
            if min(lengths) > 1 and np.prod(lengths) >= tol.CAUSE_GROUP:
                words = f"axis {places[0]}" if count == 1 else f"axes {places}"
                yield shape, tuple(place + 1 for place in places), words
    for axis, length in enumerate(shape):
        for groups in range(2, length):
            behind = shape[axis + 1 :]
            if length % groups or length // groups * int(np.prod(behind)) < tol.CAUSE_GROUP:
                continue
            split = (*shape[:axis], groups, length // groups, *behind)
            words = f"groups of {length // groups} along axis {axis}" + (" and all axes behind it" if behind else "")
            yield split, tuple(range(axis + 2, len(split) + 1)), words


def _small(e: Evidence, values: FloatArray, axes: tuple[int, ...]) -> bool:
    """Whether values add up to nothing along axes: beside the sum of their sizes."""
    total, sizes = np.abs(values.sum(axes)), np.abs(values).sum(axes)
    return bool((total <= e.exact * np.maximum(sizes, np.abs(values).max())).all())


def _orthogonal(e: Evidence, values: FloatArray, term: FloatArray, axes: tuple[int, ...]) -> bool:
    """Whether values have next to nothing of ``term`` in them: an epsilon leaves a little."""
    inner = np.abs((values * term).sum(axes))
    sizes = np.sqrt((values**2).sum(axes) * (term**2).sum(axes))
    return bool((inner <= tol.CAUSE_OF_EPSILON * sizes).all())


def _coefficients(off: FloatArray, term: FloatArray, axes: tuple[int, ...]) -> FloatArray:
    square = (term**2).sum(axes, keepdims=True)
    with np.errstate(all="ignore"):
        times: FloatArray = np.nan_to_num((off * term).sum(axes, keepdims=True) / square)
    return times


def _explained(e: Evidence, given: FloatArray, wanted: FloatArray, term: FloatArray, axes: tuple[int, ...]) -> bool:
    """Whether a multiple of ``term`` in every group is all that differs."""
    return e.fits(wanted + _coefficients(given - wanted, term, axes) * term)


def _along(e: Evidence, given: FloatArray, wanted: FloatArray, centred: FloatArray, axes: tuple[int, ...]) -> str:
    """A multiple of x - mean(x): the variance's term left out, or its factor wrong."""
    if not _orthogonal(e, wanted, centred, axes) or not _explained(e, given, wanted, centred, axes):
        return ""
    share = _share_of_term(e, given, wanted, centred, axes)
    if share is None:
        return "has a wrong term (or none) through"
    n = int(np.prod([given.shape[axis] for axis in axes]))
    if abs(share) <= tol.CAUSE_OF_EPSILON:
        return "lacks the way through"
    if abs(share * (n - 1) / n - 1) <= tol.CAUSE_OF_EPSILON / n:
        return f"is divided by n - 1 = {n - 1} instead of n = {n} in the term through"
    return f"has {share:.4g} times the term through"


def _share_of_term(
    e: Evidence, given: FloatArray, wanted: FloatArray, centred: FloatArray, axes: tuple[int, ...]
) -> float | None:
    """How much of the variance's term is in what is given, where the incoming gradient of the normalised is known."""
    for d in _incoming_of_normalised(e, wanted):
        free = d - d.mean(axes, keepdims=True)
        with np.errstate(all="ignore"):
            s, k = _terms(wanted, free, centred, axes)
            if not e.same(s * free - k * centred, wanted):
                continue
            theirs = k - _coefficients(given - wanted, centred, axes)
            shares = (theirs / k).ravel()
        keep = np.abs(k.ravel()) > tol.CAUSE_OF_EPSILON * np.abs(k).max()
        if keep.any() and np.ptp(shares[keep]) <= tol.CAUSE_OF_EPSILON:
            return float(np.median(shares[keep]))
    return None


def _incoming_of_normalised(e: Evidence, like: FloatArray) -> Iterator[FloatArray]:
    """What may reach the normalised values: the incoming gradient, or that times another input (a gain)."""
    for output in e.outputs:
        if output.shape == e.x.shape and len(e.outputs) == 1:
            d = e.d_of(output)
            yield d.reshape(like.shape)
            for _, value in e.other_inputs():
                for spread in _spreads(value, output.shape):
                    yield (d * spread).reshape(like.shape)


def _spreads(value: FloatArray, shape: tuple[int, ...]) -> Iterator[FloatArray]:
    """Ways to broadcast a gain to a shape: by NumPy's rule, or along an axis of its length."""
    if value.ndim == 1 and len(shape) > 1:
        for axis, length in enumerate(shape):
            if length == len(value):
                yield np.broadcast_to(value.reshape(-1, *[1] * (len(shape) - axis - 1)), shape)
    try:
        yield np.broadcast_to(value, shape)
    except ValueError:
        return


def _both(e: Evidence, given: FloatArray, wanted: FloatArray, centred: FloatArray, axes: tuple[int, ...]) -> bool:
    """Both ways left out: a constant and a multiple of x - mean(x)."""
    if _count_of(given, axes) < tol.CAUSE_GROUP + 1 or not _orthogonal(e, wanted, centred, axes):
        return False
    off = given - wanted
    return e.fits(wanted + off.mean(axes, keepdims=True) + _coefficients(off, centred, axes) * centred)


def _count_of(values: FloatArray, axes: tuple[int, ...]) -> int:
    return int(np.prod([values.shape[axis] for axis in axes]))


def epsilon(e: Evidence) -> str:
    """The epsilon of a normalisation left out in backward: the same one in every group."""
    if not e.whole or not e.x.ndim or e.x.ndim > effort.MOST_AXES:
        return ""
    for shape, axes, over in _groups(e):
        given, wanted, x = (values.reshape(-1, *shape) for values in (e.given, e.wanted, e.x))
        for centred in (x - x.mean(axes, keepdims=True), x):
            if not _small(e, given * centred, axes):
                continue
            free = wanted - _coefficients(wanted, centred, axes) * centred
            times = (given * free).sum(axes, keepdims=True) / (free**2).sum(axes, keepdims=True)
            if not e.fits(times * free):
                continue
            found = ((centred**2).mean(axes, keepdims=True) * (times**2 - 1)).ravel()
            if (found > 0).all() and np.ptp(found) <= tol.CAUSE_OF_EPSILON * found.max():
                of = f"{found.mean():.3g} (to a mean over {over})"
                return f"is right without the epsilon of {of} that forward adds"
    return ""


def own_variance(e: Evidence) -> str:
    """A normalisation's backward whose variance is not that of forward: another epsilon, n - 1 for n.

    Both are ``s (u - mean(u)) - k (x - mean(x))`` in every group, for what reaches the normalised values, ``u``;
    ``s`` is one over the root of the variance and epsilon that each of them takes.
    """
    if not e.whole or not e.x.ndim or e.x.ndim > effort.MOST_AXES:
        return ""
    for shape, axes, over in _groups(e):
        given, wanted, x = (values.reshape(-1, *shape) for values in (e.given, e.wanted, e.x))
        centred = x - x.mean(axes, keepdims=True)
        if not _small(e, wanted, axes):
            continue
        n, variance = _count_of(given, axes), (centred**2).mean(axes, keepdims=True)
        for d in _incoming_of_normalised(e, wanted):
            free = d - d.mean(axes, keepdims=True)
            (s, k), (s_due, k_due) = (_terms(values, free, centred, axes) for values in (given, wanted))
            if not e.same(s_due * free - k_due * centred, wanted) or not e.fits(s * free - k * centred):
                continue
            if e.fits(-k * centred):  # there is nothing of what reaches it, and so no s to tell an epsilon by
                continue
            theirs, due = (1 / each[0].ravel() ** 2 for each in (s, s_due))
            for times, words in ((1, ""), (n / (n - 1), f", and a variance over n - 1 = {n - 1} for n = {n},")):
                epsilon, of_forward = theirs - times * variance.ravel(), due - variance.ravel()
                least = tol.CAUSE_OF_EPSILON * np.abs(theirs - due).max()
                if np.isfinite(least) and np.ptp(epsilon) <= least and np.ptp(of_forward) <= least:
                    values = f"{np.median(of_forward):.3g}", f"{max(np.median(epsilon), 0):.3g}"
                    if words:
                        return f"takes n - 1 = {n - 1} for n = {n} in the variance over {over}"
                    return (
                        f"takes an epsilon of {values[1]} beside the variance over {over}, forward one of {values[0]}"
                    )
    return ""


def _terms(
    values: FloatArray, free: FloatArray, centred: FloatArray, axes: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """``s`` and ``k`` of ``values = s free - k centred``, group by group, by least squares."""
    a, b, c = (
        (one * other).sum(axes, keepdims=True) for one, other in ((free, free), (free, centred), (centred, centred))
    )
    p, q = ((values * each).sum(axes, keepdims=True) for each in (free, centred))
    s = (p * c - q * b) / (a * c - b * b)
    return s, (s * b - q) / c


def softmax_sum(e: Evidence) -> str:
    """What differs is a multiple of the output (or of its exponential) in every group: softmax's inner sum left out."""
    if not e.whole:
        return ""
    for output in e.outputs:
        if output.shape != e.x.shape:
            continue
        for shape, axes, over in _groups(e):
            given, wanted = (values.reshape(-1, *shape) for values in (e.given, e.wanted))
            if not _small(e, wanted, axes):
                continue
            for words, term in _softmaxes(output.y.reshape(1, *shape)):
                # The output is a softmax indeed: it is positive and adds up to 1.
                positive = np.isfinite(term).all() and (term >= 0).all()
                sums_to_one = positive and np.allclose(term.sum(axes), 1)
                if sums_to_one and _explained(e, given, wanted, term, axes):
                    return f"lacks the sum {words} over {over}, which softmax subtracts"
    return ""


def _softmaxes(y: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    yield "of d * y", y
    if (y <= 0).all():
        yield "of d", np.exp(y)


def one_hot(e: Evidence) -> str:
    """Off by the incoming gradient at one place of every row: the label of a cross-entropy not subtracted."""
    if not e.whole or e.x.ndim != 2 or min(e.x.shape) < 2:
        return ""
    off = e.shaped(e.given) - e.shaped(e.wanted)
    label = np.abs(off[0]).argmax(1)
    hot = np.zeros(e.x.shape)
    hot[np.arange(len(label)), label] = 1
    times = off[:, np.arange(len(label)), label]
    rows = e.d if e.d.shape[1] == len(label) else e.d[:, :1] / len(label) if e.d.shape[1] == 1 else None
    if rows is None or not _small(e, e.shaped(e.wanted), (2,)):
        return ""
    for share in (rows, rows * len(label)):
        if e.same(times, share * np.ones_like(times)) and e.fits(e.shaped(e.wanted) + share[..., np.newaxis] * hot):
            return "is off by the incoming gradient at one place of every row: the one-hot label is not subtracted"
    return ""
