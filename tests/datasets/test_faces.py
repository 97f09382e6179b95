"""The faces that the package draws, and the claim that it is the order of their frames that tells.

The claim is held by measuring: linear classifiers that do not see the order, set up so that they win, against a small
network that does.
"""

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import JIT

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import faces_baselines

import emop3d_np as emo
from emop3d_np.datasets import Augmentation, ClipSet, batch_indices, face_courses, faces
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
    for labels, identities, _, _, takes, _ in drawn:
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


def held_still(monkeypatch, phase):
    """Takes that differ in nothing, begin at ``phase``, and last for a whole number of frames between two."""
    middle = {name: (sum(limits) / 2,) * 2 for name, limits in face_courses.TAKE.items()}
    middle |= {"noise": (0, 0), "blink": (-1, -1), "phase": (phase, phase), "period": (0.5, 0.5)}
    monkeypatch.setitem(faces.DEGREES, "default", replace(faces.DEGREES["default"], take=middle))
    monkeypatch.setattr(face_courses, "MOOD", 0)
    monkeypatch.setattr(face_courses, "VIGOUR", (1, 1))


@pytest.mark.parametrize("pair", face_courses.PAIRS, ids="-".join)
def test_the_other_emotion_of_a_pair_is_the_same_frames_backwards(pair, monkeypatch):
    """A face shows moments 1/d, 2/d, ... 1: a phase at which the last is as far before a rest as the first is after."""
    d = SHAPE[0]
    held_still(monkeypatch, phase=0.5 - 1 / d)
    labels = [EMOTIONS.index(emotion) for emotion in pair]
    there, back = draw_faces(labels, [3, 3], shape=SHAPE).astype(int)
    assert np.abs(there - back[::-1]).max() <= 1  # of rounding
    assert np.abs(there - back).max() > 50


@pytest.mark.parametrize("degree", faces.DEGREES)
def test_whoever_is_turned_from_may_be_turned_to(degree):
    partners = faces.DEGREES[degree].partners
    assert sorted(partners) == sorted(EMOTIONS)
    assert all(emotion in partners[other] for emotion in partners for other in partners[emotion])
    assert len({len(others) for others in partners.values()}) == 1
    assert all(emotion not in others for emotion, others in partners.items())


def test_a_face_goes_from_rest_over_one_emotion_to_another_and_back():
    phase = np.linspace(0, 1, 201)
    first, second = face_courses.flare(phase)
    np.testing.assert_allclose(face_courses.flare(1 - phase)[0], second, atol=1e-12)
    assert first[[0, -1]].max() == second[[0, -1]].max() == 0
    assert first.max() == second.max() == 1
    assert phase[first.argmax()] < 0.5 < phase[second.argmax()]
    assert (first + second <= 1 + 1e-12).all()
    # It rises and falls slowly, and turns fast.
    steps = np.abs(np.diff(first))
    assert steps.max() > 4 * steps[phase[1:] < 0.45].max()


def test_hard_faces_are_other_clips_of_the_same_people():
    plain, hard = (draw_faces([0], [0], shape=SHAPE, degree=degree).astype(int) for degree in ("default", "hard"))
    assert (plain != hard).mean() > 0.5
    with pytest.raises(ValueError, match="degree is 'odd'; it must be one of easy, default, hard"):
        draw_faces([0], [0], degree="odd")


def small_sets(side):
    """The default people, smaller: ``clips, labels, people`` to train on, and the same to validate on."""
    return [drawn_faces(*people, shape=(16, side, side, 1)) for people in (TRAINING_FACES, VALIDATION_FACES)]


def trained_network(clips, labels, epochs, batch):
    """A network of three maps after training with Adam, one cycle of the rate, clips moved about in time and place."""
    net = emo.EmoP3D(input_shape=clips.shape[1:])
    count = len(clips) // batch * epochs
    optimizer = emo.optimizers.Adam(emo.optimizers.one_cycle(0.003, count))
    changes = Augmentation(shift=(4, 1, 1))
    order = (batch_indices(len(clips), batch, 0, step) for step in range(count))
    moves = (partial(changes.apply, step=step) for step in range(count))
    gradients = None
    for x, answers in ClipSet("faces", clips, labels, EMOTIONS).batches(order, net.kernels, net.dtype, True, moves):
        _, gradients, _ = net.training_pass(x, answers, gradients=gradients)
        optimizer.update(net.parameters, gradients)
    return net


def right_of(net, clips, labels):
    """The share of the clips that a network names rightly."""
    unseen = net.kernels.standardize(clips.astype(np.float32), epsilon=0)
    return np.mean([net.predict(clip[np.newaxis])[0] for clip in unseen] == labels)


@pytest.fixture
def one_thread():
    """Of such small clips several threads wait for each other longer than they work."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.skipif(not JIT, reason="training is for compiled kernels")
def test_the_order_of_the_frames_tells():
    """At a third of the side, against the two strongest of the classifiers that do not see it."""
    training, validation = small_sets(30)
    blind = faces_baselines.accuracies(training, validation, ("mean frame", "all, shuffled"), blocks=(10,))
    assert 0.2 < max(blind.values()) < 0.55, blind
    assert right_of(trained_network(*training[:2], epochs=30, batch=32), *validation[:2]) > max(blind.values()) + 0.15


@pytest.mark.long
@pytest.mark.skipif(not JIT, reason="training is for compiled kernels")
def test_the_order_of_the_frames_tells_and_nothing_else_does():
    training, validation = small_sets(50)
    blind = faces_baselines.accuracies(training, validation, faces_baselines.BLIND)
    assert 0.2 < max(blind.values()) < 0.55, blind
    assert right_of(trained_network(*training[:2], epochs=15, batch=64), *validation[:2]) > max(blind.values()) + 0.25


def test_ridge_leaves_people_out(rng):
    """Without fitting anew, it says of each person what it says when trained without that person."""
    people, x, target = np.repeat(np.arange(5), 3), rng.standard_normal((15, 8)), rng.standard_normal((15, 2))
    expected = np.empty_like(target)
    for person in range(5):
        others = people != person
        inverse = np.linalg.inv(x[others].T @ x[others] + 0.7 * np.eye(8))
        expected[~others] = x[~others] @ inverse @ x[others].T @ target[others]
    answers = faces_baselines.left_out(*np.linalg.eigh(x @ x.T), target, people, penalty=0.7)
    np.testing.assert_allclose(answers, expected, atol=1e-12)


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
