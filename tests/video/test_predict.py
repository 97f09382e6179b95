"""``predict``: the timeline of a video says of each clip what the network says of it, in every form of output."""

import json
import signal

import numpy as np
import pytest
from videos import blank, moving_face, needs_faces, write

import run
from emop3d_np.__main__ import main
from emop3d_np.errors import InputError
from emop3d_np.training import building, checkpoint, flags
from emop3d_np.video import annotated
from emop3d_np.video import predict as module
from emop3d_np.video.decode import Video
from emop3d_np.video.prepare import FaceSettings, prepare

pytestmark = [needs_faces, pytest.mark.once]
NAMES = ("still", "moved")


def network(folder, tmp_path, **more):
    """A run's folder with an untrained network for clips of 8 frames of 16 x 16."""
    shape = {"depth_frames": 8, "height": 16, "width": 16, "num_classes": 2, "backend": "reference"}
    chosen = flags.merge(shape | {"train_path": str(tmp_path / "data" / "Training.npy")} | more)
    net = building.build_network(chosen)
    folder.mkdir()
    state = checkpoint.Checkpoint(1, vars(chosen), net.parameters, {}, {})
    checkpoint.save(folder / chosen.checkpoint_name, state)
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "classes.txt").write_text("still\nmoved\n")
    return net


@pytest.fixture
def trained(tmp_path):
    network(tmp_path / "run", tmp_path)
    return tmp_path / "run"


def lines(capsys):
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_video_is_answered_as_its_clips_are(tmp_path, trained, capsys):
    """The way through ``prepare`` and the direct one meet, whatever the overlap."""
    path = write(tmp_path / "in/x.mp4", np.concatenate([moving_face(20), blank(9), moving_face(12)]), "libx264")
    (tmp_path / "list.csv").write_text("path,label,subject\nin/x.mp4,still,1\n")
    predictor = module.Predictor(trained)
    for overlap in (0, 4, 7):
        prepare(tmp_path / "list.csv", tmp_path / "out", None, 8, overlap, "uint8", FaceSettings(16), progress=False)
        clips = np.load(tmp_path / "out" / "Training.npy")
        index = np.loadtxt(tmp_path / "out" / "index.csv", str, delimiter=",", skiprows=1, ndmin=2)
        assert main(["predict", str(path), "--checkpoint", str(trained), "--overlap", str(overlap), "--json"]) == 0
        found = lines(capsys)
        expected = predictor.probabilities(clips)
        assert [row["first_frame"] for row in found] == [int(first) for first in index[:, 2]]
        for number, (row, probabilities) in enumerate(zip(found, expected, strict=True)):
            assert row["clip"] == number
            assert row["last_frame"] == row["first_frame"] + 7
            assert row["start"] == pytest.approx(row["first_frame"] / 25, abs=2e-3)
            assert row["end"] == pytest.approx(row["last_frame"] / 25, abs=2e-3)
            assert list(row["probabilities"]) == list(NAMES)
            assert np.allclose(list(row["probabilities"].values()), probabilities, atol=1e-5)
            assert row["label"] == NAMES[probabilities.argmax()]
    assert len(found) > 20


def test_table_picture_and_annotated_video(tmp_path, trained, capsys):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    av = pytest.importorskip("av")
    path = write(tmp_path / "x.mp4", np.concatenate([moving_face(20), blank(9), moving_face(12)]), "libx264")
    outputs = ["--picture", tmp_path / "x.png", "--annotated", tmp_path / "drawn.mp4"]
    assert main(list(map(str, ["predict", path, "--checkpoint", trained, "--overlap", "4", *outputs]))) == 0
    out, error = capsys.readouterr()
    header, *table = out.splitlines()
    assert "still, moved" in header
    assert len(table) == 7
    assert table[1].split()[:4] == ["1", "4-", "11", "0.16-"]
    assert "41 frames, 9 without a face; 7 clips" in error
    assert "all clips together: " in error
    assert (tmp_path / "x.png").read_bytes()[:4] == b"\x89PNG"
    with av.open(str(tmp_path / "drawn.mp4")) as drawn, av.open(str(path)) as plain:
        pairs = list(zip(drawn.decode(video=0), plain.decode(video=0), strict=True))
    green = [(one.to_ndarray(format="rgb24").astype(int) - other.to_ndarray(format="rgb24"))[..., 1] > 60
             for one, other in pairs]  # fmt: skip
    marked = [picture.any() for picture in green]
    # The five frames after the face is gone are bridged, the next four are lost.
    assert marked == [True] * 25 + [False] * 4 + [True] * 12


def test_npy(tmp_path, trained, rng, capsys):
    clips = rng.integers(0, 255, (3, 8, 16, 16, 1), np.uint8)
    expected = module.Predictor(trained).probabilities(clips)
    np.save(tmp_path / "clips.npy", clips)
    np.save(tmp_path / "frames.npy", clips.reshape(24, 16, 16, 1) / 255)
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    picture = ["--picture", str(tmp_path / "x.png")]
    assert main(["predict", str(tmp_path / "clips.npy"), "--checkpoint", str(trained), "--json", *picture]) == 0
    found = lines(capsys)
    assert np.allclose([list(row["probabilities"].values()) for row in found], expected, atol=1e-5)
    assert "start" not in found[0]
    arguments = ["predict", str(tmp_path / "frames.npy"), "--checkpoint", str(trained), "--json", "--overlap", "4"]
    assert main(arguments) == 0
    found = lines(capsys)
    assert [row["first_frame"] for row in found] == [0, 4, 8, 12, 16]
    assert np.allclose([list(row["probabilities"].values()) for row in found[::2]], expected, atol=1e-5)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_never_answered(tmp_path, trained, rng, capsys, value):
    """Standardising would hide them.  All clips are looked at before the first is answered."""
    clips = rng.random((3, 8, 16, 16, 1), np.float32)
    clips[2, 1, 3, 4, 0] = value
    files = {"clips.npy": clips, "frames.npy": clips.reshape(24, 16, 16, 1)}
    places = (
        f"clip 2 holds {value} at (d, h, w, c) = (1, 3, 4, 0)",
        f"frame 17 holds {value} at (h, w, c) = (3, 4, 0)",
    )
    for (name, array), place in zip(files.items(), places, strict=True):
        np.save(tmp_path / name, array)
        assert main(["predict", str(tmp_path / name), "--checkpoint", str(trained), "--json"]) == 2
        out, error = capsys.readouterr()
        assert out == ""
        assert error.splitlines()[-1].endswith(f"{name}: {place}; take it out, or replace the value")
    np.save(tmp_path / "labels.npy", np.zeros(3, int))
    given = ["evaluate", trained, tmp_path / "clips.npy", "--labels", tmp_path / "labels.npy"]
    assert main(list(map(str, given))) == 2
    assert places[0] in capsys.readouterr().err
    with pytest.raises(InputError, match="clip 2 holds"):
        module.Predictor(trained).probabilities(clips)


def test_a_run_on_shrunk_clips(tmp_path, rng, capsys):
    """Clips, frames and faces are taken as they are stored, and shrunk then."""
    net = network(tmp_path / "run", tmp_path, height=32, width=32, shrink=2)
    assert net.input_shape == (8, 16, 16, 1)
    clips = rng.integers(0, 255, (3, 8, 32, 32, 1), np.uint8)
    means = clips.reshape(3, 8, 16, 2, 16, 2, 1).mean(axis=(3, 5))
    centred = means - means.mean(axis=(2, 3), keepdims=True)
    expected = net.predict_proba(centred / centred.std(axis=(2, 3), keepdims=True))
    np.save(tmp_path / "clips.npy", clips)
    assert main(["predict", str(tmp_path / "clips.npy"), "--checkpoint", str(tmp_path / "run"), "--json"]) == 0
    assert np.allclose([list(row["probabilities"].values()) for row in lines(capsys)], expected, atol=1e-5)
    assert module.Predictor(tmp_path / "run").tracker().size == 32


def test_cameras(tmp_path, trained, monkeypatch, capsys):
    """A camera is an input device of FFmpeg; here one that plays a file."""
    path = write(tmp_path / "x.mp4", moving_face(20), "libx264")
    monkeypatch.setattr(module, "CAMERAS", {module.sys.platform: ("lavfi", f"movie={path}")})
    assert main(["predict", "camera", "--checkpoint", str(trained), "--json", "--overlap", "0"]) == 0
    assert [row["first_frame"] for row in lines(capsys)] == [0, 8]
    monkeypatch.setattr(module, "CAMERAS", {})
    with pytest.raises(InputError, match="cameras are known for"):
        module.open_source("camera:1")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_a_video_is_written(tmp_path, trained, monkeypatch, capsys, number):
    """A camera shows nothing twice: what was seen is in the file, and plays."""
    pytest.importorskip("PIL")
    path = write(tmp_path / "x.mp4", moving_face(40), "libx264")
    monkeypatch.setattr(module, "CAMERAS", {module.sys.platform: ("lavfi", f"movie={path}:loop=0,setpts=N/25/TB")})
    seen, original = [], module.Predictor.probabilities

    def pressed(predictor, clips):
        seen.append(clips)
        if len(seen) == 12:  # the camera has begun its film anew
            signal.raise_signal(number)
        return original(predictor, clips)

    monkeypatch.setattr(module.Predictor, "probabilities", pressed)
    arguments = ["predict", "camera", "--checkpoint", trained, "--json", "--annotated", tmp_path / "drawn.mp4"]
    assert main(list(map(str, arguments))) == 0
    assert "stopped; what was seen so far counts" in capsys.readouterr().err
    with Video(tmp_path / "drawn.mp4") as video:
        assert len(list(video)) == 8 + 11 * 4
    assert sorted(each.name for each in tmp_path.iterdir()) == ["data", "drawn.mp4", "run", "x.mp4"]


def test_an_annotated_video_that_fails_leaves_what_was_there(tmp_path, trained, monkeypatch, capsys):
    pytest.importorskip("PIL")
    path = write(tmp_path / "x.mp4", moving_face(12), "libx264")
    (tmp_path / "drawn.mp4").write_text("from before")
    monkeypatch.setattr(annotated, "_draw", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    arguments = ["predict", path, "--checkpoint", trained, "--json", "--annotated", tmp_path / "drawn.mp4"]
    assert main(list(map(str, arguments))) == 2
    assert "drawn.mp4 cannot be written: No space left on device" in capsys.readouterr().err
    assert (tmp_path / "drawn.mp4").read_text() == "from before"
    assert not list(tmp_path.glob(".*"))


def test_class_names(tmp_path, trained, capsys):
    assert module.Predictor(trained).class_names == NAMES
    (trained / "classes.txt").write_text("a\nb\n")
    assert module.Predictor(trained).class_names == ("a", "b")
    (trained / "classes.txt").write_text("a\nb\nc\n")
    (tmp_path / "data" / "classes.txt").unlink()
    assert module.Predictor(trained).class_names == ("0", "1")
    network(tmp_path / "drawn", tmp_path, train_path=None, num_classes=6)
    assert module.Predictor(tmp_path / "drawn").class_names[0] == "anger"


def test_a_run_that_was_trained(tmp_path, rng, capsys):
    """What run.py leaves behind is what --checkpoint takes."""
    np.save(tmp_path / "x.npy", rng.integers(0, 255, (8, 8, 14, 14, 1), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(8) % 2)
    flags = {"train_path": tmp_path / "x.npy", "train_labels_path": tmp_path / "y.npy", "save_path": tmp_path / "runs"}
    flags |= {"depth_frames": 8, "height": 14, "width": 14, "num_classes": 2, "batch_size": 4, "max_steps": 1}
    flags |= {"save_checkpoint": True, "backend": "reference"}
    assert run.main([f"--{name}={value}" for name, value in flags.items()]) == 0
    capsys.readouterr()
    (folder,) = (tmp_path / "runs").iterdir()
    assert main(["predict", str(tmp_path / "x.npy"), "--checkpoint", str(folder), "--json"]) == 0
    assert len(lines(capsys)) == 8


def test_mistakes_are_named(tmp_path, trained, capsys, rng):
    good = write(tmp_path / "x.mp4", moving_face(9), "libx264")

    def failing(words, source, folder=trained, *more):
        assert main(list(map(str, ["predict", source, "--checkpoint", folder, *more]))) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("python -m emop3d_np: error: ")
        assert words in error

    failing("there is no such file", tmp_path / "absent.mp4")
    failing("there is no such file", tmp_path / "absent.npy")
    failing("no clip: 8 frames with a face in a row are needed", write(tmp_path / "n.mp4", blank(20), "libx264"))
    failing("--overlap is 8; clips of 8 frames can share 0 to 7", good, trained, "--overlap", 8)
    failing(f"the folder {tmp_path} holds no 3dpyranet.ckpt; train with --save_checkpoint True", good, tmp_path)
    failing("there is no checkpoint", good, tmp_path / "absent.ckpt")
    failing("cannot be written", good, trained, "--annotated", tmp_path / "nowhere" / "x.mp4")
    failing("cannot be written", good, trained, "--annotated", tmp_path / "x.unknown")
    failing("holds no video to draw in", tmp_path / "x.npy", trained, "--annotated", tmp_path / "y.mp4")
    network(tmp_path / "wide", tmp_path, width=20)
    failing("faces of a video are square, of one channel", good, tmp_path / "wide")
    network(tmp_path / "raw", tmp_path, normalize=False)
    failing("trained with --normalize False", good, tmp_path / "raw")
    for name, content in {"shape.npy": np.zeros((3, 8, 16, 17, 1)), "empty.npy": np.zeros((0, 16, 16, 1))}.items():
        np.save(tmp_path / name, content)
        failing("this network takes clips (n, *(8, 16, 16, 1)) or frames (t, *(16, 16, 1))", tmp_path / name)
    np.save(tmp_path / "words.npy", np.full((8, 16, 16, 1), "x"))
    failing("has dtype <U1", tmp_path / "words.npy")
    (tmp_path / "text.npy").write_text("no array")
    failing("cannot be read as .npy", tmp_path / "text.npy")


def test_moments_are_spread_evenly():
    for count in (0, 1, 5, 24, 25, 1000, 12345):
        moments = module.Moments()
        for number in range(count):
            moments.add(number)
        chosen = moments.evenly()
        assert len(moments.kept) <= 24
        assert len(chosen) == min(count, 12)
        if count >= 100:
            assert np.diff(chosen).max() <= 3 * np.diff(chosen).min()
            assert chosen[0] == 0
            assert chosen[-1] > 0.9 * count
