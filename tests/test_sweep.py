"""``run.py --fold_jobs`` and ``python -m emop3d_np sweep``: the results of folds one by one, whatever happens on the way."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from conftest import JIT
from hypothesis import given
from hypothesis import strategies as st
from test_crossvalidation import SIZES, arguments, index_of, prepare

import run
from emop3d_np import checkpoint, runs
from emop3d_np import settings as flags
from emop3d_np import sweep as sweeps
from emop3d_np.__main__ import main as command
from emop3d_np.errors import InputError

ROOT = Path(__file__).resolve().parents[1]
LONG = 400 if JIT else 12
"""Epochs that take long enough to be interrupted."""


@pytest.fixture
def task(tmp_path, rng):
    """Flags, by name, to cross-validate a prepared folder of 4 people in 2 folds, two at a time."""
    prepare(tmp_path / "set", index_of(4), rng)
    more = {"learning_rate": 0.01, "max_steps": 2, "folds": 2, "fold_jobs": 2, "save_path": tmp_path / "runs"}
    return {"train_path": tmp_path / "set", **SIZES, **more}


def failing(capsys, words, task, main=run.main, before=()):
    assert main([*before, *arguments(task)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    for part in [words] if isinstance(words, str) else words:
        assert part in error
    assert not Path(task["save_path"]).exists()


def when_all_have(paths, what, done):
    """Call ``what`` as soon as ``paths`` are there, or not at all once ``done`` is set."""
    while not all(path.exists() for path in paths) and not done.is_set():
        time.sleep(0.01)
    done.is_set() or what()


def same_bits(folder, other):
    """Whether two cross-validations gave the same answers and parameters."""
    assert (folder / "folds.json").read_bytes() == (other / "folds.json").read_bytes()
    for path in sorted(folder.glob("fold-*")):
        twin = other / path.name
        assert (path / "answers.csv").read_bytes() == (twin / "answers.csv").read_bytes()
        ours, theirs = (checkpoint.load(each / "3dpyranet.ckpt") for each in (path, twin))
        assert ours.step == theirs.step
        for name, values in ours.parameters.items():
            assert values.tobytes() == theirs.parameters[name].tobytes()
    return True


def test_side_by_side_is_one_by_one(task, tmp_path, capsys):
    """One thread each or all of them: the same bits; a fold that fails is named, and costs the others nothing."""
    threads = numba.config.NUMBA_NUM_THREADS
    whole = task | {"save_path": tmp_path / "whole", "fold_jobs": 1, "threads": threads}
    assert run.main(arguments(whole)) == 0
    folder = tmp_path / "runs" / "folds-2-subjects"
    (folder / "fold-02").mkdir(parents=True)
    (folder / "fold-02" / "3dpyranet.ckpt").write_text("spoilt")
    assert run.main(arguments(task | {"threads": threads})) == 2
    out, err = capsys.readouterr()
    assert "fold-02 failed (exit code 2); the end of" in out
    assert "\n    run.py: error: checkpoint" in out
    assert "3dpyranet.ckpt is damaged" in out
    assert "failed, as said above: fold-02; the other folds are kept" in err
    assert not (folder / "folds.json").exists()
    assert (folder / "fold-01" / "answers.csv").exists()
    assert json.loads((folder / "fold-01" / "settings.json").read_text())["threads"] == max(1, threads // 2)
    first = (folder / "fold-01" / "output.txt").read_text().splitlines()
    assert first[0].startswith("$ python run.py --train_path=")
    assert flags.parse(first[0].split()[3:]).items() >= {"fold": 1, "fold_jobs": 1, "folds": 2}.items()

    (folder / "fold-02" / "3dpyranet.ckpt").unlink()
    assert run.main(arguments(task)) == 0
    out = capsys.readouterr().out
    assert "1 folds to train, 1 finished already" in out
    assert (folder / "folds.md").read_text() in out
    assert (folder / "fold-01" / "output.txt").read_text().splitlines() == first
    assert same_bits(folder, tmp_path / "whole" / "folds-2-subjects")
    assert run.main(arguments(task)) == 0
    assert "0 folds to train, 2 finished already" in capsys.readouterr().out


def test_interrupted_side_by_side(task, tmp_path, capsys):
    """A signal to the command alone reaches every fold; each saves where it is, and the same command goes on."""
    task |= {"max_steps": LONG}
    assert run.main(arguments(task | {"save_path": tmp_path / "whole", "fold_jobs": 1})) == 0
    folder = tmp_path / "runs" / "folds-2-subjects"
    paths, done = [folder / "fold-01", folder / "fold-02"], threading.Event()
    begun = [path / "history.jsonl" for path in paths]
    watch = threading.Thread(target=when_all_have, args=(begun, lambda: os.kill(os.getpid(), signal.SIGINT), done))
    watch.start()
    try:
        assert run.main(arguments(task)) == 130
    finally:
        done.set()
        watch.join()
    assert "the same command goes on from here" in capsys.readouterr().out
    for path in paths:
        step = checkpoint.load(path / "3dpyranet.ckpt").step
        assert f"stopped at step {step} of" in (path / "output.txt").read_text()
        assert not (path / "answers.csv").exists()
    assert run.main(arguments(task)) == 0
    assert all(f"at step {checkpoint.load(path / '3dpyranet.ckpt').step}" for path in paths)
    assert same_bits(folder, tmp_path / "whole" / "folds-2-subjects")


def test_interrupts_of_two_kinds(capsys):
    """Ctrl-C goes to all processes of a terminal, and the one above sends SIGTERM too: only a second Ctrl-C hurries."""
    with runs.Interrupt() as interrupt:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert interrupt.requested
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert capsys.readouterr().out.count("stopping after this step") == 1


def test_wrong_fold_jobs(task, capsys):
    failing(capsys, "--fold_jobs is '0'; it must be a whole number of at least 1", task | {"fold_jobs": 0})
    failing(capsys, "--fold_jobs 2 is how many folds are trained at once: it needs --folds", task | {"folds": None})
    failing(capsys, "without --fold", task | {"fold": 1})
    failing(capsys, "--batch_size 13 is larger than the training set of 12 clips", task | {"batch_size": 13})
    failing(capsys, "more than the", task | {"threads": 1000})


def test_a_sweep_from_start_to_picture(task, tmp_path, capsys):
    """Ctrl-C in a terminal, on with the same command; a combination that diverges; what is said of the best."""
    task |= {"learning_rate": "0.01,1e30", "weight_decay": "None,0.001", "max_steps": LONG}
    sweep = [sys.executable, "-m", "emop3d_np", "sweep", *arguments(task)]
    folder = tmp_path / "runs" / "sweep"
    best = folder / "learning_rate=0.01,weight_decay=None" / "folds-2-subjects"
    terminal = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(sweep, start_new_session=True, **terminal) as process:
        done = threading.Event()
        begun = [best / "fold-01" / "history.jsonl", best / "fold-02" / "history.jsonl"]
        stop = threading.Thread(target=when_all_have, args=(begun, lambda: os.killpg(process.pid, signal.SIGINT), done))
        stop.start()
        out, _ = process.communicate(timeout=100)
        done.set()
        stop.join()
    assert process.returncode == 130, out
    assert "the same command goes on from here" in out
    for path in ("fold-01", "fold-02"):
        assert "stopped at step" in (best / path / "output.txt").read_text()
        assert checkpoint.load(best / path / "3dpyranet.ckpt").step
    assert not (folder / "sweep.json").exists()

    assert command(["sweep", *arguments(task)]) == 2  # a rate of 1e30 fails
    out, err = capsys.readouterr()
    assert "4 combinations, each in 2 folds" in out
    assert "learning_rate=1e+30,weight_decay=None fold-02 failed (exit code 2); the end of" in out
    assert "failed, as said above: learning_rate=1e+30,weight_decay=None fold-01" in err
    assert "resumed" in (best / "fold-01" / "output.txt").read_text()
    result = json.loads((folder / "sweep.json").read_text())
    assert (folder / "sweep.md").read_text() in out
    assert [row["settings"]["learning_rate"] for row in result["combinations"]] == [0.01, 0.01]
    assert len(result["failures"]) == 4
    assert all("lower --learning_rate" in line for line in result["failures"].values())
    assert "optimistic: of 4 combinations" in result["note"]
    assert result["command"].endswith("--val_path HELD_OUT")
    again = flags.parse(result["command"].split()[2:])
    assert again["learning_rate"] == 0.01
    assert not {"folds", "fold_jobs", "save_path"} & set(again)

    # A combination is an ordinary cross-validation.
    plain = task | {"learning_rate": 0.01, "weight_decay": None, "fold_jobs": 1, "save_path": tmp_path / "plain"}
    assert run.main(arguments(plain)) == 0
    assert same_bits(best, tmp_path / "plain" / "folds-2-subjects")

    # Nothing is trained again, in whatever order the flags are given; and only finished combinations are drawn.
    capsys.readouterr()
    task |= {"learning_rate": "1e-2"}
    shutil.rmtree(folder / "learning_rate=1e+30,weight_decay=None")
    shutil.rmtree(folder / "learning_rate=1e+30,weight_decay=0.001")
    backwards = dict(reversed((task | {"learning_rate": "0.01,0.010000001"}).items()))
    saved = (best / "fold-01" / "answers.csv").stat().st_mtime_ns
    (folder / "learning_rate=0.010000001,weight_decay=None").mkdir()
    for name in ("learning_rate=0.010000001,weight_decay=None", "learning_rate=0.010000001,weight_decay=0.001"):
        shutil.copytree(best.parent, folder / name, dirs_exist_ok=True)
    failing_same = command(["sweep", *arguments(backwards)])
    assert failing_same == 2
    assert "was trained with --learning_rate 0.01, now it is 0.010000001" in capsys.readouterr().err
    assert (best / "fold-01" / "answers.csv").stat().st_mtime_ns == saved

    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    assert command(["report", str(folder), str(tmp_path / "sweep.png")]) == 0
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"


def test_wrong_sweeps(task, capsys):
    """Whatever is wrong with any combination is said before the first one trains."""

    def wrong(words, **changes):
        failing(capsys, words, {"learning_rate": "0.01,0.02"} | task | changes, command, ["sweep"])

    task.pop("learning_rate")
    wrong("--val_path x: leave it out; a sweep chooses by folds of --train_path", val_path="x")
    wrong("--fold 1: leave it out", fold=1)
    wrong("--resume x: leave it out", resume="x")
    wrong("--patience 2 cannot be used", patience=2)
    wrong("--folds is missing", folds=None)
    wrong("no flag lists several values, so there is nothing to compare", learning_rate=0.01)
    wrong("--learning_rate is '-1'; it must be a number above 0", learning_rate="0.01,-1")
    wrong("--learning_rate is ''", learning_rate="0.01,")
    wrong("--learning_rate 0.01,1e-2 lists 0.01 twice", learning_rate="0.01,1e-2")
    wrong("--seed is '0,1'; it must be a whole number", seed="0,1")
    wrong(["unknown flag --learning_rat", "did you mean --learning_rate?"], learning_rat=1)
    wrong("(seen with learning_rate=0.01,strides=1,9,9)", strides="1,1,1/1,9,9", receptive_field="3,9,9")
    wrong("--batch_size 13 is larger than the training set of 12 clips (seen with", batch_size="4,13")
    wrong("--folds 5 is more than the 4 groups", folds=5)
    assert command(["settings", "--folds", "3"]) == 2
    assert "unrecognized arguments: --folds 3" in capsys.readouterr().err


def test_lists_of_values():
    given = flags.parse_lists(["--shift=0,0,0/0,1,2", "--flip", "None,hw", "--use_nesterov", "--train_path", "a,b"])
    assert given == {
        "train_path": ["a,b"],
        "use_nesterov": [True],
        "shift": [[0, 0, 0], [0, 1, 2]],
        "flip": [None, "hw"],
    }
    assert list(given) == ["train_path", "use_nesterov", "shift", "flip"]


positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
some_settings = st.fixed_dictionaries(
    {},
    optional={
        "train_path": st.text("ab -=,'\"/", min_size=1).filter(str.strip),
        "learning_rate": positive,
        "weight_decay": st.none() | positive,
        "shift": st.lists(st.integers(0, 50), min_size=3, max_size=3),
        "test_milestones": st.none() | st.lists(positive, min_size=1),
        "flip": st.none() | st.text("dhw", min_size=1),
        "use_nesterov": st.booleans(),
        "optimizer": st.sampled_from(["GD", "ADAM"]),
        "folds": st.none() | st.integers(2, 99),
    },
)


@given(some_settings)
def test_settings_survive_the_command_line(given):
    """To the last bit: a process of a fold must train with the very settings that it was started for."""
    assert flags.parse(flags.arguments(given)) == given


@given(st.integers(2, 5).flatmap(lambda n: st.lists(st.lists(st.floats(0, 1), min_size=n, max_size=n), min_size=1)))
def test_comparison(accuracies):
    """The best is first, and nobody is ahead of it; differences are of means, their intervals of pairs."""
    per_fold = [[{"clip_accuracy": value} for value in values] for values in accuracies]
    combinations = {str(place): fake(place, folds) for place, folds in enumerate(per_fold)}
    result = sweeps.compare(combinations, ["seed"], len(accuracies), {})
    means = [row["clip_accuracy"]["mean"] for row in result["combinations"]]
    assert means == sorted(means, reverse=True)
    assert {row["settings"]["seed"] for row in result["combinations"]} == set(range(len(accuracies)))
    assert result["combinations"][0]["behind"]["interval"] == [0, 0]
    for row in result["combinations"]:
        assert row["per_fold"] == accuracies[row["settings"]["seed"]]
        assert row["behind"]["mean"] == pytest.approx(means[0] - row["clip_accuracy"]["mean"])
        low, high = row["behind"]["interval"]
        assert (low + high) / 2 == pytest.approx(row["behind"]["mean"])
    table = [line for line in sweeps.as_markdown(result).splitlines() if line.startswith("|")]
    assert len(table) == len(accuracies) + 2
    assert len({line.count("|") for line in table}) == 1


def fake(seed, folds):
    mean = {"mean": float(np.mean([fold["clip_accuracy"] for fold in folds])), "interval": [0, 0]}
    result = {"clip_accuracy": mean, "video_accuracy": mean, "per_fold": folds, "data": "x", "folds": len(folds)}
    result |= {"protocol": "subjects", "warning": None}
    return SimpleNamespace(
        results=lambda: result, settings=SimpleNamespace(seed=seed), folder="x", given={"seed": seed}
    )


def test_no_process_can_be_started(task, monkeypatch):
    from emop3d_np import side_by_side

    monkeypatch.setattr(side_by_side, "sys", SimpleNamespace(executable="/nowhere/python"))
    with pytest.raises(InputError, match="cannot be started, with its output in .*: No such file or directory"):
        side_by_side.side_by_side([side_by_side.Task("fold-01", task["save_path"] / "f", {"fold": 1})], 2)
