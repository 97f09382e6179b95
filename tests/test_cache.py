"""The compiled kernels on disk: found again, and never older than their sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import JIT

ROOT = Path(__file__).resolve().parents[1]
SLOPE = """
import time, numpy as np, kernels
start = time.perf_counter()
print(kernels.edition("cpu").leaky_relu(np.array([-1.0]))[0], time.perf_counter() - start)
"""


def slope(folder, cache):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SLOPE], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    value, seconds = map(float, done.stdout.split())
    return value, seconds


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_an_edit_in_another_file_is_seen(tmp_path):
    """ALPHA is compiled into a kernel of another file, where Numba itself does not look for edits."""
    shutil.copytree(ROOT / "kernels", tmp_path / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    first, cold = slope(tmp_path, cache)
    again, warm = slope(tmp_path, cache)
    assert first == again == -0.01
    assert warm < cold / 2
    source = tmp_path / "kernels" / "reference" / "leaky_relu.py"
    source.write_text(source.read_text().replace("ALPHA = 0.01", "ALPHA = 0.25"))
    assert slope(tmp_path, cache)[0] == -0.25
