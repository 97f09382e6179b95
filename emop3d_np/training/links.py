"""Connections of all ranks to the first one, by which each learns that the other was killed, or its machine is lost.

MPI waits for a rank that is gone, for ever.  Not every launcher ends the others when one was killed (SLURM's srun does
so where it is told), and none notices that a machine has vanished, or the network between two.  So each rank keeps a
connection to the first one.  Nothing is sent over it but a farewell.  It ends with the process; and the operating
systems at both ends ask each other now and then whether they are still there (TCP's keepalive).  They answer for
themselves, whatever the ranks do: a rank that is slow, that waits for a disk, or that a debugger has stopped, is waited
for.
"""

import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from ..errors import InputError
from ..reading import short
from . import witness
from .witness import FAREWELL, how_it_ended

DAY = 86_400
"""Seconds: nobody waits longer for a rank."""


def seconds(variable: str, default: float) -> float:
    """How long the environment's ``variable`` says to wait, or ``default``.

    Raises:
        InputError: it is no number above 0, or more than a day.
    """
    text = os.environ.get(variable, "").strip()
    try:
        value = float(text) if text else default
    except ValueError:
        value = 0.0
    if not 0 < value <= DAY:
        raise InputError(f"{variable}={short(text)} in the environment: give seconds, above 0 and up to {DAY} (a day)")
    return value


LOST = seconds("EMOP3D_RANKS_LOST", 20.0)
"""Seconds without an answer after which a machine is lost."""

QUESTIONS = 3
"""How many questions in a row are left unanswered then."""

KNOCKING = 5.0
"""Seconds in which a rank must have reached the machine of the first one."""

SECRET = 16
"""Bytes by which the first rank knows the others from strangers."""


class Door:
    """Where the first rank lets the others in."""

    def __init__(self) -> None:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        self._server = socket.create_server(("", 0), family=family, backlog=1024, dualstack_ipv6=both)
        self.port: int = self._server.getsockname()[1]
        self.secret = secrets.token_bytes(SECRET)

    def let_in(self, ranks: Sequence[int]) -> dict[int, socket.socket]:
        """The connections of those of the ``ranks`` that have knocked, by number; nobody is let in afterwards."""
        found: dict[int, socket.socket] = {}
        self._server.settimeout(1.0)
        with self._server, suppress(TimeoutError):
            while len(found) < len(ranks):
                link, _ = self._server.accept()
                link.settimeout(1.0)
                with suppress(OSError):
                    said = link.recv(SECRET + 4, socket.MSG_WAITALL)
                    rank = int.from_bytes(said[SECRET:], "big")
                    if said[:SECRET] == self.secret and rank in ranks:
                        found[rank] = _kept_alive(link)
                        continue
                link.close()
        return found


def knock(host: str, port: int, secret: bytes, rank: int) -> socket.socket | None:
    """A connection of ``rank`` to the door of the first rank, on ``host``; None if there is no way."""
    found: list[socket.socket] = []

    def connect() -> None:
        with suppress(OSError):
            link = socket.create_connection((host, port), KNOCKING)
            link.sendall(secret + rank.to_bytes(4, "big"))
            found.append(_kept_alive(link))

    # In a thread, for to look up a name may take longer than one would wait.
    thread = threading.Thread(target=connect, name="knock", daemon=True)
    thread.start()
    thread.join(KNOCKING)
    return found[0] if found else None


class Link:
    """A rank's end of its connection to the first rank, which ends this process when that one is gone.

    Args:
        link: the connection.
        name, first: of this rank, and of the first one.
    """

    def __init__(self, link: socket.socket, name: str, first: str) -> None:
        self._link, self._name, self._first = link, name, first
        threading.Thread(target=self._watch, name="watch the first rank", daemon=True).start()

    def leave(self) -> None:
        """All is well, or said: the other end need not wonder."""
        with suppress(OSError):
            self._link.send(FAREWELL)

    def _watch(self) -> None:
        reason = how_it_ended(self._link)
        if reason == witness.LOST:  # else the first rank's witness says it
            words = reason.format(self._first, LOST)
            print(f"\nrun.py: error: {self._name}: {words}", file=sys.__stderr__, flush=True)
        if reason:
            os.kill(os.getpid(), signal.SIGKILL)


def _kept_alive(link: socket.socket) -> socket.socket:
    """The connection, which breaks where the other machine has not answered for :data:`LOST` seconds."""
    pause = max(1, round(LOST / (QUESTIONS + 1)))
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", pause), ("TCP_KEEPINTVL", pause), ("TCP_KEEPCNT", QUESTIONS)):
        if hasattr(socket, name):
            link.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    link.settimeout(None)
    return link
