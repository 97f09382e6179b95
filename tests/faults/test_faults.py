"""Whatever happens to a command at a write, the same command afterwards comes to the same bytes.

A few faults of every command here; every fault at every write in ``make test-long`` and ``make faults``.
"""

import re
import sys

import pytest
from fault_commands import COMMANDS
from fault_driver import DAMAGES, UNGUARDED, Driver, campaign
from fault_injection import ERRORS
from videos import needs_faces

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are looked for as on Linux"),
    pytest.mark.skipif(sys.version_info < (3, 11), reason="before, pathlib kept functions of its own"),
]


def each_command(quick=lambda _: True):
    """Parameters: the commands, those that are not ``quick`` for `make test-long`."""
    marks = [
        [*([needs_faces] if each.needs == "faces" else []), *([] if quick(each) else [pytest.mark.long])]
        for each in COMMANDS
    ]
    return [pytest.param(each, id=each.name, marks=own) for each, own in zip(COMMANDS, marks, strict=True)]


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = Driver(tmp_path_factory.mktemp("faults") / "in", faces=not needs_faces.args[0])
    yield driver
    driver.close()


def place_of(calls, pattern, share):
    """Number of the call, among those that fit the pattern, at a share of their list."""
    fitting = [number for number, words in enumerate(calls, 1) if re.search(pattern, words)]
    return fitting[int(share * len(fitting))]


@pytest.mark.parametrize("command", each_command(lambda each: each.quick))
@pytest.mark.parametrize(("kind", "at"), [("kill", (" replace ", 0.6)), ("full", ("file.write |fsync ", 0.4))])
def test_a_fault(driver, command, kind, at):
    _, calls = driver.whole(command)
    wrong, first = driver.put_to(command, kind, place_of(calls, *at))
    assert not wrong
    assert first.code == (-9 if kind == "kill" else 2)


@pytest.mark.parametrize("command", each_command(lambda each: each.quick))
def test_two_at_once(driver, command):
    wrong, _ = driver.put_twice(command)
    assert not wrong


@pytest.mark.long
@pytest.mark.parametrize("kind", ["kill", *ERRORS])
@pytest.mark.parametrize("command", each_command())
def test_every_fault(driver, command, kind):
    counts, wrong = campaign(driver, [command], [kind])
    assert not wrong
    assert counts[command.name, kind] == len(driver.whole(command)[1])


@pytest.mark.long
@pytest.mark.parametrize("command", each_command())
def test_damage(driver, command):
    wrong, counts = driver.damage(command)
    assert not wrong
    assert sum(counts.values()) % len(DAMAGES) == 0 != sum(counts.values())


def test_the_harness_sees_what_goes_wrong(driver, monkeypatch):
    """A command whose repeat does not go on, but leaves what was there, is told from a good one."""
    command = next(each for each in COMMANDS if each.name == "evaluate")
    broken = type(command)(command.name, command.arguments, again=lambda *_: ["emop3d", "settings"])
    wrong, first = driver.put_to(broken, "kill", 2)
    assert first.code == -9
    assert any("missing" in each for each in wrong)
    assert not UNGUARDED.search("Training.npy: differs")
