"""Who works on tasks: ``--executor``, any executor of the form of ``concurrent.futures``.

========================  ==========================================================================================
``processes``             processes of this machine, of the standard library
``mpi``                   the ranks of ``mpiexec -n P python -m mpi4py.futures ...``; the first one hands out
``dask``                  a cluster of Dask's on this machine, which is started and ended with the command
``dask://HOST:PORT``      a cluster of Dask's that is there
========================  ==========================================================================================

MPI and Dask are imported only where they are asked for.  Who works on other machines must see the same files by the
same paths.
"""

import logging
import multiprocessing
import os
import secrets
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from . import tasks, versions
from .children import end_with_parent
from .errors import InputError
from .files import UNFINISHED
from .launchers import PROCESSES
from .reading import short
from .tasks import Sign, Task

TOUCHED_EVERY = 5.0
"""Seconds between two signs of life to those who work elsewhere."""

ENDED_WITHIN = 20.0
"""Seconds that those get to end a task."""


def is_being_imported() -> bool:
    """Whether this is a process that :mod:`multiprocessing` starts, and that only imports the script, to begin with."""
    return bool(getattr(multiprocessing.current_process(), "_inheriting", False))


REACHED_WITHIN = 10.0
"""Seconds to wait for the answer of a cluster."""

MISSED_AFTER = 30.0
"""Seconds after which it is said that a cluster which had workers has none; one that dies is replaced within them."""

GIVEN_UP_AFTER = 120.0
"""Seconds within which Dask must have started a worker anew.  After these, by default 15, it gives one up for good and
tells nobody: on a busy machine, where a start takes longer, all were given up one by one, and tasks waited for ever.
"""

WITHOUT_WORKERS = 600.0
"""Seconds that a cluster is waited for which has no worker, since it has none yet, or has lost them."""


class NotStarted(InputError):
    """Processes that did not come to life, since each imports a script that starts them without a main guard."""


@contextmanager
def open_executor(
    what: str | Executor, jobs: int, folder: str | Path, own_processes: bool = False
) -> Iterator[tasks.Engines]:
    """Have somebody to work on tasks; in the end those who still work are told to stop, and waited for.

    Args:
        what: as ``--executor`` has it; or an executor of ``concurrent.futures``, which is not shut down.
        jobs: tasks at a time: for ``processes`` and ``dask`` processes that are started.
        folder: folder that all see, for a file that says that they are wanted.
        own_processes: whether a task starts a process of its own, and does no more here than to wait for it.

    Raises:
        InputError: what it needs is not installed, or not started.
    """
    if what == PROCESSES:
        engines: Local | Remote = Threads(jobs) if own_processes else Processes(jobs)
    elif isinstance(what, Executor):
        engines = Remote(what, "the executor", lambda: jobs, folder)
    elif what == "mpi":
        engines = _ranks(folder, own_processes)
    else:
        engines = _dask(what, jobs, folder)
    try:
        yield engines
    except BaseException:
        engines.stop(at_once=True)
        raise
    finally:
        engines.close()


class _Stop(threading.Event):
    """Tells threads that they are to stop; ``at_once``: without saving anything."""

    at_once = False


class Local:
    """Processes of this machine, or threads that each wait for a process."""

    remote = False

    def __init__(self, jobs: int) -> None:
        self.count = jobs
        self._executor: Executor | None = None

    def submit(self, task: Task) -> "Future[Any]":
        """See :class:`~emop3d_np.tasks.Engines`."""
        for _ in range(2):
            self._executor = self._executor or self._start()
            with suppress(BrokenExecutor):  # since the last result was taken
                return self._executor.submit(tasks.call, self._stop_of_tasks(), task.function, task.arguments)
            self.replace_broken()
        raise InputError("the processes that should work die as they begin")

    def keep_on(self) -> None:
        """Nothing: they end with this process."""

    def close(self) -> None:
        """Stop, and wait for those that work."""
        self.stop()
        if self._executor:
            self._executor.shutdown(wait=True, cancel_futures=True)

    def replace_broken(self) -> None:
        """See :class:`~emop3d_np.tasks.Engines`."""
        if self._executor:
            self._executor.shutdown(wait=True, cancel_futures=True)
        self._executor = None

    def stop(self, at_once: bool = False) -> None:
        """See :class:`~emop3d_np.tasks.Engines`."""
        raise NotImplementedError

    def _start(self) -> Executor:
        raise NotImplementedError

    def _stop_of_tasks(self) -> tasks.Stop | None:
        return None


class Threads(Local):
    """Threads, for tasks that start processes of their own."""

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        self._stop = _Stop()

    def stop(self, at_once: bool = False) -> None:
        """Let those who work know that no more is wanted; ``at_once``: and nothing need be saved."""
        self._stop.at_once |= at_once
        self._stop.set()

    def _start(self) -> Executor:
        return ThreadPoolExecutor(self.count)

    def _stop_of_tasks(self) -> tasks.Stop:
        return self._stop


class Processes(Local):
    """Processes that are spawned, since a forked copy of a process that has run threads may hang.

    When one dies, the executor of the standard library gives up all that its processes worked on, and is replaced.
    """

    def __init__(self, jobs: int) -> None:
        super().__init__(jobs)
        context = multiprocessing.get_context("spawn")
        self._context, self._stop, self._begun = context, context.Event(), context.Event()

    def stop(self, at_once: bool = False) -> None:
        """Let those who work know that no more is wanted."""
        self._stop.set()

    def replace_broken(self) -> None:
        """See :class:`~emop3d_np.tasks.Engines`."""
        super().replace_broken()
        if not self._begun.is_set():
            raise NotStarted("the processes that should work did not come to life")

    def _start(self) -> Executor:
        return ProcessPoolExecutor(self.count, self._context, initializer=_begin, initargs=(self._stop, self._begun))


def _begin(stop: tasks.Stop | None, begun: Any = None) -> None:
    """What a process does first: it says that it has ``begun``, and sees to end with its parent.

    It leaves Ctrl-C to that one, which sets ``stop``.
    """
    tasks.of_this_process = stop
    if begun is not None:
        begun.set()
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Remote:
    """Whoever an executor has, on other machines perhaps; they look at a file whether they are wanted.

    Args:
        executor: where tasks are submitted.
        called: what it is called in messages.
        count: gives how many are worked on at a time; 0 where nobody is there to work.  It raises InputError where
            nobody will be.
        folder: where the file goes.
        through: does a task where it is worked on; default :func:`emop3d_np.tasks.call`.
        end: called at the end.
    """

    remote = True

    def __init__(
        self,
        executor: Executor,
        called: str,
        count: Callable[[], int],
        folder: str | Path,
        through: Callable[..., tuple[bool, Any]] = tasks.call,
        end: Callable[[], object] = lambda: None,
    ) -> None:
        self._executor, self._called, self._count, self._through, self._end = executor, called, count, through, end
        name = f".{os.getpid()}-{secrets.token_hex(3)}{UNFINISHED}.wanted"
        self._sign = Sign(str(Path(folder).absolute() / name))
        self._touched, self._missed = 0.0, False
        self._seen = time.monotonic() - MISSED_AFTER
        self._handed_out: set[Future[Any]] = set()

    @property
    def count(self) -> int:
        """Tasks that are worked on at a time."""
        return max(1, self._count())

    def submit(self, task: Task) -> "Future[Any]":
        """See :class:`~emop3d_np.tasks.Engines`."""
        self.keep_on()
        task_there = self._through, versions.installed(), self._sign, task.function, task.arguments
        try:
            future = self._executor.submit(_if_alike, *task_there)
        except RuntimeError as error:
            raise InputError(f"{self._called} takes no more tasks: {short(str(error))}; {AGAIN}") from None
        self._handed_out.add(future)
        future.add_done_callback(self._handed_out.discard)
        return future

    def replace_broken(self) -> None:
        """See that somebody is there: what died was one of them, and theirs to replace."""
        self._count()

    def keep_on(self) -> None:
        """Touch the file, and see to it that somebody is there to work.

        Raises:
            InputError: nobody is, or has been for :data:`WITHOUT_WORKERS`.
        """
        now = time.monotonic()
        if now - self._touched <= TOUCHED_EVERY:
            return
        try:
            self._sign.touch()
        except OSError as error:
            raise InputError(
                f"{self._sign}: cannot be written: {error.strerror or error}; those who work look at it, so give, or "
                f"start the command in, a folder that can be written and that all of them see"
            ) from None
        self._touched = now
        if self._count():
            self._seen, self._missed = now, False
        elif now - self._seen > WITHOUT_WORKERS:
            raise InputError(f"{self._called} has had no worker for {now - self._seen:.0f} s; start some, and {AGAIN}")
        elif not self._missed and now - self._seen >= MISSED_AFTER:
            self._missed = True
            words = f"{self._called} has no worker; some are waited for, {WITHOUT_WORKERS:.0f} s at most"
            tqdm.write(words, file=sys.stderr)

    def stop(self, at_once: bool = False) -> None:
        """Remove the file."""
        with suppress(OSError):
            os.remove(self._sign.path)

    def close(self) -> None:
        """Stop, and have no more to do with them; those who work, where there are any, get some seconds to see it."""
        self.stop()
        with suppress(InputError):
            wait(list(self._handed_out), timeout=ENDED_WITHIN if self._handed_out and self._count() else 0)
        for future in list(self._handed_out):
            future.cancel()
        self._end()


AGAIN = "the same command goes on from here"


def _if_alike(through: Callable[..., tuple[bool, Any]], wanted: dict[str, str], *task: Any) -> tuple[bool, Any]:
    """Where it is worked on: do a task, if what is installed here is what is ``wanted``."""
    try:
        versions.require_alike(versions.installed(), wanted, socket.gethostname())
    except InputError as error:
        return False, error
    return through(*task)


# --- MPI.


def _ranks(folder: str | Path, own_processes: bool) -> Remote:
    how = f"mpiexec -n 9 python -m mpi4py.futures {_program()} (eight ranks that work, and one that hands out)"
    begun = "mpi4py.futures" in sys.modules
    try:
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor
    except (ImportError, RuntimeError) as error:
        raise InputError(
            f"--executor mpi needs mpi4py and an MPI library: pip install 'emop3d-np[mpi]' mpich ({short(str(error))})"
        ) from None
    if not begun or MPI.COMM_WORLD.size < 2:
        there = "one rank" if MPI.COMM_WORLD.size == 1 else f"{MPI.COMM_WORLD.size} ranks, started otherwise"
        raise InputError(f"--executor mpi: {there}; start it by {how}")
    executor = MPIPoolExecutor(initializer=_begin_rank)
    through = tasks.call if own_processes else _in_a_child
    return Remote(executor, "--executor mpi", lambda: executor.num_workers, folder, through, executor.shutdown)


def _program() -> str:
    """What the user runs, in words for messages."""
    name = os.path.basename(sys.argv[0])
    return "-m emop3d_np ..." if name in ("__main__.py", "emop3d") else f"{name} ..."


def _begin_rank() -> None:
    """In a rank: leave Ctrl-C and SIGTERM, which mpiexec sends to all ranks, to the first one."""
    _leave(signal.SIGINT, signal.SIGTERM)
    vars(sys.modules["__main__"]).pop("__file__", None)  # its processes need not import the script


def _leave(*signals: signal.Signals) -> None:
    """Leave signals that come to all processes to the one that hands out."""
    for number in signals:
        signal.signal(number, lambda *_: None)  # not SIG_IGN, which what is started here would have, too


_child: ProcessPoolExecutor | None = None


def _in_a_child(stop: tasks.Stop, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
    """In a rank: do a task in a process of its own, which is kept; with a rank that dies, all others end."""
    global _child  # noqa: PLW0603
    if _child is None:
        _child = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(None,))
    try:
        return _child.submit(tasks.call, stop, function, arguments).result()
    except BrokenExecutor:
        _child = None
        raise


# --- Dask.


def _dask(text: str, jobs: int, folder: str | Path) -> Remote:
    called, own = f"--executor {text}", text == "dask"
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise InputError(f"{called} needs Dask: pip install 'emop3d-np[dask]'") from None
    for name in ("distributed", "distributed.client"):  # what becomes of a cluster is said here, in a line
        logging.getLogger(name).setLevel(logging.CRITICAL)
    client, end = _cluster_here(called, jobs) if own else _cluster_there(called, text.replace("dask://", "tcp://"))
    known: set[str] = set()

    def count() -> int:
        try:
            threads = client.nthreads()
            if own and len(threads) < jobs:
                client.cluster.scale(jobs)  # which starts others in the place of those that Dask has given up
            elif not own and not known.issuperset(threads):
                _require_alike(client, called, sorted(set(threads) - known))
                known.update(threads)
            return sum(threads.values())
        except InputError:
            raise
        except Exception as error:  # of Dask, of its event loop, of the network
            words = short(f"{type(error).__name__}: {error}".splitlines()[0])
            raise InputError(f"{called}: its scheduler is gone ({words}); start one, and {AGAIN}") from None

    executor = client.get_executor(pure=False)  # or a second trial would be given the failure of the first
    return Remote(executor, called, count, folder, end=end)


def _cluster_here(called: str, jobs: int) -> tuple[Any, Callable[[], None]]:
    """A client of a new cluster on this machine, and what ends both."""
    from dask import config
    from distributed import Client, LocalCluster, WorkerPlugin

    given_up = {"distributed.deploy.lost-worker-timeout": f"{GIVEN_UP_AFTER} s"}
    configured = config.set(given_up | {"distributed.scheduler.allowed-failures": 1})  # since we try again, too
    try:
        cluster = LocalCluster(
            n_workers=jobs,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",  # any port: that of its own pages may be taken, which it would tell
            memory_limit=None,
            silence_logs=50,
        )
    except RuntimeError as error:
        raise NotStarted(f"{called}: no worker could be started: {short(str(error))}") from None
    client = Client(cluster)

    class LeaveCtrlC(WorkerPlugin):  # type: ignore[misc,unused-ignore]
        """For workers of a terminal, those that are started anew, too."""

        def setup(self, worker: Any) -> None:
            _leave(signal.SIGINT)

    client.register_plugin(LeaveCtrlC())

    def end() -> None:
        with configured:  # which sets back, at its end, what it had set
            client.close()
            cluster.close()

    return client, end


def _cluster_there(called: str, address: str) -> tuple[Any, Callable[[], None]]:
    """A client of the cluster whose scheduler has that address, and what ends it."""
    from distributed import Client

    try:
        client = Client(address, timeout=REACHED_WITHIN)
    except OSError as error:
        raise InputError(f"{called}: cannot be reached: {short(str(error))}") from None
    return client, client.close


def _require_alike(client: Any, called: str, workers: list[str]) -> None:
    """Refuse workers of Dask's that have not the package of this version: they would end without a word at a task."""

    def installed() -> dict[str, str]:  # which goes there as a whole, being a function of no module
        from emop3d_np import versions

        return versions.installed()

    answers = client.sync(client._run, installed, workers=workers, on_error="return", callback_timeout=REACHED_WITHIN)
    for worker, answer in answers.items():
        if isinstance(answer, ImportError):
            words = f"{called}: the worker {worker} has not the emop3d_np of this version ({short(str(answer))})"
            raise InputError(f"{words}; install it there, and start the worker anew")
        if isinstance(answer, dict):
            versions.require_alike(answer, versions.installed(), f"the worker {worker}")
