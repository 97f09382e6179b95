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

    def once(dz, x, weights, bias):  # windows that overlap write over each other
        g = np.zeros_like(x)
        for k in range(3):
            g[:, k : k + 3] = dz
        return g * weights, (g * x).sum(axis=0), None

    def mean(dz, x, weights, bias):
        return None, None, dz.mean(axis=0)

    def exchanged(dz, x, weights, bias):
        g = sum(np.pad(dz, ((0, 0), (k, 2 - k))) for k in range(3))
        return g * x, None, None

    return judging.gradients(
        lambda x, weights, bias: forward(x, weights, bias, 3),
        lambda dz, x, weights, bias: backward(dz, x, weights, 3),
        inputs,
        "x weights bias",
        mistakes={
            "where windows overlap, the later one writes over the earlier one: a position collects from all, +=": once,
            "dbias is a mean over the clips; the loss moves by the sum": mean,
            "dx has x in it; what multiplies x in the product is the weight": exchanged,
        },
    )
