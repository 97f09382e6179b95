"""What a run's bits depend on besides its settings: versions, sources, the processor that kernels are made for."""

import os
import platform
import sys
from typing import Any

from .. import versions
from ..errors import InputError

PORTABLE = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "",  # else those of this processor are added
    "OPENBLAS_CORETYPE": "Haswell",
}
"""What ``--portable_bits`` puts into the environment on x86: kernels for the processors of 2013 and later."""

PORTABLE_ELSEWHERE = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
"""The same on other processors."""

NEEDED = ("avx2", "fma", "bmi2")
"""What a processor must have for :data:`PORTABLE`."""


def portable_environment() -> dict[str, str]:
    """The environment that :func:`compile_portably` makes."""
    return PORTABLE if platform.machine().lower() in ("x86_64", "amd64") else PORTABLE_ELSEWHERE


def compile_portably() -> None:
    """Let kernels be compiled for a processor that all machines can stand for, before Numba is imported.

    Raises:
        InputError: Numba has been imported for another one, or this processor is older.
    """
    wanted = portable_environment()
    if "numba" in sys.modules:
        if target() != (wanted["NUMBA_CPU_NAME"], wanted["NUMBA_CPU_FEATURES"]):
            raise InputError(
                "--portable_bits: kernels of this process are compiled for another processor already; start run.py by "
                "itself"
            )
        return
    if wanted is PORTABLE:
        from llvmlite import binding

        features = binding.get_host_cpu_features()
        lacking = [name for name in NEEDED if not features.get(name)]
        if lacking:
            raise InputError(f"--portable_bits: this processor lacks {', '.join(lacking)}; leave it out")
    os.environ.update(wanted)


def target() -> tuple[str, str]:
    """Name and features of the processor that kernels are compiled for."""
    import numba
    from llvmlite import binding

    config: Any = numba.config  # it makes its attributes as it is imported
    name = config.CPU_NAME or binding.get_host_cpu_name()
    features = config.CPU_FEATURES
    return name, binding.get_host_cpu_features().flatten() if features is None else features


def description() -> dict[str, str]:
    """Each of them in a few words, by name."""
    name, features = target()
    return {
        **versions.installed(),
        "libc": " ".join(platform.libc_ver()).strip() or platform.platform(),
        "target": f"{name} {' '.join(sorted(each for each in features.split(',') if each.startswith('+')))}".strip(),
    }
