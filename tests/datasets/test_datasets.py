"""Clip sets from .npy files, batches, windows and folds."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import as_compiled
from hypothesis import given
from hypothesis import strategies as st

import kernels
from emop3d_np import datasets
from emop3d_np.errors import InputError

SHAPE = (4, 6, 5, 1)


@pytest.fixture
def files(tmp_path, rng):
    """Writes clips and labels, returns what ``load_npy`` needs."""

    def write(clips, labels):
        np.save(tmp_path / "clips.npy", clips)
        np.save(tmp_path / "labels.npy", labels)
        return tmp_path / "clips.npy", tmp_path / "labels.npy", SHAPE, 3

    return write


def test_what_draws_clips_comes_at_first_use():
    code = """
import sys
import emop3d_np as emo

emo.datasets.load_npy
print(sorted({"numba", "scipy", "tqdm"} & set(sys.modules)))
print(len(emo.datasets.faces.drawn_faces(2, 0, 1, shape=(1, 16, 16, 1))[0]), emo.datasets.strokes.BOX)
print(hasattr(emo.datasets, "hands"), {"faces", "strokes", "load_npy"} <= set(dir(emo.datasets)))
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "2 105", "False True"]


def gather(clips, indices, *how, **more):
    (batch,) = clips.batches([indices], *how, **more)
    return batch


def clips_like(rng, dtype, count=7):
    return (rng.random((count, *SHAPE)) * 200).astype(dtype)


@pytest.mark.parametrize("stored", ["u1", "i4", "f2", "f4", ">f4", "f8"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gather_normalizes_what_is_on_disk(files, rng, edition, stored, dtype):
    clips = clips_like(rng, stored)
    clips[2, 1] = 7  # a constant frame
    labels = rng.integers(0, 3, 7)
    found = datasets.load_npy(*files(clips, labels))
    assert isinstance(found.clips, np.memmap)
    assert len(found) == 7
    indices = np.array([6, 0, 2, 2, 5])
    x, batch_labels = gather(found, indices, edition, dtype)
    wide = clips[indices].astype(np.float64)
    with np.errstate(invalid="ignore"):
        expected = (wide - wide.mean((2, 3), keepdims=True)) / wide.std((2, 3), keepdims=True)
    assert x.dtype == dtype
    assert np.abs(x - np.nan_to_num(expected)).max() < 1e-4
    assert not x[2, 1].any()
    assert np.array_equal(batch_labels, labels[indices])
    raw, _ = gather(found, indices, edition, dtype, normalized=False)
    assert np.array_equal(raw, clips[indices].astype(dtype))


def test_columns_and_whole_floats_are_labels(files, rng):
    found = datasets.load_npy(*files(clips_like(rng, "u1", 3), np.array([[0.0], [2.0], [1.0]])))
    assert found.labels.tolist() == [0, 2, 1]
    assert found.labels.dtype == np.int64


@as_compiled
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_found(files, rng, edition, value):
    clips = clips_like(rng, "f4")
    clips[5, 3, 2, 1, 0] = value
    found = datasets.load_npy(*files(clips, np.zeros(7, int)))
    words = re.escape("clip 5 holds") + ".*" + re.escape("(d, h, w, c) = (3, 2, 1, 0)")
    with pytest.raises(InputError, match=words):
        found.check_finite(iter)
    with pytest.raises(InputError, match=words):
        gather(found, np.array([1, 5]), edition, "float32")
    gather(found, np.array([0, 1, 2, 3, 4, 6]), edition, "float32")


def test_batches_follow_each_other(files, rng, edition):
    """Of changing sizes; the array of a batch is used again only when the next one is asked for."""
    clips = clips_like(rng, "u1", 30)
    found = datasets.load_npy(*files(clips, np.arange(30) % 3))
    lists = [rng.permutation(30)[: rng.integers(1, 12)] for _ in range(20)]
    for indices, (x, labels) in zip(lists, found.batches(lists, edition, "float64", False), strict=True):
        assert np.array_equal(x, clips[indices])
        assert labels.tolist() == (indices % 3).tolist()


def good_labels(count=7):
    return np.arange(count) % 3


@pytest.mark.parametrize(
    ("clips", "labels", "words"),
    [
        (np.zeros((7, 4, 6, 5), "u1"), good_labels(), r"has shape \(7, 4, 6, 5\), 4 axes; clips have 5"),
        (np.zeros((7, 4, 6, 6, 1), "u1"), good_labels(), r"\(4, 6, 6, 1\), the flags say \(4, 6, 5, 1\)"),
        (np.zeros((0, *SHAPE), "u1"), good_labels(0), "is empty"),
        (np.zeros((7, *SHAPE), complex), good_labels(), "dtype complex128; it must hold integers or floats"),
        (np.zeros((7, *SHAPE), np.longdouble), good_labels(), r"dtype float\d+; floats of up to 64 bits are read"),
        (np.zeros((7, *SHAPE), object), good_labels(), "Python objects .pickle., which are refused"),
        (np.zeros((7, *SHAPE), "u1"), good_labels(6), r"labels\.npy: has shape \(6,\); 7 clips need \(7,\)"),
        (np.zeros((7, *SHAPE), "u1"), good_labels() + 1, "label 3 of clip 2 is out of range; 3 classes"),
        (np.zeros((7, *SHAPE), "u1"), good_labels() - 1, "label -1 of clip 0 is out of range"),
        (np.zeros((7, *SHAPE), "u1"), good_labels() + 0.5, "label 0.5 of clip 0 is not a whole number"),
        (np.zeros((7, *SHAPE), "u1"), np.full(7, np.nan), "label nan of clip 0 is not a whole number"),
        (np.zeros((7, *SHAPE), "u1"), np.array(list("abcdefg")), "dtype <U1"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(files, clips, labels, words):
    with pytest.raises(InputError, match=words) as error:
        datasets.load_npy(*files(clips, labels))
    assert "\n" not in str(error.value)


def test_files_that_are_no_arrays_are_refused(files, tmp_path, rng):
    good = files(clips_like(rng, "u1"), good_labels())
    whole = good[0].read_bytes()
    cases = {
        "there is no such file": tmp_path / "absent.npy",
        "is a folder": tmp_path,
        "is an empty file": b"",
        "is no .npy file": b"clips, but not in this format",
        "is an .npz archive": b"PK\x03\x04 and so on",
        "is damaged or cut short": whole[: len(whole) // 2],
        "damaged or cut short ": whole[:20],
        "is damaged or cut short: its header says": whole + b"more",
        "is damaged or cut short.*negative": whole.replace(b"(7, ", b"(-7,", 1),
        "is no file but a pipe, a socket or a device": Path("/dev/zero"),
    }
    for words, content in cases.items():
        path = content
        if isinstance(content, bytes):
            path = tmp_path / "bad.npy"
            path.write_bytes(content)
        with pytest.raises(InputError, match=words) as error:
            datasets.load_npy(path, *good[1:], flags=("train_path", "train_labels_path"))
        assert str(error.value).startswith(f"train_path {path}")


@given(count=st.integers(1, 50), batch=st.integers(1, 50), seed=st.integers(0, 99), epoch=st.integers(0, 9))
def test_an_epoch_takes_every_clip_at_most_once(count, batch, seed, epoch):
    batch = min(batch, count)
    steps = count // batch
    order = np.concatenate([datasets.batch_indices(count, batch, seed, epoch * steps + step) for step in range(steps)])
    assert len(order) == steps * batch
    assert len(set(order.tolist())) == len(order)
    assert set(order.tolist()) <= set(range(count))


@given(count=st.integers(1, 30), batch=st.integers(1, 30), seed=st.integers(0, 3), steps=st.lists(st.integers(0, 40)))
def test_the_order_is_the_generators_whatever_was_asked_before(count, batch, seed, steps):
    batch = min(batch, count)
    for step in steps:
        epoch, place = divmod(step, count // batch)
        order = np.random.default_rng((seed, epoch)).permutation(count)
        found = datasets.batch_indices(count, batch, seed, step)
        assert found.tolist() == order[place * batch :][:batch].tolist()
        found[:] = -1  # it is the caller's


def test_order_depends_on_seed_and_epoch():
    orders = [tuple(datasets.batch_indices(100, 100, seed, step)) for seed in (0, 1) for step in (0, 1)]
    assert len(set(orders)) == 4
    assert orders[0] == tuple(datasets.batch_indices(100, 100, 0, 0))


@given(frames=st.integers(0, 60), depth=st.integers(1, 20), data=st.data())
def test_windows(frames, depth, data):
    overlap = data.draw(st.integers(0, depth - 1))
    video = np.arange(frames * 2).reshape(frames, 2, 1, 1)
    clips = datasets.windows(video, depth, overlap)
    step = depth - overlap
    expected = [video[start : start + depth] for start in range(0, frames - depth + 1, step)]
    assert clips.shape == (len(expected), depth, 2, 1, 1)
    assert all(np.array_equal(clip, wanted) for clip, wanted in zip(clips, expected, strict=True))


def test_windows_refuse_too_much_overlap():
    with pytest.raises(InputError, match="overlap is 16; clips of 16 frames can share 0 to 15"):
        datasets.windows(np.zeros((40, 2, 2, 1)), 16, 16)


@given(
    clips=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), min_size=6, max_size=80),
    count=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_no_group_stands_in_two_folds(clips, count, seed):
    groups, labels = np.array(clips).T
    if len(set(groups.tolist())) < count:
        with pytest.raises(InputError, match="folds of"):
            datasets.group_folds(groups, labels, count, seed)
        return
    folds = datasets.group_folds(groups, labels, count, seed)
    assert folds.shape == groups.shape
    assert set(folds.tolist()) == set(range(count))
    for group in set(groups.tolist()):
        assert len(set(folds[groups == group].tolist())) == 1


def dealt(groups, labels, count, seed):
    """Each group to the fold where the sum of squares of clips per class grows least, of equals to the emptiest."""
    names = sorted(set(groups))
    groups, labels = np.array(groups, object), np.array(labels)
    own = {name: np.bincount(labels[groups == name], minlength=4) for name in names}
    order = [names[place] for place in np.random.default_rng(seed).permutation(len(names))]
    has = [np.zeros(4, int) for _ in range(count)]
    fold_of = {}
    for name in sorted(order, key=lambda name: -own[name].sum()):
        growth = [((clips + own[name]) ** 2).sum() - (clips**2).sum() for clips in has]
        fold = min(range(count), key=lambda fold: (growth[fold], has[fold].sum(), fold))
        has[fold] += own[name]
        fold_of[name] = fold
    return [fold_of[name] for name in groups]


@given(
    clips=st.lists(st.tuples(st.sampled_from("abcdéE fg"), st.integers(0, 3)), min_size=9, max_size=60),
    count=st.integers(2, 4),
    seed=st.integers(0, 9),
)
def test_groups_are_dealt_as_their_docstring_says(clips, count, seed):
    groups, labels = zip(*clips, strict=True)
    if len(set(groups)) < count:
        return
    expected = dealt(groups, labels, count, seed)
    assert datasets.group_folds(groups, labels, count, seed).tolist() == expected
    assert datasets.group_folds(np.array(groups, object), labels, count, seed).tolist() == expected


@given(st.lists(st.tuples(st.sampled_from(["", "a", "é", "10", "9"]), st.sampled_from(["9", "10", "v"])), min_size=1))
def test_groups_are_numbered_alike_for_every_kind_of_text(clips):
    """Folds follow from the numbers, so that these must not depend on how names are stored."""
    subjects, sources = map(np.array, zip(*clips, strict=True))
    found = datasets.linked_groups(subjects, sources)
    assert found.tolist() == datasets.linked_groups(subjects.astype(object), sources.astype(object)).tolist()
    whole = [
        (subjects == name, sources == name) for name in np.unique(np.concatenate([subjects[subjects != ""], sources]))
    ]
    for of_subject, of_source in whole:
        for same in (of_subject & (subjects != ""), of_source):
            assert len(set(found[same].tolist())) <= 1


def test_folds_are_stratified_and_seeded():
    groups = np.repeat(np.arange(40), 6)
    labels = np.tile(np.arange(6), 40)
    folds = datasets.group_folds(groups, labels, 10, seed=1)
    for fold in range(10):
        assert np.bincount(labels[folds == fold]).tolist() == [4] * 6
    assert np.array_equal(folds, datasets.group_folds(groups, labels, 10, seed=1))
    assert not np.array_equal(folds, datasets.group_folds(groups, labels, 10, seed=2))


def test_normalize_is_the_kernel_without_epsilon(edition, rng):
    clips = clips_like(rng, "u1")
    expected = kernels.edition("reference").standardize(clips.astype(np.float32), 0.0)
    assert np.allclose(datasets.normalize(clips, edition), expected, atol=1e-6)
