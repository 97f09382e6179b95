"""The shipped network as a pair of functions: its loss, and the gradients of its training pass."""

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numba
import numpy as np

from kernels.arrays import FloatArray

from ..network import EmoP3D
from .checker import check
from .report import Report

SMALL = 1 << 15
"""Numbers in the clips, up to which threads wait for each other longer than they work."""


def check_network(
    backend: str = "cpu",
    batch_size: int = 2,
    dtype: str = "float64",
    weight_decay: float = 0.0,
    seconds: float | None = 40.0,
    seed: int = 0,
    **settings: Any,
) -> Report:
    """Check every gradient of :class:`EmoP3D`: of all parameters and of the clips.

    Args:
        backend, dtype, seed: as of EmoP3D.
        batch_size: clips, default 2.
        weight_decay: as of ``loss_and_gradients``, default 0.
        seconds: time budget, default 40; None: every element.
        **settings: others of EmoP3D (``input_shape``, ``feature_maps`` ...); ``progress`` is handed to ``check``.

    Returns:
        Report with the parameters' names, and "input" for the clips.
    """
    progress = settings.pop("progress", None)
    forward, backward, inputs, names = network_pair(backend, batch_size, dtype, weight_decay, seed, **settings)
    backward(np.float64(1), *inputs)  # compiles the kernels, outside of the time budget
    forward(*inputs)
    with _threads(1 if inputs[0].size <= SMALL else numba.get_num_threads()):
        return check(
            forward, backward, inputs, names=names, seconds=seconds, seed=seed, complex_step=False, progress=progress
        )


@contextmanager
def _threads(count):
    """So many threads for the kernels, for a while; they give the same bits with any number."""
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


def network_pair(
    backend: str, batch_size: int, dtype: str, weight_decay: float, seed: int, **settings: Any
) -> tuple[Callable[..., Any], Callable[..., Any], tuple[FloatArray, ...], list[str]]:
    """``forward, backward, inputs, names`` for ``check``: the loss as a function of the clips and all parameters."""
    # A float32 network is moved in float64: the same layers, two widths.
    nets = {name: EmoP3D(dtype=name, backend=backend, seed=seed, **settings) for name in {str(dtype), "float64"}}
    net = nets[str(dtype)]
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch_size, *net.input_shape)).astype(dtype)
    labels = rng.integers(0, net.num_classes, batch_size)

    def at(x, parameters):
        chosen = nets[x.dtype.name]
        for own, given in zip(chosen.parameters.values(), parameters, strict=True):
            own[...] = given
        return chosen

    def forward(x, *parameters):
        chosen = at(x, parameters)
        return np.asarray(chosen.loss(chosen.forward(x), labels, weight_decay), x.dtype)

    def backward(d_loss, x, *parameters):
        chosen = at(x, parameters)
        # The parameters' gradients as training takes them; the clips' is made layer by layer.
        _, gradients = chosen.loss_and_gradients(x, labels, weight_decay)
        _, layered = chosen.loss_and_gradients(x, labels, weight_decay, input_gradient=True)
        return d_loss * layered["input"], *(d_loss * gradients[name] for name in chosen.parameters)

    inputs = (x, *(values.copy() for values in net.parameters.values()))
    return forward, backward, inputs, ["input", *net.parameters]
