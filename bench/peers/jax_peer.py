"""The network in JAX, written to win: the same form as the PyTorch one; XLA fuses it.

Variants: ``whole``, and a number of clips that ``scan`` carries through at a time.
"""

import os
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np


def load(parameters, variant, threads):
    # XLA makes its threads at the first operation, as many as there are cores that it may use.
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    return Program(parameters, variant)


def window_sums(p):
    p = p[..., :-3, :] + p[..., 1:-2, :] + p[..., 2:-1, :] + p[..., 3:, :]
    return p[..., :-3] + p[..., 1:-2] + p[..., 2:-1] + p[..., 3:]


def leaky_relu(z):
    return jnp.maximum(0.01 * z, z)


def weighted_sum(x, w, b):
    frames = x.shape[2] - 2
    p = sum(x[:, None, c, i : i + frames] * w[:, c, i, None] for c in range(x.shape[1]) for i in range(3))
    return leaky_relu(window_sums(p) + b)


def normalize(x):
    mean = x.mean((-2, -1), keepdims=True)
    variance = jnp.square(x - mean).mean((-2, -1), keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + 1e-8)


def logits_of(x, parameters):
    w1, b1, w3, b3, w5, b5, w7, b7 = parameters
    a = normalize(weighted_sum(x, w1, b1))
    a = a[..., : a.shape[-2] // 2 * 2, : a.shape[-1] // 2 * 2]
    rows = jnp.maximum(a[..., 0::2, :], a[..., 1::2, :])
    m = jnp.maximum(rows[..., 0::2], rows[..., 1::2])
    m = jnp.maximum(jnp.maximum(m[:, :, :-2], m[:, :, 1:-1]), m[:, :, 2:])
    a = normalize(leaky_relu(m * w3 + b3))
    a = normalize(weighted_sum(a, w5, b5))
    return a.reshape(len(x), -1) @ w7.T + b7


class Program:
    def __init__(self, parameters, variant):
        def loss_of(parameters, x, labels):
            logits = logits_of(x, parameters)
            return (jax.nn.logsumexp(logits, axis=1) - jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]).sum()

        at_a_time = None if variant == "whole" else int(variant)

        @jax.jit
        def gradients_of(parameters, x, labels):
            if not at_a_time or len(x) <= at_a_time:
                loss, gradients = jax.value_and_grad(loss_of)(parameters, x, labels)
            else:
                parts = x.reshape(-1, at_a_time, *x.shape[1:]), labels.reshape(-1, at_a_time)

                def add(sums, part):
                    return jax.tree.map(jnp.add, sums, jax.value_and_grad(loss_of)(parameters, *part)), None

                zeros = (jnp.zeros((), x.dtype), jax.tree.map(jnp.zeros_like, parameters))
                (loss, gradients), _ = jax.lax.scan(add, zeros, parts)
            return loss / len(x), jax.tree.map(lambda gradient: gradient / len(x), gradients)

        @partial(jax.jit, donate_argnums=(0, 1))
        def update(parameters, slots, gradients):
            slots = jax.tree.map(lambda a, g: 0.9 * a + g, slots, gradients)
            return jax.tree.map(lambda w, a: w - 0.00015 * a, parameters, slots), slots

        @jax.jit
        def forward(parameters, x):
            if not at_a_time or len(x) <= at_a_time:
                return logits_of(x, parameters)
            parts = x.reshape(-1, at_a_time, *x.shape[1:])
            return jax.lax.map(lambda part: logits_of(part, parameters), parts).reshape(len(x), -1)

        self.parameters = [jnp.asarray(values) for values in parameters]
        self.slots = [jnp.zeros_like(values) for values in self.parameters]
        self.gradients_of, self.update, self.forward_of = gradients_of, update, forward

    def gradients(self, x, labels):
        loss, gradients = self.gradients_of(self.parameters, x, labels)
        return float(loss), [np.asarray(gradient) for gradient in gradients]

    def step(self, x, labels):
        _, gradients = self.gradients_of(self.parameters, x, labels)
        self.parameters, self.slots = self.update(self.parameters, self.slots, gradients)
        self.parameters[0].block_until_ready()

    def forward(self, x):
        return np.asarray(self.forward_of(self.parameters, x))
