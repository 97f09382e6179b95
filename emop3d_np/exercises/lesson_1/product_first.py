"""The product first, then the windows

The function below says what a weighted sum of a row is, window by window:

`z[n, w'] = b[w'] + sum over k < window of x[n, w' + k] * W[w' + k]`

It is right, and slow: it multiplies every pixel anew for each window over it, and Python goes through every output.
The weight belongs to the position, so the product can be taken once, for all positions at once.

Rewrite the body so that no loop runs over clips or positions; one over the places `k` of the window may stay.
`x` has the shape `(n, w)`, `weights` `(w,)`, `bias` `(w - window + 1,)`, and `z` `(n, w - window + 1)`.

The page: [Weighted sum](weighted_sum.md#forward-line-by-line).
"""

HINTS = (
    "x * weights is the product at all positions of all clips.",
    "For one k, the places that all windows look at are a slice: it begins at k and is as long as bias.",
    "z = bias, and then for each k the slice [:, k : k + len(bias)] of the product on top of it.",
)

# --- answer
import numpy as np


def weighted_row(x, weights, bias, window):
    """The weighted sum z (n, w') of rows x (n, w)."""
    #: begin
    #| z = np.zeros((len(x), len(bias)))
    #| for n in range(len(x)):
    #|     for w in range(len(bias)):
    #|         z[n, w] = bias[w]
    #|         for k in range(window):
    #|             z[n, w] += x[n, w + k] * weights[w + k]
    #| return z
    p = x * weights
    z = np.zeros((len(x), len(bias))) + bias
    for k in range(window):
        z += p[:, k : k + len(bias)]
    return z
    #: end


# --- judge
from kernels.reference.weighted_sum import weighted_sum

from .. import judging


def judge(answer: judging.Answer) -> str:
    function = answer.function("weighted_row(x, weights, bias, window)")
    for clips, window in ((3, 3), (2, 2)):
        x, weights, bias = _inputs(clips, 7, window)
        n, w = x.shape
        row, planes = x.reshape(n, 1, 1, w, 1), weights.reshape(1, 1, w, 1, 1)
        right = weighted_sum(row, planes, bias.reshape(1, 1, -1, 1), (1, 1, window), (1, 1, 1)).reshape(n, -1)
        slices = [x[:, k : k + len(bias)] for k in range(window)]
        convolution = bias + sum(each * weights[k] for k, each in enumerate(slices))
        p = x * weights
        mistakes = {
            "the bias is missing": right - bias,
            "the bias is added once for each place of the window; it is the output's": right + (window - 1) * bias,
            "that is a convolution: weights[k] goes with the place in the window; a weighted sum has a weight for each "
            "position": convolution,
            "each place of the window takes the place of the one before; they are to be added": p[:, window - 1 :],
            "this is a mean over the window; a weighted sum is a sum": (right - bias) / window + bias,
            "the last place of the window is missing": right - p[:, window - 1 :],
            "the first place of the window is missing": right - p[:, : len(bias)],
        }
        judging.same(function(x, weights, bias, window), right, "z", mistakes)
    words = judging.no_loop(answer, function, (*_inputs(2, 8, 3), 3), (*_inputs(6, 24, 3), 3), "clips or positions")
    taken = judging.counts(answer, "weighted_row(x, weights, bias, window)", *_inputs(12, 10, 4), 4).multiplied
    if taken > 12 * 10:
        raise judging.Wrong(
            f"the values are right, with {taken} products for 12 clips of 10 positions; 120 will do, if the product is "
            "taken once, before the windows"
        )
    return words


def _inputs(n, w, window):
    return judging.numbers(n, w), judging.numbers(w), judging.numbers(w - window + 1)
