"""Other clips, labels or groups than a run was begun with are told from them, and never mixed with them."""

import json
import os
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import run
from emop3d_np import datasets
from emop3d_np.datasets import identity
from emop3d_np.errors import InputError
from emop3d_np.training import checkpoint, stopping

pytestmark = pytest.mark.once

SHAPE = (8, 14, 14, 1)
SIZES = {"depth_frames": 8, "height": 14, "width": 14, "num_classes": 2, "batch_size": 4, "backend": "reference"}


def prepared(folder):
    """A prepared folder of 12 clips of 6 people."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = np.arange(12) % 2
    np.save(folder / "Training.npy", np.random.default_rng(3).integers(0, 255, (12, *SHAPE), np.uint8))
    np.save(folder / "labels.npy", labels)
    (folder / "classes.txt").write_text("calm\nglad\n")
    write_index(folder, labels, [f"s{clip // 2}" for clip in range(12)])
    return folder


def write_index(folder, labels, people):
    rows = [f"{clip},v{clip}.mp4,0,{who},{label}" for clip, (who, label) in enumerate(zip(people, labels, strict=True))]
    (folder / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))


def other_labels(folder):
    labels = (np.load(folder / "labels.npy") + 1) % 2
    np.save(folder / "labels.npy", labels)
    write_index(folder, labels, [f"s{clip // 2}" for clip in range(12)])


def other_clips(folder):
    clips = np.load(folder / "Training.npy")
    clips[11, 7, 13, 13, 0] ^= 1
    np.save(folder / "Training.npy", clips)


def other_people(folder):
    write_index(folder, np.load(folder / "labels.npy"), [f"s{clip // 2}" for clip in range(11)] + ["s0"])


def other_classes(folder):
    (folder / "classes.txt").write_text("glad\ncalm\n")


CHANGES = {
    other_labels: "the labels of the training set",
    other_clips: "the clips of the training set",
    other_people: "the subjects, sources or videos of the training set",
    other_classes: "the classes (calm, glad; now glad, calm)",
}


def flags(folder, runs, **more):
    given = {"train_path": folder, "save_path": runs, **SIZES, "max_steps": 1, "save_checkpoint": True, **more}
    return [f"--{name}={value}" for name, value in given.items()]


def last_error(capsys):
    return capsys.readouterr().err.splitlines()[-1]


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A run of three steps, on a folder that stands beside it."""
    place = tmp_path_factory.mktemp("begun")
    prepared(place / "clips")
    assert run.main(flags(place / "clips", place / "runs")) == 0
    return place


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_run_does_not_go_on_with_other_data(begun, tmp_path, capsys, change):
    """The data lie elsewhere, which is right; then one thing of them changes, which is not."""
    shutil.copytree(begun, tmp_path / "copy")
    (folder,) = (tmp_path / "copy" / "runs").iterdir()
    more = ["--resume", str(folder), "--train_path", str(tmp_path / "copy" / "clips")]
    assert run.main([*more, "--max_steps", "2"]) == 0
    assert "resumed" in capsys.readouterr().out
    change(tmp_path / "copy" / "clips")
    assert run.main([*more, "--max_steps", "3"]) == 2
    error = last_error(capsys)
    assert f"the checkpoint's data: {CHANGES[change]} differ: the data have changed since" in error
    assert checkpoint.load(folder / "3dpyranet.ckpt").step == 6


def test_a_validation_set_is_compared_where_both_have_one(begun, tmp_path, capsys):
    val = prepared(tmp_path / "val")
    assert run.main(flags(begun / "clips", tmp_path / "runs", val_path=val)) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    other_clips(val)
    assert run.main(["--resume", str(folder), "--max_steps", "2"]) == 2
    assert "the clips of the validation set differ" in last_error(capsys)
    assert run.main(["--resume", str(folder), "--max_steps", "2", "--val_path", "None"]) == 0


def test_an_older_checkpoint_goes_on_and_says_so(begun, tmp_path, capsys):
    (folder,) = (begun / "runs").iterdir()
    state = checkpoint.load(folder / "3dpyranet.ckpt")
    state.data = {}
    checkpoint.save(tmp_path / "x.ckpt", state)
    assert run.main(["--resume", str(tmp_path / "x.ckpt"), "--max_steps", "2"]) == 0
    assert "being of an older version, it does not tell whether the clips are the same" in capsys.readouterr().out
    assert checkpoint.load(tmp_path / "x.ckpt").data["training"]["count"] == 12


@pytest.mark.parametrize("what", ["shorter", "other values", "replaced", "removed"])
def test_clips_that_are_written_to_during_a_training(tmp_path, monkeypatch, capsys, what):
    """The run ends with a line and its checkpoint; a file that was replaced stays as it was until the end."""
    folder = prepared(tmp_path / "clips")
    path = folder / "Training.npy"

    def change():
        if what == "shorter":
            path.write_bytes(path.read_bytes()[:200])
        elif what == "other values":
            np.save(path, np.zeros((12, *SHAPE), np.uint8))
        elif what == "replaced":
            np.save(tmp_path / "new.npy", np.zeros((3, *SHAPE), np.uint8))
            os.replace(tmp_path / "new.npy", path)
        else:
            path.unlink()

    original = stopping.require_finite
    monkeypatch.setattr(stopping, "require_finite", lambda *given: (original(*given), given[4] == 2 and change()))
    code = run.main(flags(folder, tmp_path / "runs", max_steps=4))
    (made,) = (tmp_path / "runs").iterdir()
    step = checkpoint.load(made / "3dpyranet.ckpt").step
    if what in ("replaced", "removed"):
        assert (code, step) == (0, 12)
    else:
        assert code == 2
        assert 2 <= step < 12
        assert "has been written to since it was opened; put new clips into another file" in last_error(capsys)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_folds_are_not_mixed(tmp_path, capsys, change):
    """The first fold is trained, the data change, and the others are refused."""
    folder = prepared(tmp_path / "clips")
    given = flags(folder, tmp_path / "runs", folds=2, max_steps=0.5)
    assert run.main([*given, "--fold", "1"]) == 0
    change(folder)
    assert run.main(given) == 2
    assert f"{CHANGES[change]} differ: the data have changed since; give another --save_path" in last_error(capsys)
    assert not (tmp_path / "runs" / "folds-2-subjects" / "fold-02").exists()


def test_older_folds_go_on_and_say_so(tmp_path, capsys):
    given = flags(prepared(tmp_path / "clips"), tmp_path / "runs", folds=2, max_steps=0.5)
    assert run.main([*given, "--fold", "1"]) == 0
    data = tmp_path / "runs" / "folds-2-subjects" / "data.json"
    assert json.loads(data.read_text())["training"]["count"] == 12
    data.unlink()
    capsys.readouterr()
    assert run.main([*given, "--fold", "2"]) == 0
    assert "is of an older version; whether it was begun on the same clips is not known" in capsys.readouterr().out


def clip_set(values, labels, people, rows=None):
    index = {"subject": np.array(people), "source": np.array(people), "video": np.array(people)}
    return datasets.ClipSet("x", values, np.array(labels), ("a", "b"), index=index, rows=rows)


small_sets = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 1), st.integers(0, 3)), min_size=1, max_size=4)


@given(small_sets, small_sets, st.sampled_from(["u1", "f4"]))
def test_sets_are_the_same_if_their_digests_are(one, other, dtype):
    def described(rows):
        pixels, labels, people = zip(*rows, strict=True)
        values = np.array(pixels, dtype).reshape(-1, 1, 1, 1, 1)
        return datasets.describe(clip_set(values, labels, [f"s{who}" for who in people]))

    assert (described(one) == described(other)) == (one == other)
    if one == other:
        datasets.require_same(described(one), described(other), "x", "y")
    else:
        with pytest.raises(InputError, match=r"^x: .* differ: the data have changed since; y$"):
            datasets.require_same(described(one), described(other), "x", "y")


def test_which_clips_a_set_takes_counts(rng):
    values = rng.integers(0, 255, (6, 1, 2, 2, 1), np.uint8)
    one, other = (clip_set(values, [0, 1], ["a", "b"], np.array(rows)) for rows in ([0, 1], [0, 2]))
    assert datasets.describe(one)["training"]["clips"] != datasets.describe(other)["training"]["clips"]


def test_a_large_set_is_told_by_blocks(tmp_path, monkeypatch, rng):
    """Changes in its first, its last and a middle block are seen; of 48 GB no more than 4 MB are read."""
    monkeypatch.setattr(identity, "WHOLE", 1000)
    monkeypatch.setattr(identity, "BLOCKS", 5)
    monkeypatch.setattr(identity, "BLOCK", 16)
    values = rng.integers(0, 255, (10, 1, 20, 10, 1), np.uint8)

    def digest(values):
        return datasets.describe(clip_set(values, [0] * 10, ["a"] * 10))["training"]["clips"]

    before = digest(values)
    for place in (0, 15, 992, 1007, 1984, 1999):
        changed = values.copy()
        changed.flat[place] ^= 1
        assert digest(changed) != before, place
    assert digest(values.copy(order="F")) != before  # its bytes lie in another order
    np.save(tmp_path / "x.npy", values)
    assert digest(np.load(tmp_path / "x.npy", mmap_mode="r")) == before
    monkeypatch.undo()
    assert identity.BLOCKS * identity.BLOCK <= 4 << 20


def test_48_gigabytes_are_told_in_moments(tmp_path):
    """A sparse file: processor time, not the disk's."""
    clips = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (75_000, 16, 100, 100, 1))
    before = os.times()
    datasets.describe(clip_set(clips, [0] * 75_000, ["a"] * 75_000))
    after = os.times()
    assert after.user + after.system - before.user - before.system < 2
