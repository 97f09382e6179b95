"""Layers that are objects: their parameters and gradients are found, right ones pass, and wrong twins do not."""

import threading

import numpy as np
import pytest

from emop3d_np import gradcheck
from emop3d_np.errors import InputError

pytestmark = pytest.mark.once

RNG = np.random.default_rng(0)
X = RNG.standard_normal((3, 4))


class Dense:
    """Keeps its input, leaves ``dW`` and ``db``."""

    def __init__(self, k=1.0, sizes=(4, 2), dtype=np.float64):
        self.W, self.b = RNG.standard_normal(sizes).astype(dtype), np.zeros(sizes[1], dtype)
        self.k, self.name, self.x = k, "dense", None

    def forward(self, x):
        self.x = x
        return np.tanh(x @ self.W + self.b)

    def backward(self, dy):
        dy = dy * (1 - self.forward(self.x) ** 2)
        self.dW, self.db = self.x.T @ dy * self.W.dtype.type(self.k), dy.sum(0)
        return dy @ self.W.T


class Accumulating:
    def __init__(self, k):
        self.weights, self.k = RNG.standard_normal((4, 2)), k
        self.grad_weights = np.ones((4, 2))  # of an earlier step

    def __call__(self, x):
        self.x = x
        return x @ self.weights

    def backward(self, d):
        self.grad_weights += self.k * self.x.T @ d
        return (d @ self.weights.T,)


class Dicts:
    def __init__(self, k):
        self.params, self.grads, self.k = {"w": RNG.standard_normal((4, 2)), "b": np.ones(2)}, {}, k

    def forward(self, x):
        self.cache = (x,)
        return x @ self.params["w"] + self.params["b"]

    def backward(self, d):
        self.grads["w"], self.grads["b"] = self.cache[0].T @ d, self.k * d.sum(0)
        return d @ self.params["w"].T


class Lists:
    """The same array under two names."""

    def __init__(self, k):
        self.W, self.k = RNG.standard_normal((4, 2)), k
        self.params, self.grads = [self.W], [np.zeros_like(self.W)]

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, d):
        self.grads[0][...] = self.k * self.x.T @ d
        return d @ self.params[0].T


class Network:
    def __init__(self, k):
        self.layers = [Dense(), Dense(k, (2, 3))]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d


class Holder:
    __slots__ = ("grad", "value")

    def __init__(self, value):
        self.value, self.grad = value, None


class Holders:
    def __init__(self, k):
        self.w, self.k = Holder(RNG.standard_normal((4, 2))), k

    def forward(self, x):
        self.x = x
        return x @ self.w.value

    def backward(self, d):
        self.w.grad = self.k * self.x.T @ d
        return d @ self.w.value.T


class Stepping:
    """Backward changes the parameters."""

    def __init__(self, k):
        self.weights, self.bias, self.k = RNG.standard_normal((4, 2)), np.zeros((1, 2)), k

    def forward(self, x):
        self.x = x
        return x @ self.weights + self.bias

    def backward(self, d, learning_rate):
        dx = d @ self.weights.T
        self.weights -= learning_rate * self.x.T @ d
        self.bias = self.bias - learning_rate * self.k * d.sum(0, keepdims=True)
        return dx


class GivenInputs:
    def __init__(self, k):
        self.scale, self.scale_grad, self.k = np.ones(4), None, k

    def forward(self, x):
        return x * self.scale

    def backward(self, d, x):
        self.scale_grad = self.k * (d * x).sum(0)
        return d * self.scale


class BatchNorm:
    """Its running mean is no parameter: forward writes it."""

    def __init__(self, k):
        self.gamma, self.beta, self.k = np.ones(4), np.zeros(4), k
        self.running_mean, self.training = np.zeros(4), True

    def forward(self, x):
        self.running_mean = 0.9 * self.running_mean + 0.1 * x.mean(0)
        self.std = np.sqrt(x.var(0) + 1e-5)
        self.xhat = (x - (x.mean(0) if self.training else self.running_mean)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, d):
        self.dgamma, self.dbeta = (d * self.xhat).sum(0), d.sum(0)
        d = d * self.gamma
        return (d - d.mean(0) - self.k * self.xhat * (d * self.xhat).mean(0)) / self.std


class PReLU:
    def __init__(self, k):
        self.alpha, self.dalpha, self.k, self.eps = 0.25, 0.0, k, 1e-5

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)

    def backward(self, d):
        self.dalpha = self.k * float((d * np.minimum(self.x, 0)).sum())
        return d * np.where(self.x > 0, 1, self.alpha)


class Dropout:
    def __init__(self, k):
        self.rng, self.k = np.random.default_rng(1), k

    def forward(self, x):
        self.mask = self.rng.random(x.shape) < 0.5
        return x * self.mask

    def backward(self, d):
        return self.k * d * self.mask


class Bilinear:
    def __init__(self, k):
        self.k = k

    def forward(self, x, y):
        self.kept = x, y
        return x * y, x + y

    def backward(self, d_product, d_sum):
        x, y = self.kept
        return d_product * y + d_sum, self.k * d_product * x + d_sum


class Embedding:
    def __init__(self, k):
        self.table, self.k = RNG.standard_normal((5, 2)), k

    def forward(self, labels):
        self.labels = labels
        return self.table[labels]

    def backward(self, d):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.labels, self.k * d)


CASES = {
    Dense: ["x", "W", "b"],
    Accumulating: ["x", "weights"],
    Dicts: ["x", "params['w']", "params['b']"],
    Lists: ["x", "W"],
    Network: ["x", "layers[0].W", "layers[0].b", "layers[1].W", "layers[1].b"],
    Holders: ["x", "w.value"],
    Stepping: ["x", "weights", "bias"],
    GivenInputs: ["x", "scale"],
    BatchNorm: ["x", "gamma", "beta"],
    PReLU: ["x", "alpha"],
    Dropout: ["x"],
    Bilinear: ["x", "y"],
    Embedding: ["labels", "table"],
}
INPUTS = {Bilinear: (X, X[::-1] + 1), Embedding: (np.array([0, 2, 2]),)}


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
def test_layers(kind):
    layer, inputs = kind(1.0), INPUTS.get(kind, (X,))
    before = repr(vars(layer))
    report = gradcheck.check_layer(layer, inputs)
    assert report, str(report)
    assert [row.name for row in report.inputs] == CASES[kind]
    assert not gradcheck.check_layer(kind(1.01), inputs)
    assert repr(vars(layer)) == before, "the layer is left as it was"


def test_float32_layers():
    x = X.astype(np.float32)
    assert gradcheck.check_layer(Dense(dtype=np.float32), (x,))
    assert not gradcheck.check_layer(Dense(1.01, dtype=np.float32), (x,))


def test_a_parameter_without_a_gradient():
    class Forgets(Dense):
        def backward(self, d):
            dx = super().backward(d)
            del self.db
            return dx

    report = gradcheck.check_layer(Forgets(), (X,))
    assert not report
    assert "gradient of input b is None" in str(report)
    assert "no gradient of b was found: say where, as parameters={'b': 'db'}" in str(report)
    assert gradcheck.check_layer(Forgets(), (X,), not_differentiable=["b"])


def test_parameters_may_be_named():
    class Renamed(Dense):
        def backward(self, d):
            dx = super().backward(d)
            self.update = {"of W": self.dW}
            self.dW = np.zeros(3)
            return dx

    assert not gradcheck.check_layer(Renamed(), (X,))
    for k, right in ((1, True), (1.01, False)):
        named = {"W": "update['of W']", "b": "db"}
        assert bool(gradcheck.check_layer(Renamed(k), (X,), parameters=named)) == right
    in_layers = {"layers[1].W": "layers[1].dW"}
    report = gradcheck.check_layer(Network(1), (X,), parameters=in_layers)
    assert [row.name for row in report.inputs] == ["x", "layers[1].W"]


def test_what_a_layer_keeps_from_earlier_calls():
    class Maximum(Dense):
        """The gradient of an earlier call shines through."""

        def backward(self, d):
            super().backward(d)
            self.buffer = np.maximum(getattr(self, "buffer", 0), self.dW)
            self.dW = self.buffer.copy()
            return d @ self.W.T

    class Fresh(Maximum):
        def backward(self, d):
            self.buffer = -np.inf
            return Dense.backward(self, d)

    report = gradcheck.check_layer(Maximum(), (X,))
    assert "gradient of W depends on earlier calls" in str(report)
    assert not report
    assert gradcheck.check_layer(Fresh(), (X,))
    report = gradcheck.check_layer(Dropout(1), (X,))
    assert "forward depends on earlier calls; each call here starts from the layer as it was given" in str(report)


def test_running_statistics_that_are_used_have_no_gradient():
    class Centred:
        def __init__(self):
            self.running_mean = np.ones(4)

        def forward(self, x):
            return x - self.running_mean

        def backward(self, d):
            return d

    assert "gradient of input running_mean is None" in str(gradcheck.check_layer(Centred(), (X,)))
    assert gradcheck.check_layer(Centred(), (X,), not_differentiable="running_mean")


class Locked(Dense):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Raises(Dense):
    def backward(self, d):
        raise KeyError("no such thing")


class Two(Dense):
    def backward(self, d):
        return d, d


REFUSED = {
    "a layer of type object has no forward": (object(), (X,), {}),
    "a layer of type function has no backward": (test_layers, (X,), {}),
    "a layer of type Locked cannot be copied": (Locked(), (X,), {}),
    "the layer's backward raises KeyError: 'no such thing'": (Raises(), (X,), {}),
    "the layer's forward raises ValueError": (Dense(), (X[:, :2],), {}),
    "the layer's backward returns 2 for 1 inputs": (Two(), (X,), {}),
    "inputs is ndarray; give a tuple": (Dense(), X, {}),
    "parameters has 'V'; the layer has no floating array there": (Dense(), (X,), {"parameters": {"V": "dV"}}),
    "parameters has 'W['; write it as one does": (Dense(), (X,), {"parameters": {"W[": "dW"}}),
    "names has 2 entries for 1 inputs": (Dense(), (X,), {"names": ["a", "b"]}),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_refused_is_told_in_one_line(words):
    layer, inputs, options = REFUSED[words]
    with pytest.raises(InputError) as told:
        gradcheck.check_layer(layer, inputs, **options)
    assert words in str(told.value)
    assert "\n" not in str(told.value)
