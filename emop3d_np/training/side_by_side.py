"""Folds in processes of their own, several at a time: each is ``run.py --fold K`` with its share of the threads.

Kernels give the same bits whatever the number of threads, so a fold's result is that of the fold trained alone.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from .. import files
from ..children import WITH_STDIN
from ..errors import InputError
from . import flags
from .building import most_threads
from .stopping import Interrupt

RUN = Path(__file__).resolve().parents[2] / "run.py"
OUTPUT = "output.txt"
"""What a fold's process prints, in the fold's folder."""
LAST_LINES = 3
"""How many lines of its output are shown of a fold that failed."""


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


def side_by_side(tasks: Sequence[Task], jobs: int, finished: int = 0) -> dict[str, str]:
    """Train folds, each in a process of its own; one that fails does not stop the others.

    Args:
        tasks: at least one, all with the same ``threads``; they are started in this order.
        jobs: processes at a time; each gets that share of the threads, at least 1.
        finished: folds that were trained before, for the progress bar; default 0.

    Returns:
        The last line of output of each fold that failed, by the name of its task.

    Raises:
        KeyboardInterrupt: the user pressed Ctrl-C; every fold has saved its checkpoint.
        InputError: a fold's folder cannot be written, or no process can be started.
    """
    jobs = min(jobs, len(tasks))
    threads = max(1, (tasks[0].given.get("threads") or most_threads()) // jobs)
    print(
        f"{jobs} at a time, threads of each: {threads}; what a fold prints goes to {OUTPUT} in its folder", flush=True
    )
    waiting, told, shown = list(reversed(tasks)), False, ""
    running: dict[Task, subprocess.Popen[bytes]] = {}
    failures: dict[str, str] = {}
    with (
        Interrupt("the steps under way") as interrupt,
        tqdm(total=finished + len(tasks), initial=finished, desc="folds", unit="fold", dynamic_ncols=True) as bar,
    ):
        try:
            while running or (waiting and not interrupt.requested):
                while waiting and len(running) < jobs and not interrupt.requested:
                    task = waiting.pop()
                    running[task] = _start(task, threads)
                for task in [task for task, process in running.items() if process.poll() is not None]:
                    code = _let_go(running.pop(task))
                    if code and not interrupt.requested:
                        failures[task.name] = _show_failure(task, code)
                    bar.update(not code)
                if interrupt.requested and not told:
                    told = True
                    for process in running.values():
                        process.terminate()
                seen = ", ".join(map(_progress, running))
                if seen != shown:
                    bar.set_postfix_str(shown := seen)
                time.sleep(0.1)
        finally:
            for process in running.values():
                process.kill()
                _let_go(process)
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


def _let_go(process: "subprocess.Popen[bytes]") -> int:
    """Wait for a fold's process; returns its exit code."""
    code = process.wait()
    if process.stdin:
        process.stdin.close()
    return code


def _start(task: Task, threads: int) -> "subprocess.Popen[bytes]":
    """Start a fold's process, whose output goes to a file in the fold's folder, and which ends when this one does."""
    command = ["run.py", *flags.arguments(task.given | {"threads": threads, "fold_jobs": 1})]
    log = task.path / OUTPUT
    # Bars are for terminals; lines are to be seen as they come.
    environment = os.environ | {"TQDM_DISABLE": "1", "PYTHONUNBUFFERED": "1", WITH_STDIN: "1"}
    try:
        task.path.mkdir(parents=True, exist_ok=True)
        with files.open_to_append(log) as output:
            print(f"$ python {shlex.join(command)}", file=output, flush=True)
            return subprocess.Popen(
                [sys.executable, str(RUN), *command[1:]],
                stdin=subprocess.PIPE,  # which is closed when this process ends, however it ends
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
    except OSError as error:
        raise InputError(f"{task.name} cannot be started, with its output in {log}: {error.strerror}") from None


def _show_failure(task: Task, code: int) -> str:
    """Name a fold that failed, with the last lines of its output; returns the last one."""
    log = task.path / OUTPUT
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    how = f"exit code {code}" if code > 0 else f"ended by signal {-code}{', often for want of memory' * (code == -9)}"
    tail = "".join(f"\n    {line}" for line in lines[-LAST_LINES:])
    tqdm.write(f"{task.name} failed ({how}); the end of {log}:{tail}")
    return lines[-1] if code > 0 else how


def _progress(task: Task) -> str:
    """How far a fold has come, for the progress bar."""
    try:
        last = (task.path / "history.jsonl").read_text().splitlines()[-1]
        return f"{task.name} epoch {json.loads(last)['epoch']:g}"
    except (OSError, IndexError, ValueError, KeyError, TypeError, OverflowError):
        return task.name
