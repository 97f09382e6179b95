"""An answer judged in a process of its own, which a file that never comes back, or ends the program, does no harm to.

:func:`.running.check` does without where there are no processes, in a browser say.
"""

import multiprocessing
import signal
from multiprocessing.connection import Connection

from ..children import end_with_parent
from .course import find
from .running import Verdict, check

SECONDS = 60.0
"""So long may a check take, start and all."""


def check_apart(name: str, text: bytes, seconds: float = SECONDS) -> Verdict:
    """Judge an answer as :func:`.running.check` does, in a process that is started for it.

    Args:
        name: of the exercise.
        text: of the student's file, as it is stored.
        seconds: after which it is taken for one that does not come back; default SECONDS.

    Raises:
        InputError: there is no exercise of that name.
    """
    find(name)
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_judge, args=(there, name, text), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(seconds):
            return Verdict(False, f"your file has not come back after {seconds:g} s; does each of its loops end?")
        return Verdict(*here.recv())
    except EOFError:
        process.join()
        return Verdict(False, f"your file ended the program before it was judged (exit code {process.exitcode})")
    finally:
        process.kill()
        process.join()
        here.close()


def _judge(there: "Connection", name: str, text: bytes) -> None:
    """What the process does: send the verdict."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that waits, who then ends this one
    end_with_parent()
    verdict = check(name, text)
    there.send((verdict.right, verdict.words))
