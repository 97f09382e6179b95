"""Changes of training clips: within their limits, the same for all frames, and the same again from seed and step."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emop3d_np.datasets import Augmentation, ClipSet
from kernels import reference

SHAPE = (4, 6, 5, 2)


def batch(count=8, dtype=np.float32, seed=0):
    """Clips in which no two values are alike."""
    values = np.random.default_rng(seed).permutation(count * int(np.prod(SHAPE)))
    return values.reshape(count, *SHAPE).astype(dtype)


def moved(clip, moves, turned):
    """In plain loops: where the value of each place comes from."""
    out = np.empty_like(clip)
    sizes = clip.shape[:3]
    for place in np.ndindex(sizes):
        turned_place = [size - 1 - i if turn else i for i, size, turn in zip(place, sizes, turned, strict=True)]
        source = tuple(min(max(i - m, 0), size - 1) for i, m, size in zip(turned_place, moves, sizes, strict=True))
        out[place] = clip[source]
    return out


@given(
    shift=st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)),
    flip=st.sampled_from(["", "w", "hw", "dhw"]),
    step=st.integers(0, 50),
)
def test_every_clip_is_moved_within_the_limits(shift, flip, step):
    before, after = batch(), batch()
    Augmentation(shift, flip, 0.0, 3).apply(after, step)
    for old, new in zip(before, after, strict=True):
        ways = [
            (moves, turned)
            for moves in np.ndindex(*(2 * most + 1 for most in shift))
            for turned in np.ndindex(*(1 + (letter in flip) for letter in "dhw"))
            if np.array_equal(moved(old, [m - most for m, most in zip(moves, shift, strict=True)], turned), new)
        ]
        assert len(ways) == 1


def test_all_ways_occur():
    seen = set()
    for step in range(30):
        clips = batch()
        before = clips.copy()
        Augmentation((0, 0, 1), "w").apply(clips, step)
        for old, new in zip(before, clips, strict=True):
            seen |= {
                (m, turn)
                for m in (-1, 0, 1)
                for turn in (0, 1)
                if np.array_equal(moved(old, (0, 0, m), (0, 0, turn)), new)
            }
    assert len(seen) == 6


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int16])
def test_brightness(dtype):
    clips = np.full((200, *SHAPE), 200, dtype)
    Augmentation(brightness=0.5).apply(clips, 0)
    factors = clips.reshape(200, -1)
    assert (factors == factors[:, :1]).all(), "all values of a clip alike"
    limit = 255 if dtype == np.uint8 else 300
    assert 100 <= factors.min() < 110
    assert limit - 10 < factors.max() <= limit
    assert np.allclose(factors[:, 0], np.rint(factors[:, 0])) == (np.dtype(dtype).kind != "f")


def test_seed_and_step_decide():
    def changed(seed, step):
        clips = batch()
        Augmentation((1, 2, 2), "w", 0.1, seed).apply(clips, step)
        return clips.tobytes()

    assert changed(1, 7) == changed(1, 7)
    assert len({changed(1, 7), changed(1, 8), changed(2, 7)}) == 3


def test_batches_are_changed_and_the_set_is_not():
    clips = batch(6)
    kept = ClipSet("mine", clips, np.zeros(6, np.int64), ("0",))
    order = [np.arange(3), np.arange(3, 6)]
    seen = [x.copy() for x, _ in kept.batches(order, reference, np.float32, False, [lambda raw: raw.__imul__(2)])]
    assert np.array_equal(seen[0], 2 * clips[:3])
    assert np.array_equal(seen[1], clips[3:]), "there was no change for the second"
    assert np.array_equal(clips, batch(6))
    assert not Augmentation()
    assert all(map(bool, (Augmentation((0, 1, 0)), Augmentation(flip="w"), Augmentation(brightness=0.1))))
