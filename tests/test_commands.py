"""``python -m emop3d_np``: each command does its work, and says in one line what stands in its way."""

import builtins

import numpy as np
import pytest

import run
from emop3d_np.__main__ import main
from emop3d_np.training import settings


def failing(capsys, words, *arguments):
    assert main(list(map(str, arguments))) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m emop3d_np: error: ")
    assert words in error
    assert error.count("\n") == 1


def test_settings_prints_the_table(capsys):
    assert main(["settings"]) == 0
    assert capsys.readouterr().out == settings.markdown() + "\n"


def test_wrong_commands(capsys, tmp_path):
    failing(capsys, "the following arguments are required: COMMAND")
    failing(capsys, "invalid choice: 'paint'", "paint")
    failing(capsys, "invalid numbers value: 'x'", "strokes", "a.zip", "out", "--held_out", "x")
    failing(capsys, "absent.zip", "strokes", tmp_path / "absent.zip", tmp_path / "out")


def test_pictures(capsys, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    labels = np.arange(8) % 3
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 255, (8, 8, 14, 14, 1), np.uint8))
    np.save(tmp_path / "y.npy", labels)
    x, y = tmp_path / "x.npy", tmp_path / "y.npy"
    flags = ["--train_path", x, "--train_labels_path", y, "--val_path", x, "--val_labels_path", y, "--save_checkpoint"]
    sizes = {"depth_frames": 8, "height": 14, "width": 14, "num_classes": 3, "batch_size": 4, "max_steps": 2}
    flags += [f"--{name}={value}" for name, value in sizes.items()]
    assert run.main(list(map(str, [*flags, "--save_path", tmp_path / "runs"]))) == 0
    (folder,) = (tmp_path / "runs").iterdir()
    capsys.readouterr()
    for arguments in (["report", folder], ["faces"]):
        picture = tmp_path / f"{arguments[0]}.png"
        assert main(list(map(str, [*arguments, picture]))) == 0
        assert picture.read_bytes()[:4] == b"\x89PNG"
    capsys.readouterr()
    failing(capsys, "holds no history.jsonl", "report", tmp_path, tmp_path / "x.png")
    failing(capsys, "cannot be written", "report", folder, tmp_path / "nowhere" / "x.png")


def test_pictures_without_matplotlib(capsys, tmp_path, monkeypatch):
    original = builtins.__import__

    def without(name, *args):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    failing(capsys, "pictures need matplotlib: pip install 'emop3d-np[plots]'", "faces", tmp_path / "x.png")
