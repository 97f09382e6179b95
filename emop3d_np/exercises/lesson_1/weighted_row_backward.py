"""The backward pass of a weighted sum

Forward, for rows: `z[n, w'] = b[w'] + sum over k < window of p[n, w' + k]`, and `p[n, w] = x[n, w] * W[w]`.

Write `backward(dz, x, weights, window)`. It gets `dz` of shape `(n, w')`, the gradient of the loss by `z`, and returns
the tuple `dx, dweights, dbias` in the shapes of `x` `(n, w)`, `weights` `(w,)` and `bias` `(w',)`.

Take it in three steps: what collects the bias? What does the product at one position collect, from which windows? And
then the product itself.

The page: [Weighted sum, backward](weighted_sum.md#backward-line-by-line).
"""

HINTS = (
    "Make an array g of zeros in the shape of x: the gradient of the product. Where forward reads a slice of p and "
    "adds it to z, backward adds dz to the same slice of g.",
    "One weight serves all clips, so its gradient is a sum over n. So is that of a bias.",
    "g[:, k : k + dz.shape[1]] += dz for each k; then dx = g * weights, dweights = (g * x).sum(axis=0).",
)

# --- answer
import numpy as np


def forward(x, weights, bias, window):
    """The weighted sum z (n, w') of rows x (n, w)."""
    p = x * weights
    return bias + sum(p[:, k : k + len(bias)] for k in range(window))


def backward(dz, x, weights, window):
    """The gradients dx, dweights, dbias."""
    #: begin
    g = np.zeros_like(x)
    for k in range(window):
        g[:, k : k + dz.shape[1]] += dz
    return g * weights, (g * x).sum(axis=0), dz.sum(axis=0)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dz, x, weights, window)")
    inputs = judging.numbers(2, 5), judging.numbers(5), judging.numbers(3)
    per_clip = "is one number per clip; sum over the clips, axis 0"

    def asked(window):
        return (
            lambda x, weights, bias: forward(x, weights, bias, window),
            lambda dz, x, weights, bias: _clips_last(backward(dz, x, weights, window), len(x), per_clip),
        )

    words = judging.gradients(
        *asked(3),
        inputs,
        "x weights bias",
        mistakes=_mistakes(),
    )
    with judging.besides("4 clips and windows of 2"):
        judging.gradients(*asked(2), [judging.numbers(4, 6), judging.numbers(6), judging.numbers(5)], "x weights bias")
    return words


def _mistakes():
    def once(dz, x, weights, bias):  # windows that overlap write over each other
        g = np.zeros_like(x)
        for k in range(3):
            g[:, k : k + 3] = dz
        return g * weights, (g * x).sum(axis=0), None

    def mean(dz, x, weights, bias):
        return None, None, dz.mean(axis=0)

    def exchanged(dz, x, weights, bias):
        g = _windows(dz)
        return g * x, None, None

    def convolution(dz, x, weights, bias):
        return sum(np.pad(dz * weights[k], ((0, 0), (k, 2 - k))) for k in range(3)), None, None

    def with_weights(dz, x, weights, bias):
        g = _windows(dz)
        return None, (g * weights).sum(axis=0), None

    return {
        "where windows overlap, the later one writes over the earlier one: a position collects from all, +=": once,
        "dbias is a mean over the clips; the loss moves by the sum": mean,
        "dx has x in it; what multiplies x in the product is the weight": exchanged,
        "that is a convolution: weights[k] goes with the place in the window; a weighted sum has a weight for each "
        "position": convolution,
        "each window goes to its first position alone; all of its positions collect it": [
            lambda dz, x, weights, bias, times=times: (times * np.pad(dz, ((0, 0), (0, 2))) * weights, None, None)
            for times in (1, 3)
        ],
        "dx is the gradient of the product; it comes times what multiplies x in it, the weight": (
            lambda *given: (_windows(given[0]), None, None)
        ),
        "dweights is the gradient of the product; it comes times what multiplies the weight in it, x": (
            lambda *given: (None, _windows(given[0]).sum(axis=0), None)
        ),
        "dweights has the weights in it; what multiplies the weight in the product is x": with_weights,
    }


def _windows(dz):
    """What a position collects from windows of three."""
    return sum(np.pad(dz, ((0, 0), (k, 2 - k))) for k in range(3))


def _clips_last(got, clips, words):
    """The gradients as they are; of the last two, none must be a number per clip."""
    if isinstance(got, tuple) and len(got) == 3:
        for name, each in zip(("dweights", "dbias"), got[1:], strict=True):
            if judging.shape_of(each) == (clips,):
                raise judging.Wrong(f"{name} {words}")
    return got
