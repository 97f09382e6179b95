"""``check_jvp``: forward mode, products of the Jacobian with directions, against differences and against backward.

A JVP is judged as a backward pass is: for an incoming gradient ``d`` the gradient of one element is ``<d, J e>``, where
the JVP says what ``J e`` is.  That is a call per element, so large inputs are moved along random directions instead: as
a function of ``t``, ``F(x + sum of t_k v_k)`` has the gradient ``<d, J v_k>``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from . import tolerances as tol
from .checker import judge
from .forms import Form, call, required_arguments
from .functions import quiet
from .point import size_of
from .report import Report

ELEMENTS = 256
"""Up to so many elements, of all inputs together, are moved one by one."""
DIRECTIONS = 12
"""Random directions in which larger inputs are moved: all of them together, and each alone, by turns."""


# Many arguments: by position there are three.
def check_jvp(
    forward: Callable[..., Any],
    jvp: Callable[..., Any],
    inputs: Sequence[Any],
    *,
    backward: Callable[..., Any] | None = None,
    names: Sequence[Any] | None = None,
    not_differentiable: Sequence[Any] = (),
    **options: Any,
) -> Report:
    """Check that ``jvp`` gives the slopes of ``forward`` along directions; with ``backward``, that both say the same.

    A Hessian-vector product is the JVP of a gradient: ``check_jvp(gradient, hvp, (x,), backward=hvp)`` asks, too,
    whether it is symmetric.

    Args:
        forward: ``forward(*inputs)`` gives outputs, as of :func:`.checker.check`.
        jvp: ``jvp(tangents, *inputs)`` gives the outputs' tangents, in the form of the outputs.  ``tangents`` has a
            tangent per input, None for what is not floating; it is the tangent itself where there is one input.
        inputs: tuple of arrays, as of :func:`.checker.check`.
        backward: the reverse mode, as of :func:`.checker.check`: <d, jvp(v)> and <backward(d), v> must be equal for
            random d and v.  Default None: not compared.
        names: of the inputs; default those of forward's arguments.
        not_differentiable: names or positions of inputs along which nothing is moved.
        options: ``rtol``, ``atol``, ``seconds``, ``seed`` and others of :func:`.checker.check`.

    Returns:
        Report: up to ELEMENTS elements its findings name the one along which jvp is wrong; beyond, a random direction.

    Raises:
        InputError: a function raises, tangents do not have the form of the outputs, or as of :func:`.checker.check`.
    """
    form = _ForwardMode(forward, jvp, inputs, names, not_differentiable, backward, options.get("seed", 0))
    with quiet():
        problems = form.broken_rules(options.get("rtol"))
    if form.elements > ELEMENTS:
        t = np.zeros(DIRECTIONS, min((form.arrays[k].dtype for k in form.moved), key=lambda kind: kind.itemsize))
        form.directions = [form.direction(number) for number in range(DIRECTIONS)]
        judged = Form(form.forward_along, form.backward_along, (t,), ["direction"])
    else:
        judged = form
    judged.problems += problems
    return judge(judged, **options)


class _ForwardMode(Form):
    """A function and its JVP, as a function and the backward pass that the JVP makes.

    Attributes:
        moved: positions of the arrays that have tangents.
        elements: their number of elements.
        directions: along which all arrays are moved, if not by elements.
    """

    # Many arguments: those of check_jvp.
    def __init__(self, forward, jvp, inputs, names, not_differentiable, backward, seed):
        super().__init__(forward, backward or (lambda d, *at, **by_name: None), inputs, names, not_differentiable)
        if not callable(jvp):
            raise InputError(f"jvp is {type(jvp).__name__}; it must be a function")
        self._jvp, self._has_reverse, self._rng = jvp, backward is not None, np.random.default_rng(seed)
        self._of_jvp, self._alone = required_arguments(jvp), None
        floating = [k for k, array in enumerate(self.arrays) if array.dtype.kind == "f"]
        self.moved = [k for k in floating if k not in self.constant]
        self.elements = sum(self.arrays[k].size for k in self.moved)
        self.directions: list[list[AnyArray]] = []

    def backward(self, d_outputs: Sequence[AnyArray], *arrays: AnyArray) -> list[AnyArray | None]:
        """Gradients by a call of the JVP per element."""
        gradients: list[AnyArray | None] = [None] * len(arrays)
        for k in self.moved:
            gradient = np.zeros(arrays[k].shape, arrays[k].dtype)
            for place in np.ndindex(gradient.shape):
                v = [np.zeros(each.shape, each.dtype) for each in arrays]
                v[k][place] = 1
                gradient[place] = _product(d_outputs, self.tangents(v, arrays))
            gradients[k] = gradient
        return gradients

    def tangents(self, v: Sequence[AnyArray], arrays: Sequence[AnyArray]) -> list[AnyArray]:
        """Tangents of the outputs' arrays, for tangents ``v`` of the inputs' arrays."""
        given = self._inputs.leaves_of([each.copy() for each in v])
        floats = [leaf.arrays and leaf.arrays[0].dtype.kind == "f" for leaf in self._inputs.leaves]
        given = [each if floating else None for each, floating in zip(given, floats, strict=True)]
        filled = self._inputs.filled(given)
        each = list(filled.values()) if self._by_name else list(filled)
        at = self._arguments(self._inputs.leaves_of(arrays))
        if self._of_jvp is not None and len(self._of_jvp) == 2 * len(each) > 2:
            return self._of_outputs(call("jvp", self._jvp, [*each, *at[0]], at[1]))
        if self._alone is None and len(each) == 1:
            self._alone = True
            try:
                return self._of_outputs(call("jvp", self._jvp, [each[0], *at[0]], at[1]))
            except InputError:
                try:
                    answer = self._of_outputs(call("jvp", self._jvp, [filled, *at[0]], at[1]))
                    self._alone = False
                    return answer
                except InputError:  # of the two errors the first is told
                    pass
                raise
        return self._of_outputs(call("jvp", self._jvp, [each[0] if self._alone else filled, *at[0]], at[1]))

    def _of_outputs(self, answer: Any) -> list[AnyArray]:
        outputs = self._outputs
        assert outputs is not None
        parts = [answer] if outputs.is_whole else answer
        if isinstance(parts, dict) and isinstance(outputs.template, dict):
            parts = [parts.get(key) for key in outputs.template]
        count = 1 if outputs.is_whole else len(outputs.template)
        if not isinstance(parts, (list, tuple)) or len(parts) != count:
            raise InputError(
                f"jvp returns one {type(answer).__name__} for {count} outputs; it must return a tangent each"
            )
        tangents = []
        for found, output in zip(outputs.parts(parts, "jvp's tangent of output"), outputs.arrays, strict=True):
            if output.dtype.kind != "f":
                tangents.append(np.zeros(output.shape))
            elif found is None or found.shape != output.shape:
                shape = "None" if found is None else f"a tangent of shape {found.shape}"
                raise InputError(f"jvp returns {shape} for an output of shape {output.shape}")
            else:
                tangents.append(found)
        return tangents

    # --- along directions

    def direction(self, number: int) -> list[AnyArray]:
        """A random direction: of all arrays for even numbers, of one of them for odd ones."""
        alone = self.moved[number // 2 % len(self.moved)] if number % 2 else None
        v = []
        for k, array in enumerate(self.arrays):
            moves = k in self.moved and alone in (None, k)
            v.append(np.asarray(self._rng.standard_normal(array.shape) * size_of(array) * moves).astype(array.dtype))
        return v

    def forward_along(self, t: AnyArray) -> tuple[AnyArray, ...]:
        """Outputs where the arrays are moved along the directions by ``t``."""
        return self.forward(*self._at(t))

    def backward_along(self, d: Any, t: AnyArray) -> AnyArray:
        """The gradient of ``t``."""
        at = self._at(t)
        slopes = [_product(d, self.tangents(v, [each.copy() for each in at])) for v in self.directions]
        return np.array(slopes, t.dtype)

    def _at(self, t: AnyArray) -> list[AnyArray]:
        at = list(self.arrays)
        for k in self.moved:
            step = sum(one * v[k].astype(one.dtype) for one, v in zip(t, self.directions, strict=True))
            at[k] = at[k].astype(t.dtype) + step
        return at

    # --- rules

    def broken_rules(self, rtol: float | None) -> list[str]:
        """Linear in the tangents, and the same as reverse mode; in words where not."""
        at, problems = [array.copy() for array in self.arrays], []
        self.forward(*at)
        v, w = self.direction(0), self.direction(0)
        of_v, of_w = (self.tangents(each, self.arrays) for each in (v, w))
        of_both = self.tangents([a + 2 * b for a, b in zip(v, w, strict=True)], self.arrays)
        kinds = [each.dtype for each in [*of_v, *(self.arrays[k] for k in self.moved)] if each.dtype.kind == "f"]
        eps = max(float(np.finfo(kind).eps) for kind in kinds)
        rtol = rtol or (tol.FLOAT64_RTOL if eps <= tol.DOUBLE else eps * tol.GRADIENT_ULPS)
        for one, other, both in zip(of_v, of_w, of_both, strict=True):
            size = np.abs(one).max(initial=0) + 2 * np.abs(other).max(initial=0)
            if not (np.abs(both - one - 2 * other) <= rtol * size).all():
                problems.append("jvp is not linear: of v + 2 w it is not jvp(v) + 2 jvp(w)")
                break
        if self._has_reverse:
            d = [np.asarray(self._rng.standard_normal(each.shape)).astype(each.dtype) for each in of_v]
            gradients = super().backward([each.copy() for each in d], *at)
            there = [(g, v[k]) for k, g in enumerate(gradients) if g is not None and k in self.moved]
            pairs = [list(zip(d, of_v, strict=True)), there]
            ours, theirs = (sum(_product([a], [b]) for a, b in each) for each in pairs)
            terms = sum(float(np.abs(np.multiply(a, b, dtype=np.float64)).sum()) for each in pairs for a, b in each)
            if not abs(ours - theirs) <= rtol * terms:
                words = f"<d, jvp(v)> = {ours:.9g}, <backward(d), v> = {theirs:.9g} for random d and v"
                problems.append(f"jvp and backward disagree: {words}")
        return problems


def _product(d: Sequence[AnyArray], tangents: Sequence[AnyArray]) -> float:
    return float(sum(np.multiply(a, b, dtype=np.float64).sum() for a, b in zip(d, tangents, strict=True)))
