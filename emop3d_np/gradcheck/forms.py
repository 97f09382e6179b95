"""The forms in which people write a pair of functions, made into one: real arrays in a row, in and out.

Backward is called in one of these ways; its arguments tell which:

    y = forward(x, w)             backward(d_y, x, w)
    y, z = forward(x, w)          backward((d_y, d_z), x, w)  or  backward(d_y, d_z, x, w)
    y, cache = forward(x, w)      backward(d_y, cache)
    y, z, cache = forward(x, w)   backward((d_y, d_z), cache)  or  backward(d_y, d_z, cache)
    y = forward(x=x, w=w)         backward(d_y, x=x, w=w)     where the inputs are a dict

It returns a gradient per input, in order or as a dict by their names; those of inputs without floating numbers may be
left out.  Inputs and outputs may be trees (see :mod:`.trees`); an incoming gradient has the form of the outputs, a
gradient that of its input.

A complex number ``z = a + ib`` is two real ones, and its gradient is ``dL/da + i dL/db``, as PyTorch has it (in JAX it
is the conjugate of that).  The incoming gradient of a complex output is written in the same way.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from .trees import Tree, as_array, is_tree

CACHES = ("cache", "caches", "ctx", "context", "saved", "memory", "residuals", "tape", "state")
"""What people call the second argument of a backward that takes what forward kept."""
OTHER_FORM = {True: "the incoming gradient itself, not a tuple of one", False: "a tuple of one incoming gradient"}
"""By whether it is bare: what a backward is given that fails on the form in which forward returns its output."""
CONVENTION = "a complex gradient is dL/da + i dL/db for a + ib (PyTorch's convention; JAX's is its conjugate)"


class Form:
    """Somebody's pair of functions as ``forward(*arrays)``, a tuple of real arrays, and ``backward(d, *arrays)``.

    Attributes:
        arrays: the inputs, as the leaves of their trees.
        names: of the arrays.
        constant: positions of the arrays whose gradient is not checked.
        notes: what a reader of the report should know.
        problems: rules that were found broken so far, in words.
        may_be_complex: inputs may be given complex numbers for the complex step.
    """

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any],
        inputs: Any,
        names: Sequence[Any] | None = None,
        not_differentiable: Sequence[Any] = (),
        cache: bool | None = None,
    ) -> None:
        """As of :func:`.checker.check`."""
        for name, function in (("forward", forward), ("backward", backward)):
            if not callable(function):
                raise InputError(f"{name} is {type(function).__name__}; it must be a function")
        if isinstance(inputs, np.ndarray):
            raise InputError("inputs is an array; give a tuple of arrays: (x,)")
        if not isinstance(inputs, (tuple, list, dict)) or not inputs:
            raise InputError(f"inputs is {inputs!r:.60}; give a tuple of at least one array")
        self._forward, self._backward = forward, backward
        self._names = names_of(forward, inputs, names)
        whole = inputs if isinstance(inputs, dict) else tuple(inputs)
        self._inputs = Tree(whole, self._names, "input")
        self._by_name = isinstance(inputs, dict)
        self._takes_cache, self._takes = cache, required_arguments(backward)
        self._outputs: Tree | None = None
        self._bare: bool | None = None
        self.arrays, self.names = self._inputs.arrays, self._inputs.names
        self.constant = _constant(not_differentiable, self._names, self._inputs)
        self.problems: list[str] = []
        self.notes = [CONVENTION] if self._inputs.has_complex else []
        floats = [array.dtype.kind == "f" for array in self.arrays]
        self._owners_of_floats = {k for k, floating in zip(self._inputs.owners, floats, strict=True) if floating}
        if not any(floats):
            leaves = self._inputs.leaves
            kinds = [str(leaf.arrays[0].dtype) if leaf.arrays else type(leaf.value).__name__ for leaf in leaves]
            raise InputError(
                f"inputs have dtype {', '.join(kinds)}; at least one must be floating to be differentiated"
            )

    @property
    def may_be_complex(self) -> bool:
        """Neither inputs nor outputs are complex already."""
        return not self._inputs.has_complex and not (self._outputs and self._outputs.has_complex)

    @property
    def names_of_inputs(self) -> Sequence[Any]:
        """Of whole inputs, as they were given."""
        return self._names

    @property
    def output_names(self) -> list[Any]:
        """Of the arrays that forward gives."""
        return self._outputs.names if self._outputs else []

    def forward(self, *arrays: AnyArray) -> tuple[AnyArray, ...]:
        """The outputs' leaves; where ``arrays`` are complex, as for a complex step, they are what they become."""
        if any(array.dtype.kind == "c" for array in arrays):
            before = self._outputs
            leaves = self._run(arrays)[0].leaves
            self._outputs = before
            return tuple(as_array("output", leaf.value) for leaf in leaves if leaf.arrays)
        outputs = self._run(arrays)[0]
        if outputs.has_complex and CONVENTION not in self.notes:
            self.notes.append(CONVENTION)
        return tuple(outputs.arrays)

    def backward(self, d_outputs: Sequence[AnyArray], *arrays: AnyArray) -> list[AnyArray | None]:
        """A gradient per array, or None, for an incoming gradient per output.

        With one output, a bare incoming gradient and a tuple of one are easily mixed up; the first call settles which
        of them backward takes.
        """
        if self._outputs is None:
            self._run(arrays)
        if self._bare is None and self._outputs is not None and _single(self._outputs.template):
            as_returned = not isinstance(self._outputs.template, (tuple, list))
            self._bare = as_returned
            for bare in (as_returned, not as_returned):
                try:
                    gradients = self._ask([each.copy() for each in d_outputs], [each.copy() for each in arrays], bare)
                except InputError:
                    continue
                if all(g is None or g.shape == a.shape for g, a in zip(gradients, self.arrays, strict=True)):
                    self._bare = bare
                    if bare != as_returned:
                        self.notes.append(
                            f"backward was given {OTHER_FORM[bare]}: it fails on the form of forward's output"
                        )
                    break
        return self._ask(d_outputs, arrays, self._bare)

    def _run(self, arrays: Sequence[AnyArray]) -> tuple[Tree, Any]:
        """Call forward: its outputs, and what it kept for backward."""
        leaves = self._inputs.leaves_of(arrays)
        result = call("forward", self._forward, *self._arguments(leaves))
        self._inputs.write_back(leaves, arrays)
        if self._takes_cache is None:
            self._takes_cache = self._looks_like_cache(result)
        cache = None
        if self._takes_cache:
            if not isinstance(result, tuple) or len(result) < 2:
                found = type(result).__name__
                raise InputError(f"forward returns one {found}; with cache=True it must return (outputs, cache)")
            *outputs, cache = result
            result = outputs[0] if len(outputs) == 1 else tuple(outputs)
        names = [f"{j}" for j in range(len(result))] if is_sequence(result) else "0"
        if isinstance(result, Mapping):
            names = list(result)
        self._outputs = Tree(result, names, "forward's output")
        return self._outputs, cache

    def _arguments(self, leaves: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The inputs as arguments by position and by name."""
        filled = self._inputs.filled(leaves)
        return ([], filled) if self._by_name else (list(filled), {})

    def _looks_like_cache(self, result: Any) -> bool:
        """Whether backward's arguments are incoming gradients and one more, which is not the inputs."""
        names, given = self._takes, len(self._names)
        if names is None or not isinstance(result, tuple) or len(result) < 2 or len(names) not in (2, len(result)):
            return False
        if len(names) == 2 and given == 1:  # backward(d, cache), or backward(d, x)?
            plain = hasattr(result[-1], "__array__") or isinstance(result[-1], (float, int))
            return names[1] in CACHES or (not plain and names[1] != self._names[0])
        return len(names) not in (1 + given, len(result) + given)

    def _ask(
        self, d_outputs: Sequence[AnyArray], arrays: Sequence[AnyArray], bare: bool | None
    ) -> list[AnyArray | None]:
        """Call backward; ``bare``: how one output is written, None where there are more."""
        outputs, inputs = self._outputs, self._inputs.leaves_of(arrays)
        by_position, by_name = self._arguments(inputs)
        if self._takes_cache:
            outputs, cache = self._run(arrays)
            by_position, by_name = [cache], {}
        assert outputs is not None
        leaves = outputs.leaves_of(d_outputs)
        leaves = [None if leaf.kind == "through" else value for leaf, value in zip(outputs.leaves, leaves, strict=True)]
        d = outputs.filled(leaves)
        if bare is not None:
            d = leaves[0] if bare else (leaves[0],)
        taken = len(by_position) + sum(name in (self._takes or ()) for name in by_name)
        separate = is_sequence(d) and len(d) > 1 and self._takes is not None and len(self._takes) == len(d) + taken
        answer = call("backward", self._backward, [*(d if separate else [d]), *by_position], by_name)
        self._inputs.write_back(inputs, arrays)
        outputs.write_back(leaves, d_outputs)
        return self._matched(answer)

    def _matched(self, answer: Any) -> list[AnyArray | None]:
        """The gradients that backward returned, one per array."""
        inputs, names = self._inputs.template, list(self._names)
        parts = list(inputs.values()) if self._by_name else list(inputs)
        moved = [k for k, part in enumerate(parts) if k in self._owners_of_floats]
        one_dict = len(parts) == 1 and isinstance(parts[0], dict) and not self._by_name
        if isinstance(answer, Mapping) and not (one_dict and names[0] not in answer):
            answer = _in_order(answer, names)
        elif (len(parts) == 1 and not holds_gradient(answer, parts[0])) or (
            len(moved) == 1 and not isinstance(answer, (tuple, list))
        ):
            answer = (answer,)
        if not isinstance(answer, (tuple, list)) or len(answer) not in (len(parts), len(moved)):
            count = len(answer) if isinstance(answer, (tuple, list)) else f"one {type(answer).__name__}"
            raise InputError(
                f"backward returns {count} for {len(parts)} inputs; it must return a tuple with a gradient, "
                f"or None, an input"
            )
        if len(answer) != len(parts):
            given = dict(zip(moved, answer, strict=True))
            answer = [given.get(k) for k in range(len(parts))]
        return self._inputs.parts(answer, "backward's gradient of input")


def names_of(forward: Callable[..., Any], inputs: Any, names: Sequence[Any] | None) -> Sequence[Any]:
    """What to call the inputs: ``names``, or forward's first arguments, or positions where it does not name so many."""
    count = len(inputs)
    if names is not None:
        if len(names) != count:
            raise InputError(f"names has {len(names)} entries for {count} inputs")
        return names
    if isinstance(inputs, dict):
        return list(inputs)
    try:
        parameters = inspect.signature(forward).parameters.values()
    except (TypeError, ValueError):  # not every function of an extension has a signature
        return range(count)
    by_position = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    return by_position[:count] if len(by_position) >= count else range(count)


def required_arguments(function: Callable[..., Any]) -> list[str] | None:
    """Names of the arguments by position that a function must be given; None if that is not to be known."""
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if any(each.kind == each.VAR_POSITIONAL for each in parameters):
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [each.name for each in parameters if each.kind in by_position and each.default is each.empty]


def _constant(not_differentiable: Sequence[Any], names: Sequence[Any], inputs: Tree) -> list[int]:
    """Positions of the arrays that the caller names: whole inputs by name or position, or single arrays by name."""
    if isinstance(not_differentiable, (str, int)):
        not_differentiable = [not_differentiable]
    positions: set[int] = set()
    for each in not_differentiable:
        if each in names:
            whole = list(names).index(each)
        elif isinstance(each, int) and 0 <= each < len(names):
            whole = each
        elif each in inputs.names:
            positions.add(inputs.names.index(each))
            continue
        else:
            raise InputError(f"not_differentiable has {each!r}; the inputs are {', '.join(map(str, names))}")
        positions.update(k for k, owner in enumerate(inputs.owners) if owner == whole)
    return sorted(positions)


def is_sequence(value: Any) -> bool:
    """Whether it is a plain list or tuple."""
    return isinstance(value, (tuple, list)) and not hasattr(value, "_fields")


def _single(outputs: Any) -> bool:
    """Whether there is one output, bare or in a list or tuple of one."""
    if is_sequence(outputs):
        return len(outputs) == 1 and not is_tree(outputs[0])
    return not is_tree(outputs)


def holds_gradient(answer: Any, part: Any) -> bool:
    """Whether ``answer`` is a tuple with the gradient of the only input, ``part``, not that gradient itself."""
    if not isinstance(answer, (tuple, list)):
        return False
    if isinstance(part, (tuple, list)) and is_tree(part):  # its gradient is a list, too
        return len(answer) == 1 and not (len(part) == 1 and not isinstance(answer[0], (tuple, list)))
    return True


def _in_order(answer: Mapping[str, Any], names: Sequence[Any]) -> list[Any]:
    """Gradients in the order of the inputs; the key of ``x`` is ``x``, ``dx``, ``d_x`` or ``grad_x``."""
    keys = {key: name for name in names for key in (f"grad_{name}", f"d_{name}", f"d{name}", name)}
    unknown = [key for key in answer if key not in keys]
    if unknown:
        raise InputError(
            f"backward's gradients have the key {unknown[0]!r}; the inputs are {', '.join(map(str, names))}"
        )
    given = {keys[key]: gradient for key, gradient in answer.items()}
    return [given.get(name) for name in names]


def call(
    name: str, function: Callable[..., Any], arguments: Iterable[Any], keywords: Mapping[str, Any] | None = None
) -> Any:
    """Call a function of the user.

    Raises:
        InputError: it raises.
    """
    arguments = list(arguments)
    try:
        return function(*arguments, **(keywords or {}))
    except (KeyboardInterrupt, MemoryError, InputError):
        raise
    except Exception as error:
        shapes = ", ".join(str(each.shape) for each in arguments if isinstance(each, np.ndarray))
        raise InputError(
            f"{name} raises {type(error).__name__}: {' '.join(str(error).split())} (called with arrays of {shapes})"
        ) from error
