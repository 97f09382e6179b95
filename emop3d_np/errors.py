"""The one error that stands for a mistake in what the user gave."""

from contextlib import contextmanager


class InputError(ValueError):
    """Something given from outside does not fit; the message says in one line what, where, and what to do."""


@contextmanager
def writing(path):
    """Around what writes to a place that the user gave: raises InputError, with the reason, if it cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
