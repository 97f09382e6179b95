"""One training on several processes: the ranks that ``mpiexec`` starts, what they tell each other, how they end.

Every rank computes a share of each batch and makes the same update of the same numbers; the first one, rank 0, writes
and speaks for all.  Nothing else in the package knows of MPI, and mpi4py is imported only where a launcher has started
more than one process.

The bits are those of one process.  The gradients' sums travel in slices: each rank is sent its slice of everybody's
subtrees, adds it up in the order of the one tree (``kernels/tree.py``), and sends the total to all.

No rank waits for one that has ended.  Before whatever all must do together they *meet*: each says whether it has
failed, and whether it was asked to stop.  Who fails says so at a meeting in place of the one it would have come to, so
the others learn of it at theirs, wherever that is, and all end.  Who does not find the others in time ends the run by
itself.  For a rank that was killed, a witness speaks (``witness.py``); and the others end when a connection ends, as
they do where a machine is lost (``links.py``).
"""

import math
import os
import re
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from kernels import tree
from kernels.arrays import AnyArray, FloatArray

from .. import launchers, versions
from ..errors import InputError
from ..reading import short
from . import links
from .flags import show
from .witness import Witness

Value = TypeVar("Value")

START = links.seconds("EMOP3D_RANKS_START", 25.0)
"""Seconds within which all ranks must have found each other; where many start from a slow disk, more."""

NOTHING_TRAINED = "nothing had been trained; start again"
"""What is to be done where ranks are lost before they have trained."""

AFTER_THE_FIRST = 3.0
"""Seconds by which the others wait longer than the first one, which says why nothing came of it."""

END = 15.0
"""Seconds that a rank which has failed waits for the others to hear of it."""

AT_ONCE = 0.02
"""Seconds that a rank waits for the others without sleeping: longer than ranks of one speed need."""

ALIKE = {
    **versions.CALLED,
    "libc": "the C library",
    "target": "the processor that kernels are compiled for",
    "settings": "the settings",
}
"""What must be the same on all ranks, or they do not come to the same bits, and what it is called."""


class OtherRank(InputError):
    """What another rank failed of."""


class Alone:
    """A process by itself: nothing is shared out, and nothing is waited for."""

    rank, size, first = 0, 1, True
    echo = 0.0
    """Seconds within which a signal may come twice, having been sent once."""

    def threads(self, most: int) -> int:
        """How many of ``most`` threads are this process's, where nobody says."""
        return most

    def require_alike(self, settings: Any) -> None:
        """Refuse ``settings`` that several ranks cannot share, and ranks that would not come to the same bits."""

    def require_same_data(self, data: Mapping[str, Any]) -> None:
        """Refuse ``data``, as of ``datasets.identity.describe``, that are not the same on all ranks."""

    def asked(self, here: bool) -> bool:
        """Whether to stop: whether any rank had been asked to when all last met; ``here``, whether this one was."""
        return here

    def share(self, clips: int) -> "Share | None":
        """The share of a batch of ``clips`` that this rank computes; None: all of it."""
        return None

    def some(self, count: int) -> slice:
        """Which of ``count`` pieces of work are this rank's."""
        return slice(0, count)

    def everyones(self, values: Sequence[Value]) -> list[Value]:
        """The values of all ranks, in order, of those of this one."""
        return list(values)

    def first_says(self, make: Callable[[], Value]) -> Value:
        """What ``make()`` gives on the first rank, which alone calls it."""
        return make()

    def lest_killed(self, words: str) -> None:
        """What is to be said where ranks are killed: how to go on."""

    @contextmanager
    def one_after_another(self) -> Iterator[None]:
        """Within, no two ranks that may share a folder of compiled kernels are at work at a time."""
        yield


class Ranks(Alone):
    """The processes that a launcher started together.

    Args:
        world: mpi4py's communicator of all of them.
        witness: what speaks for them where they are killed; None but on the first.

    Attributes:
        rank, size: of this process, and how many there are.
        first: whether this is the one that writes and speaks.
    """

    echo = 1.0  # launchers pass on what the terminal, or the system of queues, has sent to all processes

    def __init__(self, world: Any, witness: Witness | None) -> None:
        self._world, self._witness = world, witness
        self._link: links.Link | None = None
        self.rank, self.size = world.Get_rank(), world.Get_size()
        self.first = self.rank == 0
        self._asked = self._all_asked = self._over = False
        self._said = np.zeros((self.size, 2), np.int64)
        self._hosts: list[tuple[str, frozenset[int]]] = world.allgather((socket.gethostname(), launchers.cores()))

    def watch_each_other(self) -> None:
        """Connect each rank with the first one, that they learn of it where the other was killed or is lost."""
        others, (host, _) = range(1, self.size), self._hosts[0]
        door = links.Door() if self._witness and self._witness.there else None
        told = self._world.bcast((door.port, door.secret) if door else None)
        if told is None:
            return
        where = "localhost" if self._hosts[self.rank][0] == host else host
        port, secret = told
        link = None if door else links.knock(where, port, secret, self.rank)
        knocked = self._world.allgather(link is not None)
        let_in = door.let_in([rank for rank in others if knocked[rank]]) if door else {}
        watched = self._world.bcast(list(let_in))
        if link and self.rank in watched:
            self._link = links.Link(link, self._names([self.rank]), self._names([0]))
        for rank, own in let_in.items():
            if self._witness:
                self._witness.watch(own, self._names([rank]), links.LOST)
        if door and len(watched) < len(others):
            names = self._names(sorted({*others} - {*watched}))
            words = "should one of them be lost, the others may wait for it without end"
            print(f"note: there is no way from {names} to {self._names([0])}; {words}")

    def leave(self) -> None:
        """All is well, or said: nobody need speak for this rank when it ends."""
        if self._witness:
            self._witness.leave()
        if self._link:
            self._link.leave()

    # --- Meetings.

    def meet(self, failure: str | None = None, within: float = float("inf")) -> None:
        """Wait for all ranks, and hear whether one has failed or been asked to stop.

        Args:
            failure: what this one failed of; default None, it did not.
            within: seconds to wait; default: without end.

        Raises:
            OtherRank: a rank failed; it is named, with what it says.
            TimeoutError: not all have come.
        """
        waiting = self._world.Iallgather(np.array([failure is not None, self._asked], np.int64), self._said)
        self._wait(waiting, within)
        self._all_asked = bool(self._said[:, 1].any())
        if self._said[:, 0].any():
            self._over = True
            said = self._world.allgather(failure)
            raise OtherRank(self._in_words(said))

    def _wait(self, waiting, within):
        """Wait for a request, within which signals are answered, and after a moment without taking the core."""
        started = time.monotonic()
        while not waiting.Test():
            waited = time.monotonic() - started
            if waited > within:
                raise TimeoutError
            if waited > AT_ONCE:
                time.sleep(min(waited / 100, 0.01))

    def _in_words(self, said: Sequence[str | None]) -> str:
        """What the failed ranks say; what all, or the first, say needs no names."""
        if said[0] is not None:
            return said[0]
        words: dict[str, list[int]] = {}
        for rank, message in enumerate(said):
            if message is not None:
                words.setdefault(message, []).append(rank)
        return "; ".join(f"{self._names(ranks)}: {message}" for message, ranks in words.items())

    def _names(self, ranks: Sequence[int]) -> str:
        """Ranks with the machines they are on."""
        hosts = {host for host, _ in self._hosts}
        where = f" on {self._hosts[ranks[0]][0]}" if len(hosts) > 1 and len(ranks) == 1 else ""
        return f"rank{'s' * (len(ranks) > 1)} {', '.join(map(str, ranks))}{where}"

    def run(self, call: Callable[[], int], advice: str) -> int:
        """Do ``call()`` on all ranks to the end, and see to it that all end where one fails.

        Args:
            call: what returns the exit code.
            advice: what to do where memory is too small.

        Returns:
            The exit code.

        Raises:
            InputError: on the first rank, what it, or another, failed of.
        """
        try:
            code = call()
            self.meet()
            return code
        except (InputError, OSError, MemoryError) as error:
            words = f"not enough memory; {advice}" if isinstance(error, MemoryError) else str(error)
            if not self._over:
                words = self._tell(words)
            if self.first:
                raise InputError(words) from None
            return 2
        except KeyboardInterrupt:
            if not self._over:
                self._tell("stopped", within=2.0)
            if self.first:
                raise
            return 130
        except SystemExit:
            raise
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
            self._abort(1)
            raise
        finally:
            self.leave()

    def _tell(self, words: str, within: float = END) -> str:
        """Tell the others that this rank has failed; returns what is to be said of it."""
        try:
            self.meet(words, within)
        except OtherRank as said:
            return str(said)
        except (TimeoutError, KeyboardInterrupt):
            print(f"run.py: error: {self._names([self.rank])}: {words}", file=sys.__stderr__, flush=True)
            self._abort(2)
        return words

    def _abort(self, code: int) -> None:
        """End all ranks, at once."""
        self.leave()
        for stream in filter(None, (sys.__stdout__, sys.__stderr__)):
            stream.flush()
        self._world.Abort(code)

    # --- What they share.

    def threads(self, most: int) -> int:
        host, cores = self._hosts[self.rank]
        beside = sum(there == host and bool(own & cores) for there, own in self._hosts)
        return max(1, most // beside)

    def asked(self, here: bool) -> bool:
        self._asked = here
        return self._all_asked

    def share(self, clips: int) -> "Share":
        return Share(self, clips)

    def some(self, count: int) -> slice:
        return slice(self.rank * count // self.size, (self.rank + 1) * count // self.size)

    def everyones(self, values: Sequence[Value]) -> list[Value]:
        self.meet()
        return [value for own in self._world.allgather(list(values)) for value in own]

    def first_says(self, make: Callable[[], Value]) -> Value:
        made = make() if self.first else None
        self.meet()
        said: Value = self._world.bcast(made)
        return said

    def lest_killed(self, words: str) -> None:
        if self._witness:
            self._witness.say(words)

    @contextmanager
    def one_after_another(self) -> Iterator[None]:
        # The first one alone; then the first of each other machine, whose folder may be its own; then the others.
        hosts = [host for host, _ in self._hosts]
        turn = 0 if self.first else 1 if hosts.index(hosts[self.rank]) == self.rank else 2
        for _ in range(turn):
            self.meet()
        yield
        for _ in range(turn, 3):
            self.meet()

    # --- What must be the same.

    def require_alike(self, settings: Any) -> None:
        jobs, executor = settings.fold_jobs, settings.executor
        for wrong, words in (
            (settings.backend == "cuda", "--backend cuda works on one rank; start it without mpiexec"),
            (jobs > 1, f"--fold_jobs {jobs}: all ranks train one fold after the other; leave it out"),
            (executor == "mpi", f"--executor mpi: start it by mpiexec -n {self.size} python -m mpi4py.futures run.py"),
            (executor.startswith("dask"), f"--executor {executor}: all ranks train one fold after the other"),
        ):
            if wrong:
                raise InputError(words)
        from . import machine

        own = machine.description() | {"settings": {**vars(settings), "threads": None}}
        everyones = self.everyones([own])
        for name, what in ALIKE.items():
            one, other, which = everyones[0][name], *_other([each[name] for each in everyones])
            if which:
                advice = "; --portable_bits True makes it the same on all" if name == "target" else ""
                raise InputError(
                    f"{what}: {self._names([0])} has {_apart(one, other)}, {self._names([which])} has "
                    f"{_apart(other, one)}; all ranks must have the same{advice}"
                )

    def require_same_data(self, data: Mapping[str, Any]) -> None:
        from ..datasets import identity

        everyones = self.everyones([data])
        other, which = _other(everyones)
        if which:
            what = ", ".join(identity.differences(everyones[0], other))
            raise InputError(f"{what} differ between {self._names([0])} and {self._names([which])}; give both the same")

    # --- Arrays.

    def gather(self, values: AnyArray, counts: Sequence[int], into: AnyArray | None = None) -> Any:
        """The rows of all ranks, in order.

        Args:
            values: array of shape (m, ...), this rank's rows.
            counts: how many rows each rank has.
            into: array to write to; default a new one.
        """
        if into is None:
            into = np.empty((sum(counts), *values.shape[1:]), values.dtype)
        numbers = math.prod(values.shape[1:])
        self._world.Allgatherv(np.ascontiguousarray(values), [into, [count * numbers for count in counts]])
        return into

    def deal(self, values: AnyArray, sent: Sequence[int], received: Sequence[int], into: AnyArray) -> None:
        """Give each rank its stretch of a row, ``sent`` numbers to each; ``received`` from each, theirs go ``into``."""
        self._world.Alltoallv([values, sent], [into, received])


class Share(tree.Share):
    """A rank's share of a batch.

    Args:
        ranks: who share it out.
        clips: of the whole batch.
    """

    def __init__(self, ranks: Ranks, clips: int) -> None:
        self._ranks = ranks
        parts, starts = tree.parts_of(clips), tree.bounds(clips)
        shares = [(rank * parts // ranks.size, (rank + 1) * parts // ranks.size) for rank in range(ranks.size)]
        super().__init__(clips, *shares[ranks.rank])
        self._counts = [int(starts[end] - starts[first]) for first, end in shares]
        self._subtrees = [tree.subtrees(*share) for share in shares]
        self._dealt = self._total = np.empty(0)  # made once: memory that is new each time is slow

    def gathered(self, values: AnyArray) -> Any:
        """The values (n, ...) of all clips of the batch, of those (m, ...) of this share."""
        self._ranks.meet()
        return self._ranks.gather(values, self._counts)

    def all_losses(self, losses: FloatArray) -> FloatArray:
        gathered: FloatArray = self.gathered(losses)
        return gathered

    def total(self, sums: Sequence[FloatArray], length: int, dtype: DTypeLike) -> FloatArray:
        ranks = self._ranks
        ranks.meet()
        ends = [length * rank // ranks.size for rank in range(ranks.size + 1)]
        lengths = np.diff(ends).tolist()
        mine, counts = lengths[ranks.rank], [len(subtrees) for subtrees in self._subtrees]
        # To each rank its slice of every row, one after the other; of one row that is the row.
        dealt = [row[first:end] for first, end in pairwise(ends) for row in sums]
        sent = sums[0] if len(sums) == 1 else np.concatenate([np.empty(0, dtype), *dealt])
        subtrees = [each for of_rank in self._subtrees for each in of_rank]
        if self._total.shape != (length,) or self._total.dtype != dtype:
            self._dealt, self._total = np.empty(len(subtrees) * mine, dtype), np.empty(length, dtype)
        received = [mine * count for count in counts]
        ranks.deal(sent, [each * len(sums) for each in lengths], received, self._dealt)
        rows = self._dealt.reshape(len(subtrees), mine)
        (total,) = tree.add_up(rows, tree.merges(subtrees), lambda one, two: np.add(one, two, out=one))
        ranks.gather(total, lengths, self._total)
        return self._total


_here: Alone = Alone()


def here() -> Alone:
    """This process among those that train one network together."""
    return _here


def on_all_ranks(call: Callable[[], int], advice: str) -> int:
    """Do ``call()``, which returns an exit code, on all ranks where a launcher started several, else just here.

    Only the first rank prints.  ``advice`` says what to do where memory is too small.

    Raises:
        InputError: mpi4py is missing or of another MPI than the launcher, or as of :meth:`Ranks.run`.
    """
    global _here  # noqa: PLW0603
    rank_and_size = launchers.told()
    if rank_and_size is None:
        return call()
    ranks = _start(*rank_and_size)
    before = _here, sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:
        try:
            _here = ranks
            if not ranks.first:
                sys.stdout = sys.stderr = nowhere
            return ranks.run(call, advice)
        finally:
            _here, sys.stdout, sys.stderr = before


def _start(rank: int, size: int) -> Ranks:
    """Find the other ranks."""
    try:
        import mpi4py
    except ImportError:
        words = f"{size} ranks were started, and mpi4py is missing: pip install 'emop3d-np[mpi]', or start one process"
        _refuse(words, rank)
    witness = None if rank else Witness()
    _allow(START, rank, size, witness)
    mpi4py.rc.initialize, mpi4py.rc.finalize = False, True
    try:
        found = _found(rank, size, witness)
    except KeyboardInterrupt:
        if witness:
            witness.leave()
        raise
    _allow(START, rank, size, witness)
    found.watch_each_other()
    _allow(None, rank, size, witness)
    return found


def _allow(seconds: float | None, rank: int, size: int, witness: Witness | None) -> None:
    """End this rank if what follows takes longer; None: it may."""
    if witness:
        late = (
            f"run.py: error: the {size} ranks did not find each other: is the MPI library that mpi4py loads the one "
            f"that mpiexec is of, on all machines? EMOP3D_RANKS_START gives them longer than {START:g} seconds"
        )
        witness.say(NOTHING_TRAINED, late, seconds)
    elif hasattr(signal, "setitimer"):  # the first one, which would speak, may be gone; in MPI no thread of Python runs
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds + AFTER_THE_FIRST if seconds else 0)


def _found(rank: int, size: int, witness: Witness | None) -> Ranks:
    """The ranks, once all of them are there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say of a mixture is said below
            from mpi4py import MPI

            MPI.Init_thread(MPI.THREAD_FUNNELED)
    except (ImportError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        _refuse(f"mpi4py cannot load an MPI library: {reason}; install one, or pip install mpich", rank, witness)
    world = MPI.COMM_WORLD
    if world.Get_size() != size:
        library = " ".join(re.split("[,\n\0]", MPI.Get_library_version())[0].split())
        words = (
            f"mpiexec started {size} ranks, and the MPI library of mpi4py sees {world.Get_size()}: it is {library}; "
            f"start them with the mpiexec of that library, or install mpi4py for the other one"
        )
        _refuse(words, rank, witness)
    return Ranks(world, witness)


def _refuse(words: str, rank: int, witness: Witness | None = None) -> NoReturn:
    """End ranks that cannot hear of each other: the first one says why."""
    if witness:
        witness.leave()
    if rank == 0:
        raise InputError(words)
    sys.exit(2)


def _other(values: Sequence[Any]) -> tuple[Any, int]:
    """The first of ``values`` that is not the first rank's, and the rank that has it; 0 where there is none."""
    which = next((rank for rank, value in enumerate(values) if value != values[0]), 0)
    return values[which], which


def _apart(one: Any, other: Any) -> str:
    """What ``one`` has otherwise than ``other``, in a few words."""
    if isinstance(one, Mapping):
        return ", ".join(f"--{name} {show(value)}" for name, value in one.items() if value != other.get(name))
    if isinstance(one, str) and " " in one:
        words = [word for word in one.split() if word not in other.split()]
        return short(" ".join(words) or "none of these")
    return short(str(one))
