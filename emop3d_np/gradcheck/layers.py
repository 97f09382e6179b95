"""``check_layer``: objects with ``y = layer.forward(x)`` and ``dx = layer.backward(dy)``, gradients left in attributes.

Every call starts from a copy of the layer as it was given, so that what it counts, keeps and draws is the same each
time.  Its parameters are the floating arrays in it that have a gradient beside them, or that its output depends on;
what forward writes itself (what it keeps, a running mean) is no parameter.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import InputError
from . import tolerances as tol
from .checker import judge
from .forms import Form, holds_gradient, is_sequence, names_of, required_arguments
from .functions import same_bits
from .gradient_names import Path, beside, get, paths, read, written
from .point import nudged
from .report import Report
from .trees import Tree

RATES = ("lr", "rate", "learning_rate", "eta", "alpha", "step", "step_size")
"""What the second argument of a backward is called that changes the parameters itself."""
RATE = 2.0**40
"""The learning rate that such a backward is given: a power of two, and so large that the parameter that the step is
added to costs the step no digits."""


def check_layer(
    layer: Any,
    inputs: Sequence[Any],
    *,
    parameters: Mapping[str, str] | None = None,
    names: Sequence[Any] | None = None,
    not_differentiable: Sequence[Any] = (),
    **options: Any,
) -> Report:
    """Check a layer that keeps what backward needs, and leaves the gradients of its parameters in attributes.

    Args:
        layer: an object with ``forward(*inputs)``, or a call, and ``backward(d_outputs)``, which returns a gradient per
            input.  ``backward(d_outputs, *inputs)`` works as well, and so does ``backward(d_outputs, learning_rate)``,
            which changes the parameters: gradients are then read from the step.  The layer itself is left as it is.
        inputs: tuple of arrays, as of :func:`.checker.check`.
        parameters: where each parameter has its gradient, such as ``{"W": "dW"}`` or
            ``{"layers[0].params['w']": "layers[0].grads['w']"}``; default: found under the usual names (``W`` and
            ``dW``, ``grad_W``, ``W_grad``; ``params`` and ``grads``; ``p.data`` and ``p.grad``).
        names: of the inputs; default those of forward's arguments.
        not_differentiable: names of inputs and parameters whose gradient is not checked.  A parameter that the output
            depends on and that has no gradient is wrong, unless it is named here.
        options: ``rtol``, ``atol``, ``seconds``, ``seed`` and others of :func:`.checker.check`.

    Returns:
        Report: the inputs, then the parameters, by where they are.

    Raises:
        InputError: the layer has no forward or backward, cannot be copied, has no parameter of such a name, or as of
            :func:`.checker.check`.
    """
    if not isinstance(inputs, (tuple, list)) or not inputs:
        raise InputError(f"inputs is {type(inputs).__name__}; give a tuple of at least one array: (x,)")
    user = _Layer(layer, tuple(inputs), parameters)
    called = [*names_of(user.forward_of(layer), inputs, names), *user.names]
    form = Form(user.forward, user.backward, (*inputs, *user.values), called, not_differentiable, cache=True)
    form.notes += user.notes
    if not user.steps:
        user.test_second_use(form)
    return judge(form, **options)


class _Layer:
    """A layer as a pair of functions of its inputs and parameters.

    Attributes:
        names, values: of the parameters.
        gradients: where each has its gradient; None: nowhere.
        steps: backward takes a learning rate.
        notes: for the reader of the report.
    """

    def __init__(self, layer: Any, inputs: tuple[Any, ...], named: Mapping[str, str] | None) -> None:
        for what in ("forward", "backward"):
            if not callable(getattr(layer, what, None)) and not (what == "forward" and callable(layer)):
                raise InputError(
                    f"a layer of type {type(layer).__name__} has no {what}; give functions to check instead"
                )
        self._takes = required_arguments(layer.backward) or []
        self.steps = len(self._takes) == 2 and self._takes[1] in RATES
        self._inputs, self._one = inputs, False
        self.layer = self._copy(layer, {})
        self.notes: list[str] = []
        self._where: list[list[Path]] = []
        self.names: list[str] = []
        self.values: list[Any] = []
        self.gradients: list[Path | None] = []
        for places, gradient in self._named(named) if named is not None else self._found():
            self._where.append(places)
            self.names.append(written(places[0]))
            self.values.append(get(self.layer, places[0]))
            self.gradients.append(gradient)
        pairs = [(n, written(g)) for n, g in zip(self.names, self.gradients, strict=True) if g is not None]
        if pairs and not self.steps:
            self.notes.append("gradients of the layer: " + ", ".join(f"{n} in {g}" for n, g in pairs))
        for gradient in self.gradients:
            if gradient is not None and isinstance(get(self.layer, gradient), np.ndarray):
                get(self.layer, gradient)[...] = 0  # a layer may add to what is there

    # --- as functions

    def forward(self, *values: Any) -> tuple[Any, Any]:
        """Outputs for inputs and parameters, and the layer that gave them."""
        count = len(self._inputs)
        used = self._with(values[count:])
        return self.forward_of(used)(*values[:count]), (used, values)

    def backward(self, d: Any, kept: Any) -> tuple[Any, ...]:
        """Gradients of inputs and parameters."""
        used, values = kept
        count = len(self._inputs)
        inputs = self._call_backward(used, d, values[:count])
        if self.steps:
            after = [get(used, places[0]) for places in self._where]
            steps = [(before - now) / RATE for before, now in zip(values[count:], after, strict=True)]
            return (*inputs, *steps)
        return (*inputs, *(None if path is None else get(used, path) for path in self.gradients))

    @staticmethod
    def forward_of(layer: Any) -> Callable[..., Any]:
        """Its method forward, or itself."""
        found: Callable[..., Any] = layer.forward if callable(getattr(layer, "forward", None)) else layer
        return found

    def _call_backward(self, layer: Any, d: Any, inputs: Sequence[Any]) -> tuple[Any, ...]:
        arguments = [d]
        if self.steps:
            arguments = [d, RATE]
        elif is_sequence(d) and len(d) > 1 and len(self._takes) == len(d):
            arguments = list(d)
        elif len(self._takes) == 1 + len(inputs):
            arguments = [d, *inputs]
        answer = layer.backward(*arguments)
        if len(inputs) == 1 and not holds_gradient(answer, inputs[0]):
            answer = (answer,)
        if answer is None:  # nothing to give for indices
            answer = (None,) * len(inputs)
        if not is_sequence(answer) or len(answer) != len(inputs):
            count = len(answer) if is_sequence(answer) else f"one {type(answer).__name__}"
            raise InputError(f"the layer's backward returns {count} for {len(inputs)} inputs; it must return one each")
        return tuple(answer)

    def _copy(self, layer: Any, replaced: dict[int, Any]) -> Any:
        """A copy in which arrays, by their ids, are replaced by others."""
        try:
            return copy.deepcopy(layer, replaced)
        except Exception as error:
            raise InputError(
                f"a layer of type {type(layer).__name__} cannot be copied ({' '.join(str(error).split())}); give "
                f"functions to check instead"
            ) from None

    def _with(self, values: Sequence[Any]) -> Any:
        """The layer, new, with other parameters."""
        # What backward steps on must not be the array that it is compared with.
        values = [np.copy(v) if self.steps and isinstance(v, np.ndarray) else v for v in values]
        used = self._copy(self.layer, {id(own): value for own, value in zip(self.values, values, strict=True)})
        for places, value in zip(self._where, values, strict=True):
            if not isinstance(value, np.ndarray):
                for path in places:
                    get(used, path, value)
        return used

    # --- parameters

    def _named(self, named: Mapping[str, str]) -> Iterator[tuple[list[Path], Path | None]]:
        """The parameters that the caller names."""
        for name, gradient in named.items():
            path = read(name)
            value = get(self.layer, path)
            if not isinstance(value, float) and not (isinstance(value, np.ndarray) and value.dtype.kind in "fc"):
                raise InputError(f"parameters has {name!r}; the layer has no floating array there")
            yield [path], read(gradient)

    def _found(self) -> Iterator[tuple[list[Path], Path | None]]:
        """The arrays of the layer that are its parameters."""
        found = paths(self.layer)
        used, after_forward = self._probed()
        state = [places for places in found if not _same(get(after_forward, places[0]), get(self.layer, places[0]))]
        rest = [places for places in found if places not in state]
        beside_them = [(places, [beside(used, path) for path in places]) for places in rest]
        pairs = [(places, next((g for g in gradients if g is not None), None)) for places, gradients in beside_them]
        taken = [gradient for _, gradient in pairs if gradient is not None]
        for places, gradient in pairs:
            value = get(self.layer, places[0])
            changed = not _same(get(used, places[0]), value)
            if any(path in taken for path in places) or (changed and not self.steps):
                continue
            if gradient is not None or (self.steps and changed):
                yield places, gradient
            elif isinstance(value, np.ndarray) and self._depends_on(value):
                name = written(places[0])
                self.notes.append(f"no gradient of {name} was found: say where, as parameters={{{name!r}: 'd{name}'}}")
                yield places, None

    def _probed(self) -> tuple[Any, Any]:
        """Two copies of the layer: after forward and backward, and after forward alone."""
        used = self._copy(self.layer, {})
        outputs = _answer("forward", self.forward_of(used), *copy.deepcopy(self._inputs))
        after_forward = self._copy(used, {})
        tree = _tree_of(outputs)
        ones = tree.filled(tree.leaves_of([np.ones_like(array) for array in tree.arrays]))[0]
        try:
            self._call_backward(used, ones, self._inputs)
        except Exception:
            used = self._copy(after_forward, {})
            single = is_sequence(ones) and len(ones) == 1
            _answer("backward", self._call_backward, used, ones[0] if single else (ones,), self._inputs)
        return used, after_forward

    def _depends_on(self, array: Any) -> bool:
        """Whether forward's outputs change with an array of the layer."""
        answers = []
        for salt in (0, 1):
            used = self._copy(self.layer, {id(array): nudged([array], tol.DISTURBANCE * salt, salt)[0] + salt * 1e-3})
            answers.append(_answer("forward", self.forward_of(used), *copy.deepcopy(self._inputs)))
        one, other = (_tree_of(each).arrays for each in answers)
        return not all(map(_same, one, other))

    def test_second_use(self, form: Form) -> None:
        """A layer that was used before must give the gradients that a new one gives; ``form`` notes what was found."""
        with np.errstate(all="ignore"):
            try:
                rng = np.random.default_rng(0)
                used = self._with(self.values)
                for change in (True, False):
                    at = nudged_inputs(self._inputs, form) if change else copy.deepcopy(self._inputs)
                    for gradient in self.gradients:
                        if gradient is not None and isinstance(get(used, gradient), np.ndarray):
                            get(used, gradient)[...] = 0
                    outputs = self.forward_of(used)(*at)
                    tree = _tree_of(outputs)
                    d = tree.filled(tree.leaves_of([rng.standard_normal(a.shape).astype(a.dtype) for a in tree.arrays]))
                    again = self.backward(d[0], (used, (*at, *self.values)))
                new_outputs, kept = self.forward(*copy.deepcopy(self._inputs), *self.values)
                new = self.backward(d[0], kept)
            except Exception:  # what the functions raise is told by the check itself
                return
        if not all(map(_same, _tree_of(new_outputs).arrays, tree.arrays)):
            form.notes.append("forward depends on earlier calls; each call here starts from the layer as it was given")
            return
        for name, one, other in zip(form.names_of_inputs, again, new, strict=True):
            if one is not None and not _same(one, other):
                form.problems.append(
                    f"gradient of {name} depends on earlier calls: something is kept, or not set to zero"
                )


def nudged_inputs(inputs: tuple[Any, ...], form: Form) -> tuple[Any, ...]:
    """Other values in the same form."""
    tree = Tree(inputs, form.names_of_inputs[: len(inputs)], "input")
    return tuple(tree.filled(tree.leaves_of(nudged(tree.arrays, tol.DISTURBANCE, 7))))


def _tree_of(outputs: Any) -> Tree:
    """Forward's outputs as one part of a tree."""
    return Tree((outputs,), ["0"], "forward's output")


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return same_bits(one, other)
    if type(one) is not type(other):
        return False
    return bool(np.all(one == other))


def _answer(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        with np.errstate(all="ignore"):
            return function(*arguments)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"the layer's {name} raises {type(error).__name__}: {' '.join(str(error).split())}") from error
