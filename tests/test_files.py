"""Files are written whole or not at all, wherever it fails; no output is an input, however its path is spelled."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from emop3d_np import datasets, files, locks
from emop3d_np.datasets import classes, record
from emop3d_np.errors import InputError
from emop3d_np.training import crossvalidation, runs

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[1]


def fail(*_, **__):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("what", ["open", "fsync", "replace"])
def test_what_was_there_stays_wherever_writing_fails(tmp_path, monkeypatch, what):
    path = tmp_path / "x.json"
    files.write_text(path, "old")
    monkeypatch.setattr("builtins.open" if what == "open" else f"os.{what}", fail)
    with pytest.raises(InputError, match=r"x\.json cannot be written: No space left on device"):
        files.write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["x.json"]


def test_ctrl_c_while_writing(tmp_path):
    def pressed(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(tmp_path / "x", pressed)
    assert os.listdir(tmp_path) == []


def test_file_and_folder_are_on_disk_in_this_order(tmp_path, monkeypatch):
    seen, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        kind = "folder" if os.path.samestat(os.fstat(handle), os.stat(tmp_path)) else "file"
        seen.append(kind)
        fsync(handle)

    def replaced(*paths):
        seen.append("replace")
        replace(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    files.write_text(tmp_path / "x", "new")
    assert seen == ["file", "replace", "folder"]


def test_two_writers_never_share_a_file(tmp_path):
    with files.beside(tmp_path / "x.npy") as one, files.beside(tmp_path / "x.npy") as other:
        assert one != other
        assert one.suffix == other.suffix == ".npy"
        one.touch()
        other.write_text("last")
    assert os.listdir(tmp_path) == ["x.npy"]


def test_an_output_by_a_link_and_to_a_device(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "folder" / "real.txt")
    with files.output(tmp_path / "link.txt") as path:
        path.write_text("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "folder" / "real.txt").read_text() == "new"
    with files.output("/dev/null") as path:
        assert str(path) == "/dev/null"
    assert not Path("/dev/null").is_file()
    with pytest.raises(InputError, match="cannot be written: it is a folder"), files.output(tmp_path / "folder"):
        pass
    with (
        pytest.raises(InputError, match="cannot be written: No such file"),
        files.output(tmp_path / "no" / "x") as path,
    ):
        path.write_text("new")


def spellings(tmp_path):
    """The recording, and paths that are it by other names."""
    real = tmp_path / "own.mp4"
    real.write_text("a recording")
    (tmp_path / "below").mkdir()
    (tmp_path / "link.mp4").symlink_to(real)
    (tmp_path / "link of link.mp4").symlink_to(tmp_path / "link.mp4")
    os.link(real, tmp_path / "hard.mp4")
    (tmp_path / "folder").symlink_to(tmp_path)
    others = ["own.mp4", "link.mp4", "link of link.mp4", "hard.mp4", "folder/own.mp4", "below/../own.mp4"]
    return real, [tmp_path / name for name in others] + [os.path.relpath(real)]


def test_no_output_is_an_input(tmp_path):
    real, same = spellings(tmp_path)
    for path in same:
        for output, read in ((path, real), (real, path)):
            with pytest.raises(InputError, match=r"^--annotated .* is a file that is read, and would be overwritten"):
                files.require_apart({"--picture": None, "--annotated": output}, [None, "x", read])
    files.require_apart({"--annotated": tmp_path / "other.mp4"}, [real, "https://example.org/own.mp4"])


def test_outputs_that_are_not_there_yet(tmp_path):
    (tmp_path / "dangling.png").symlink_to(tmp_path / "new.png")
    for one, other in (("new.png", "dangling.png"), ("new.png", "./new.png"), ("new.png", "new.png")):
        with pytest.raises(InputError, match=r"--b .*: is the file of --a, too; give another name"):
            files.require_apart({"--a": tmp_path / one, "--b": f"{tmp_path}/{other}"}, [])
    files.require_apart({"--a": "/dev/null", "--b": "/dev/null"}, ["/dev/null"])


def test_an_input_folder_stands_for_what_is_read_in_it(tmp_path):
    names = (*("history.jsonl", record.FILE, classes.FILE, crossvalidation.DATA), *set(runs.OWN_FILES) - {"output.txt"})
    for name in (*names, "index.csv", "3dpyranet.ckpt", "best-3dpyranet.ckpt", "report.png", "result.json"):
        (tmp_path / name).touch()
        if name in ("report.png", "result.json"):
            files.require_apart({"picture": tmp_path / name}, [tmp_path])
        else:
            with pytest.raises(InputError, match="is a file that is read"):
                files.require_apart({"picture": tmp_path / name}, [tmp_path])
    with pytest.raises(InputError, match="is a file that is read"):
        files.require_apart({"picture": tmp_path / "tests.jsonl"}, [tmp_path])  # where one would be


def test_clips_from_a_pipe_or_a_device(tmp_path):
    """Which nobody may ever fill."""
    os.mkfifo(tmp_path / "x.npy")
    for path in (tmp_path / "x.npy", "/dev/zero"):
        with pytest.raises(InputError, match=f"clips {path}: is no file but a pipe, a socket or a device"):
            datasets.open_clips(path)
    files.require_file(tmp_path)
    files.require_file(tmp_path / "absent")


HOLDS = """
import sys, time
from emop3d_np import locks
with locks.only_writer(sys.argv[1]):
    print("has it", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Starts a process that has a folder until it is told to end."""
    started = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDS, tmp_path / "out"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline() == b"has it\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_one_writer_to_a_folder(tmp_path, holder, monkeypatch):
    """The second says who has it; a kill frees it at once, and an end leaves nothing behind."""
    monkeypatch.setattr(locks, "PATIENCE", 0.1)
    process = holder()
    words = rf"is being written by process {process.pid} on .*, since 20\d\d-.*; wait until it has ended"
    with pytest.raises(InputError, match=words), locks.only_writer(tmp_path / "out"):
        pass
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(InputError, match=words), locks.only_writer(tmp_path / "link"):
        pass
    (tmp_path / "out" / f".9-abc{files.UNFINISHED}.npy").touch()
    process.kill()
    process.wait()
    with locks.only_writer(tmp_path / "out"), locks.only_writer(tmp_path / "out"):
        assert os.listdir(tmp_path / "out") == [locks.NAME]
    assert os.listdir(tmp_path / "out") == []
    holder()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no file that is locked from being removed so")
def test_what_a_killed_process_left(tmp_path):
    """The next one that writes the same output removes it; what a living one writes stays, and what others write."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from emop3d_np import files\n"
    code += "with files.output(sys.argv[1]): print(flush=True), input()"
    command = [sys.executable, "-c", code]
    writers = [
        subprocess.Popen([*command, tmp_path / name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name in ("x.json", "x.json", "y.json")
    ]
    for writer in writers:
        writer.stdout.readline()
    for killed in writers[1:]:
        killed.kill()
        killed.communicate()
    with files.output(tmp_path / "x.json") as place:
        place.write_text("mine")
    names = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert names == [".x.json", ".y.json", "x.json"]
    assert list(tmp_path.glob(f".x.json-{writers[0].pid}-*"))
    writers[0].communicate(b"\n")
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == [".y.json", "x.json"]


@pytest.mark.skipif(not files.NO_LINK, reason="Windows has no such flag")
def test_a_link_in_a_foreign_folder(tmp_path):
    """A dangling link where a log or a lock would be makes no file elsewhere."""
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    folder.mkdir()
    for name in (locks.NAME, "history.jsonl", "output.txt"):
        (folder / name).symlink_to(elsewhere)
    with pytest.raises(InputError, match="cannot be written"), locks.only_writer(folder):
        pass
    with pytest.raises(OSError, match=r"output\.txt"):
        files.open_to_append(folder / "output.txt")
    run = runs.RunFolder(folder, "x.ckpt")
    with pytest.raises(InputError, match=r"history\.jsonl cannot be written"):
        run.append("history.jsonl", {"step": 1})
    run.rewind(0)
    run.append("history.jsonl", {"step": 1})
    assert not elsewhere.exists()
    assert (folder / "history.jsonl").read_text() == '{"step": 1}\n'


def test_threads_are_writers_too(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "PATIENCE", 0)
    found = []

    def take():
        try:
            with locks.only_writer(tmp_path):
                found.append("taken")
        except InputError as error:
            found.append(str(error))

    def in_a_thread():
        thread = threading.Thread(target=take)
        thread.start()
        thread.join()

    with locks.only_writer(tmp_path):
        in_a_thread()
    in_a_thread()
    assert f"is being written by process {os.getpid()} on" in found[0]
    assert found[1] == "taken"


def test_a_lock_on_a_file_that_was_just_removed_is_none(tmp_path, monkeypatch):
    """The file that we opened goes away, with the writer before us, before it is locked."""
    lock, calls = locks._lock, []

    def slowly(file, alone):
        calls.append(file)
        if len(calls) == 1:
            os.remove(tmp_path / locks.NAME)
        lock(file, alone)

    monkeypatch.setattr(locks, "_lock", slowly)
    with locks.only_writer(tmp_path):
        assert len(calls) == 2
        assert "process" in (tmp_path / locks.NAME).read_text()


def test_where_there_are_no_locks(tmp_path, monkeypatch, capsys):
    def none(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(locks, "_lock", none)
    with locks.only_writer(tmp_path):
        pass
    assert capsys.readouterr().err == (
        f"{tmp_path}: its file system has no locks; see to it that nothing else writes there\n"
    )


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"), locks.only_writer(tmp_path / "file" / "below"):
        pass
    monkeypatch.setattr(locks, "_lock", fail)
    with pytest.raises(InputError, match="cannot be written: No space left"), locks.only_writer(tmp_path):
        pass
