"""``check_torch`` and ``check_jax``: functions of these packages, whose gradients are taken by the packages themselves.

What one writes by hand there (a torch.autograd.Function, a jax.custom_vjp) is judged as any pair of functions is.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from ..errors import InputError
from .checker import judge
from .forms import Form, names_of
from .report import Report
from .trees import rebuilt, walk

SMALL = 1 << 15
"""Numbers up to which PyTorch's threads wait for each other longer than they work."""


def check_torch(
    fn: Any,
    tensors: Sequence[Any],
    *,
    order: int = 1,
    names: Sequence[Any] | None = None,
    **options: Any,
) -> Report:
    """Check the gradients that PyTorch takes of ``fn``, such as ``MyFunction.apply`` or a module.

    Args:
        fn: ``fn(*tensors)`` gives a tensor, or a tree of tensors.  Of a torch.nn.Module the parameters are checked,
            too.  Its random numbers are the same at every call.
        tensors: tuple of tensors, or trees of them, of float64 best; those that require a gradient are checked, all
            floating ones if none does.  Anything else is handed through.  What ``fn`` does not use has a gradient of 0.
        order: 2 checks the gradients of the gradients, whether these are right or not: the backward pass is
            differentiated, for random incoming gradients.  Default 1.
        names: of the inputs; default those of fn's arguments.
        options: ``rtol``, ``atol``, ``seconds``, ``seed`` and others of :func:`.checker.check`.

    Returns:
        Report: of the tensors and a module's parameters by their names.

    Raises:
        InputError: PyTorch is not installed, no tensor is floating, one has numbers that NumPy lacks (bfloat16), no
            output requires a gradient, or as of :func:`.checker.check`.
    """
    torch = _imported("torch")
    _require_tuple(tensors, "tensors")
    user = _Torch(torch, fn, tensors, names_of(getattr(fn, "forward", fn), tuple(tensors), names))
    threads = torch.get_num_threads()
    try:
        if sum(array.size for array in user.arrays) <= SMALL:
            torch.set_num_threads(1)
        return _judged(user, order, options)
    finally:
        torch.set_num_threads(threads)


def check_jax(
    fn: Any,
    arrays: Sequence[Any],
    *,
    order: int = 1,
    names: Sequence[Any] | None = None,
    **options: Any,
) -> Report:
    """Check the gradients that JAX takes of ``fn``, such as one with a ``jax.custom_vjp``, by ``jax.vjp``.

    Args:
        fn: ``fn(*arrays)`` gives an array, or any pytree.
        arrays: tuple of arrays, floats, or pytrees of them, of float64 best: float64 is switched on for the check.
            What is not floating is handed through.
        order: 2 checks the gradients of the gradients, whether these are right or not: the backward pass is
            differentiated, for random incoming gradients.  Default 1.
        names: of the inputs; default those of fn's arguments.
        options: ``rtol``, ``atol``, ``seconds``, ``seed`` and others of :func:`.checker.check`.

    Returns:
        Report: of the arrays.  Complex gradients are shown in PyTorch's convention, the conjugate of JAX's.

    Raises:
        InputError: JAX is not installed, no array is floating, one has numbers that NumPy lacks (bfloat16), or as of
            :func:`.checker.check`.
    """
    jax = _imported("jax")
    _require_tuple(arrays, "arrays")
    with _float64(jax):
        return _judged(_Jax(jax, fn, arrays, names_of(fn, tuple(arrays), names)), order, options)


class _Torch:
    """``fn`` as a function of a row of tensors, and as a pair of functions of NumPy's arrays.

    Attributes:
        names, arrays: of the tensors that are differentiated.
        notes: for the reader of the report.
    """

    def __init__(self, torch: Any, fn: Any, tensors: Sequence[Any], names: Sequence[Any]) -> None:
        self.torch, self.fn, self.notes = torch, fn, list[str]()
        self.template = tuple(tensors)
        found = [leaf for name, part in zip(names, tensors, strict=True) for leaf in walk(part, name)]
        self.leaves = [leaf for _, leaf in found]
        module = fn if isinstance(fn, torch.nn.Module) else None
        self.parameters = dict(module.named_parameters()) if module else {}
        found += list(self.parameters.items())
        floating = [k for k, (_, leaf) in enumerate(found) if self._floating(leaf)]
        required = [k for k in floating if found[k][1].requires_grad]
        self.places = required if len(required) > len(self.parameters) else floating
        if not self.places:
            raise InputError("no tensor is floating; give at least one to be differentiated")
        self.given = [leaf for _, leaf in found]
        self.names = [found[k][0] for k in self.places]
        self.arrays = [self._to_numpy(found[k][0], found[k][1]) for k in self.places]

    def _floating(self, leaf: Any) -> bool:
        return isinstance(leaf, self.torch.Tensor) and bool(leaf.is_floating_point() or leaf.is_complex())

    def _to_numpy(self, name: Any, tensor: Any) -> Any:
        if tensor.layout != self.torch.strided:
            raise InputError(f"tensor {name} is {tensor.layout}; only dense tensors are checked: .to_dense()")
        try:
            return tensor.detach().resolve_conj().resolve_neg().cpu().numpy()
        except TypeError:
            raise InputError(f"tensor {name} has dtype {tensor.dtype}, which NumPy lacks; give .double()") from None

    def tensors(self, arrays: Sequence[Any]) -> list[Any]:
        """``arrays`` as tensors, each on the device of the one whose place it takes."""
        tensors = []
        for array, place in zip(arrays, self.places, strict=True):
            tensors.append(self._tensor(array).to(self.given[place].device).requires_grad_())
        return tensors

    def _tensor(self, array: Any) -> Any:
        negative = any(stride < 0 for stride in array.strides)  # which tensors do not have
        return self.torch.from_numpy(array.copy() if negative else np.asarray(array))

    def run(self, tensors: Sequence[Any]) -> tuple[list[Any], str]:
        """The outputs that require a gradient, and a word on others."""
        given = list(self.given)
        for place, tensor in zip(self.places, tensors, strict=True):
            given[place] = tensor
        arguments = rebuilt(self.template, iter(given[: len(self.leaves)]), top=True)
        with self.torch.enable_grad(), self.torch.random.fork_rng():
            self.torch.manual_seed(0)
            if self.parameters:
                state = dict(zip(self.parameters, given[len(self.leaves) :], strict=True))
                for name, buffer in self.fn.named_buffers():
                    floating = buffer.is_floating_point()
                    state[name] = buffer.detach().clone().to(tensors[0].dtype if floating else buffer.dtype)
                outputs = self.torch.func.functional_call(self.fn, state, arguments)
            else:
                outputs = self.fn(*arguments)
        found = [leaf for _, leaf in walk(outputs, "output")]
        kept = [leaf for leaf in found if isinstance(leaf, self.torch.Tensor) and leaf.requires_grad]
        if not kept:
            raise InputError(
                "no output of fn requires a gradient: something cuts the graph, such as detach(), item() or NumPy"
            )
        left = len(kept) < len(found)
        return kept, "outputs that require no gradient are not checked" if left else ""

    def numpy(self, outputs: Sequence[Any]) -> tuple[Any, ...]:
        """Outputs as arrays."""
        return tuple(self._to_numpy(f"output {k}", each) for k, each in enumerate(outputs))

    def pulled_back(self, outputs: Sequence[Any], tensors: Sequence[Any], d: Sequence[Any], graph: bool) -> list[Any]:
        """Gradients of ``tensors``; 0 where outputs do not depend on one."""
        gradients = self.torch.autograd.grad(
            list(outputs), list(tensors), list(d), create_graph=graph, allow_unused=True, materialize_grads=True
        )
        return list(gradients)

    def incoming(self, rng: np.random.Generator) -> list[Any]:
        """Random incoming gradients."""
        return [_random(rng, output) for output in self.numpy(self.run(self.tensors(self.arrays))[0])]

    def pair(self) -> tuple[Any, Any]:
        """Forward, which keeps the graph, and backward, which takes it."""

        def forward(*arrays):
            tensors = self.tensors(arrays)
            outputs, note = self.run(tensors)
            if note and note not in self.notes:
                self.notes.append(note)
            return self.numpy(outputs), (tensors, outputs)

        def backward(d, kept):
            tensors, outputs = kept
            d = [self._tensor(one).to(output.device) for one, output in zip(d, outputs, strict=True)]
            return self.numpy(self.pulled_back(outputs, tensors, d, graph=False))

        return forward, backward

    def of_gradients(self, count: int) -> tuple[Any, Any]:
        """The same for the gradients as functions of ``count`` arrays and the incoming gradients."""

        def forward(*arrays):
            tensors = self.tensors(arrays[:count])
            outputs, _ = self.run(tensors)
            pairs = zip(arrays[count:], outputs, strict=True)
            d = [self._tensor(one).to(output.device).requires_grad_() for one, output in pairs]
            gradients = self.pulled_back(outputs, tensors, d, graph=True)
            return self.numpy(gradients), ([*tensors, *d], gradients)

        def backward(dd, kept):
            tensors, gradients = kept
            pairs = [(self._tensor(e).to(g.device), g) for e, g in zip(dd, gradients, strict=True) if g.requires_grad]
            second = self.pulled_back([g for _, g in pairs], tensors, [e for e, _ in pairs], graph=False)
            return self.numpy(second)

        return forward, backward


class _Jax:
    """As :class:`_Torch`, for JAX."""

    def __init__(self, jax: Any, fn: Any, arrays: Sequence[Any], names: Sequence[Any]) -> None:
        self.jax, self.fn, self.notes = jax, fn, list[str]()
        found, self.tree = jax.tree_util.tree_flatten_with_path(tuple(arrays))
        self.given = [leaf for _, leaf in found]
        self.places = [k for k, leaf in enumerate(self.given) if self._floating(leaf)]
        if not self.places:
            raise InputError("no array is floating; give at least one to be differentiated")
        keys = [found[k][0] for k in self.places]
        rest = [jax.tree_util.keystr(path[1:]) for path in keys]
        self.names = [f"{names[p[0].idx]}{way}" if way else names[p[0].idx] for p, way in zip(keys, rest, strict=True)]
        self.arrays = [self._to_numpy(name, self.given[k]) for name, k in zip(self.names, self.places, strict=True)]

    def _floating(self, leaf: Any) -> bool:
        kind = getattr(leaf, "dtype", type(leaf))
        return isinstance(leaf, (float, complex, np.inexact, np.ndarray, self.jax.Array)) and bool(
            self.jax.numpy.issubdtype(kind, self.jax.numpy.inexact)
        )

    @staticmethod
    def _to_numpy(name: Any, array: Any) -> Any:
        array = np.asarray(array)
        if array.dtype.kind not in "fc":
            raise InputError(f"array {name} has dtype {array.dtype}, which NumPy lacks; give float64")
        return array

    def _run(self, *arrays: Any) -> list[Any]:
        """The floating outputs."""
        given = list(self.given)
        for place, array in zip(self.places, arrays, strict=True):
            given[place] = array
        outputs = self.jax.tree_util.tree_leaves(self.fn(*self.tree.unflatten(given)))
        return [output for output in outputs if self._floating(output)]

    def incoming(self, rng: np.random.Generator) -> list[Any]:
        """Random incoming gradients."""
        return [_random(rng, np.asarray(output)) for output in self._run(*map(self.jax.numpy.asarray, self.arrays))]

    def _pair(self, function: Any) -> tuple[Any, Any]:
        jnp = self.jax.numpy

        def forward(*arrays):
            outputs, pull_back = self.jax.vjp(function, *map(jnp.array, arrays))
            return tuple(map(np.asarray, outputs)), pull_back

        def backward(d, pull_back):
            # JAX's convention is the conjugate of PyTorch's, on both sides.
            return tuple(np.conj(g) for g in pull_back([jnp.array(np.conj(each)) for each in d]))

        return forward, backward

    def pair(self) -> tuple[Any, Any]:
        """Forward, which keeps the pull-back, and backward, which takes it."""
        return self._pair(self._run)

    def of_gradients(self, count: int) -> tuple[Any, Any]:
        """The same for the gradients as functions of ``count`` arrays and the incoming gradients."""

        def gradients(*arrays):
            return list(self.jax.vjp(self._run, *arrays[:count])[1](list(arrays[count:])))

        return self._pair(gradients)


def _judged(user: Any, order: int, options: dict[str, Any]) -> Report:
    if order not in (1, 2):
        raise InputError(f"order is {order}; it must be 1, gradients, or 2, gradients of gradients")
    constant = options.pop("not_differentiable", ())
    arrays, names = list(user.arrays), list(user.names)
    forward, backward = user.pair()
    if order == 2:
        d = user.incoming(np.random.default_rng(options.get("seed", 0)))
        forward, backward = user.of_gradients(len(arrays))
        arrays, names = [*arrays, *d], [*names, *(f"d_output {k}" for k in range(len(d)))]
    form = Form(forward, backward, tuple(arrays), names, constant, cache=True)
    options.setdefault("complex_step", False)  # other packages are not asked for the unusual
    user.notes = form.notes
    return judge(form, **options)


def _random(rng: np.random.Generator, like: Any) -> Any:
    values = rng.standard_normal(like.shape)
    if like.dtype.kind == "c":
        values = values + 1j * rng.standard_normal(like.shape)
    return np.asarray(values, like.dtype)


def _require_tuple(inputs: Any, name: str) -> None:
    if not isinstance(inputs, (tuple, list)) or not inputs:
        raise InputError(f"{name} is {type(inputs).__name__}; give a tuple of at least one: (x,)")


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise InputError(f"check_{name} needs the package {name}, which is not installed: pip install {name}") from None


@contextmanager
def _float64(jax: Any) -> Iterator[None]:
    """JAX with float64, for a while."""
    switch = jax.enable_x64 if hasattr(jax, "enable_x64") else import_module("jax.experimental").enable_x64
    with switch(True):
        yield
