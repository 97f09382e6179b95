"""``python -m emop3d_np``: each command does its work, and says in one line what stands in its way."""

import builtins
from importlib import import_module

import numpy as np
import pytest

import emop3d_np as emo
import run
from emop3d_np import commands
from emop3d_np.__main__ import main
from emop3d_np.training import flags

pytestmark = pytest.mark.once


def failing(capsys, words, *arguments):
    assert main(list(map(str, arguments))) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m emop3d_np: error: ")
    assert words in error
    assert error.count("\n") == 1


def test_settings_prints_the_table(capsys):
    assert main(["settings"]) == 0
    assert capsys.readouterr().out == flags.markdown() + "\n"


def test_wrong_commands(capsys, tmp_path):
    failing(capsys, "the following arguments are required: COMMAND")
    failing(capsys, "invalid choice: 'paint'", "paint")
    failing(capsys, "invalid numbers value: 'x'", "strokes", "a.zip", "out", "--held_out", "x")
    failing(capsys, "absent.zip", "strokes", tmp_path / "absent.zip", tmp_path / "out")


def test_names_that_begin_like_flags(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-x.mp4").touch()
    failing(capsys, "the file -x.mp4 is taken for a flag: write ./-x.mp4", "predict", "-x.mp4", "--checkpoint", "run")
    assert run.main(["--train_path", "-x.mp4"]) == 2
    words = "argument --train_path: expected one argument; python run.py --help lists all flags; the file -x.mp4 is"
    assert words in capsys.readouterr().err
    failing(capsys, "there is no checkpoint run", "predict", "./-x.mp4", "--checkpoint", "run")


def test_every_command_has_help_with_an_example(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    overview = capsys.readouterr().out
    for name in commands.NAMES:
        assert f"    {name}" in overview
        with pytest.raises(SystemExit) as end:
            main([name, "--help"])
        assert end.value.code == 0
        page = capsys.readouterr().out
        assert "--learning_rate" in page if name == "train" else f"example:\n  python -m emop3d_np {name}" in page


def test_version(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out == f"emop3d-np {emo.__version__}\n"


def test_train_is_run_py(capsys):
    assert main(["train", "--learning_rate", "fast"]) == run.main(["--learning_rate", "fast"]) == 2
    one, other = capsys.readouterr().err.splitlines()
    assert one == other == "run.py: error: --learning_rate is 'fast'; it must be a number above 0"


def test_the_console_script_calls_itself_emop3d(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["emop3d", "paint"])
    assert commands.emop3d() == 2
    assert capsys.readouterr().err.startswith("emop3d: error: argument COMMAND: invalid choice: 'paint'")


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (MemoryError(), 2, "error: not enough memory; give fewer or smaller clips at a time\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
        (emo.InputError("no such thing"), 2, "error: no such thing\n"),
    ],
)
def test_every_command_ends_alike(capsys, monkeypatch, trouble, code, words):
    def stumble(given):
        raise trouble

    for name in commands.NAMES:
        module = import_module(f"emop3d_np.commands.{name}")
        monkeypatch.setattr(module, "run", stumble)
        monkeypatch.setattr(module, "add_arguments", lambda parser: None)
        assert main([name]) == code
        assert capsys.readouterr().err == f"python -m emop3d_np: {words}"


def test_no_command_writes_over_what_it_reads(capsys, tmp_path, monkeypatch):
    """Whatever its name, and before anything is read: what stands here could not be."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "shots").mkdir()
    for name in ("own.mp4", "x.npy", "y.npy", "f.py", "run/history.jsonl", "run/3dpyranet.ckpt", "shots/1.png"):
        (tmp_path / name).write_text("not to be lost")
    (tmp_path / "link.mp4").symlink_to("own.mp4")
    predict, read = ["predict", "own.mp4", "--checkpoint", "run"], "is a file that is read, and would be overwritten"
    failing(capsys, f"--annotated own.mp4: {read}", *predict, "--annotated", "own.mp4")
    failing(capsys, f"--annotated link.mp4: {read}", *predict, "--annotated", "link.mp4")
    failing(capsys, f"--picture ./own.mp4: {read}", *predict, "--picture", "./own.mp4")
    failing(capsys, f"--picture run/3dpyranet.ckpt: {read}", *predict, "--picture", "run/3dpyranet.ckpt")
    failing(capsys, "--annotated x: is the file of --picture", *predict, "--picture", "x", "--annotated", "x")
    failing(capsys, read, "predict", "shots", "--checkpoint", "run", "--picture", "shots/1.png")
    for path in ("x.npy", "y.npy", "run/3dpyranet.ckpt"):
        failing(capsys, f"--json {path}: {read}", "evaluate", "run", "x.npy", "--labels", "y.npy", "--json", path)
    failing(capsys, f"picture run/history.jsonl: {read}", "report", "run", "run/history.jsonl")
    failing(capsys, f"picture x.npy: {read}", "augmented", "x.npy", "x.npy", "--flip", "w")
    failing(capsys, f"--json f.py: {read}", "gradcheck", "function", "f.py", "--json", "f.py")
    assert all(path.read_text() == "not to be lost" for path in tmp_path.rglob("*.*") if path.is_file())


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


@pytest.mark.parametrize("shape", [(7, 8, 14, 14, 1), (2, 3, 9, 8, 3), (1, 1, 4, 4, 2)])
def test_sheet_of_changed_clips(capsys, tmp_path, shape):
    """Of an .npy, of a prepared folder and of volumes, all without labels."""
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    clips = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    folder, picture = tmp_path / "clips", tmp_path / "sheet.png"
    folder.mkdir()
    np.save(folder / "Training.npy", clips)
    np.save(tmp_path / "x.npy", clips.astype(np.float32))
    np.savez(tmp_path / "x.npz", train_images=clips[..., 0])
    changes = ["--rotate", 20, "--shift", "0,0.1,2", "--augment_in", "dhw", "--contrast=0.2", "--seed", 4]
    for data in (folder, tmp_path / "x.npy", tmp_path / "x.npz"):
        assert main(list(map(str, ["augmented", data, picture, *changes]))) == 0
        assert capsys.readouterr().out == f"drawn: {picture}\n"
        assert picture.read_bytes()[:4] == b"\x89PNG"
        picture.unlink()


def test_sheet_of_changed_faces(capsys, tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    assert main(["augmented", str(tmp_path / "sheet.png"), "--flip", "w"]) == 0
    assert (tmp_path / "sheet.png").read_bytes()[:4] == b"\x89PNG"


def test_sheets_that_cannot_be_drawn(capsys, tmp_path):
    picture = tmp_path / "sheet.png"
    failing(capsys, "no flag changes the clips; give some, for example --rotate 10", "augmented", picture)
    failing(capsys, "no flag changes the clips", "augmented", picture, "--rotate", 0, "--augment_in", "dhw")
    failing(capsys, "--rotate is '200'; it must be degrees from 0 to 180", "augmented", picture, "--rotate", 200)
    failing(capsys, "unrecognized arguments: --batch_size", "augmented", "x.npy", picture, "--batch_size", 3)
    failing(capsys, "clips absent.npy: there is no such file", "augmented", "absent.npy", picture, "--flip", "w")
    failing(capsys, "clips absent.npz: there is no such file", "augmented", "absent.npz", picture, "--flip", "w")
    np.save(tmp_path / "flat.npy", np.zeros((3, 4)))
    failing(capsys, "clips have 5: (n, d, h, w, c)", "augmented", tmp_path / "flat.npy", picture, "--flip", "w")
    np.save(tmp_path / "none.npy", np.zeros((0, 3, 4, 4, 1)))
    failing(capsys, "is empty, it holds no clips", "augmented", tmp_path / "none.npy", picture, "--flip", "w")
    np.savez(tmp_path / "flat.npz", train_images=np.zeros((3, 4)))
    failing(capsys, "a 3D set of MedMNIST has numbers", "augmented", tmp_path / "flat.npz", picture, "--flip", "w")
    assert not picture.exists()


def test_pictures_without_matplotlib(capsys, tmp_path, monkeypatch):
    original = builtins.__import__

    def without(name, *args):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    failing(capsys, "pictures need matplotlib: pip install 'emop3d-np[plots]'", "faces", tmp_path / "x.png")


@pytest.mark.once
@pytest.mark.parametrize("rank", [0, 1])
def test_several_processes_of_one_command(capsys, monkeypatch, rank):
    """Each would do all of it, and write the same files; the first one says so."""
    monkeypatch.setenv("PMI_RANK", str(rank))
    monkeypatch.setenv("PMI_SIZE", "2")
    try:
        code = main(["faces", "x.png"])
    except SystemExit as ended:
        code = ended.code
    said = capsys.readouterr().err
    assert code == 2
    assert ("faces: 2 processes were started" in said) == (rank == 0)
    assert said.count("\n") == (rank == 0)
