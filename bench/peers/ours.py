"""Ours, behind the same few functions as the peers."""

import numba
import numpy as np

import emop3d_np as emo

LAST_MAPS = 10, 45, 45, 3


def load(parameters, variant, threads):
    numba.set_num_threads(threads)
    return Program(parameters)


class Program:
    def __init__(self, parameters):
        self.net, self.optimizer, self.into = emo.EmoP3D(), emo.optimizers.Momentum(0.00015), None
        from_planes = dict(zip(self.net.parameters, parameters, strict=True))
        self.net.load_parameters({name: of_planes(name, values) for name, values in from_planes.items()})

    def gradients(self, x, labels):
        loss, gradients = self.net.loss_and_gradients(np.moveaxis(x, 1, -1), labels)
        return loss, [planes(name, values) for name, values in gradients.items()]

    def step(self, x, labels):
        _, self.into, _ = self.net.training_pass(np.moveaxis(x, 1, -1), labels, gradients=self.into)
        self.optimizer.update(self.net.parameters, self.into)

    def forward(self, x):
        return self.net.forward(np.moveaxis(x, 1, -1))


def planes(name, values, last_maps=LAST_MAPS):
    """A parameter in the order that all programs here take it: maps and channels before frames, rows and columns.

    ``last_maps``, the shape (d, h, w, f) of what the dense layer sees, is by default that of the usual network.
    """
    if name == "FC_OUT/weights":
        return values.reshape(*last_maps, -1).transpose(4, 3, 0, 1, 2).reshape(values.shape[1], -1)
    if name == "FC_OUT/bias":
        return values
    return values.transpose(4, 3, 0, 1, 2) if values.ndim == 5 else values.transpose(3, 0, 1, 2)


def of_planes(name, values):
    if name == "FC_OUT/weights":
        d, h, w, f = LAST_MAPS
        return values.reshape(-1, f, d, h, w).transpose(2, 3, 4, 1, 0).reshape(-1, values.shape[0])
    if name == "FC_OUT/bias":
        return values
    return values.transpose(2, 3, 4, 1, 0) if values.ndim == 5 else values.transpose(1, 2, 3, 0)
