"""Optimisers that update parameters in place, and the staircase schedule of the learning rate."""

import math

import numpy as np

from .errors import InputError


def exponential_decay(lr, decay_steps, decay_rate):
    """Staircase decay: a schedule that gives ``lr * decay_rate ** floor(step / decay_steps)`` for a step.

    Args:
        lr: the rate of step 0.
        decay_steps: steps between two stairs (run.py turns epochs into steps).
        decay_rate: factor at each stair.
    """
    return lambda step: lr * decay_rate ** math.floor(step / decay_steps)


class Optimizer:
    """What the optimisers share: the step counter, the rate, and slots, arrays shaped as the parameters.

    Args:
        lr: learning rate, a number or a schedule called with the step (0 at the first update).

    Attributes:
        step: updates made so far.
        slots: slot name to a dict of arrays, one a parameter; empty before the first update.
    """

    rule = None
    slot_names = ()

    def __init__(self, lr):
        self.lr = lr
        self.step = 0
        self.slots = {}

    @property
    def rate(self):
        """Learning rate of the next update."""
        return float(self.lr(self.step) if callable(self.lr) else self.lr)

    def update(self, parameters, gradients):
        """Make one step: change every array of ``parameters`` in place, by the array of its name in ``gradients``."""
        for slot in self.slot_names:
            if slot not in self.slots:
                self.slots[slot] = {name: np.zeros_like(values) for name, values in parameters.items()}
        for name, w in parameters.items():
            arrays = gradients[name], *(self.slots[slot][name] for slot in self.slot_names)
            if isinstance(w, np.ndarray):
                self._update_one(w, *arrays)
            else:  # an array that is elsewhere, with update rules of its own
                w.update(self.rule, self._constants(), *arrays)
        self.step += 1

    def load_slots(self, slots, step, parameters):
        """Go on from the ``slots`` and the ``step`` of another optimiser of the same kind.

        Raises:
            InputError: the slots are not this kind's, or do not fit ``parameters``.
        """
        if sorted(slots) != sorted(self.slot_names if step else ()):
            raise InputError(
                f"{type(self).__name__} keeps {list(self.slot_names)}, the saved optimiser {sorted(slots)}"
            )
        for slot, by_name in slots.items():
            shapes = {name: values.shape for name, values in by_name.items()}
            if shapes != {name: values.shape for name, values in parameters.items()}:
                raise InputError(f"the saved optimiser's {slot} has other names or shapes than the parameters")
        self.slots = {slot: {name: np.empty_like(values) for name, values in parameters.items()} for slot in slots}
        for slot, by_name in slots.items():
            for name, values in self.slots[slot].items():
                values[...] = by_name[name]
        self.step = step

    def _update_one(self, w, g, *slots):
        raise NotImplementedError

    def _constants(self):
        """The numbers in the rule, in the order of ``kernels.cuda.update``."""
        raise NotImplementedError


class GradientDescent(Optimizer):
    """``w -= lr g``."""

    rule = "gradient_descent"

    def _update_one(self, w, g):
        w -= self.rate * g

    def _constants(self):
        return (self.rate,)


class Momentum(Optimizer):
    """``a = momentum a + g; w -= lr a``; with Nesterov's correction ``w -= lr (g + momentum a)``.

    Args:
        lr: learning rate, a number or a schedule.
        momentum: share of the last step that is kept; default 0.9.
        nesterov: default False.

    Source: TensorFlow's ``MomentumOptimizer``, the original's choice.
    """

    rule = "momentum"
    slot_names = ("momentum",)

    def __init__(self, lr, momentum=0.9, nesterov=False):
        super().__init__(lr)
        self.momentum = momentum
        self.nesterov = nesterov

    def _update_one(self, w, g, a):
        a *= self.momentum
        a += g
        w -= self.rate * (g + self.momentum * a if self.nesterov else a)

    def _constants(self):
        return self.rate, self.momentum, self.nesterov


class Adam(Optimizer):
    """``m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2; w -= rate m / (sqrt(v) + e)``.

    The bias correction is folded into the step: ``rate = lr sqrt(1 - b2^t) / (1 - b1^t)``, ``t = 1, 2, ...``

    Args:
        lr: learning rate, a number or a schedule (the original keeps it constant, and so does run.py).
        beta1, beta2, epsilon: default 0.9, 0.999, 1e-8.

    Source: TensorFlow's ``AdamOptimizer``.
    """

    rule = "adam"
    slot_names = ("m", "v")

    def __init__(self, lr, beta1=0.9, beta2=0.999, epsilon=1e-8):
        super().__init__(lr)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _update_one(self, w, g, m, v):
        rate, new1, new2, epsilon = self._constants()
        m += new1 * (g - m)
        v += new2 * (g * g - v)
        w -= rate * m / (np.sqrt(v) + epsilon)

    def _constants(self):
        t = self.step + 1
        rate = self.rate * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return rate, 1 - self.beta1, 1 - self.beta2, self.epsilon
