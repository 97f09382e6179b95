"""EmoP3D / 3DPyraNet from scratch: a strict pyramidal 3D network that tells the emotion in a short clip.

What is named here comes at its first use, so that ``import emop3d_np`` costs next to nothing and needs NumPy alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what editors and type checkers read
    from . import datasets as datasets
    from . import gradcheck as gradcheck
    from . import optimizers as optimizers
    from . import report as report
    from . import video as video
    from .errors import InputError as InputError
    from .network import EmoP3D as EmoP3D
    from .training import checkpoint as checkpoint
    from .training import crossvalidation as crossvalidation
    from .training import evaluation as evaluation
    from .training import metrics as metrics

__version__ = "0.1.0"
_PLACES = {
    "EmoP3D": ".network",
    "InputError": ".errors",
    "checkpoint": ".training.checkpoint",
    "crossvalidation": ".training.crossvalidation",
    "datasets": ".datasets",
    "evaluation": ".training.evaluation",
    "gradcheck": ".gradcheck",
    "metrics": ".training.metrics",
    "optimizers": ".optimizers",
    "report": ".report",
    "video": ".video",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(_PLACES[name], __name__)
    globals()[name] = getattr(module, name, module)  # a class of that module, or the module itself
    return globals()[name]


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
