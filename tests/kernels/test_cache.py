"""The compiled kernels on disk: found again, never older than their sources, and the same as when just compiled."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import JIT
from numba.core.dispatcher import Dispatcher

ROOT = Path(__file__).resolve().parents[2]
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


GRADIENTS = """
import hashlib, numpy as np
from emop3d_np import EmoP3D
digest = hashlib.sha256()
for dtype, layer_by_layer in (("float32", False), ("float64", True)):
    net = EmoP3D((8, 14, 14, 1), num_classes=3, dtype=dtype)
    clips = np.random.default_rng(0).standard_normal((7, *net.input_shape), dtype)
    _, gradients, _ = net.training_pass(clips, np.arange(7) % 3, input_gradient=layer_by_layer)
    for name in sorted(gradients):
        digest.update(gradients[name].tobytes())
print(digest.hexdigest())
"""


def printed(environment):
    command = [sys.executable, "-c", GRADIENTS]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def found_on_disk():
    """Whether this process has found any kernel compiled, so that it may not have compiled all that it calls."""
    modules = [module for name, module in sys.modules.items() if name.startswith("kernels.cpu.")]
    kernels = [each for module in modules for each in vars(module).values() if isinstance(each, Dispatcher)]
    return any(sum(each.stats.cache_hits.values()) for each in kernels)


@pytest.mark.skipif(not JIT, reason="nothing is compiled")
def test_the_same_bits_as_when_just_compiled(tmp_path, capsys):
    """Else a run would not repeat itself.

    Where the cache began empty, as in ``make test``, this process has compiled the kernels; else a new one does.
    """
    exec(GRADIENTS, {})
    just_compiled, environment = capsys.readouterr().out, {**os.environ, "PYTHONPATH": str(ROOT)}
    if found_on_disk():
        environment["NUMBA_CACHE_DIR"] = str(tmp_path)
        just_compiled = printed(environment)
    assert just_compiled == printed(environment) == printed(environment)
