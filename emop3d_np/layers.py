"""The layers of the strict pyramid: their shapes, their parameters, and which kernels they call.

A layer knows its sizes when it is made.  ``forward`` returns its output and what ``backward`` will need; ``backward``
takes the gradient of the output and returns the gradient of the input and those of the layer's parameters.  The kernels
come from one edition, so the same layers run on any of them.
"""

from math import prod

import numpy as np


def window_count(length, field, stride=1):
    """How many windows fit into ``length`` without padding: ``ceil((length - field + 1) / stride)``."""
    return -(-(length - field + 1) // stride)


def glorot_limit(shape):
    """Half-width of the uniform draw that a parameter of ``shape`` starts from, weights and biases alike.

    ``sqrt(3 / ((fan_in + fan_out) / 2))`` with ``fan_in = shape[-2] * prod(shape[:-2])`` and
    ``fan_out = shape[-1] * prod(shape[:-2])``; for one axis both are its length.  Source: the original's
    ``variance_scaling_initializer(factor=1, mode="FAN_AVG", uniform=True)``.
    """
    window = prod(shape[:-2])
    fan_in, fan_out = window * shape[-2 if len(shape) > 1 else -1], window * shape[-1]
    return (3 / ((fan_in + fan_out) / 2)) ** 0.5


class Layer:
    """One step of the network, without parameters unless a subclass names some.

    Attributes:
        name: the original's name, the first part of its parameters' names.
        input_shape, output_shape: one sample's, ``(d, h, w, c)``.
        parameter_shapes: full parameter name to shape, in order.
    """

    def __init__(self, name, kernels, input_shape, output_shape, **parameter_shapes):
        self.name = name
        self.kernels = kernels
        self.input_shape = tuple(input_shape)
        self.output_shape = tuple(output_shape)
        self.parameter_shapes = {f"{name}/{part}": shape for part, shape in parameter_shapes.items()}

    def own(self, parameters):
        """This layer's arrays out of the network's ``parameters``, in order."""
        return [parameters[name] for name in self.parameter_shapes]

    def name_gradients(self, *gradients):
        """The opposite of :meth:`own`."""
        return dict(zip(self.parameter_shapes, gradients, strict=True))


class WeightedSum(Layer):
    """Weighted sum 3D and leaky ReLU (``L1WS``, ``L5WS``)."""

    def __init__(self, name, kernels, input_shape, maps, receptive_field, strides):
        d, h, w, c = input_shape
        sizes = zip((d, h, w), receptive_field, strides, strict=True)
        output_shape = *(window_count(*size) for size in sizes), maps
        weights = (receptive_field[0], h, w, c, maps)
        super().__init__(name, kernels, input_shape, output_shape, weights=weights, bias=output_shape)
        self.receptive_field = receptive_field
        self.strides = strides

    def forward(self, x, parameters):
        weights, bias = self.own(parameters)
        z = self.kernels.weighted_sum(x, weights, bias, self.receptive_field, self.strides)
        return self.kernels.leaky_relu(z), (x, z)

    def backward(self, dy, saved, parameters, input_gradient=True):
        x, z = saved
        weights, _ = self.own(parameters)
        dz = self.kernels.leaky_relu_backward(dy, z)
        dx, dweights, dbias = self.kernels.weighted_sum_backward(
            dz, x, weights, self.receptive_field, self.strides, input_gradient
        )
        return dx, self.name_gradients(dweights, dbias)


class Normalization(Layer):
    """Every map of every frame to mean 0 and variance 1 (``NORM_*``)."""

    def __init__(self, name, kernels, input_shape):
        super().__init__(name, kernels, input_shape, input_shape)

    def forward(self, x, parameters):
        return self.kernels.standardize(x), x

    def backward(self, dy, saved, parameters, input_gradient=True):
        return self.kernels.standardize_backward(dy, saved), {}


class Pool(Layer):
    """Pooling in space, pooling over frames, scale and shift, leaky ReLU (``L3P``).

    Args:
        pool: ``(rd, ph, pw)``: ``rd`` consecutive frames, overlapping; blocks of ``ph x pw`` positions, side by side.
        kind: "max", or its twin "average".
    """

    def __init__(self, name, kernels, input_shape, pool, kind):
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

    def forward(self, x, parameters):
        in_space = self.space(x, self.block)
        m = self.time(in_space, self.frames)
        z = self.kernels.scale_shift(m, *self.own(parameters))
        return self.kernels.leaky_relu(z), (x, in_space, m, z)

    def backward(self, dy, saved, parameters, input_gradient=True):
        x, in_space, m, z = saved
        weights, _ = self.own(parameters)
        dz = self.kernels.leaky_relu_backward(dy, z)
        dm, dweights, dbias = self.kernels.scale_shift_backward(dz, m, weights)
        din_space = self.time_backward(dm, in_space, self.frames)
        return self.space_backward(din_space, x, self.block), self.name_gradients(dweights, dbias)


class Dense(Layer):
    """The fully connected end (``FC_OUT``): features flattened in ``(d, h, w, f)`` order, one logit a class."""

    def __init__(self, name, kernels, input_shape, classes):
        super().__init__(name, kernels, input_shape, (classes,), weights=(prod(input_shape), classes), bias=(classes,))

    def forward(self, x, parameters):
        a = x.reshape(len(x), -1)
        return self.kernels.dense(a, *self.own(parameters)), a

    def backward(self, dy, saved, parameters, input_gradient=True):
        weights, _ = self.own(parameters)
        da, dweights, dbias = self.kernels.dense_backward(dy, saved, weights)
        return da.reshape(-1, *self.input_shape), self.name_gradients(dweights, dbias)


def initial_parameters(layers, dtype, seed):
    """Draw every parameter of ``layers``, in order, from ``uniform(-limit, limit)`` with :func:`glorot_limit`.

    The draw is made in float64 and then cast: one seed gives the same values, rounded, in every dtype.
    """
    generator = np.random.default_rng(seed)
    return {
        name: generator.uniform(-glorot_limit(shape), glorot_limit(shape), shape).astype(dtype)
        for layer in layers
        for name, shape in layer.parameter_shapes.items()
    }
