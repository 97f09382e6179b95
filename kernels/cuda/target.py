"""The one place that imports a compiler for NVIDIA devices, and that says what is missing where there is none.

Three packages offer ``cuda`` under the same names, and the first that is found is taken: numba-cuda, where NumPy is old
enough for it; its successor numba-cuda-mlir; and the target that is part of Numba itself.  Only what all of them know
is used.  The first comes first because its code is faster: the successor multiplies every index by a stride that it
looks up.  ``NUMBA_ENABLE_CUDASIM=1``, Numba's own switch, puts ``simulator.py`` in their place.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..errors import InputError
from . import simulator

SIMULATED = os.environ.get("NUMBA_ENABLE_CUDASIM") == "1"


NEWEST_NUMPY = "2.5.0"
"""From this NumPy on, numba-cuda 0.30 compiles no kernel."""


def _found() -> Any:
    if SIMULATED:
        return simulator.cuda
    older = np.lib.NumpyVersion(np.__version__) < NEWEST_NUMPY and find_spec("numba_cuda")
    for package in ("numba", "numba_cuda_mlir") if older else ("numba_cuda_mlir", "numba"):
        try:
            return import_module(f"{package}.cuda")
        except ImportError:
            continue
    return None


cuda = _found()
"""What kernels call ``cuda``; None where there is no package."""

_SUCCESSOR = getattr(cuda, "__name__", "").startswith("numba_cuda_mlir")

if cuda and not SIMULATED:
    # A small sum has few blocks; that is no cause for a warning.
    cuda.config.CUDA_LOW_OCCUPANCY_WARNINGS = 0


def jit(function: Callable[..., Any], device: bool = False, registers: int | None = None) -> Any:
    """``cuda.jit``, compiled for the types of a call.

    Args:
        function: a kernel, or what kernels call.
        device: whether it is the latter.
        registers: the most that a thread of a kernel may have; default: the compiler decides.
    """
    # numba-cuda-mlir would take the annotations, which are for readers, for the types to compile
    options: dict[str, Any] = {"annotations_as_signatures": False} if _SUCCESSOR else {}
    if registers:
        options["max_registers"] = registers
    return cuda.jit(device=device, **options)(function) if cuda else function


@cache
def capability() -> tuple[int, int]:
    """Compute capability of the device, ``(major, minor)``; (0, 0) where there is none, or it is simulated."""
    if SIMULATED or cuda is None or not cuda.is_available():
        return 0, 0
    major, minor = cuda.get_current_device().compute_capability
    return int(major), int(minor)


def require_device() -> None:
    """Refuse to go on without a device.

    Raises:
        InputError: it says which is missing, the package or the driver, and how to get it.
    """
    if not SIMULATED:
        _require_device()


@cache
def _require_device() -> None:
    if cuda is None or not _compiler_found():
        raise InputError(
            "backend cuda: the package numba-cuda with its compiler is missing; pip install 'emop3d-np[cuda]' "
            "gets it (backend cpu needs neither)"
        )
    if not cuda.is_available():
        raise InputError(
            "backend cuda: no NVIDIA driver, or no device, was found on this machine; install the driver of the "
            "graphics card (nvidia-smi must list it), or use backend cpu; NUMBA_ENABLE_CUDASIM=1 simulates a device, "
            "for tests: very slow"
        )


def _compiler_found() -> bool:
    try:
        import_module(f"{cuda.__name__}.cudadrv.nvvm").NVVM()
    except Exception:  # of a kind that differs between the packages and their versions
        return False
    return True


def ptx(function: Callable[..., None], arguments: tuple[Any, ...], cc: tuple[int, int]) -> str:
    """Compile a kernel without a device, for the table of registers and its tests.

    Args:
        function: the kernel as a Python function.
        arguments: what it is launched with: arrays and numbers, on the host.
        cc: compute capability, ``(major, minor)``.

    Returns:
        The kernel in NVIDIA's assembly language for virtual machines, PTX.
    """
    answer: Any
    if _SUCCESSOR:
        types, typeof = cuda.types, import_module("numba_cuda_mlir.numba_cuda.typing.typeof").typeof
        asking, name, answer = import_module("numba_cuda_mlir.tools"), "_cached_cc", cc
    else:
        numba, device = import_module("numba"), SimpleNamespace(compute_capability=cc)
        types, typeof = numba.types, numba.typeof
        asking, name, answer = import_module("numba.cuda.dispatcher"), "get_current_device", lambda: device
    # to type what a kernel calls, the device is asked for its capability; here the answer is given
    asked = getattr(asking, name)
    setattr(asking, name, answer)
    try:
        text: str = cuda.compile_ptx(function, types.void(*map(typeof, arguments)), cc=cc)[0]
        return text.rstrip("\0")
    finally:
        setattr(asking, name, asked)
