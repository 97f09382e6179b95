"""3D sets of MedMNIST: read as they are, trained on, tested on the official split; the area under the ROC curve."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import run
from emop3d_np import __main__ as commands
from emop3d_np.datasets import load_medmnist
from emop3d_np.errors import InputError
from emop3d_np.training.metrics import auc

SHAPE = (8, 14, 14)
SIZES = "--depth_frames 8 --height 14 --width 14 --num_classes 2 --batch_size 5".split()


def volumes():
    """Arrays of a set in which a bright corner tells the class."""
    rng, arrays = np.random.default_rng(3), {}
    for part, count in (("train", 20), ("val", 6), ("test", 9)):
        labels = np.arange(count) % 2
        images = rng.integers(0, 80, (count, *SHAPE), np.uint8)
        images[labels == 1, :, :7, :7] += 150
        arrays |= {f"{part}_images": images, f"{part}_labels": labels[:, None].astype(np.uint8)}
    return arrays


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def test_official_splits(tmp_path):
    arrays = volumes()
    path = saved(tmp_path / "set.npz", **arrays)
    for part in ("train", "val", "test"):
        clips = load_medmnist(path, part, (*SHAPE, 1), 2)
        assert np.array_equal(clips.clips[..., 0], arrays[f"{part}_images"])
        assert np.array_equal(clips.labels, arrays[f"{part}_labels"][:, 0])
        assert clips.labels.dtype == np.int64


@pytest.mark.once
def test_train_and_test(tmp_path, capsys):
    path, folder = saved(tmp_path / "set.npz", **volumes()), tmp_path / "runs"
    flags = ["--max_steps", "12", "--learning_rate", "0.01", "--patience", "12", "--save_path", str(folder)]
    assert run.main(["--train_path", str(path), *SIZES, *flags]) == 0
    assert "20 clips; validating on val of" in capsys.readouterr().out
    (of_run,) = folder.iterdir()
    report = tmp_path / "test.json"
    assert commands.main(["evaluate", str(of_run), str(path), "--json", str(report)]) == 0
    out = capsys.readouterr().out
    assert "best-3dpyranet.ckpt on test of" in out
    assert "accuracy 100.0 %, AUC 1.000" in out
    result = json.loads(report.read_text())
    assert result["confusion"] == [[5, 0], [0, 4]]
    assert [result[figure] for figure in ("accuracy", "auc", "uar", "f1")] == [1, 1, 1, 1]
    assert commands.main(["evaluate", str(of_run), str(path), "--json", str(tmp_path / "nowhere" / "x.json")]) == 2
    assert "x.json cannot be written: No such file or directory\n" in capsys.readouterr().err
    # A temperature is fitted on the validation split.
    assert commands.main(["evaluate", str(of_run), str(path), "--fit_temperature", str(path)]) == 2
    assert "cannot be fitted to 6 clips that are all answered rightly" in capsys.readouterr().err
    # The same by hand, from arrays of one's own.
    np.save(tmp_path / "x.npy", volumes()["test_images"][..., None])
    np.save(tmp_path / "y.npy", volumes()["test_labels"])
    own = [str(tmp_path / "x.npy"), "--labels", str(tmp_path / "y.npy")]
    assert commands.main(["evaluate", str(of_run), *own]) == 0
    assert "accuracy 100.0 %" in capsys.readouterr().out
    assert commands.main(["evaluate", str(of_run), own[0]]) == 2
    assert "x.npy: an .npy of clips needs a second one with their labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"val_labels": None}, r"holds no val_labels; it holds .*train_images"),
        ({"val_images": np.zeros((6, 8, 14), np.uint8)}, r"val_images have shape \(6, 8, 14\)"),
        ({"val_labels": np.zeros((6, 3), np.uint8)}, r"val_labels \(6, 3\); a 3D set of MedMNIST has"),
        ({"val_labels": np.full((6, 1), 2)}, "labels run from 2 to 2, --num_classes is 2"),
        ({"val_images": np.zeros((0, *SHAPE)), "val_labels": np.zeros((0, 1))}, "there are no volumes"),
        ({"val_images": np.zeros((6, 9, 9, 9))}, "give --depth_frames 9 --height 9 --width 9 --in_channels 1"),
        ({"val_images": np.full((6, *SHAPE), None)}, "cannot be read as a set of MedMNIST"),
    ],
)
def test_sets_that_do_not_fit(tmp_path, change, words):
    arrays = {name: values for name, values in (volumes() | change).items() if values is not None}
    with pytest.raises(InputError, match=words) as error:
        load_medmnist(saved(tmp_path / "set.npz", **arrays), "val", (*SHAPE, 1), 2)
    assert "\n" not in str(error.value)


def test_files_that_are_no_sets(tmp_path, capsys):
    (tmp_path / "text.npz").write_text("no archive")
    np.save(tmp_path / "one", np.zeros(3))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    path = saved(tmp_path / "set.npz", **volumes())
    for name, words in (("none", "there is no such file"), ("text", "cannot be read"), ("one", "no .npz archive")):
        assert run.main(["--train_path", str(tmp_path / f"{name}.npz"), *SIZES]) == 2
        assert words in capsys.readouterr().err
    assert run.main(["--train_path", str(path), "--train_labels_path", "y.npy", *SIZES]) == 2
    assert "--train_labels_path y.npy: leave it out" in capsys.readouterr().err
    assert commands.main(["evaluate", str(tmp_path), str(path)]) == 2
    assert "holds no 3dpyranet.ckpt" in capsys.readouterr().err


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3)), min_size=1, max_size=30))
def test_auc_counts_pairs(answers):
    """Of all pairs of a clip of the class and one of another, the share in the right order, ties half."""
    labels, values = np.array(answers).T
    labels = np.minimum(labels, 1)
    scores = np.column_stack([-values, values])
    pairs = [(own, other) for own in values[labels == 1] for other in values[labels == 0]]
    found = auc(scores, labels)
    if pairs:
        expected = np.mean([(own > other) + 0.5 * (own == other) for own, other in pairs])
        assert found == pytest.approx(expected, abs=1e-12)
    else:
        assert np.isnan(found)


def test_auc_of_more_classes_is_the_mean():
    scores, labels = np.eye(3)[[0, 1, 2, 2, 0]], np.array([0, 1, 2, 0, 0])
    # Class 0: of 3 x 2 pairs 4 in order and 2 tied; class 1: all; class 2: 3 of 4 in order, 1 tied.
    assert auc(scores, labels) == pytest.approx((5 / 6 + 1 + 7 / 8) / 3)


def test_shared_set(shared_data):
    clips = load_medmnist(shared_data("adrenalmnist3d/adrenalmnist3d.npz"), "test", (28, 28, 28, 1), 2)
    assert (len(clips), clips.labels.sum()) == (298, 69)
