# Long: it is a list of cases.
"""Planted mistakes, each in several operations, with words of the cause to be named; and gradients without one."""

import numpy as np

PLANTED = {}
"""By the kind of mistake, then by operation: ``(forward, backward, inputs, words)``."""
UNNAMED = {}
"""The same without words: wrong in no way that has a name, or right."""


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def plant(kind, operation, forward, backward, inputs, words):
    PLANTED.setdefault(kind, {})[operation] = (forward, backward, inputs, words)


# --- Operations, right


def dense(x, w, b):
    return x @ w + b


def dense_backward(d, x, w, b):
    return d @ w.T, x.T @ d, d.sum(0)


DENSE = normal(5, 4), normal(4, 3, seed=1), normal(3, seed=2)
SQUARE = normal(4, 4), normal(4, 4, seed=1)


def windows(x, w):
    """A correlation along the last axis: (n, l), (k) -> (n, l - k + 1)."""
    return sum(w[i] * x[:, i : x.shape[1] - len(w) + 1 + i] for i in range(len(w)))


def windows_backward(d, x, w):
    dx = np.zeros_like(x)
    for i in range(len(w)):
        dx[:, i : i + d.shape[1]] += w[i] * d
    return dx, np.array([(d * x[:, i : i + d.shape[1]]).sum() for i in range(len(w))])


WINDOWS = normal(3, 9), normal(3, seed=1)


def window2(x, w):
    """A correlation in a plane: (h, w), (r, s)."""
    (r, s), (h, v) = w.shape, x.shape
    return sum(w[i, j] * x[i : h - r + 1 + i, j : v - s + 1 + j] for i in range(r) for j in range(s))


def window2_backward(d, x, w, put=np.add):
    dx = np.zeros_like(x)
    (r, s), (h, v) = w.shape, d.shape
    for i in range(r):
        for j in range(s):
            dx[i : i + h, j : j + v] = put(dx[i : i + h, j : j + v], w[i, j] * d)
    dw = np.array([[(d * x[i : i + h, j : j + v]).sum() for j in range(s)] for i in range(r)])
    return dx, dw


PLANE = normal(6, 7), normal(3, 2, seed=1)


def norm(axes, epsilon=1e-5):
    def forward(x):
        centred = x - x.mean(axes, keepdims=True)
        return centred / np.sqrt((centred**2).mean(axes, keepdims=True) + epsilon)

    def backward(mean=1.0, variance=1.0, own=epsilon):
        def given(d, x):
            centred = x - x.mean(axes, keepdims=True)
            s = 1 / np.sqrt((centred**2).mean(axes, keepdims=True) + own)
            y = centred * s
            term = variance * y * (d * y).mean(axes, keepdims=True)
            return (s * (d - mean * d.mean(axes, keepdims=True) - term),)

        return given

    return forward, backward


NORMS = {
    "layer norm": (norm((1,)), (normal(4, 6),), "axis 1"),
    "batch norm": (norm((0,)), (normal(7, 3),), "axis 0"),
    "batch norm of maps": (norm((0, 2, 3)), (normal(3, 2, 3, 4),), r"axes \(0, 2, 3\)"),
    "instance norm": (norm((2, 3)), (normal(2, 2, 3, 4),), r"axes \(2, 3\)"),
}


def gained(x, gain):
    return norm((1,))[0](x) * gain


def gained_backward(mean=1.0, variance=1.0):
    def given(d, x, gain):
        return norm((1,))[1](mean, variance)(d * gain, x)[0], (d * norm((1,))[0](x)).sum(0)

    return given


GAINED = normal(4, 6), normal(6, seed=1)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


LABELS = np.array([0, 2, 1, 1, 2])


def cross_entropy(x):
    return -np.log(softmax(x)[np.arange(len(x)), LABELS]).mean()


def one_hot(x):
    return np.eye(x.shape[1])[LABELS]


def spoilt(backward, place, change):
    """``backward`` with one of its gradients changed."""

    def given(d, *inputs):
        gradients = list(backward(d, *inputs))
        gradients[place] = change(gradients[place])
        return tuple(gradients)

    return given


# --- A factor, a sum for a mean, a mean for a sum

plant(
    "factor",
    "square",
    lambda x: x**2,
    lambda d, x: (2.02 * x * d,),
    (normal(3, 4),),
    "1.01 times the right one everywhere",
)
plant("factor", "dense", dense, spoilt(dense_backward, 1, lambda g: 1.01 * g), DENSE, "of w is 1.01 times the right")
plant(
    "factor", "windows", windows, spoilt(windows_backward, 0, lambda g: g / 2), WINDOWS, "of x is 0.5 times the right"
)
plant(
    "sum for mean",
    "mean of all",
    lambda x: (x**2).mean(),
    lambda d, x: (2 * x * d,),
    (normal(5, 4),),
    "20 is the number of elements that each output uses: a sum for a mean",
)
plant(
    "sum for mean",
    "mean of rows",
    lambda x: (x**2).mean(0),
    lambda d, x: (2 * x * d,),
    (normal(5, 4),),
    "5 is the (number of elements that each output uses|length of axis 0 of input x): a sum for a mean",
)
plant(
    "sum for mean",
    "cross-entropy",
    cross_entropy,
    lambda d, x: (d * (softmax(x) - one_hot(x)),),
    (normal(5, 3),),
    "5 is the (number of elements that each output uses|length of axis 0 of input x): a sum for a mean",
)
plant(
    "mean for sum",
    "dense weights",
    dense,
    spoilt(dense_backward, 1, lambda g: g / 5),
    DENSE,
    "5 is the number of outputs that use each element: a mean for a sum",
)
plant(
    "mean for sum",
    "dense bias",
    dense,
    lambda d, x, w, b: (d @ w.T, x.T @ d, d.mean(0)),
    DENSE,
    "5 is the number of outputs that use each element: a mean for a sum",
)
plant("sign", "difference", lambda x, y: x - y, lambda d, x, y: (d, d), SQUARE, "of y has the wrong sign everywhere")
plant(
    "sign",
    "logarithm",
    lambda x: -np.log(x),
    lambda d, x: (d / x,),
    (np.abs(normal(3, 4)) + 0.5,),
    "wrong sign everywhere",
)
plant("nothing arrives", "dense bias", dense, spoilt(dense_backward, 2, lambda g: 0 * g), DENSE, "of b is 0 everywhere")

# --- Sums

plant(
    "sum over the batch left out",
    "dense weights",
    dense,
    lambda d, x, w, b: (d @ w.T, np.outer(x[-1], d[-1]), d.sum(0)),
    DENSE,
    "of w comes from place 4 of axis 0 of the output alone: a sum over that axis is left out",
)
plant(
    "sum over the batch left out",
    "dense bias",
    dense,
    lambda d, x, w, b: (d @ w.T, x.T @ d, d[0]),
    DENSE,
    "of b comes from place 0 of axis 0 of the output alone: a sum",
)
plant(
    "sum over the batch left out",
    "one number",
    lambda a, x: a * x,
    lambda d, a, x: ((d * x)[-1].sum(), a * d),
    (np.array(1.3), normal(4, 5)),
    "of a comes from place 3 of axis 0 of the output alone",
)
plant(
    "= for +=",
    "windows",
    windows,
    lambda d, x, w: (_assigned(d, x, w), windows_backward(d, x, w)[1]),
    WINDOWS,
    "= for \\+= where windows overlap",
)
plant(
    "= for +=",
    "plane",
    window2,
    lambda d, x, w: (window2_backward(d, x, w, lambda old, new: new)[0], window2_backward(d, x, w)[1]),
    PLANE,
    "= for \\+= where windows overlap",
)
plant(
    "= for +=",
    "rows looked up",
    lambda t: t[[0, 2, 0, 1, 2]],
    lambda d, t: (_looked_up(d, t),),
    (normal(4, 3),),
    "= for \\+=",
)
plant(
    "one output only",
    "sine and cosine",
    lambda x: (np.sin(x), np.cos(x)),
    lambda d, x: (d[0] * np.cos(x),),
    (normal(3, 4),),
    "is right without output 1",
)
plant(
    "one output only",
    "sum and product",
    lambda x, y: (x + y, x * y),
    lambda d, x, y: (d[1] * y, d[0] + d[1] * x),
    SQUARE,
    "of x is right without output 0",
)


def _assigned(d, x, w):
    dx = np.zeros_like(x)
    for i in range(len(w)):
        dx[:, i : i + d.shape[1]] = w[i] * d
    return dx


def _looked_up(d, t):
    dt = np.zeros_like(t)
    dt[[0, 2, 0, 1, 2]] += d
    return dt


# --- Order

plant(
    "exchanged",
    "product",
    lambda x, y: x * y,
    lambda d, x, y: (d * x, d * y),
    SQUARE,
    "of x is the gradient of y: two inputs' gradients are exchanged",
)
plant(
    "exchanged", "matrices", lambda x, y: x @ y, lambda d, x, y: (x.T @ d, d @ y.T), SQUARE, "of x is the gradient of y"
)
plant(
    "exchanged",
    "gain and shift",
    lambda x, g, b: x * g + b,
    lambda d, x, g, b: (d * g, d.sum(0), (d * x).sum(0)),
    (normal(5, 4), normal(4, seed=1), normal(4, seed=2)),
    "of g is the gradient of b",
)
plant(
    "transposed",
    "square weights",
    lambda x, w: x @ w,
    lambda d, x, w: (d @ w.T, d.T @ x),
    SQUARE,
    "of w is the right one transposed",
)
plant(
    "transposed",
    "reshaped",
    dense,
    spoilt(dense_backward, 1, lambda g: g.T.reshape(g.shape)),
    DENSE,
    "of w has the right values, flattened in the order of axes",
)
plant(
    "transposed",
    "W for its transpose",
    lambda x, w: x @ w,
    lambda d, x, w: (d @ w, x.T @ d),
    SQUARE,
    "of x is right for w transposed",
)
plant(
    "reversed",
    "running sum",
    lambda x: np.cumsum(x, 1),
    lambda d, x: (np.cumsum(d[:, ::-1], 1),),
    (normal(3, 5),),
    "is reversed along axis 1",
)
plant(
    "reversed",
    "windows",
    windows,
    spoilt(windows_backward, 1, lambda g: g[::-1]),
    WINDOWS,
    "of w is reversed along axis 0",
)
plant(
    "reversed",
    "a window the wrong way",
    windows,
    lambda d, x, w: (windows_backward(d, x, w[::-1])[0], windows_backward(d, x, w)[1]),
    WINDOWS,
    "of x is right for w reversed along axis 0",
)
plant(
    "reversed",
    "plane, the wrong way",
    window2,
    lambda d, x, w: (window2_backward(d, x, w[::-1, ::-1])[0], window2_backward(d, x, w)[1]),
    PLANE,
    r"of x is right for w reversed along axes \(0, 1\)",
)
plant(
    "index shifted",
    "windows",
    windows,
    spoilt(windows_backward, 0, lambda g: np.roll(g, 1, 1)),
    WINDOWS,
    "of x is shifted by 1",
)
plant(
    "index shifted",
    "difference",
    lambda x: x[1:] - x[:-1],
    lambda d, x: (np.append(np.append(-d[0], d[:-1] - d[1:]), d[-1])[[1, 2, 3, 4, 5, 5]],),
    (normal(6),),
    "is shifted by -1 along axis 0",
)
plant(
    "index shifted",
    "rows",
    lambda x: x[1:] ** 2,
    lambda d, x: (np.append(2 * x[1:] * d, 0 * x[:1], 0),),
    (normal(5, 3),),
    "shifted by",
)
plant(
    "border left out",
    "windows",
    windows,
    spoilt(windows_backward, 0, lambda g: np.where(np.arange(9) == 8, 0, g)),
    WINDOWS,
    "of x is right but for the last of axis 1, where it is 0: a border",
)
plant(
    "border left out",
    "plane",
    window2,
    spoilt(window2_backward, 0, lambda g: np.pad(g[1:-1, 1:-1], 1)),
    PLANE,
    "first of axis 0 and the last of axis 0 and the first of axis 1 and the last of axis 1, where it is 0",
)
plant(
    "border left out",
    "last step",
    np.cumsum,
    lambda d, x: (np.append(np.cumsum(d[::-1])[::-1][:-1], 0),),
    (normal(6),),
    "the last of axis 0, where it is 0",
)
plant(
    "flattening order",
    "column by column",
    lambda x: x.reshape(len(x), -1),
    lambda d, x: (d.reshape(x.shape[0], *x.shape[:0:-1]).transpose(0, 2, 1),),
    (normal(2, 3, 4),),
    "taken to lie in the order of axes \\(0, 2, 1\\): flattened in another order",
)
plant(
    "flattening order",
    "rows of weights",
    dense,
    spoilt(dense_backward, 1, lambda g: g.reshape(2, 3, -1).transpose(1, 0, 2).reshape(g.shape)),
    (normal(5, 6), normal(6, 3, seed=1), normal(3, seed=2)),
    "of w is flattened in another order",
)
plant(
    "gates exchanged",
    "four gates",
    lambda x, w: np.tanh(x @ w),
    lambda d, x, w: (
        (d * (1 - np.tanh(x @ w) ** 2)) @ w.T,
        (x.T @ (d * (1 - np.tanh(x @ w) ** 2)))[:, [0, 1, 4, 5, 2, 3, 6, 7]],
    ),
    (normal(5, 3), normal(3, 8, seed=1)),
    r"of w is in blocks of 2 in the order \(0, 2, 1, 3\)",
)

# --- Normalisations and softmax

for _name, ((_forward, _backward), _inputs, _axes) in NORMS.items():
    plant("mean left out", _name, _forward, _backward(mean=0), _inputs, f"lacks the way through the mean over {_axes}")
    plant(
        "variance left out",
        _name,
        _forward,
        _backward(variance=0),
        _inputs,
        f"lacks the way through the variance over {_axes}",
    )
    plant(
        "both left out",
        _name,
        _forward,
        _backward(mean=0, variance=0),
        _inputs,
        f"lacks the ways through the mean and the variance over {_axes}",
    )
plant(
    "mean left out",
    "with a gain",
    gained,
    gained_backward(mean=0),
    GAINED,
    "of x lacks the way through the mean over axis 1",
)
plant(
    "variance left out",
    "with a gain",
    gained,
    gained_backward(variance=0),
    GAINED,
    "of x lacks the way through the variance over axis 1",
)
plant(
    "n - 1 for n",
    "layer norm",
    norm((1,))[0],
    norm((1,))[1](variance=6 / 5),
    (normal(4, 6),),
    "divided by n - 1 = 5 instead of n = 6",
)
plant("n - 1 for n", "with a gain", gained, gained_backward(variance=6 / 5), GAINED, "divided by n - 1 = 5")
plant(
    "norm left out",
    "unit length",
    lambda x: x / np.sqrt((x**2).sum(1, keepdims=True)),
    lambda d, x: (d / np.sqrt((x**2).sum(1, keepdims=True)),),
    (normal(4, 5),),
    r"the norm \(or mean square\) over axis 1",
)
plant(
    "norm left out",
    "root mean square",
    lambda x: x / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6),
    lambda d, x: (d / np.sqrt((x**2).mean(1, keepdims=True) + 1e-6),),
    (normal(4, 5),),
    "over axis 1",
)
plant(
    "epsilon left out",
    "layer norm",
    norm((1,), 0.1)[0],
    norm((1,), 0.1)[1](own=0),
    (normal(4, 6),),
    "without the epsilon of 0.1 ",
)
plant(
    "epsilon left out",
    "batch norm",
    norm((0,), 0.01)[0],
    norm((0,), 0.01)[1](own=0),
    (normal(7, 3),),
    "without the epsilon of 0.01 ",
)
plant(
    "epsilon left out",
    "logarithm",
    lambda x: np.log(x + 0.01),
    lambda d, x: (d / x,),
    (np.abs(normal(3, 4)) + 0.1,),
    "without an epsilon of 0.01,",
)
plant(
    "epsilon left out",
    "root",
    lambda x: np.sqrt(x + 0.01),
    lambda d, x: (d / (2 * np.sqrt(x)),),
    (np.abs(normal(3, 4)) + 0.1,),
    "without an epsilon of 0.01,",
)
plant(
    "inner sum left out",
    "softmax",
    softmax,
    lambda d, x: (softmax(x) * d,),
    (normal(4, 5),),
    "lacks the sum of d \\* y over axis 1",
)
plant(
    "inner sum left out",
    "log-softmax",
    lambda x: np.log(softmax(x)),
    lambda d, x: (d,),
    (normal(4, 5),),
    "lacks the sum of d over axis 1",
)
plant(
    "one-hot left out",
    "cross-entropy",
    cross_entropy,
    lambda d, x: (d * softmax(x) / len(x),),
    (normal(5, 3),),
    "one-hot label is not subtracted",
)
plant(
    "one-hot left out",
    "by row",
    lambda x: -np.log(softmax(x)[np.arange(5), LABELS]),
    lambda d, x: (d[:, None] * softmax(x),),
    (normal(5, 3),),
    "one-hot label is not subtracted",
)

# --- Activations

plant(
    "derivative left out",
    "tanh",
    np.tanh,
    lambda d, x: (d,),
    (normal(3, 4),),
    "incoming gradient itself: the derivative is left out",
)
plant(
    "derivative left out",
    "dense, tanh",
    lambda x, w: np.tanh(x @ w),
    lambda d, x, w: (d @ w.T, x.T @ d),
    SQUARE,
    "of x, w lacks the factor 1 - y\\^2",
)
plant(
    "derivative left out",
    "dense, sigmoid",
    lambda x, w: sigmoid(x @ w),
    lambda d, x, w: (d @ w.T, x.T @ d),
    SQUARE,
    "lacks the factor y \\(1 - y\\)",
)
plant(
    "mask left out",
    "dense, rectifier",
    lambda x, w: np.maximum(x @ w, 0),
    lambda d, x, w: (d @ w.T, x.T @ d),
    SQUARE,
    "the mask of a rectifier, a clip or a choice is left out",
)
plant("mask left out", "clip", lambda x: np.clip(x, -1, 1), lambda d, x: (d,), (2 * normal(4, 5),), "left out")
plant(
    "slope below zero",
    "leaky rectifier",
    lambda x: np.where(x > 0, x, 0.01 * x),
    lambda d, x: (d,),
    (normal(4, 5),),
    "derivative is left out",
)
plant(
    "slope below zero",
    "dense, leaky",
    lambda x, w: np.where(x @ w > 0, x @ w, 0.1 * (x @ w)),
    lambda d, x, w: ((d * (x @ w > 0)) @ w.T, x.T @ (d * (x @ w > 0))),
    SQUARE,
    "of x, w is 0 times the right one for what comes from negative values",
)
plant(
    "at the output",
    "tanh",
    np.tanh,
    lambda d, x: (d * (1 - np.tanh(np.tanh(x)) ** 2),),
    (normal(3, 4),),
    "derivative at the output",
)
plant(
    "at the output",
    "sigmoid",
    sigmoid,
    lambda d, x: (d * x * (1 - x),),
    (normal(3, 4),),
    "takes the input for the output",
)
plant(
    "at the output",
    "dense, tanh",
    lambda x, w: np.tanh(x @ w),
    lambda d, x, w: ((d * (1 - np.tanh(np.tanh(x @ w)) ** 2)) @ w.T, x.T @ (d * (1 - np.tanh(np.tanh(x @ w)) ** 2))),
    SQUARE,
    "derivative of tanh is taken at its output",
)

# --- Terms and factors

plant(
    "a factor left out",
    "gain",
    gained,
    lambda d, x, g: (norm((1,))[1]()(d, x)[0], gained_backward()(d, x, g)[1]),
    GAINED,
    "of x lacks the factor gain",
)
plant(
    "a factor left out",
    "mask",
    lambda x, m: np.sin(x) * m,
    lambda d, x, m: (d * np.cos(x), d * np.sin(x)),
    SQUARE,
    "of x lacks the factor m",
)
plant(
    "skip left out",
    "residual",
    lambda x, w: x + np.tanh(x @ w),
    lambda d, x, w: ((d * (1 - np.tanh(x @ w) ** 2)) @ w.T, x.T @ (d * (1 - np.tanh(x @ w) ** 2))),
    SQUARE,
    "of x lacks the incoming gradient itself: the direct way",
)
plant(
    "penalty",
    "weight decay left out",
    lambda w: (np.sin(w) ** 2).sum() + 0.05 * (w**2).sum(),
    lambda d, w: (d * np.sin(2 * w),),
    (normal(3, 4),),
    "-0.1 times the input itself: a penalty",
)
plant(
    "incoming not used",
    "sum of squares",
    lambda x: (x**2).sum(1),
    lambda d, x: (2 * x,),
    (normal(3, 4),),
    "does not use the incoming gradient",
)

# --- Found on other operations than those the causes were written for


def grouped(x):
    return norm((2,))[0](x.reshape(3, 2, -1)).reshape(x.shape)


plant(
    "groups of channels",
    "group norm",
    grouped,
    lambda d, x: (norm((2,))[1](mean=0)(d.reshape(3, 2, -1), x.reshape(3, 2, -1))[0].reshape(x.shape),),
    (normal(3, 4, 5),),
    "mean over groups of 2 along axis 1 and all axes behind it",
)
plant(
    "not transposed", "running sum", np.cumsum, lambda d, x: (np.cumsum(d),), (normal(6),), "where its transpose is due"
)
plant(
    "product rule",
    "swish",
    lambda x: x * sigmoid(x),
    lambda d, x: (d * sigmoid(x),),
    (normal(3, 4),),
    "one part of the product rule alone",
)
plant(
    "mask turned",
    "clip",
    lambda x: np.clip(x, -1, 1),
    lambda d, x: (d * (abs(x) > 1),),
    (normal(5, 6),),
    "mask turned round",
)
plant("one of two uses", "gram", lambda x: x @ x.T, lambda d, x: (d @ x,), (normal(4, 3),), "one of two uses alone")
plant(
    "padding",
    "plane",
    lambda x, w: window2(np.pad(x, 1), w),
    lambda d, x, w: (window2_backward(d, np.pad(x, 1), w)[0][:6, :7], window2_backward(d, np.pad(x, 1), w)[1]),
    (normal(6, 7), normal(3, 3, seed=1)),
    "shifted by 1 along axis 0 and by 1 along axis 1: an index, or the padding, is off",
)
plant(
    "window short",
    "windows",
    windows,
    lambda d, x, w: (windows_backward(d, x, w * [1, 1, 0])[0], windows_backward(d, x, w)[1]),
    WINDOWS,
    "lacks the window's place 2 along axis 1",
)
plant(
    "another epsilon",
    "batch norm",
    norm((0,), 0.01)[0],
    norm((0,), 0.01)[1](own=0.1),
    (normal(7, 3),),
    "takes an epsilon of 0.1",
)
plant(
    "wrong length",
    "mean",
    lambda x: x.mean(0),
    lambda d, x: (np.tile(d / 3, (6, 1)),),
    (normal(6, 3),),
    "divided by the length of axis 1 instead",
)

# --- Wrong in no way that has a name, or right though odd


def unnamed(name, forward, backward, inputs):
    UNNAMED[name] = (forward, backward, inputs)


unnamed("random numbers", np.sin, lambda d, x: (d * normal(3, 4, seed=5),), (normal(3, 4),))
unnamed("the forward pass of a norm", norm((0,), 0.01)[0], lambda d, x: (norm((0,), 0.01)[0](x),), (normal(7, 3),))
unnamed("another function", np.sin, lambda d, x: (d * np.exp(-x * x) * 1.3,), (normal(3, 4),))
unnamed("noise in the weights", dense, spoilt(dense_backward, 1, lambda g: g * (1 + 0.1 * normal(4, 3, seed=9))), DENSE)
unnamed("two mistakes at once", dense, spoilt(dense_backward, 1, lambda g: 1.1 * g + normal(4, 3, seed=9)), DENSE)
unnamed(
    "one element off", dense, spoilt(dense_backward, 1, lambda g: g + 0.01 * (np.arange(12) == 7).reshape(4, 3)), DENSE
)
unnamed(
    "noise in a normalisation",
    norm((1,))[0],
    spoilt(norm((1,))[1](), 0, lambda g: g + 0.1 * normal(4, 6, seed=3)),
    (normal(4, 6),),
)
unnamed(
    "a normalisation scaled by rows",
    norm((1,))[0],
    spoilt(norm((1,))[1](), 0, lambda g: g * np.arange(1, 5)[:, None]),
    (normal(4, 6),),
)
unnamed("a softmax of its own", softmax, lambda d, x: (d * softmax(2 * x),), (normal(4, 5),))
unnamed("windows with noise", windows, spoilt(windows_backward, 0, lambda g: g + np.sin(np.arange(9))), WINDOWS)
unnamed(
    "a rectifier with a random mask",
    lambda x: np.maximum(x, 0),
    lambda d, x: (d * (normal(4, 5, seed=4) > 0),),
    (normal(4, 5),),
)
unnamed("right: dense", dense, dense_backward, DENSE)
unnamed("right: windows", windows, windows_backward, WINDOWS)
unnamed("right: equal rows", lambda x: x.sum(0), lambda d, x: (np.tile(d, (4, 1)),), (np.ones((4, 3)),))
unnamed(
    "right: rectifier on its kink",
    lambda x: np.maximum(x, 0),
    lambda d, x: (d * (x >= 0),),
    (np.maximum(normal(4, 5), 0),),
)
unnamed("right: a gradient of nothing", lambda x: x * 0 + 1, lambda d, x: (0 * d,), (normal(3, 4),))
