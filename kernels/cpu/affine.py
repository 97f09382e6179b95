"""Clips by maps of their own, one task a few clips.

Frames that are all mapped alike share the places their pixels come from.  So planes are laid side by side: one look at
the four pixels around a place then serves them all, and one instruction computes several.
"""

from functools import cache

import numpy as np
from numba import from_dtype, prange, types

from ..arrays import AnyArray, FloatArray
from ..reference.affine import computed_in, in_range
from . import threads
from .jit import alone, borrowing, by_address, loop, parallel, serial

BYTES, FLOATS = 16, 8
"""How many planes of these lie side by side.  Bytes are put there as four words of four, and taken as two of eight."""
END = np.uint32(2**32 - 1)
"""Stands after the last of a list of places.  A loop that ends at it, and not at a number, leaves it to the loop inside
of it to be made of instructions on several numbers."""


def affine(
    x: AnyArray,
    maps: FloatArray,
    levels: FloatArray | None = None,
    out: AnyArray | None = None,
    beside: bool = False,
) -> AnyArray:
    """As ``kernels.reference.affine``.

    Args:
        beside: another thread may run kernels at the same time, which not all of Numba's threading layers allow: all is
            done in the caller's thread.  Default False, all cores.  The bits are the same.
    """
    if out is None:
        out = np.empty(x.shape, x.dtype)
    dtype = computed_in(x.dtype)
    if x.dtype != out.dtype or x.dtype not in (np.uint8, dtype):  # one compiled kernel a dtype: the others are rare
        out[...] = in_range(affine(x.astype(dtype), maps, levels, None, beside), out.dtype)
        return out
    levels = np.ones((len(x), 2), dtype) if levels is None else np.asarray(levels, dtype)
    planes, target = _as_planes(x).view(), _as_planes(out)
    planes.flags.writeable = False  # as it may be: one compiled kernel for either
    parts = 1 if beside else min(len(x), 4 * threads.count())
    run = _in_one_part if parts == 1 else _in_parts
    run(_resampler(x.dtype), parts, planes, np.ascontiguousarray(maps, np.float64), levels, target)
    if not np.shares_memory(target, out):
        out[...] = np.moveaxis(target, 2, -1)
    return out


def _as_planes(x):
    """``(n, d, h, w, c)`` as ``(n, d, c, h, w)``; of one channel, without a copy."""
    return np.ascontiguousarray(np.moveaxis(x, -1, 2))


@parallel
def _in_parts(resample, parts, x, maps, levels, y):
    for part in prange(parts):
        first, end = part * len(x) // parts, (part + 1) * len(x) // parts
        resample(x[first:end], maps[first:end], levels[first:end], y[first:end])


@alone
def _in_one_part(resample, _, x, maps, levels, y):
    resample(x, maps, levels, y)


@cache
def _resampler(dtype):
    """The worker for clips of ``dtype``, compiled."""
    stored, real = from_dtype(dtype), from_dtype(computed_in(dtype))
    x, y = types.Array(stored, 5, "C", readonly=True), types.Array(stored, 5, "C")
    signature = types.void(x, types.float64[:, :, ::1], real[:, ::1], y)
    return by_address(signature)(_resample_bytes if dtype == np.uint8 else _resample_floats)


# Scratch memory is taken once for several clips: where threads take large pieces, the system gives them anew each time.


def _resample_bytes(x, maps, levels, y):
    _, frames, channels, rows, width = x.shape
    row_work = _row_work(x, levels)
    places = _places(rows * width, levels)
    size = (rows * width + width + 1) * BYTES
    before = np.empty((-(-frames * channels // BYTES), size // 4), np.uint32)
    after = np.empty((2, rows * width), np.uint64)
    for n in range(len(x)):
        if _keeps_frames(maps[n]):
            _resample_planes_of_bytes(x[n], maps[n], levels[n], places, before, after, y[n])
        else:
            _resample_rows(x[n], maps[n], levels[n], True, row_work, y[n])


def _resample_floats(x, maps, levels, y):
    _, frames, channels, rows, width = x.shape
    row_work = _row_work(x, levels)
    places = _places(rows * width, levels)
    before = np.empty((-(-frames * channels // FLOATS), (rows * width + width + 1) * FLOATS), levels.dtype)
    before[:, rows * width * FLOATS :] = 0
    after = np.empty(rows * width * FLOATS, levels.dtype)
    for n in range(len(x)):
        if _keeps_frames(maps[n]) and not _is_whole(maps[n]):
            _resample_planes(x[n], maps[n], levels[n], places, before, after, y[n])
        else:
            _resample_rows(x[n], maps[n], levels[n], False, row_work, y[n])


@serial
def _keeps_frames(a):
    """Whether a map takes whole frames to whole frames, and all pixels of a frame as those of the others."""
    return abs(a[0, 0]) == 1 and a[0, 1] == a[0, 2] == a[1, 0] == a[2, 0] == 0 and a[0, 3] == np.floor(a[0, 3])


@serial
def _is_whole(a):
    """Whether a map takes places to places, with none between."""
    whole = True
    for each in a.flat:
        whole = whole and each == np.floor(each)
    return whole


@serial
def _line(levels, x):
    """``b (m + k (v - m))`` as ``factor * v + summand``."""
    brightness, contrast = levels
    summand = 0.0
    if contrast != 1:
        summand = brightness * (1 - contrast) * (x.sum() / x.size)
    return brightness * contrast, levels.dtype.type(summand)


@loop
def _along(a, d, h, last, stride, index, share):
    """Where a row's places lie along one axis: the number of the one before, and the share of the way to the next.

    The number is added to ``index``, in steps of ``stride``.
    """
    start = a[0] * d + a[1] * h + a[3]
    for w in range(index.size):
        place = min(max(a[2] * w + start, 0.0), last)
        before = np.uint32(place)
        index[w] += np.uint32(stride) * before
        share[w] = place - before


# --- Any map, row by row.


@serial
def _row_work(x, levels):
    """A clip and its neighbours, then of a row: numbers of places, shares along the axes, values."""
    _, frames, channels, rows, width = x.shape
    source = np.empty(frames * channels * rows * width + channels * rows * width + width + 1, levels.dtype)
    return source, np.empty(width, np.uint32), np.empty((3, width), levels.dtype), np.empty(width, levels.dtype)


@loop
def _copy(values, source):
    """And behind them 0: the neighbours of an axis' last place, which have weight 0."""
    for i in range(values.size):
        source[i] = values[i]
    for i in range(values.size, source.size):
        source[i] = 0


@serial
def _resample_rows(x, a, levels, rounded, work, y):
    """One clip, ``(d, c, h, w)``; where ``rounded``, its values become those of a byte."""
    frames, channels, rows, width = x.shape
    plane = rows * width
    source, index, share, row = work
    _copy(x.reshape(-1), source)
    factor, summand = _line(levels, x)
    whole, keeps = _is_whole(a), _keeps_frames(a)
    for h in range(rows):
        for d in range(frames):
            if d == 0 or not keeps:
                index.fill(0)
                _along(a[1], d, h, rows - 1.0, width, index, share[1])
                _along(a[2], d, h, width - 1.0, 1, index, share[2])
                if not keeps:
                    _along(a[0], d, h, frames - 1.0, channels * plane, index, share[0])
            first = _source_of(d, a, frames) * channels if keeps else 0
            for c in range(channels):
                values = source[(first + c) * plane :]
                if whole:
                    _row_of_ones(values, index, row)
                else:
                    _row_of_eights(values, channels * plane, width, index, share, row)
                _level(row, factor, summand, rounded, y[d, c, h])


@serial
def _source_of(d, a, frames):
    """The frame that a map which keeps frames takes for frame ``d``."""
    return int(min(max(a[0, 0] * d + a[0, 3], 0), frames - 1))


@loop
def _row_of_ones(values, index, row):
    for w in range(row.size):
        row[w] = values[np.uint64(index[w])]


@loop
def _row_of_eights(values, frame, width, index, share, row):
    for w in range(row.size):
        i = np.uint64(index[w])
        before = _four(values, i, width, share[1, w], share[2, w])
        after = _four(values, i + np.uint64(frame), width, share[1, w], share[2, w])
        row[w] = before + share[0, w] * (after - before)


@borrowing
def _four(values, i, width, down, right):
    """Between the pixel numbered ``i``, the next one of its row, and the two below them."""
    one, below = np.uint64(1), i + np.uint64(width)
    upper = values[i] + right * (values[i + one] - values[i])
    lower = values[below] + right * (values[below + one] - values[below])
    return upper + down * (lower - upper)


@loop
def _level(row, factor, summand, rounded, y):
    for w in range(y.size):
        value = factor * row[w]
        if summand != 0:  # adding 0 would make 0 of -0
            value += summand
        y[w] = min(max(np.rint(value), 0), 255) if rounded else value


# --- Maps that keep frames: several planes side by side.


@serial
def _places(size, levels):
    """Numbers of places, END after the last, and shares down and right."""
    return np.empty(size + 1, np.uint32), np.empty(size, levels.dtype), np.empty(size, levels.dtype)


@serial
def _find_places(a, rows, width, places):
    """Where the pixels of every frame come from."""
    index, down, right = places
    index.fill(0)
    for h in range(rows):
        part = slice(h * width, (h + 1) * width)
        _along(a[1], 0, h, rows - 1.0, width, index[part], down[part])
        _along(a[2], 0, h, width - 1.0, 1, index[part], right[part])
    index[-1] = END


@serial
def _planes_of(block, lanes, planes):
    """The numbers of a block's planes; a last block that is not full repeats the last plane."""
    chosen = np.empty(lanes, np.int64)
    for lane in range(lanes):
        chosen[lane] = min(block * lanes + lane, planes - 1)
    return chosen


@serial
def _sources_of(block, lanes, a, frames, channels):
    """The numbers of the planes that these are made of."""
    chosen = _planes_of(block, lanes, frames * channels)
    for lane in range(lanes):
        d, c = divmod(chosen[lane], channels)
        chosen[lane] = _source_of(d, a, frames) * channels + c
    return chosen


@serial
def _resample_planes_of_bytes(x, a, levels, places, before, after, y):
    """One clip of bytes, ``(d, c, h, w)``."""
    frames, channels, rows, width = x.shape
    factor, summand = _line(levels, x)
    _find_places(a, rows, width, places)
    for block in range(len(before)):  # all are read before any is written, since ``y`` may be ``x``
        chosen = _sources_of(block, BYTES, a, frames, channels)
        _interleave_bytes(x.reshape(-1, rows * width), chosen, before[block])
    for block in range(len(before)):
        halves = after[0].view(np.uint8), after[1].view(np.uint8)
        _between_bytes(before[block].view(np.uint8), width, places, factor, summand, *halves)
        chosen = _planes_of(block, BYTES, frames * channels)
        _part_bytes(after[0], chosen[:8], y.reshape(-1, rows * width))
        _part_bytes(after[1], chosen[8:], y.reshape(-1, rows * width))


@serial
def _resample_planes(x, a, levels, places, before, after, y):
    """One clip of floats, ``(d, c, h, w)``."""
    frames, channels, rows, width = x.shape
    factor, summand = _line(levels, x)
    _find_places(a, rows, width, places)
    for block in range(len(before)):  # all are read before any is written, since ``y`` may be ``x``
        chosen = _sources_of(block, FLOATS, a, frames, channels)
        _interleave(x.reshape(-1, rows * width), chosen, before[block])
    for block in range(len(before)):
        _between(before[block], width, places, factor, summand, after)
        _part(after, _planes_of(block, FLOATS, frames * channels), y.reshape(-1, rows * width))


@loop
def _interleave_bytes(x, chosen, words):
    """Of every pixel the bytes of the planes ``chosen``, in four words."""
    for p in range(x.shape[1]):
        for k in range(4):
            word = np.uint32(0)
            for i in range(4):
                word |= np.uint32(x[chosen[4 * k + i], p]) << np.uint32(8 * i)
            words[4 * p + k] = word


@loop
def _interleave(x, chosen, values):
    for p in range(x.shape[1]):
        for k in range(FLOATS):
            values[p * FLOATS + k] = x[chosen[k], p]


@loop
def _between_bytes(x, width, places, factor, summand, y, z):
    """Every pixel of the planes from the four around its place; half of the planes go to ``y``, half to ``z``."""
    index, down, right = places
    p = 0
    while index[p] != END:
        weights = _weights(down[p], right[p], factor)
        i = np.uint64(index[p]) * np.uint64(BYTES)
        for k in range(BYTES):
            value = _mean_of_four(x, i + np.uint64(k), BYTES, width, weights) + summand
            byte = np.uint8(min(max(np.rint(value), np.float32(0)), np.float32(255)))
            if k < 8:
                y[p * 8 + k] = byte
            else:
                z[p * 8 + k - 8] = byte
        p += 1


@loop
def _between(x, width, places, factor, summand, y):
    index, down, right = places
    p = 0
    while index[p] != END:
        weights = _weights(down[p], right[p], factor)
        i = np.uint64(index[p]) * np.uint64(FLOATS)
        for k in range(FLOATS):
            y[p * FLOATS + k] = _mean_of_four(x, i + np.uint64(k), FLOATS, width, weights) + summand
        p += 1


@borrowing
def _weights(down, right, factor):
    """Of a pixel, the next one of its row, and the two below them."""
    both = down * right
    return (factor - (down + right - both) * factor, (right - both) * factor, (down - both) * factor, both * factor)


@borrowing
def _mean_of_four(x, i, lanes, width, weights):
    real, right, below = type(weights[0]), np.uint64(lanes), np.uint64(width * lanes)
    upper = weights[0] * real(x[i]) + weights[1] * real(x[i + right])
    return upper + (weights[2] * real(x[i + below]) + weights[3] * real(x[i + below + right]))


@loop
def _part_bytes(words, chosen, y):
    """The opposite of interleaving: the bytes of a word a pixel into the planes ``chosen``."""
    for p in range(y.shape[1]):
        word = words[p]
        for i in range(8):
            y[chosen[i], p] = np.uint8((word >> np.uint64(8 * i)) & np.uint64(255))


@loop
def _part(values, chosen, y):
    for p in range(y.shape[1]):
        for k in range(FLOATS):
            y[chosen[k], p] = values[p * FLOATS + k]
