"""Optimisers that update parameters in place, schedules of their learning rate, and the average of parameters."""

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from kernels.arrays import FloatArray
from kernels.contracts import finite, require_unmasked, whole

from . import by_name
from .errors import InputError

Schedule: TypeAlias = Callable[[int], float]
"""The learning rate of a step, counted from 0."""

WeightDecay: TypeAlias = float | Mapping[str, float]
"""One factor for all weights, or a factor for each array of weights by name; biases do not decay."""


def exponential_decay(lr: float, decay_steps: float, decay_rate: float) -> Schedule:
    """Staircase decay: a schedule that gives ``lr * decay_rate ** floor(step / decay_steps)`` for a step.

    Args:
        lr: the rate of step 0.
        decay_steps: steps between two stairs (run.py turns epochs into steps).
        decay_rate: factor at each stair.
    """
    _require(lr=lr, decay_rate=decay_rate)
    _require_positive(decay_steps=decay_steps)
    return lambda step: lr * decay_rate ** math.floor(step / decay_steps)


def constant(lr: float) -> Schedule:
    """A schedule that gives ``lr`` for every step."""
    _require(lr=lr)
    return lambda step: lr


def cosine(lr: float, steps: float) -> Schedule:
    """Half a cosine down to 0: a schedule that gives ``lr (1 + cos(pi step / steps)) / 2``, and 0 after ``steps``.

    Args:
        lr: the rate of step 0.
        steps: length of the training; its last update, of step ``steps - 1``, is the last with a rate above 0.

    Source: Loshchilov and Hutter, SGDR (arXiv 1608.03983), equation 5 without restarts.
    """
    _require(lr=lr)
    _require_positive(steps=steps)
    return lambda step: _half_cosine(lr, 0.0, min(1.0, step / steps))


def one_cycle(lr: float, steps: float, rise: float = 0.3, start: float = 0.04) -> Schedule:
    """One cycle of the rate: half a cosine up to ``lr``, then half a cosine down to 0, and 0 after ``steps``.

    With ``top = rise steps``: ``lr (start + (1 - start) (1 - cos(pi step / top)) / 2)`` before the step ``top``, then
    ``lr (1 + cos(pi (step - top) / (steps - top))) / 2``.

    Args:
        lr: the highest rate.
        steps: length of the training; its last update, of step ``steps - 1``, is the last with a rate above 0.
        rise: share of ``steps`` until the rate is highest, above 0 and below 1; default 0.3.
        start: share of ``lr`` in step 0; default 0.04.

    Source: Smith and Topin, Super-Convergence (arXiv 1708.07120).  Departures: they go up and down in straight lines,
    and let the momentum fall while the rate rises; here the slopes are cosines, as in PyTorch's ``OneCycleLR``, which
    the defaults are taken from, and the momentum stays.
    """
    _require(lr=lr, start=start)
    _require_positive(steps=steps, rise=rise)
    if rise >= 1:
        raise InputError(f"rise is {rise!r}; it must be below 1, so that the rate can fall")
    top = rise * steps

    def rate(step: int) -> float:
        if step < top:
            return _half_cosine(start * lr, lr, step / top)
        return _half_cosine(lr, 0.0, min(1.0, (step - top) / (steps - top)))

    return rate


def warm_up(schedule: Schedule, steps: float) -> Schedule:
    """Let a schedule begin gently: a schedule that gives ``schedule(step) min(1, (step + 1) / steps)``.

    Args:
        schedule: what it becomes from step ``steps - 1`` on; it counts its steps from the beginning all the same.
        steps: length of the rise, above 0; up to 1 there is none.

    Source: Goyal et al., Accurate, Large Minibatch SGD (arXiv 1706.02677), section 2.2.
    """
    _require_positive(steps=steps)
    return lambda step: schedule(step) * min(1.0, (step + 1) / steps)


def _require(**named: Any) -> None:
    """Refuse what is no finite number of at least 0, by its name."""
    for name, value in named.items():
        if not finite(value) or value < 0:
            raise InputError(f"{name} is {value!r}; it must be a number of at least 0")


def _require_positive(**named: Any) -> None:
    """Refuse what is no finite number above 0, by its name."""
    for name, value in named.items():
        if not finite(value) or value <= 0:
            raise InputError(f"{name} is {value!r}; it must be a number above 0")


def _require_share(**named: Any) -> None:
    """Refuse what is no number from 0 to below 1, by its name."""
    for name, value in named.items():
        if not finite(value) or not 0 <= value < 1:
            raise InputError(f"{name} is {value!r}; it must be at least 0 and below 1")


def _half_cosine(first: float, last: float, share: float) -> float:
    """The value ``share`` of the way from ``first`` to ``last`` along half a cosine."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2


def decay_factors(parameters: Mapping[str, Any], weight_decay: WeightDecay) -> dict[str, float]:
    """The factor of every array that decays, by name.

    Args:
        parameters: a network's, by name; those whose names end in ``/weights`` are its weights.
        weight_decay: for all of the weights, or by name; weights without a name there, or with 0, do not decay.

    Raises:
        InputError: a name is not that of weights, or a factor no number of at least 0.
    """
    weights = [name for name in parameters if name.endswith("/weights")]
    if not isinstance(weight_decay, Mapping):
        _require(weight_decay=weight_decay)
        weight_decay = dict.fromkeys(weights, weight_decay)
    unknown = [name for name in weight_decay if name not in weights]
    if unknown:
        raise InputError(f"weight_decay names {unknown}; the weights are {weights}")
    _require(**{f"weight_decay of {name}": factor for name, factor in weight_decay.items()})
    return {name: factor for name, factor in weight_decay.items() if factor}


class Optimizer:
    """What the optimisers share: the step counter, the rate, and the slots, which are arrays shaped as the parameters.

    Args:
        lr: learning rate, a number or a schedule called with the step (0 at the first update).

    Raises:
        InputError: the rate, or another number, is out of its range.

    Attributes:
        step: updates made so far.
        slots: slot name to a dict of arrays, one per parameter; empty before the first update.
        rule: name of the kernel that updates arrays which are not NumPy's.
        slot_names: the slots that this kind of optimiser keeps.
    """

    rule: str
    slot_names: tuple[str, ...] = ()

    def __init__(self, lr: float | Schedule) -> None:
        if not callable(lr):
            _require(lr=lr)
        self.lr = lr
        self.step = 0
        self.slots: dict[str, dict[str, FloatArray]] = {}
        self._spare: dict[int, FloatArray] = {}

    @property
    def rate(self) -> float:
        """Learning rate of the next update.

        Raises:
            InputError: the schedule gives no finite number of at least 0.
        """
        rate = self.lr(self.step) if callable(self.lr) else self.lr
        if not finite(rate) or rate < 0:
            raise InputError(f"the learning rate of step {self.step} is {rate!r}; it must be a number of at least 0")
        return float(rate)

    def update(self, parameters: Mapping[str, FloatArray], gradients: Mapping[str, FloatArray]) -> None:
        """Make one step: change every array of ``parameters`` in place, by the array of its name in ``gradients``.

        Raises:
            InputError: an array or the rate does not fit; nothing is changed then.
        """
        self._check(parameters, gradients)
        if not self.slots:
            self.slots = {slot: by_name.zeros(parameters) for slot in self.slot_names}
        slots = [self.slots[slot] for slot in self.slot_names]
        for place, (w, *arrays) in enumerate(by_name.side_by_side(parameters, gradients, *slots)):
            if isinstance(w, np.ndarray):
                # Made once: updates are many, and memory that is new each time is slow.
                if place not in self._spare or self._spare[place].shape != w.shape:
                    self._spare[place] = np.empty_like(w)
                self._update_one(w, *arrays, self._spare[place])
            else:  # an array that is elsewhere has update rules of its own
                w.update(self.rule, self._constants(), *arrays)
        self.step += 1

    def _check(self, parameters, gradients):
        """Look at everything before anything is changed."""
        self._constants()
        for name, w in parameters.items():
            if name not in gradients:
                raise InputError(f"there is no gradient by {name!r}; there are those by {list(gradients)}")
            given = {"the gradient": gradients[name]}
            given |= {f"the slot {slot!r}": by_name.get(name) for slot, by_name in self.slots.items()}
            for what, values in given.items():
                require_unmasked(f"{what} by {name!r}", values)
                shape, dtype = getattr(values, "shape", None), getattr(values, "dtype", np.dtype(object))
                if shape != w.shape or dtype.kind not in "fiu":
                    raise InputError(
                        f"{what} by {name!r} is {dtype} {shape}; the parameter has shape {w.shape}: give real numbers"
                    )
            if isinstance(w, np.ndarray) and (w.dtype.kind != "f" or not w.flags.writeable):
                how = "read-only" if w.dtype.kind == "f" else str(w.dtype)
                raise InputError(f"the parameter {name!r} is {how}; give floating-point numbers that can be written to")

    def load_slots(
        self, slots: Mapping[str, Mapping[str, FloatArray]], step: int, parameters: Mapping[str, FloatArray]
    ) -> None:
        """Go on from the ``slots`` and the ``step`` of another optimiser of the same kind.

        Raises:
            InputError: the slots are not this kind's, or do not fit ``parameters``.
        """
        if sorted(slots) != sorted(self.slot_names if step else ()):
            raise InputError(
                f"{type(self).__name__} keeps {list(self.slot_names)}, the saved optimiser {sorted(slots)}"
            )
        for slot, saved in slots.items():
            shapes = {name: values.shape for name, values in saved.items()}
            if shapes != {name: values.shape for name, values in parameters.items()}:
                raise InputError(f"the saved optimiser's {slot} has other names or shapes than the parameters")
        if not whole(step) or step < 0:
            raise InputError(f"the saved optimiser's step is {step!r}; it must be a whole number of at least 0")
        loaded = {slot: by_name.zeros(parameters) for slot in slots}
        for slot, saved in slots.items():
            for name, values in loaded[slot].items():
                if saved[name].dtype.kind not in "fiu":
                    raise InputError(f"the saved optimiser's {slot} of {name} is {saved[name].dtype}, no real numbers")
                with np.errstate(over="ignore"):
                    held = saved[name].astype(values.dtype)
                # An infinity that was saved as one may be a square's that overflowed, and trains on as before.
                wrong = np.isnan(held) | (np.isinf(held) & np.isfinite(saved[name]))
                if wrong.any():
                    found = saved[name][wrong][0]
                    raise InputError(f"the saved optimiser's {slot} of {name} holds {found}, no {values.dtype} number")
                values[...] = held
        self.slots, self.step = loaded, int(step)

    def _update_one(self, w: FloatArray, g: FloatArray, *slots_and_spare: FloatArray) -> None:
        """Update ``w`` and its slots by the gradient ``g``; the last array, of their shape, is room to work in."""
        raise NotImplementedError

    def _constants(self) -> tuple[float, ...]:
        """The numbers in the rule, in the order of ``kernels.cuda.update``."""
        raise NotImplementedError


class GradientDescent(Optimizer):
    """``w -= lr g``."""

    rule = "gradient_descent"

    def _update_one(self, w, g, spare):
        w -= np.multiply(g, self.rate, out=spare)

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

    def __init__(self, lr: float | Schedule, momentum: float = 0.9, nesterov: bool = False) -> None:
        super().__init__(lr)
        _require_share(momentum=momentum)
        self.momentum = momentum
        self.nesterov = nesterov

    def _update_one(self, w, g, a, spare):
        a *= self.momentum
        a += g
        if self.nesterov:
            np.multiply(a, self.momentum, out=spare)
            spare += g
            spare *= self.rate
        else:
            np.multiply(a, self.rate, out=spare)
        w -= spare

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

    def __init__(self, lr: float | Schedule, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> None:
        super().__init__(lr)
        _require_share(beta1=beta1, beta2=beta2)
        _require(epsilon=epsilon)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon

    def _update_one(self, w, g, m, v, spare):
        rate, new1, new2, epsilon = self._constants()
        # m += (1 - b1) (g - m)
        np.subtract(g, m, out=spare)
        spare *= new1
        m += spare
        # v += (1 - b2) (g^2 - v)
        np.multiply(g, g, out=spare)
        spare -= v
        spare *= new2
        v += spare
        # w -= rate m / (sqrt(v) + e)
        np.sqrt(v, out=spare)
        spare += epsilon
        np.divide(m, spare, out=spare)
        spare *= rate
        w -= spare

    def _constants(self):
        t = self.step + 1
        rate = self.rate * math.sqrt(1 - self.beta2**t) / (1 - self.beta1**t)
        return rate, 1 - self.beta1, 1 - self.beta2, self.epsilon


class AdamW(Adam):
    """:class:`Adam` with decoupled decay: before its step, ``w -= lr weight_decay w`` for the weights, not the biases.

    The decay is no part of the loss, so that Adam's denominator does not see it.

    Args:
        lr, beta1, beta2, epsilon: as of :class:`Adam`.
        weight_decay: one factor for all weights, or a factor by name; default 0.01.

    Source: Loshchilov and Hutter, Decoupled Weight Decay Regularization (arXiv 1711.05101), algorithm 2.  Departure:
    their factor is multiplied by the schedule's multiplier alone, here by the rate itself, as in PyTorch's ``AdamW``,
    which the default is taken from.
    """

    def __init__(
        self,
        lr: float | Schedule,
        weight_decay: WeightDecay = 0.01,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        super().__init__(lr, beta1, beta2, epsilon)
        _require(**weight_decay if isinstance(weight_decay, Mapping) else {"weight_decay": weight_decay})
        self.weight_decay = weight_decay

    def update(self, parameters: Mapping[str, FloatArray], gradients: Mapping[str, FloatArray]) -> None:
        """Make one step: shrink the weights, then do as :class:`Adam`."""
        self._check(parameters, gradients)
        for name, factor in decay_factors(parameters, self.weight_decay).items():
            w = parameters[name]
            w *= 1 - self.rate * factor
        super().update(parameters, gradients)


class MovingAverage:
    """The average of a network's parameters over its training: ``a += (1 - kept) (w - a)`` after every step.

    Args:
        arrays: the arrays ``a`` by name, changed in place; they start at the network's initial values.
        share: the most that is kept at a step, below 1.

    ``kept = min(share, (1 + step) / (10 + step))``, a warm start: a short training, too, forgets its initial values,
    and what it averages is a tenth of its steps old in the mean.

    Source: TensorFlow's ``ExponentialMovingAverage`` with ``num_updates``.
    """

    def __init__(self, arrays: Mapping[str, FloatArray], share: float) -> None:
        _require_share(share=share)
        self.arrays = arrays
        self.share = share
        self._spare = by_name.zeros(arrays)

    def update(self, parameters: Mapping[str, FloatArray], step: int) -> None:
        """Take in the ``parameters``, by name, as the update number ``step`` left them; the first is 1.

        Raises:
            InputError: an array is missing or has another shape; nothing is changed then.
        """
        if not whole(step) or step < 1:
            raise InputError(f"step is {step!r}; the first update is number 1")
        for name, w in parameters.items():
            if name not in self.arrays or w.shape != self.arrays[name].shape:
                raise InputError(
                    f"{name!r} is {w.shape}; averaged are {[(n, a.shape) for n, a in self.arrays.items()]}"
                )
        new = 1 - min(self.share, (1 + step) / (10 + step))
        for w, *own in by_name.side_by_side(parameters, self.arrays, self._spare):
            a, spare = own
            # a += new (w - a), in steps that arrays on a device know, too
            spare[...] = w
            spare -= a
            spare *= new
            a += spare
