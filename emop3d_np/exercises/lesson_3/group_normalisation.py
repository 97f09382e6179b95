"""A twin: group normalisation

Now the maps of a group are normalised together: with `groups = 2`, the first half of the maps has one mean and one
variance for each clip, and the second half has another. To keep it short, there are no frames: `x` is
`(n, h, w, f)`.

`forward` is in the file: it puts the group into an axis of its own, `(n, h, w, groups, f / groups)`, and takes moments
over `(h, w)` and the maps of the group. Write `backward(dy, x, groups)`, which gives `dx` of the shape of `x`.

The page: [Normalisation](normalisation.md#backward-three-ways-for-x-to-act); only the axes of the means differ.
"""

HINTS = (
    "Put dy into the same five axes as x. All means run over the same axes as in forward.",
    "The formula is dx = s * (dy - mean(dy) - y * mean(dy * y)), as for one map.",
    "AXES is (1, 2, 4); at the end reshape to x.shape.",
)

# --- answer
import numpy as np

EPSILON = 1e-3
AXES = (1, 2, 4)


def normalised(x, groups):
    """The normalised x with its groups apart, and one over the deviations."""
    n, h, w, f = x.shape
    x = x.reshape(n, h, w, groups, f // groups)
    centred = x - x.mean(axis=AXES, keepdims=True)
    s = 1 / np.sqrt((centred**2).mean(axis=AXES, keepdims=True) + EPSILON)
    return centred * s, s


def forward(x, groups):
    """The normalised x, of its shape."""
    return normalised(x, groups)[0].reshape(x.shape)


def backward(dy, x, groups):
    """The gradient dx, of the shape of x."""
    y, s = normalised(x, groups)
    #: begin
    dy = dy.reshape(y.shape)
    mean_dy = dy.mean(axis=AXES, keepdims=True)
    mean_dy_y = (dy * y).mean(axis=AXES, keepdims=True)
    return (s * (dy - mean_dy - y * mean_dy_y)).reshape(x.shape)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dy, x, groups)")
    x = 2 * judging.numbers(3, 2, 2, 4)

    def over(axes, groups=2):
        def made(dy, x):
            y, s = normalised(x, groups)
            dy = dy.reshape(y.shape)
            mean, mean_y = dy.mean(axis=axes, keepdims=True), (dy * y).mean(axis=axes, keepdims=True)
            return (s * (dy - mean - y * mean_y)).reshape(x.shape)

        return made

    def without(mean, variance, factor=1):
        def made(dy, x):
            y, s = normalised(x, 2)
            dy = dy.reshape(y.shape)
            terms = [dy.mean(axis=AXES, keepdims=True), y * (dy * y).mean(axis=AXES, keepdims=True)]
            return (s**factor * (dy - mean * terms[0] - variance * terms[1])).reshape(x.shape)

        return made

    mistakes = {
        "the means run over (h, w) only; the maps of a group share their moments": over((1, 2)),
        "the means run over the clips, too; each clip has its own": over((0, 1, 2, 4)),
        "the means run over all groups; each has its own": over((1, 2, 3, 4)),
        "the means leave out axis 4, the maps of a group; they share their moments": over((1, 2, 3)),
        "the term of the mean is missing": without(0, 1),
        "the term of the variance is missing": without(1, 0),
        "all is there but the factor s": without(1, 1, 0),
        "the term of the variance has the wrong sign": without(1, -1),
        "the term of the mean has the wrong sign": without(-1, 1),
        "both terms have the wrong sign": without(-1, -1),
    }
    words = judging.gradients(lambda x: forward(x, 2), lambda dy, x: backward(dy, x, 2), [x], "x", mistakes=mistakes)
    with judging.besides("3 groups and two clips"):
        x = judging.numbers(2, 1, 2, 6)
        judging.gradients(lambda x: forward(x, 3), lambda dy, x: backward(dy, x, 3), [x], "x")
    return words
