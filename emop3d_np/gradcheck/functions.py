"""The pair of functions under check, called with care: fresh copies in, one flat vector out, errors in plain words."""

import copy
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike

from kernels.arrays import AnyArray, FloatArray, IntArray

from ..errors import InputError
from .forms import Form

Gradients: TypeAlias = list[Any]
"""What backward gives: for each input an array, or None where there is no gradient to be had."""

Layout: TypeAlias = Callable[[AnyArray], AnyArray]
"""Puts the numbers of an array into memory in another way; the array has the same shape and values."""


class Pair:
    """``forward`` and ``backward`` of the user, as a :class:`.forms.Form`, and the arrays they are checked at.

    Functions get fresh copies at every call, so that nothing they change reaches the next call.  Outputs are handled
    as one flat float64 vector, the outputs one after the other.

    Attributes:
        form: the functions.
        inputs: the arrays, copies of what was given.
        constant: positions of the inputs that the caller calls not differentiable.
        moved: positions of the inputs that are differentiated: floating, not empty, and not constant.
        shapes, dtypes: of the outputs; whole-number outputs (indices) are allowed beside real ones and take no part.
        real: positions of the real outputs; sizes: their numbers of elements.
        output_eps: last place of the coarsest of them.
        left_out: places of the outputs that were infinite at first.
        real_when_complex: the last call of forward gave real outputs only.
        problems: rules that the functions broke so far: words, and the position of the input concerned, -1: none.
    """

    def __init__(self, form: Form) -> None:
        self.form = form
        self.inputs = [array.copy(order="K") for array in form.arrays]
        self.constant = frozenset(form.constant)
        floating = [i for i, array in enumerate(self.inputs) if array.dtype.kind == "f" and array.size]
        self.moved = [i for i in floating if i not in self.constant]
        self.problems = [(words, -1) for words in form.problems]
        self.left_out: IntArray = np.empty(0, int)
        self._leaves_out = False

    # --- forward

    def first_forward(self) -> FloatArray:
        """Outputs at the given inputs; fixes their number, shapes and dtypes.

        Raises:
            InputError: forward raises, changes its inputs, or returns something other than real arrays.
        """
        arrays = self._copies(self.inputs)
        with quiet():
            outputs = self.form.forward(*arrays)
        for name, array, before in zip(self.form.names, arrays, self.inputs, strict=True):
            if not same_bits(array, before):
                raise InputError(f"forward changes its input {name} (shape {before.shape}); give it a copy to work on")
        self.shapes = [output.shape for output in outputs]
        self.dtypes = [output.dtype for output in outputs]
        self.real = [j for j, dtype in enumerate(self.dtypes) if dtype.kind == "f"]
        if not self.real:
            raise InputError(
                f"forward returns {', '.join(str(dtype) for dtype in self.dtypes) or 'nothing'}: "
                f"there is no real output to differentiate"
            )
        self.output_eps = max(float(np.finfo(self.dtypes[j]).eps) for j in self.real)
        self.sizes = [int(np.prod(self.shapes[j])) for j in self.real]
        flat = self._flat(outputs)
        self.left_out = np.flatnonzero(np.isinf(flat))
        return flat

    def leave_out(self) -> IntArray:
        """Take outputs that are infinite at the inputs for 0, wherever forward is called; returns their places."""
        self._leaves_out = True
        return self.left_out

    def widened(self) -> "Pair":
        """The same functions at the same numbers in float64; problems go to the same list."""
        wide = copy.copy(self)
        wide.inputs = [widened(a) for a in self.inputs]
        wide.dtypes = [np.dtype(np.float64) if j in self.real else dtype for j, dtype in enumerate(self.dtypes)]
        wide.output_eps = float(np.finfo(np.float64).eps)
        return wide

    def forward(self, arrays: Sequence[AnyArray], kind: str = "f") -> AnyArray:
        """Outputs at ``arrays`` as one float64 vector (``kind="c"``: complex128), NaN where forward cannot be taken."""
        try:
            with quiet():
                if kind == "c":  # a cast that drops the imaginary part drops the derivative
                    warnings.simplefilter("error", np.exceptions.ComplexWarning)
                outputs = self.form.forward(*self._copies(arrays))
            if [output.shape for output in outputs] != self.shapes:
                raise InputError("forward's outputs change their shape with the values of its inputs")
            kinds = {outputs[j].dtype.kind for j in self.real}
            self.real_when_complex = kinds == {"f"}  # abs() and the like: the imaginary part is lost
            if not kinds <= set(kind) | {"f"}:
                raise InputError("forward's outputs change their kind with the values of its inputs")
            self._last_eps = max(float(np.finfo(outputs[j].dtype).eps) for j in self.real)
            return self._flat(outputs, np.complex128 if kind == "c" else np.float64)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception:  # a domain left, or complex numbers refused: this point cannot be used
            self._last_eps = 1.0
            return np.full(sum(self.sizes), np.nan)

    def forward_with_eps(self, arrays: Sequence[AnyArray]) -> tuple[FloatArray, float]:
        """:meth:`forward`, and the spacing of numbers at 1 of its coarsest real output."""
        values = self.forward(arrays)
        return values, self._last_eps

    def try_forward(self, arrays: Sequence[AnyArray]) -> None:
        """Call forward and forget what comes of it."""
        try:
            with quiet():
                self.form.forward(*self._copies(arrays))
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception:  # other values may be outside of what it takes
            return

    def output_words(self, flat: int) -> str:
        """Where element ``flat`` of the flat outputs is, in words."""
        for j, size in zip(self.real, self.sizes, strict=True):
            if flat < size:
                index = [int(place) for place in np.unravel_index(flat, self.shapes[j])] if self.shapes[j] else []
                name = self.form.output_names[j]
                return f"output {name} {index}" if len(self.shapes) > 1 else f"output {index}"
            flat -= size
        raise IndexError(flat)

    def _flat(self, outputs: Sequence[AnyArray], dtype: DTypeLike = np.float64) -> AnyArray:
        parts = [outputs[j].ravel().astype(dtype, copy=False) for j in self.real]
        flat = np.concatenate(parts) if len(parts) > 1 else parts[0].copy()
        if self._leaves_out:
            flat[self.left_out] = 0
        return flat

    # --- backward

    def backward(
        self, d: FloatArray, arrays: Sequence[AnyArray] | None = None, layout: Layout | None = None
    ) -> Gradients:
        """Gradients for the flat incoming gradient ``d``: a list with an array, or None, per input.

        ``forward`` is called just before, as a layer that keeps what backward needs expects.  ``layout`` puts the
        incoming gradient of each output into memory in another way; without, it is contiguous.

        Raises:
            InputError: backward raises, or returns something else than an array or None per input.
        """
        arrays = self.inputs if arrays is None else arrays
        self.forward(arrays)
        return self.backward_alone(d, arrays, layout)

    def backward_alone(self, d: FloatArray, arrays: Sequence[AnyArray], layout: Layout | None = None) -> Gradients:
        """:meth:`backward` without the call of forward before it."""
        d_outputs, at = [], 0
        for j, (shape, dtype) in enumerate(zip(self.shapes, self.dtypes, strict=True)):
            if j in self.real:
                size = int(np.prod(shape))
                d_outputs.append(np.array(d[at : at + size].reshape(shape), dtype))
                at += size
            else:
                d_outputs.append(np.zeros(shape))
        given, copies = self._copies(d_outputs), self._copies(arrays)
        if layout is not None:
            given = [layout(each) if each.ndim else each for each in given]  # a scalar has one layout
        with quiet():
            answer = self.form.backward(given, *copies)
        gradients = [self._checked_gradient(i, each) for i, each in enumerate(answer)]
        for what, before, after in (("input", arrays, copies), ("incoming gradient", d_outputs, given)):
            for i, (one, other) in enumerate(zip(before, after, strict=True)):
                if not same_bits(one, other):
                    self.add_problem(f"backward changes its {what} {i} (shape {one.shape}) in place", i, what)
        return gradients

    def _checked_gradient(self, i: int, gradient: AnyArray | None) -> AnyArray | None:
        if gradient is None:
            return None
        if gradient.dtype.kind != "f" and gradient.size and self.inputs[i].dtype.kind == "f":
            name = self.form.names[i]
            raise InputError(f"backward's gradient of input {name} has dtype {gradient.dtype}; it must be floating")
        return gradient.copy()  # the function may write its next answer to the same array

    def add_problem(self, words: str, i: int = -1, what: str = "input") -> None:
        """Note that a rule was broken; ``i`` is the input concerned (-1: none)."""
        if words not in [known for known, _ in self.problems]:
            self.problems.append((words, i if what == "input" else -1))

    @staticmethod
    def _copies(arrays):
        return [array.copy(order="K") for array in arrays]


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings, of NumPy's arithmetic or others."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def same_bits(one: AnyArray, other: AnyArray) -> bool:
    """Equal shape, dtype and bits; so NaN equals itself and -0.0 is not 0.0."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.char in "gG":  # a longdouble has bytes that are no part of it
        return bool(np.array_equal(one, other, equal_nan=True) and np.array_equal(np.signbit(one), np.signbit(other)))
    if one.dtype.kind == "f" and one.ndim:  # without copies of large arrays
        bits = f"u{one.dtype.itemsize}"
        return bool(np.array_equal(np.ascontiguousarray(one).view(bits), np.ascontiguousarray(other).view(bits)))
    return one.tobytes() == other.tobytes()


def widened(array: AnyArray) -> AnyArray:
    """A floating array in float64; others as they are."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array
