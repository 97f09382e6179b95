"""The card and the packages that a figure was measured with."""

import shutil
import subprocess
import sys
from importlib import metadata

from machine import description

PACKAGES = ("numpy", "numba", "numba-cuda", "numba-cuda-mlir", "cuda-core", "cuda-bindings", "torch", "jax", "scipy")

ASKED = "name,driver_version,memory.total,clocks.sm,clocks.max.sm,clocks.mem,clocks.max.mem,power.limit,temperature.gpu"


def versions(**_):
    found = {"machine": description(), "packages": {}}
    for package in PACKAGES:
        try:
            found["packages"][package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found["packages"][package] = None
    print(
        "  ", ", ".join(f"{name} {version or 'is missing'}" for name, version in found["packages"].items()), flush=True
    )
    found["nvidia-smi"] = nvidia_smi()
    print("  ", found["nvidia-smi"], flush=True)
    found["card"] = card()
    print("  ", found["card"], flush=True)
    return found


def nvidia_smi():
    """What the driver's tool says, or why it says nothing."""
    if not shutil.which("nvidia-smi"):
        return "nvidia-smi is not there"
    asked = ["nvidia-smi", f"--query-gpu={ASKED}", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, check=False, capture_output=True, text=True, timeout=20)
    except subprocess.TimeoutExpired:
        return "nvidia-smi took more than 20 s"
    lines = (done.stdout or done.stderr).strip().splitlines() or ["nothing"]
    return dict(zip(ASKED.split(","), lines[0].split(", "), strict=False)) if done.returncode == 0 else lines[-1]


def card():
    """What the compiler's package knows of the device."""
    from kernels.cuda.target import SIMULATED, cuda, require_device

    require_device()
    if SIMULATED:
        return {"name": "simulated"}
    device = cuda.get_current_device()
    found = {
        "package": cuda.__name__,
        "name": device.name.decode() if isinstance(device.name, bytes) else str(device.name),
        "compute_capability": list(device.compute_capability),
    }
    for name in ("MULTIPROCESSOR_COUNT", "L2_CACHE_SIZE", "CLOCK_RATE", "MEMORY_CLOCK_RATE"):
        try:
            found[name.lower()] = getattr(device, name)
        except Exception as error:  # packages differ in what they know
            found[name.lower()] = f"unknown: {error}"
    memory = cuda.current_context().get_memory_info()
    return found | {"free_bytes": int(memory.free), "total_bytes": int(memory.total), "python": sys.version.split()[0]}
