"""The record of how clips came to be: from ``prepare`` through the run into ``predict`` and ``evaluate``."""

import json
import re
import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from videos import moving_face, needs_faces, write

import run
from emop3d_np.__main__ import main
from emop3d_np.datasets import load_prepared, record, strokes
from emop3d_np.errors import InputError
from emop3d_np.training import checkpoint
from emop3d_np.video import cutting, prepare
from emop3d_np.video import predict as module
from emop3d_np.video.prepare import FaceSettings

pytestmark = pytest.mark.once

OTHER = {"face": "central", "detect_every": 3, "min_face": 0.2, "patience": 2, "margin": 0.6, "fps": 12.5}
"""A value for each flag that is not its default."""


def some(**more):
    faces = cutting.as_flags(FaceSettings())
    values = {"class_names": ("A", "B"), "depth_frames": 8, "height": 16, "width": 16, "channels": 1, "grey": True}
    return record.Record(**{**values, "overlap": 2, "faces": faces, "made_by": "prepare"} | more)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Videos prepared with a flag changed each, and a run on them: the folder of clips, that of the run, a video."""
    place = tmp_path_factory.mktemp("recorded")
    for label in "AB":
        write(place / "src" / label / "s1" / "a.mp4", moving_face(44, seed=ord(label)))
    flags = [f"--{name}={value}" for name, value in OTHER.items()]
    sizes = ["--size", "16", "--depth_frames", "8", "--overlap", "6", "--processes", "1"]
    assert main(["prepare", str(place / "src"), str(place / "clips"), *flags, *sizes]) == 0
    given = {"train_path": place / "clips", "depth_frames": 8, "height": 16, "width": 16, "num_classes": 2}
    given |= {"batch_size": 4, "max_steps": 1, "save_checkpoint": True, "save_path": place / "runs"}
    assert run.main([f"--{name}={value}" for name, value in given.items()]) == 0
    (folder,) = (place / "runs").iterdir()
    return place / "clips", folder, place / "src" / "A" / "s1" / "a.mp4"


@needs_faces
def test_one_record_from_prepare_to_predict(trained, capsys):
    """``predict`` without flags cuts the very clips that ``prepare`` did, and answers them so."""
    clips, folder, video = trained
    made = record.read(clips)
    assert made.faces == OTHER
    assert (made.shape, made.overlap, made.class_names) == ((8, 16, 16, 1), 6, ("A", "B"))
    assert made == record.read(folder) == checkpoint.load(folder / "3dpyranet.ckpt").record
    assert main(["predict", str(video), "--checkpoint", str(folder), "--json"]) == 0
    out, error = capsys.readouterr()
    assert "note: " not in error
    index = np.loadtxt(clips / "index.csv", str, delimiter=",", skiprows=1)
    own = [int(row[0]) for row in index if row[1] == "A/s1/a.mp4"]
    found = [json.loads(line) for line in out.splitlines()]
    assert [row["first_frame"] for row in found] == [int(index[clip][2]) for clip in own]
    assert len(own) >= 5
    expected = module.Predictor(folder).probabilities(np.load(clips / "Training.npy")[own])
    assert np.allclose([list(row["probabilities"].values()) for row in found], expected, atol=1e-5)


@needs_faces
def test_what_is_given_is_used_and_said(trained, capsys):
    _, folder, video = trained
    assert main(["predict", str(video), "--checkpoint", str(folder), "--margin", "0.3", "--fps", "25", "--json"]) == 0
    out, error = capsys.readouterr()
    assert "note: --margin 0.3 is used as given; the training clips were cut out with --margin 0.6\n" in error
    assert "note: --fps 25 is used as given; the training clips were cut out with --fps 12.5\n" in error
    assert error.count("note: ") == 2
    assert len(out.splitlines()) == 19  # 44 frames, not 22
    assert json.loads(out.splitlines()[1])["first_frame"] == 2


@needs_faces
def test_without_a_record_the_defaults_are_said(trained, tmp_path, capsys):
    _, folder, video = trained
    state = checkpoint.load(folder / "3dpyranet.ckpt")
    state.data["record"] = None
    checkpoint.save(tmp_path / "older.ckpt", state)
    assert main(["predict", str(video), "--checkpoint", str(tmp_path / "older.ckpt"), "--json"]) == 0
    error = capsys.readouterr().err
    words = "note: how the training clips were cut out is not recorded; faces are cut out by --face largest "
    assert f"{words}--detect_every 5 --min_face 0.1 --patience 5 --margin 0.241758\n" in error


@needs_faces
def test_evaluate_says_that_clips_were_cut_otherwise(trained, tmp_path, capsys):
    clips, folder, _ = trained
    assert main(["evaluate", str(folder), str(clips)]) == 0
    assert "note: " not in capsys.readouterr().err
    for name in ("Training.npy", "labels.npy", "index.csv", "classes.txt"):
        (tmp_path / name).write_bytes((clips / name).read_bytes())
    assert main(["evaluate", str(folder), str(tmp_path)]) == 0  # a folder without a record
    assert "note: " not in capsys.readouterr().err
    made = record.read(clips)
    record.write(tmp_path, record.from_dict(made.as_dict() | {"faces": OTHER | {"margin": 0.25, "fps": None}}, "x"))
    assert main(["evaluate", str(folder), str(tmp_path)]) == 0
    words = "note: the clips were cut out unlike the network's training clips: --margin 0.25 in place of --margin 0.6, "
    assert f"{words}no --fps in place of --fps 12.5\n" in capsys.readouterr().err


@needs_faces
def test_a_folder_that_is_not_whole_has_no_record(trained, tmp_path, monkeypatch):
    """Other clips, written halfway over those of before, are not told by the old record."""
    clips, _, video = trained
    shutil.copytree(clips, tmp_path / "clips")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(prepare, "_describe", full)
    faces = FaceSettings(
        16, *(OTHER[flag] for flag in ("face", "detect_every", "min_face", "patience", "margin", "fps"))
    )
    with pytest.raises(InputError, match="No space left on device"):
        prepare.prepare(video.parents[2], tmp_path / "clips", None, 4, 0, "uint8", faces, progress=False)
    assert record.read(tmp_path / "clips") is None
    (tmp_path / "list.csv").write_text("path,label,subject\nx.mp4,a\tb,1\n")
    with pytest.raises(InputError, match=r"the name 'a\\tb' holds a line break or another control character"):
        prepare.prepare(tmp_path / "list.csv", tmp_path / "out", progress=False)


@given(st.dictionaries(st.sampled_from(list(OTHER)), st.none() | st.just("other")))
def test_what_is_given_wins_over_the_record_and_the_record_over_defaults(given):
    made, default = some(faces=OTHER), FaceSettings()
    names = {flag: name for name, flag in cutting.FLAGS.items()}
    options, notes = cutting.as_trained(made, {names[flag]: value for flag, value in given.items()}, default)
    kept = {flag: value for flag, value in given.items() if value is not None}
    assert options == {names[flag]: kept.get(flag, value) for flag, value in OTHER.items()}
    assert len(notes) == len(kept)
    options, notes = cutting.as_trained(None, {names[flag]: value for flag, value in given.items()}, default)
    assert options == {name: kept.get(flag, getattr(default, name)) for flag, name in names.items()}
    assert len(notes) == 1


def test_strokes_leave_a_record(tmp_path):
    (tmp_path / "pen" / "Alpha" / "character01").mkdir(parents=True)
    (tmp_path / "pen" / "Alpha" / "character01" / "0001_01.txt").write_text("START\n10,-20,0\n30,-40,5\nBREAK\n")
    strokes.prepare_strokes(tmp_path / "pen", tmp_path / "pens", None, (2, 8, 9, 3), progress=False)
    made = load_prepared(tmp_path / "pens", (2, 8, 9, 3), 1).record
    assert (made.class_names, made.shape, made.faces, made.made_by) == (("Alpha",), (2, 8, 9, 3), None, "strokes")


def test_a_record_of_other_clips_is_refused(tmp_path, capsys):
    (tmp_path / "pen" / "Alpha" / "character01").mkdir(parents=True)
    (tmp_path / "pen" / "Alpha" / "character01" / "0001_01.txt").write_text("START\n10,-20,0\n30,-40,5\nBREAK\n")
    strokes.prepare_strokes(tmp_path / "pen", tmp_path / "pens", None, (2, 8, 9, 3), progress=False)
    (tmp_path / "pens" / "classes.txt").write_text("Beta\n")
    with pytest.raises(InputError, match=r"record\.json: the classes were Alpha when it was written, and are Beta"):
        load_prepared(tmp_path / "pens", (2, 8, 9, 3), 1)
    (tmp_path / "pens" / "record.json").unlink()
    assert load_prepared(tmp_path / "pens", (2, 8, 9, 3), 1).class_names == ("Beta",)


def test_a_record_comes_back(tmp_path):
    for made in (some(), some(faces=OTHER, class_names=("é", "狂喜")), some(faces=None, overlap=None, grey=False)):
        record.write(tmp_path, made)
        assert record.read(tmp_path) == made
    assert record.read(tmp_path / "nowhere") is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "has format 2; this version reads format 1"),
        ({"class_names": "AB"}, "class_names is 'AB', which cannot be"),
        ({"class_names": ["A", "A"]}, "names a class twice"),
        ({"depth_frames": True}, "depth_frames is True"),
        ({"height": 0}, "height is 0"),
        ({"overlap": 8}, "overlap is 8"),
        ({"grey": 1}, "grey is 1"),
        ({"faces": []}, r"faces is \[\]"),
        ({"faces": cutting.as_flags(FaceSettings()) | {"margin": 1.5}}, "faces: margin is 1.5"),
        ({"faces": cutting.as_flags(FaceSettings()) | {"fps": -1}}, "faces: fps is -1"),
        ({"faces": cutting.as_flags(FaceSettings()) | {"min_face": float("nan")}}, "faces: min_face is nan"),
        ({"faces": cutting.as_flags(FaceSettings()) | {"face": ["largest"]}}, "faces: face is"),
    ],
)
def test_records_that_cannot_be_are_refused(tmp_path, change, words):
    (tmp_path / "record.json").write_text(json.dumps(some().as_dict() | change))
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "record.json")) + ": .*" + words) as error:
        record.read(tmp_path)
    assert "\n" not in str(error.value)
