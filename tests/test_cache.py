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
import importlib, numpy as np, kernels
print(kernels.edition("cpu").leaky_relu(np.array([-1.0]))[0])
print(sum(importlib.import_module("kernels.cpu.leaky_relu")._activate.stats.cache_hits.values()))
"""


def slope(folder, cache):
    """The slope that the kernels in ``folder`` compute with, and how often a compiled one was found."""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", SLOPE], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return tuple(map(float, done.stdout.split()))


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_an_edit_in_another_file_is_seen(tmp_path):
    """ALPHA is compiled into a kernel of another file, where Numba itself does not look for edits."""
    shutil.copytree(ROOT / "kernels", tmp_path / "kernels", ignore=shutil.ignore_patterns("__pycache__"))
    cache = tmp_path / "cache"
    assert slope(tmp_path, cache) == (-0.01, 0)
    assert slope(tmp_path, cache) == (-0.01, 1)
    source = tmp_path / "kernels" / "reference" / "leaky_relu.py"
    source.write_text(source.read_text().replace("ALPHA = 0.01", "ALPHA = 0.25"))
    assert slope(tmp_path, cache) == (-0.25, 0)
