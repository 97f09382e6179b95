"""A small process beside a training on several ranks: it says how to go on where the training can no longer say so.

Who is killed says nothing, and a launcher kills all ranks when one has died.  The witness is told beforehand what to
say then, and says it when its standard input, of which the training holds the other end, is closed without a farewell.
"""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress


class Witness:
    """Starts the process; what cannot be started is done without."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if os.name == "posix":
            with suppress(OSError):
                # A session of its own: what ends the ranks does not end it.
                command = [sys.executable, "-I", "-S", __file__]
                self._process = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
                )

    def say(self, words: str, late: str = "", within: float | None = None) -> None:
        """What to say where nothing else is told before this process ends; "" for nothing.

        Args:
            words: a line.
            late: another one, which is said where this process does not go on in time; it is killed then.
            within: how many seconds that is; default None, it may take as long as it will.
        """
        if self._process and self._process.stdin:
            with suppress(OSError):
                self._process.stdin.write(json.dumps([words, late, within]).encode() + b"\n")
                self._process.stdin.flush()

    def leave(self) -> None:
        """All is well, or said: end the witness, which says nothing."""
        if self._process and self._process.stdin:
            self.say("")
            with suppress(OSError):
                self._process.stdin.close()
            self._process.wait()
            self._process = None


def main() -> None:
    """Be the witness of the parent process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent, told, words, late, within = os.getppid(), b"", "", "", None
    while True:
        if not select.select([0], [], [], within)[0]:
            print(late, file=sys.stderr, flush=True)
            os.kill(parent, signal.SIGKILL)
            return
        more = os.read(0, 1 << 16)
        if not more:
            break
        *lines, told = (told + more).split(b"\n")
        for line in lines:
            words, late, within = json.loads(line)
    if words:
        print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
