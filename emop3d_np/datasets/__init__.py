"""Clips and labels: loading, preprocessing, windows and folds."""

from .arrays import load_npy
from .augmentation import Augmentation
from .clips import ClipSet, batch_indices, normalize
from .folds import group_folds, linked_groups
from .medmnist import load_medmnist
from .prepared import load_prepared
from .sets import load_all, load_sets, open_clips, open_set, split
from .windows import windows

__all__ = [
    "Augmentation",
    "ClipSet",
    "batch_indices",
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
    "split",
    "windows",
]
