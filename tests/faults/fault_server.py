"""Runs commands with faults, quickly: one process has imported everything, and a fork of it is a new command.

Lines of JSON come in by the standard input, ``{"place", "arguments", "plan", "times"}``; the command is begun so many
times at once, and a line goes out, a list with ``{"code", "left"}`` of each: the exit code, minus the signal for a
kill, and how many of the command's processes are alive :data:`PATIENCE` seconds after.  What the command printed is in
a file beside the case, ``CASE.printed-0`` and so on.

Processes that a command would start anew are forks here, too.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
import warnings
from concurrent.futures import Future
from pathlib import Path

PATIENCE = 60.0
"""Seconds within which what a command started has ended when the command has."""


def begin(place, arguments, plan, number):
    """Fork a command, the first of a group of processes; returns its process number."""
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setpgid(0, 0)
        os.chdir(place)
        printed = os.open(
            Path(place).parent / f"{Path(place).name}.printed-{number}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        )
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number in (1, 2):
            os.dup2(printed, number)
        if plan.state:
            import fault_injection

            plan.main = os.getpid()
            fault_injection.install(plan)
        end(arguments)
    finally:
        os._exit(99)


def end(arguments):
    """Do a command and end this process with its exit code; 98 stands for an error that was no plain line."""
    import run
    from emop3d_np.commands import main

    code = 98
    try:
        code = (run.main if arguments[0] == "run" else main)(arguments[1:])
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        traceback.print_exc()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


class Fork:
    """In the place of ``subprocess.Popen``: a fold in a fork, which ends when its standard input is closed."""

    def __init__(self, command, cwd, stdin, stdout, stderr, env):
        theirs, ours = os.pipe()
        self.pid, self.returncode = os.fork(), None
        if not self.pid:
            try:
                os.close(ours)
                os.dup2(theirs, 0)
                for number in (1, 2):
                    os.dup2(stdout.fileno(), number)
                os.chdir(cwd)
                os.environ.update(env)
                for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
                end(["run", *command[2:]])
            finally:
                os._exit(99)
        os.close(theirs)
        os.set_inheritable(ours, False)
        self.stdin = os.fdopen(ours, "wb")

    def poll(self):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self):
        while self.poll() is None:
            time.sleep(0.005)
        return self.returncode

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def kill(self):
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


class Here:
    """In the place of ``ProcessPoolExecutor``: what is submitted is done at once, in this process."""

    def __init__(self, *_, **__):
        pass

    def submit(self, call, *arguments):
        future = Future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **_):
        pass


def group_of(pid):
    """Numbers of the processes of a group that are alive."""
    alive = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        if int(group) == pid and state not in "ZX":
            alive.append(int(path.parent.name))
    return alive


def wait_for(pid):
    """The exit code of a command, and how many of its processes live on."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    deadline = time.monotonic() + PATIENCE
    while (left := group_of(pid)) and time.monotonic() < deadline:
        time.sleep(0.01)
    for each in left:
        os.kill(each, signal.SIGKILL)
    return {"code": code, "left": len(left)}


def prepare_to_fork():
    """Import everything, and put forks in the place of processes that are started anew."""
    import matplotlib.pyplot  # noqa: F401

    import run
    from emop3d_np import executors, locks
    from emop3d_np.training import baseline, crossvalidation, evaluation, features, side_by_side, sweep
    from emop3d_np.video import prepare

    del run, baseline, crossvalidation, evaluation, features, sweep, prepare

    class Forking:
        """The module subprocess, as the folds see it."""

        PIPE, STDOUT, Popen = subprocess.PIPE, subprocess.STDOUT, Fork

    class Threads:
        """The module multiprocessing, as executors see it: no process keeps an eye on its semaphores."""

        get_context = staticmethod(lambda _: threading)
        current_process = staticmethod(threading.current_thread)

    side_by_side.subprocess = Forking
    executors.ProcessPoolExecutor, executors.multiprocessing = Here, Threads
    locks.PATIENCE = 0.05  # or a second command would wait until the first has ended
    warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads


def serve():
    from fault_injection import Plan

    prepare_to_fork()
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        plan = Plan(**asked["plan"])
        begun = [begin(asked["place"], asked["arguments"], plan, number) for number in range(asked["times"])]
        print(json.dumps([wait_for(pid) for pid in begun]), flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    serve()
