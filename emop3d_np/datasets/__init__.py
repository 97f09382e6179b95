"""Clips and labels: loading, preprocessing, windows and folds."""

from .arrays import load_npy
from .clips import ClipSet, batch_indices, normalize
from .folds import group_folds
from .sets import load_sets
from .windows import windows

__all__ = ["ClipSet", "batch_indices", "group_folds", "load_npy", "load_sets", "normalize", "windows"]
