"""The arithmetic of EmoP3D, once per edition, under the same names.

``reference`` is plain NumPy, written to be read: the equations and nothing else.
``cpu`` computes the same with Numba on all cores, ``cuda`` on an NVIDIA device.  Every edition offers the same
functions with the same leading arguments, so ``kernels.edition("cpu").weighted_sum`` may replace
``kernels.edition("reference").weighted_sum`` anywhere.

``affine`` changes clips before any edition is given them.  It runs on the host whatever the edition, so that
``reference`` and ``cpu`` have it, beside the functions that all offer (``__all__``), and ``cuda`` does not.

Axis letters, everywhere: ``n`` sample, ``d`` frame, ``h`` row, ``w`` column, ``c`` input channel, ``f`` feature map,
``k`` class; a prime marks an output axis.  Arrays are ``NDHWC``.
"""

import os
from importlib import import_module
from types import ModuleType

from .errors import InputError

BACKENDS = ("reference", "cpu", "cuda")

EDITIONS = BACKENDS if "1" in map(os.environ.get, ("NUMBA_ENABLE_CUDASIM", "EMOP3D_DEVICE")) else BACKENDS[:2]
"""The editions that run on every machine, on which the tests run; with the simulator, or where EMOP3D_DEVICE=1 says
that there is a device, that is all of them."""


def edition(name: str) -> ModuleType:
    """Return the edition called ``name``: a module that holds every kernel.

    Raises:
        InputError: there is no edition of that name.
    """
    if name not in BACKENDS:
        raise InputError(f"there is no backend {name!r}; choose one of {', '.join(BACKENDS)}")
    return import_module(f"{__name__}.{name}")
