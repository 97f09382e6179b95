"""What cannot be known is not shown: the recall of a class that a fold's network never saw, and no NaN in JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import run
from emop3d_np import datasets, files
from emop3d_np.__main__ import main
from emop3d_np.training import crossvalidation

pytestmark = pytest.mark.once


def clip_set(labels, names):
    return datasets.ClipSet("clips", np.zeros((len(labels), 1, 1, 1, 1)), np.array(labels), names)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=20))
def test_a_class_is_unseen_where_no_other_fold_has_it(rows):
    labels, fold_of = np.array([*rows, (0, 0), (0, 1), (0, 2)]).T
    found = crossvalidation.unseen(clip_set(labels, ("a", "b", "c")), fold_of)
    for label, name in enumerate("abc"):
        never = [
            fold for fold in range(3)
            if (labels[fold_of == fold] == label).any() and not (labels[fold_of != fold] == label).any()
        ]  # fmt: skip
        assert [found[name] - 1] == never if name in found else not never


def test_its_recall_is_not_shown(capsys):
    labels, fold_of = [0, 1, 0, 1, 2, 2], np.array([0, 0, 1, 1, 1, 1])
    clips = clip_set(labels, ("calm", "glad", "rare"))
    result = crossvalidation.summarize(clips, fold_of, np.eye(3)[[0, 1, 0, 1, 0, 2]], "clips")
    assert result["unseen"] == {"rare": 2}
    text = crossvalidation.as_markdown(result)
    assert "**Warning:** all clips of a class lie in one fold" in text
    assert "has never seen the class: rare (fold 2); its recall is not shown" in text
    assert "| rare | 1 | 0 | 1 | - | - |" in text
    assert "| glad | 0 | 2 | 0 | 100.0 % | 100.0 % |" in text
    every = crossvalidation.summarize(clips, np.array([0, 0, 1, 1, 0, 1]), np.eye(3)[[0, 1, 0, 1, 0, 2]], "clips")
    assert every["unseen"] == {}
    assert "never seen" not in crossvalidation.as_markdown(every)
    assert "| rare | 1 | 0 | 1 | 50.0 % | 50.0 % |" in crossvalidation.as_markdown(every)


def test_it_is_said_before_training(tmp_path, capsys):
    """And a byte order mark in index.csv does no harm."""
    labels, people = [0, 1] * 6 + [2, 2], [f"s{clip % 4}" for clip in range(12)] + ["alone"] * 2
    np.save(tmp_path / "Training.npy", np.random.default_rng(0).integers(0, 255, (14, 6, 12, 12, 1), np.uint8))
    np.save(tmp_path / "labels.npy", labels)
    (tmp_path / "classes.txt").write_text("calm\nglad\nrare\n")
    rows = [f"{clip},v{clip},0,{who},{label}" for clip, (who, label) in enumerate(zip(people, labels, strict=True))]
    text = "\n".join(["clip,source,first_frame,subject,label", *rows])
    (tmp_path / "index.csv").write_text(text, encoding="utf-8-sig")
    given = {"train_path": tmp_path, "save_path": tmp_path / "runs", "folds": 2, "num_classes": 3, "batch_size": 2}
    given |= {
        "depth_frames": 6,
        "height": 12,
        "width": 12,
        "receptive_field": "2,3,3",
        "pool": "2,2,2",
        "max_steps": 0.5,
    }
    assert run.main([f"--{name}={value}" for name, value in given.items()] + ["--backend=reference", "--fold=1"]) == 0
    out = capsys.readouterr().out
    assert "warning: all clips of a class lie in one fold" in out
    assert out.index("never seen the class: rare (fold ") < out.index("--- fold 1 of 2")


plain = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_json_has_no_nan(value):
    def refuse(name):
        raise AssertionError(name)

    found = json.loads(files.as_json(value), parse_constant=refuse)
    assert found == json.loads(json.dumps(value), parse_constant=lambda _: None)


@pytest.mark.parametrize("classes", [1, 2])
def test_evaluate_writes_no_nan(tmp_path, classes, capsys):
    """Of one class there is no AUC; of values too large for float32 no loss."""
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (4, 6, 12, 12, 1), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(4) % classes)
    given = {"train_path": tmp_path / "x.npy", "train_labels_path": tmp_path / "y.npy", "num_classes": classes}
    given |= {"depth_frames": 6, "height": 12, "width": 12, "receptive_field": "2,3,3", "pool": "2,2,2", "max_steps": 1}
    given |= {"batch_size": 2, "save_path": tmp_path / "runs", "save_checkpoint": True, "backend": "reference"}
    given |= {"normalize": False}
    assert run.main([f"--{name}={value}" for name, value in given.items()]) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    for scale in (1.0, 1e38):
        np.save(tmp_path / "z.npy", np.load(tmp_path / "x.npy") * np.float32(scale / 255))
        command = [
            "evaluate",
            folder,
            tmp_path / "z.npy",
            "--labels",
            tmp_path / "y.npy",
            "--json",
            tmp_path / "a.json",
        ]
        with np.errstate(all="ignore"):
            assert main(list(map(str, command))) == 0
        text = (tmp_path / "a.json").read_text()
        assert "NaN" not in text
        assert "Infinity" not in text
        assert (json.loads(text)["auc"] is None) == (classes == 1)
