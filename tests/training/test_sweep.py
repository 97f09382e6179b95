"""``run.py --fold_jobs`` and ``python -m emop3d_np sweep``: results of folds one by one, come what may."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from conftest import PATIENCE
from hypothesis import given
from hypothesis import strategies as st
from test_crossvalidation import SIZES, arguments, index_of, prepare

import run
from emop3d_np.__main__ import main as command
from emop3d_np.errors import InputError
from emop3d_np.training import checkpoint, flags, stopping
from emop3d_np.training import sweep as sweeps

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def task(tmp_path, rng):
    """Flags, by name, to cross-validate a prepared folder of 4 people in 2 folds, two at a time."""
    prepare(tmp_path / "set", index_of(4), rng)
    more = {"learning_rate": 0.01, "max_steps": 2, "threads": 1, "folds": 2, "fold_jobs": 2}
    return {"train_path": tmp_path / "set", **SIZES, **more, "save_path": tmp_path / "runs"}


def failing(capsys, words, task, main=run.main, before=(), made=False):
    assert main([*before, *arguments(task)]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    for part in [words] if isinstance(words, str) else words:
        assert part in error
    assert made or not Path(task["save_path"]).exists()


def interrupted(folder, interrupt, work):
    """What ``work()`` returns; ``interrupt()`` is called when both folds in ``folder`` have logged an epoch more."""
    logs = [folder / name / "history.jsonl" for name in ("fold-01", "fold-02")]

    def lengths():
        return [path.stat().st_size if path.exists() else 0 for path in logs]

    before, done = lengths(), threading.Event()

    def watch():
        while not done.wait(0.02):
            if all(now > then for now, then in zip(lengths(), before, strict=True)):
                return interrupt()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        return work()
    finally:
        done.set()
        watcher.join()


def saved_step(path):
    """The step that a fold has saved, which must be the one at which it says it was stopped."""
    step = checkpoint.load(path / "3dpyranet.ckpt").step
    assert f"stopped at step {step} of" in (path / "output.txt").read_text()
    assert not (path / "answers.csv").exists()
    return step


def one_by_one(task):
    """Cross-validate in this process."""
    assert run.main(arguments(task | {"fold_jobs": 1})) == 0


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
    assert "folds to train: 1; finished already: 1" in out
    assert (folder / "folds.md").read_text() in out
    assert (folder / "fold-01" / "output.txt").read_text().splitlines() == first
    one_by_one(task | {"save_path": tmp_path / "whole", "threads": threads})
    assert same_bits(folder, tmp_path / "whole" / "folds-2-subjects")
    assert run.main(arguments(task)) == 0
    assert "folds to train: 0; finished already: 2" in capsys.readouterr().out


def test_interrupted_side_by_side(task, tmp_path, capsys):
    """A signal to the command alone reaches every fold; each saves where it is, and the same command goes on."""
    task |= {"max_steps": 100_000}
    folder = tmp_path / "runs" / "folds-2-subjects"
    steps = []
    for _ in range(2):
        code = interrupted(folder, lambda: os.kill(os.getpid(), signal.SIGINT), lambda: run.main(arguments(task)))
        assert code == 130
        assert "the same command goes on from here" in capsys.readouterr().out
        steps.append([saved_step(folder / name) for name in ("fold-01", "fold-02")])
    for name, first, second in zip(("fold-01", "fold-02"), *steps, strict=True):
        assert f"at step {first}\n" in (folder / name / "output.txt").read_text()
        assert 0 < first < second


def test_a_sweep_interrupted_in_a_terminal(task, tmp_path):
    """Ctrl-C goes to all processes there, and each saves where it is all the same."""
    task |= {"learning_rate": "0.01,0.02", "max_steps": 100_000}
    sweep = [sys.executable, "-m", "emop3d_np", "sweep", *arguments(task)]
    folder = tmp_path / "runs" / "sweep" / "learning_rate=0.01" / "folds-2-subjects"
    terminal = {"cwd": ROOT, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(sweep, start_new_session=True, **terminal) as process:
        try:
            out, _ = interrupted(
                folder, lambda: os.killpg(process.pid, signal.SIGINT), lambda: process.communicate(timeout=PATIENCE)
            )
        finally:
            process.kill()
    assert process.returncode == 130, out
    assert "the same command goes on from here" in out
    assert all(saved_step(folder / name) for name in ("fold-01", "fold-02"))


def test_interrupts_of_two_kinds(capsys):
    """Ctrl-C goes to all processes of a terminal, and the one above sends SIGTERM too: only a second Ctrl-C hurries."""
    with stopping.Interrupt() as interrupt:
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
    """Nothing is trained twice; a combination that diverges is named; what is said of the best."""
    task |= {"weight_decay": "0.0010,0"}
    folder = tmp_path / "runs" / "sweep"
    assert command(["sweep", *arguments(task)]) == 0
    out = capsys.readouterr().out
    assert "2 combinations, each in 2 folds\nfolds to train: 4; finished already: 0\n" in out
    first = (folder / "sweep.json").read_bytes()
    result = json.loads(first)
    assert (folder / "sweep.md").read_text() in out
    assert {row["name"] for row in result["combinations"]} == {"weight_decay=0", "weight_decay=0.001"}
    assert "optimistic: of 2 combinations" in result["note"]
    assert result["command"].endswith("--val_path HELD_OUT")
    again = flags.parse(result["command"].split()[2:])
    assert again["weight_decay"] == result["combinations"][0]["settings"]["weight_decay"]
    assert not {"folds", "fold_jobs", "save_path"} & set(again)

    # A combination is an ordinary cross-validation.
    one_by_one(task | {"weight_decay": 0, "save_path": tmp_path / "plain"})
    plain = tmp_path / "plain" / "folds-2-subjects"
    folds = json.loads((plain / "folds.json").read_text())
    assert folds.pop("linear_baseline")  # the same for all combinations, so a sweep leaves it out
    (plain / "folds.json").write_text(json.dumps(folds, indent=2) + "\n")
    assert same_bits(folder / "weight_decay=0" / "folds-2-subjects", plain)

    # In whatever order flags are given.
    capsys.readouterr()
    assert command(["sweep", *arguments(dict(reversed(task.items())))]) == 0
    assert "folds to train: 0; finished already: 4" in capsys.readouterr().out
    assert (folder / "sweep.json").read_bytes() == first
    changed = task | {"max_steps": 3}
    failing(
        capsys, ["was trained with --max_steps 2, now it is 3", "(seen with"], changed, command, ["sweep"], made=True
    )

    task |= {"weight_decay": "0,0.001,1e30"}
    assert command(["sweep", *arguments(task)]) == 2
    out, err = capsys.readouterr()
    assert "weight_decay=1e+30 fold-02 failed (exit code 2); the end of" in out
    assert "failed, as said above: weight_decay=1e+30 fold-0" in err
    result = json.loads((folder / "sweep.json").read_text())
    assert len(result["combinations"]) == 2
    assert set(result["failures"]) == {"weight_decay=1e+30 fold-01", "weight_decay=1e+30 fold-02"}
    assert all("lower --learning_rate" in line for line in result["failures"].values())
    assert "optimistic: of 3 combinations" in (folder / "sweep.md").read_text()

    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    assert command(["report", str(folder), str(tmp_path / "sweep.png")]) == 0
    assert (tmp_path / "sweep.png").read_bytes()[:4] == b"\x89PNG"


def test_a_sweep_of_recipes(task, tmp_path):
    assert command(["sweep", *arguments(task | {"recipe": "original,strong"})]) == 0
    for name in ("original", "strong"):
        path = tmp_path / "runs" / "sweep" / f"recipe={name}" / "folds-2-subjects" / "fold-02" / "settings.json"
        expected = vars(flags.merge({"recipe": name}, {"max_steps": 2, "learning_rate": 0.01, **SIZES}))
        settings = json.loads(path.read_text())
        assert {each: settings[each] for each in flags.VARIED} == {each: expected[each] for each in flags.VARIED}


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
    wrong("(seen with strides=1,1,1,learning_rate=0.01)", strides="1,1,1/1,9,9", receptive_field="3,9,9")
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
    from emop3d_np.training import side_by_side

    monkeypatch.setattr(side_by_side, "sys", SimpleNamespace(executable="/nowhere/python"))
    with pytest.raises(InputError, match=r"cannot be started, with its output in .*: No such file or directory"):
        side_by_side.side_by_side([side_by_side.Task("fold-01", task["save_path"] / "f", {"fold": 1})], 2)
