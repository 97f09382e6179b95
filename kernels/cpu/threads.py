"""Numba's threads, which one caller has at a time.

A kernel runs on all cores, so that two at a time would gain nothing; and not all of Numba's threading layers allow
it: ``workqueue`` ends the process.  A caller waits for its turn instead.  It has it for one launch, or for several that
share memory (``fused.py``).  What runs in the caller's thread alone (``jit.alone``) needs no turn.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

import numba

from ..errors import InputError, note_once


class _State:
    """Of this process: whose turn it is, whether the threads have started, and whether it was forked away from them."""

    turn = threading.RLock()
    started = False
    left_behind = False


def turn() -> AbstractContextManager[Any]:
    """A context within which no other thread launches kernels."""
    return _State.turn


def count() -> int:
    """How many threads a launch by this thread has."""
    with _State.turn:
        if not _State.started:
            _start()
        return int(numba.get_num_threads())


def launched(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """A compiled kernel as its callers see it: it waits for its turn.  Its ``stats`` are the kernel's."""

    @wraps(kernel, updated=())
    def launch(*arguments: Any) -> Any:
        with _State.turn:
            if not _State.started:
                _start()
            return kernel(*arguments)

    launch.stats = kernel.stats  # type: ignore[attr-defined]
    return launch


def _start() -> None:
    """Start the threads; where the threading layer that was asked for is missing, those of another one.

    Raises:
        InputError: no layer can be loaded, or this process is a fork of one whose threads it cannot have.
    """
    if _State.left_behind:
        raise InputError(
            "this process was forked from one in which kernels had run, and OpenMP's threads stay behind there: start "
            "processes by multiprocessing.get_context('spawn'), or fork before the first kernel runs"
        )
    wanted, problem = numba.config.THREADING_LAYER, ""
    for layer in (wanted, "default", "workqueue"):
        numba.config.THREADING_LAYER = layer
        try:
            numba.get_num_threads()
        except (ValueError, ImportError) as error:
            problem = problem or str(error).splitlines()[0].rstrip(".")
            continue
        if problem:
            note_once(f"Numba's threading layer {wanted!r}: {problem}; {numba.threading_layer()!r} is used")
        _State.started = True
        return
    raise InputError(f"Numba's threading layer {wanted!r}: {problem}; install numba anew, or use backend='reference'")


def _after_fork() -> None:
    """In a new process: no thread is in its turn; and GNU's OpenMP, where it had started, is of no use any more."""
    _State.turn = threading.RLock()
    if numba.config.DISABLE_JIT:  # plain Python runs in the caller's thread
        return
    try:
        layer = numba.threading_layer()
    except ValueError:  # none has started
        return
    if layer == "omp" and sys.platform.startswith("linux"):
        _State.started, _State.left_behind = False, True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
