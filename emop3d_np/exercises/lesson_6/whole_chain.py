"""A whole network, backward

A pyramid of five steps is given: weighted sum, leaky ReLU, normalisation, blocks of 2 x 2, fully connected; then the
mean of the clips' losses. `forward` returns the loss and all that it computed on the way. Fill in
`backward(x, labels, p)`: it puts the gradients by the four parameters, `"W"`, `"b"`, `"votes"` and `"shrug"`, into
the dict `g`.

Each line undoes one line of `forward`, from the last to the first, with the kernels that are imported:

| function | takes | gives |
|---|---|---|
| `softmax_cross_entropy_backward` | `dloss (n,), logits, labels` | `dlogits` |
| `dense_backward` | `dy, a, weights` | `da, dweights, dbias` |
| `max_pool_space_backward` | `dm, x, pool` | `dx` |
| `standardize_backward` | `dy, x` | `dx` |
| `leaky_relu_backward` | `dy, z` | `dz` |
| `weighted_sum_backward` | `dz, x, weights, receptive_field, strides` | `dx, dweights, dbias` |

The page: [A second walk](walk.md#backward).
"""

HINTS = (
    "The loss is a mean over the `n` clips. What arrives at each clip's loss, then, is 1 / n.",
    "`da` has the shape of `a`, a row per clip; the pool wants it in the shape of its maps: `da.reshape(m.shape)`.",
    "The first two lines: `dlogits = softmax_cross_entropy_backward(np.full(len(x), 1 / len(x)), logits, labels)` "
    "and `da, "
    'g["votes"], g["shrug"] = dense_backward(dlogits, a, p["votes"])`. Each of the next four takes what the line of '
    "the same "
    "name in `forward` took.",
)

# --- answer
import numpy as np

from kernels.reference import (
    dense,
    dense_backward,
    leaky_relu,
    leaky_relu_backward,
    max_pool_space,
    max_pool_space_backward,
    softmax_cross_entropy,
    softmax_cross_entropy_backward,
    standardize,
    standardize_backward,
    weighted_sum,
    weighted_sum_backward,
)

FIELD, STRIDES, BLOCK = (2, 3, 2), (1, 1, 1), (2, 2)


def forward(x, labels, p):
    """The mean loss of the clips, and what was computed on the way."""
    z = weighted_sum(x, p["W"], p["b"], FIELD, STRIDES)
    y = leaky_relu(z)
    u = standardize(y)
    m = max_pool_space(u, BLOCK)
    a = m.reshape(len(x), -1)
    logits = dense(a, p["votes"], p["shrug"])
    return softmax_cross_entropy(logits, labels).mean(), (z, y, u, m, a, logits)


def backward(x, labels, p):
    """Gradients of the mean loss by the parameters, by their names."""
    _, (z, y, u, m, a, logits) = forward(x, labels, p)
    g = {}
    #: begin
    dlogits = softmax_cross_entropy_backward(np.full(len(x), 1 / len(x)), logits, labels)
    da, g["votes"], g["shrug"] = dense_backward(dlogits, a, p["votes"])
    du = max_pool_space_backward(da.reshape(m.shape), u, BLOCK)
    dy = standardize_backward(du, y)
    dz = leaky_relu_backward(dy, z)
    _, g["W"], g["b"] = weighted_sum_backward(dz, x, p["W"], FIELD, STRIDES)
    #: end
    return g


# --- judge
from .. import judging

MISTAKES = {
    "mean": "it is as if 1 arrived at each clip's loss; the loss is the mean over the clips, so 1/n arrives",
    "classes": "the loss is a mean over the clips; here it is divided by the number of classes",
    "twice": "the mean over the clips is taken twice",
    "probabilities": "softmax_cross_entropy_backward is given probabilities; it takes the logits",
    "relu": "the leaky ReLU is left out on the way down",
    "norm": "the normalisation is left out on the way down",
    "u": "standardize_backward is given the result, u; it takes what standardize was given",
    "order": "the order is turned: leaky ReLU came before the normalisation, so backward it comes after it",
    "forward": "leaky_relu itself is called on the way down; its backward function is wanted",
    "z": "standardize_backward is given z; standardize was given y",
}


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(x, labels, p)")
    x, labels = judging.numbers(7, 3, 5, 3, 1), np.array([1, 0, 1, 1, 0, 1, 0])
    shapes = {"W": (2, 5, 3, 1, 2), "b": (2, 3, 2, 2), "votes": (4, 3), "shrug": (3,)}

    def by_name(arrays):
        return dict(zip(shapes, arrays, strict=True))

    def asked(d, *arrays):
        got = backward(x, labels, by_name(arrays))
        if not isinstance(got, dict) or not set(shapes) <= set(got):
            given = sorted(got) if isinstance(got, dict) else type(got).__name__
            raise judging.Wrong(f"g is {given}; it must be a dict with the names {', '.join(shapes)}")
        if judging.shape_of(got["W"]) == x.shape:
            raise judging.Wrong(
                "g['W'] has the shape of x: weighted_sum_backward gives dx, dweights, dbias, in this order"
            )
        return tuple(d * judging.array(got[name], shape, f"g[{name!r}]") for name, shape in shapes.items())

    def mistake(what):
        return lambda d, *arrays: tuple(d * g for g in _gradients(x, labels, by_name(arrays), what))

    words = judging.gradients(
        lambda *arrays: forward(x, labels, by_name(arrays))[0],
        asked,
        [judging.numbers(*shape) for shape in shapes.values()],
        " ".join(shapes),
        mistakes={words: mistake(what) for what, words in MISTAKES.items()},
    )
    p = by_name([judging.numbers(*shape) for shape in shapes.values()])
    x, labels = judging.numbers(2, 3, 5, 3, 1), np.array([0, 1])
    with judging.besides("2 clips"):
        for name, got, right in zip(shapes, asked(1, *p.values()), _gradients(x, labels, p, ""), strict=True):
            judging.same(got, right, f"g[{name!r}]")
    return words


def _gradients(x, labels, p, mistake):
    """Gradients in the order of the parameters, with a mistake."""
    _, (z, y, u, m, a, logits) = forward(x, labels, p)
    clips, classes = logits.shape
    arrives = np.full(clips, 1 / {"mean": 1, "classes": classes, "twice": clips**2}.get(mistake, clips))
    if mistake == "probabilities":
        logits = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    da, dvotes, dshrug = dense_backward(softmax_cross_entropy_backward(arrives, logits, labels), a, p["votes"])
    du = max_pool_space_backward(da.reshape(m.shape), u, BLOCK)
    if mistake == "order":
        dz = standardize_backward(leaky_relu_backward(du, z), y)
    else:
        dy = du if mistake == "norm" else standardize_backward(du, {"u": u, "z": z}.get(mistake, y))
        dz = {"relu": dy, "forward": leaky_relu(dy)}.get(mistake, leaky_relu_backward(dy, z))
    return *weighted_sum_backward(dz, x, p["W"], FIELD, STRIDES)[1:], dvotes, dshrug
