"""Optimisers against their formulas, written out for single numbers; schedules; saved slots."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emop3d_np import optimizers
from emop3d_np.errors import InputError

numbers = st.floats(-10, 10)
RULES = (optimizers.GradientDescent, optimizers.Momentum, optimizers.Adam, optimizers.AdamW)


def descend(optimizer, w, gradients):
    parameters = {"w": np.array([w])}
    for g in gradients:
        optimizer.update(parameters, {"w": np.array([g])})
    return parameters["w"][0]


@given(w=numbers, gradients=st.lists(numbers, min_size=1, max_size=6), rate=st.floats(1e-4, 1))
def test_rules(w, gradients, rate):
    plain, heavy, nesterov, adam = w, w, w, w
    a = m = v = 0.0
    for t, g in enumerate(gradients, 1):
        plain -= rate * g
        a = 0.9 * a + g
        heavy -= rate * a
        nesterov -= rate * (g + 0.9 * a)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        adam -= rate * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(v) + 1e-8)
    close = {"rel": 1e-9, "abs": 1e-9}
    assert descend(optimizers.GradientDescent(rate), w, gradients) == pytest.approx(plain, **close)
    assert descend(optimizers.Momentum(rate), w, gradients) == pytest.approx(heavy, **close)
    assert descend(optimizers.Momentum(rate, nesterov=True), w, gradients) == pytest.approx(nesterov, **close)
    assert descend(optimizers.Adam(rate), w, gradients) == pytest.approx(adam, **close)


factors = st.floats(0, 2)


@given(
    start=st.lists(numbers, min_size=3, max_size=3),
    gradients=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=6),
    decay=st.tuples(factors, factors),
    rate=st.floats(1e-4, 0.4),
)
def test_decoupled_decay(start, gradients, decay, rate):
    """AdamW, in plain loops: a bias and two arrays of weights, with a factor for both or one for each."""
    names = ["A/bias", "A/weights", "FC_OUT/weights"]

    def course(step):
        return rate / (1 + step)

    def expected(factors):
        result = []
        for first, g, factor in zip(start, zip(*gradients, strict=True), factors, strict=True):
            w, m, v = first, 0.0, 0.0
            for t, slope in enumerate(g, 1):
                m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope * slope
                adam = m / (1 - 0.9**t) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8 / math.sqrt(1 - 0.999**t))
                w -= course(t - 1) * (adam + factor * w)
            result.append(w)
        return pytest.approx(result, rel=1e-9, abs=1e-9)

    def trained(*weight_decay):
        parameters = {name: np.array([w]) for name, w in zip(names, start, strict=True)}
        optimizer = optimizers.AdamW(course, *weight_decay)
        for g in gradients:
            optimizer.update(parameters, {name: np.array([slope]) for name, slope in zip(names, g, strict=True)})
        return [float(values[0]) for values in parameters.values()]

    assert trained(decay[0]) == expected([0, decay[0], decay[0]])
    assert trained(dict(zip(names[1:], decay, strict=True))) == expected([0, *decay])
    assert trained({names[2]: decay[1]}) == expected([0, 0, decay[1]])
    assert trained() == expected([0, 0.01, 0.01])
    plain = optimizers.Adam(course)
    parameters = {name: np.array([w]) for name, w in zip(names, start, strict=True)}
    for g in gradients:
        plain.update(parameters, {name: np.array([slope]) for name, slope in zip(names, g, strict=True)})
    assert trained(0.0) == [float(values[0]) for values in parameters.values()]


def test_adamw_hands_its_constants_to_adam():
    w, g = {"a": np.ones(1)}, {"a": np.full(1, 3.0)}
    ours, plain = optimizers.AdamW(0.1, 0.0, 0.5, 0.7, 0.2), optimizers.Adam(0.1, 0.5, 0.7, 0.2)
    for optimizer in (ours, plain):
        optimizer.update(w, g)
    assert ours.slots["m"]["a"] == 1.5
    assert (ours.beta1, ours.beta2, ours.epsilon) == (plain.beta1, plain.beta2, plain.epsilon)


@pytest.mark.parametrize(
    ("optimizer", "rule", "constants"),
    [
        (optimizers.GradientDescent(0.1), "gradient_descent", (0.1,)),
        (optimizers.Momentum(0.1, 0.5, True), "momentum", (0.1, 0.5, True)),
    ],
)
def test_arrays_elsewhere_update_themselves(optimizer, rule, constants):
    """By the rule's name and its numbers, in the order of ``kernels.cuda.update``."""

    class Elsewhere:
        shape, dtype, seen = (3,), np.dtype("f4"), []

        def update(self, *arguments):
            self.seen.append(arguments)

    w, g = Elsewhere(), np.ones(3, np.float32)
    optimizer.slots = {slot: {"w": g} for slot in optimizer.slot_names}
    optimizer.update({"w": w}, {"w": g})
    ((name, numbers, *arrays),) = w.seen
    assert (name, numbers) == (rule, constants)
    assert len(arrays) == 1 + len(optimizer.slot_names)


def test_decay_of_what_is_no_weights_is_refused():
    parameters = {"A/weights": np.ones(1), "A/bias": np.ones(1)}
    with pytest.raises(InputError, match=r"weight_decay names \['A/bias', 'B'\]; the weights are \['A/weights'\]"):
        optimizers.decay_factors(parameters, {"A/bias": 1.0, "A/weights": 1.0, "B": 0.0})


def test_update_is_in_place_and_keeps_float32():
    w = np.ones(3, np.float32)
    for rule in RULES:
        optimizer = rule(lambda step: np.float64(0.1))
        optimizer.update({"w": w}, {"w": np.ones(3, np.float32)})
        assert w.dtype == np.float32
        assert all(slot["w"].dtype == np.float32 for slot in optimizer.slots.values())
    assert (w < 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_an_update_makes_no_arrays(rule):
    w, g = np.ones(50_000), np.ones(50_000)
    optimizer = rule(0.1)
    optimizer.update({"L/weights": w}, {"L/weights": g})
    tracemalloc.start()
    try:
        optimizer.update({"L/weights": w}, {"L/weights": g})
        assert tracemalloc.get_traced_memory()[1] < w.nbytes / 2
    finally:
        tracemalloc.stop()


def test_one_name_for_arrays_of_two_shapes():
    optimizer = optimizers.GradientDescent(0.1)
    for shape in ((3,), (2, 2)):
        w = np.ones(shape)
        optimizer.update({"w": w}, {"w": np.ones(shape)})
        assert np.allclose(w, 0.9)


def test_staircase():
    rate = optimizers.exponential_decay(0.5, 10, 0.1)
    assert [rate(step) for step in (0, 9, 10, 19, 20)] == pytest.approx([0.5, 0.5, 0.05, 0.05, 0.005])
    optimizer = optimizers.GradientDescent(rate)
    for _ in range(10):
        optimizer.update({}, {})
    assert optimizer.rate == pytest.approx(0.05)


lengths = st.floats(1, 500)
rates = st.floats(1e-5, 10)


def steps_until(length):
    return range(math.ceil(length) + 3)


@given(lr=rates, step=st.integers(0, 1000))
def test_constant(lr, step):
    assert optimizers.constant(lr)(step) == lr


@given(lr=rates, length=lengths)
def test_cosine(lr, length):
    rate = optimizers.cosine(lr, length)
    for step in steps_until(length):
        expected = lr * (1 + math.cos(math.pi * step / length)) / 2 if step < length else 0
        assert rate(step) == pytest.approx(expected, rel=1e-12, abs=1e-15 * lr)
        assert (rate(step) > 0) == (step < length)
    assert rate(0) == lr
    assert optimizers.cosine(lr, 2 * math.ceil(length))(math.ceil(length)) == pytest.approx(lr / 2)


@given(lr=rates, length=lengths, rise=st.floats(0.01, 0.99), start=st.floats(0.001, 1))
def test_one_cycle(lr, length, rise, start):
    rate = optimizers.one_cycle(lr, length, rise, start)
    top = rise * length
    for step in steps_until(length):
        if step < top:
            expected = lr * (start + (1 - start) * math.sin(math.pi / 2 * step / top) ** 2)
        elif step < length:
            expected = lr * math.cos(math.pi / 2 * (step - top) / (length - top)) ** 2
        else:
            expected = 0
        assert rate(step) == pytest.approx(expected, rel=1e-9, abs=1e-12 * lr)
    assert rate(0) == pytest.approx(start * lr)
    assert rate(math.ceil(length)) == 0 < rate(math.ceil(length) - 1)


@given(lr=rates, tens=st.integers(1, 50))
def test_one_cycle_is_highest_at_three_tenths(lr, tens):
    rate = optimizers.one_cycle(lr, 10 * tens)
    course = [rate(step) for step in range(10 * tens + 1)]
    assert course[0] == pytest.approx(lr / 25)
    assert max(course) == course[3 * tens] == lr
    assert course[: 3 * tens + 1] == sorted(course[: 3 * tens + 1])
    assert course[3 * tens :] == sorted(course[3 * tens :], reverse=True)


@given(lr=rates, length=st.integers(1, 60), late=st.integers(0, 60))
def test_warm_up_rises_in_a_line_to_the_schedule(lr, length, late):
    """Its rates are the schedule's from the last step of the rise on, so nothing jumps there."""
    below = optimizers.exponential_decay(lr, 25, 0.5)
    rate = optimizers.warm_up(below, length)
    for step in range(length):
        assert rate(step) == pytest.approx(below(step) * (step + 1) / length)
    for step in range(length - 1, length + late):
        assert rate(step) == below(step)
    assert [optimizers.warm_up(below, 0.5)(step) for step in range(3)] == [below(step) for step in range(3)]


@pytest.mark.parametrize("rule", RULES)
def test_slots_go_on(rule):
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((6, 4))
    whole, first, second = rule(0.1), rule(0.1), rule(0.1)
    w, halves = {"w": np.ones(4)}, {"w": np.ones(4)}
    for g in gradients:
        whole.update(w, {"w": g})
    for g in gradients[:3]:
        first.update(halves, {"w": g})
    second.load_slots(first.slots, first.step, halves)
    for g in gradients[3:]:
        second.update(halves, {"w": g})
    assert np.array_equal(w["w"], halves["w"])


@given(
    first=numbers,
    course=st.lists(numbers, min_size=1, max_size=40),
    share=st.floats(0.01, 0.999),
    before=st.integers(0, 3000),
)
def test_moving_average(first, course, share, before):
    """In a plain loop; it never leaves the range of what it has seen, and stays where the network stays."""
    a, average = {"w": np.array([first])}, first
    moving = optimizers.MovingAverage(a, share)
    for step, w in enumerate(course, before + 1):
        kept = min(share, (1 + step) / (10 + step))
        average = kept * average + (1 - kept) * w
        moving.update({"w": np.array([w])}, step)
        assert a["w"][0] == pytest.approx(average, rel=1e-9, abs=1e-9)
    seen = [first, *course]
    assert min(seen) - 1e-9 <= a["w"][0] <= max(seen) + 1e-9
    rest = a["w"].copy()
    moving.update({"w": rest}, before + 1)
    assert a["w"] == rest


def test_a_moving_average_makes_no_arrays_and_keeps_float32():
    a, w = {"w": np.zeros(50_000, np.float32)}, {"w": np.ones(50_000, np.float32)}
    moving = optimizers.MovingAverage(a, 0.9)
    tracemalloc.start()
    try:
        moving.update(w, 1)
        assert tracemalloc.get_traced_memory()[1] < a["w"].nbytes / 2
    finally:
        tracemalloc.stop()
    assert a["w"].dtype == np.float32
    assert np.allclose(a["w"], 9 / 11)
    assert (w["w"] == 1).all()


def test_strange_slots_are_refused():
    parameters = {"w": np.ones(4)}
    with pytest.raises(InputError, match=r"Adam keeps \['m', 'v'\], the saved optimiser \['momentum'\]"):
        optimizers.Adam(0.1).load_slots({"momentum": parameters}, 5, parameters)
    with pytest.raises(InputError, match="other names or shapes"):
        optimizers.Momentum(0.1).load_slots({"momentum": {"w": np.ones(3)}}, 5, parameters)


def test_slots_before_the_first_step():
    optimizer = optimizers.Momentum(0.1)
    optimizer.load_slots({}, 0, {"w": np.ones(4)})
    w = {"w": np.ones(4)}
    optimizer.update(w, {"w": np.ones(4)})
    assert w["w"] == pytest.approx(0.9)


def test_arrays_that_are_elsewhere_update_themselves():
    asked = []

    class Elsewhere:
        shape, dtype = (2,), np.dtype(np.float64)

        def update(self, *question):
            asked.append(question)

    w, g = Elsewhere(), np.ones(2)
    optimizers.GradientDescent(0.1).update({"w": w}, {"w": g})
    assert asked == [("gradient_descent", (0.1,), g)]
