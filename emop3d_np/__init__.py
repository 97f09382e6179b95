"""EmoP3D / 3DPyraNet from scratch: a strict pyramidal 3D network that tells the emotion in a short clip."""

from . import datasets, optimizers
from .network import EmoP3D

__version__ = "0.1.0"
__all__ = ["EmoP3D", "datasets", "optimizers"]
