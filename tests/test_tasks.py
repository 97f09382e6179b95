"""Tasks handed out: whoever is lost, each is done or named; and nobody works on for those who are gone."""

import os
import threading
import time
from concurrent.futures import BrokenExecutor, CancelledError, Future, ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emop3d_np import executors, tasks, versions
from emop3d_np.errors import InputError
from emop3d_np.tasks import Lost, Share, Sign, Task, Unwanted, run_tasks

pytestmark = pytest.mark.once


class Scripted:
    """Engines that do what a task's name says, one at a time; ``fate`` gives what its n-th trial comes to."""

    remote, count = False, 2

    def __init__(self, fate):
        self.fate, self.trials, self.replaced, self.handed_out, self.stopped = fate, {}, 0, [], False

    def submit(self, task):
        self.trials[task.name] = self.trials.get(task.name, 0) + 1
        self.handed_out.append(task.name)
        future = Future()
        result = self.fate(task.name, self.trials[task.name])
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)
        return future

    def replace_broken(self):
        self.replaced += 1

    def keep_on(self):
        pass

    def stop(self):
        self.stopped = True


def named(*names, **more):
    return [Task(name, print, (), **more) for name in names]


class KilledWorker(Exception):
    """As Dask has it."""


def test_what_is_lost_is_tried_once_more_alone_and_then_named():
    def fate(name, trial):
        first = {
            "b": BrokenExecutor(),
            "c": KilledWorker(),
            "d": CancelledError(),
            "e": (False, Lost("signal 9")),
            "f": (False, Unwanted("asleep")),
            "g": ValueError("where Dask lost a result that was there"),
        }
        return first[name] if name in first and (trial == 1 or name == "e") else (True, name.upper())

    said, engines = [], Scripted(fate)
    results = {task.name: result for task, result in run_tasks(named(*"abcdefg"), engines, say=said.append)}
    assert str(results.pop("e")) == "signal 9"
    assert results == {name: name.upper() for name in "abcdfg"}
    assert sorted(engines.handed_out[7:]) == list("bcdefg")
    assert engines.replaced == 1
    assert [line.split(":")[0] for line in sorted(said)] == list("bcdefg")
    assert "d: the executor dropped it; it is tried once more, alone, when the others are done" in said


def test_whether_it_is_finished_is_asked_of_its_file():
    """It was, before whoever worked on it died."""
    engines = Scripted(lambda *_: BrokenExecutor())
    ((_, result),) = run_tasks(named("a", left=lambda: "from its file"), engines)
    assert result == "from its file"
    assert engines.handed_out == ["a"]


def test_what_a_task_raises_is_raised():
    with pytest.raises(OSError, match="full"):
        list(run_tasks(named("a"), Scripted(lambda *_: (False, OSError("full")))))


def test_an_executor_that_cannot_work():
    """As where the package is not installed on a worker: nothing is tried again and again."""
    words = "[ab]: the executor failed: ModuleNotFoundError: No module named 'x'; the same command goes on from here"
    with pytest.raises(InputError, match=words):
        list(run_tasks(named("a", "b"), Scripted(lambda *_: ModuleNotFoundError("No module named 'x'"))))


def test_what_nobody_does_in_two_trials():
    """It says nothing of the task, as where one of several workers lacks what it needs: the command ends with it."""
    fate = {"b": (False, Unwanted("unseen")), "c": ModuleNotFoundError("x")}
    engines = Scripted(lambda name, _: fate.get(name, (True, name)))
    results = run_tasks(named(*"abcd"), engines)
    done = [next(results)[1] for _ in range(2)]
    with pytest.raises(
        InputError, match=r"(b: unseen|c: the executor failed: ModuleNotFoundError: x); the same command"
    ):
        next(results)
    assert sorted(done) == ["a", "d"]
    assert sorted(engines.handed_out) == list("abbccd")


def test_what_the_executor_drops():
    """As Dask drops all when its scheduler is gone: who looks whether anybody is there says so."""
    engines = Scripted(None)
    dropped = Future()
    dropped.cancel()
    dropped.set_running_or_notify_cancel()
    engines.submit = lambda task: dropped
    with pytest.raises(InputError, match="a: the executor dropped it; the same command goes on from here"):
        list(run_tasks(named("a"), engines))

    def gone():
        raise InputError("the scheduler is gone")

    engines.remote, engines.replace_broken = True, gone
    with pytest.raises(InputError, match="the scheduler is gone"):
        list(run_tasks(named("a"), engines))


def test_stopping():
    """Nothing more is handed out, and what runs is told; what it still returns is given, what it left undone is not."""
    seen = []
    engines = Scripted(lambda name, _: (False, Unwanted("stopped")) if name == "b" else (True, name))
    for task, _ in run_tasks(named(*"abcdefgh"), engines, lambda: seen):
        seen.append(task.name)
    assert engines.stopped
    assert "b" not in seen
    assert len(engines.handed_out) < 8


def wait_until_unwanted(started):
    started.set()
    while tasks.is_wanted():
        time.sleep(0.005)
    return tasks.is_in_a_hurry()


def test_a_task_that_is_not_wanted_leaves_no_trace():
    """What it was told does not hold for what its thread does afterwards."""
    told = threading.Event()
    told.set()
    returned, error = tasks.call(told, list, ())
    assert not returned
    assert isinstance(error, Unwanted)
    assert tasks.is_wanted()
    assert tasks.call(None, tasks.is_wanted, ()) == (True, True)


def test_threads_are_told_to_stop():
    started, events = [], [threading.Event() for _ in range(2)]
    with executors.open_executor("processes", 2, ".", own_processes=True) as engines:
        todo = [Task(str(k), wait_until_unwanted, (event,)) for k, event in enumerate(events)]
        for _, result in run_tasks(todo, engines, lambda: all(event.is_set() for event in events)):
            started.append(result)
    assert started == [False, False]


def test_threads_are_told_to_hurry():
    """By a second Ctrl-C; what begins after it does nothing."""
    futures = []

    def interrupted():
        with executors.open_executor("processes", 1, ".", own_processes=True) as engines:
            event = threading.Event()
            futures.extend(engines.submit(Task("x", wait_until_unwanted, (event,))) for _ in range(2))
            event.wait()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert futures[0].result() == (True, True)
    assert futures[1].cancelled() or isinstance(futures[1].result()[1], Unwanted)


def test_any_executor_is_told_by_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(tasks, "LOOKED_AT_EVERY", 0.0)
    with ThreadPoolExecutor(2) as pool:
        event = threading.Event()
        with executors.open_executor(pool, 2, tmp_path) as engines:
            future = engines.submit(Task("x", wait_until_unwanted, (event,)))
            event.wait()
            (sign,) = os.listdir(tmp_path)
            assert sign.endswith(".unfinished.wanted")  # what a killed command leaves goes away with the next
            assert not future.done()
        assert future.result() == (True, False)
        assert os.listdir(tmp_path) == []
        assert pool.submit(int).result() == 0  # it is its owner's to shut down


def test_nobody_is_there_to_work(tmp_path, monkeypatch, capsys):
    """It is said at once, or some time after the last one went; then a limit ends it."""
    now, workers = [1000.0], [0]
    monkeypatch.setattr(executors.time, "monotonic", lambda: now[0])
    engines = executors.Remote(ThreadPoolExecutor(1), "--executor x", lambda: workers[0], tmp_path)

    def said_after(seconds):
        now[0] += seconds
        engines.keep_on()
        return capsys.readouterr().err.strip()

    words = "--executor x has no worker; some are waited for, 600 s at most"
    assert [said_after(seconds) for seconds in (0, 1, 20)] == [words, "", ""]
    workers[0] = 2
    assert said_after(executors.WITHOUT_WORKERS) == ""
    workers[0] = 0
    assert [said_after(seconds) for seconds in (6, executors.MISSED_AFTER, 6)] == ["", words, ""]
    with pytest.raises(InputError, match=r"x has had no worker for 642 s; start some, and the same command goes on"):
        said_after(executors.WITHOUT_WORKERS)
    engines.close()


def test_a_folder_that_cannot_be_written(tmp_path):
    """As that in which ``evaluate`` is started may be."""
    with (
        executors.open_executor(ThreadPoolExecutor(1), 1, tmp_path / "absent") as engines,
        pytest.raises(InputError, match=r"unfinished.wanted: cannot be written: No such file .* a folder that can"),
    ):
        engines.submit(Task("x", print, ()))


def test_an_executor_that_takes_no_more(tmp_path):
    pool = ThreadPoolExecutor(1)
    pool.shutdown()
    with executors.open_executor(pool, 1, tmp_path) as engines, pytest.raises(InputError, match="takes no more tasks"):
        engines.submit(Task("x", print, ()))


def test_another_version_where_it_is_worked_on(tmp_path, monkeypatch):
    with ThreadPoolExecutor(1) as pool, executors.open_executor(pool, 1, tmp_path) as engines:
        here = versions.installed()
        monkeypatch.setattr(versions, "installed", lambda: here | {"numpy": next(numbers)})
        numbers = iter("12")
        with pytest.raises(InputError, match=r"the version of NumPy: 2 on .*, 1 where the command runs; install the"):
            list(run_tasks(named("a"), engines))


def test_a_machine_that_does_not_see_the_files(tmp_path):
    sign = Sign(str(tmp_path / "there"))
    returned, lost = tasks.call(sign, print, ())
    assert not returned
    assert "all who work must see the same files by the same paths, but on " in str(lost)
    assert str(lost).endswith(f" there is no {sign.path}")


def test_a_sign_that_nobody_touches(tmp_path, monkeypatch):
    """Whoever set it is dead, or cut off: time passes here, and the file does not change."""
    now = [1000.0]
    monkeypatch.setattr(tasks.time, "monotonic", lambda: now[0])
    sign = Sign(str(tmp_path / "sign"))
    for moment in range(5):
        sign.touch()
        os.utime(sign.path, (moment, moment))
        assert not sign.is_set()
        now[0] += tasks.FORGOTTEN_AFTER - 1
    now[0] += 2
    assert sign.is_set()
    sign.touch()
    now[0] += 1
    assert not sign.is_set()
    os.remove(sign.path)
    now[0] += 1
    assert sign.is_set()


@given(st.lists(st.integers()), st.integers(1, 9))
def test_shares_are_all(things, count):
    shares = [Share.read(f"{number}/{count}").of(things) for number in range(1, count + 1)]
    assert sorted(thing for share in shares for thing in share) == sorted(things)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/2/3", "", "1/0"])
def test_no_share(text):
    with pytest.raises(ValueError, match=r".*"):
        Share.read(text)
