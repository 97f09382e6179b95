"""Connections between machines: who is let in, what their end and their break do; machines lost, and slow ones.

The machines are namespaces of this one, each with a name and a network of its own, and a cable between them.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import pytest
from conftest import PATIENCE
from test_ranks import (
    ALL,
    CHEAP,
    MPIEXEC,
    ROOT,
    alone,
    ended,
    its_ranks,
    left,
    needs_mpi,
    place,
    the_run,
    wait_for_checkpoints,
)  # fmt: skip

import run
from emop3d_np.errors import InputError
from emop3d_np.training import checkpoint, links, witness

pytestmark = pytest.mark.once
__all__ = ["place"]

LONG = ("--max_steps=300", "--evaluate_every=0.5", "--test_milestones=None")


class Machines:
    """Two of them; each is named by its address, so that names need not be looked up."""

    names = ("10.77.0.1", "10.77.0.2")

    def __init__(self, folder):
        self._prefix = f"emop3d-{os.getpid()}-"
        self._launcher = folder / "launcher"
        self._launcher.write_text(  # called as ssh is
            '#!/bin/sh\n[ "$1" = -x ] && shift\nhost=$1; shift\n'
            f'exec ip netns exec {self._prefix}$host unshare --uts sh -c "hostname $host; exec $*"\n'
        )
        self._launcher.chmod(0o700)

    def __enter__(self):
        first, second = (self._prefix + name for name in self.names)
        for name in (first, second):
            _ip("netns", "add", name)
        _ip("link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second)
        for name, address in zip((first, second), self.names, strict=True):
            _ip("-n", name, "link", "set", "lo", "up")
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", name, "link", "set", "cable", "up")
        time.sleep(2)  # the library of MPI takes a link that is still coming up for none
        return self

    def __exit__(self, *_):
        for name in self.names:
            subprocess.run(["ip", "netns", "delete", self._prefix + name], capture_output=True, check=False)

    def cable(self, state):
        """Plug it in, "up", or pull it out, "down"."""
        _ip("-n", self._prefix + self.names[0], "link", "set", "cable", state)

    def start(self, each, *arguments, mark, **environment):
        """Start run.py on so many ranks of each; ``mark`` is what ``its_ranks`` knows them by."""
        command = [self._launcher, self.names[0], MPIEXEC, "-launcher", "ssh", "-launcher-exec", self._launcher]
        command += ["-hosts", ",".join(self.names), "-n", 2 * each, "-ppn", each, sys.executable, ROOT / "run.py"]
        # Else the MPI library sees that they are one machine, and leaves the cable alone.
        told = {"PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1", "UCX_TLS": "tcp,self", "EMOP3D_TEST": mark}
        told["EMOP3D_RANKS_START"] = str(PATIENCE)
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "stdin": subprocess.DEVNULL}
        process = subprocess.Popen([*map(str, command), *arguments], env=os.environ | told | environment, **pipes)
        process.args = mark
        return process

    def sent(self):
        """Bytes that have gone through the cable."""
        count = "/sys/class/net/cable/statistics/tx_bytes"
        return int(subprocess.check_output(["ip", "netns", "exec", self._prefix + self.names[0], "cat", count]))


def _ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def machines(tmp_path):
    if not (shutil.which("ip") and shutil.which("unshare") and os.geteuid() == 0):
        pytest.skip("namespaces take Linux, its programs ip and unshare, and being root")
    try:
        with Machines(tmp_path) as made:
            yield made
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no namespaces can be made here: {error.stderr.decode().strip()}")


@pytest.mark.long
@needs_mpi
def test_two_machines_have_the_bits_of_one_process(place, machines):
    arguments = (*CHEAP, "--max_steps=3", "--evaluate_every=0.5")
    expected = alone(*arguments)
    code, out, errors = ended(machines.start(2, *ALL, *arguments, "--save_path=ranks", mark="bits"))
    assert (code, errors) == (0, [])
    assert left(the_run("ranks")) == expected
    assert machines.sent() > 100_000
    assert "there is no way" not in out


@pytest.mark.long
@needs_mpi
def test_a_machine_that_is_lost(place, machines):
    """The cable is pulled out: all ranks end, on both sides; a line says how to go on, and one process does."""
    process = machines.start(2, *ALL, *CHEAP, *LONG, "--save_path=ranks", mark="lost")
    wait_for_checkpoints(process)
    machines.cable("down")
    pulled = time.monotonic()
    while its_ranks(process):
        assert time.monotonic() - pulled < PATIENCE
        time.sleep(0.1)
    code, _, errors = ended(process)
    assert code
    saved = the_run("ranks") / "3dpyranet.ckpt"
    (line,) = errors
    assert re.match(
        r"run.py: error: rank [23] on 10\.77\.0\.2 is lost, which ends all ranks: its machine has not ", line
    )
    assert " answered for 20 seconds; " in line
    assert line.endswith(f"; to go on from the last checkpoint: python run.py --resume {saved}")
    step = checkpoint.load(saved).step
    assert step < 600
    assert run.main(["--resume", str(saved), f"--max_steps={(step + 2) / 2}"]) == 0


@pytest.mark.long
@needs_mpi
def test_a_machine_that_is_slow_is_waited_for(place, machines):
    """A rank is stopped for twice as long as a machine may be silent, and the cable pulled out for a moment."""
    arguments = (*CHEAP, "--max_steps=30", "--evaluate_every=0.5", "--test_milestones=None")
    expected = alone(*arguments)
    process = machines.start(1, *ALL, *arguments, "--save_path=ranks", mark="slow", EMOP3D_RANKS_LOST="4")
    wait_for_checkpoints(process)
    stopped = its_ranks(process)[1]
    os.kill(stopped, signal.SIGSTOP)
    time.sleep(8)
    assert process.poll() is None
    os.kill(stopped, signal.SIGCONT)
    machines.cable("down")
    time.sleep(1)
    machines.cable("up")
    code, _, errors = ended(process)
    assert (code, errors) == (0, [])
    assert left(the_run("ranks")) == expected


@pytest.mark.parametrize(("said", "waited"), [("", 20), (" 1.5 ", 1.5), ("86400", 86400)])
def test_how_long_to_wait(said, waited, monkeypatch):
    monkeypatch.setenv("EMOP3D_RANKS_LOST", said)
    assert links.seconds("EMOP3D_RANKS_LOST", 20.0) == waited
    monkeypatch.delenv("EMOP3D_RANKS_LOST")
    assert links.seconds("EMOP3D_RANKS_LOST", 20.0) == 20


@pytest.mark.parametrize("said", ["1m", "0", "-3", "inf", "nan", "1e9"])
def test_how_long_nobody_can_wait(said, monkeypatch):
    monkeypatch.setenv("EMOP3D_RANKS_LOST", said)
    words = f"EMOP3D_RANKS_LOST={said} in the environment: give seconds, above 0 and up to 86400 (a day)"
    with pytest.raises(InputError, match=f"^{re.escape(words)}$"):
        links.seconds("EMOP3D_RANKS_LOST", 20.0)


def test_who_is_let_in(monkeypatch):
    """Of three who knock, the one that knows the secret, and whose number is asked for."""
    monkeypatch.setattr(links, "KNOCKING", PATIENCE)
    door = links.Door()
    guessed = b"?" * links.SECRET
    knocked = [links.knock("localhost", door.port, secret, 2) for secret in (guessed, door.secret)]
    knocked.append(links.knock("localhost", door.port, door.secret, 3))
    assert all(knocked)
    let_in = door.let_in([1, 2])
    assert list(let_in) == [2]
    assert let_in[2].getpeername()[1] == knocked[1].getsockname()[1]
    for link in (knocked[1], let_in[2]):
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        idle, between, count = (link.getsockopt(socket.IPPROTO_TCP, name) for name in names)
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + between * count == links.LOST
    assert links.knock("localhost", door.port, door.secret, 1) is None  # the door is closed
    for link in (*knocked, *let_in.values()):
        link.close()


WATCHED = """
import socket, sys, time
from emop3d_np.training.witness import Witness
witness = Witness()
for port in map(int, sys.argv[1:]):
    witness.watch(socket.create_connection(("127.0.0.1", port)), f"rank {port}", 20)
witness.say("start again")
print("ready", flush=True)
sys.stdin.readline()
witness.leave()
"""


@pytest.mark.parametrize("how", ["farewell", "killed", "broken"])
def test_what_the_witness_does_where_a_connection_ends(how):
    """In good order, nothing, and it takes leave of the others; else it ends the rank that it is of, and says why."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [str(server.getsockname()[1]) for server in (one, other)]
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen([sys.executable, "-c", WATCHED, *ports], cwd=ROOT, text=True, **pipes)
        first, second = one.accept()[0], other.accept()[0]
        assert process.stdout.readline() == "ready\n"
        if how == "broken":
            second.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "farewell":  # its end stays open, or the rank that has taken leave would take the first for killed
            second.send(witness.FAREWELL)
            _, errors = process.communicate("\n", timeout=PATIENCE)
            assert (process.returncode, errors) == (0, "")
            assert second.recv(1) == witness.FAREWELL
            second.close()
        else:
            second.close()
            assert process.wait(PATIENCE) == -signal.SIGKILL
            _, errors = process.communicate()
            assert errors == f"\nrun.py: error: rank {ports[1]} was killed, which ends all ranks; start again\n"
        with first:
            assert first.recv(1) == (witness.FAREWELL if how == "farewell" else b"")
