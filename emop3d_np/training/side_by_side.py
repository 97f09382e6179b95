"""Folds in processes of their own, several at a time, here or wherever an executor has them started: each is
``run.py --fold K`` with its share of the threads.

Kernels give the same bits whatever the number of threads, so a fold's result is that of the fold trained alone.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import files, tasks
from ..children import WITH_STDIN
from ..errors import InputError
from ..executors import open_executor
from ..launchers import MARKS, PROCESSES
from . import flags
from .building import most_threads
from .stopping import Interrupt

RUN = Path(__file__).resolve().parents[2] / "run.py"
OUTPUT = "output.txt"
"""What a fold's process prints, in the fold's folder."""
LAST_LINES = 3
"""How many lines of its output are shown of a fold that failed."""
SHOWN = 6
"""Folds whose progress is shown beside the bar, at most."""
SEEN_WITHIN = 90.0
"""Seconds after which a file that another machine wrote is seen here."""


@dataclass(eq=False)
class Task:
    """A fold to train.

    Attributes:
        name: in messages.
        path: folder of its run.
        given: its settings, by name, ``fold`` among them.
    """

    name: str
    path: Path
    given: dict[str, Any]


def side_by_side(
    folds: Sequence[Task],
    jobs: int,
    finished: int = 0,
    executor: str = PROCESSES,
    folder: str | Path = ".",
) -> dict[str, str]:
    """Train folds, each in a process of its own; one that fails does not stop the others.

    One whose process is ended by a signal, as for want of memory, is tried once more, alone, when the others are done.

    Args:
        folds: at least one, all with the same ``threads``; they are started in this order.
        jobs: processes at a time; each gets that share of the threads, at least 1.
        finished: folds that were trained before, for the progress bar; default 0.
        executor: who starts the processes, as of :func:`~emop3d_np.executors.open_executor`: where it is on other
            machines, each gets ``threads``, default 1.
        folder: a folder that these see.

    Returns:
        The last line of output of each fold that failed, by the name of its task.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C; every fold has saved its checkpoint.
        InputError: a fold's folder cannot be written, no process can be started, or there is no such executor.
    """
    jobs = min(jobs, len(folds))
    failures: dict[str, str] = {}
    with (
        Interrupt("the steps under way") as interrupt,
        open_executor(executor, jobs, folder, own_processes=True) as engines,
        tqdm(total=finished + len(folds), initial=finished, desc="folds", unit="fold", dynamic_ncols=True) as bar,
    ):
        threads = folds[0].given.get("threads") or (1 if engines.remote else most_threads())
        threads = threads if engines.remote else max(1, threads // jobs)
        tqdm.write(
            f"{engines.count} at a time, threads of each: {threads}; what a fold prints goes to {OUTPUT} in its folder"
        )
        shown = ""
        by_task = {_as_task(each, threads): each for each in folds}

        def look(running: list[tasks.Task]) -> None:
            nonlocal shown
            seen = [_progress(by_task[each]) for each in running[:SHOWN]]
            seen += [f"{len(running) - SHOWN} more"] if len(running) > SHOWN else []
            if (words := ", ".join(seen)) != shown:
                bar.set_postfix_str(shown := words)

        for task, result in tasks.run_tasks(list(by_task), engines, lambda: interrupt.requested, look, tqdm.write):
            code, *lines = (str(result),) if isinstance(result, tasks.Lost) else result
            if code and not interrupt.requested:
                failures[task.name] = _show_failure(by_task[task], code, lines)
            elif not code and engines.remote:
                _until_seen(by_task[task].path / "answers.csv")
            bar.update(not code)
    if interrupt.requested:
        interrupt.say("the same command goes on from here; finished folds are kept")
        raise KeyboardInterrupt
    return failures


def require_all(failures: Iterable[str]) -> None:
    """Raises InputError if there are ``failures``, names of folds as :func:`side_by_side` returns them."""
    if failures:
        raise InputError(
            f"failed, as said above: {'; '.join(failures)}; the other folds are kept, and the same command tries again"
        )


def _as_task(fold: Task, threads: int) -> tasks.Task:
    command = flags.arguments(fold.given | {"threads": threads, "fold_jobs": 1, "executor": PROCESSES})
    path = fold.path.absolute()
    return tasks.Task(
        fold.name,
        _train,
        (fold.name, str(path), command, os.getcwd()),
        lambda: (0,) if (path / "answers.csv").exists() else None,
    )


def _until_seen(path: Path) -> None:
    """Wait until a file is seen here that was written elsewhere: network file systems take up to a minute."""
    deadline = time.monotonic() + SEEN_WITHIN
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.5)


def _show_failure(task: Task, code: int | str, lines: Sequence[str]) -> str:
    """Name a fold that failed, with the last lines of its output; returns the last one."""
    how = f"exit code {code}" if isinstance(code, int) else code
    tail = "".join(f"\n    {line}" for line in lines)
    tqdm.write(f"{task.name} failed ({how}); the end of {task.path / OUTPUT}:{tail}")
    return lines[-1] if lines and isinstance(code, int) else how


def _progress(task: Task) -> str:
    """How far a fold has come, for the progress bar."""
    try:
        last = (task.path / "history.jsonl").read_text().splitlines()[-1]
        return f"{task.name} epoch {json.loads(last)['epoch']:g}"
    except (OSError, IndexError, ValueError, KeyError, TypeError, OverflowError):
        return task.name


# --- On the side of whoever works on a fold.


def _train(name: str, folder: str, arguments: list[str], working: str) -> tuple[Any, ...]:
    """Train a fold in a process of its own, which ends when this one does.

    Args:
        name: of the fold, in messages.
        folder: of its run, for its output.
        arguments: of ``run.py``.
        working: the folder that paths in them are relative to.

    Returns:
        Its exit code, and after it the last lines of its output.

    Raises:
        Lost: it was ended by a signal.
        InputError: it cannot be started.
    """
    process, told = _start(name, Path(folder), arguments, working), False
    try:
        while process.poll() is None:
            if not told and not tasks.is_wanted():
                told = True
                process.terminate()
            if told and tasks.is_in_a_hurry():
                process.kill()
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()
    code = process.returncode
    if code < 0:
        raise tasks.Lost(f"ended by signal {-code}{', often for want of memory' * (code == -9)}")
    with suppress(OSError):
        lines = (Path(folder) / OUTPUT).read_text(encoding="utf-8", errors="replace").splitlines()
        return code, *[line for line in lines if line.strip()][-LAST_LINES:]
    return (code,)


def _start(name: str, folder: Path, arguments: list[str], working: str) -> "subprocess.Popen[bytes]":
    """Start a fold's process, whose output goes to a file in the fold's folder, and which ends when this one does."""
    # Bars are for terminals; lines are to be seen as they come.
    environment = {each: value for each, value in os.environ.items() if not each.startswith(MARKS)}
    environment |= {"TQDM_DISABLE": "1", "PYTHONUNBUFFERED": "1", WITH_STDIN: "1"}
    log = folder / OUTPUT
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with files.open_to_append(log) as output:
            print(f"$ python {shlex.join(['run.py', *arguments])}", file=output, flush=True)
            return subprocess.Popen(
                [sys.executable, str(RUN), *arguments],
                cwd=working,
                stdin=subprocess.PIPE,  # which is closed when this process ends, however it ends
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
    except OSError as error:
        raise InputError(f"{name} cannot be started, with its output in {log}: {error.strerror}") from None
