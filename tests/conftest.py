"""Fixtures and settings that all tests share."""

import os
import time
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
PATIENCE = 600
"""Seconds that a test waits for what takes moments, so that it fails on no machine, however slow and busy that is."""
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(params=kernels.EDITIONS)
def edition(request):
    """Every edition of the kernels in turn."""
    return kernels.edition(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(20261122)


class Clock:
    """Seconds that pass in calls of chosen functions alone, so that what there is time for is the same everywhere."""

    def __init__(self):
        self.seconds = 0.0

    def paced(self, function, seconds):
        """The function, of which a call takes so many seconds."""

        def timed(*arguments):
            self.seconds += seconds
            return function(*arguments)

        return timed


@pytest.fixture(autouse=True)
def clock(request, monkeypatch):
    """The clock of the gradient checker in its own tests, whose verdicts are the same however slow the machine is."""
    clock = Clock()
    if "gradcheck" in request.path.parts:
        monkeypatch.setattr(time, "perf_counter", lambda: clock.seconds)
    return clock


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
