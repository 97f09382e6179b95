"""Changes of training clips: within their limits, the same for all frames, and the same again from seed and step."""

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from emop3d_np.datasets import Augmentation, ClipSet
from emop3d_np.training import flags
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


@hypothesis_settings(max_examples=20)
@given(
    shift=st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)),
    flip=st.sampled_from(["", "w", "hw", "dhw"]),
    step=st.integers(0, 50),
)
def test_every_clip_is_moved_within_the_limits(shift, flip, step):
    before, after = batch(3), batch(3)
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


@pytest.mark.once
@pytest.mark.parametrize(
    ("dtype", "digests"),
    [
        ("uint8", ["df090dfc423e35da", "8b3d06e1239b9fd8", "3ccaa279a490bddd", "299003741f1c1003"]),
        ("float32", ["a5935660eaad8ca8", "9c19fde03197c5f5", "023ee197af111210", "676f25c27a7425b2"]),
        ("float64", ["09e1a643c1ad5619", "564b1daf37f5cec5", "b648ea5fb32ae8df", "e37fbac98d82764e"]),
        ("int16", ["e7790a24dfb5c8b7", "15d285ce39ecd94f", "f5539c99c32ede42", "1d4a8ad9f9e7e3ef"]),
    ],
)
def test_bits_of_moves_in_pixels_flips_and_brightness(dtype, digests):
    """Made by the code that had nothing else: runs with these flags are what they were."""
    changes = [
        Augmentation(shift=(1, 3, 2), seed=7),
        Augmentation(flip="dw", seed=7),
        Augmentation(brightness=0.3, seed=7),
        Augmentation(shift=(1, 3, 2), flip="hw", brightness=0.3, seed=7),
    ]
    values = np.random.default_rng(5).integers(0, 256, (9, 5, 12, 9, 2))
    clips = (values if np.dtype(dtype).kind != "f" else (values - 100) / 7).astype(dtype)
    for augmentation, expected in zip(changes, digests, strict=True):
        found = hashlib.sha256()
        for step in range(12):
            changed = clips.copy()
            augmentation.apply(changed, step)
            found.update(changed.tobytes())
        assert found.hexdigest()[:16] == expected


SIDES = (9, 20, 31)
MIDDLE = (np.array(SIDES) - 1) / 2


def drawn(step=0, count=400, **given):
    """Maps and levels, and the maps as ``linear`` and by how far the middle of a clip is moved."""
    maps, levels = Augmentation(**given).draw(count, SIDES, step)
    linear = maps[..., :3]
    return linear, MIDDLE - np.linalg.solve(linear, (MIDDLE - maps[..., 3])[..., np.newaxis])[..., 0], levels


def spread_out(values, low, high):
    """They fill the range and do not leave it."""
    width = high - low
    return low <= values.min() < low + width / 10 and high - width / 10 < values.max() <= high


def test_rotation_is_within_its_limit():
    linear, moves, levels = drawn(rotate=30)
    assert np.allclose(moves, 0)
    assert (levels == 1).all()
    assert np.allclose(linear @ linear.transpose(0, 2, 1), np.eye(3))
    assert (linear[:, 0] == [1, 0, 0]).all()
    assert (linear[:, :, 0] == [1, 0, 0]).all()
    assert spread_out(np.rad2deg(np.arctan2(linear[:, 2, 1], linear[:, 1, 1])), -30, 30)


def test_rotation_of_volumes():
    """By an angle in each of the three planes."""
    linear, moves, _ = drawn(rotate=20, within="dhw")
    assert np.allclose(moves, 0)
    assert np.allclose(linear @ linear.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(linear), 1)
    for i, j in [(0, 1), (0, 2), (1, 2)]:
        angles = np.rad2deg(np.arctan2(linear[:, j, i], linear[:, i, i]))
        assert 15 < np.abs(angles).max() < 45


@pytest.mark.parametrize(("within", "axes"), [("hw", [1, 2]), ("dhw", [0, 1, 2])])
def test_scale_is_the_same_along_all_axes(within, axes):
    linear, moves, _ = drawn(scale=0.25, within=within)
    assert np.allclose(moves, 0)
    factors = 1 / linear[:, axes, axes]
    assert np.allclose(factors, factors[:, :1])
    assert spread_out(factors, 0.75, 1.25)
    assert np.allclose(np.delete(linear.reshape(-1, 9), [0, 4, 8], axis=1), 0)
    assert within == "dhw" or (linear[:, 0] == [1, 0, 0]).all()


def test_shear():
    linear, _, _ = drawn(shear=0.3)
    slants = linear[:, 2, 1]
    assert spread_out(slants, -0.3, 0.3)
    linear[:, 2, 1] = 0
    assert np.allclose(linear, np.eye(3))
    linear, _, _ = drawn(shear=0.3, within="dhw")
    assert np.allclose(np.linalg.det(linear), 1)
    assert all(np.abs(linear[:, j, i]).max() > 0.2 for i, j in [(0, 1), (0, 2), (1, 2)])


@pytest.mark.parametrize("within", ["hw", "dhw"])
def test_shift_by_a_share_of_the_side(within):
    """Whole frames, where frames stay frames."""
    linear, moves, _ = drawn(shift=(0.3, 0.1, 0.25), within=within)
    assert np.allclose(linear, np.eye(3))
    for move, share, side in zip(moves.T, (0.3, 0.1, 0.25), SIDES, strict=True):
        most = share * side
        whole = within == "hw" and side == SIDES[0]
        assert spread_out(move, *((-3, 3) if whole else (-most, most)))
        assert np.allclose(move, np.round(move)) == whole


def test_contrast():
    _, _, levels = drawn(contrast=0.4)
    assert (levels[:, 0] == 1).all()
    assert spread_out(levels[:, 1], 0.6, 1.4)


def test_what_is_turned_does_not_change_what_is_moved():
    """Flags of moves, flips and brightness draw the same whatever else is asked for."""
    plain = {"shift": (1, 2, 3), "flip": "hw", "brightness": 0.2}
    _, moves, levels = drawn(**plain)
    linear, same, with_contrast = drawn(**plain, rotate=40, scale=0.2, shear=0.1, contrast=0.5)
    assert np.allclose(same, moves)
    assert np.array_equal(levels[:, 0], with_contrast[:, 0])
    assert np.array_equal(np.sign(np.linalg.det(linear)), np.sign(np.linalg.det(drawn(**plain)[0])))


@pytest.mark.parametrize("within", ["hw", "dhw"])
def test_a_clip_is_changed_as_it_is_drawn(within):
    """By the kernel, whatever the clip holds; steps and seeds differ."""
    augmentation = Augmentation((1, 0.1, 0.2), "dhw", 0.2, 5, 25, 0.2, 0.1, 0.3, within)
    for dtype in (np.uint8, np.float32):
        clips = batch(3, dtype)
        expected = reference.affine(clips.astype(np.float64), *augmentation.draw(3, SHAPE[:3], 4))
        expected = np.clip(expected, 0, 255) if dtype == np.uint8 else expected
        augmentation.apply(clips, 4)
        assert np.abs(clips - expected).max() <= (0.5 + 1e-3 if dtype == np.uint8 else 1e-3)
    first, again, other = (batch(3) for _ in range(3))
    for clips, step in ((first, 4), (again, 4), (other, 5)):
        augmentation.apply(clips, step)
    assert first.tobytes() == again.tobytes() != other.tobytes()


@pytest.mark.parametrize("name", ["rotate", "scale", "shear", "contrast"])
def test_each_flag_alone_counts(name):
    assert Augmentation(**{name: 0.1})
    assert Augmentation.of(flags.merge({name: 0.1})) == Augmentation([0, 0, 0], **{name: 0.1})


def test_flags():
    given = {"shift": "0,4,0.25", "flip": "w", "rotate": "180", "augment_in": "dhw", "seed": 3}
    found = Augmentation.of(flags.merge(flags.parse([f"--{name}={value}" for name, value in given.items()])))
    assert found == Augmentation([0, 4, 0.25], "w", 0.0, 3, 180.0, within="dhw")
    assert [type(most) for most in found.shift] == [int, int, float]
    assert not Augmentation.of(flags.merge({}))
    # What a run writes down, and the flags made of it, mean the same.
    for text in ("0,4,4", "0,0.04,0.5", "1,0.0,12"):
        shift = flags.parse(["--shift", text])
        assert flags.parse(flags.arguments(shift)) == shift
        assert list(map(type, flags.parse(flags.arguments(shift))["shift"])) == list(map(type, shift["shift"]))


@pytest.mark.parametrize("within", ["hw", "dhw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_moved_copies(within, dtype):
    """The first is the clip, to the bit; the others are moved by one map for all, and in pairs by opposite maps."""
    moves = Augmentation((0, 0.1, 0.1), "", 0.0, 0, 20, 0.2, 0.1, 0.0, within)
    clips = batch(3, dtype)
    before = clips.copy()
    assert moves.copy(clips, 0) is clips
    copies = [moves.copy(clips, number) for number in range(1, 5)]
    assert clips.tobytes() == before.tobytes()
    for number, copied in enumerate(copies, 1):
        (drawn_map,), _ = moves.draw(1, SHAPE[:3], (number + 1) // 2)
        square = np.vstack([drawn_map, [0, 0, 0, 1]])
        expected = (square if number % 2 else np.linalg.inv(square))[:3]
        assert np.allclose(copied, reference.affine(clips, np.tile(expected, (3, 1, 1))), atol=1e-3)
        assert moves.copy(clips[1:2], number).tobytes() == copied[1:2].tobytes()
        inside = clips.copy()
        moves.copy(inside, number, out=inside)
        assert inside.tobytes() == copied.tobytes()
    assert len({copied.tobytes() for copied in copies}) == 4


def test_what_copies_are_drawn_from():
    """The moves of the training without its levels of brightness, or small ones; whatever the seed."""
    trained = flags.merge({"shift": [0, 2, 0.1], "flip": "w", "brightness": 0.3, "contrast": 0.2, "seed": 7})
    assert Augmentation.of_copies(trained) == Augmentation([0, 2, 0.1], "w")
    untrained = flags.merge({"brightness": 0.3, "seed": 7, "augment_in": "dhw"})
    assert Augmentation.of_copies(untrained) == Augmentation((0, 0.04, 0.04), rotate=5.0, scale=0.05, within="dhw")
