"""``--shrink``: training, evaluation, folds and answers on means of blocks of pixels."""

import json
from pathlib import Path

import numpy as np
import pytest

import run
from emop3d_np.datasets import ClipSet, open_set, shrink
from emop3d_np.errors import InputError
from emop3d_np.training import building, checkpoint, evaluation, flags

SHAPE = (8, 28, 42, 1)
SIZES = {"depth_frames": 8, "height": 28, "width": 42, "num_classes": 3, "batch_size": 4, "backend": "reference"}


@pytest.fixture
def task(tmp_path, rng):
    """Flags, by name, of a short run on random bytes."""
    paths = {}
    for part, count in (("train", 13), ("val", 6)):
        paths |= {f"{part}_path": tmp_path / f"{part}.npy", f"{part}_labels_path": tmp_path / f"{part}_labels.npy"}
        np.save(paths[f"{part}_path"], rng.integers(0, 256, (count, *SHAPE), np.uint8))
        np.save(paths[f"{part}_labels_path"], np.arange(count) % 3)
    return {**paths, **SIZES, "save_path": tmp_path / "runs", "max_steps": 2, "save_checkpoint": True}


def arguments(task):
    return [str(part) for name, value in task.items() for part in (f"--{name}", value)]


def the_run(task):
    assert run.main(arguments(task)) == 0
    (folder,) = Path(task["save_path"]).iterdir()
    return folder


def means(x, side):
    n, d, h, w, c = x.shape
    return x.reshape(n, d, h // side, side, w // side, side, c).mean(axis=(3, 5)).astype(np.float32)


@pytest.mark.parametrize("normalize", [True, False])
def test_a_run_is_that_on_clips_shrunk_beforehand(task, tmp_path, normalize):
    task |= {"normalize": normalize}
    beforehand = task | {"height": 14, "width": 21, "save_path": tmp_path / "other"}
    for part in ("train", "val"):
        beforehand[f"{part}_path"] = tmp_path / f"small_{part}.npy"
        np.save(beforehand[f"{part}_path"], means(np.load(task[f"{part}_path"]), 2))
    folder, other = the_run(task | {"shrink": 2}), the_run(beforehand)
    assert json.loads((folder / "settings.json").read_text())["shrink"] == 2
    one, two = (checkpoint.load(each / "3dpyranet.ckpt") for each in (folder, other))
    for name, values in one.parameters.items():
        assert np.array_equal(values, two.parameters[name])
    ours = evaluation.evaluate_checkpoint(folder, task["val_path"], task["val_labels_path"])
    theirs = evaluation.evaluate_checkpoint(other, beforehand["val_path"], beforehand["val_labels_path"])
    assert ours["loss"] == theirs["loss"]
    assert ours["confusion"] == theirs["confusion"]


def test_clips_are_augmented_before(task, edition):
    """A move by one pixel is half of one of the network's."""
    settings = flags.merge(task | {"shrink": 2})
    clips = open_set(task["val_path"], task["val_labels_path"], settings, "clips", "test")
    raw = np.load(task["val_path"])

    def move(batch):
        batch[...] = np.roll(batch, 1, axis=3)

    lists = [np.array([0, 3]), np.array([5, 1]), np.array([2])]
    batches = clips.batches(lists, edition, np.float32, False, [move] * 3)
    for chosen, (x, _) in zip(lists, batches, strict=True):
        assert np.array_equal(np.asarray(x), means(np.roll(raw[chosen], 1, axis=3), 2))
    (taken,) = clips.take(np.array([4, 2]), "two").batches([np.array([1])], edition, np.float32, False)
    assert np.array_equal(np.asarray(taken[0]), means(raw[[2]], 2))


def test_values_that_are_not_finite_are_named_where_they_are(edition):
    clips = np.zeros((2, *SHAPE), np.float32)
    clips[1, 3, 5, 9] = np.nan
    found = ClipSet("clips x", clips, np.zeros(2, int), ("a",), shrink=2)
    with pytest.raises(InputError, match=r"clip 1 holds nan at \(d, h, w, c\) = \(3, 5, 9, 0\)"):
        list(found.batches([np.array([0, 1])], edition, np.float32))


def test_folds_and_sweep(task, tmp_path):
    own = {name: value for name, value in task.items() if not name.startswith("val")} | {"max_steps": 1}
    own |= {"folds": 2, "fold_protocol": "clips", "shrink": 2}
    assert run.main(arguments(own)) == 0
    folder = tmp_path / "runs" / "folds-2-clips"
    assert json.loads((folder / "folds.json").read_text())["clips"] == 13
    assert checkpoint.load(folder / "fold-01" / "3dpyranet.ckpt").settings["shrink"] == 2
    assert flags.parse_lists(["--shrink", "1,2"])["shrink"] == [1, 2]


def test_shrunk_drawn_faces():
    settings = flags.merge({"shrink": 5})
    net = building.build_network(settings)
    assert net.input_shape == (16, 20, 20, 1)
    assert shrink(np.zeros((1, 16, 100, 100, 1), np.uint8), 5).shape == (1, *net.input_shape)


@pytest.mark.parametrize("stored", [">f4", ">i2", "<f4"])
def test_clips_of_another_machine(rng, stored):
    clips = rng.integers(0, 256, (2, *SHAPE)).astype(stored)
    assert np.array_equal(shrink(clips, 2), means(clips.astype(np.float32), 2))


@pytest.mark.parametrize("shrink", [3, 4, 100])
def test_a_shrink_that_does_not_divide_the_sides(task, capsys, shrink):
    assert run.main(arguments(task | {"shrink": shrink})) == 2
    assert capsys.readouterr().err == (
        f"run.py: error: --shrink {shrink} does not divide frames of 28 x 42 pixels (--height, --width); "
        f"what does: 1, 2, 7, 14\n"
    )


def test_a_shrink_that_leaves_too_little_or_is_none(task, capsys):
    assert run.main(arguments(task | {"shrink": 14})) == 2
    assert "too small for the pyramid" in (error := capsys.readouterr().err)
    assert error.count("\n") == 1
    assert run.main(arguments(task | {"shrink": 0})) == 2
    assert "--shrink is '0'; it must be a whole number of at least 1" in capsys.readouterr().err
