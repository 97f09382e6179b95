"""The names of a run's classes: they go with its checkpoint, and other clips are read in their order or refused."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import run
from emop3d_np.__main__ import main
from emop3d_np.datasets import classes
from emop3d_np.errors import InputError
from emop3d_np.training import checkpoint, evaluation

pytestmark = pytest.mark.once

SHAPE = (8, 14, 14, 1)
NAMES = ("calm", "glad", "sad")


def prepared(folder, names, labels):
    """A prepared folder in which a bright row tells the class by its name."""
    folder.mkdir(exist_ok=True)
    clips = np.random.default_rng(1).integers(0, 100, (len(labels), *SHAPE), np.uint8)
    for clip, label in zip(clips, labels, strict=True):
        row = 4 * NAMES.index(names[label]) if names[label] in NAMES else 0
        clip[:, row : row + 3] += 120
    np.save(folder / "Training.npy", clips)
    np.save(folder / "labels.npy", labels)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    rows = [f"{clip},{clip}.mp4,0,s{clip % 4},{label}" for clip, label in enumerate(labels)]
    (folder / "index.csv").write_text("\n".join(["clip,source,first_frame,subject,label", *rows, ""]))
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on clips of three classes that it has learnt, and the folder of those clips."""
    place = tmp_path_factory.mktemp("named")
    clips = prepared(place / "clips", NAMES, np.arange(24) % 3)
    flags = {"train_path": clips, "depth_frames": 8, "height": 14, "width": 14, "num_classes": 3, "batch_size": 4}
    flags |= {"max_steps": 8, "learning_rate": 0.01, "save_checkpoint": True, "save_path": place / "runs"}
    assert run.main([f"--{name}={value}" for name, value in flags.items()]) == 0
    (folder,) = (place / "runs").iterdir()
    return folder, clips


def evaluated(capsys, *arguments):
    code = main(["evaluate", *map(str, arguments)])
    return code, *capsys.readouterr()


def test_clips_in_another_order_are_read_in_the_networks(trained, tmp_path, capsys):
    folder, clips = trained
    before = evaluation.evaluate_checkpoint(folder, clips)
    assert before["accuracy"] == 1
    for order in ((2, 0, 1), (1, 0, 2)):
        names = [NAMES[k] for k in order]
        labels = np.array([names.index(NAMES[k]) for k in np.arange(24) % 3])
        other = prepared(tmp_path / "other", names, labels)
        found = evaluation.evaluate_checkpoint(folder, other)
        for figure in ("accuracy", "uar", "class_names", "confusion", "recall"):
            assert found[figure] == before[figure], figure
        assert found["notes"] == []


def test_other_names_are_refused_with_both_lists(trained, tmp_path, capsys):
    folder, _ = trained
    for names in (("calm", "glad", "angry"), ("calm", "glad"), (*NAMES, "angry")):
        other = prepared(tmp_path / "other", names, np.arange(24) % len(names))
        code, _, error = evaluated(capsys, folder, other)
        assert code == 2
        assert error.count("\n") == 1
        assert f"its classes are {', '.join(names)}, the network's are calm, glad, sad" in error


def test_numbers_stand_for_themselves(trained, tmp_path, capsys):
    """Labels of an .npy have no names: they are the network's own labels, and are shown by its names."""
    folder, clips = trained
    code, out, _ = evaluated(capsys, folder, clips / "Training.npy", "--labels", clips / "labels.npy")
    assert code == 0
    assert "accuracy 100.0 %" in out
    assert "\nglad " in out


def test_predict_names_classes_as_the_run_did(trained, tmp_path, monkeypatch, capsys):
    """Whatever lies at the path that its training clips had."""
    folder, clips = trained
    state = checkpoint.load(folder / "3dpyranet.ckpt")
    state.settings = state.settings | {"train_path": "clips"}
    (tmp_path / "run").mkdir()
    checkpoint.save(tmp_path / "run" / "3dpyranet.ckpt", state)
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "classes.txt").write_text("sadness\nhappiness\nanger\n")
    monkeypatch.chdir(tmp_path)
    assert main(["predict", str(clips / "Training.npy"), "--checkpoint", "run", "--json"]) == 0
    out, error = capsys.readouterr()
    assert list(json.loads(out.splitlines()[0])["probabilities"]) == list(NAMES)
    assert "note" not in error


def test_an_older_checkpoint_says_where_its_names_are_from(trained, tmp_path, capsys):
    folder, clips = trained
    state = checkpoint.load(folder / "3dpyranet.ckpt")
    assert state.class_names == NAMES
    state.data = {}
    older = tmp_path / "older.ckpt"
    checkpoint.save(older, state)
    assert main(["predict", str(clips / "Training.npy"), "--checkpoint", str(older), "--json"]) == 0
    out, error = capsys.readouterr()
    assert list(json.loads(out.splitlines()[0])["probabilities"]) == list(NAMES)
    assert f"holds no names of classes; they are those of {clips / 'classes.txt'}" in error
    code, out, error = evaluated(capsys, older, clips)
    assert code == 0
    assert "accuracy 100.0 %" in out
    assert "holds no names of classes: labels are taken as the clips have them" in error


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"a\nb\n", ("a", "b")),
        (b"a\nb", ("a", "b")),
        (b"a\n b \n", ("a", " b ")),
        (b"\xef\xbb\xbfa\r\nb\r\n\r\n \n", ("a", "b")),
        ("é\n狂喜\n".encode(), ("é", "狂喜")),
    ],
)
def test_names_are_read(tmp_path, content, names):
    (tmp_path / "classes.txt").write_bytes(content)
    assert classes.read_names(tmp_path / "classes.txt") == names


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\n\nb\n", "the name of class 2 of 3 is empty"),
        (b"a\nb\na\n", "names a class twice: a, b, a"),
        ("a\nb\u2028c\n".encode(), r"the name 'b\\u2028c' holds a line break"),
        (b"a\nb\x1b[2J\n", r"the name 'b\\x1b\[2J' holds"),
        (b"a\rb\n", r"the name 'a\\rb' holds"),
        (b"a\n\xff\n", "is no text in UTF-8"),
        (b"a\n" * (classes.MOST_NAMES // 2 + 1), "is larger than 1,048,576 bytes"),
    ],
)
def test_names_that_cannot_be_are_refused(tmp_path, content, words):
    path = tmp_path / "classes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as error:
        classes.read_names(path)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@given(st.text(max_size=12))
def test_a_name_is_refused_or_comes_back(name):
    """Whatever is allowed is written one per line and read as it was."""
    steering = {*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029}
    if name.strip() and not steering & set(map(ord, name)):
        classes.require_names(["a first", name], "x")
        assert f"a first\n{name}\n".splitlines() == ["a first", name]
    else:
        with pytest.raises(InputError) as error:
            classes.require_names(["a first", name], "x")
        assert len(str(error.value).splitlines()) == 1


@given(st.permutations(["a", "b", "c", "d"]), st.integers(0, 3))
def test_places(order, label):
    found = classes.places(order, ["a", "b", "c", "d"], "x", "y")
    assert ["a", "b", "c", "d"][found[label]] == order[label]
