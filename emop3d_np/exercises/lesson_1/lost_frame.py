"""Find the lost frames

In time the weights are shared: one set of `rd` planes serves all frames. The product of the first step is

`p[n, d', h, w, f] = sum over i < rd and c of x[n, d' + i, h, w, c] * W[i, h, w, c, f]`

The file has its backward pass: `g` is the gradient of `p`, in its shape `(n, d', h, w, f)`; `x` is `(n, d, h, w, c)`,
`weights` `(rd, h, w, c, f)`. One line of it is wrong. The gradients have the right shapes, and one of them is right.

Find the line, and mend it. First ask the file what it says: `exercise check lost_frame.py`.

The page: [Weighted sum, backward](weighted_sum.md#backward-line-by-line).
"""

HINTS = (
    "Which of the two gradients is right? Then the mistake is in a line that makes the other.",
    "A frame in the middle of the clip meets W[0] in one output frame, and W[1] in the one before it.",
    "Two turns of the loop write to the same frames of dx. What happens to what the first one wrote?",
)

# --- answer
import numpy as np


def product_backward(g, x, weights):
    """The gradients dx and dweights of the product."""
    dx, dweights = np.zeros_like(x), np.zeros_like(weights)
    for i, plane in enumerate(weights):
        frames = slice(i, i + g.shape[1])
        #: begin
        #| dweights[i] = np.einsum("ndhwc,ndhwf->hwcf", x[:, frames], g)
        #| dx[:, frames] = np.einsum("ndhwf,hwcf->ndhwc", g, plane)
        dweights[i] = np.einsum("ndhwc,ndhwf->hwcf", x[:, frames], g)
        dx[:, frames] += np.einsum("ndhwf,hwcf->ndhwc", g, plane)
        #: end
    return dx, dweights


# --- judge
from .. import judging


def product(x, weights):
    """The product, from the definition."""
    windows = [x[:, i : i + x.shape[1] - len(weights) + 1] for i in range(len(weights))]
    return sum(np.einsum("ndhwc,hwcf->ndhwf", each, plane) for each, plane in zip(windows, weights, strict=True))


def judge(answer: judging.Answer) -> str:
    backward = answer.function("product_backward(g, x, weights)")
    inputs = judging.numbers(2, 4, 1, 2, 2), judging.numbers(2, 1, 2, 2, 1)

    def last(g, x, weights):
        dx = np.zeros_like(x)
        for i, plane in enumerate(weights):
            dx[:, i : i + g.shape[1]] = np.einsum("ndhwf,hwcf->ndhwc", g, plane)
        return dx, None

    def whole(g, x, weights):
        made = [np.einsum("ndhwc,ndhwf->hwcf", x[:, i : i + 3], g) for i in range(2)]
        return None, np.stack([sum(made)] * 2)

    def first_frames(g, x, weights):
        return None, np.stack([np.einsum("ndhwc,ndhwf->hwcf", x[:, :3], g)] * 2)

    def of_plane(g, x, weights):
        dx = np.zeros_like(x)
        for i in range(len(weights)):
            dx[:, i : i + g.shape[1]] += np.einsum("ndhwf,hwcf->ndhwc", g, weights[0])
        return dx, None

    lost = "of a frame that two outputs see, dx has what came last only; the earlier one is lost"
    words = judging.gradients(
        product,
        backward,
        inputs,
        "x weights",
        mistakes={
            lost: last,
            "every plane looks at the frames from 0 on; plane i looks at those from i on": first_frames,
            "every plane of the weights is taken for the first": of_plane,
            "each plane of dweights has what belongs to both: it has frames of its own": whole,
        },
    )
    with judging.besides("one clip and three planes of weights"):
        judging.gradients(
            product, backward, [judging.numbers(1, 4, 2, 1, 1), judging.numbers(3, 2, 1, 1, 2)], "x weights"
        )
    return words
