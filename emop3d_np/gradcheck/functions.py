"""The pair of functions under check, called with care: fresh copies in, one flat vector out, errors in plain words."""

import copy
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from kernels.arrays import AnyArray, FloatArray, IntArray

from ..errors import InputError

Gradients: TypeAlias = list[Any]
"""What backward gives: for each input an array, or None where there is no gradient to be had."""

Layout: TypeAlias = Callable[[AnyArray], AnyArray]
"""Puts the numbers of an array into memory in another way; the array has the same shape and values."""


class Pair:
    """``forward`` and ``backward`` of the user, and the arrays they are checked at.

    Functions get fresh copies at every call, so that nothing they change reaches the next call.  Outputs are handled
    as one flat float64 vector, the outputs one after the other.

    Attributes:
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

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        inputs: Sequence[ArrayLike],
        constant: Iterable[int] = (),
    ) -> None:
        for name, function in (("forward", forward), ("backward", backward)):
            if not callable(function):
                raise InputError(f"{name} is {type(function).__name__}; it must be a function")
        self._forward, self._backward = forward, backward
        self.inputs = _checked_inputs(inputs)
        self.constant = frozenset(constant)
        floating = [i for i, array in enumerate(self.inputs) if array.dtype.kind == "f" and array.size]
        self.moved = [i for i in floating if i not in self.constant]
        self.problems: list[tuple[str, int]] = []
        self._one_output = True
        self._bare: bool | None = None
        self.left_out: IntArray = np.empty(0, int)
        self._leaves_out = False

    # --- forward

    def first_forward(self) -> FloatArray:
        """Outputs at the given inputs; fixes their number, shapes and dtypes.

        Raises:
            InputError: forward raises, changes its inputs, or returns something other than real arrays.
        """
        arrays = self._copies(self.inputs)
        outputs = self._call("forward", self._forward, *arrays)
        for i, (array, before) in enumerate(zip(arrays, self.inputs, strict=True)):
            if not same_bits(array, before):
                raise InputError(f"forward changes its input {i} (shape {before.shape}); give it a copy to work on")
        self._one_output = not isinstance(outputs, (tuple, list))
        outputs = _as_arrays("forward", outputs)
        for j, output in enumerate(outputs):
            if output.dtype.kind not in "fiub":
                raise InputError(f"forward's output {j} has dtype {output.dtype}; outputs must be real numbers")
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
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                if kind == "c":  # a cast that drops the imaginary part drops the derivative
                    warnings.simplefilter("error", np.exceptions.ComplexWarning)
                outputs = _as_arrays("forward", self._forward(*self._copies(arrays)))
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
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                self._forward(*self._copies(arrays))
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception:  # other values may be outside of what it takes
            return

    def output_words(self, flat: int) -> str:
        """Where element ``flat`` of the flat outputs is, in words."""
        for j, size in zip(self.real, self.sizes, strict=True):
            if flat < size:
                index = [int(place) for place in np.unravel_index(flat, self.shapes[j])] if self.shapes[j] else []
                return f"output {j} {index}" if len(self.shapes) > 1 else f"output {index}"
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
        gradients: Gradients = self._structured(given, copies)
        for what, before, after in (("input", arrays, copies), ("incoming gradient", d_outputs, given)):
            for i, (one, other) in enumerate(zip(before, after, strict=True)):
                if not same_bits(one, other):
                    self.add_problem(f"backward changes its {what} {i} (shape {one.shape}) in place", i, what)
        return gradients

    def _structured(self, d_outputs, arrays):
        """Call backward with the incoming gradient as forward returns outputs: a bare array, or a tuple of arrays.

        With one output the two forms are easily mixed up; the first call settles which of them backward takes.
        """
        if self._bare is None and len(d_outputs) == 1:
            for bare in (self._one_output, not self._one_output):
                try:
                    given, copies = self._copies(d_outputs), self._copies(arrays)
                    gradients = self._gradients(given[0] if bare else tuple(given), copies)
                except InputError:
                    continue
                expected = [array.shape for array in self.inputs]
                found = [None if g is None else g.shape for g in gradients]
                if all(g is None or g == e for g, e in zip(found, expected, strict=True)):
                    self._bare = bare
                    break
        bare = self._one_output if self._bare is None else self._bare
        return self._gradients(d_outputs[0] if bare and len(d_outputs) == 1 else tuple(d_outputs), arrays)

    def _gradients(self, d_outputs, arrays):
        gradients = self._call("backward", self._backward, d_outputs, *arrays)
        if not isinstance(gradients, (tuple, list)) and len(self.inputs) == 1:
            gradients = (gradients,)
        if not isinstance(gradients, (tuple, list)) or len(gradients) != len(self.inputs):
            count = len(gradients) if isinstance(gradients, (tuple, list)) else f"one {type(gradients).__name__}"
            raise InputError(
                f"backward returns {count} for {len(self.inputs)} inputs; it must return a tuple with a gradient, "
                f"or None, an input"
            )
        result = []
        for i, gradient in enumerate(gradients):
            if gradient is None:
                result.append(None)
                continue
            array = _as_array(f"backward's gradient of input {i}", gradient)
            if array.dtype.kind != "f" and array.size and self.inputs[i].dtype.kind == "f":
                raise InputError(
                    f"backward's gradient of input {i} has dtype {array.dtype}; gradients are real numbers"
                )
            result.append(array.copy())  # the function may write its next answer to the same array
        return result

    def add_problem(self, words: str, i: int = -1, what: str = "input") -> None:
        """Note that a rule was broken; ``i`` is the input concerned (-1: none)."""
        if words not in [known for known, _ in self.problems]:
            self.problems.append((words, i if what == "input" else -1))

    @staticmethod
    def _copies(arrays):
        return [array.copy(order="K") for array in arrays]

    @staticmethod
    def _call(name, function, *arguments):
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                return function(*arguments)
        except (KeyboardInterrupt, MemoryError):
            raise
        except Exception as error:
            shapes = ", ".join(str(a.shape) for a in arguments if isinstance(a, np.ndarray))
            raise InputError(
                f"{name} raises {type(error).__name__}: {' '.join(str(error).split())} (called with arrays of {shapes})"
            ) from error


def same_bits(one: AnyArray, other: AnyArray) -> bool:
    """Equal shape, dtype and values; NaN equals itself, and -0.0 is not 0.0."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if one.dtype.kind == "f" and one.dtype.itemsize > 8:  # long doubles are padded with whatever lay in memory
        same = (one == other) & (np.signbit(one) == np.signbit(other))
        return bool((same | (np.isnan(one) & np.isnan(other))).all())
    return one.tobytes() == other.tobytes()


def widened(array: AnyArray) -> AnyArray:
    """A floating array in float64; others as they are."""
    return array.astype(np.float64) if array.dtype.kind == "f" else array


def _checked_inputs(inputs):
    if isinstance(inputs, np.ndarray):
        raise InputError("inputs is an array; give a tuple of arrays: (x,)")
    if not isinstance(inputs, (tuple, list)) or not inputs:
        raise InputError(f"inputs is {inputs!r:.60}; give a tuple of at least one array")
    arrays = []
    for i, value in enumerate(inputs):
        array = _as_array(f"input {i}", value)
        if array.dtype.kind not in "fiub":
            raise InputError(f"input {i} has dtype {array.dtype}; inputs are real numbers (or integers, for indices)")
        arrays.append(array.copy(order="K"))
    if not any(array.dtype.kind == "f" for array in arrays):
        kinds = ", ".join(str(array.dtype) for array in arrays)
        raise InputError(f"inputs have dtype {kinds}; at least one must be floating to be differentiated")
    return arrays


def _as_arrays(name, outputs):
    if not isinstance(outputs, (tuple, list)):
        outputs = (outputs,)
    return [_as_array(f"{name}'s output {j}", output) for j, output in enumerate(outputs)]


def _as_array(name, value):
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is no array: {error}") from None
    if array.dtype.kind not in "fiubc":
        raise InputError(f"{name} has dtype {array.dtype} ({type(value).__name__}); it must be an array of numbers")
    return array
