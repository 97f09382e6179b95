"""The layers of the strict pyramid: their shapes, their parameters, and which kernels they call.

A layer knows its sizes when it is made.  ``forward`` returns its output and what ``backward`` will need; ``backward``
takes the gradient of the output and returns the gradient of the input and those of the layer's parameters.  The kernels
come from one edition, so the same layers run on any of them.
"""

from collections.abc import Iterable, Mapping
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kernels.arrays import FloatArray
from kernels.contracts import whole

from .errors import InputError


def window_count(length: int, field: int, stride: int = 1) -> int:
    """How many windows fit into ``length`` without padding: ``ceil((length - field + 1) / stride)``.

    Raises:
        InputError: ``field`` or ``stride`` is no whole number of at least 1.
    """
    for name, value in (("field", field), ("stride", stride)):
        if not whole(value) or value < 1:
            raise InputError(f"{name} is {value!r}; it must be a whole number of at least 1")
    return -(-(length - field + 1) // stride)


def glorot_limit(shape: tuple[int, ...]) -> float:
    """Half-width of the uniform draw that a parameter of ``shape`` starts from, weights and biases alike.

    ``sqrt(3 / ((fan_in + fan_out) / 2))`` with ``fan_in = shape[-2] * prod(shape[:-2])`` and
    ``fan_out = shape[-1] * prod(shape[:-2])``; for one axis both are its length.  Source: the original's
    ``variance_scaling_initializer(factor=1, mode="FAN_AVG", uniform=True)``.

    Raises:
        InputError: there is no axis, or one without length.
    """
    if not shape or min(shape) < 1:
        raise InputError(f"shape is {shape!r}; a parameter has axes of at least 1")
    window = prod(shape[:-2])
    fan_in, fan_out = window * shape[-2 if len(shape) > 1 else -1], window * shape[-1]
    return float((3 / ((fan_in + fan_out) / 2)) ** 0.5)


class Layer:
    """One step of the network, without parameters unless a subclass names some.

    Args:
        name: the original's name, the first part of its parameters' names.
        kernels: edition that computes it.
        input_shape, output_shape: one sample's, ``(d, h, w, c)``; ``(k,)`` at the end.
        parameter_shapes: the shape of each of its parameters, by the last part of its name.

    Attributes:
        name, kernels, input_shape, output_shape: as given.
        parameter_shapes: full parameter name to shape, in order.
    """

    def __init__(
        self,
        name: str,
        kernels: ModuleType,
        input_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
        **parameter_shapes: tuple[int, ...],
    ) -> None:
        self.name = name
        self.kernels = kernels
        self.input_shape = tuple(input_shape)
        self.output_shape = tuple(output_shape)
        self.parameter_shapes = {f"{name}/{part}": shape for part, shape in parameter_shapes.items()}

    def forward(self, x: FloatArray, parameters: Mapping[str, FloatArray]) -> tuple[FloatArray, Any]:
        """The output ``(n, *output_shape)`` of ``x (n, *input_shape)``, and what :meth:`backward` needs of it."""
        raise NotImplementedError

    def backward(
        self, dy: FloatArray, saved: Any, parameters: Mapping[str, FloatArray], input_gradient: bool = True
    ) -> tuple[FloatArray | None, dict[str, FloatArray]]:
        """Gradients by the input and by the parameters.

        Args:
            dy: gradient by the output, array of shape ``(n, *output_shape)``.
            saved: what :meth:`forward` returned beside the output.
            parameters: all of the network's, by name.
            input_gradient: False lets a layer leave out the first gradient where that saves work; default True.

        Returns:
            ``dx, gradients``: an array of shape ``(n, *input_shape)``, or None where it was left out, and the
            gradients by this layer's parameters, by name.
        """
        raise NotImplementedError

    def own(self, parameters: Mapping[str, FloatArray]) -> list[FloatArray]:
        """This layer's arrays out of the network's ``parameters``, in order."""
        return [parameters[name] for name in self.parameter_shapes]

    def name_gradients(self, *gradients: FloatArray) -> dict[str, FloatArray]:
        """The gradients by this layer's parameters, given in order, by the parameters' names."""
        return dict(zip(self.parameter_shapes, gradients, strict=True))


class WeightedSum(Layer):
    """Weighted sum 3D and leaky ReLU (``L1WS``, ``L5WS``).

    Args:
        maps: feature maps of the output.
        receptive_field: ``(rd, rh, rw)``, the window.
        strides: ``(sd, sh, sw)``, the steps between windows.
    """

    def __init__(
        self,
        name: str,
        kernels: ModuleType,
        input_shape: tuple[int, ...],
        maps: int,
        receptive_field: tuple[int, ...],
        strides: tuple[int, ...],
    ) -> None:
        d, h, w, c = input_shape
        sizes = zip((d, h, w), receptive_field, strides, strict=True)
        output_shape = *(window_count(*size) for size in sizes), maps
        weights = (receptive_field[0], h, w, c, maps)
        super().__init__(name, kernels, input_shape, output_shape, weights=weights, bias=output_shape)
        self.receptive_field = receptive_field
        self.strides = strides

    def forward(self, x: FloatArray, parameters: Mapping[str, FloatArray]) -> tuple[FloatArray, Any]:
        weights, bias = self.own(parameters)
        z = self.kernels.weighted_sum(x, weights, bias, self.receptive_field, self.strides)
        return self.kernels.leaky_relu(z), (x, z)

    def backward(
        self, dy: FloatArray, saved: Any, parameters: Mapping[str, FloatArray], input_gradient: bool = True
    ) -> tuple[FloatArray | None, dict[str, FloatArray]]:
        x, z = saved
        weights, _ = self.own(parameters)
        dz = self.kernels.leaky_relu_backward(dy, z)
        dx, dweights, dbias = self.kernels.weighted_sum_backward(
            dz, x, weights, self.receptive_field, self.strides, input_gradient
        )
        return dx, self.name_gradients(dweights, dbias)


class Normalization(Layer):
    """Brings every map of every frame to mean 0 and variance 1 (``NORM_*``)."""

    def __init__(self, name: str, kernels: ModuleType, input_shape: tuple[int, ...]) -> None:
        super().__init__(name, kernels, input_shape, input_shape)

    def forward(self, x: FloatArray, parameters: Mapping[str, FloatArray]) -> tuple[FloatArray, Any]:
        return self.kernels.standardize(x), x

    def backward(
        self, dy: FloatArray, saved: Any, parameters: Mapping[str, FloatArray], input_gradient: bool = True
    ) -> tuple[FloatArray | None, dict[str, FloatArray]]:
        return self.kernels.standardize_backward(dy, saved), {}


class Pool(Layer):
    """Pooling in space, pooling over frames, scale and shift, leaky ReLU (``L3P``).

    Args:
        pool: ``(rd, ph, pw)``: windows of ``rd`` consecutive frames, which overlap, and blocks of ``ph x pw``
            positions, which lie side by side.
        kind: "max", or its twin "average".
    """

    def __init__(
        self, name: str, kernels: ModuleType, input_shape: tuple[int, ...], pool: tuple[int, ...], kind: str
    ) -> None:
        d, h, w, c = input_shape
        output_shape = window_count(d, pool[0]), h // pool[1], w // pool[2], c
        weights = (1, *output_shape[1:])
        bias = (output_shape[0], 1, 1, c)
        super().__init__(name, kernels, input_shape, output_shape, weights=weights, bias=bias)
        self.size = pool
        self.frames, self.block = pool[0], pool[1:]
        self.space = getattr(kernels, f"{kind}_pool_space")
        self.space_backward = getattr(kernels, f"{kind}_pool_space_backward")
        self.time = getattr(kernels, f"{kind}_pool_frames")
        self.time_backward = getattr(kernels, f"{kind}_pool_frames_backward")

    def forward(self, x: FloatArray, parameters: Mapping[str, FloatArray]) -> tuple[FloatArray, Any]:
        in_space = self.space(x, self.block)
        m = self.time(in_space, self.frames)
        z = self.kernels.scale_shift(m, *self.own(parameters))
        return self.kernels.leaky_relu(z), (x, in_space, m, z)

    def backward(
        self, dy: FloatArray, saved: Any, parameters: Mapping[str, FloatArray], input_gradient: bool = True
    ) -> tuple[FloatArray | None, dict[str, FloatArray]]:
        x, in_space, m, z = saved
        weights, _ = self.own(parameters)
        dz = self.kernels.leaky_relu_backward(dy, z)
        dm, dweights, dbias = self.kernels.scale_shift_backward(dz, m, weights)
        din_space = self.time_backward(dm, in_space, self.frames)
        return self.space_backward(din_space, x, self.block), self.name_gradients(dweights, dbias)


class Dense(Layer):
    """The fully connected end (``FC_OUT``): features flattened in ``(d, h, w, f)`` order, one logit per class."""

    def __init__(self, name: str, kernels: ModuleType, input_shape: tuple[int, ...], classes: int) -> None:
        super().__init__(name, kernels, input_shape, (classes,), weights=(prod(input_shape), classes), bias=(classes,))

    def forward(self, x: FloatArray, parameters: Mapping[str, FloatArray]) -> tuple[FloatArray, Any]:
        a = x.reshape(len(x), -1)
        return self.kernels.dense(a, *self.own(parameters)), a

    def backward(
        self, dy: FloatArray, saved: Any, parameters: Mapping[str, FloatArray], input_gradient: bool = True
    ) -> tuple[FloatArray | None, dict[str, FloatArray]]:
        weights, _ = self.own(parameters)
        da, dweights, dbias = self.kernels.dense_backward(dy, saved, weights)
        return da.reshape(-1, *self.input_shape), self.name_gradients(dweights, dbias)


def initial_parameters(layers: Iterable[Layer], dtype: DTypeLike, seed: int) -> dict[str, FloatArray]:
    """Draw every parameter of ``layers``, in order, from ``uniform(-limit, limit)`` with :func:`glorot_limit`.

    The draw is made in float64 and then cast: one seed gives the same values, rounded, in every dtype.
    """
    generator = np.random.default_rng(seed)
    return {
        name: generator.uniform(-glorot_limit(shape), glorot_limit(shape), shape).astype(dtype)
        for layer in layers
        for name, shape in layer.parameter_shapes.items()
    }
