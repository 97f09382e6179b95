"""Every form in which people write layers: the right one passes, its wrong twin does not, and refusals are one line."""

import dataclasses
import subprocess
import sys
from collections import OrderedDict, namedtuple
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from emop3d_np import gradcheck
from emop3d_np.errors import InputError

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parents[2]
RNG = np.random.default_rng(0)
X, W, B = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2)), RNG.standard_normal(2)
Z = RNG.standard_normal((3, 4)) + 1j * RNG.standard_normal((3, 4))
Both = namedtuple("Both", "w b")


@dataclasses.dataclass(frozen=True)
class Weights:
    """Of a dense layer."""

    w: np.ndarray
    b: np.ndarray
    kind: str = "dense"


def dense(x, w, b):
    return np.tanh(x @ w + b)


def dense_backward(d, x, w, b, k):
    """Right for k = 1."""
    d = d * (1 - dense(x, w, b) ** 2)
    return d @ w.T, k * x.T @ d, d.sum(0)


FORMS = {}


def form(function):
    """Collect a form: a function of k that gives forward, backward and inputs, right for k = 1 alone."""
    FORMS[function.__name__.replace("_", " ")] = function
    return function


@form
def a_cache(k):
    def forward(x, w, b):
        return dense(x, w, b), (x, w, b)

    return forward, lambda d, cache: dense_backward(d, *cache, k), (X, W, B)


@form
def a_cache_beside_two_outputs(k):
    def forward(x, w):
        return x @ w, x.sum(), {"x": x, "w": w}

    def backward(d, kept):
        return d[0] @ kept["w"].T + d[1], k * kept["x"].T @ d[0]

    return forward, backward, (X, W)


@form
def a_cache_beside_outputs_that_are_given_separately(k):
    return lambda x: (x**2, x.sum(), x), lambda d_y, d_sum, cache: k * 2 * cache * d_y + d_sum, (X,)


@form
def a_cache_that_is_an_array(k):
    return lambda x: (x**2, x), lambda d, cache: k * 2 * cache * d, (X,)


@form
def incoming_gradients_that_are_given_separately(k):
    def backward(d_product, d_sum, x, w):
        return d_product @ w.T + d_sum, k * x.T @ d_product

    return lambda x, w: (x @ w, x.sum(1, keepdims=True)), backward, (X, W)


@form
def a_dict_of_parameters(k):
    def backward(d, x, p):
        dx, dw, db = dense_backward(d, x, p["w"], p["b"], k)
        return dx, {"b": db, "w": dw}

    return lambda x, p: dense(x, p["w"], p["b"]), backward, (X, OrderedDict(w=W, b=B))


@form
def one_dict_of_everything(k):
    def backward(d, p):
        return dict(zip("xwb", dense_backward(d, p["x"], p["w"], p["b"], k), strict=True))

    return lambda p: dense(p["x"], p["w"], p["b"]), backward, ({"x": X, "w": W, "b": B},)


@form
def inputs_by_name(k):
    return lambda *, x, w, b: dense(x, w, b), lambda d, **at: dense_backward(d, **at, k=k), {"x": X, "w": W, "b": B}


@form
def inputs_by_name_and_gradients_too(k):
    def backward(d, *, w, b, x, scale):
        return dict(zip(["dx", "dw", "db"], dense_backward(scale * d, x, w, b, k), strict=True))

    return lambda x, w, b, scale=1: scale * dense(x, w, b), backward, {"x": X, "w": W, "b": B, "scale": 2}


@form
def gradients_by_name(k):
    def backward(d, x, w, b):
        return dict(zip(["grad_b", "d_x", "w"], [dense_backward(d, x, w, b, k)[i] for i in (2, 0, 1)], strict=True))

    return dense, backward, (X, W, B)


@form
def a_list_of_layers(k):
    def forward(x, layers):
        for w, b in layers:
            x = dense(x, w, b)
        return x

    def backward(d, x, layers):
        (w, b), second = layers
        d, dw2, db2 = dense_backward(d, dense(x, w, b), *second, k)
        dx, dw, db = dense_backward(d, x, w, b, 1)
        return dx, [[dw, db], (dw2, db2)]

    return forward, backward, (X, [(W, B), [W[:2], B]])


@form
def one_list(k):
    return lambda p: p[0] @ p[1], lambda d, p: [d @ p[1].T, k * p[0].T @ d], ([X, W],)


@form
def a_list_of_one(k):
    return lambda p: p[0] ** 2, lambda d, p: [k * 2 * p[0] * d], ([X],)


@form
def a_dataclass(k):
    def backward(d, x, p):
        dx, dw, db = dense_backward(d, x, p.w, p.b, k)
        return dx, Weights(dw, db, None)

    return lambda x, p: dense(x, p.w, p.b), backward, (X, Weights(W, B))


@form
def a_named_tuple(k):
    def backward(d, x, p):
        dx, *gradients = dense_backward(d, x, p.w, p.b, k)
        return dx, Both(*gradients)

    return lambda x, p: dense(x, p.w, p.b), backward, (X, Both(W, B))


@form
def outputs_in_a_dict(k):
    def forward(x, w):
        return {"product": x @ w, "kind": "dense", "parts": [x.sum(), x**2], "largest": x.argmax(1)}

    def backward(d, x, w):
        assert d["kind"] is None
        return d["product"] @ w.T + d["parts"][0] + 2 * x * d["parts"][1], k * x.T @ d["product"]

    return forward, backward, (X, W)


@form
def outputs_in_a_list(k):
    return lambda x: [x**2, x.sum(0)], lambda d, x: k * 2 * x * d[0] + d[1], (X,)


@form
def numbers(k):
    """Handed over as numbers: a 0-d array has no method is_integer."""

    def forward(x, scale):
        return x * scale if not scale.is_integer() else x

    return forward, lambda d, x, scale: (d * scale, k * float((d * x).sum())), (X, 2.5)


@form
def numbers_alone(k):
    return lambda x, y: x * y, lambda d, x, y: (d * y, k * d * x), (2.0, np.float64(3))


@form
def a_number_beside_float32(k):
    x = X.astype(np.float32)
    return lambda x, s: x * s, lambda d, x, s: (d * s, np.float32(k) * (d * x).sum()), (x, 2.5)


@form
def integers_and_strings_handed_through(k):
    def forward(x, axis, mode, shape, labels):
        assert type(axis) is int
        assert type(shape) is tuple
        return {"sum": x.sum, "mean": x.mean}[mode](axis).reshape(shape)[labels]

    def backward(d, x, axis, mode, shape, labels):
        full = np.zeros(shape)
        np.add.at(full, labels, d)
        return k * full.reshape(-1) / (len(x) if mode == "mean" else 1) + 0 * x

    return forward, backward, (X, 0, "mean", (4, 1), np.array([0, 2, 2]))


@form
def gradients_of_floating_inputs_alone(k):
    return (
        lambda x, axis, w: x.sum(axis) @ w,
        lambda d, x, axis, w: (w @ d + 0 * x, k * x.sum(axis)[:, None] * d),
        (X, 0, W),
    )


@form
def complex_to_real(k):
    """|z|^2 has the gradient 2z, as dL/da + i dL/db."""
    return lambda z: (z * z.conj()).real, lambda d, z: 2 * z * d * (1 if k == 1 else k * 1j), (Z,)


@form
def complex_to_complex(k):
    return lambda z: z**2, lambda d, z: d * np.conj(2 * z) if k == 1 else d * 2 * z, (Z,)


@form
def real_to_complex(k):
    return lambda x: np.exp(1j * x), lambda d, x: (np.conj(d) * k * 1j * np.exp(1j * x)).real, (X,)


@form
def complex_numbers(k):
    return (
        lambda z, w: z * w,
        lambda d, z, w: (d * w.conjugate(), k * d * z.conjugate()),
        (1.5 + 2j, np.complex128(3 - 1j)),
    )


@form
def float16(k):
    x = X.astype(np.float16)
    return lambda x: x**2, lambda d, x: d * 2 * x * np.float16(k if k == 1 else 1.1), (x,)


@form
def longdouble(k):
    x = X.astype(np.longdouble)
    return lambda x: x**3, lambda d, x: d * 3 * x**2 * (1 if k == 1 else 1 + 1e-6), (x,)


def test_no_more_than_numpy_is_needed():
    """The checker runs where Numba, SciPy and tqdm are not installed."""
    code = """
import sys
for name in ("numba", "llvmlite", "scipy", "tqdm"):
    sys.modules[name] = None  # an import of it raises
import numpy as np
import emop3d_np as emo
assert emo.gradcheck.check(np.sin, lambda d, x: d * np.cos(x), (np.ones(3),))
assert not emo.gradcheck.check(np.sin, lambda d, x: d * np.sin(x), (np.ones(3),))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", FORMS)
def test_forms(name):
    report = gradcheck.check(*FORMS[name](1))
    assert report, str(report)
    assert not gradcheck.check(*FORMS[name](1.01))


def test_arrays_are_named_as_python_reaches_them():
    forward, backward, inputs = FORMS["a list of layers"](1.01)
    report = gradcheck.check(forward, backward, inputs)
    assert [row.name for row in report.inputs] == ["x", "layers[0][0]", "layers[0][1]", "layers[1][0]", "layers[1][1]"]
    assert report.worst.array == "layers[1][0]"
    report = gradcheck.check(*FORMS["complex numbers"](1.01))
    assert [row.name for row in report.inputs] == ["z.real", "z.imag", "w.real", "w.imag"]
    assert report.worst.array in ("w.real", "w.imag")
    assert any("PyTorch's convention" in note for note in report.notes)


@pytest.mark.parametrize("name", ["a cache", "a dict of parameters", "outputs in a dict", "numbers alone"])
def test_the_complex_step_works_in_every_real_form(name):
    assert "complex step" in gradcheck.check(*FORMS[name](1)).method


def test_parts_that_are_not_differentiable():
    def backward(d, x, p):
        dx, dw, _ = dense_backward(d, x, p["w"], p["b"], 1)
        return dx, {"w": dw}

    at = lambda x, p: dense(x, p["w"], p["b"]), backward, (X, {"w": W, "b": B})
    assert "gradient of input p['b'] is None" in str(gradcheck.check(*at))
    assert gradcheck.check(*at, not_differentiable=["p['b']"])
    assert gradcheck.check(*at, not_differentiable="p"), "all that is in it"


def test_changes_in_place_are_noticed_in_every_form():
    def complex_square(z):
        z *= z
        return z

    with pytest.raises(InputError, match=r"forward changes its input z\.real"):
        gradcheck.check(complex_square, lambda d, z: d * np.conj(2 * z), (Z,))

    def in_dict(d, p):
        p["w"] *= 2
        return {"w": d * p["w"]}

    assert "backward changes its input 0" in str(gradcheck.check(lambda p: p["w"] ** 2, in_dict, ({"w": W},)))

    def in_cache(d, cache):
        cache[0][...] = 0
        return (2 * d * cache[0],)

    assert "backward changes its input 0" in str(gradcheck.check(lambda x: (x**2, [x]), in_cache, (X,)))

    def incoming(d, z):
        d *= np.conj(2 * z)
        return d

    assert "backward changes its incoming gradient" in str(gradcheck.check(lambda z: z**2, incoming, (Z,)))


def test_a_finer_gradient_than_its_input_is_judged_by_its_values():
    x = X.astype(np.float32)
    report = gradcheck.check(lambda x: x**2, lambda d, x: 2.0 * x.astype(float) * d, (x,))
    assert report
    assert sum("has dtype float64, the input float32" in note for note in report.notes) == 1
    assert not gradcheck.check(lambda x: x**2, lambda d, x: 2.02 * x.astype(float) * d, (x,))


def masked(array):
    return np.ma.masked_array(array, array > 1)


def returns(value):
    return lambda *_: value


def square(x):
    return x**2


REFUSED = {
    "input x is a masked array; give its data and its mask": (square, square, (masked(X),)),
    "forward's output 0 is a masked array": (masked, square, (X,)),
    "backward's gradient of input x is a masked array": (square, returns(masked(X)), (X,)),
    "input x is a matrix": (square, square, (X.view(np.matrix),)),
    "input x has dtype object": (square, square, (np.array([None]),)),
    "backward's gradient of input p is an array of (3, 4); it must be a dict": (
        lambda x, p: x @ p["w"], returns((X, X)), (X, {"w": W}),
    ),
    "backward's gradient of input p has the key 'v'; the keys are 'w'": (
        lambda x, p: x @ p["w"], returns((X, {"v": W})), (X, {"w": W}),
    ),
    "backward's gradient of input p has 1 parts; p has 2": (
        lambda x, p: x @ p[0] + p[1], returns((X, [W])), (X, [W, B]),
    ),
    "backward's gradients have the key 'y'; the inputs are x, w": (
        lambda x, w: x @ w, returns({"x": X, "y": W}), (X, W),
    ),
    "backward's gradient of input axis is not None": (
        lambda x, axis: x.sum(axis), lambda d, x, axis: (d + 0 * x, 3.0), (X, 0),
    ),
    "backward's gradient of input x has dtype complex128": (square, lambda d, x: 2j * x * d, (X,)),
    "with cache=True it must return (outputs, cache)": (square, lambda d, cache: d, (X,), {"cache": True}),
    "inputs is {}": (square, square, {}),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_is_told_in_one_line(words):
    forward, backward, inputs, *options = REFUSED[words]
    with pytest.raises(InputError) as told:
        gradcheck.check(forward, backward, inputs, **(options[0] if options else {}))
    assert words in str(told.value)
    assert "\n" not in str(told.value)


def standardised(x, w, b):
    z = x @ w + b
    return (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)


def standardised_backward(d, x, w, b, k=0.0):
    z = x @ w + b
    std = np.sqrt(z.var(0) + 1e-5)
    h = (z - z.mean(0)) / std
    d = (d - d.mean(0) - h * (d * h).mean(0)) / std
    return d @ w.T, x.T @ d, d.sum(0) + k * d.max(0)


def test_a_bias_before_a_normalisation_has_a_gradient_of_rounding_alone():
    for seed in range(3):
        assert gradcheck.check(standardised, standardised_backward, (X, W, B), seed=seed)
    wrong = gradcheck.check(standardised, lambda *at: standardised_backward(*at, 1e-9), (X, W, B))
    assert not wrong
    assert wrong.worst.array == "b"


DOMAIN = st.floats(-1e3, 1e3, allow_subnormal=False).filter(lambda value: value == 0 or abs(value) >= 1e-100)
RIGHT = {
    "square": (square, lambda d, x: 2 * x * d),
    "cube": (lambda x: x**3, lambda d, x: 3 * x**2 * d),
    "relu": (lambda x: np.maximum(x, 0), lambda d, x: d * (x > 0)),
    "tanh": (np.tanh, lambda d, x: d * (1 - np.tanh(x) ** 2)),
    "mean of squares": (lambda x: (x**2).mean(), lambda d, x: d * 2 * x / x.size),
    "affine": (lambda x: 3 * x + 1, lambda d, x: 3 * d),
}


@settings(max_examples=15)
@given(arrays(np.float64, st.integers(1, 4), elements=DOMAIN), st.sampled_from(sorted(RIGHT)))
def test_right_gradients_pass_everywhere_in_the_domain(x, name):
    assert gradcheck.check(*RIGHT[name], (x,))


@pytest.mark.parametrize("value", [1.77e-250, -4e-135, 5e-324, 9.5e153, 1e308])
@pytest.mark.parametrize("name", ["square", "cube"])
def test_a_report_says_where_it_is_beyond_the_domain(value, name):
    for x in ([value, 1.0], [-value]):
        report = gradcheck.check(*RIGHT[name], (np.array(x),))
        assert report or "verdicts hold for sizes from 1e-100 to 1e+100" in report.notes[0]


@pytest.mark.parametrize(
    ("forward", "backward", "words"),
    [
        (lambda x: 2 * x, lambda d, x: 2 * d[0] if isinstance(d, tuple) else d[:2], "a tuple of one incoming gradient"),
        (lambda x: (2 * x,), lambda d, x: d * 2.0, "the incoming gradient itself, not a tuple of one"),
    ],
)
def test_a_backward_that_takes_the_other_form_is_said(forward, backward, words):
    report = gradcheck.check(forward, backward, (np.ones(3),))
    assert report.passed
    assert [note for note in report.notes if f"backward was given {words}: it fails" in note]
