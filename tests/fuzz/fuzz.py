"""Files and flags damaged at random, and put to whatever reads them: ``python tests/fuzz/fuzz.py --seconds 60``.

A target (``targets.py``, ``command_targets.py``) is a file format or a command's flags.  Reading a damaged file must
end in the value that is right, or in an InputError of one line.  Everything else is a fault: another exception, no end
within :data:`LONGEST` seconds, more memory than :data:`CONSTANT` and ``multiple`` times the file, a wrong value where
the target can tell, words of more than one line, or a process that dies.

Each target has a process of its own.  A case is a number: ``--only NAME --first NUMBER --cases 1`` makes it again.
"""

import argparse
import json
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]  # where nothing is installed

from tqdm import tqdm  # noqa: E402

from emop3d_np.errors import InputError  # noqa: E402

LONGEST = 20
"""Seconds that a case may take, on a machine that has other things to do."""

CONSTANT = 64 << 20
"""Bytes of memory that reading may take, whatever the file's size."""

ROOM = 1 << 29
"""Bytes of addresses that reading may ask for beyond that: stacks of threads, pieces that are kept for later."""

MULTIPLE = 100
"""How many times the file's size may come to that: JSON and tables of nothing but brackets and commas take so much."""

WORDS = 1000
"""Letters of a message, at most."""

RIGHT, REFUSED, FAULTS = "right", "refused", ("traceback", "hang", "memory", "wrong", "words", "died")


@dataclass
class Target:
    """A file that can be read, and how.

    Attributes:
        path: the file that is damaged; it exists, and is whole.
        damage: called with a ``random.Random`` and the content; returns another content.
        read: called without arguments; returns what was read.
        check: called with that; raises AssertionError where it is wrong.
        multiple: how many times the file's size reading may take in memory.
        restore: called before each case, where reading changes something else; default nothing.
    """

    path: Path
    damage: Callable[[random.Random, bytes], bytes]
    read: Callable[[], Any]
    check: Callable[[Any], None]
    multiple: int = MULTIPLE
    restore: Callable[[], Any] = lambda: None


class Hang(BaseException):
    """A case did not end."""


def _alarm(*_):
    raise Hang


def judged(target, longest=None):
    """Read the target's file as it is; returns what came out, RIGHT, REFUSED or one of FAULTS, and its words."""
    size = target.path.stat().st_size
    allowed = CONSTANT + target.multiple * size
    before = _memory("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (_memory("VmSize") + allowed + ROOM, resource.RLIM_INFINITY))
    _forget_peak()
    signal.signal(signal.SIGALRM, _alarm)
    signal.setitimer(signal.ITIMER_REAL, longest or LONGEST, 1)  # again, should somebody swallow it
    try:
        try:
            target.check(target.read())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            peak = _memory("VmHWM") - before
        outcome = RIGHT, ""
    except InputError as error:
        text = str(error)
        outcome = (REFUSED, text) if text.isprintable() and 0 < len(text) <= WORDS else ("words", repr(text[:5000]))
    except Hang:
        outcome = "hang", ""
    except MemoryError as error:
        outcome = "memory", f"{error}\n{traceback.format_exc(limit=-6)}"
    except AssertionError:
        outcome = "wrong", traceback.format_exc(limit=-3)
    except BaseException:
        outcome = "traceback", traceback.format_exc(limit=-6)
    if peak > allowed and outcome[0] in (RIGHT, REFUSED):
        outcome = "memory", f"{peak:,} bytes for a file of {size:,}; {outcome[1]}"
    return outcome


def _memory(name):
    """Bytes that the process has, as Linux counts them."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(f"{name}:"))


def _forget_peak():
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def cases(make, name, first=0, count=None, seconds=None):
    """Damage a target again and again.

    Args:
        make: called with an empty folder; returns the Target.
        name: of the target, from which all randomness comes.
        first: number of the first case.
        count, seconds: how many, or for how long.

    Yields:
        ``number, outcome, words``; at first number -1, the whole file, which must be RIGHT.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name.replace('/', '-').replace(' ', '-')}-"))
    try:
        target = make(folder)
        whole = target.path.read_bytes()
        target.restore()
        judged(target, 5 * LONGEST)  # what is imported and compiled on the way
        target.restore()
        yield -1, *judged(target)
        until = time.monotonic() + (seconds or 0)
        number = first
        while number < first + count if count else time.monotonic() < until:
            damaged = target.damage(random.Random(f"{name} {number}"), whole)
            if damaged != whole:
                target.restore()
                target.path.write_bytes(damaged)
                yield number, *judged(target)
            number += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def in_a_child(make, name, seen, **how):
    """The :func:`cases` of a target in a process of its own; ``seen`` is called with each.

    Should the process die, the case after the last one seen is a fault, and another process goes on behind it.
    """
    first, until = how.pop("first", 0), time.monotonic() + (how.get("seconds") or 0)
    count = how.pop("count", None)
    while True:
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            _child(make, name, theirs, ours, first=first, count=count, **how)
        os.close(theirs)
        last, whole, ended = _listen(ours, child, seen, first)
        os.close(ours)
        _, status = os.waitpid(child, 0)
        if ended or not whole:
            if not ended:
                seen(-1, "died", f"signal {status & 127}, exit code {status >> 8}")
            return
        seen(last + 1, "died", f"signal {status & 127}, exit code {status >> 8}")
        how |= {"seconds": max(until - time.monotonic(), 0)} if how.get("seconds") else {}
        count = count and count - (last + 2 - first)
        first = last + 2
        if (count is not None and count <= 0) or (count is None and not how.get("seconds")):
            return


def _child(make, name, pipe, other, **how):
    """What the child does; it does not return."""
    os.close(other)
    os.fsync = lambda _: None  # nothing here must outlive a loss of power
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(silent, number)
    code = 1
    try:
        with open(pipe, "w", closefd=False) as file:
            for row in cases(make, name, **how):
                print(json.dumps(row), file=file, flush=True)
            print("null", file=file, flush=True)
        code = 0
    except BaseException:
        os.write(pipe, (json.dumps([-1, "traceback", traceback.format_exc()]) + "\nnull\n").encode())
    finally:
        os._exit(code)


def _listen(pipe, child, seen, first):
    """Hand on what a child says; one that is silent is ended.

    Returns:
        The last number, whether it said something of the whole file, and whether it came to its end.
    """
    last, whole, rest = first - 1, False, b""
    while True:
        if not select.select([pipe], [], [], 6 * LONGEST)[0]:
            os.kill(child, signal.SIGKILL)
            return last, whole, False
        found = os.read(pipe, 1 << 16)
        if not found:
            return last, whole, False
        *lines, rest = (rest + found).split(b"\n")
        for line in map(json.loads, lines):
            if line is None:
                return last, whole, True
            last, whole = max(last, line[0]), True
            if line[0] >= 0 or not first:
                seen(*line)


def registry():
    """All targets: the function that makes each, by its name."""
    import command_targets
    import parts_targets
    import prepare_targets
    import video_targets

    return prepare_targets.TARGETS | parts_targets.TARGETS | video_targets.TARGETS | command_targets.TARGETS


def main(arguments=None):
    """Returns 1 where there was a fault, else 0."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, help="for how long each target is damaged")
    parser.add_argument("--cases", type=int, default=200, help="or how many times (200)")
    parser.add_argument("--first", type=int, default=0, help="number of the first case (0); other numbers, other cases")
    parser.add_argument("--only", default="", help="targets, with commas between; default all")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each target and each fault")
    parser.add_argument("--faults", type=int, default=3, help="faults of a kind that are shown for a target (3)")
    given = parser.parse_args(arguments)
    known = registry()
    names = [name for name in known if not given.only or name in given.only.split(",")]
    how = {"seconds": given.seconds} if given.seconds else {"count": given.cases}
    failed = 0
    with tqdm(total=len(names), unit="target", disable=given.json or None) as bar:
        for name in names:
            counts: Counter[str] = Counter()

            def seen(number, outcome, words, name=name, counts=counts):
                if number < 0:
                    outcome, words = ("", "") if outcome == RIGHT else ("wrong", f"the whole file: {outcome}: {words}")
                counts[outcome] += bool(outcome)
                if outcome in FAULTS and counts[outcome] <= given.faults:
                    told = {"target": name, "number": number, "fault": outcome, "words": words}
                    tqdm.write(json.dumps(told) if given.json else f"{name} {number}: {outcome}: {words}")
                if sum(counts.values()) % 50 == 0:
                    bar.set_postfix_str(f"{name} {_counts(counts)}")

            in_a_child(known[name], name, seen, first=given.first, **how)
            failed += sum(counts[fault] for fault in FAULTS)
            tqdm.write(json.dumps({"target": name, **counts}) if given.json else f"{name:<28} {_counts(counts)}")
            bar.update()
    return 1 if failed else 0


def _counts(counts):
    kept = {kind: counts[kind] for kind in (RIGHT, REFUSED)} | {kind: counts[kind] for kind in FAULTS if counts[kind]}
    return ", ".join(f"{count:,} {kind}" for kind, count in kept.items())


if __name__ == "__main__":
    sys.exit(main())
