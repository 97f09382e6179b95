"""Clips and labels: loading, preprocessing, windows and folds."""

from .arrays import load_npy
from .clips import ClipSet, batch_indices, normalize
from .folds import group_folds, linked_groups
from .prepared import load_prepared
from .sets import load_all, load_sets, split
from .windows import windows

__all__ = [
    "ClipSet",
    "batch_indices",
    "group_folds",
    "linked_groups",
    "load_all",
    "load_npy",
    "load_prepared",
    "load_sets",
    "normalize",
    "split",
    "windows",
]
