"""What ``compare`` says of whole ports with a mistake in them, by what they export: the least, logits, activations."""

import re
from functools import partial

import numpy as np
import pytest

from emop3d_np import EmoP3D
from emop3d_np.gradcheck import vectors
from emop3d_np.network import strict_pyramid
from kernels import reference

pytestmark = pytest.mark.once

SETTINGS = {"input_shape": (8, 16, 16, 1), "feature_maps": 2, "num_classes": 3}
DECAY = 0.01
LAYERS = ("L1WS", "NORM_2", "L3P", "NORM_4", "L5WS", "NORM_6", "FC_OUT")


class Kernels:
    """The reference edition with other functions in some places."""

    def __init__(self, **functions):
        self.__dict__ |= functions

    def __getattr__(self, name):
        return getattr(reference, name)


def normalized(epsilon):
    return {
        "standardize": partial(reference.standardize, epsilon=epsilon),
        "standardize_backward": partial(reference.standardize_backward, epsilon=epsilon),
    }


def unbiased():
    """Over n - 1: the same as over n for a smaller epsilon, and a smaller result."""

    def share(x):
        n = x.shape[2] * x.shape[3]
        return (n - 1) / n

    return {
        "standardize": lambda x: share(x) ** 0.5 * reference.standardize(x, 1e-8 * share(x)),
        "standardize_backward": lambda d, x: share(x) ** 0.5 * reference.standardize_backward(d, x, 1e-8 * share(x)),
    }


def over_the_batch():
    """Moments over the batch too: the clips are put beside each other."""

    def beside(x):
        n, d, h, w, f = x.shape
        return x.transpose(1, 0, 2, 3, 4).reshape(1, d, n * h, w, f)

    def apart(y, n):
        _, d, _, w, f = y.shape
        return y.reshape(d, n, -1, w, f).transpose(1, 0, 2, 3, 4)

    return {
        "standardize": lambda x: apart(reference.standardize(beside(x)), len(x)),
        "standardize_backward": lambda d, x: apart(reference.standardize_backward(beside(d), beside(x)), len(x)),
    }


def leaky(alpha):
    return {
        "leaky_relu": lambda z: np.maximum(z, 0) + alpha * np.minimum(z, 0),
        "leaky_relu_backward": lambda d, z: d * np.where(z > 0, 1, alpha),
    }


def summed():
    return {
        "softmax_cross_entropy": lambda z, y: len(y) * reference.softmax_cross_entropy(z, y),
        "softmax_cross_entropy_backward": lambda d, z, y: reference.softmax_cross_entropy_backward(len(y) * d, z, y),
    }


def no_dense_bias():
    return {"dense": lambda a, w, b: a @ w}


def no_window_bias(shape):
    def weighted_sum(x, w, b, *rest):
        return reference.weighted_sum(x, w, 0 * b if b.shape == shape else b, *rest)

    return {"weighted_sum": weighted_sum}


def late_windows(row):
    """Windows begin ``row`` rows late in both layers; what lies beyond is 0."""

    def late(values, axis):
        beyond = [(0, row if each == axis else 0) for each in range(values.ndim)]
        return np.take(np.pad(values, beyond), np.arange(row, values.shape[axis] + row), axis)

    def back(values, axis):
        before = [(row if each == axis else 0, 0) for each in range(values.ndim)]
        return np.take(np.pad(values, before), np.arange(values.shape[axis]), axis)

    def weighted_sum(x, w, b, *rest):
        return reference.weighted_sum(late(x, 2), late(w, 1), b, *rest)

    def weighted_sum_backward(d, x, w, field, strides, input_gradient=True):
        dx, dw, db = reference.weighted_sum_backward(d, late(x, 2), late(w, 1), field, strides, True)
        return back(dx, 2) if input_gradient else None, back(dw, 1), db

    return {"weighted_sum": weighted_sum, "weighted_sum_backward": weighted_sum_backward}


def short_frames():
    """Pooling over the first two frames of three."""

    def pool(x, frames):
        return np.maximum(x[:, :-2], x[:, 1:-1])

    def backward(d, x, frames):
        first = x[:, :-2] >= x[:, 1:-1]
        dx = np.zeros_like(x)
        dx[:, :-2] += np.where(first, d, 0)
        dx[:, 1:-1] += np.where(first, 0, d)
        return dx

    return {"max_pool_frames": pool, "max_pool_frames_backward": backward}


def flattened(axes):
    """The features in another order before the fully connected layer; the file has (d, h, w, f)."""

    def order(a):
        return np.arange(a.shape[1]).reshape(2, 3, 3, 2).transpose(axes).ravel()

    def backward(d, a, w):
        dx, dw, db = reference.dense_backward(d, a[:, order(a)], w)
        back = np.empty_like(dx)
        back[:, order(a)] = dx
        return back, dw, db

    return {"dense": lambda a, w, b: reference.dense(a[:, order(a)], w, b), "dense_backward": backward}


PORTS = {
    "epsilon 1e-5": ({"kernels": normalized(1e-5)}, "epsilon 1e-05 instead of 1e-08$"),
    "epsilon 1e-3": ({"kernels": normalized(1e-3)}, "epsilon 0.001 instead of 1e-08$"),
    "unbiased variance": ({"kernels": unbiased()}, "sample variance \\(n - 1\\) instead of the population's"),
    "moments over the batch": ({"kernels": over_the_batch()}, "moments over the batch"),
    "no second normalisation": ({"kernels": {"standardize": lambda x: x, "standardize_backward": lambda d, x: d},
                                 "layers": ["NORM_4"]}, "normalisation: it is left out, in NORM_4 alone"),
    "flattened maps first": ({"kernels": flattened((3, 0, 1, 2))}, "flattened in the order fdhw, not dhwf"),
    "flattened frames last": ({"kernels": flattened((1, 2, 0, 3))}, "flattened in the order hwdf, not dhwf"),
    "sum for mean": ({"kernels": summed()}, "sum for mean"),
    "slope 0.2": ({"kernels": leaky(0.2)}, "another alpha \\(0.2\\)$"),
    "slope 0": ({"kernels": leaky(0.0)}, "another alpha \\(0\\)$"),
    "slope 0.3 in one layer": ({"kernels": leaky(0.3), "layers": ["L5WS"]}, "another alpha \\(0.3\\), in L5WS alone"),
    "no bias at the end": ({"kernels": no_dense_bias()}, "FC_OUT/bias is not added"),
    "no bias in a window": ({"kernels": no_window_bias((6, 13, 13, 2))}, "L1WS/bias is not added"),
    "last frame dropped": ({"x": lambda x: x * (np.arange(8)[:, None, None, None] < 7)}, "last frame of the"),
    "short frames": ({"kernels": short_frames()}, "the last frame of every window is left out"),
    "windows a row late": ({"kernels": late_windows(1)}, "windows begin at \\+1 along h, over zeros at the border"),
    "average pooling": ({"pooling": "average"}, "average instead of max"),
    "rows for columns": ({"x": lambda x: x.transpose(0, 1, 3, 2, 4)}, "rows and columns exchanged"),
    "decay without the half": ({"decay": 2 * DECAY}, "weight decay is twice as large"),
    "labels from 1": ({"labels": lambda y: (y + 1) % 3}, "labels are off by 1"),
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    path = tmp_path_factory.mktemp("vectors") / "ours.npz"
    return path, vectors.export(path, batch_size=3, weight_decay=DECAY, **SETTINGS)


def port(arrays, kernels=None, layers=LAYERS, x=None, labels=None, decay=DECAY, pooling="max"):
    """What a port with a mistake gives: all that one may export."""
    net = EmoP3D(dtype="float64", backend="reference", pooling=pooling, **SETTINGS)
    net.load_parameters({name: arrays[f"parameters/{name}"] for name in net.parameters})
    other = Kernels(**(kernels or {}))
    made = strict_pyramid(other, net.input_shape, 2, 3, (3, 4, 4), (1, 1, 1), (3, 2, 2), pooling)
    net.layers = [its if its.name in layers else own for its, own in zip(made, net.layers, strict=True)]
    net.kernels = other
    clips = arrays["input"] if x is None else x(arrays["input"])
    classes = arrays["labels"] if labels is None else labels(arrays["labels"])
    loss, gradients = net.loss_and_gradients(clips, classes, decay)
    given = {f"activations/{name}": values for name, values in net.activations(clips).items()}
    return given | {"loss": np.array(loss)} | {f"gradients/{name}": values for name, values in gradients.items()}


AMOUNTS = {
    "gradients only": lambda name: not name.startswith("activations/"),
    "with logits": lambda name: not name.startswith("activations/") or name == "activations/FC_OUT",
    "with activations": lambda name: True,
}


@pytest.mark.parametrize("amount", AMOUNTS)
def test_mistakes_of_ports_are_named(exported, tmp_path, amount):
    path, said = tmp_path / "theirs.npz", {}
    for name, (mistake, words) in PORTS.items():
        with np.errstate(all="ignore"):
            theirs = port(exported[1], **mistake)
        np.savez(path, **{each: values for each, values in theirs.items() if AMOUNTS[amount](each)})
        found = vectors.compare(exported[0], path)
        if found.agree or not re.search(words, found.suspicion):
            said[name] = found.suspicion
    assert not said, f"{len(PORTS) - len(said)} of {len(PORTS)} named"


def test_a_right_port_agrees_and_an_odd_one_is_not_given_a_name(exported, tmp_path):
    path = tmp_path / "theirs.npz"
    np.savez(path, **port(exported[1]))
    assert vectors.compare(exported[0], path).agree
    rng = np.random.default_rng(0)
    odd = {each: values + 0.1 * rng.standard_normal(values.shape) for each, values in port(exported[1]).items()}
    np.savez(path, **{each: values for each, values in odd.items() if AMOUNTS["gradients only"](each)})
    found = vectors.compare(exported[0], path)
    assert not found.agree
    assert re.match("a number that is|none of the usual mistakes", found.suspicion)
