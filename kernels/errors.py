"""The one error that stands for a mistake in what the user gave."""


class InputError(ValueError):
    """Something given from outside does not fit; the message says in one line what, where, and what to do."""
