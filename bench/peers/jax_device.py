"""The network in JAX on a device: a step with its update is one compiled program, parameters are given to it.

Three forms: ``slices`` adds and compares shifted slices; ``windows`` has XLA's own sums of windows; ``early`` takes the
maximum of a frame before it normalises it, as the forms of ``torch_device.py`` do.  Compiled for a processor (jaxlib
0.10.2), the last one's gradients by the first layer are wrong, uncompiled they are right: the check tells.
"""

import jax
import jax.numpy as jnp
import numpy as np

from .jax_peer import leaky_relu, normalize, window_sums

RATE, KEPT = 0.00015, 0.9
FORMS = ("slices", "windows", "early")

jax.config.update("jax_default_matmul_precision", "highest")  # float32, no TF32


def sums_of_windows(p):
    """Sums over 4 x 4 windows of (..., h, w)."""
    ones = (1,) * (p.ndim - 2)
    return jax.lax.reduce_window(p, 0.0, jax.lax.add, (*ones, 4, 4), (1,) * p.ndim, "valid")


def weighted_sum(x, w, b, sums):
    frames = x.shape[2] - 2
    parts = [x[:, None, c, i : i + frames] * w[:, c, i, None] for c in range(x.shape[1]) for i in range(3)]
    return leaky_relu(sums(sum(parts[1:], parts[0])) + b)


def maxima(y):
    """Of 2 x 2 of y (n, f, d, h, w)."""
    y = y[..., : y.shape[-2] // 2 * 2, : y.shape[-1] // 2 * 2]
    rows = jnp.maximum(y[..., 0::2, :], y[..., 1::2, :])
    return jnp.maximum(rows[..., 0::2], rows[..., 1::2])


def logits_of(form, x, parameters):
    sums = sums_of_windows if form == "windows" else window_sums
    w1, b1, w3, b3, w5, b5, w7, b7 = parameters
    y = weighted_sum(x, w1, b1, sums)
    if form == "early":
        mean = y.mean((-2, -1), keepdims=True)
        variance = jnp.square(y - mean).mean((-2, -1), keepdims=True)
        m = (maxima(y) - mean) * jax.lax.rsqrt(variance + 1e-8)
    else:
        m = maxima(normalize(y))
    m = jnp.maximum(jnp.maximum(m[:, :, :-2], m[:, :, 1:-1]), m[:, :, 2:])
    a = normalize(leaky_relu(m * w3 + b3))
    a = normalize(weighted_sum(a, w5, b5, sums))
    return a.reshape(len(x), -1) @ w7.T + b7


def load(parameters, variant, x, labels):
    return Program(parameters, variant.split()[-1], x, labels)


class Program:
    """Trains and predicts on one batch; ``step()`` returns the loss, on the device."""

    def __init__(self, parameters, form, x, labels):
        def loss_of(parameters, x, labels):
            logits = logits_of(form, x, parameters)
            return (jax.nn.logsumexp(logits, axis=1) - jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]).mean()

        def trained(parameters, slots, x, labels):
            loss, gradients = jax.value_and_grad(loss_of)(parameters, x, labels)
            slots = jax.tree.map(lambda a, g: KEPT * a + g, slots, gradients)
            return jax.tree.map(lambda w, a: w - RATE * a, parameters, slots), slots, loss

        self.initial, self.device = parameters, jax.default_backend()
        self.batch, self.labels = jnp.asarray(x), jnp.asarray(labels)
        self.trained = jax.jit(trained, donate_argnums=(0, 1))
        self.logits = jax.jit(lambda parameters, x: logits_of(form, x, parameters))
        self.reset()
        self.step()
        self.single(np.asarray(x[:1]))

    def reset(self):
        self.parameters = [jnp.array(values) for values in self.initial]
        self.slots = [jnp.zeros_like(values) for values in self.parameters]

    def first_step(self):
        """Loss and gradients of a first step: the momentum that it leaves."""
        self.reset()
        logits = self.forward()
        return float(self.step()), logits, [np.asarray(slot) for slot in self.slots]

    def step(self):
        self.parameters, self.slots, loss = self.trained(self.parameters, self.slots, self.batch, self.labels)
        return loss

    def finish(self):
        self.parameters[0].block_until_ready()

    def forward(self):
        """Logits of the batch, on the host."""
        return np.asarray(self.logits(self.parameters, self.batch))

    def single(self, clip):
        """Logits of one clip (1, c, d, h, w), from host to host."""
        return np.asarray(self.logits(self.parameters, clip))
