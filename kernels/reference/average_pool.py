"""Average pooling: the twin of ``max_pool`` with the mean in the place of the maximum."""

import numpy as np

from ..arrays import FloatArray
from .max_pool import blocks, blocks_backward, runs


def average_pool_space(x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """Mean of every ``ph x pw`` block; arguments and result as of ``max_pool_space``."""
    return blocks(x, pool).mean(axis=-1)


def average_pool_space_backward(dm: FloatArray, x: FloatArray, pool: tuple[int, int]) -> FloatArray:
    """Gradient of :func:`average_pool_space`: ``dx``, of the shape of ``x``; all cells of a block get the same."""
    cells = pool[0] * pool[1]
    # m = sum(cells) / (ph pw)
    return blocks_backward(np.repeat(dm[..., np.newaxis] / cells, cells, axis=-1), x.shape, pool)


def average_pool_frames(x: FloatArray, frames: int) -> FloatArray:
    """Mean of every ``frames`` consecutive frames, stride 1; arguments and result as of ``max_pool_frames``."""
    return runs(x, frames).mean(axis=-1)


def average_pool_frames_backward(dm: FloatArray, x: FloatArray, frames: int) -> FloatArray:
    """Gradient of :func:`average_pool_frames`: ``dx``, of the shape of ``x``."""
    # m[n,d'] = sum_i x[n,d'+i] / rd
    dx = np.zeros_like(x)
    for i in range(frames):
        dx[:, i : i + dm.shape[1]] += dm / frames
    return dx
