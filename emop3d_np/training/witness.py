"""A small process beside a rank: it says how to go on where the rank can no longer say so, and looks out for others.

Who is killed says nothing, and a launcher kills all ranks when one has died.  The witness is told beforehand what to
say then, and says it when the pipe to the training is closed without a farewell.  Where another machine is lost, it
ends the training, which may stand in the middle of MPI and wait for that machine: what it sees is the error of a
connection to it (``links.py``).
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import Any

KILLED = "a rank was killed or lost, which ends all of them"


class Witness:
    """Starts the process; what cannot be started is done without."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        if os.name == "posix":
            self._pipe, other = socket.socketpair()
            with other, suppress(OSError):
                # A session of its own: what ends the ranks does not end it.
                command = [sys.executable, "-I", "-S", __file__]
                self._process = subprocess.Popen(
                    command, stdin=other.fileno(), stdout=subprocess.DEVNULL, start_new_session=True
                )

    def say(self, advice: str, late: str = "", within: float | None = None) -> None:
        """What to advise where nothing else is told before this process is killed; "" for nothing.

        Args:
            advice: how to go on.
            late: a line, which is said where this process does not go on in time; it is killed then.
            within: how many seconds that is; default None, it may take as long as it will.
        """
        self._tell({"advice": advice, "late": late, "within": within})

    def watch(self, link: socket.socket, lost: str) -> None:
        """Take ``link`` over, and kill this process when it breaks, for which ``lost`` is the reason."""
        with link:
            self._tell({"lost": lost}, link.fileno())

    def leave(self) -> None:
        """All is well, or said: end the witness, which says nothing."""
        if self._process:
            self.say("")
            self._pipe.close()
            self._process.wait()
            self._process = None

    def _tell(self, words: dict[str, Any], *files: int) -> None:
        if self._process:
            with suppress(OSError):
                socket.send_fds(self._pipe, [json.dumps(words).encode() + b"\n"], files)


def main() -> None:
    """Be the witness of the parent process."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent, pipe = os.getppid(), socket.socket(fileno=0)
    links: dict[socket.socket, str] = {}
    told, files, advice, late, within = b"", [], "", "", None
    while True:
        ready = select.select([pipe, *links], [], [], within)[0]
        if not ready:
            _end(parent, late)
            return
        if pipe in ready:
            more, new, _, _ = socket.recv_fds(pipe, 1 << 16, 16)
            if not more:
                break
            files += new
            *lines, told = (told + more).split(b"\n")
            for words in map(json.loads, lines):
                if "lost" in words:
                    links[socket.socket(fileno=files.pop(0))] = words["lost"]
                else:
                    advice, late, within = words["advice"], words["late"], words["within"]
            continue
        for link in ready:
            lost = links.pop(link)
            try:
                link.recv(1)  # its end, in good order: that rank has ended, which is the launcher's to notice
            except OSError:
                _end(parent, _line(lost, advice))
                return
    if advice:
        print(_line(KILLED, advice), file=sys.stderr, flush=True)


def _line(reason: str, advice: str) -> str:
    """What is said, on a line of its own, for a progress bar may stand there."""
    return f"\nrun.py: error: {'; '.join(filter(None, (reason, advice)))}"


def _end(parent: int, words: str) -> None:
    print(words, file=sys.stderr, flush=True)
    os.kill(parent, signal.SIGKILL)


if __name__ == "__main__":
    main()
