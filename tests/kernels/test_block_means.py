"""Means of blocks of pixels, in both editions, against plain loops and NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import cpu, reference

both = pytest.mark.parametrize("block_means", [cpu.block_means, reference.block_means], ids=["cpu", "reference"])
stored = pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8"])
sizes = st.tuples(*[st.integers(1, 3)] * 4, st.integers(1, 3), st.integers(1, 5))
seeds = st.integers(0, 2**32 - 1)


def in_plain_loops(x, side):
    n, d, h, w, c = x.shape
    y = np.zeros((n, d, h // side, w // side, c))
    for place in np.ndindex(y.shape):
        for i in range(side):
            for j in range(side):
                y[place] += float(x[(*place[:2], side * place[2] + i, side * place[3] + j, place[4])])
        y[place] /= side * side
    return y


@both
@stored
@given(sizes=sizes, seed=seeds)
def test_means_are_those_of_plain_loops_and_of_numpy(block_means, dtype, sizes, seed):
    """Of whole numbers to the bit: their sums are exact."""
    n, d, h, w, c, side = sizes
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (n, d, h * side, w * side, c)).astype(dtype)
    wanted = np.float64 if np.dtype(dtype) in (np.int32, np.float64) else np.float32
    y = block_means(x, side)
    assert y.dtype == wanted
    assert np.abs(y - in_plain_loops(x, side)).max() <= 2 * np.finfo(wanted).eps * 256
    theirs = x.reshape(n, d, h, side, w, side, c).mean(axis=(3, 5), dtype=np.float64).astype(wanted)
    assert np.array_equal(y, theirs) if wanted == np.float32 else np.allclose(y, theirs, rtol=1e-15)


@both
@pytest.mark.parametrize("dtype", ["u1", "f4"])
@given(sizes=sizes, seed=seeds)
def test_what_is_constant_in_blocks_is_exact(block_means, dtype, sizes, seed):
    n, d, h, w, c, side = sizes
    y = (np.random.default_rng(seed).random((n, d, h, w, c)) * 255).astype(dtype)
    x = y.repeat(side, axis=2).repeat(side, axis=3)
    out = np.full(y.shape, 7, np.float32)
    assert block_means(x, side, out) is out
    assert np.array_equal(out, y)


@both
def test_clips_may_lie_anywhere_and_be_read_only(block_means):
    x = np.arange(2 * 3 * 8 * 6).reshape(2, 3, 8, 6, 1).astype(np.float32)
    x.flags.writeable = False
    assert np.array_equal(block_means(x[::-1, :, ::-1], 2), block_means(x, 2)[::-1, :, ::-1])


@both
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_block(block_means, value):
    x = np.ones((1, 1, 4, 6, 1))
    x[0, 0, 3, 2] = value
    assert np.argwhere(~np.isfinite(block_means(x, 2))).tolist() == [[0, 0, 1, 1, 0]]
