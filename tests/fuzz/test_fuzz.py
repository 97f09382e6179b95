"""Every file format and every command's flags, damaged some times: a short run of what ``make fuzz`` does for long."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import cache
from pathlib import Path

import fuzz
import pytest

from emop3d_np.errors import InputError
from emop3d_np.files import READ_IN_FOLDERS

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="memory is told by Linux's /proc"),
]

CASES = 10
"""Of each target: a few seconds for all of them."""


@cache
def counted():
    """What a short run says: counts by outcome of each target, and the faults."""
    command = [sys.executable, fuzz.__file__, "--cases", str(CASES), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    counts = {row["target"]: row for row in rows if "fault" not in row}
    assert counts, done.stderr
    return counts, [row for row in rows if "fault" in row]


@pytest.mark.parametrize("name", fuzz.registry())
def test_damaged_it_is_refused_in_a_line_or_right(name):
    counts, faults = counted()
    assert not [row for row in faults if row["target"] == name]
    seen = sum(counts[name].get(outcome, 0) for outcome in (fuzz.RIGHT, fuzz.REFUSED))
    assert seen > CASES / 2  # some change nothing


def test_every_file_that_is_read_in_a_folder_has_a_target():
    names = " ".join(fuzz.registry())
    assert not [name for name in READ_IN_FOLDERS if name not in names]


# --- The harness itself: it must see what goes wrong.

held = []


def refused():
    raise InputError("x: is damaged")


def refused_in_two_lines():
    raise InputError("x: is\ndamaged")


def sleeps():
    try:
        time.sleep(60)
    except Exception:
        return 1


def takes_memory():
    return len(b"x" * (200 << 20))


def asks_for_memory():
    return len(bytearray(1 << 40))


def fails(found):
    raise AssertionError("another value")


@pytest.mark.parametrize(
    ("outcome", "read", "check"),
    [
        ("right", lambda: 1, lambda found: None),
        ("refused", refused, lambda found: None),
        ("words", refused_in_two_lines, lambda found: None),
        ("traceback", lambda: {}["x"], lambda found: None),
        ("traceback", lambda: sys.exit(3), lambda found: None),
        ("hang", sleeps, lambda found: None),
        ("memory", takes_memory, lambda found: None),
        ("memory", asks_for_memory, lambda found: None),
        ("wrong", lambda: 1, fails),
        ("died", lambda: os.kill(os.getpid(), signal.SIGKILL), lambda found: None),
    ],
)
def test_the_harness_sees_it(monkeypatch, outcome, read, check):
    """Whole files are right; every second damaged one is read as ``read`` does, and the other ones are counted, too."""
    monkeypatch.setattr(fuzz, "LONGEST", 0.5 if outcome == "hang" else 20)

    def make(folder):
        (folder / "x").write_bytes(b"0")

        def read_damaged():
            return read() if (folder / "x").read_bytes() == b"1" else 1

        def checked(found):
            return check(found) if (folder / "x").read_bytes() == b"1" else None

        return fuzz.Target(folder / "x", lambda random, content: random.choice((b"1", b"2")), read_damaged, checked)

    counts = Counter()
    fuzz.in_a_child(make, "planted", lambda number, outcome, words: counts.update([outcome]), count=6)
    assert counts[outcome] >= 1
    assert set(counts) == {outcome, "right"}
    assert sum(counts.values()) == 7  # the whole file is one


def test_a_whole_file_that_is_refused_is_a_fault():
    outcomes = []

    def make(folder):
        (folder / "x").write_bytes(b"0")
        return fuzz.Target(folder / "x", lambda random, content: b"1", refused, lambda found: None)

    fuzz.in_a_child(make, "planted", lambda *row: outcomes.append(row), count=1)
    assert outcomes[0] == (-1, "refused", "x: is damaged")  # which main() tells as a fault


def test_a_case_can_be_made_again():
    import random

    import targets

    for name in ("checkpoint", "prepared/index.csv", "MedMNIST"):
        made = []
        for _ in range(2):
            folder = fuzz.Path(fuzz.tempfile.mkdtemp())
            target = targets.TARGETS[name](folder)
            content = target.path.read_bytes()
            made.append([target.damage(random.Random(f"{name} {number}"), content) for number in range(30)])
            fuzz.shutil.rmtree(folder)
        same = sum(one == other for one, other in zip(*made, strict=True))
        assert same == 30 or name != "prepared/index.csv"
        assert len(set(made[0])) > 25
