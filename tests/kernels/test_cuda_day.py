"""``bench/cuda_day.py``, the first day on a device, goes through all its parts on the simulator."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import PATIENCE, SIMULATED

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import cuda_day
import cuda_table

ROOT = Path(__file__).resolve().parents[2]

# On a device the tests are a part of the day, which would begin again.
simulated = pytest.mark.skipif(not SIMULATED, reason="on the simulator only: make test-cuda")


def day(path, *flags, expected=0):
    """What a day found, and what it printed."""
    command = [sys.executable, ROOT / "bench" / "cuda_day.py", "--json", path, "--minutes", "60", *flags]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == expected, done.stdout + done.stderr
    return json.loads(path.read_text())["parts"], done.stdout


@simulated
def test_all_parts_of_a_day_go_through(tmp_path):
    parts, said = day(tmp_path / "day.json", "--peers", "eager library,jax slices")
    assert list(parts) == list(cuda_day.PARTS)
    assert not [name for name, found in parts.items() if "failed" in found or "skipped" in found]
    assert {(row["dtype"], row["way"]) for row in parts["right"]["rows"]} == {
        (dtype, way) for dtype in ("float64", "float32") for way in ("fused", "layer by layer")
    }
    assert parts["kernels"]["launches"] == sum(row["launches"] for row in parts["kernels"]["kernels"].values())
    assert parts["repeated"]["equal_losses"] == 2
    assert len(parts["peers"]["rows"]) == 3 - len(parts["peers"]["missing"])
    for name, row in parts["peers"]["rows"].items():
        assert row.get("right", name == "this package"), row
    assert all(f"== {name}, " in said for name in parts)
    table = cuda_table.summary({"parts": parts})
    assert table in said
    assert "momentum" in table


@simulated
def test_a_day_goes_on_after_a_wrong_gradient(tmp_path, monkeypatch):
    """The wrong edition is planted by a module that every process of the day imports first."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if '--child' in sys.argv:\n"
        f"    sys.path.insert(0, {str(ROOT)!r})\n"
        "    from kernels.cuda import fused, elements\n"
        "    def zero(sums, out):\n"
        "        elements.fill.over_elements(out.size, out.dtype.type(0), out.reshape(out.size))\n"
        "    fused.frame_bias_backward = lambda size, threads, sums, dbias: zero(sums, dbias)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    parts, said = day(tmp_path / "day.json", "--parts", "right,versions", expected=1)
    assert "are wrong, the first: 1 clips of 7x13x13x1, 1 maps, float64, fused: WRONG" in parts["right"]["failed"]
    assert "Traceback" in parts["right"]["traceback"]
    assert "Traceback" not in said
    assert parts["right"]["rows"][0]["error"] == pytest.approx(1)
    assert parts["versions"]["card"] == {"name": "simulated"}
    assert "right: FAILED" in said


PART = """
import os, signal, time

def killed(**_):
    os.kill(os.getpid(), signal.SIGKILL)

def hangs(**_):
    time.sleep(3600)

def works(**_):
    return {"worked": True}
"""


@simulated
def test_a_day_goes_on_after_a_process_that_ends_or_hangs(tmp_path):
    (tmp_path / "planted_parts.py").write_text(PART)
    seconds = {"killed": PATIENCE, "hangs": 1, "works": PATIENCE}
    planted = {name: ("planted_parts", name, each) for name, each in seconds.items()}
    starter, path = tmp_path / "starter.py", tmp_path / "day.json"
    starter.write_text(
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'bench')!r}, {str(tmp_path)!r}]\n"
        f"import cuda_day; cuda_day.PARTS, cuda_day.LONGER, cuda_day.__file__ = {planted!r}, 1, __file__\n"
        "cuda_table_of = __import__('cuda_table').OF_PART; cuda_table_of['works'] = lambda found: ['it worked']\n"
        "cuda_day.main()\n"
    )
    done = subprocess.run([sys.executable, starter, "--json", path], check=False, capture_output=True, text=True)
    parts = json.loads(path.read_text())["parts"]
    assert done.returncode == 1, done.stderr
    assert parts["killed"]["failed"] == "its process ended with code -9"
    assert parts["hangs"]["failed"] == "it took more than 1 s"
    assert parts["works"]["worked"]
    assert "it worked" in done.stdout
