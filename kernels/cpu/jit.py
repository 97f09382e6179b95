"""How the kernels of this edition are compiled: said once, used as decorators.

A kernel is a thin ``@parallel`` driver, a ``prange`` over tasks, that calls a ``@serial`` worker for each.  Kernels
that call each other live in one file, because Numba's disk cache does not see an edit to a function of another file.
"""

from functools import partial

import numba

FASTMATH = frozenset({"nsz", "arcp", "contract", "afn", "reassoc"})
"""Allows sums in another order, so that they vectorise; NaN and infinities keep their meaning."""

parallel = partial(numba.njit, parallel=True, cache=True, nogil=True)()
serial = partial(numba.njit, fastmath=set(FASTMATH), cache=True, nogil=True)()
