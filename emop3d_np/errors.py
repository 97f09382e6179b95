"""The one error that stands for a mistake in what the user gave, and what turns a failed write into it."""

from contextlib import contextmanager

from kernels.errors import InputError

__all__ = ["InputError", "writing"]


@contextmanager
def writing(path):
    """Around what writes to a place that the user gave: raises InputError, with the reason, if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
