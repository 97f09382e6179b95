"""Kernels with a mistake in them, to see that the tests find it."""

import inspect
import re
import textwrap


def planted(function, old, new, place=0):
    """``function``, of a kernel's file, with ``new`` for the ``old`` in its source that is number ``place``.

    Args:
        function: a Python function, decorators included.
        old, new: source text.
    """
    source = textwrap.dedent(inspect.getsource(function))
    where = [found.start() for found in re.finditer(re.escape(old), source)][place]
    names = {}
    exec(source[:where] + new + source[where + len(old) :], function.__globals__, names)
    return names[function.__name__]
