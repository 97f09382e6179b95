"""What the edition for NVIDIA devices says where it cannot run; its kernels are in the tests of every edition."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from emop3d_np.errors import InputError
from kernels.cuda import device

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def without(monkeypatch):
    """A machine that has ``cuda`` and whose compiler is found or not."""

    def set_up(cuda, compiler):
        monkeypatch.setattr(device, "SIMULATED", False)
        monkeypatch.setattr(device, "cuda", cuda)
        monkeypatch.setattr(device, "_compiler_found", lambda: compiler)
        device.require.cache_clear()

    yield set_up
    device.require.cache_clear()


def test_no_driver(without):
    without(SimpleNamespace(is_available=lambda: False), compiler=True)
    with pytest.raises(InputError, match=r"no NVIDIA driver, or no device.*nvidia-smi.*backend cpu"):
        device.to_device(np.zeros(3))


@pytest.mark.parametrize("cuda", [None, SimpleNamespace(is_available=lambda: True)], ids=["no-target", "no-compiler"])
def test_no_package(without, cuda):
    without(cuda, compiler=False)
    with pytest.raises(InputError, match=r"numba-cuda.*pip install 'emop3d-np\[cuda\]'.*backend cpu"):
        device.to_device(np.zeros(3))


def test_the_command_ends_with_a_message_not_a_traceback(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_ENABLE_CUDASIM"}
    environment["CUDA_VISIBLE_DEVICES"] = "-1"
    ended = subprocess.run(
        [sys.executable, ROOT / "run.py", "--backend", "cuda", "--max_steps", "1"],
        check=False, cwd=tmp_path, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "backend cuda: " in ended.stderr
    assert "Traceback" not in ended.stderr
