"""Clips and labels: loading, preprocessing, windows and folds.

The modules ``faces`` and ``strokes`` draw clips.  They need Numba, and come at their first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .arrays import load_npy
from .augmentation import Augmentation
from .clips import ClipSet, batch_indices, normalize, require_finite, shrink, shrunk_shape
from .folds import group_folds, linked_groups
from .identity import describe, require_same
from .medmnist import load_medmnist
from .prepared import load_prepared
from .record import differences
from .sets import clip_shape, load_all, load_sets, open_clips, open_set, split
from .windows import windows

if TYPE_CHECKING:  # what editors and type checkers read
    from . import faces as faces
    from . import strokes as strokes

__all__ = [
    "Augmentation",
    "ClipSet",
    "batch_indices",
    "clip_shape",
    "describe",
    "differences",
    "faces",
    "group_folds",
    "linked_groups",
    "load_all",
    "load_medmnist",
    "load_npy",
    "load_prepared",
    "load_sets",
    "normalize",
    "open_clips",
    "open_set",
    "require_finite",
    "require_same",
    "shrink",
    "shrunk_shape",
    "split",
    "strokes",
    "windows",
]


def __getattr__(name: str) -> Any:
    if name not in ("faces", "strokes"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
