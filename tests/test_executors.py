"""The executors that ``--executor`` names, with real processes; a task that kills is found by each of them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import PATIENCE

from emop3d_np import executors, launchers
from emop3d_np.__main__ import main as command
from emop3d_np.errors import InputError
from emop3d_np.tasks import Task, is_wanted, run_tasks

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
needs_mpi = pytest.mark.skipif(not MPIEXEC, reason="ranks need the extra 'mpi' and mpiexec")
EXECUTORS = [
    pytest.param("processes", marks=pytest.mark.long),
    pytest.param("mpi", marks=needs_mpi),
    pytest.param("dask", marks=pytest.mark.long),  # whose workers take seconds to be replaced, on a busy machine many
]


def start(executor, count, *arguments):
    """The words that start a program of this repository with ``count`` processes that work."""
    if executor != "mpi":
        return [sys.executable, *map(str, arguments)]
    return [MPIEXEC, "-n", str(count + 1), sys.executable, "-m", "mpi4py.futures", *map(str, arguments)]


def write(folder, name, fate):
    """A task: it leaves a file, after its process was killed the first time, or every time, or not."""
    if fate == "always" or (fate == "once" and not (Path(folder) / "killed").exists()):
        (Path(folder) / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    (Path(folder) / name).write_text(fate)
    return name


PROGRAM = """
import json, sys
from pathlib import Path
from emop3d_np.executors import open_executor
from emop3d_np.tasks import Lost, Task, run_tasks
from test_executors import write

if __name__ == "__main__":
    what, folder = sys.argv[1:]
    fates = {f"task-{k}": {2: "once", 4: "always"}.get(k, "well") for k in range(6)}
    with open_executor(what, 2, folder) as engines:
        todo = [Task(name, write, (folder, name, fate)) for name, fate in fates.items()]
        results = {task.name: result for task, result in run_tasks(todo, engines)}
    lost = {name: str(result) for name, result in results.items() if isinstance(result, Lost)}
    print(json.dumps({"lost": lost, "done": sorted(set(results) - set(lost))}))
"""


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_task_that_always_kills_is_named_and_the_others_are_finished(tmp_path, executor):
    pytest.importorskip("distributed" if executor == "dask" else "os", reason="needs the extra 'dask'")
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "out").mkdir()
    words = start(executor, 2, tmp_path / "program.py", executor, tmp_path / "out")
    done = subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    others = [f"task-{k}" for k in range(6) if k != 4]
    assert result == {"lost": {"task-4": "the process that worked on it died"}, "done": others}
    assert sorted(os.listdir(tmp_path / "out")) == ["killed", *others]


def test_nothing_of_mpi_or_dask_is_imported_unless_it_is_asked_for():
    program = """
import importlib, sys
import run
from emop3d_np import commands, executors, tasks
from emop3d_np.training import crossvalidation, evaluation, flags, side_by_side, sweep
from emop3d_np.video import prepare
assert run.main(["--executor", "processes", "--folds", "3", "--fold", "9"]) == 2
assert commands.main(["prepare", "nowhere", "out"]) == 2
for own in (False, True):
    with executors.open_executor("processes", 1, ".", own) as engines:
        assert engines.count == 1
found = [name for name in sys.modules if name.split(".")[0] in ("mpi4py", "dask", "distributed", "tornado")]
assert not found, found
"""
    subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("what", "module", "words"),
    [
        ("mpi", "mpi4py", r"--executor mpi needs mpi4py and an MPI library: pip install 'emop3d-np\[mpi\]' mpich"),
        ("dask", "distributed", r"--executor dask needs Dask: pip install 'emop3d-np\[dask\]'"),
        ("dask://there:8786", "distributed", r"--executor dask://there:8786 needs Dask"),
    ],
)
def test_an_extra_that_is_missing_is_named(tmp_path, monkeypatch, what, module, words):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=words), executors.open_executor(what, 2, tmp_path):
        pass


@needs_mpi
def test_ranks_that_were_started_otherwise(tmp_path):
    program = "from emop3d_np.executors import open_executor\nwith open_executor('mpi', 1, '.'): pass\n"
    done = subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert "--executor mpi: one rank; start it by mpiexec -n 9 python -m mpi4py.futures -c ..." in done.stderr


def test_ranks_that_would_each_do_all_of_it(monkeypatch, capsys):
    monkeypatch.setenv("PMI_RANK", "0")
    monkeypatch.setenv("PMI_SIZE", "3")
    assert command(["prepare", "in", "out", "--executor", "mpi"]) == 2
    how = "or share it out: mpiexec -n 3 python -m mpi4py.futures -m emop3d_np prepare ... --executor mpi"
    assert how in capsys.readouterr().err


def test_a_cluster_that_is_not_there(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    monkeypatch.setattr(executors, "REACHED_WITHIN", 0.5)
    words = "--executor dask://localhost:9: cannot be reached"
    with pytest.raises(InputError, match=words), executors.open_executor("dask://localhost:9", 1, tmp_path):
        pass


CLUSTER = """
import asyncio, sys
if sys.argv[1] == "bare":
    sys.modules["emop3d_np"] = None  # which is not found then
from distributed import Scheduler, Worker

async def work():
    async with Scheduler(port=0, host="127.0.0.1", dashboard_address="127.0.0.1:0") as scheduler:
        print(scheduler.address, flush=True)
        async with Worker(scheduler.address, nthreads=1):
            await scheduler.finished()

if __name__ == "__main__":
    asyncio.run(work())
"""


@contextmanager
def cluster(kind):
    """A scheduler of Dask's with one worker, in a process; gives that, and what ``--executor`` calls it."""
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    words = [sys.executable, "-c", CLUSTER, kind]
    with subprocess.Popen(
        words, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as there:
        try:
            yield there, there.stdout.readline().strip().replace("tcp://", "dask://")
        finally:
            there.kill()


@pytest.mark.long
def test_a_worker_without_the_package(tmp_path):
    """Dask lets it end at the first task, and whoever hands out would wait for ever."""
    todo = [Task("x", write, (str(tmp_path), "x", "well"))]
    words = "the worker tcp://.* has not the emop3d_np of this version .*; install it there"
    with (
        cluster("bare") as (_, name),
        executors.open_executor(name, 1, tmp_path) as engines,
        pytest.raises(InputError, match=words),
    ):
        list(run_tasks(todo, engines))


@pytest.mark.long
def test_a_scheduler_that_goes_away(tmp_path):
    with cluster("whole") as (process, name), executors.open_executor(name, 1, tmp_path) as engines:
        todo = [Task(str(k), sleeping, (str(tmp_path),)) for k in range(3)]
        with pytest.raises(InputError, match=f"--executor {name}: its scheduler is gone .*; start one, and the same"):
            list(run_tasks(todo, engines, look=lambda _: process.kill() if (tmp_path / "begun").exists() else None))


def sleeping(folder):
    (Path(folder) / "begun").touch()
    while is_wanted():
        time.sleep(0.1)


@pytest.mark.long
def test_workers_that_dask_gave_up(tmp_path, monkeypatch):
    """As it does where a new one is not there in time: others are started, and what waits for them is done."""
    pytest.importorskip("distributed", reason="needs the extra 'dask'")
    from distributed import default_client

    monkeypatch.setattr(executors, "GIVEN_UP_AFTER", 0.5)
    with executors.open_executor("dask", 2, tmp_path) as engines:
        ours = default_client().cluster
        for nanny in list(ours.workers.values()):
            ours.sync(nanny.close)
        todo = [Task(name, write, (str(tmp_path), name, "well")) for name in "abc"]
        assert sorted(result for _, result in run_tasks(todo, engines)) == list("abc")


def test_what_an_executor_may_be(capsys):
    for text in ("processes", "mpi", "dask", "dask://there:8786", "dask://10.0.0.1:80"):
        assert launchers.is_executor(text)
    for text in ("", "ray", "dask:", "dask://there", "dask://:1", "dask://there:x", "DASK", "8786", "there:8786"):
        assert not launchers.is_executor(text)
    assert command(["prepare", "in", "out", "--executor", "ray"]) == 2
    assert "ray is not processes, mpi, dask, or dask://HOST:PORT" in capsys.readouterr().err
    assert command(["prepare", "in", "out", "--part", "4/3"]) == 2
    assert "4/3 is not I/N, whole numbers with I from 1 to N, like 3/10" in capsys.readouterr().err
