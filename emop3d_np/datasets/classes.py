"""Names of classes: which may be, how they are read, and whether those of two sets are the same."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kernels.arrays import IntArray

from ..errors import InputError
from ..reading import MOST_NAMES, is_control, listed, read_text, short

FILE = "classes.txt"
"""Names of the classes of a prepared folder, one per line, in the order of the labels."""


def numbered(count: int) -> tuple[str, ...]:
    """What classes without names are called."""
    return tuple(map(str, range(count)))


def require_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Refuse names that could not be written one per line and read again, or told apart.

    Args:
        names: of the classes, in the order of their labels.
        where: where they are from, for messages.

    Raises:
        InputError: a name is empty, stands twice, or holds a line break or another control character.
    """
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise InputError(f"{where}: the name of class {number} of {len(names)} is empty; give each class a name")
        if any(map(is_control, name)):
            raise InputError(
                f"{where}: the name {short(repr(name))} holds a line break or another control character; take it out"
            )
    if len(set(names)) != len(names):
        raise InputError(f"{where}: names a class twice: {listed(names)}")
    return tuple(names)


def read_names(path: str | Path, where: str = "", missing: str = "") -> tuple[str, ...]:
    """The names in a ``classes.txt``; blank lines at its end do not count.

    Args:
        path: the file.
        where: what it is called in messages; default its path.
        missing: what to say where there is no such file.

    Raises:
        InputError: the file cannot be read, or as of :func:`require_names`.
    """
    where = where or str(path)
    lines = [line.removesuffix("\r") for line in read_text(path, where, MOST_NAMES, missing).split("\n")]
    while lines and not lines[-1].strip():
        lines.pop()
    return require_names(lines, where)


def places(own: Sequence[str], names: Sequence[str], where: str, whose: str) -> IntArray | None:
    """Where the classes of a set stand in another order of the same names.

    Args:
        own: names of the set's classes, in the order of its labels.
        names: the same names in the order that is wanted.
        where: what the set is called in messages.
        whose: what the order is called, like "the network's".

    Returns:
        int64 ndarray of shape (k,): the label by ``names`` of each of the set's classes.  None where labels stay as
        they are, since one of the two has no names but numbers.

    Raises:
        InputError: the names are not the same.
    """
    if sorted(own) == sorted(names):
        return np.array([names.index(name) for name in own], np.int64)
    if len(own) == len(names) and (tuple(own) == numbered(len(own)) or tuple(names) == numbered(len(names))):
        return None
    raise InputError(f"{where}: its classes are {listed(own)}, {whose} are {listed(names)}; they must be the same")
