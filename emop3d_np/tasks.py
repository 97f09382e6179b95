"""Tasks, handed out to whoever works on them: processes of this machine, ranks of MPI, workers of Dask.

A task is a function with plain arguments that leaves a file when it is finished.  So whoever works on one may be lost:
whether it is finished is asked of the file, and if it is not, it is handed out once more.
"""

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .errors import InputError
from .reading import short

LOOKED_AT_EVERY = 0.5
"""Seconds between two looks at a :class:`Sign`, which may lie on another machine's disk."""

FORGOTTEN_AFTER = 120.0
"""Seconds without a change of the :class:`Sign` after which whoever set it is taken for dead."""

DIED = "the process that worked on it died"
"""Why a task was lost."""

Thing = TypeVar("Thing")


@dataclass(eq=False)
class Task:
    """Something to do.

    Attributes:
        name: in messages.
        function, arguments: what is called, perhaps on another machine: a function of a module, and plain values.
            What lasts asks :func:`is_wanted` now and then.
        left: what the function returned, from the file that it left, where it was finished; else None.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    left: Callable[[], Any] = lambda: None


class Lost(Exception):
    """A task that whoever worked on it did not finish; its text says why.  A task may raise it, too, to be tried again.

    Attributes:
        died: whether the process ended, as it does on a fault of a library or for want of memory.
    """

    died = True


class NotTried(Lost):
    """Of a task that the executor had nobody do, which says nothing of the task."""

    died = False


class Unwanted(NotTried):
    """Raised by a task that is no longer wanted, or cannot see that it is."""


class Engines(Protocol):
    """Whoever works on tasks, as :func:`.executors.open_executor` gives them.

    Attributes:
        count: tasks that are worked on at a time.
        remote: whether on other machines, perhaps.
    """

    remote: bool

    @property
    def count(self) -> int: ...

    def submit(self, task: Task) -> "Future[Any]":
        """Hand out a task; its future gives what :func:`call` returns."""

    def replace_broken(self) -> None:
        """Have others in the place of those that are broken; raises InputError where there will be none."""

    def keep_on(self) -> None:
        """Let those who work know that they are still wanted; called several times a second."""

    def stop(self) -> None:
        """Let them know that they are not."""


def run_tasks(
    tasks: Sequence[Task],
    engines: Engines,
    stopping: Callable[[], object] = lambda: False,
    look: Callable[[list[Task]], None] = lambda running: None,
    say: Callable[[str], None] = lambda words: None,
) -> Iterator[tuple[Task, Any]]:
    """Do tasks, as many at a time as there is room for; one that is lost is tried once more, alone, when all others are
    done: where processes died, that finds the task that kills.

    Args:
        tasks: they are handed out in this order.
        engines: who works on them.
        stopping: whether no more is wanted, asked several times a second; then nothing is handed out, those that run
            are told, and the rest of what they return is given.
        look: is called as often with the tasks that are being worked on, or, where the executor does not tell, with all
            that are handed out.
        say: is called with words, when a task was lost for the first time.

    Yields:
        ``task, result`` when it is done: what its function returned, or :class:`Lost`.

    Raises:
        InputError: those who should work cannot: nobody did anything, or nobody did a task in two trials.
        Exception: whatever a task raised, but for :class:`Lost`.
    """
    lost, done = [], 0
    for task, result in _hand_out(tasks, engines, stopping, look):
        if isinstance(result, Lost):
            lost.append(task)
            if isinstance(result, NotTried) and not done and len(lost) == min(len(tasks), 4 * engines.count):
                raise InputError(f"{task.name}: {result}; the same command goes on from here")
            say(f"{task.name}: {result}; it is tried once more, alone, when the others are done")
        else:
            done += 1
            yield task, result
    untried = None
    for task in lost:
        for same, result in _hand_out([task], engines, stopping, look):
            if isinstance(result, NotTried):
                untried = InputError(f"{task.name}: {result}; the same command goes on from here")
            else:
                yield same, result
    if untried:
        raise untried


def _hand_out(
    tasks: Sequence[Task], engines: Engines, stopping: Callable[[], object], look: Callable[[list[Task]], None]
) -> Iterator[tuple[Task, Any]]:
    waiting, running, stopped = list(reversed(tasks)), dict[Future[Any], Task](), False
    while running or (waiting and not stopped):
        if not stopped and stopping():
            stopped = True
            engines.stop()  # what has not begun does nothing when its turn comes
        while waiting and len(running) < 2 * engines.count and not stopped:  # each has the next one at hand
            task = waiting.pop()
            running[engines.submit(task)] = task
        done, _ = wait(running, timeout=0.1, return_when=FIRST_COMPLETED)
        for future in done:
            task = running.pop(future)
            result = _result(future, task)
            if isinstance(result, Lost) and stopped:
                continue
            broken = not future.cancelled() and isinstance(future.exception(), BrokenExecutor)
            if isinstance(result, Lost) and (broken or engines.remote):
                engines.replace_broken()
            yield task, result
        if not stopped:
            engines.keep_on()
        look([task for future, task in running.items() if future.running()] or list(running.values()))


def _result(future: "Future[Any]", task: Task) -> Any:
    """What a task returned, or :class:`Lost`; raises what it raised."""
    try:
        returned, value = future.result()
    except (BrokenExecutor, CancelledError) as error:
        lost = Lost(DIED) if isinstance(error, BrokenExecutor) else Unwanted("the executor dropped it")
    except Exception as error:
        name = type(error).__name__  # KilledWorker is Dask's, which is not imported here
        lost = Lost(DIED) if name == "KilledWorker" else NotTried(short(f"the executor failed: {name}: {error}"))
    else:
        if returned:
            return value
        if not isinstance(value, Lost):
            raise value
        lost = value
    found = task.left()
    return lost if found is None else found


# --- On the side of whoever works on it.


class Stop(Protocol):
    """Says whether work is no longer wanted."""

    def is_set(self) -> bool: ...


_thread = threading.local()

NOT_SEEN = f"all who work must see the same files by the same paths, but on {socket.gethostname()} there is no"

of_this_process: Stop | None = None
"""What tells this process that it is no longer wanted, where no task brings something along."""


def call(stop: Stop | None, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """Do a task.

    Args:
        stop: says that it is no longer wanted; default what this process has.
        function, arguments: of :class:`Task`.

    Returns:
        Whether the function returned, and its result, or what it raised.
    """
    _thread.stop = stop or of_this_process
    try:
        if not is_wanted():
            raise Unwanted(f"{NOT_SEEN} {stop}" if isinstance(stop, Sign) else "it was not wanted any more")
        return True, function(*arguments)
    except Exception as error:
        return False, error
    finally:
        _thread.stop = None


def is_wanted() -> bool:
    """In a task: whether it is still wanted."""
    stop = getattr(_thread, "stop", None)
    return stop is None or not stop.is_set()


def is_in_a_hurry() -> bool:
    """In a task that is not wanted: whether it is to end without saving anything."""
    return getattr(getattr(_thread, "stop", None), "at_once", False)


_seen: dict[str, tuple[float, int, float]] = {}
"""Of each :class:`Sign`: when it was looked at, its time of change then, and when that was first seen."""


@dataclass(frozen=True)
class Sign:
    """A file that says that tasks are wanted, wherever they run: it is touched as long as they are, then removed.

    Clocks of two machines are not compared: what counts is that the file's time changes.
    """

    path: str

    def __str__(self) -> str:
        return self.path

    def is_set(self) -> bool:
        """Whether it says that no more is wanted."""
        now = time.monotonic()
        looked, changed, since = _seen.get(self.path, (-LOOKED_AT_EVERY, 0, now))
        if now - looked < LOOKED_AT_EVERY:
            return False
        try:
            found = os.stat(self.path).st_mtime_ns
        except FileNotFoundError:
            return True
        except OSError:  # a network's; it is tried again
            found = changed
        since = since if found == changed else now
        _seen[self.path] = now, found, since
        return now - since > FORGOTTEN_AFTER

    def touch(self) -> None:
        """Say that they are wanted."""
        Path(self.path).touch()


# --- A share of all tasks, for the arrays of a cluster.


@dataclass(frozen=True)
class Share:
    """Every ``count``-th of some things, from the ``number``-th on, counted from 1."""

    number: int
    count: int

    def of(self, things: Sequence[Thing]) -> Sequence[Thing]:
        """Those things."""
        return things[self.number - 1 :: self.count]

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @classmethod
    def read(cls, text: str) -> "Share":
        """From ``I/N``.

        Raises:
            ValueError: that is none.
        """
        number, count = map(int, text.split("/"))
        if not 1 <= number <= count:
            raise ValueError(text)
        return cls(number, count)
