"""The machine that a figure was measured on: what it is, and what it can do at most."""

import os
import platform
import re
import time
from importlib import metadata
from pathlib import Path

import numpy as np
from numba import njit, prange

ELEMENTS = 1 << 26
"""Of the arrays that memory is timed with: 256 MB in float32, more than any cache."""


def description(*packages):
    """Processor, cores, date, and the versions of Python and of ``packages``."""
    found = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.MULTILINE)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": found.group(1) if found else platform.processor() or platform.machine(),
        "system": f"{platform.machine()} {platform.system()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        **{package: metadata.version(package) for package in packages},
    }


def sentence(description):
    """The same in words, for a caption."""
    rest = {key: value for key, value in description.items() if key not in ("date", "processor", "system", "cores")}
    versions = ", ".join(f"{name} {version}" for name, version in rest.items())
    cores, processor = description["cores"], description["processor"]
    return f"{processor}, {cores} cores, {description['system']}; {versions}; {description['date']}"


def limits():
    """GB/s that all cores together read from memory and move in ``a = b + s c``; GFLOP/s of a float32 product."""
    a, b, c = (np.ones(ELEMENTS, np.float32) for _ in range(3))
    matrix = np.ones((2048, 2048), np.float32)
    return {
        "read_gb_s": round(a.nbytes / _best(lambda: _total(a)) / 1e9, 1),
        "triad_gb_s": round(3 * a.nbytes / _best(lambda: _triad(a, b, c)) / 1e9, 1),
        "sgemm_gflop_s": round(2 * 2048**3 / _best(lambda: matrix @ matrix) / 1e9, 1),
    }


def memory(field="VmRSS"):
    """Megabytes of this process: VmRSS now, VmHWM at most so far; None where the system does not tell."""
    found = re.search(rf"^{field}:\s*(\d+) kB$", _read("/proc/self/status"), re.MULTILINE)
    return int(found.group(1)) / 1024 if found else None


def _read(path):
    return Path(path).read_text() if Path(path).exists() else ""


def _best(work, repeats=5):
    times = []
    for _ in range(repeats + 1):  # the first one warms up
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times[1:])


@njit(parallel=True, fastmath=True)
def _total(a):
    total = np.float32(0)
    for i in prange(a.size):
        total += a[i]
    return total


@njit(parallel=True, fastmath=True)
def _triad(a, b, c):
    for i in prange(a.size):
        a[i] = b[i] + np.float32(0.5) * c[i]
