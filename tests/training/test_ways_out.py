"""Whatever ends a run, what was trained is kept: files that cannot be written, unread outputs, signals, kills.

Faults are put in at a call, never hoped for at a moment.
"""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import PATIENCE

import run
from emop3d_np import children, files, locks
from emop3d_np.errors import InputError, Lasting, exit_code
from emop3d_np.training import checkpoint, flags, runs, side_by_side, stopping

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
STEPS = 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for part, count in (("train", 16), ("val", 6)):
        np.save(folder / f"{part}.npy", rng.integers(0, 255, (count, 8, 14, 14, 1), np.uint8))
        np.save(folder / f"{part}_labels.npy", np.arange(count) % 3)
    return folder


def arguments(clips, save_path, **more):
    given = {f"{part}_path": clips / f"{part}.npy" for part in ("train", "val")}
    given |= {f"{part}_labels_path": clips / f"{part}_labels.npy" for part in ("train", "val")}
    given |= {"depth_frames": 8, "height": 14, "width": 14, "num_classes": 3, "batch_size": 4, "max_steps": 3}
    given |= {"save_path": save_path, "test_milestones": "1.5,2", "save_checkpoint": True} | more
    return [f"--{name}={value}" for name, value in given.items()]


def the_run(save_path):
    (folder,) = save_path.iterdir()
    return folder


def logged(folder, name):
    rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def state(path):
    return [values.tobytes() for values in checkpoint.load(path).parameters.values()]


@pytest.fixture(scope="module")
def whole(clips, tmp_path_factory):
    """The folder of a run that nothing happened to."""
    save_path = tmp_path_factory.mktemp("whole")
    assert run.main(arguments(clips, save_path)) == 0
    return the_run(save_path)


def in_step(step, what, monkeypatch):
    """Do ``what`` in a step of the training, before its update."""
    original = stopping.require_finite

    def watched(*given):
        original(*given)
        if given[4] == step:
            what()

    monkeypatch.setattr(stopping, "require_finite", watched)


@pytest.mark.parametrize(("name", "step"), [("history.jsonl", 8), ("tests.jsonl", 6)])
def test_a_line_that_cannot_be_written(clips, whole, tmp_path, monkeypatch, capsys, name, step):
    append = runs.RunFolder.append

    def full(folder, file_name, row):
        if (file_name, row["step"]) == (name, step):
            monkeypatch.setattr("builtins.open", no_space)
        try:
            append(folder, file_name, row)
        finally:
            monkeypatch.setattr("builtins.open", original)

    original = open

    def no_space(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runs.RunFolder, "append", full)
    assert run.main(arguments(clips, tmp_path)) == 2
    monkeypatch.undo()
    folder = the_run(tmp_path)
    error = capsys.readouterr().err.splitlines()[-1]
    assert f"{name} cannot be written: No space left on device; to go on from the last checkpoint: python" in error
    assert checkpoint.load(folder / "3dpyranet.ckpt").step == step
    assert checkpoint.load(folder / "3dpyranet.ckpt").progress["due"] == 0.00015
    assert run.main(["--resume", str(folder)]) == 0
    assert state(folder / "3dpyranet.ckpt") == state(whole / "3dpyranet.ckpt")
    for name in ("history.jsonl", "tests.jsonl"):
        assert logged(folder, name) == logged(whole, name)


def test_a_folder_that_is_gone(clips, whole, tmp_path, monkeypatch, capsys):
    """The training goes to a folder of its own among the temporary ones, and goes on from there."""
    (tmp_path / "rescue").mkdir()
    monkeypatch.setattr(runs.tempfile, "tempdir", str(tmp_path / "rescue"))
    in_step(6, lambda: shutil.rmtree(the_run(tmp_path / "runs")), monkeypatch)
    assert run.main(arguments(clips, tmp_path / "runs")) == 2
    monkeypatch.undo()
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("run.py: error: ")
    (rescued,) = (tmp_path / "rescue").glob("*/3dpyranet.ckpt")
    assert f"tests.jsonl cannot be written: No such file or directory; checkpoint {tmp_path / 'runs'}" in error
    assert error.endswith(f"python run.py --resume {rescued} goes on")
    assert run.main(["--resume", str(rescued)]) == 0
    assert state(rescued) == state(whole / "3dpyranet.ckpt")


@pytest.mark.parametrize("at", [6, 8])
def test_killed_before_a_test_is_logged(clips, whole, tmp_path, monkeypatch, at):
    """The checkpoint comes after all that is logged of its step, so what is lost is done again."""
    append = runs.RunFolder.append

    def killed(folder, name, row):
        if (name, row["step"]) == ("tests.jsonl", at):
            raise SystemExit
        append(folder, name, row)

    monkeypatch.setattr(runs.RunFolder, "append", killed)
    with pytest.raises(SystemExit):
        run.main(arguments(clips, tmp_path))
    monkeypatch.undo()
    assert run.main(["--resume", str(the_run(tmp_path))]) == 0
    for name in ("history.jsonl", "tests.jsonl"):
        assert logged(the_run(tmp_path), name) == logged(whole, name)
    assert state(the_run(tmp_path) / "3dpyranet.ckpt") == state(whole / "3dpyranet.ckpt")


class Closed:
    """An output whose reader goes away after some writing."""

    def __init__(self, left, error):
        self.left, self.error = left, error

    def write(self, text):
        self.left -= text.count("\n")
        if self.left < 0:
            raise self.error
        return len(text)

    def flush(self):
        if self.left < 0:
            raise self.error


@pytest.mark.parametrize("error", [BrokenPipeError(32, "Broken pipe"), OSError(5, "Input/output error")])
def test_nobody_reads_the_output(clips, whole, tmp_path, monkeypatch, capsys, error):
    in_step(3, lambda: monkeypatch.setattr(sys.stdout, "_stream", Closed(0, error)), monkeypatch)
    assert run.main(arguments(clips, tmp_path)) == 130
    monkeypatch.undo()
    folder = the_run(tmp_path)
    words = f"the output cannot be written: {error.strerror}; stopped at step 4 of {STEPS}; to go on from the last"
    assert words in capsys.readouterr().err.splitlines()[-1]
    assert checkpoint.load(folder / "3dpyranet.ckpt").step == 4
    assert run.main(["--resume", str(folder)]) == 0
    assert state(folder / "3dpyranet.ckpt") == state(whole / "3dpyranet.ckpt")
    assert logged(folder, "history.jsonl") == logged(whole, "history.jsonl")


def test_an_output_that_was_closed_before(capsys, monkeypatch):
    """As ``python -m emop3d_np ... | head`` ends: quietly."""
    monkeypatch.setattr(sys, "stdout", Closed(0, BrokenPipeError(32, "Broken pipe")))
    assert exit_code("program", lambda: print("to nobody")) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys, "stdout", Closed(0, OSError(28, "No space left on device")))
    assert exit_code("program", lambda: print("to nobody")) == 2
    assert capsys.readouterr().err == "program: error: [Errno 28] No space left on device\n"


def test_letters_that_a_terminal_does_not_have(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert exit_code("program", lambda: print("1 \u00b1 2, caf\udce9")) == 0
    assert stream.buffer.getvalue() == b"1 \\xb1 2, caf\\udce9\n"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="Windows has no SIGHUP")
@pytest.mark.parametrize("ignored", [False, True])
def test_the_terminal_is_closed(clips, whole, tmp_path, monkeypatch, ignored):
    """As for Ctrl-C; under nohup the run goes on."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        in_step(6, lambda: signal.raise_signal(signal.SIGHUP), monkeypatch)
        assert run.main(arguments(clips, tmp_path)) == (0 if ignored else 130)
        assert signal.getsignal(signal.SIGHUP) == (signal.SIG_IGN if ignored else signal.SIG_DFL)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert checkpoint.load(the_run(tmp_path) / "3dpyranet.ckpt").step == (STEPS if ignored else 6)


def test_without_an_error_output(clips, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stderr", None)
    assert run.main(arguments(clips, tmp_path / "a", max_steps=1)) == 0
    monkeypatch.setattr(sys, "stderr", Closed(0, OSError(5, "Input/output error")))
    assert run.main(arguments(clips, tmp_path / "b", max_steps=1)) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no sh")
def test_a_pipe_in_earnest(clips, tmp_path):
    """``run.py 2>&- | grep -m 1 epoch``: the training is kept, though it could tell nobody."""
    command = [sys.executable, str(ROOT / "run.py"), *arguments(clips, tmp_path / "runs", max_steps=100000)]
    script = f'cd {ROOT}; "$@" 2>&- | grep -m 1 ^epoch'
    done = subprocess.run(["sh", "-c", script, "sh", *command], capture_output=True, timeout=PATIENCE, check=True)
    assert done.stdout.startswith(b"epoch")
    assert done.stderr == b""
    folder = the_run(tmp_path / "runs")
    assert checkpoint.load(folder / "3dpyranet.ckpt").step >= logged(folder, "history.jsonl")[-1]["step"]


def test_a_lasting_stream():
    called = []
    stream = Closed(1, ValueError("I/O operation on closed file"))
    lasting = Lasting(stream, lambda: called.append(1))
    for _ in range(4):
        print("line", file=lasting, flush=True)
    assert called == [1]
    assert isinstance(lasting.failed, ValueError)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
@pytest.mark.parametrize("number", [signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_signals_end_every_command_as_ctrl_c_does(number, capsys, tmp_path):
    def work():
        with files.output(tmp_path / "x"):
            signal.raise_signal(number)

    assert exit_code("program", work) == 130
    assert capsys.readouterr().err == "program: stopped\n"
    assert not os.listdir(tmp_path)
    assert signal.getsignal(number) is signal.SIG_DFL
    before = signal.signal(number, signal.SIG_IGN)  # as under nohup
    try:
        assert exit_code("program", lambda: signal.raise_signal(number)) == 0
    finally:
        signal.signal(number, before)


def test_one_writer_to_a_run(clips, whole, monkeypatch, capsys):
    code = "import sys; from emop3d_np import locks\nwith locks.only_writer(sys.argv[1]): print(flush=True), input()"
    command = [sys.executable, "-c", code, str(whole)]
    monkeypatch.setattr(locks, "PATIENCE", 0)
    kept = {path: path.read_bytes() for path in whole.iterdir()}
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()
        assert run.main(["--resume", str(whole), "--max_steps=9"]) == 2
        assert f"is being written by process {other.pid} on " in capsys.readouterr().err.splitlines()[-1]
        other.communicate(b"\n")
    assert {path: path.read_bytes() for path in whole.iterdir()} == kept


@pytest.mark.parametrize("name", runs.OWN_FILES)
def test_a_checkpoint_never_has_the_name_of_another_file(clips, tmp_path, capsys, name):
    assert run.main(arguments(clips, tmp_path, checkpoint_name=name)) == 2
    assert f"--checkpoint_name is '{name}'; it must be a file name, no folders, that does" in capsys.readouterr().err
    folder = runs.RunFolder(tmp_path, name)
    with pytest.raises(InputError, match=f"is the file of {name} of the run, too; give another name"):
        folder.require_apart(flags.merge({}))


def test_a_run_never_writes_over_its_clips(clips, whole, tmp_path, capsys):
    """Clips called as the checkpoint is, in the folder that is gone on with."""
    path = tmp_path / "best-x.npy"
    shutil.copy(clips / "train.npy", path)
    shutil.copy(whole / "3dpyranet.ckpt", tmp_path / "x.npy")
    assert run.main(["--resume", str(tmp_path / "x.npy"), "--train_path", str(path), "--max_steps=9"]) == 2
    assert "best-x.npy: is a file that is read, and would be overwritten" in capsys.readouterr().err
    assert path.read_bytes() == (clips / "train.npy").read_bytes()


def test_runs_of_one_second(tmp_path, monkeypatch):
    monkeypatch.setattr(runs.time, "strftime", lambda _: "20261127-000000")
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: exists(path) and tmp_path not in path.parents)  # not yet, it seems
    paths = {runs.RunFolder.create(tmp_path, "x.ckpt").path for _ in range(8)}
    assert len(paths) == 8


SUPERVISOR = """
import sys
from pathlib import Path
from emop3d_np.training import side_by_side
side_by_side.RUN = Path(sys.argv[1])
tasks = [side_by_side.Task(f"fold-{k}", Path(sys.argv[2]) / str(k), {"fold": k, "threads": 2}) for k in (1, 2)]
side_by_side.side_by_side(tasks, 2)
"""
FOLD = """
import os, time
from emop3d_np.children import end_with_stdin
end_with_stdin()
print("pid", os.getpid())
time.sleep(3600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="processes are looked for as on Unix")
def test_folds_end_with_their_parent(tmp_path):
    """The parent is killed: no fold works on for nobody."""
    (tmp_path / "fold.py").write_text(FOLD)
    command = [sys.executable, "-c", SUPERVISOR, tmp_path / "fold.py", tmp_path]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    outputs, pids, deadline = [tmp_path / str(k) / side_by_side.OUTPUT for k in (1, 2)], [], time.monotonic() + PATIENCE
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as parent:
        while len(pids) < 2 and time.monotonic() < deadline:
            lines = [line for path in outputs if path.exists() for line in path.read_text().splitlines()]
            pids = [int(line.split()[1]) for line in lines if line.startswith("pid")]
            time.sleep(0.05)
        parent.kill()
    assert len(pids) == 2
    for pid in pids:
        while alive(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not alive(pid)


def alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True
    except OSError:
        return False


def test_folds_without_a_bar(tmp_path, monkeypatch):
    """As with TQDM_DISABLE=1, which tqdm reads when it is imported."""

    class Disabled(side_by_side.tqdm):
        def __init__(self, **given):
            super().__init__(**given | {"disable": True})

    (tmp_path / "fold.py").write_text("import sys; sys.exit(sys.argv[1] == '--fold=2')")
    monkeypatch.setattr(side_by_side, "tqdm", Disabled)
    monkeypatch.setattr(side_by_side, "RUN", tmp_path / "fold.py")
    tasks = [side_by_side.Task(f"fold-{k}", tmp_path / str(k), {"fold": k, "threads": 2}) for k in (1, 2)]
    assert list(side_by_side.side_by_side(tasks, 2)) == ["fold-2"]


def test_a_process_that_no_parent_asks_to_end_with_it(monkeypatch):
    monkeypatch.setattr(children, "_end_after", lambda _: pytest.fail("nobody asked for it"))
    monkeypatch.delenv(children.WITH_STDIN, raising=False)
    children.end_with_stdin()
    children.end_with_parent()
