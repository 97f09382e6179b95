"""Whatever becomes of the compiled kernels on disk, or of their folder: kernels compile, and one line says so."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numba
import numpy as np
import pytest
from conftest import JIT

from kernels import errors

if not JIT:
    pytest.skip("nothing is compiled", allow_module_level=True)

from kernels.cpu import compiled_code, interrupts, jit

ROOT = Path(__file__).resolve().parents[2]
DAMAGES = {
    "emptied": lambda content: b"",
    "halved": lambda content: content[: len(content) // 2],
    "zeroed": lambda content: bytes(len(content)),
    "random": lambda content: np.random.default_rng(0).bytes(len(content)),
    "one bit": lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
    "longer": lambda content: content + b"\0",
}


@pytest.fixture(autouse=True)
def nothing_said_yet():
    errors.note_once.cache_clear()
    yield
    errors.note_once.cache_clear()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("which", ["*.nbi", "*.nbc"])
def test_a_damaged_file_counts_as_missing(tmp_path, capsys, damage, which):
    files = compiled_code._Files(str(tmp_path), "kernel", "stamp")
    files.save("float32", list(range(100)))
    files.save("float64", "code")
    assert (files.load("float32"), files.load("float64"), files.load("int8")) == (list(range(100)), "code", None)
    for path in tmp_path.glob(which):
        path.write_bytes(DAMAGES[damage](path.read_bytes()))
    assert (files.load("float32"), files.load("float64")) == (None, None)
    said = capsys.readouterr().err
    assert said == f"note: compiled kernels in {tmp_path} are damaged; they are compiled anew\n"
    files.save("float32", "again")
    assert files.load("float32") == "again"
    assert compiled_code._Files(str(tmp_path), "kernel", "newer").load("float32") is None


def test_two_signatures_in_one_file(tmp_path):
    """Two processes that compile at once may choose the same name; the code of one must not be run for the other."""
    files = compiled_code._Files(str(tmp_path), "kernel", "stamp")
    files.save("float32", "code for float32")
    (path,) = tmp_path.glob("*.nbc")
    kept = path.read_bytes()
    files.save("float64", "code for float64")
    (other,) = set(tmp_path.glob("*.nbc")) - {path}
    other.write_bytes(kept)
    assert files.load("float64") is None
    assert files.load("float32") == "code for float32"


SLOPE = """
import numpy as np, kernels
print(kernels.edition("cpu").leaky_relu(np.array([-1.0]))[0])
"""


def slope(cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SLOPE], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip(), done.stderr.strip().count("\n") + bool(done.stderr.strip())


def test_a_start_with_damaged_files(tmp_path):
    """The next process compiles anew and says so in one line; the one after that finds what it needs."""
    assert slope(tmp_path) == (0, "-0.01", 0)
    for number, path in enumerate(sorted(tmp_path.rglob("*.nb?"))):
        path.write_bytes(list(DAMAGES.values())[number % 4](path.read_bytes()))
    assert slope(tmp_path) == (0, "-0.01", 1)
    assert slope(tmp_path) == (0, "-0.01", 0)


def doubled(values):
    for i in range(values.size):
        values[i] *= 2


def require_compiles():
    values = np.ones(3)
    jit.alone(doubled)(values)
    assert values.tolist() == [2, 2, 2]


@pytest.mark.parametrize("call", ["_save", "_load"])
def test_a_disk_that_is_full_or_broken(tmp_path, monkeypatch, capsys, call):
    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(compiled_code, "CACHE_FOLDER", str(tmp_path))
    monkeypatch.setattr(compiled_code._Files, call, fail)
    require_compiles()
    require_compiles()
    said = capsys.readouterr().err
    assert said.count("\n") == (call == "_save")
    assert ("No space left on device" in said) == (call == "_save")


def test_no_folder_at_all(monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(compiled_code.tempfile, "TemporaryFile", refuse)
    folder = compiled_code._folder()
    assert folder is None
    assert "set NUMBA_CACHE_DIR" in capsys.readouterr().err
    monkeypatch.setattr(compiled_code, "CACHE_FOLDER", folder)
    require_compiles()


def test_the_next_folder_is_taken(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(compiled_code.numba.config, "CACHE_DIR", str(tmp_path / "file"))
    assert not compiled_code._folder().startswith(str(tmp_path))


@pytest.fixture
def heard():
    """Ctrl-C is answered as usual, also where the tests run in the background of a shell, which ignores it there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # Python answers between two instructions


def test_ctrl_c_waits_for_the_compiler(heard, capsys):
    done = []

    def compile_all():
        with interrupts.held_back():  # a kernel compiles those that it calls
            interrupt()
            done.append("inner")
        done.append("outer")

    with pytest.raises(KeyboardInterrupt):
        interrupts.whole(compile_all)()
    assert done == ["inner", "outer"]
    assert capsys.readouterr().err.startswith("note: a kernel is being compiled")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_does_not_wait(heard):
    done = []

    def compile_all():
        for each in ("first", "second"):
            interrupt()
            done.append(each)

    with pytest.raises(KeyboardInterrupt):
        interrupts.whole(compile_all)()
    assert done == ["first"]


def test_signals_that_nobody_asked_for_are_left_alone():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.held_back():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    elsewhere = threading.Thread(target=lambda: interrupts.whole(doubled)(np.ones(1)))
    elsewhere.start()
    elsewhere.join()


def test_kernels_are_compiled_so(heard, monkeypatch):
    """The first call with a dtype compiles, within what holds signals back."""
    kernel, compiling = jit.alone(doubled), []

    def compile_it(*_):
        compiling.append(signal.getsignal(signal.SIGINT))
        raise LookupError

    monkeypatch.setattr(kernel, "_compiler", type("Compiler", (), {"compile": compile_it})())
    monkeypatch.setattr(kernel, "_cache", compiled_code.NullCache())
    with pytest.raises(LookupError):
        kernel.compile((numba.float32[::1],))
    assert compiling
    assert compiling[0] is not signal.default_int_handler
