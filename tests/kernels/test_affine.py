"""Resampled clips: as SciPy has it, the same in both editions, to the bit where nothing lies between, at the border."""

from inspect import unwrap

import numba
import numpy as np
import pytest
from conftest import JIT
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import kernels
from kernels import cpu, reference
from kernels.cpu.affine import _is_whole, _keeps_frames

both = pytest.mark.parametrize("affine", [cpu.affine, reference.affine], ids=["cpu", "reference"])
kept_frames = pytest.mark.parametrize("keeps_frames", [True, False], ids=["frames", "volumes"])
shapes = st.tuples(
    st.integers(1, 3), st.sampled_from([1, 2, 7, 8, 9, 17]), st.integers(1, 6), st.integers(1, 6), st.integers(1, 2)
)
seeds = st.integers(0, 2**32 - 1)


def maps_of(rng, shape, keeps_frames, strength=0.4):
    """Random maps, not far from none; where frames are kept, those of some clips are moved or turned round too."""
    linear = np.eye(3) + rng.uniform(-strength, strength, (shape[0], 3, 3))
    start = rng.uniform(-3, 3, (shape[0], 3, 1))
    if keeps_frames:
        linear[:, 0] = 0, 0, 0
        linear[:, 1:, 0] = 0
        linear[:, 0, 0] = rng.choice([1, -1], shape[0])
        start[:, 0, 0] = rng.integers(-2, shape[1] + 2, shape[0])
    return np.concatenate([linear, start], 2)


def identity(count, start=(0, 0, 0)):
    return np.tile(np.c_[np.eye(3), start], (count, 1, 1))


def pixels(rng, shape, dtype=np.float64):
    return rng.integers(0, 256, shape).astype(dtype)


@kept_frames
@given(shape=shapes, seed=seeds)
def test_reference_is_that_of_scipy(keeps_frames, shape, seed):
    rng = np.random.default_rng(seed)
    x, maps = pixels(rng, shape), maps_of(rng, shape, keeps_frames)
    for clip, map_, new in zip(x, maps, reference.affine(x, maps), strict=True):
        for c in range(shape[-1]):
            theirs = ndimage.affine_transform(clip[..., c], map_[:, :3], map_[:, 3], order=1, mode="nearest")
            assert np.abs(new[..., c] - theirs).max() <= 1e-9


@kept_frames
@pytest.mark.parametrize(("dtype", "allowed"), [(np.uint8, 0.5 + 1e-3), (np.float32, 1e-3), (np.float64, 1e-9)])
@settings(max_examples=25)
@given(shape=shapes, seed=seeds, levelled=st.booleans(), beside=st.booleans())
def test_cpu_is_the_reference(keeps_frames, dtype, allowed, shape, seed, levelled, beside):
    """Bytes are the nearest to what is computed in float64."""
    rng = np.random.default_rng(seed)
    x, maps = pixels(rng, shape, dtype), maps_of(rng, shape, keeps_frames)
    before = x.copy()
    levels = rng.uniform(0.5, 1.6, (shape[0], 2)) if levelled else None
    expected = reference.affine(x.astype(np.float64), maps, levels)
    y = cpu.affine(x, maps, levels, beside=beside)
    assert y.dtype == dtype
    assert np.array_equal(x, before)
    expected = np.clip(expected, 0, 255) if dtype == np.uint8 else expected
    assert np.abs(y - expected).max() <= allowed
    assert cpu.affine(x, maps, levels, out=x, beside=beside) is x
    assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("turned", [1, -1])
def test_which_maps_keep_frames_and_which_are_whole(turned):
    """The quicker ways are taken by these maps and by no others: by the general way the values would be the same."""
    keeps, whole = unwrap(_keeps_frames), unwrap(_is_whole)
    a = np.array([[turned, 0, 0, 2], [0, 0.5, 0.25, 1.5], [0, 0.75, 1.25, -0.5]])
    assert keeps(a)
    assert not whole(a)
    for place, value in [((0, 0), 2), ((0, 0), 0), ((0, 1), 1), ((0, 2), 1), ((1, 0), 1), ((2, 0), 1), ((0, 3), 0.5)]:
        other = a.copy()
        other[place] = value
        assert not keeps(other), place
    a = np.arange(12.0).reshape(3, 4)
    assert whole(a)
    for q in range(12):
        other = a.copy()
        other.flat[q] += 0.5
        assert not whole(other), q


@both
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.int16, np.float16])
def test_no_map_gives_the_clip_to_the_bit(affine, dtype, rng):
    x = (pixels(rng, (3, 17, 5, 6, 2)) - 100).astype(np.int16).astype(dtype)
    if x.dtype.kind == "f":
        x[0, 2, 1, :4, 0] = -0.0, np.inf, -np.inf, np.nan
    y = affine(x, identity(3))
    assert y.dtype == dtype
    assert y.tobytes() == x.tobytes()
    assert affine(x, identity(3), np.ones((3, 2))).tobytes() == x.tobytes()


@both
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_moved_by_whole_pixels(affine, dtype, rng):
    """Values as they were, and beyond the border those of the border."""
    x = pixels(rng, (1, 5, 6, 7, 2), dtype)
    padded = np.pad(x, [(0, 0), (3, 3), (3, 3), (3, 3), (0, 0)], mode="edge")
    for d, h, w in [(0, 0, 3), (0, -3, 0), (2, 1, -1), (-3, 3, 2)]:
        expected = padded[:, 3 + d : 8 + d, 3 + h : 9 + h, 3 + w : 10 + w]
        assert np.array_equal(affine(x, identity(1, (d, h, w))), expected)
    far = affine(x, identity(1, (0, 1e6, -1e6)))
    assert np.array_equal(far, np.broadcast_to(x[:, :, -1:, :1], x.shape))


@both
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_turned_by_right_angles_and_over(affine, dtype, rng):
    """In the plane of frames, of frames and rows, and each axis turned over."""
    x = pixels(rng, (1, 5, 5, 5, 1), dtype)
    quarter = np.array([[0, 1.0], [-1, 0]])
    for axes in [(1, 2), (0, 1), (0, 2)]:
        linear = np.eye(3)
        linear[np.ix_(axes, axes)] = quarter
        y = affine(x, np.c_[linear, 2 - linear @ [2, 2, 2]][np.newaxis])
        assert np.array_equal(y[0, ..., 0], np.rot90(x[0, ..., 0], 1, axes))
    for axis in range(3):
        linear, start = np.eye(3), np.zeros(3)
        linear[axis, axis], start[axis] = -1, 4
        assert np.array_equal(affine(x, np.c_[linear, start][np.newaxis]), np.flip(x, 1 + axis))


@both
@settings(max_examples=15)
@given(degrees=st.floats(-180, 180), volume=st.booleans())
def test_a_rotation_and_its_opposite(affine, degrees, volume):
    """A wave comes back within the error of linear interpolation: an eighth of its curvature, each way."""
    sides, across = (9, 15, 15), np.array([0.2, 0.25, 0.15])
    middle = (np.array(sides) - 1) / 2
    places = np.moveaxis(np.indices(sides), 0, -1)
    x = np.cos(places @ across)[np.newaxis, ..., np.newaxis]
    angle, axes = np.deg2rad(degrees), (0, 2) if volume else (1, 2)
    linear = np.eye(3)
    linear[np.ix_(axes, axes)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    there, back = (np.c_[a, middle - a @ middle][np.newaxis] for a in (linear, linear.T))
    y = affine(affine(x, there), back)
    # What lies this near the middle saw no border on its way, nor did any of its neighbours.
    near = np.linalg.norm(places - middle, axis=-1) < min(np.array(sides)[list(axes)]) / 2 - 2
    error = np.abs(y - x)[0, near]
    assert error.size
    assert error.max() <= 2 * (across**2).sum() / 8 + 1e-12


@both
def test_levels(affine):
    """Brightness is a factor, contrast one of the distance from the clip's mean, and bytes are cut off."""
    x = np.array([0, 50, 100, 250], np.uint8).reshape(1, 1, 2, 2, 1)  # of mean 100
    for brightness, contrast, expected in [
        (1.5, 1, [0, 75, 150, 255]),
        (1, 0.5, [50, 75, 100, 175]),
        (1, 1.5, [0, 25, 100, 255]),
        (0.5, 2, [0, 0, 50, 200]),
    ]:
        assert affine(x, identity(1), [[brightness, contrast]]).ravel().tolist() == expected
        floats = affine(x.astype(np.float32), identity(1), [[brightness, contrast]]).ravel()
        assert floats.tolist() == [brightness * (100 + contrast * (v - 100)) for v in (0, 50, 100, 250)]


@both
def test_levels_are_numbers_of_the_dtype_of_the_clips(affine, rng):
    """A clip times 1.1 is rounded as NumPy has it, which is not as a factor in float64 would have it."""
    x = rng.standard_normal((1, 2, 3, 4, 1)).astype(np.float32)
    assert np.array_equal(affine(x, identity(1), [[1.1, 1]]), x * np.float32(1.1))


def test_reference_takes_the_mean_of_a_clip_in_float64():
    """Float32 does not hold 2^24 + 1."""
    x = np.array([2**24, 1, 1, 1], np.float32).reshape(1, 1, 1, 4, 1)
    assert np.all(reference.affine(x, identity(1), [[1, 0]]) == np.float32((2**24 + 3) / 4))


@both
def test_bytes_are_rounded_to_even_at_the_middle(affine):
    x = np.array([1, 2, 4, 5], np.uint8).reshape(1, 1, 1, 4, 1)
    assert affine(x, identity(1, (0, 0, 0.5))).ravel().tolist() == [2, 3, 4, 5]
    assert affine(x, identity(1), [[0.5, 1]]).ravel().tolist() == [0, 1, 2, 2]


@both
@kept_frames
def test_other_dtypes_and_orders_in_memory(affine, keeps_frames, rng):
    """Whole numbers are rounded and cut off, a float result of bytes is not; axes may be stored in any order."""
    shape = (2, 5, 6, 7, 2)
    x, maps, levels = pixels(rng, shape), maps_of(rng, shape, keeps_frames), np.array([[1.2, 0.9], [0.8, 1.3]])
    expected = reference.affine(x, maps, levels)
    for dtype in (np.int16, np.uint16, np.int32, np.int64):
        within = np.maximum(expected, np.iinfo(dtype).min)
        assert np.abs(affine(x.astype(dtype), maps, levels) - within).max() <= 0.5 + 1e-3
    signed = (100 * (x - 128)).astype(np.int16)
    brightest = affine(signed, identity(2), [[4.0, 1], [4, 1]])
    assert np.array_equal(brightest, np.clip(4 * signed.astype(int), -(2**15), 2**15 - 1))
    out = np.empty(shape, np.float32)
    assert affine(x.astype(np.uint8), maps, levels, out) is out
    assert np.abs(out - expected).max() <= 1e-3
    for dtype in (np.uint8, np.float32):
        straight = affine(x.astype(dtype), maps, levels)
        turned, out = np.asfortranarray(x.astype(dtype)), np.asfortranarray(np.zeros(shape, dtype))
        assert np.array_equal(affine(turned, maps, levels, out), straight)
        fixed = x[..., :1].astype(dtype)
        straight = affine(fixed, maps, levels)
        fixed.flags.writeable = False
        assert np.array_equal(affine(fixed, maps, levels), straight)


@pytest.mark.skipif(not JIT, reason="the interpreter has one thread, and takes minutes here")
@kept_frames
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_same_bits_whatever_the_threads(keeps_frames, dtype, rng):
    shape = (13, 20, 40, 37, 1)
    x, maps, levels = pixels(rng, shape, dtype), maps_of(rng, shape, keeps_frames), rng.uniform(0.5, 1.5, (13, 2))
    expected = cpu.affine(x, maps, levels, beside=True).tobytes()
    most = numba.get_num_threads()
    try:
        for threads in range(1, most + 1):
            numba.set_num_threads(threads)
            for _ in range(10):
                assert cpu.affine(x, maps, levels).tobytes() == expected
    finally:
        numba.set_num_threads(most)


def test_it_runs_on_the_host():
    """It is not among what all editions offer."""
    assert all("affine" not in kernels.edition(name).__all__ for name in kernels.EDITIONS)
