"""A small process beside the first rank: it says how to go on where that rank cannot, and looks out for the others.

Who is killed says nothing, and a launcher kills all ranks when one has died.  The witness is told beforehand what to
say then, and says it when the pipe to the first rank is closed without a farewell.  It also holds that rank's ends of
the connections to the others (``links.py``).  When one of them ends without a farewell, or breaks, it says so and kills
the first rank, which may stand in the middle of MPI and wait for the lost one.
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

KILLED = "{} was killed, which ends all ranks"
LOST = "{} is lost, which ends all ranks: its machine has not answered for {:g} seconds"

FAREWELL = b"."
"""What goes over a connection before it ends in good order."""


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

    def watch(self, link: socket.socket, name: str, seconds: float) -> None:
        """Take over the ``link`` to the rank of that ``name``, which breaks after so many ``seconds`` of silence."""
        with link:
            self._tell({"name": name, "seconds": seconds}, link.fileno())

    @property
    def there(self) -> bool:
        """Whether there is such a process."""
        return self._process is not None

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
    links: dict[socket.socket, dict[str, Any]] = {}
    left: list[socket.socket] = []  # of ranks that have taken leave, which still wait for that of the first one
    files: list[int] = []
    told, advice, late, within, over = b"", "", "", None, False
    while not over:
        ready = select.select([pipe, *links], [], [], within)[0]
        if not ready:
            _end(parent, late)
            return
        if pipe in ready:  # first, that what is said is the latest
            more, new, _, _ = socket.recv_fds(pipe, 1 << 16, 16)
            over, files = not more, files + new
            *lines, told = (told + more).split(b"\n")
            for words in map(json.loads, lines):
                if "name" in words:
                    links[socket.socket(fileno=files.pop(0))] = words
                else:
                    advice, late, within = words["advice"], words["late"], words["within"]
        for link in set(ready) - {pipe}:
            other = links.pop(link)
            reason = how_it_ended(link)
            if not reason:
                left.append(link)
            elif advice:
                _end(parent, _line(reason.format(other["name"], other["seconds"]), advice))
                return
    if advice:
        print(_line(KILLED.format("a rank"), advice), file=sys.stderr, flush=True)
        return
    for link in (*links, *left):
        with suppress(OSError):
            link.send(FAREWELL)


def how_it_ended(link: socket.socket) -> str:
    """:data:`KILLED` or :data:`LOST`, once the ``link`` to a rank has ended; "" where it is in good order."""
    try:
        return "" if link.recv(1) == FAREWELL else KILLED
    except ConnectionResetError:  # by a machine that has started anew
        return KILLED
    except OSError:
        return LOST


def _line(reason: str, advice: str) -> str:
    """What is said, on a line of its own, for a progress bar may stand there."""
    return f"\nrun.py: error: {reason}; {advice}"


def _end(parent: int, words: str) -> None:
    print(words, file=sys.stderr, flush=True)
    os.kill(parent, signal.SIGKILL)


if __name__ == "__main__":
    main()
