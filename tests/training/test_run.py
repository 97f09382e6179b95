"""``run.py`` as its user meets it: what it leaves behind, resuming, interruptions, and every wrong input."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from conftest import JIT

import run
from emop3d_np import files, optimizers, report
from emop3d_np.errors import InputError
from emop3d_np.network import EmoP3D
from emop3d_np.training import building, checkpoint, evaluation, flags, runs, stopping

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (8, 14, 14, 1)
SIZES = {"depth_frames": 8, "height": 14, "width": 14, "num_classes": 3, "batch_size": 4}


@pytest.fixture
def task(tmp_path, rng):
    """A task that can be learnt: a bright row tells the class. Returns flags, by name."""
    paths = {}
    for part, count in (("train", 19), ("val", 7)):
        labels = np.arange(count) % 3
        clips = rng.integers(0, 100, (count, *SHAPE), np.uint8)
        for clip, label in zip(clips, labels, strict=True):
            clip[:, 4 * label : 4 * label + 3] += 120
        paths |= {f"{part}_path": tmp_path / f"{part}.npy", f"{part}_labels_path": tmp_path / f"{part}_labels.npy"}
        np.save(paths[f"{part}_path"], clips)
        np.save(paths[f"{part}_labels_path"], labels)
    return {**paths, **SIZES, "save_path": tmp_path / "runs", "learning_rate": 0.01, "max_steps": 3}


def arguments(task):
    return [str(part) for name, value in task.items() for part in (f"--{name}", value)]


def the_run(task):
    (folder,) = Path(task["save_path"]).iterdir()
    return folder


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def without_time(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def test_a_run_and_what_it_leaves(task, capsys):
    task |= {"max_steps": 6, "test_milestones": "2,4.5", "evaluate_every": 0.5, "save_checkpoint": True}
    assert run.main(arguments(task)) == 0
    out = capsys.readouterr().out
    for words in ("learning_rate      0.01", "L5WS     2x2x2x3", "19 clips", "7 clips", "compiling", "kernels ready"):
        assert words in out
    assert out.index("layer ") < out.index("compiling") < out.index("epoch")
    folder = the_run(task)
    assert {path.name for path in folder.iterdir()} == {
        "settings.json",
        "history.jsonl",
        "tests.jsonl",
        "3dpyranet.ckpt",
    }
    saved = json.loads((folder / "settings.json").read_text())
    assert saved["optimizer"] == "MOMENTUM"
    assert saved["learning_rate"] == 0.01
    assert set(saved) == set(flags.defaults())
    history = rows(folder / "history.jsonl")
    assert [row["step"] for row in history] == list(range(2, 25, 2))
    assert history[-1]["train_loss"] < history[0]["train_loss"]
    assert history[-1]["val_accuracy"] == 1
    tests = rows(folder / "tests.jsonl")
    assert [row["epoch"] for row in tests] == [2, 4.5, 6]
    for row in tests:
        assert row["clips"] == np.sum(row["confusion"]) == 7  # the last, partial batch too
        assert np.sum(row["confusion"], axis=1).tolist() == [3, 2, 2]
        assert row["accuracy"] == np.trace(row["confusion"]) / 7


def test_validation_may_be_left_out(task, capsys):
    task = {name: value for name, value in task.items() if not name.startswith("val")}
    assert run.main(arguments(task)) == 0
    assert "no validation set" in capsys.readouterr().out
    assert "val_loss" not in rows(the_run(task) / "history.jsonl")[0]


def test_same_seed_same_history(task, tmp_path):
    histories = []
    for seed, name in ((1, "a"), (1, "b"), (2, "c")):
        own = task | {"seed": seed, "save_path": tmp_path / name}
        assert run.main(arguments(own)) == 0
        histories.append(without_time(rows(the_run(own) / "history.jsonl")))
    assert histories[0] == histories[1] != histories[2]


def test_one_batch_can_be_overfitted(task):
    task |= {"overfit_one_batch": True, "max_steps": 20, "learning_rate": 0.02}
    assert run.main(arguments(task)) == 0
    assert rows(the_run(task) / "history.jsonl")[-1]["train_loss"] < 1e-2


def test_checkpoint_of_a_folder(task):
    task |= {"max_steps": 1, "test_milestones": "None", "save_checkpoint": True, "checkpoint_name": "mine"}
    assert run.main(arguments(task)) == 0
    folder = the_run(task)
    assert runs.best_checkpoint(folder) == folder / "mine"
    assert runs.best_checkpoint(folder / "settings.json") == folder / "settings.json"
    (folder / "settings.json").write_text("{")
    with pytest.raises(InputError, match=r"settings\.json: is damaged.*; give the checkpoint itself"):
        runs.best_checkpoint(folder)
    (folder / "settings.json").unlink()
    with pytest.raises(InputError, match=r"holds no 3dpyranet\.ckpt; train with --save_checkpoint True"):
        runs.best_checkpoint(folder)


def test_patience_ends_a_run_and_keeps_its_best(task, capsys):
    """Validation labels that are all wrong: the better it learns, the higher is their loss."""
    np.save(task["val_labels_path"], (np.load(task["val_labels_path"]) + 1) % 3)
    task |= {"patience": 2, "max_steps": 40, "test_milestones": "None", "save_checkpoint": True}
    assert run.main(arguments(task)) == 0
    assert "no lower validation loss for 2 evaluations; the best is in" in capsys.readouterr().out
    folder = the_run(task)
    losses = [row["val_loss"] for row in rows(folder / "history.jsonl")]
    assert len(losses) < 40
    assert np.argmin(losses) == len(losses) - 3
    assert runs.best_checkpoint(folder) == folder / "best-3dpyranet.ckpt"
    best = checkpoint.load(folder / "best-3dpyranet.ckpt")
    assert best.step == rows(folder / "history.jsonl")[-3]["step"]
    assert best.progress["patience"] == {"lowest": min(losses), "waited": 0}
    assert [row["step"] for row in rows(folder / "tests.jsonl")] == [rows(folder / "history.jsonl")[-1]["step"]]
    assert run.main(["--resume", str(folder)]) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert len(rows(folder / "history.jsonl")) == len(losses)


@pytest.mark.parametrize("optimizer", ["GD", "MOMENTUM", "ADAM"])
def test_interrupted_and_resumed_is_uninterrupted(task, tmp_path, monkeypatch, capsys, optimizer):
    """Ctrl-C in the middle of an epoch, then --resume: the same bits and the same history."""
    task |= {"optimizer": optimizer, "save_checkpoint": True, "decay_steps": 1, "weight_decay": 0.01}
    task |= {"shift": "0,1,0.1", "flip": "w", "brightness": 0.2, "patience": 9}
    task |= {"rotate": 20, "scale": 0.1, "shear": 0.1, "contrast": 0.2}
    task |= {"augment_in": "dhw" if optimizer == "ADAM" else "hw"}
    whole = task | {"save_path": tmp_path / "whole"}
    assert run.main(arguments(whole)) == 0

    original = stopping.require_finite

    def press_ctrl_c(*args):
        original(*args)
        if args[4] == 6:  # in step 6 of 12
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(stopping, "require_finite", press_ctrl_c)
    assert run.main(arguments(task)) == 130
    monkeypatch.setattr(stopping, "require_finite", original)
    folder = the_run(task)
    assert f"python run.py --resume {folder / '3dpyranet.ckpt'}" in capsys.readouterr().out
    stopped = checkpoint.load(folder / "3dpyranet.ckpt")
    assert stopped.step == 6
    assert stopped.progress["random_state"] == {"seed": 0, "epoch": 1, "batch": 2}
    with open(folder / "history.jsonl", "a") as file:  # as if it had gone on a little before it died
        file.write('{"step": 8}\n{"st')

    assert run.main(["--resume", str(folder)]) == 0
    ours, theirs = (checkpoint.load(the_run(each) / "3dpyranet.ckpt") for each in (task, whole))
    assert ours.step == theirs.step == 12
    for name, values in theirs.parameters.items():
        assert values.tobytes() == ours.parameters[name].tobytes()
    for slot, arrays in theirs.slots.items():
        assert all(values.tobytes() == ours.slots[slot][name].tobytes() for name, values in arrays.items())
    for name in ("history.jsonl", "tests.jsonl"):
        assert without_time(rows(the_run(task) / name)) == without_time(rows(the_run(whole) / name))

    assert run.main(["--resume", str(folder / "3dpyranet.ckpt")]) == 0
    assert "nothing is left to do" in capsys.readouterr().out
    assert run.main(["--resume", str(folder), "--max_steps", "4"]) == 0
    assert checkpoint.load(folder / "3dpyranet.ckpt").step == 16


EVERYTHING = {
    "optimizer": "ADAMW", "schedule": "one_cycle", "warm_up": 0.5, "weight_decay": 0.1, "dense_decay": 0.5,
    "average": 0.8,
}  # fmt: skip


def press_ctrl_c_in(step, monkeypatch):
    original = stopping.require_finite

    def pressing(*args):
        original(*args)
        if args[4] == step:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(stopping, "require_finite", pressing)
    return original


@pytest.mark.parametrize(
    "more", [{}, {"schedule": "cosine"}, {"schedule": "stairs", "optimizer": "ADAM", "decay_steps": 1}]
)
def test_resumed_with_everything_on(task, tmp_path, monkeypatch, more):
    """Schedule, decoupled decay, average: interrupted and resumed, the same bits of both networks, the same figures."""
    task |= EVERYTHING | {"save_checkpoint": True, "shift": "0,1,1", "patience": 9} | more
    whole = task | {"save_path": tmp_path / "whole"}
    assert run.main(arguments(whole)) == 0
    original = press_ctrl_c_in(6, monkeypatch)
    assert run.main(arguments(task)) == 130
    monkeypatch.setattr(stopping, "require_finite", original)
    assert run.main(["--resume", str(the_run(task))]) == 0
    ours, theirs = (checkpoint.load(the_run(each) / "3dpyranet.ckpt") for each in (task, whole))
    assert ours.step == theirs.step == 12
    for mine, others in ((ours.parameters, theirs.parameters), (ours.average, theirs.average)):
        assert list(mine) == list(others) == list(ours.parameters)
        assert all(values.tobytes() == mine[name].tobytes() for name, values in others.items())
    history = without_time(rows(the_run(task) / "history.jsonl"))
    assert history == without_time(rows(the_run(whole) / "history.jsonl"))
    assert len({row["learning_rate"] for row in history}) == 3
    assert history[-1]["averaged_val_loss"] != history[-1]["val_loss"]


def test_the_averaged_network_answers(task, monkeypatch, capsys):
    """It is what run.py tests at milestones and patience looks at, and what a checkpoint's network is."""
    task |= {"average": 0.9, "save_checkpoint": True, "patience": 9, "evaluate_every": 3}
    assert run.main(arguments(task)) == 0
    out = capsys.readouterr().out
    assert "averaged loss" in out
    assert "test of the averaged network after 3 epochs" in out
    path = the_run(task) / "3dpyranet.ckpt"
    state = checkpoint.load(path)
    net, _ = building.load_network(path)
    for name, values in net.parameters.items():
        assert np.array_equal(values, state.average[name])
        assert not np.array_equal(values, state.parameters[name])
    (row,), (test,) = rows(the_run(task) / "history.jsonl"), rows(the_run(task) / "tests.jsonl")
    figures = evaluation.evaluate_checkpoint(path, task["val_path"], task["val_labels_path"])
    assert figures["loss"] == pytest.approx(row["averaged_val_loss"])
    assert figures["loss"] == pytest.approx(test["loss"])
    assert figures["accuracy"] == row["averaged_val_accuracy"] == test["accuracy"]
    assert state.progress["patience"]["lowest"] == row["averaged_val_loss"] != row["val_loss"]
    net.load_parameters(state.parameters)
    checkpoint.save(
        path, checkpoint.Checkpoint(state.step, state.settings, state.parameters, state.slots, state.progress)
    )
    last = evaluation.evaluate_checkpoint(path, task["val_path"], task["val_labels_path"])
    assert last["loss"] == pytest.approx(row["val_loss"])


def test_an_average_is_of_the_steps(task, monkeypatch):
    """In plain loops over what every step left, from the initial values on."""
    seen = []
    original = optimizers.GradientDescent.update

    def watched(optimizer, parameters, gradients):
        if not seen:
            seen.append({name: values.astype(float) for name, values in parameters.items()})
        original(optimizer, parameters, gradients)
        seen.append({name: values.astype(float) for name, values in parameters.items()})

    monkeypatch.setattr(optimizers.GradientDescent, "update", watched)
    task |= {"average": 0.5, "optimizer": "GD", "save_checkpoint": True}
    assert run.main(arguments(task)) == 0
    assert len(seen) == 13
    for name, values in checkpoint.load(the_run(task) / "3dpyranet.ckpt").average.items():
        average = seen[0][name]
        for step, after in enumerate(seen[1:], 1):
            kept = min(0.5, (1 + step) / (10 + step))
            average = kept * average + (1 - kept) * after[name]
        assert np.allclose(values, average, rtol=1e-4, atol=1e-6), name


def test_an_average_begun_and_ended_by_resuming(task):
    task |= {"save_checkpoint": True, "max_steps": 1}
    assert run.main(arguments(task)) == 0
    path = the_run(task) / "3dpyranet.ckpt"
    assert not checkpoint.load(path).average
    before = checkpoint.load(path).parameters
    assert run.main(["--resume", str(path), "--average", "0.99", "--max_steps", "2"]) == 0
    state = checkpoint.load(path)
    for name, values in state.average.items():
        middle = np.linalg.norm(values - before[name]), np.linalg.norm(values - state.parameters[name])
        assert max(middle) <= 1.1 * np.linalg.norm(before[name] - state.parameters[name]), name
    picture = the_run(task) / "x.png"
    if find_spec("matplotlib"):  # evaluations without the average come before
        report.draw_run(the_run(task), picture)
        assert picture.read_bytes()[:4] == b"\x89PNG"
    assert run.main(["--resume", str(path), "--average", "None", "--max_steps", "3"]) == 0
    assert not checkpoint.load(path).average
    assert "averaged_val_loss" not in rows(the_run(task) / "history.jsonl")[-1]


@pytest.mark.skipif(not JIT, reason="interpreted kernels have no threads")
def test_clips_are_changed_beside_the_kernels(task):
    """Numba's plainest layer ends a process that runs two parallel kernels at a time."""
    task |= {"rotate": 20, "shift": "0,0.1,0.1", "contrast": 0.1, "max_steps": 40, "evaluate_every": 20}
    code = "import sys, run, numba; code = run.main(sys.argv[1:]); print(numba.threading_layer()); sys.exit(code)"
    command = [sys.executable, "-c", code, *arguments(task)]
    environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "workqueue"


def test_second_ctrl_c_stops_at_once(task, monkeypatch, capsys):
    def press_twice(*_):
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(stopping, "require_finite", press_twice)
    assert run.main(arguments(task)) == 130
    assert capsys.readouterr().err.endswith("run.py: stopped\n")


KILLED = """
import sys
import numpy as np
from emop3d_np.training import checkpoint
for step in range(1, 10**6):
    arrays = {f"w{i}": np.full(20000, step, np.float32) for i in range(20)}
    checkpoint.save(sys.argv[1], checkpoint.Checkpoint(step, {}, arrays, {"momentum": arrays}, {}))
    print(step, flush=True)
"""


def test_killed_while_saving(tmp_path):
    """SIGKILL at any moment: the checkpoint is whole, and none older than the last one reported."""
    path = tmp_path / "x.ckpt"
    rng = np.random.default_rng(0)
    for _ in range(8):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path)], stdout=subprocess.PIPE, cwd=ROOT)
        first = int(child.stdout.readline())
        time.sleep(rng.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
        reported = [first, *map(int, child.stdout.read().split(b"\n")[:-1])]
        child.wait()
        child.stdout.close()
        state = checkpoint.load(path)
        assert state.step >= reported[-1]
        for values in (*state.parameters.values(), *state.slots["momentum"].values()):
            assert (values == state.step).all()


def failing(capsys, words, *more):
    """Run with ``more`` arguments; it must end with one line that holds ``words``, and exit code 2."""
    assert run.main(list(map(str, more))) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("run.py: error: ")
    for part in [words] if isinstance(words, str) else words:
        assert part in error


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--learning_rat", "1"], ["unknown flag --learning_rat", "did you mean --learning_rate?"]),
        (["--zzz"], "unknown flag --zzz: python run.py --help"),
        (["stray"], "unknown flag stray"),
        (["--batch_size"], "expected one argument"),
        (["--batch_size", "ten"], "--batch_size is 'ten'; it must be a whole number of at least 1"),
        (["--batch_size", "0"], "--batch_size is '0'"),
        (["--learning_rate", "nan"], "--learning_rate is 'nan'; it must be a number above 0"),
        (["--learning_rate", "inf"], "--learning_rate is 'inf'"),
        (["--learning_rate", "-1"], "--learning_rate is '-1'"),
        (["--optimizer", "SGD"], "--optimizer is 'SGD'; it must be one of GD, MOMENTUM, ADAM"),
        (["--backend", "gpu"], "--backend is 'gpu'; it must be one of reference, cpu"),
        (["--use_nesterov", "perhaps"], "--use_nesterov is 'perhaps'; it must be True or False"),
        (["--strides", "1,1"], "--strides is '1,1'; it must be three whole numbers like 3,4,4"),
        (["--test_milestones", "a,b"], "--test_milestones is 'a,b'; it must be numbers above 0"),
        (
            ["--schedule", "steps"],
            "--schedule is 'steps'; it must be one of constant, stairs, cosine, one_cycle, or None",
        ),
        (["--warm_up", "-1"], "--warm_up is '-1'; it must be a number of at least 0"),
        (["--dense_decay", "x"], "--dense_decay is 'x'; it must be a number of at least 0, or None"),
        (["--average", "1"], "--average is '1'; it must be a number between 0 and 1, or None"),
        (["--average", "0"], "--average is '0'"),
        (["--recipe", "weak"], "--recipe is 'weak'; it must be one of original, strong, small"),
        (["--weight_decay", "-1"], "--weight_decay is '-1'; it must be a number of at least 0, or None"),
        (["--threads", "100000"], "--threads 100000 is more than the"),
        (["--num_classes", "5"], "--num_classes is 5, the drawn faces show 6 emotions"),
        (["--height", "10"], "the input is too small for the pyramid: L5WS would give"),
        (["--height", "14"], "faces need whole numbers"),
        (["--resume", "nowhere.ckpt"], "there is no checkpoint nowhere.ckpt"),
        (["--train_labels_path", "x.npy"], "--train_path is missing; --train_labels_path needs it"),
        (["--train_path", "x.npy"], "--train_labels_path is missing; --train_path needs it"),
        (["--shift", "1,2"], "--shift is '1,2'; it must be three whole numbers like 0,4,4"),
        (["--shift", "0,-1,0"], "--shift is '0,-1,0'"),
        (
            ["--shift", "0,4.5,0"],
            "--shift is '0,4.5,0'; it must be three whole numbers like 0,4,4, or shares of the side",
        ),
        (["--shift", "0,1.0,0"], "--shift is '0,1.0,0'"),
        (["--shift", "0,-0.1,0"], "--shift is '0,-0.1,0'"),
        (["--shift", "0,nan,0"], "--shift is '0,nan,0'"),
        (["--rotate", "180.5"], "--rotate is '180.5'; it must be degrees from 0 to 180"),
        (["--rotate", "-5"], "--rotate is '-5'"),
        (["--rotate", "nan"], "--rotate is 'nan'"),
        (["--scale", "1"], "--scale is '1'; it must be a number from 0 to below 1"),
        (["--scale", "-0.1"], "--scale is '-0.1'"),
        (["--shear", "1"], "--shear is '1'; it must be a number from 0 to below 1"),
        (["--shear", "-0.1"], "--shear is '-0.1'"),
        (["--contrast", "1.5"], "--contrast is '1.5'; it must be a number from 0 to below 1"),
        (["--augment_in", "wh"], "--augment_in is 'wh'; it must be one of hw, dhw"),
        (["--flip", "x"], "--flip is 'x'; it must be letters of dhw, or None"),
        (["--brightness", "1"], "--brightness is '1'; it must be a number from 0 to below 1"),
        (["--folds", "2", "--patience", "3"], "--patience 3 cannot be used with --folds"),
        (["--checkpoint_name", "a/b"], "--checkpoint_name is 'a/b'; it must be a file name, no folders"),
        (["--checkpoint_name", "settings.json"], "--checkpoint_name is 'settings.json'; it must be a file name, no"),
        (["--checkpoint_name", "History.JSONL"], "that does not end in .json, .jsonl, .csv, .sha256, .txt"),
        (["--checkpoint_name", "tests.jsonl"], "--checkpoint_name is 'tests.jsonl'"),
        (["--checkpoint_name", "output.txt"], "--checkpoint_name is 'output.txt'"),
        (["--checkpoint_name", "a\x1b[2J"], "--checkpoint_name is 'a\\x1b[2J'"),
    ],
)
def test_wrong_flags(capsys, given, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failing(capsys, words, *given)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_wrong_data(task, capsys, tmp_path):
    ordinary = arguments(task)
    failing(capsys, "--batch_size 20 is larger than the training set of 19 clips", *ordinary, "--batch_size", 20)
    failing(capsys, ["train_path absent.npy", "there is no such file"], *ordinary, "--train_path", "absent.npy")
    failing(capsys, "the flags say (8, 14, 15, 1)", *ordinary, "--width", 15)
    failing(capsys, "label 2 of clip 2 is out of range; 2 classes", *ordinary, "--num_classes", 2)
    failing(capsys, "--val_labels_path is missing", *ordinary, "--val_labels_path", "None")
    spoilt = np.load(task["val_path"]).astype(np.float32)
    spoilt[4, 1, 2, 3, 0] = np.nan
    np.save(tmp_path / "spoilt.npy", spoilt)
    words = ["val_path", "clip 4 holds nan at (d, h, w, c) = (1, 2, 3, 0)"]
    failing(capsys, words, *ordinary, "--val_path", tmp_path / "spoilt.npy")
    assert not list(tmp_path.glob("runs/*/history.jsonl"))
    # Not looked for beforehand, it is found when it is read, and the training done so far is kept.
    more = ["--val_path", tmp_path / "spoilt.npy", "--check_values", False, "--max_steps", 1]
    failing(capsys, [*words, "to go on from the last checkpoint: python run.py --resume"], *ordinary, *more)
    assert checkpoint.load(the_run(task) / "3dpyranet.ckpt").step == 4


def test_unwritable_save_path(task, capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    failing(capsys, ["--save_path", "cannot be written"], *arguments(task), "--save_path", tmp_path / "file")
    failing(capsys, "cannot be written", *arguments(task), "--save_path", tmp_path / "file" / "below")


def test_full_disk(task, capsys, monkeypatch, tmp_path):
    """The checkpoint goes to the temporary folder, the message says so, and it can be resumed."""
    write, calls = files.write_atomically, []

    def full(path, fill):
        if "3dpyranet" in str(path) and str(tmp_path / "runs") in str(path):
            calls.append(path)
            raise OSError(28, "No space left on device")
        write(path, fill)

    (tmp_path / "rescue").mkdir()
    monkeypatch.setattr(runs.tempfile, "gettempdir", lambda: str(tmp_path / "rescue"))
    monkeypatch.setattr(files, "write_atomically", full)
    failing(capsys, ["No space left on device", "python run.py --resume"], *arguments(task), "--save_checkpoint")
    assert len(calls) == 1
    (rescued,) = (tmp_path / "rescue").glob("*/3dpyranet.ckpt")
    assert checkpoint.load(rescued).step == 4

    def fuller(path, fill):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", fuller)
    failing(capsys, "settings.json cannot be written: No space left on device", *arguments(task))


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_history_on_a_full_disk(task, monkeypatch):
    folder = runs.RunFolder.create(task["save_path"], "x.ckpt")
    monkeypatch.setattr(files, "open_to_append", lambda _: open("/dev/full", "a"))  # noqa: SIM115
    with pytest.raises(InputError, match=r"history\.jsonl cannot be written: No space left on device"):
        folder.append("history.jsonl", {"step": 1})


def test_checkpoints_that_do_not_fit(task, capsys, tmp_path):
    assert run.main([*arguments(task), "--save_checkpoint", "--max_steps", "1"]) == 0
    path = the_run(task) / "3dpyranet.ckpt"
    failing(capsys, ["does not fit", "L1WS/weights has shape"], "--resume", path, "--feature_maps", 2)
    failing(capsys, ["does not fit", "Adam keeps ['m', 'v']"], "--resume", path, "--optimizer", "ADAM")
    other = ["--train_path", task["val_path"], "--train_labels_path", task["val_labels_path"]]
    failing(capsys, "training set had 19 clips, this one has 7", "--resume", path, *other)
    whole = path.read_bytes()
    damaged = {"cut": whole[: len(whole) // 2], "empty": b"", "text": b"hello", "flipped": bytearray(whole)}
    damaged["flipped"][len(whole) // 2] ^= 255
    np.savez(tmp_path / "other.npz", w=np.zeros(3))
    damaged["other"] = (tmp_path / "other.npz").read_bytes()
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        failing(capsys, f"checkpoint {tmp_path / name} is damaged, or not a checkpoint", "--resume", tmp_path / name)
    failing(capsys, "there is no checkpoint", "--resume", tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(task, capsys, monkeypatch):
    """The step and the layer are named; the checkpoint from before stays."""
    original = EmoP3D.training_pass

    def spoil(net, *args, **more):
        if net.parameters["FC_OUT/bias"].any() and spoil.step == 6:
            net.parameters["L5WS/bias"].flat[0] = np.inf
            net.parameters["FC_OUT/bias"][1] = np.nan
        spoil.step += 1
        return original(net, *args, **more)

    spoil.step = 1
    monkeypatch.setattr(EmoP3D, "training_pass", spoil)
    words = ["step 5: the loss is nan, and the first layer whose output is not finite is L5WS", "--resume"]
    failing(capsys, words, *arguments(task), "--save_checkpoint")
    assert checkpoint.load(the_run(task) / "3dpyranet.ckpt").step == 4


def test_a_diverging_run_stops(task, capsys):
    failing(capsys, ["is not finite", "lower --learning_rate"], *arguments(task), "--learning_rate", 1e38)


def test_a_run_by_recipe_and_its_resumption(task, capsys, monkeypatch):
    """The recipe and its flags are printed and kept; another version's recipe changes nothing of a run begun before."""
    strong = flags.merge({"recipe": "strong"})
    task |= {"recipe": "strong", "feature_maps": 2, "max_steps": 2, "save_checkpoint": True}
    assert run.main(arguments(task)) == 0
    out = capsys.readouterr().out
    assert "recipe             strong\n" in out
    assert "this is a training of 8 steps only; for some hundred clips of faces, --recipe small" in out
    assert f"schedule           {strong.schedule}\n" in out
    folder = the_run(task)
    kept = json.loads((folder / "settings.json").read_text())
    expected = vars(strong) | flags.parse(arguments(task))
    assert kept == checkpoint.load(folder / "3dpyranet.ckpt").settings == expected

    monkeypatch.setitem(flags.RECIPES, "strong", "--feature_maps 9 --schedule constant")
    failing(
        capsys, "--recipe original: the run was begun with --recipe strong", "--resume", folder, "--recipe", "original"
    )
    assert run.main(["--resume", str(folder), "--recipe", "strong", "--max_steps", "3"]) == 0
    assert json.loads((folder / "settings.json").read_text()) == expected | {"max_steps": 3, "resume": str(folder)}
    assert checkpoint.load(folder / "3dpyranet.ckpt").step == 12


def test_a_checkpoint_from_before_recipes_is_the_originals(task, capsys):
    assert run.main([*arguments(task), "--save_checkpoint", "--max_steps", "1"]) == 0
    path = the_run(task) / "3dpyranet.ckpt"
    state = checkpoint.load(path)
    new = ("recipe", "schedule", "warm_up", "dense_decay")
    state.settings = {name: value for name, value in state.settings.items() if name not in new}
    checkpoint.save(path, state)
    failing(capsys, "--recipe strong: the run was begun with --recipe original", "--resume", path, "--recipe", "strong")
    assert run.main(["--resume", str(path), "--max_steps", "2"]) == 0
    assert checkpoint.load(path).step == 8


@pytest.mark.skipif(not JIT, reason="compiled speed is needed for frames of the default size")
def test_a_set_larger_than_memory_stays_on_disk(tmp_path):
    """48 GB of clips in a sparse file: the process' own memory stays under 2 GB."""
    count = 75_000
    clips = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, (count, 16, 100, 100, 1))
    del clips
    assert (tmp_path / "x.npy").stat().st_size >= 48e9
    np.save(tmp_path / "y.npy", np.arange(count) % 6)
    watched = """
import sys, threading, time, run
most = [0]
def watch():
    while True:
        text = open("/proc/self/status").read()
        most[0] = max(most[0], int(text.split("RssAnon:")[1].split()[0]))
        time.sleep(0.02)
threading.Thread(target=watch, daemon=True).start()
code = run.main(sys.argv[1:])
print("peak", most[0])
sys.exit(code)
"""
    given = {"train_path": tmp_path / "x.npy", "train_labels_path": tmp_path / "y.npy", "save_path": tmp_path / "runs"}
    given |= {"max_steps": 3 / 750, "check_values": False}
    done = subprocess.run(
        [sys.executable, "-c", watched, *arguments(given)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split("peak ")[1]) < 2_000_000  # kB
