"""The linear baseline: a rule that is planted is found, nothing of the test side is seen, and groups stay together."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from emop3d_np import datasets
from emop3d_np.errors import InputError
from emop3d_np.training import baseline

pytestmark = pytest.mark.once

SHAPE = (3, 10, 14, 2)


def planted(rng, count=180):
    """Clips whose class is told by which third of the last frame is brighter; three clips per person."""
    labels = rng.integers(0, 3, count)
    clips = rng.normal(0, 1, (count, *SHAPE))
    for clip, label in zip(clips, labels, strict=True):
        clip[-1, :, 4 * label : 4 * label + 4] += 1
    people = np.arange(count) // 3
    index = {"subject": people.astype(str), "source": people, "video": people, "first_frame": np.zeros(count, int)}
    return datasets.ClipSet("planted", clips, labels, tuple("abc"), index=index)


def test_block_means_are_means_of_blocks(rng):
    x = rng.normal(0, 1, (2, *SHAPE))
    found = baseline.block_means(x, 4)
    assert found.shape == (2, 3, 3, 4, 2)
    for n, d, h, w, c in np.ndindex(found.shape):
        block = [x[n, d, i, j, c] for i in range(4 * h, min(4 * h + 4, 10)) for j in range(4 * w, min(4 * w + 4, 14))]
        assert found[n, d, h, w, c] == pytest.approx(sum(block) / len(block))


def test_standardised_blocks_are_blocks_of_standardised_frames(rng):
    clips = planted(rng, 40)
    blocks = baseline.read_blocks(clips)
    frames = (clips.clips - clips.clips.mean(axis=(2, 3), keepdims=True)) / clips.clips.std(axis=(2, 3), keepdims=True)
    variant = baseline.Variant("all frames", 2, True, blocks.side)
    expected = baseline.block_means(frames, 2 * blocks.side).reshape(40, -1)
    assert blocks.side == 1
    assert np.allclose(blocks.features(variant), expected, atol=1e-5)


@pytest.mark.parametrize("features", [5, 60], ids=["narrow", "wide"])
def test_ridge_solves_its_equations(rng, features):
    """The gradient of ``||x w + b - y||^2 + penalty ||w||^2`` is nought."""
    x, y = rng.normal(2, 1, (30, features)), rng.normal(0, 1, (30, 3))
    centred = x - x.mean(axis=0)
    penalty = 0.3 * (centred**2).sum() / min(30, features)
    ((w, b),) = baseline.ridge(x, y, [0.3])
    wrong = x @ w + b - y
    assert np.allclose(x.T @ wrong + penalty * w, 0, atol=1e-8)
    assert np.allclose(wrong.sum(axis=0), 0, atol=1e-9)


def test_a_planted_rule_is_found_and_noise_is_not(rng):
    clips = planted(rng)
    fold_of = datasets.group_folds(clips.index["subject"], clips.labels, 3)
    rows = baseline.of_folds(clips, fold_of, "subjects", 0)
    assert min(row["accuracy"] for row in rows) > 0.9
    assert all(row["variant"].startswith(("last frame", "all frames", "first to last")) for row in rows)

    # Were a label of the test side seen in any way, labels without meaning would be answered better than by chance.
    shuffled = datasets.ClipSet(
        "shuffled", clips.clips, rng.permutation(clips.labels), clips.class_names, index=clips.index
    )
    rows = baseline.of_folds(shuffled, fold_of, "subjects", 0)
    assert abs(np.mean([row["accuracy"] for row in rows]) - 1 / 3) < 0.12


def test_labels_of_the_test_side_change_nothing(rng):
    clips = planted(rng, 60)
    split = baseline.split_of(clips, np.arange(60) // 3 % 3, 0, "subjects", 0)
    other = clips.labels.copy()
    other[split.test] = rng.permutation(other[split.test])
    blocks = baseline.read_blocks(clips)
    (first,), (second,) = (baseline.ridge_answers(blocks, labels, [split], 3) for labels in (clips.labels, other))
    for variant, answer in first.items():
        assert np.array_equal(answer.scores, second[variant].scores)
        assert answer.inner_accuracy == second[variant].inner_accuracy


def test_inner_folds_keep_people_together(rng):
    clips = planted(rng)
    train = np.flatnonzero(np.arange(180) % 9 > 2)
    inner = baseline.inner_folds(clips, train, "subjects", 0)
    assert set(inner) == set(range(baseline.INNER_FOLDS))
    for person in set(clips.index["subject"][train]):
        assert len(set(inner[clips.index["subject"][train] == person])) == 1


def test_the_panel_has_the_folds_of_the_run(tmp_path, rng, monkeypatch, capsys):
    """From a folder to JSON: the clips that test are those of the folds of run.py, and the planted rule is found."""
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "bench"))
    import baselines

    clips = planted(rng, 90)
    np.save(tmp_path / "Training.npy", np.tile(clips.clips, (1, 4, 2, 1, 1)))
    np.save(tmp_path / "labels.npy", clips.labels)
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    with open(tmp_path / "index.csv", "w", newline="") as file:
        rows = [(i, i // 3, 0, i // 3, label, "abc"[label], i // 3) for i, label in enumerate(clips.labels)]
        header = ("clip", "source", "first_frame", "subject", "label", "label_name", "video")
        csv.writer(file).writerows([header, *rows])

    task = baselines.read({"train_path": str(tmp_path), "folds": 3})
    fold_of = datasets.split(datasets.load_all(task.settings), task.settings)
    for fold, split in enumerate(task.splits):
        assert np.array_equal(split.test, np.flatnonzero(fold_of == fold))
        assert np.array_equal(split.train, np.flatnonzero(fold_of != fold))

    out = tmp_path / "panel.json"
    assert baselines.main([str(tmp_path), "--folds", "3", "--json", str(out)]) == 0
    found = {row["name"]: row["per_split"] for row in json.loads(out.read_text())["rows"]}
    assert [row["uar"] for row in found["most frequent class"]] == pytest.approx([1 / 3] * 3)
    assert min(row["accuracy"] for row in found["ridge: the best by inner folds"]) > 0.8
    assert min(row["accuracy"] for row in found["logistic regression on its input"]) > 0.8
    assert "| ridge: last frame, standardised" in capsys.readouterr().out
    assert baselines.main([str(tmp_path), "--folds", "3", "--untrained", "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())["rows"]
    assert row["per_split"] == found["ridge on an untrained network's last maps"]

    with pytest.raises(InputError, match="give --val_path, or --folds"):
        baselines.read({"train_path": str(tmp_path)})
