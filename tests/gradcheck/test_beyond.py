"""Forward mode, gradients of gradients, Hessian-vector products, and functions written in C."""

import ctypes
import ctypes.util
import shutil
import subprocess

import numpy as np
import pytest

from emop3d_np import gradcheck
from emop3d_np.errors import InputError

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))


def dense(x, w):
    return np.tanh(x @ w)


def dense_backward(d, x, w, k=1.0):
    d = d * (1 - dense(x, w) ** 2)
    return d @ w.T, k * x.T @ d


def dense_jvp(k):
    def jvp(tangents, x, w):
        dx, dw = tangents
        return (1 - dense(x, w) ** 2) * (k * dx @ w + x @ dw)

    return jvp


def test_forward_mode():
    assert gradcheck.check_jvp(dense, dense_jvp(1), (X, W), backward=dense_backward)
    report = gradcheck.check_jvp(dense, dense_jvp(1.01), (X, W))
    assert not report
    assert report.worst.array == "x"
    assert not gradcheck.check_jvp(dense, dense_jvp(1), (X, W), backward=lambda d, x, w: dense_backward(d, x, w, 1.01))
    report = gradcheck.check_jvp(dense, dense_jvp(1), (X, W), backward=lambda d, x, w: dense_backward(d, x, w, 1.01))
    assert any("jvp and backward disagree: <d, jvp(v)> = " in words for words in report.problems)


def test_one_element_of_forward_mode_is_named():
    def jvp(dx, x):
        tangent = 2 * x * dx
        tangent[1, 2] *= 1.01
        return tangent

    report = gradcheck.check_jvp(lambda x: x**2, jvp, (X,))
    assert (report.worst.array, report.worst.index) == ("x", (1, 2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_forward_mode_of_large_arrays(dtype):
    x = RNG.standard_normal((40, 50)).astype(dtype)

    def jvp(k):
        def of(dx, x):
            slope = np.where(x > 0, 2 * x, 1) * dx
            slope[3, 5] *= dtype(k)
            return slope

        return of

    assert gradcheck.check_jvp(lambda x: np.where(x > 0, x**2, x), jvp(1), (x,))
    assert not gradcheck.check_jvp(lambda x: np.where(x > 0, x**2, x), jvp(1.5), (x,))


def in_a_tuple(k):
    def jvp(tangents, x):
        (dx,) = tangents  # an array of three rows cannot be unpacked so
        return k * 2 * x * dx

    return jvp


def of_a_dict(k):
    return lambda dp, p: {"y": dp["x"] @ p["w"] + k * p["x"] @ dp["w"]}


def test_forms_of_forward_mode():
    check = gradcheck.check_jvp
    z = X + 1j * X[::-1]
    labels = np.array([0, 2])
    for k in (1, 1.01):
        pairs = [
            (lambda x: x**2, in_a_tuple(k), (X,)),
            (lambda x, i: x[i], lambda tangents, x, i, k=k: k * tangents[0][i], (X, labels)),
            (lambda x, w: x @ w, lambda dx, dw, x, w, k=k: dx @ w + k * x @ dw, (X, W)),
            (lambda x: (x.sum(), x**2), lambda dx, x, k=k: (dx.sum(), k * 2 * x * dx), (X,)),
            (lambda p: {"y": p["x"] @ p["w"]}, of_a_dict(k), ({"x": X, "w": W},)),
            (lambda z: z**2, lambda dz, z, k=k: k * 2 * z * dz, (z,)),
        ]  # fmt: skip
        for forward, jvp, inputs in pairs:
            assert bool(check(forward, jvp, inputs)) == (k == 1)
    report = check(lambda x: x**2, lambda dx, x: 2 * x * np.abs(dx), (X,))
    assert any("jvp is not linear" in words for words in report.problems)


def test_what_is_refused_of_forward_mode():
    for words, jvp in (
        ("jvp is int; it must be a function", 3),
        ("jvp raises KeyError", lambda dx, x: {}["no"]),
        ("jvp returns a tangent of shape (12,) for an output of shape (3, 4)", lambda dx, x: dx.ravel()),
        ("jvp returns None for an output of shape (3, 4)", lambda dx, x: None),
    ):
        with pytest.raises(InputError) as told:
            gradcheck.check_jvp(lambda x: x**2, jvp, (X,))
        assert words in str(told.value)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("k", [1, 1.01])
def test_gradients_of_gradients(k):
    """Backward is a function of the incoming gradient and the inputs; a second backward is checked as that of any."""

    def backward(d, x, w):
        return d @ w.T, x.T @ d

    def second(dd, d, x, w):
        ddx, ddw = dd
        return ddx @ w + x @ ddw, d @ ddw.T, k * ddx.T @ d

    d = RNG.standard_normal((3, 2))
    assert bool(gradcheck.check(backward, second, (d, X, W))) == (k == 1)


def test_hessian_vector_products():
    """Of f = sum(x^2 y) with H v by hand."""

    def gradient(x, y):
        return 2 * x * y, x**2

    def hvp(v, x, y, k=1.0):
        return 2 * (v[0] * y + x * v[1]), k * 2 * x * v[0]

    inputs = (X[0], X[1])
    assert gradcheck.check_jvp(gradient, hvp, inputs, backward=hvp)
    assert not gradcheck.check_jvp(gradient, lambda v, x, y: hvp(v, x, y, 1.01), inputs)


SOURCE = """
void forward(const double *x, double *y, long n) { for (long i = 0; i < n; i++) y[i] = x[i] * x[i] * x[i]; }
void backward(const double *d, const double *x, double *g, long n) {
    for (long i = 0; i < n; i++) g[i] = FACTOR * x[i] * x[i] * d[i];
}
"""


def pair_of(library):
    """The functions of a compiled library on arrays: what C reads must be contiguous, and of its type."""
    pointer = np.ctypeslib.ndpointer(np.float64, flags="C_CONTIGUOUS")
    library.forward.argtypes = [pointer, pointer, ctypes.c_long]
    library.backward.argtypes = [pointer, pointer, pointer, ctypes.c_long]
    library.forward.restype = library.backward.restype = None

    def forward(x):
        x, y = np.ascontiguousarray(x), np.empty(x.shape)
        library.forward(x, y, x.size)
        return y

    def backward(d, x):
        d, x, g = np.ascontiguousarray(d), np.ascontiguousarray(x), np.empty(x.shape)
        library.backward(d, x, g, x.size)
        return g

    return forward, backward


@pytest.mark.parametrize("factor", ["3", "3.01"])
def test_functions_in_c(factor, tmp_path):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("there is no C compiler on PATH")
    source, library = tmp_path / "cube.c", tmp_path / "cube.so"
    source.write_text(SOURCE)
    command = [compiler, "-shared", "-fPIC", f"-DFACTOR={factor}", "-o", str(library), str(source)]
    subprocess.run(command, check=True)
    forward, backward = pair_of(ctypes.CDLL(str(library)))
    assert bool(gradcheck.check(forward, backward, (X,))) == (factor == "3")


def test_functions_of_the_c_library():
    name = ctypes.util.find_library("m")
    if name is None:
        pytest.skip("there is no C library libm")
    library = ctypes.CDLL(name)
    library.erf.restype, library.erf.argtypes = ctypes.c_double, [ctypes.c_double]
    erf = np.vectorize(library.erf, otypes=[float])
    for factor, right in ((2, True), (2.01, False)):
        report = gradcheck.check(erf, lambda d, x, k=factor: d * k * np.exp(-(x**2)) / np.sqrt(np.pi), (X,))
        assert bool(report) == right
