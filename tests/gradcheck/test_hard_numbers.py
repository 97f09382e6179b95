"""The checker where numbers are coarse, huge, cancelled or many: right pairs are right, their wrong twins are not."""

import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from emop3d_np.errors import InputError
from emop3d_np.gradcheck import check

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import false_alarms
from gradient_cases import CASES

pytestmark = pytest.mark.once


def case(name):
    return next(each for each in CASES if each.name == name).make()


@pytest.mark.parametrize("seed", [0, 1])
def test_half_precision_with_float32_inside(seed):
    """Half precision has room for few steps only."""
    forward, backward, arrays = case("tanh layer: float16, float32 inside")

    def wrong(d, *arrays):
        dx, dw = backward(d, *arrays)
        return dx, (1.2 * dw).astype(dw.dtype)

    for each, verdict in ((backward, "right"), (wrong, "WRONG")):
        report = check(forward, each, arrays, seed=seed)
        assert report.verdict == verdict, str(report)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_whose_sums_overflow(seed):
    """Beyond the domain no verdict is promised, but no other error either; what is wrong is not right."""
    for x in (np.array([-9.48e153]), np.array([-9.48e153, 1e154])):
        right, wrong = (
            check(lambda x: x**2, lambda d, x, by=by: (by * x * d,), (x,), complex_step=False, seed=seed)
            for by in (2, 2.02)
        )
        assert right or "verdicts hold for sizes" in str(right)
        assert not wrong


def test_a_layer_that_keeps_what_the_complex_step_gave_it():
    for name, verdict in (("", "right"), (": backward uses them", "WRONG")):
        report = check(*case(f"batch norm with running means{name}"))
        assert report.verdict == verdict, str(report)


def test_a_complex_gradient_of_a_real_input_is_refused():
    with pytest.raises(InputError, match="is real: give the real part"):
        check(lambda x: x * x, lambda d, x: (2 * x * d * (1 + 1e-9j),), (np.ones(3),))


@pytest.mark.parametrize("seed", [0, 2, 19])
def test_a_bracket_that_stands_still_for_short_steps(seed):
    """cos(x) ticks over by a last place of 1: short steps see the slope of another function."""
    for x in (np.array([1, -1e-5]), np.array([1, -1e-3]), np.array([1, -1e-3, 0.3])):
        for by, verdict in ((1, "right"), (1.05, "WRONG")):
            report = check(
                lambda x: x * (1 - np.cos(x)),
                lambda d, x, by=by: (by * d * (1 - np.cos(x) + x * np.sin(x)),),
                (x,),
                seed=seed,
            )
            assert report.verdict == verdict, str(report)


@pytest.mark.parametrize(("name", "scale", "seed"), [("gelu", 30, 11), ("softmax", 1000, 6)])
def test_float32_outputs_that_hardly_are_numbers(name, scale, seed):
    report = false_alarms.trial(name, scale, seed, "float32")
    assert report.verdict == "right", str(report)
    report = false_alarms.trial(name, scale, seed, "float32", false_alarms.factor)
    assert report is None or report.verdict == "WRONG"


@pytest.mark.parametrize(("by", "verdict", "most"), [(1, "right", 24), (1.01, "WRONG", 62)])
def test_memory_of_a_large_function(by, verdict, most, clock):
    """A wrong one is looked at more closely, which takes more.  What there is time for is counted in calls."""
    x = np.random.default_rng(0).standard_normal(300_000)
    forward = clock.paced(lambda x: np.maximum(x, 0), 1.0)
    tracemalloc.start()
    report = check(forward, lambda d, x: (by * d * (x > 0),), (x,), seconds=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.verdict == verdict, str(report)
    assert peak < most * x.nbytes, f"{peak / x.nbytes:.1f} times the input"
