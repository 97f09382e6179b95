"""The one error that stands for a mistake in what the user gave; ``kernels`` defines it, as the floor below."""

from kernels.errors import InputError

__all__ = ["InputError"]
