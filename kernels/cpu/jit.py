"""How the kernels of this edition are compiled: said once, used as decorators.

A kernel is a thin ``@parallel`` driver, a ``prange`` over tasks, that calls a ``@serial`` worker for each.

Compiled kernels are kept on disk.  Numba looks for edits in a kernel's own file only, not in what that file imports, so
the folder is named by a digest of all kernels' sources: an edit to any of them is never missed.
"""

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numba
from llvmlite.binding import Linkage
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.typing.templates import Signature

FASTMATH = frozenset({"nsz", "arcp", "contract", "afn", "reassoc"})
"""Allows sums in another order, so that they vectorise; NaN and infinities keep their meaning."""


def _cache_folder():
    """Under NUMBA_CACHE_DIR where it is set, else beside the sources; where that is read-only, Numba goes elsewhere."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        digest.update(str(source.relative_to(package)).encode() + source.read_bytes())
    root = numba.config.CACHE_DIR or package / "__pycache__"
    return str(Path(root) / f"emop3d-{digest.hexdigest()[:16]}")


CACHE_FOLDER = _cache_folder()


def _cached(decorator, **options):
    def decorate(function):
        # Numba takes the folder from its configuration, when a function is decorated; other packages keep theirs.
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = CACHE_FOLDER
        try:
            return decorator(cache=True, **options)(function)
        finally:
            numba.config.CACHE_DIR = before

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


parallel = _cached(numba.njit, pipeline_class=_Complete, nogil=True, parallel=True)
alone = _cached(numba.njit, pipeline_class=_Complete, nogil=True)
"""A driver like those, but in the caller's thread alone."""

SERIAL = {"nogil": True, "fastmath": set(FASTMATH), "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
serial = _cached(numba.njit, **SERIAL)


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


borrowing = _cached(numba.njit, pipeline_class=_Borrowing, **SERIAL)
"""A ``serial`` worker that makes no arrays, nor do those it calls: it spares two atomic operations for each slice."""

loop = _cached(numba.njit, pipeline_class=_Apart, **SERIAL)
"""A ``serial`` kernel whose arrays do not overlap.  Only so does a loop over many arrays, or one that writes two,
vectorise: else each write might change what is read next, and the compiler gives up on more than a few such pairs."""


def by_address(signature: Signature) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Compile a worker by itself, at once; a driver that is passed the result calls it through its address.

    What a driver calls by its name is compiled anew with each of the driver's four layers: a large worker takes five
    times as long.
    """
    if numba.config.DISABLE_JIT:
        return lambda function: function
    return _cached(partial(numba.cfunc, signature), pipeline_class=_Complete, fastmath=set(FASTMATH))
