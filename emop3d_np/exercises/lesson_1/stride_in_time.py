"""A twin: steps in time

Now the window moves on by `stride` frames for each output frame:

`p[n, d', w] = sum over i < rd of x[n, stride * d' + i, w] * W[i, w]`

(one row, one channel, one map, to keep it short). Write `backward(g, x, weights, stride)`; `g` is `(n, d', w)`, the
gradient of `p`; `x` is `(n, d, w)`, `weights` `(rd, w)`. It returns `dx, dweights`.

Some frames are seen by two outputs, some by one, and some may be seen by none.

The pages: [Weighted sum](weighted_sum.md#backward-line-by-line) and [box sums](box_sums.md#line-by-line).
"""

HINTS = (
    "For one i, the frames that the outputs look at are i, i + stride, i + 2 stride, ... How many are they?",
    "They are a slice of x: slice(i, i + stride * (count - 1) + 1, stride), with count = g.shape[1].",
    "For each i: dweights[i] is (x[:, frames] * g) summed over clips and frames; dx[:, frames] += g * weights[i].",
)

# --- answer
import numpy as np


def backward(g, x, weights, stride):
    """The gradients dx and dweights of the product."""
    dx, dweights = np.zeros_like(x), np.zeros_like(weights)
    #: begin
    for i in range(len(weights)):
        frames = slice(i, i + stride * (g.shape[1] - 1) + 1, stride)
        dweights[i] = (x[:, frames] * g).sum(axis=(0, 1))
        dx[:, frames] += g * weights[i]
    #: end
    return dx, dweights


# --- judge
from .. import judging


def product(x, weights, stride):
    """The product, from the definition."""
    count = -(-(x.shape[1] - len(weights) + 1) // stride)
    return sum(x[:, i::stride][:, :count] * plane for i, plane in enumerate(weights))


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(g, x, weights, stride)")
    words = ""
    for stride, frames in ((2, 6), (1, 4)):
        inputs = judging.numbers(2, frames, 2), judging.numbers(3 if stride == 2 else 2, 2)

        def one_apart(g, x, weights):
            dx, dweights = np.zeros_like(x), np.zeros_like(weights)
            for i, plane in enumerate(weights):
                dweights[i] = (x[:, i : i + g.shape[1]] * g).sum(axis=(0, 1))
                dx[:, i : i + g.shape[1]] += g * plane
            return dx, dweights

        def written_over(g, x, weights, stride=stride):
            dx = np.zeros_like(x)
            for i, plane in enumerate(weights):
                dx[:, i : i + stride * (g.shape[1] - 1) + 1 : stride] = g * plane
            return dx, None

        def exchanged(g, x, weights, stride=stride):
            dx = np.zeros_like(x)
            for i, plane in enumerate(weights):
                dx[:, stride * i : stride * i + g.shape[1]] += g * plane
            return dx, None

        def with_x(g, x, weights, stride=stride):
            dx = np.zeros_like(x)
            for i in range(len(weights)):
                frames = slice(i, i + stride * (g.shape[1] - 1) + 1, stride)
                dx[:, frames] += g * x[:, frames]
            return dx, None

        words = judging.gradients(
            lambda x, weights, stride=stride: product(x, weights, stride),
            lambda g, x, weights, stride=stride: backward(g, x, weights, stride),
            inputs,
            "x weights",
            mistakes={
                "the frames are taken one after the other; with stride 2 they are two apart": one_apart,
                "the stride multiplies the window's place i; it multiplies the output frame d'": exchanged,
                "dx has x in it; what multiplies x in the product is the weight": with_x,
                "a frame that two outputs see gets from one of them only: += for dx": written_over,
            }
            if stride == 2
            else None,
        )
    return words
