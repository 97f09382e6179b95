"""Between the network's arrays, channels and maps last, and the planes of the fused passes."""

import numpy as np
from numba import prange

from ..arrays import FloatArray, IntArray
from .fused_layout import array_in
from .fused_loops import PART, add, copy_channel, copy_row
from .jit import borrowing, loop, parallel, serial


@borrowing
def gather(clip: FloatArray, c: int, d: int, planes: FloatArray) -> None:
    """Channel ``c`` of frame ``d`` of a clip (d, h, w, c), into its plane of ``planes`` (c, d, q)."""
    values = clip[d].reshape(-1)
    if clip.shape[3] == 1:
        copy_row(values, planes[0, d])
    else:
        copy_channel(values[c:], clip.shape[3], planes[c, d])


@parallel
def pack(values: tuple[FloatArray, ...], places: IntArray, widths: IntArray, ends: IntArray, flat: FloatArray) -> None:
    """Arrays (a, h, w, u, v) to (v, u, a, h * width + w), in the row ``flat``; what is beyond w stays 0.

    A task is a row of an array.

    Args:
        values: the arrays, in order.
        places: (8, 5), where each stands in ``flat``.
        widths: (8), the row length of its planes.
        ends: (8), with which task it ends.
        flat: the row to be written.
    """
    for task in prange(ends[-1]):
        _pack_row(values, places, widths, ends, task, flat)


@serial
def _pack_row(values, places, widths, ends, task, flat):
    which, a, h = _row_of_task(values, ends, task)
    packed, width, array = array_in(flat, places[which]), widths[which], values[which]
    _, _, columns, channels, maps = array.shape
    for v in range(maps):
        for u in range(channels):
            row = packed[v, u, a, h * width : (h + 1) * width]
            for w in range(columns):
                row[w] = array[a, h, w, u, v]


@parallel
def unpack(
    flat: FloatArray, places: IntArray, widths: IntArray, ends: IntArray, values: tuple[FloatArray, ...]
) -> None:
    """The opposite of :func:`pack`."""
    for task in prange(ends[-1]):
        _unpack_row(flat, places, widths, ends, task, values)


@serial
def _unpack_row(flat, places, widths, ends, task, values):
    which, a, h = _row_of_task(values, ends, task)
    packed, width, array = array_in(flat, places[which]), widths[which], values[which]
    _, _, columns, channels, maps = array.shape
    for v in range(maps):
        for u in range(channels):
            row = packed[v, u, a, h * width : (h + 1) * width]
            for w in range(columns):
                array[a, h, w, u, v] = row[w]


@serial
def _row_of_task(values, ends, task):
    """Which array a task is of, and which frame ``a`` and row ``h`` of it."""
    which, begin = 0, 0
    while task >= ends[which]:
        begin = ends[which]
        which += 1
    height = values[which].shape[1]
    return which, (task - begin) // height, (task - begin) % height


@parallel
def same(values: tuple[FloatArray, ...], others: tuple[FloatArray, ...]) -> bool:
    """Whether all values of flat arrays are equal, array by array."""
    different = 0
    for which in range(len(values)):
        a, b = values[which], others[which]
        for part in prange((a.size + PART - 1) // PART):
            different += _differences(a[part * PART : (part + 1) * PART], b[part * PART : (part + 1) * PART])
    return different == 0


@loop
def _differences(a, b):
    """At how many places two rows differ."""
    count = 0
    for q in range(a.size):
        count += a[q] != b[q]
    return count


@parallel
def add_up(rows: FloatArray, places: IntArray, merges: IntArray) -> None:
    """Add up rows of gradients (n, q) in the order of a tree; see ``add_up`` in ``kernels/tree.py``.

    Args:
        rows: the sums of subtrees; overwritten.
        places: (m), in which rows those of consecutive subtrees are; the first of them will have the results.
        merges: (m), how many sums each completes.
    """
    for part in prange((rows.shape[1] + PART - 1) // PART):
        _add_columns(rows, part * PART, places, np.int64(0), merges)


@borrowing
def add_up_alone(rows: FloatArray, places: IntArray, sums: int, merges: IntArray) -> int:
    """The same by one thread, where the first ``sums`` places are added up already; how many are results."""
    left = sums
    for start in range(0, rows.shape[1], PART):
        left = _add_columns(rows, start, places, sums, merges)
    return left


@borrowing
def _add_columns(rows, start, places, sums, merges):
    """What :func:`add_up_alone` does, for the :data:`PART` columns from ``start`` on: each is fetched once."""
    part = slice(start, min(start + PART, rows.shape[1]))
    for number, count in enumerate(merges, sums):
        at = places[number]
        for _ in range(count):
            sums -= 1
            add(rows[places[sums], part], rows[at, part])
            at = places[sums]
        if at != places[sums]:
            copy_row(rows[at, part], rows[places[sums], part])
        sums += 1
    return sums
