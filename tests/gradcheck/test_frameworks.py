"""Functions of PyTorch and JAX: what is planted in them is found.  `make test-peers` runs this where they are."""

import sys

import numpy as np
import pytest

from emop3d_np import gradcheck
from emop3d_np.errors import InputError

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("default")]  # other packages' warnings are theirs

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((3, 4)), RNG.standard_normal((4, 2))
Z = RNG.standard_normal((2, 3)) + 1j * RNG.standard_normal((2, 3))


def test_a_package_that_is_missing_is_named(monkeypatch):
    for name, check in (("torch", gradcheck.check_torch), ("jax", gradcheck.check_jax)):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(InputError, match=f"check_{name} needs the package {name}, which is not installed"):
            check(np.sin, (X,))


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed; make test-peers installs it")


@pytest.fixture(scope="module")
def jax():
    return pytest.importorskip("jax", reason="JAX is not installed; make test-peers installs it")


@pytest.fixture(scope="module")
def square(torch):
    """A torch.autograd.Function, right for k = 1; twice differentiable, with a mistake for second != 1."""

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, k, second=1.0):
            ctx.save_for_backward(x)
            ctx.k, ctx.second = k, second
            return x**2

        @staticmethod
        def backward(ctx, d):
            (x,) = ctx.saved_tensors
            wrong = (ctx.second - 1) * (d * (x - x.detach()) + (d - d.detach()) * x)  # 0, but not its gradient
            return 2 * ctx.k * d * x + wrong, None, None

    return Square


def tensor(torch, array, **options):
    return torch.tensor(array, requires_grad=True, **options)


def test_a_mistake_in_a_torch_function(torch, square):
    x = tensor(torch, X)
    assert gradcheck.check_torch(square.apply, (x, 1.0))
    assert not gradcheck.check_torch(square.apply, (x, 1.01))
    assert not gradcheck.check_torch(
        lambda x: torch.tanh(square.apply(x, 1.01)), (tensor(torch, X, dtype=torch.float32),)
    )
    assert gradcheck.check_torch(lambda x: torch.tanh(square.apply(x, 1.0)), (tensor(torch, X, dtype=torch.float32),))
    assert x.grad is None


def test_second_order_in_torch(torch, square):
    x = tensor(torch, X)
    assert gradcheck.check_torch(lambda x, w: torch.tanh(x @ w).sum(1), (x, tensor(torch, W)), order=2)
    assert gradcheck.check_torch(lambda x: square.apply(x, 1.0), (x,), order=2)
    assert gradcheck.check_torch(lambda x: square.apply(x, 1.0, 1.01), (x,))
    report = gradcheck.check_torch(lambda x: square.apply(x, 1.0, 1.01), (x,), order=2)
    assert not report
    assert [row.name for row in report.inputs] == ["x", "d_output 0"]


def test_trees_and_modules_of_torch(torch, square):
    x = tensor(torch, X)

    def forward(x, layers, mode, labels):
        return {"all": [torch.relu(x @ layers["w"])[labels], mode], "sum": x.sum()}

    inputs = (x, {"w": tensor(torch, W)}, "mode", torch.tensor([0, 2]))
    report = gradcheck.check_torch(forward, inputs)
    assert report, str(report)
    assert [row.name for row in report.inputs] == ["x", "layers['w']"]

    class Module(torch.nn.Module):
        def __init__(self, k):
            super().__init__()
            self.dense, self.norm = torch.nn.Linear(4, 2), torch.nn.BatchNorm1d(2)
            self.dropout, self.k = torch.nn.Dropout(0.5), k

        def forward(self, image):
            return self.norm(square.apply(self.dense(self.dropout(image)), self.k))

    report = gradcheck.check_torch(Module(1.0).double(), (x,))
    assert report, str(report)
    assert {"image", "dense.weight", "norm.bias"} < {row.name for row in report.inputs}
    assert not gradcheck.check_torch(Module(1.01).double(), (x,))
    assert gradcheck.check_torch(Module(1.0), (x.float(),)), "moved in float64, buffers too"


def test_torch_tensors_of_other_kinds(torch):
    z, x = tensor(torch, Z), tensor(torch, X)
    report = gradcheck.check_torch(lambda z: (z**2 * z.conj(), z.abs()), (z,))
    assert report, str(report)
    assert [row.name for row in report.inputs] == ["z.real", "z.imag"]

    class Holomorphic(torch.autograd.Function):
        @staticmethod
        def forward(ctx, z):
            ctx.save_for_backward(z)
            return z**2

        @staticmethod
        def backward(ctx, d):
            return 2 * ctx.saved_tensors[0] * d  # without the conjugate

    assert not gradcheck.check_torch(Holomorphic.apply, (z,))
    report = gradcheck.check_torch(lambda x, y: x * y, (x, torch.tensor(X)))
    assert [row.name for row in report.inputs] == ["x"], "what requires no gradient is not checked"
    report = gradcheck.check_torch(lambda x: (x**2, x.detach() ** 3, x.argmax()), (x,))
    assert report
    assert "outputs that require no gradient are not checked" in str(report)
    assert gradcheck.check_torch(lambda x, y: x**2, (x, tensor(torch, X))), "what is not used has a gradient of 0"
    assert not gradcheck.check_torch(lambda x: x + x.detach() ** 2, (x,))


def test_what_is_refused_of_torch(torch):
    x = tensor(torch, X)
    for words, fn, tensors, options in (
        ("no output of fn requires a gradient", lambda x: x.detach() ** 2, (x,), {}),
        ("dtype torch.bfloat16, which NumPy lacks", torch.sin, (x.bfloat16(),), {}),
        ("only dense tensors are checked", torch.sin, (x.detach().to_sparse(),), {}),
        ("no tensor is floating", torch.sin, (torch.tensor([1]),), {}),
        ("tensors is Tensor; give a tuple", torch.sin, x, {}),
        ("order is 3", torch.sin, (x,), {"order": 3}),
        ("forward raises RuntimeError", lambda x: x @ x, (x,), {}),
    ):
        with pytest.raises(InputError) as told:
            gradcheck.check_torch(fn, tensors, **options)
        assert words in str(told.value)
        assert "\n" not in str(told.value)
    with pytest.raises(InputError, match="input x is a torch array: use check_torch"):
        gradcheck.check(lambda x: x**2, lambda d, x: 2 * x * d, (x.detach(),))


def custom(jax, k, second=1.0):
    """A jax.custom_vjp, right for k = 1; its second derivative for second = 1."""
    stop = jax.lax.stop_gradient

    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (x**3, x), lambda x, d: (3 * d * (k * x**2 + (second - 1) * (x - stop(x))),))
    return cube


def test_a_mistake_in_a_custom_vjp(jax):
    for dtype in (np.float64, np.float32):
        x = X.astype(dtype)
        assert gradcheck.check_jax(custom(jax, 1.0), (x,))
        assert not gradcheck.check_jax(custom(jax, 1.01), (x,))
    assert gradcheck.check_jax(custom(jax, 1.0), (x,), order=2)
    assert gradcheck.check_jax(custom(jax, 1.0, 1.01), (X,))
    assert not gradcheck.check_jax(custom(jax, 1.0, 1.01), (X,), order=2)
    assert gradcheck.check_jax(jax.numpy.sin, (2.0,))


def test_trees_of_jax(jax):
    jnp = jax.numpy

    def forward(x, layers, axis, labels):
        return {"y": jnp.tanh(x @ layers["w"])[labels], "i": x.argmax(axis), "n": 3}

    inputs = (X, {"w": W}, 0, np.array([0, 2]))
    report = gradcheck.check_jax(forward, inputs)
    assert report, str(report)
    assert [row.name for row in report.inputs] == ["x", "layers['w']"]


def test_complex_numbers_of_jax(jax):
    assert gradcheck.check_jax(lambda z: (z**2, z * z.conj(), abs(z)), (Z,))
    cube = custom(jax, 1.0)
    assert gradcheck.check_jax(cube, (Z,))
    assert not gradcheck.check_jax(custom(jax, 1.0 + 1e-3j), (Z,))


def test_what_is_refused_of_jax(jax):
    for words, arrays in (
        ("no array is floating", (np.array([1]),)),
        ("dtype bfloat16, which NumPy lacks", (jax.numpy.ones(3, "bfloat16"),)),
        ("arrays is ndarray; give a tuple", X),
    ):
        with pytest.raises(InputError) as told:
            gradcheck.check_jax(jax.numpy.sin, arrays)
        assert words in str(told.value)
    with pytest.raises(InputError, match=r"input x is a jax(lib)? array: use check_jax"):
        gradcheck.check(lambda x: x**2, lambda d, x: 2 * x * d, (jax.numpy.ones(3),))
