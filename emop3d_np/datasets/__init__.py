"""Clips and labels: loading, preprocessing, windows and folds."""

from .arrays import load_npy
from .clips import ClipSet, batch_indices, normalize
from .sets import load_sets

__all__ = ["ClipSet", "batch_indices", "load_npy", "load_sets", "normalize"]
