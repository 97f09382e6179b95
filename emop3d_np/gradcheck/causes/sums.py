"""Mistakes in the sums: a part of the outputs left out, = for +=, sums over the wrong axis."""

import itertools
from collections.abc import Iterator

import numpy as np

from kernels.arrays import BoolArray

from .. import effort
from .. import tolerances as tol
from .evidence import Evidence, Output, at_axis


def one_output(e: Evidence) -> str:
    """Of several outputs only some count."""
    if len(e.outputs) < 2:
        return ""
    for output in e.outputs:
        if e.fits_for(e.with_output(output, 0 * e.d_of(output))):
            return f"is right without {output.words}: what comes from there is left out"
    for output in e.outputs:
        alone = 0 * e.d
        alone[:, output.part] = e.d[:, output.part]
        if e.fits_for(alone):
            return f"is that of {output.words} alone: what comes from the others is left out"
    return ""


def one_place(e: Evidence) -> str:
    """Along an axis of the output one place alone counts."""
    words = _of_places(e, alone=True)
    return f"comes from {words} alone: a sum over that axis is left out, or = stands for +=" if words else ""


def place_left_out(e: Evidence) -> str:
    """Along an axis of the output one place does not count."""
    words = _of_places(e, alone=False)
    return f"lacks what comes from {words}" if words else ""


def _of_places(e: Evidence, alone: bool) -> str:
    """The place along an axis of an output that alone counts, or does not, in words."""
    for output in e.outputs:
        d = e.d_of(output)
        for axis, place in _places(output):
            part = np.zeros_like(d)
            here = at_axis(d.ndim, axis + 1, place)
            part[here] = d[here]
            if e.fits_for(e.with_output(output, part if alone else d - part)):
                return f"place {place} of axis {axis} of {output.words}"
    return ""


def _places(output: Output) -> Iterator[tuple[int, int]]:
    """Axes of an output, and places along them: the ends first, for mistakes like these."""
    for axis, length in enumerate(output.shape):
        if length > 1:
            inner = range(1, min(length - 1, effort.MOST_PLACES))
            yield from ((axis, place) for place in (0, length - 1, *inner))


def overwritten(e: Evidence) -> str:
    """Of the outputs that use one element only the last, or the first, counts: = for +=."""
    if e.jacobian.size > effort.MASKED_NUMBERS:
        return ""
    for output in e.outputs:
        if len(output.shape) > effort.MOST_AXES:
            continue
        slopes = e.jacobian[output.part].reshape(*output.shape, -1)
        rest = e.right(e.with_output(output, 0 * e.d_of(output)))
        uses = np.abs(slopes) > tol.CAUSE_ZERO * np.abs(slopes).max(initial=0)
        d = e.d_of(output).reshape(len(e.d), -1)
        for words, kept in _kept(output, uses):
            candidate = rest + d @ np.where(kept, slopes, 0).reshape(-1, slopes.shape[-1])
            if e.fits(candidate):
                what = f"has {words} of the outputs that use an element in place of their sum"
                return f"{what}: = for += where windows overlap, or a sum left out"
    return ""


def _kept(output: Output, uses: BoolArray) -> Iterator[tuple[str, BoolArray]]:
    """Of the outputs that use each element, of shape (*output, n): the last, or first, along some of the axes."""
    ndim = len(output.shape)
    for count in range(1, ndim + 1):
        for axes in itertools.combinations(range(ndim), count):
            if all(output.shape[axis] < 2 for axis in axes):
                continue
            others = tuple(axis for axis in range(ndim) if axis not in axes)
            touched: BoolArray = np.asarray(uses.any(axis=others, keepdims=True))
            order = (*axes, *others, ndim)
            by_axes = touched.transpose(order)
            flat = by_axes.reshape(-1, uses.shape[-1])
            for words, picked in (("the last", len(flat) - 1 - flat[::-1].argmax(0)), ("the first", flat.argmax(0))):
                kept = np.zeros_like(flat)
                np.put_along_axis(kept, picked[np.newaxis], True, 0)
                spread = kept.reshape(by_axes.shape).transpose(np.argsort(order))
                along = f"axis {axes[0]}" if count == 1 else f"axes {axes}"
                yield f"{words} along {along}", np.broadcast_to(spread, uses.shape)


def window_short(e: Evidence) -> str:
    """Outputs whose window begins, or ends, at an element do not count for it: the window is one place short."""
    if e.jacobian.size > effort.MASKED_NUMBERS or not e.whole or not e.x.ndim:
        return ""
    for output in e.outputs:
        slopes = e.jacobian[output.part]
        used = np.abs(slopes) > tol.CAUSE_ZERO * np.abs(slopes).max(initial=0)
        rest = e.right(e.with_output(output, 0 * e.d_of(output)))
        d = e.d_of(output).reshape(len(e.d), -1)
        out, own = (np.indices(shape).reshape(len(shape), -1) for shape in (output.shape or (1,), e.x.shape))
        for a, b in itertools.product(range(len(out)), range(len(own))):
            offsets = own[b] - out[a][:, np.newaxis]
            met = np.unique(offsets[used])
            if not tol.CAUSE_LEAST <= len(met) + 1 <= effort.LONGEST_WINDOW:
                continue
            for end in (met[0], met[-1]):
                if e.fits(rest + d @ np.where(offsets == end, 0, slopes)):
                    place = f"place {end} along axis {b} (of {met[0]} to {met[-1]})"
                    return f"lacks the window's {place}: one place short, or a border left out"
    return ""


def summed_incoming(e: Evidence) -> str:
    """Right for an incoming gradient that is summed, or averaged, over an axis first."""
    for output in e.outputs:
        d = e.d_of(output)
        for axis, length in enumerate(output.shape):
            if length < 2:
                continue
            total = d.sum(axis + 1, keepdims=True) * np.ones_like(d)
            where = f"over axis {axis} of {output.words}"
            if e.fits_for(e.with_output(output, total)):
                return f"is right for an incoming gradient that is summed {where}: a sum too many"
            if e.fits_for(e.with_output(output, total / length)):
                return f"is right for an incoming gradient that is averaged {where}: a mean too many"
    return ""


def summed(e: Evidence) -> str:
    """The sum, or the mean, of the right gradient over an axis in place of it."""
    if not e.whole:
        return ""
    wanted = e.shaped(e.wanted)
    for axis, length in enumerate(e.x.shape):
        if length > 1:
            total = wanted.sum(axis + 1, keepdims=True) * np.ones_like(wanted)
            if e.fits(total):
                return f"is the sum of the right one over axis {axis}: a sum too many"
            if e.fits(total / length):
                return f"is the mean of the right one over axis {axis}: a mean too many"
    return ""
