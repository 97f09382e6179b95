"""Folds and sweeps by ranks of MPI and workers of Dask: the bits of folds trained one by one, whoever is killed."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import PATIENCE
from test_crossvalidation import SIZES, arguments, index_of, prepare
from test_executors import ENVIRONMENT, ROOT, needs_mpi, start
from test_sweep import interrupted, one_by_one, same_bits, saved_step

import run
from emop3d_np.__main__ import main as command
from emop3d_np.executors import open_executor
from emop3d_np.training import crossvalidation, side_by_side

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for as on Linux"),
]
EVERYWHERE = [pytest.param("mpi", marks=needs_mpi), "dask"]


@pytest.fixture
def task(tmp_path, rng):
    """Flags, by name, to cross-validate a prepared folder of 4 people in 2 folds, by kernels without compilation."""
    prepare(tmp_path / "set", index_of(4), rng)
    more = {"learning_rate": 0.01, "max_steps": 3, "folds": 2, "backend": "reference", "threads": 1}
    return {"train_path": tmp_path / "set", **SIZES, **more, "save_path": tmp_path / "runs"}


def words(executor, program, task, count=2):
    more = {"executor": executor} | ({"fold_jobs": count} if executor == "dask" else {})
    return start(executor, count, *program, *arguments(task | more))


def begun(words, **more):
    return subprocess.Popen(
        words, env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more
    )


def kill_a_fold(folder, process):
    """Kill the process of a fold that has trained an epoch; returns whether there was one."""
    while process.poll() is None:
        for path in folder.glob("**/fold-*/history.jsonl"):
            for pid in processes_of(path.parent):
                os.kill(pid, signal.SIGKILL)
                return True
        time.sleep(0.01)
    return False


def processes_of(fold):
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            said = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if f"--save_path={fold.parents[1]}".encode() in said and f"--fold={int(fold.name[-2:])}".encode() in said:
            yield int(path.parent.name)


@pytest.mark.parametrize("executor", [EVERYWHERE[0], pytest.param("dask", marks=pytest.mark.long)])
def test_folds_of_which_one_is_killed(task, tmp_path, executor):
    """It is said, and goes on from its checkpoint; what is gathered is what one process comes to."""
    task |= {"max_steps": 20, "evaluate_every": 1}
    process = begun(words(executor, [ROOT / "run.py"], task))
    assert kill_a_fold(tmp_path / "runs", process)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert "ended by signal 9, often for want of memory; it is tried once more, alone" in said
    assert "2 at a time, threads of each: 1" in said
    folder = tmp_path / "runs" / "folds-2-subjects"
    assert not list(folder.glob(".*.unfinished*"))
    one_by_one(task | {"save_path": tmp_path / "whole"})
    assert same_bits(folder, tmp_path / "whole" / "folds-2-subjects")


@pytest.mark.long
@pytest.mark.parametrize("executor", EVERYWHERE)
def test_ten_folds_and_a_sweep(task, tmp_path, rng, executor):
    """With a fold killed; the comparison is that of two tasks of an array, and of processes here."""
    prepare(tmp_path / "set", index_of(10), rng)
    process = begun(words(executor, [ROOT / "run.py"], task | {"folds": 10, "max_steps": 20}))
    assert kill_a_fold(tmp_path / "runs", process)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    one_by_one(task | {"folds": 10, "max_steps": 20, "save_path": tmp_path / "whole"})
    assert same_bits(tmp_path / "runs" / "folds-10-subjects", tmp_path / "whole" / "folds-10-subjects")

    listed = task | {"learning_rate": "0.01,0.02", "feature_maps": "2,3"}
    process = begun(words(executor, ["-m", "emop3d_np", "sweep"], listed))
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    assert command(["sweep", *arguments(listed | {"fold_jobs": 2, "save_path": tmp_path / "here"})]) == 0
    assert comparison(tmp_path / "runs") == comparison(tmp_path / "here")


def comparison(folder):
    return (folder / "sweep" / "sweep.json").read_text().replace(str(folder), "")


@pytest.mark.long
@pytest.mark.parametrize("executor", EVERYWHERE)
@pytest.mark.parametrize("whom", ["all", "first"])
def test_ctrl_c(task, tmp_path, executor, whom):
    """In a terminal it goes to all processes; from elsewhere to the first one: every fold saves where it is."""
    task |= {"max_steps": 100_000}
    process = begun(words(executor, [ROOT / "run.py"], task), start_new_session=True)
    kill = {"all": os.killpg, "first": os.kill}[whom]
    folder = tmp_path / "runs" / "folds-2-subjects"
    try:
        said, _ = interrupted(
            folder, lambda: kill(process.pid, signal.SIGINT), lambda: process.communicate(timeout=PATIENCE)
        )
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert all(saved_step(folder / name) for name in ("fold-01", "fold-02"))


@pytest.mark.long
def test_a_worker_of_dask_is_killed(task, tmp_path):
    """With its folds, which end with it; another worker takes them."""
    task |= {"max_steps": 200}
    process = begun(words("dask", [ROOT / "run.py"], task))
    history = tmp_path / "runs" / "folds-2-subjects" / "fold-01" / "history.jsonl"
    while process.poll() is None and not history.exists():
        time.sleep(0.02)
    (fold,) = processes_of(history.parent)
    os.kill(int(Path(f"/proc/{fold}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    one_by_one(task | {"save_path": tmp_path / "whole"})
    assert same_bits(tmp_path / "runs" / "folds-2-subjects", tmp_path / "whole" / "folds-2-subjects")


def test_a_fold_that_is_always_killed_is_named(tmp_path, monkeypatch, capsys):
    """After a second trial; the others are finished."""
    program = tmp_path / "fold.py"
    program.write_text("import os, sys\nif '--fold=2' in sys.argv: os.kill(os.getpid(), 9)\n")
    monkeypatch.setattr(side_by_side, "RUN", program)
    folds = [side_by_side.Task(f"fold-{k}", tmp_path / str(k), {"fold": k}) for k in (1, 2, 3)]
    assert side_by_side.side_by_side(folds, 2) == {"fold-2": "ended by signal 9, often for want of memory"}
    said = capsys.readouterr().out
    assert "fold-2: ended by signal 9, often for want of memory; it is tried once more, alone" in said
    assert "fold-2 failed (ended by signal 9, often for want of memory); the end of" in said
    assert (tmp_path / "2" / "output.txt").read_text().count("$ python run.py") == 2


def test_tasks_of_a_sweep(task, tmp_path, monkeypatch, capsys):
    """Every fold is in one task; the last one to finish compares; a task at work keeps out whoever wants it alone."""
    trained = []

    def train(folds, jobs, finished, executor, folder):
        trained.extend(fold.name for fold in folds)
        for fold in folds:
            fold.path.mkdir(parents=True)
            (fold.path / "answers.csv").touch()
            assert command(["sweep", *arguments(listed)]) == 2
        return {}

    result = {"clip_accuracy": {"mean": 0.5, "interval": [0, 1]}, "per_fold": [{"clip_accuracy": 0.5}] * 2}
    result |= {"video_accuracy": None, "data": "x", "folds": 2, "protocol": "subjects", "warning": None}
    monkeypatch.setattr(crossvalidation, "side_by_side", train)
    monkeypatch.setattr(crossvalidation.CrossValidation, "results", lambda _: result)
    listed = task | {"learning_rate": "0.01,0.02,0.03"}
    for number in (2, 1, 3):
        assert not (tmp_path / "runs/sweep/sweep.json").exists()
        assert command(["sweep", "--task", f"{number}/3", *arguments(listed)]) == 0
        said = capsys.readouterr()
        assert "sweep: is being written by process" in said.err
        assert ("compares the combinations" in said.out) == (number != 3)
    assert len(trained) == len(set(trained)) == 6
    assert trained[:2] == ["learning_rate=0.01 fold-02", "learning_rate=0.03 fold-01"]
    first = (tmp_path / "runs/sweep/sweep.json").read_bytes()
    shutil.rmtree(tmp_path / "runs/sweep/learning_rate=0.01/folds-2-subjects/fold-01")
    assert command(["sweep", "--task", "1/3", *arguments(listed)]) == 0
    assert (tmp_path / "runs/sweep/sweep.json").read_bytes() == first
    assert os.listdir(tmp_path / "runs/sweep").count(".writer") == 0


def test_wrong_executors(task, capsys):
    for words, changes in {
        "--executor mpi says by whom folds are trained: it needs --folds": {"folds": None, "executor": "mpi"},
        "without --fold": {"fold": 1, "executor": "dask"},
        "--fold_jobs 2: with --executor mpi as many folds are trained": {"fold_jobs": 2, "executor": "mpi"},
        "leave --fold_jobs out": {"fold_jobs": 2, "executor": "dask://there:8786"},
        "--executor is 'ray'; it must be processes, mpi, dask, or dask://HOST:PORT": {"executor": "ray"},
    }.items():
        assert run.main(arguments(task | changes)) == 2
        assert words in capsys.readouterr().err


def test_a_fold_knows_nothing_of_the_ranks_above_it(tmp_path, monkeypatch):
    """Its process is one of its own, whatever the launcher of ranks told the one that starts it."""
    program = tmp_path / "fold.py"
    program.write_text("import os; print(sorted(name for name in os.environ if 'PMI' in name or 'OMPI' in name))")
    monkeypatch.setattr(side_by_side, "RUN", program)
    for name in ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK"):
        monkeypatch.setenv(name, "1")
    assert side_by_side.side_by_side([side_by_side.Task("fold", tmp_path / "f", {"fold": 1})], 1) == {}
    assert (tmp_path / "f" / "output.txt").read_text().splitlines()[-1] == "[]"


def test_files_that_are_seen_late(tmp_path, monkeypatch):
    """A network's file system may show a file some seconds after it was written elsewhere."""
    threading.Timer(0.3, (tmp_path / "late").touch).start()
    side_by_side._until_seen(tmp_path / "late")
    assert (tmp_path / "late").exists()
    monkeypatch.setattr(side_by_side, "SEEN_WITHIN", 0)
    side_by_side._until_seen(tmp_path / "never")


def test_a_task_tells_what_a_killed_worker_left(tmp_path):
    """A fold whose answers are there is finished, whatever became of whoever trained it."""
    fold = side_by_side._as_task(side_by_side.Task("fold", tmp_path, {"fold": 1}), 1)
    assert fold.left() is None
    (tmp_path / "answers.csv").touch()
    assert fold.left() == (0,)
    with open_executor("processes", 1, tmp_path, own_processes=True) as engines:
        assert not engines.remote
