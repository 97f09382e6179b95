"""How the kernels of this edition are compiled: said once, used as decorators.

A kernel is a thin ``@parallel`` driver, a ``prange`` over tasks, that calls a ``@serial`` worker for each.  What is
compiled is kept on disk (``compiled_code.py``); what it runs on, one caller has at a time (``threads.py``).
"""

from collections.abc import Callable
from typing import Any

import numba
from llvmlite.binding import Linkage
from numba.core.ccallback import CFunc
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.typing.templates import Signature

from .compiled_code import cache_of
from .interrupts import whole
from .threads import launched

FASTMATH = frozenset({"nsz", "arcp", "contract", "afn", "reassoc"})
"""Allows sums in another order, so that they vectorise; NaN and infinities keep their meaning."""


def _cached(**options):
    def decorate(function):
        kernel = numba.njit(**options)(function)
        if not numba.config.DISABLE_JIT:
            kernel._cache = cache_of(function)
            kernel.compile = whole(kernel.compile)
        return kernel

    return decorate


class _OwnCopies(JITCodeLibrary):
    """Machine code that calls its own copies of the functions linked into it.

    Numba gives a copy the name of the function it is of.  Where that function is loaded too, as in the process that
    compiles, it is called in the place of the copy, which was optimised once more and may round otherwise: that process
    would not give the bits that later ones give.
    """

    def _finalize_final_module(self):
        functions = list(self._final_module.functions)
        entry = next(each.name for each in functions if each.linkage == Linkage.external and not each.is_declaration)
        for function in functions:
            if function.linkage in (Linkage.linkonce_odr, Linkage.weak_odr):
                function.name += f" in {entry}"
        super()._finalize_final_module()


class _Complete(Compiler):
    """The usual compiler, for code that calls its own copies only."""

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        library = _OwnCopies(targetctx.codegen(), "complete")
        library.enable_object_caching()
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)


_on_all_cores = _cached(pipeline_class=_Complete, nogil=True, parallel=True)


def parallel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A driver, which is called from Python, and waits for its turn with the threads."""
    kernel = _on_all_cores(function)
    return kernel if numba.config.DISABLE_JIT else launched(kernel)


alone = _cached(pipeline_class=_Complete, nogil=True)
"""A driver like those, but in the caller's thread alone."""

SERIAL = {"nogil": True, "fastmath": set(FASTMATH), "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
serial = _cached(**SERIAL)

pasted = numba.njit(inline="always")
"""A worker that is not compiled by itself, but within the one function that calls it."""


class _Borrowing(Compiler):
    """The usual compiler, for functions that make no arrays: slices are not counted as references to their array."""

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        flags.nrt = False
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)


class _Apart(_Borrowing):
    """The same, told that no two array arguments share memory."""

    def __init__(self, typingctx, targetctx, library, args, return_type, flags, locals):
        flags.noalias = True
        super().__init__(typingctx, targetctx, library, args, return_type, flags, locals)


borrowing = _cached(pipeline_class=_Borrowing, **SERIAL)
"""A ``serial`` worker that makes no arrays, nor do those it calls: it spares two atomic operations for each slice."""

loop = _cached(pipeline_class=_Apart, **SERIAL)
"""A ``serial`` kernel whose arrays do not overlap.  Only so does a loop over many arrays, or one that writes two,
vectorise: else each write might change what is read next, and the compiler gives up on more than a few such pairs."""


def by_address(signature: Signature) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Compile a worker by itself, at once; a driver that is passed the result calls it through its address.

    What a driver calls by its name is compiled anew with each of the driver's four layers: a large worker takes five
    times as long.
    """
    if numba.config.DISABLE_JIT:
        return lambda function: function

    def decorate(function):
        worker = CFunc(function, (signature.args, signature.return_type), {}, {"fastmath": set(FASTMATH)}, _Complete)
        worker._cache = cache_of(function)
        whole(worker.compile)()
        return worker

    return decorate
