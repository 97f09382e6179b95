"""The network in TensorFlow by the operations of the original program, one graph: what its users had.

For each map and each output frame, the frames of its window are multiplied by the map's weights and summed by a
convolution with ones.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from .ours import of_planes, planes

NAMES = [f"{layer}/{kind}" for layer in ("L1WS", "L3P", "L5WS", "FC_OUT") for kind in ("weights", "bias")]


def load(parameters, variant, threads):
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    return Program(parameters)


def leaky_relu(z):
    return tf.maximum(0.01 * z, z)


def weighted_sum(x, weights, bias):
    rd, channels = weights.shape[0], weights.shape[3]
    ones = tf.ones((rd, 4, 4, channels, 1))
    maps = []
    for f in range(weights.shape[4]):
        frames = [
            tf.nn.conv3d(x[:, d : d + rd] * weights[..., f], ones, strides=[1] * 5, padding="VALID")
            for d in range(x.shape[1] - rd + 1)
        ]
        maps.append(tf.concat(frames, 1))
    return leaky_relu(tf.concat(maps, -1) + bias)


def normalize(x):
    mean, variance = tf.nn.moments(x, (2, 3), keepdims=True)
    y = tf.nn.batch_normalization(x, mean, variance, 0.0, 1.0, 1e-8)
    return tf.where(tf.math.is_finite(y), y, tf.zeros_like(y))


def pool(x, weights, bias):
    m = tf.nn.max_pool3d(x, [1, 1, 2, 2, 1], [1, 1, 2, 2, 1], "VALID")
    m = tf.stack([tf.reduce_max(m[:, d : d + 3], axis=1) for d in range(m.shape[1] - 2)], 1)
    return leaky_relu(m * weights + bias)


def logits_of(x, *parameters):
    w1, b1, w3, b3, w5, b5, w7, b7 = parameters
    a = normalize(weighted_sum(x, w1, b1))
    a = normalize(pool(a, w3, b3))
    a = normalize(weighted_sum(a, w5, b5))
    return tf.reshape(a, (x.shape[0], -1)) @ w7 + b7


class Program:
    def __init__(self, parameters):
        arrays = [of_planes(name, values) for name, values in zip(NAMES, parameters, strict=True)]
        self.parameters = [tf.Variable(np.ascontiguousarray(values)) for values in arrays]
        self.slots = [tf.Variable(tf.zeros_like(values)) for values in self.parameters]
        self.logits = tf.function(lambda x: logits_of(x, *self.parameters))
        self.loss_and_gradients = tf.function(self._loss_and_gradients)
        self.update = tf.function(self._update)

    def _loss_and_gradients(self, x, labels):
        with tf.GradientTape() as tape:
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits_of(x, *self.parameters))
            loss = tf.reduce_mean(losses)
        return loss, tape.gradient(loss, self.parameters)

    def _update(self, x, labels):
        _, gradients = self._loss_and_gradients(x, labels)
        for w, slot, g in zip(self.parameters, self.slots, gradients, strict=True):
            slot.assign(0.9 * slot + g)
            w.assign_sub(0.00015 * slot)

    def gradients(self, x, labels):
        loss, gradients = self.loss_and_gradients(*self._of(x, labels))
        return float(loss), [planes(name, g.numpy()) for name, g in zip(NAMES, gradients, strict=True)]

    def step(self, x, labels):
        self.update(*self._of(x, labels))

    def forward(self, x):
        return self.logits(self._of(x)[0]).numpy()

    def _of(self, x, *labels):
        return tf.constant(np.moveaxis(x, 1, -1)), *map(tf.constant, labels)
