"""Where the fused passes keep a network's planes: records of arrays that stand one behind the other in a long row.

A plane is one map, or one channel, of one frame: a row of ``q = h * width + w``.  Letters: ``d`` frames, ``c``
channels of a clip, ``f`` maps, ``k`` classes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import FloatArray, IntArray
from ..tree import PART_CLIPS
from .jit import serial

GROUP = 2 * PART_CLIPS
"""The most clips of a part of a batch: their features are kept, the dense layer's gradients written once for all."""

LINE = 16
"""Arrays begin at multiples of this many values, in float32 a line of the cache: loops read whole lines."""


class Parameters(NamedTuple):
    """The parameters of L1WS, L3P, L5WS and FC_OUT as planes, or their gradients.

    An array that is (a, h, w, u, v) in the network is (v, u, a, q) here: ``a`` counts frames, ``u`` channels (of
    FC_OUT: maps) and ``v`` maps (of FC_OUT: classes).
    """

    w1: FloatArray  # (f, c, 3, q)
    b1: FloatArray  # (f, 1, d - 2, q)
    w3: FloatArray  # (f, 1, 1, q)
    b3: FloatArray  # (f, 1, d - 4, 1)
    w5: FloatArray  # (f, f, 3, q)
    b5: FloatArray  # (f, 1, d - 6, q)
    w7: FloatArray  # (k, f, d - 6, q)
    b7: FloatArray  # (k, 1, 1, 1)


class Kept(NamedTuple):
    """A clip and its maps: what later layers, and backward, read of the layers before.

    Outputs of weighted sums are computed two frames at a time.  Where their number is odd, ``x``, ``n3``, ``dn3`` and
    ``g5`` have one frame more than is said here, so that the last pair is like the others: its values are 0 in ``x``,
    ``n3`` and ``g5``, and mean nothing in ``dn3``.
    """

    x: FloatArray  # (c, d, q): the clip
    a1: FloatArray  # (f, d - 2, q): L1WS after leaky ReLU, before NORM_2; kept in training only
    n1: FloatArray  # (f, d - 2, q): its spatial maximum, normalised
    mean1: FloatArray  # (f, d - 2, 1): NORM_2's means
    scale1: FloatArray  # (f, d - 2, 1): and what it multiplies by
    n3: FloatArray  # (f, d - 4, q): NORM_4
    scale3: FloatArray  # (f, d - 4, 1): what it multiplies by
    a5: FloatArray  # (f, d - 6, q): L5WS after leaky ReLU, before NORM_6
    n5: FloatArray  # (n, f, d - 6, q): NORM_6, the features of each clip of a part
    mean5: FloatArray  # (f, d - 6, 1): NORM_6's means
    scale5: FloatArray  # (f, d - 6, 1): and what it multiplies by
    dn3: FloatArray  # (f, d - 4, q): gradient by NORM_4's result
    g5: FloatArray  # (f, d - 6, q): gradients by the products of L5WS, where the clip is shared out among threads
    dlogits: FloatArray  # (n, k): gradients by the logits of each clip of a part


class Scratch(NamedTuple):
    """Planes that are written and read again at once.

    ``dn1`` holds the four frames that backward is at, frame ``d`` as ``d % 4``.
    """

    p: FloatArray  # (2, q): products of a pair of frames
    v: FloatArray  # (q): their sums over rows
    a: FloatArray  # (q): L1WS after leaky ReLU, in a forward pass by itself
    dn: FloatArray  # (q): gradient by a normalised map
    dz: FloatArray  # (3 + q): gradient by a weighted sum, with three zeros in front
    s: FloatArray  # (3 rows + q + 3 rows): its sums over columns, with rows of zeros around
    g: FloatArray  # (2, q): gradients by the products of a pair of frames
    dn1: FloatArray  # (4, q): gradients by the pooled maps of L1WS


class Plan(NamedTuple):
    """What the sizes of a network fix."""

    width1: int  # row length of the planes of L1WS
    width5: int  # row length of the planes of L5WS
    parameters: IntArray  # (8, 5): places of the arrays of Parameters, see places()
    kept: IntArray  # (14, 5): of Kept
    scratch: IntArray  # (8, 5): of Scratch


def plan_of(d: int, h: int, w: int, c: int, maps: int, classes: int) -> Plan:
    """The plan of a network for clips (d, h, w, c)."""
    w2 = (w - 3) // 2
    planes = [
        (maps, channels, frames, rows * width)
        for (frames, rows, _, channels, maps), width in zip(
            parameter_shapes(d, h, w, c, maps, classes), parameter_widths(w), strict=True
        )
    ]
    return Plan(w, w2, places(planes), _kept_places(d, h, w, c, maps, classes), _scratch_places(h, w))


def parameter_shapes(d: int, h: int, w: int, c: int, maps: int, classes: int) -> list[tuple[int, ...]]:
    """The shapes (a, h, w, u, v) of the network's arrays."""
    h2, w2 = (h - 3) // 2, (w - 3) // 2
    return [
        (3, h, w, c, maps),
        (d - 2, h - 3, w - 3, 1, maps),
        (1, h2, w2, 1, maps),
        (d - 4, 1, 1, 1, maps),
        (3, h2, w2, maps, maps),
        (d - 6, h2 - 3, w2 - 3, 1, maps),
        (d - 6, h2 - 3, w2 - 3, maps, classes),
        (1, 1, 1, 1, classes),
    ]


def parameter_widths(w: int) -> IntArray:
    """The row lengths of the planes of each parameter."""
    w2 = (w - 3) // 2
    return np.array([w, w, w2, 1, w2, w2, w2, 1])


def places(shapes: Sequence[tuple[int, ...]]) -> IntArray:
    """Start and shape of arrays that stand one behind the other: a row (start, n, m, d, q) for each.

    A shape of fewer axes gets ones in front.
    """
    whole = np.array([(1, 1, 1, *shape)[-4:] for shape in shapes])
    lengths = -(-whole.prod(axis=1) // LINE) * LINE
    return np.column_stack([lengths.cumsum() - lengths, whole])


def aligned(places: IntArray, dtype: DTypeLike, rows: int = 1) -> FloatArray:
    """Zeros (rows, length) for ``rows`` times all arrays of ``places``, each row at the beginning of a line."""
    length = -(-(places[-1, 0] + places[-1, 1:].prod()) // LINE) * LINE
    values = np.zeros(rows * length + LINE, dtype)
    start = -values.ctypes.data % (LINE * values.itemsize) // values.itemsize
    return values[start : start + rows * length].reshape(rows, length)


def _kept_places(d, h, w, c, maps, classes):
    """(14, 5): places of the arrays of :class:`Kept`, in the order of its fields."""
    h2, w2 = (h - 3) // 2, (w - 3) // 2
    pooled, last = h2 * w2, (h2 - 3) * w2
    even = d % 2
    shapes = {
        "x": (c, d + even, h * w),
        "a1": (maps, d - 2, (h - 3) * w),
        "n1": (maps, d - 2, pooled),
        "mean1": (maps, d - 2, 1),
        "scale1": (maps, d - 2, 1),
        "n3": (maps, d - 4 + even, pooled),
        "scale3": (maps, d - 4, 1),
        "a5": (maps, d - 6, last),
        "n5": (GROUP, maps, d - 6, last),
        "mean5": (maps, d - 6, 1),
        "scale5": (maps, d - 6, 1),
        "dn3": (maps, d - 4 + even, pooled),
        "g5": (maps, d - 6 + even, pooled),
        "dlogits": (GROUP, classes),
    }
    return places([shapes[name] for name in Kept._fields])


def _scratch_places(h, w):
    """(8, 5): places of the arrays of :class:`Scratch`, in the order of its fields."""
    outputs = (h - 3) * w
    shapes = {
        "p": (2, h * w + 3),
        "v": (outputs + 3,),
        "a": (outputs,),
        "dn": (outputs,),
        "dz": (outputs + 3,),
        "s": ((h + 3) * w,),
        "g": (2, h * w),
        "dn1": (4, ((h - 3) // 2) * ((w - 3) // 2)),
    }
    return places([shapes[name] for name in Scratch._fields])


# --- The records, as views of a row.


@serial
def parameters_in(flat: FloatArray, places: IntArray) -> Parameters:
    """The parameters that stand in the row ``flat``."""
    return Parameters(
        w1=array_in(flat, places[0]),
        b1=array_in(flat, places[1]),
        w3=array_in(flat, places[2]),
        b3=array_in(flat, places[3]),
        w5=array_in(flat, places[4]),
        b5=array_in(flat, places[5]),
        w7=array_in(flat, places[6]),
        b7=array_in(flat, places[7]),
    )


@serial
def kept_in(flat: FloatArray, places: IntArray) -> Kept:
    """The clip and its maps that stand in the row ``flat``."""
    return Kept(
        x=array_in(flat, places[0])[0],
        a1=array_in(flat, places[1])[0],
        n1=array_in(flat, places[2])[0],
        mean1=array_in(flat, places[3])[0],
        scale1=array_in(flat, places[4])[0],
        n3=array_in(flat, places[5])[0],
        scale3=array_in(flat, places[6])[0],
        a5=array_in(flat, places[7])[0],
        n5=array_in(flat, places[8]),
        mean5=array_in(flat, places[9])[0],
        scale5=array_in(flat, places[10])[0],
        dn3=array_in(flat, places[11])[0],
        g5=array_in(flat, places[12])[0],
        dlogits=array_in(flat, places[13])[0, 0],
    )


@serial
def scratch_in(flat: FloatArray, places: IntArray) -> Scratch:
    """The planes that stand in the row ``flat``."""
    return Scratch(
        p=array_in(flat, places[0])[0, 0],
        v=array_in(flat, places[1])[0, 0, 0],
        a=array_in(flat, places[2])[0, 0, 0],
        dn=array_in(flat, places[3])[0, 0, 0],
        dz=array_in(flat, places[4])[0, 0, 0],
        s=array_in(flat, places[5])[0, 0, 0],
        g=array_in(flat, places[6])[0, 0],
        dn1=array_in(flat, places[7])[0, 0],
    )


@serial
def array_in(flat: FloatArray, place: IntArray) -> FloatArray:
    """The array (n, m, d, q) that stands in the row ``flat`` at ``place``, (start, n, m, d, q)."""
    start, n, m, d, q = place
    return flat[start : start + n * m * d * q].reshape((n, m, d, q))
