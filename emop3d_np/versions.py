"""What is installed, and what of it must be the same wherever one piece of work is done."""

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from . import __version__
from .errors import InputError

CALLED = {
    "package": "the version of emop3d_np",
    "sources": "the source code of emop3d_np",
    "numba": "the version of Numba",
    "llvmlite": "the version of llvmlite",
    "numpy": "the version of NumPy",
    "scipy": "the version of SciPy",
}
"""What :func:`installed` tells, and what it is called."""


@lru_cache(maxsize=1)
def installed() -> dict[str, str]:
    """The version, or for sources the digest, of each of :data:`CALLED`."""
    versions = {name: metadata.version(name) for name in ("llvmlite", "numba", "numpy", "scipy")}
    return {"package": __version__, "sources": _digest_of_sources(), **versions}


def require_alike(there: dict[str, str], here: dict[str, str], where: str) -> None:
    """Refuse what is installed ``there``, which is called ``where``, if it is not what is installed ``here``.

    Raises:
        InputError: it is named, with both versions.
    """
    for name, version in here.items():
        if there.get(name) != version:
            raise InputError(
                f"{CALLED[name]}: {there.get(name)} on {where}, {version} where the command runs; install the same on "
                f"both, and start anew what works"
            )


def _digest_of_sources() -> str:
    digest, root = hashlib.sha256(), Path(__file__).resolve().parents[1]
    for path in sorted([*root.glob("emop3d_np/**/*.py"), *root.glob("kernels/**/*.py"), *root.glob("run.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
