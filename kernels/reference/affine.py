"""Clips moved, turned, stretched and slanted, each by a map of its own; and their levels of brightness changed."""

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ..arrays import AnyArray, FloatArray


def affine(x: AnyArray, maps: FloatArray, levels: FloatArray | None = None, out: AnyArray | None = None) -> AnyArray:
    """``y[p] = x[A p + t]``, linear between the places of ``x``; its border is repeated beyond it.

    Args:
        x: ndarray of shape (n, d, h, w, c), any real dtype.
        maps: float64 ndarray of shape (n, 3, 4), of each clip ``A`` and, in the last column, ``t``: a place
            ``p = (d', h', w')`` of the new clip shows what the old one has at ``A p + t``.
        levels: ndarray of shape (n, 2), of each clip a brightness ``b`` and a contrast ``k``: a value ``v`` becomes
            ``b (m + k (v - m))``, where ``m`` is the mean of the old clip; default None, which changes nothing.
        out: array to write to, which may be ``x``; default a new one of the dtype of ``x``.

    Returns:
        ndarray ``y`` of the shape of ``x``.  Where whole numbers are stored, values are rounded, and cut off to what
        the dtype holds.  A place that a map sends to a place of ``x`` shows that very value.

    The border is repeated, and not filled with a constant: a constant would be an edge that no clip has, and would
    change the moments that every frame is standardised by.

    Source: ``scipy.ndimage.affine_transform`` with ``order=1, mode="nearest"`` gives the same.
    """
    values = x.astype(computed_in(x.dtype))
    y = np.stack([_resample(clip, map_) for clip, map_ in zip(values, maps, strict=True)])
    if levels is not None:
        factor, summand = _line(levels, values).T.reshape(2, -1, 1, 1, 1, 1)
        y = np.where(summand == 0, y * factor, y * factor + summand)
    if out is None:
        out = np.empty(x.shape, x.dtype)
    out[...] = in_range(y, out.dtype)
    return out


def _resample(clip, map_):
    """``clip[A p + t]`` for all places ``p``: the mean of the eight places around, each weighted by its nearness."""
    sizes = clip.shape[:3]
    places = np.tensordot(map_[:, :3], np.indices(sizes), 1) + map_[:, 3].reshape(3, 1, 1, 1)
    places = np.clip(places, 0, np.reshape(sizes, (3, 1, 1, 1)) - 1)
    low = np.floor(places).astype(int)
    share = places - low
    y = np.full(clip.shape, -0.0, clip.dtype)  # the one number that added to any other gives that other, 0 and -0 too
    for corner in product((0, 1), repeat=3):
        weight = np.prod([s if up else 1 - s for s, up in zip(share, corner, strict=True)], 0)
        near = weight > 0
        place = tuple(low[axis][near] + corner[axis] for axis in range(3))  # beyond the last there is no weight
        y[near] += weight[near][:, np.newaxis] * clip[place]
    return y


def _line(levels, values):
    """``b (m + k (v - m))`` as ``factor * v + summand``.

    Args:
        levels: ndarray of shape (n, 2): ``b`` and ``k`` of each clip.
        values: the clips, float ndarray of shape (n, d, h, w, c).

    Returns:
        ndarray of shape (n, 2), of the dtype of ``values``: factor and summand of each clip.
    """
    brightness, contrast = np.asarray(levels, np.float64).T
    mean = values.mean(axis=(1, 2, 3, 4), dtype=np.float64)
    summand = np.where(contrast == 1, 0, brightness * (1 - contrast) * mean)
    return np.stack([brightness * contrast, summand], 1).astype(values.dtype)


def computed_in(dtype: DTypeLike) -> np.dtype[Any]:
    """The float dtype that values of ``dtype`` are computed in."""
    return np.result_type(dtype, np.float32)


def in_range(values: AnyArray, dtype: np.dtype[Any]) -> AnyArray:
    """``values`` rounded, and cut off to what whole numbers of ``dtype`` can be; for a float dtype as they are."""
    if dtype.kind == "f":
        return values
    limits = np.iinfo(dtype)
    return np.clip(np.rint(values), limits.min, limits.max)
