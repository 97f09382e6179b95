"""The faces that the package draws."""

import numba
import numpy as np
import pytest
from conftest import JIT

from emop3d_np.datasets import faces
from emop3d_np.datasets.faces import (
    EMOTIONS,
    TRAINING_FACES,
    VALIDATION_FACES,
    draw_faces,
    drawn_faces,
    lazily_drawn_faces,
)

SHAPE = (16, 100, 100, 1) if JIT else (4, 18, 16, 1)
"""Small where every pixel is drawn by the interpreter."""


def test_clips_use_the_grey_scale():
    clips = draw_faces([3, 4], [0, 1], shape=SHAPE)
    assert clips.shape == (2, *SHAPE)
    assert clips.dtype == np.uint8
    assert clips.min() < 80
    assert clips.max() > 160
    assert (clips.std(axis=(2, 3)) > 10).all()


def test_channels_are_equal():
    d, h, w, _ = SHAPE
    one, three = (draw_faces([0], [0], shape=(d, h, w, c)) for c in (1, 3))
    np.testing.assert_array_equal(three, np.repeat(one, 3, axis=-1))


def test_randomness_comes_from_seed_label_identity_and_take_alone():
    arguments = {"labels": [1], "identities": [7], "seed": 5, "takes": 2}
    clip = draw_faces(**arguments, shape=SHAPE)
    np.testing.assert_array_equal(clip, draw_faces(**arguments, shape=SHAPE))
    for other in ({"labels": [2]}, {"identities": [8]}, {"seed": 6}, {"takes": 3}):
        assert (draw_faces(**{**arguments, **other}, shape=SHAPE) != clip).mean() > 0.5


def test_bits_do_not_depend_on_company(monkeypatch):
    labels, identities, takes = [0, 3, 5, 3, 2], [4, 0, 4, 0, 9], [0, 0, 1, 2, 0]
    together = draw_faces(labels, identities, 1, SHAPE, takes)
    monkeypatch.setattr(faces, "CLIPS_AT_A_TIME", 2)
    np.testing.assert_array_equal(together, draw_faces(labels, identities, 1, SHAPE, takes))
    for clip, *numbers in zip(together, labels, identities, takes, strict=True):
        label, identity, take = numbers
        np.testing.assert_array_equal(draw_faces([label], [identity], 1, SHAPE, take)[0], clip)


@pytest.mark.skipif(not JIT, reason="the interpreter runs one thread")
def test_bits_do_not_depend_on_threads():
    people = range(60)
    labels = np.arange(60) % len(EMOTIONS)
    together = draw_faces(labels, people)
    threads = numba.get_num_threads()
    try:
        for fewer in range(1, threads):
            numba.set_num_threads(fewer)
            np.testing.assert_array_equal(draw_faces(labels, people), together)
    finally:
        numba.set_num_threads(threads)


def test_default_sets_are_balanced_and_share_nobody(monkeypatch):
    drawn = []
    monkeypatch.setattr(faces, "draw_faces", lambda *arguments: drawn.append(arguments))
    sets = [drawn_faces(*people)[1:] for people in (TRAINING_FACES, VALIDATION_FACES)]
    for (labels, identities), count, persons in zip(sets, (960, 240), (80, 40), strict=True):
        np.testing.assert_array_equal(np.bincount(labels), count // len(EMOTIONS))
        seen, clips_each = np.unique(identities, return_counts=True)
        assert len(seen) == persons
        np.testing.assert_array_equal(clips_each, count // persons)
    assert not set(sets[0][1]) & set(sets[1][1])
    # No clip is drawn twice.
    for labels, identities, _, _, takes in drawn:
        assert len(set(zip(labels, identities, takes, strict=True))) == len(labels)


def test_lazily_drawn_clips_are_the_same(monkeypatch):
    expected, labels, identities = drawn_faces(9, 3, 2, shape=SHAPE)
    clips, *of_clips, draw = lazily_drawn_faces(9, 3, 2, shape=SHAPE)
    np.testing.assert_array_equal(of_clips, [labels, identities])
    assert not clips.any()
    draw(np.array([7, 2]))
    np.testing.assert_array_equal(clips.any(axis=(1, 2, 3, 4)), np.isin(np.arange(9), (2, 7)))
    draw(np.arange(9))
    np.testing.assert_array_equal(clips, expected)
    monkeypatch.setattr(faces, "draw_faces", None)  # nothing is drawn twice
    draw(np.array([0, 8]))


def test_a_set_grows_without_changing():
    few, _, _ = drawn_faces(2, 3, 2, shape=SHAPE)
    more, labels, identities = drawn_faces(7, 3, 2, shape=SHAPE)
    np.testing.assert_array_equal(few, more[:2])
    np.testing.assert_array_equal(labels, [0, 1, 2, 3, 4, 5, 0])
    np.testing.assert_array_equal(identities, [3, 3, 3, 3, 3, 3, 4])


def test_a_face_starts_at_rest_and_ends_in_its_emotion(monkeypatch):
    """With everything else held still, clips of one person begin alike and part ways."""
    middle = {name: (sum(limits) / 2,) * 2 for name, limits in faces.TAKE.items()}
    monkeypatch.setattr(faces, "TAKE", middle | {"noise": (0, 0), "blink": (-1, -1)})
    for identity in range(3 if JIT else 1):
        clips = draw_faces(range(len(EMOTIONS)), [identity] * len(EMOTIONS), shape=SHAPE).astype(float)
        first, last = (
            np.array([[np.abs(a - b).mean() for b in clips[:, moment]] for a in clips[:, moment]]) for moment in (0, -1)
        )
        others = ~np.eye(len(EMOTIONS), dtype=bool)
        assert first[others].max() < last[others].mean() / 2
        assert (last > first)[others].all()


def test_one_frame_shows_the_apex(monkeypatch):
    monkeypatch.setattr(faces, "TAKE", faces.TAKE | dict.fromkeys(["drift_x", "drift_y", "drift_roll"], (0, 0)))
    still, clip = (draw_faces([5], [0], shape=(d, *SHAPE[1:])).astype(float) for d in (1, 8))
    assert np.abs(still - clip[:, -1:]).mean() < np.abs(still - clip[:, :1]).mean() / 1.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"labels": [6]}, "labels: 6 must be a whole number 0 ... 5"),
        ({"labels": [0, 0.5]}, "labels: 0.5 must be"),
        ({"labels": ["anger"]}, "labels: anger must be"),
        ({"identities": [-1]}, "identities: -1 must be"),
        ({"seed": -1}, "seed: -1 must be"),
        ({"takes": float("nan")}, "takes: nan must be"),
        ({"identities": [1, 2]}, r"labels have shape \(1,\), identities \(2,\), takes \(\); give one of each"),
        ({"takes": [1, 2]}, r"takes \(2,\); give one of each"),
        ({"labels": 0, "identities": 0}, r"labels have shape \(\)"),
        ({"shape": (16, 15, 100, 1)}, r"shape is \(16, 15, 100, 1\); faces need whole numbers .*: draw them larger"),
        ({"shape": (0, 100, 100, 1)}, "shape is"),
        ({"shape": (16, 100.5, 100, 1)}, "shape is"),
        ({"shape": (100, 100, 1)}, "shape is"),
    ],
)
def test_errors(arguments, words):
    with pytest.raises(ValueError, match=words) as error:
        draw_faces(**{"labels": [0], "identities": [0]} | arguments)
    assert "\n" not in str(error.value)


def test_nobody_to_draw():
    with pytest.raises(ValueError, match="identity_count is 0; faces need at least 1 person"):
        drawn_faces(6, 0, 0)
    assert draw_faces([], [], shape=SHAPE).shape == (0, *SHAPE)
