"""Clips in parts give what the same clips in one file give: networks, folds, figures; and a million of them train."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sparse import prepared_sparse
from test_ranks import MPIEXEC
from test_same_data import SIZES, flags, last_error, prepared
from untrained import clips_of, run_of

import run
from emop3d_np.__main__ import main
from emop3d_np.datasets import parts
from emop3d_np.training import checkpoint, stopping

pytestmark = pytest.mark.once
ROOT = Path(__file__).resolve().parents[2]


def in_parts(folder, per_file=3):
    """The same prepared folder, its clips in parts; beside it."""
    other = shutil.copytree(folder, folder.with_name(f"{folder.name}-parts"))
    parts.write(other / "Training", np.load(folder / "Training.npy", mmap_mode="r"), per_file)
    (other / "Training.npy").unlink()
    return other


def parameters(folder):
    (path,) = folder.glob("*/3dpyranet.ckpt")
    return {name: values.tobytes() for name, values in checkpoint.load(path).parameters.items()}


def test_a_run_goes_on_with_either(tmp_path):
    """Begun on one file and ended on parts, given as a prepared folder or by themselves, it has the same bits."""
    one = prepared(tmp_path / "clips")
    several = in_parts(one)
    alone = {"train_path": several / "Training", "train_labels_path": several / "labels.npy"}
    assert run.main(flags(one, tmp_path / "whole", max_steps=2)) == 0
    assert run.main(flags(one, tmp_path / "begun", max_steps=1)) == 0
    assert run.main(flags(several, tmp_path / "parted", max_steps=2)) == 0
    expected = parameters(tmp_path / "whole")
    assert parameters(tmp_path / "parted") == expected
    (begun,) = (tmp_path / "begun").iterdir()
    assert run.main(["--resume", str(begun), "--max_steps=2", f"--train_path={several}"]) == 0
    assert parameters(tmp_path / "begun") == expected
    sizes = [f"--{name}={value}" for name, value in SIZES.items()]
    given = [f"--{name}={path}" for name, path in alone.items()]
    assert run.main([*sizes, *given, "--max_steps=2", "--save_checkpoint", f"--save_path={tmp_path / 'alone'}"]) == 0
    assert parameters(tmp_path / "alone") == expected


def test_folds_are_those_of_one_file(tmp_path):
    """The folder of the folds may be gone on with, too."""
    one = prepared(tmp_path / "clips")
    several = in_parts(one)
    for data, place in ((one, "one"), (several, "several")):
        given = flags(data, tmp_path / place, folds=2, max_steps=0.5)
        assert run.main(given) == 0
    names = ("folds.json", "fold-01/answers.csv", "fold-02/answers.csv", "data.json")
    for name in names:  # the name of the set alone is another
        texts = [(tmp_path / place / "folds-2-subjects" / name).read_text() for place in ("one", "several")]
        assert texts[0] == texts[1].replace("clips-parts/Training", "clips/Training.npy"), name


def test_commands_take_parts(tmp_path, capsys):
    """evaluate, features and predict say of them what they say of one file; nothing is written over them."""
    network = run_of(tmp_path / "run")
    x, y = clips_of(tmp_path / "clips")
    parts.write(tmp_path / "parts", np.load(x, mmap_mode="r"), 5)
    found = {}
    for clips in (x, tmp_path / "parts"):
        given = [str(clips), "--labels", str(y)]
        assert main(["evaluate", str(network), *given, "--json", str(tmp_path / "found.json")]) == 0
        assert main(["features", str(network), *given[:1], str(tmp_path / "out"), *given[1:]]) == 0
        capsys.readouterr()
        assert main(["predict", str(clips), "--checkpoint", str(network), "--json"]) == 0
        figures = {
            name: value for name, value in json.loads((tmp_path / "found.json").read_text()).items() if name != "set"
        }
        found[clips] = figures, (tmp_path / "out" / "features.npy").read_bytes(), capsys.readouterr().out
    assert found[x] == found[tmp_path / "parts"]
    assert found[x][2].count("\n") == 12
    for place in (tmp_path / "parts", (in_parts(prepared(tmp_path / "set")))):
        assert main(["features", str(network), str(x), str(place), "--labels", str(y)]) == 2
        assert "holds clips or labels, which features would be written over" in last_error(capsys)
    over = tmp_path / "parts" / "part-00001.npy"
    assert main(["evaluate", str(network), *given, "--json", str(over)]) == 2
    assert "would be overwritten" in last_error(capsys)
    assert main(["predict", str(tmp_path / "parts"), "--checkpoint", str(network), "--annotated", "x.mp4"]) == 2
    assert "holds no video to draw in" in last_error(capsys)


@pytest.mark.parametrize("what", ["written to", "removed"])
def test_a_part_that_changes_during_a_training(tmp_path, monkeypatch, capsys, what):
    """The run ends with a line and its checkpoint; of a part that is gone, what is open is read."""
    monkeypatch.setattr(parts, "OPEN", 1)
    folder = in_parts(prepared(tmp_path / "clips"))

    def change():
        for path in (folder / "Training").glob("part-*.npy"):
            os.utime(path) if what == "written to" else path.unlink()

    original = stopping.require_finite
    monkeypatch.setattr(stopping, "require_finite", lambda *given: (original(*given), given[4] == 2 and change()))
    code = run.main(flags(folder, tmp_path / "runs", max_steps=4))
    (made,) = (tmp_path / "runs").iterdir()
    assert code == 2
    assert 2 <= checkpoint.load(made / "3dpyranet.ckpt").step < 12
    words = {"written to": "has been written to, or replaced", "removed": "there is no such file any more"}[what]
    assert re.search(rf"Training/part-0000\d\.npy: {words}", last_error(capsys))


MEASURED = """
import re, sys
import run
code = run.main(sys.argv[1:])
print("peak", re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
sys.exit(code)
"""
"""Memory at its peak is asked of the system; what ``getrusage`` says of a child may be of its parent."""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="memory at its peak is read from /proc")
def test_a_million_clips(tmp_path):
    """160 GB of the default shape train, are resumed, and are dealt into folds by people, each below 1 GB of memory.

    So does each of two ranks, where there is an MPI, and the network is the same.
    """
    folder = prepared_sparse(tmp_path / "set", 1_000_000, 1000, (16, 100, 100, 1))
    common = ["--num_classes=3", f"--train_path={folder}", "--save_checkpoint", "--evaluate_every=0.0002"]

    def peak(words, *given, launcher=()):
        command = [*launcher, sys.executable, "-c", MEASURED, *given]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert words in done.stdout
        return max(map(int, re.findall(r"^peak (\d+)$", done.stdout, re.MULTILINE))) * 1024

    whole, resumed, by_two, folds = (
        f"--save_path={tmp_path / name}" for name in ("whole", "resumed", "by_two", "folds")
    )
    peaks = {
        "trained": peak("1000000 clips", *common, whole, "--max_steps=0.0008"),
        "begun": peak("1000000 clips", *common, resumed, "--max_steps=0.0004"),
        "resumed": peak("resumed", "--resume", str(next((tmp_path / "resumed").iterdir())), "--max_steps=0.0008"),
        "a fold": peak("fold 7 of 500", *common, folds, "--max_steps=0.0002", "--folds=500", "--fold=7"),
    }
    if MPIEXEC and find_spec("mpi4py"):
        two = {"launcher": (MPIEXEC, "-n", "2")}
        peaks["two ranks"] = peak("1000000 clips", *common, by_two, "--max_steps=0.0008", **two)
        assert parameters(tmp_path / "by_two") == parameters(tmp_path / "whole")
    assert parameters(tmp_path / "resumed") == parameters(tmp_path / "whole")
    print({name: f"{size / 1e6:.0f} MB" for name, size in peaks.items()})
    assert max(peaks.values()) < 1e9, peaks
