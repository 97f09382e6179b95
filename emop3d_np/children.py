"""Processes that end with the one that started them, however that ends: nothing works on for nobody."""

import multiprocessing
import os
import threading
from collections.abc import Callable

WITH_STDIN = "EMOP3D_ENDS_WITH_STDIN"
"""Environment variable of a process that is to end with its standard input, of which its parent holds the other end."""

ORPHANED = 3
"""Exit code of a process whose parent is gone."""


def end_with_parent() -> None:
    """In a process of ``multiprocessing``: end at once when the process that started it has ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        _end_after(parent.join)


def end_with_stdin() -> None:
    """Where the environment asks for it (:data:`WITH_STDIN`): end at once when the standard input is closed."""
    if os.environ.pop(WITH_STDIN, None):
        # Not through sys.stdin, whose lock a thread that waits in it would keep at the end of the program.
        _end_after(lambda: os.read(0, 1))


def _end_after(wait: Callable[[], object]) -> None:
    """End this process at once when ``wait()`` returns; its files are written whole or not at all anyway."""

    def watch() -> None:
        wait()
        os._exit(ORPHANED)

    threading.Thread(target=watch, name="end with the parent", daemon=True).start()
