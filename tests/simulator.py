"""Numba's CUDA simulator, with threads that take turns.

As Numba has it, all threads of a block run at once and the launch polls them: slow, since they all wait for the
interpreter, and two threads may be given two copies of one shared array.  Here one thread runs at a time, to its next
barrier, and the order is drawn anew for every stretch between barriers.  So a missing barrier shows whichever of two
threads comes too early, and shows again the next time.
"""

import random
import threading

import numpy as np
from numba.cuda.simulator import kernel

_turns = random.Random(0)


class _Thread(kernel.BlockThread):
    """One thread of a block, which stops at every barrier until it is its turn."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.turn, self.stopped = threading.Semaphore(0), threading.Semaphore(0)

    def go_on(self):
        """Run to the next barrier, or the end, while the caller waits."""
        self.turn.release() if self.ident else self.start()
        self.stopped.acquire()

    def run(self):
        super().run()
        self.ended = True
        self.stopped.release()

    ended = False

    def syncthreads(self):
        self.stopped.release()
        self.turn.acquire()
        if self.abort:
            raise RuntimeError("another thread of the block has failed")


def _run_block(manager, block, *arguments):
    threads = [
        _Thread(lambda: manager._f(*arguments), manager, block, thread, manager._debug)
        for thread in np.ndindex(*manager._block_dim)
    ]
    while threads:
        _turns.shuffle(threads)
        for thread in threads:
            thread.go_on()
        failed = [thread.exception for thread in threads if thread.exception]
        for thread in threads if failed else ():
            thread.abort = True
            if not thread.ended:
                thread.go_on()
        if failed:
            error, traceback = failed[0]
            raise error.with_traceback(traceback)
        threads = [thread for thread in threads if not thread.ended]


def take_turns():
    """Change the simulator of this process."""
    kernel.BlockManager.run = _run_block
