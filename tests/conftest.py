"""Fixtures and settings that all tests share."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import kernels

# The first example of a kernel waits for its compilation, so no deadline. The same examples every time, so that a run
# tells something about the change it is run for; --hypothesis-profile explore looks for others.
settings.register_profile(
    "emop3d", deadline=None, max_examples=40, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("explore", settings.get_profile("emop3d"), derandomize=False)
settings.load_profile("emop3d")

# Interpreted kernels warn of overflow and NaN, which compiled ones take as they come.
as_compiled = pytest.mark.filterwarnings("ignore::RuntimeWarning")
SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"
JIT = os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
long_simulated = pytest.mark.long if SIMULATED else ()
"""Marks a case that asks no more than a shorter one beside it, and takes the simulator many seconds."""
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(params=kernels.EDITIONS)
def edition(request):
    """Every edition of the kernels in turn."""
    return kernels.edition(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(20261122)


@pytest.fixture(scope="session")
def golden():
    """Opens a file of the original's golden vectors by name."""
    return lambda name: np.load(_shared(f"golden/{name}"))


@pytest.fixture(scope="session")
def shared_data():
    """Path of a real data file by name."""
    return lambda name: _shared(f"data/{name}")


def _shared(name):
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"shared/{name} does not stand beside this checkout")
    return path
