"""Mistakes in the order: values at other places, inputs exchanged, axes transposed, borders left out."""

import itertools
from collections.abc import Iterator

import numpy as np

from kernels.arrays import FloatArray, IntArray

from .. import effort
from .. import tolerances as tol
from .evidence import Evidence, at_axis


def exchanged(e: Evidence) -> str:
    """The gradient of another input."""
    if not e.whole:
        return ""
    for k, name in enumerate(e.names):
        array = e.case.point.base[k]
        if k == e.i or k not in e.case.answers.judged or array.size != e.x.size or array.size < 2:
            continue
        said = np.array([g[k].astype(np.float64).ravel() for g in e.case.answers.gradients])
        if e.same(said, e.given):
            continue  # both say the same, so that it is not this one that was exchanged
        # What the other input should get is known by directions: enough to tell whether it is given here.
        if array.shape == e.x.shape and _is_gradient_of(e, k):
            return f"is the gradient of {name}: two inputs' gradients are exchanged"
    return ""


def _is_gradient_of(e: Evidence, k: int) -> bool:
    """Whether backward's gradient of this input is that of input ``k``, along random directions."""
    point = e.case.point
    for _ in range(tol.CAUSE_DIRECTIONS):
        v = e.case.rng.standard_normal(point.base[k].shape)
        step = e.case.precision.start * point.sizes[k]
        ends = [point.moved({k: v}, times * step)[0] for times in (1, -1, 2, -2)]
        slope = e.d @ (8 * (ends[0] - ends[1]) - (ends[2] - ends[3])) / (12 * step)
        said = e.given @ v.ravel()[e.places]
        size = np.linalg.norm(e.given, axis=1) * np.linalg.norm(v)
        if not (np.abs(slope - said) <= max(e.exact, tol.CAUSE_SLOPE_ERROR) * size).all():
            return False
    return True


def transposed(e: Evidence) -> str:
    """Axes exchanged, or values that lie in memory in the order of other axes."""
    ndim = e.x.ndim
    if not e.whole or ndim < 2 or ndim > effort.MOST_AXES:
        return ""
    wanted = e.shaped(e.wanted)
    for axes in itertools.permutations(range(ndim)):
        if axes == tuple(range(ndim)):
            continue
        moved = wanted.transpose(0, *(axis + 1 for axis in axes))
        if moved.shape == wanted.shape and e.fits(moved):
            return "is the right one transposed" if ndim == 2 else f"is the right one with its axes in the order {axes}"
        if e.fits(moved.reshape(wanted.shape)):
            return f"has the right values, flattened in the order of axes {axes} and not put back"
        back = (0, *(int(axis) + 1 for axis in np.argsort(axes)))
        if e.fits(wanted.reshape(moved.shape).transpose(back)):
            return f"has the right values, taken to lie in the order of axes {axes}: flattened in another order"
    return ""


def along_one_axis(e: Evidence) -> str:
    """Another order along one axis: reversed, shifted around, blocks exchanged, flattened the other way."""
    if not e.whole:
        return ""
    wanted = e.shaped(e.wanted)
    for axis, length in enumerate(e.x.shape):
        for words, order in _orders(length):
            if e.fits(np.take(wanted, order, axis + 1)):
                return f"is {words} along axis {axis}"
        matched = _matched(e, axis)
        if matched is not None and e.fits(np.take(wanted, matched, axis + 1)):
            place = int(np.flatnonzero(matched != np.arange(length))[0])
            return f"has another order along axis {axis}: place {place} holds what belongs to {matched[place]}"
    if e.x.ndim > 1:
        for count in range(2, e.x.ndim + 1):
            for axes in itertools.combinations(range(e.x.ndim), count):
                if e.fits(np.flip(wanted, tuple(axis + 1 for axis in axes))):
                    return f"is reversed along axes {axes}: a flipped window?"
    return ""


def _orders(length: int) -> Iterator[tuple[str, IntArray]]:
    """Orders of so many places that mistakes make, in words."""
    places = np.arange(length)
    yield "reversed", places[::-1]
    for step in (1, -1):
        yield f"shifted by {-step}, around the end", np.roll(places, -step)
    for rows in range(2, min(length, effort.MOST_ROWS)):
        if not length % rows and length // rows > 1:
            columns = length // rows
            words = f"flattened in another order, {rows} x {columns} for {columns} x {rows},"
            yield words, places.reshape(columns, rows).T.ravel()
    for blocks in (2, 3, 4):
        if length % blocks or length == blocks == 2:
            continue
        for order in itertools.permutations(range(blocks)):
            if order != tuple(range(blocks)):
                yield (
                    f"in blocks of {length // blocks} in the order {order} (gates or parts exchanged)",
                    places.reshape(blocks, -1)[list(order)].ravel(),
                )


def _matched(e: Evidence, axis: int) -> IntArray | None:
    """For each place along an axis of what is given the place where it should stand; None where there is none."""
    length = e.x.shape[axis]
    if length < tol.CAUSE_LEAST or length > effort.MOST_MATCHED:
        return None
    given, wanted = (np.moveaxis(e.shaped(values), axis + 1, 0).reshape(length, -1) for values in (e.given, e.wanted))
    weights = np.random.default_rng(0).standard_normal(given.shape[1])
    order = np.empty(length, int)
    order[np.argsort(given @ weights, kind="stable")] = np.argsort(wanted @ weights, kind="stable")
    return order


def shifted(e: Evidence) -> str:
    """The right values one or two places off along one axis or several, other ones at the ends."""
    if not e.whole or e.x.ndim > effort.MOST_AXES:
        return ""
    given, wanted = e.shaped(e.given), e.shaped(e.wanted)
    steps: list[tuple[int, ...]] = []
    for length in e.x.shape:
        reach = min(max(length - tol.CAUSE_LEAST + 1, 0), 2)
        steps.append((0, 1, -1, 2, -2)[: 2 * reach + 1])
    for moves in sorted(itertools.product(*steps), key=lambda each: (sum(map(bool, each)), sum(map(abs, each)))):
        if not any(moves):
            continue
        put, taken = (
            (slice(None), *(slice(max(sign * move, 0), min(length, length + sign * move)) for move, length in ends))
            for sign, ends in ((1, [*zip(moves, e.x.shape, strict=True)]), (-1, [*zip(moves, e.x.shape, strict=True)]))
        )
        moved = given.copy()
        moved[put] = wanted[taken]
        if wanted[taken].any() and e.fits(moved):
            along = " and ".join(f"by {move} along axis {axis}" for axis, move in enumerate(moves) if move)
            return f"is shifted {along}: an index, or the padding, is off"
    return ""


def border(e: Evidence) -> str:
    """Right, and 0 at some places of an axis: its ends, or all before the last."""
    if not e.whole:
        return ""
    given, wanted = e.shaped(e.given), e.shaped(e.wanted)
    said: list[str] = []
    kept = np.ones(wanted.shape, bool)
    for axis, length in enumerate(e.x.shape):
        others = tuple(each for each in range(given.ndim) if each != axis + 1)
        missing = np.flatnonzero(~given.any(others) & wanted.any(others))
        if not 0 < len(missing) < length:
            continue
        kept[at_axis(given.ndim, axis + 1, missing)] = False
        ends = {0: "the first", length - 1: "the last"}
        if set(missing) <= set(ends):
            said += [f"{ends[place]} of axis {axis}" for place in missing]
        else:
            said.append(f"places {', '.join(map(str, missing[: effort.PLACES_SAID]))} of axis {axis}")
    if said and e.fits(np.where(kept, wanted, 0)):
        few = (~kept[0]).sum() < tol.CAUSE_LEAST
        why = "an end left out, or a branch that the value takes?" if few else "a border, an end or a step is left out"
        return f"is right but for {' and '.join(said)}, where it is 0: {why}"
    return ""


def incoming_order(e: Evidence) -> str:
    """Right for an incoming gradient that is read in another order."""
    for output in e.outputs:
        d, ndim = e.d_of(output), len(output.shape)
        where = "" if len(e.outputs) == 1 else f" of {output.words}"
        for words, values in _read_otherwise(d, ndim):
            if e.fits_for(e.with_output(output, values)):
                return f"is right for an incoming gradient{where} {words}"
    return ""


def _read_otherwise(d: FloatArray, ndim: int) -> Iterator[tuple[str, FloatArray]]:
    """An incoming gradient ``d``, of shape (q, *shape), read in other orders."""
    for axis in range(ndim):
        yield f"that is reversed along axis {axis}", np.flip(d, axis + 1)
        for step in (1, -1):
            yield f"that is shifted by {step} along axis {axis}, around the end", np.roll(d, step, axis + 1)
            moved = np.roll(d, step, axis + 1)
            moved[at_axis(d.ndim, axis + 1, 0 if step > 0 else -1)] = 0
            yield f"that is shifted by {step} along axis {axis}: an index is off by one", moved
    for pair in itertools.combinations(range(ndim), 2):
        for both in itertools.product((1, -1), repeat=2):
            moved = np.roll(d, both, (pair[0] + 1, pair[1] + 1))
            yield f"that is shifted by {both} along axes {pair}, around the ends", moved
    if 1 < ndim <= effort.MOST_AXES:
        for axes in itertools.permutations(range(ndim)):
            if axes == tuple(range(ndim)):
                continue
            moved = d.transpose(0, *(axis + 1 for axis in axes))
            if moved.shape == d.shape:
                yield ("that is transposed" if ndim == 2 else f"with its axes in the order {axes}"), moved
            yield f"that is read in memory in the order of axes {axes}", moved.reshape(d.shape)


def another_point(e: Evidence) -> str:
    """Right for another input that is flipped or transposed: a window the wrong way round, W for its transpose."""
    if not e.whole:
        return ""
    for k, array in enumerate(e.case.point.base):
        if k == e.i or array.dtype.kind != "f" or array.size < tol.CAUSE_LEAST:
            continue
        for words, other in _turned(array):
            if other.tobytes() != array.tobytes() and _right_at(e, k, other):
                return f"is right for {e.names[k]} {words}"
    return ""


def _turned(array: FloatArray) -> Iterator[tuple[str, FloatArray]]:
    ndim = array.ndim
    for axes in itertools.permutations(range(ndim)) if ndim <= effort.MOST_AXES else ():
        moved = array.transpose(axes)
        if axes != tuple(range(ndim)) and moved.shape == array.shape:
            yield ("transposed" if ndim == 2 else f"with its axes in the order {axes}"), moved.copy()
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            along = f"axis {axes[0]}" if count == 1 else f"axes {axes}"
            yield f"reversed along {along}", np.flip(array, axes).copy()


def _right_at(e: Evidence, k: int, other: FloatArray) -> bool:
    """Whether the gradient is right where input ``k`` is ``other``, along random directions."""
    arrays = list(e.case.point.base)
    arrays[e.i], arrays[k] = np.asarray(arrays[e.i], np.float64), other
    if e.budget.left(1) < 0:
        return False
    rng = np.random.default_rng(0)
    for _ in range(tol.CAUSE_DIRECTIONS):
        v = rng.standard_normal(e.x.shape)
        slope = e.d @ e.slope_at(arrays, v)
        said = e.given @ v.ravel()
        size = np.linalg.norm(e.given, axis=1) * np.linalg.norm(v)
        share = np.abs(slope - said) / np.where(size > 0, size, 1)
        if not (share <= max(e.exact, tol.CAUSE_SLOPE_ERROR)).all() or not share.max() <= tol.CAUSE_LEAVES * e.gap:
            return False
    return True
