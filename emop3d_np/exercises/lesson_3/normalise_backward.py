"""The backward pass of a normalisation

Forward, for each clip, frame and map, over its rows and columns: `y = (x - mean) * s`, with
`s = 1 / sqrt(var + epsilon)` and the population variance `var`.

Write `backward(dy, x, epsilon)`. All arrays have the shape `(n, d, h, w, f)`; means run over `(h, w)`.
Three terms: `x` acts directly, through the mean, and through the variance.

The page: [Normalisation](normalisation.md#backward-three-ways-for-x-to-act).
"""

HINTS = (
    "First y once more. axis=(2, 3) and keepdims=True keep the means in a shape that fits.",
    "The share that went through the mean is the mean of dy. That through the variance has the mean of dy * y in it.",
    "dx = s * (dy - mean of dy - y * mean of (dy * y))",
)

# --- answer
import numpy as np


def moments(x, epsilon):
    """What is left without the mean, and one over the deviation."""
    centred = x - x.mean(axis=(2, 3), keepdims=True)
    return centred, 1 / np.sqrt((centred**2).mean(axis=(2, 3), keepdims=True) + epsilon)


def backward(dy, x, epsilon):
    """The gradient dx."""
    centred, s = moments(x, epsilon)
    #: begin
    y = centred * s
    mean_dy = dy.mean(axis=(2, 3), keepdims=True)
    mean_dy_y = (dy * y).mean(axis=(2, 3), keepdims=True)
    return s * (dy - mean_dy - y * mean_dy_y)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dy, x, epsilon)")
    epsilon = 0.5

    def asked(epsilon):
        def forward(x):
            centred, s = moments(x, epsilon)
            return centred * s

        return forward, lambda dy, x: backward(dy, x, epsilon)

    def mistaken(form, axes=(2, 3), collect=np.mean):
        def made(dy, x):
            centred, s = moments(x, epsilon)
            y = centred * s
            means = [collect(each, axis=axes, keepdims=True) for each in (dy, dy * y)]
            return form(s, dy, y, *means)

        return made

    def right(s, dy, y, m, v):
        return s * (dy - m - y * v)

    mistakes = {
        "the term of the mean is missing: who moves one x moves the mean": lambda s, dy, y, m, v: s * (dy - y * v),
        "the term of the variance is missing: who moves one x moves the deviation": lambda s, dy, y, m, v: s * (dy - m),
        "both means are missing: dx is dy over the deviation only": lambda s, dy, y, m, v: s * dy,
        "all is there but the factor s": lambda s, dy, y, m, v: dy - m - y * v,
        "the term of the variance has the wrong sign": lambda s, dy, y, m, v: s * (dy - m + y * v),
        "the term of the mean has the wrong sign": lambda s, dy, y, m, v: s * (dy + m - y * v),
        "the mean of dy * y is not the mean of dy times y": lambda s, dy, y, m, v: s * (dy - m - y * m),
        "the term of the variance lacks y: it is the mean of dy * y, times y": lambda s, dy, y, m, v: s * (dy - m - v),
        "the term of the variance has x - mean for y at both places": lambda s, dy, y, m, v: (
            s * (dy - m - y * v / s**2)
        ),
        "the mean of dy * y is not the mean of dy times y, here with y once more": lambda s, dy, y, m, v: (
            s * (dy - m - y**2 * m)
        ),
        "the term of the variance is halved; the 2 of a square and the half of a root cancel": lambda s, dy, y, m, v: (
            s * (dy - m - y * v / 2)
        ),
        "it is divided by s; s is one over the deviation already": lambda s, dy, y, m, v: (dy - m - y * v) / s,
        "this is y, the forward pass": lambda s, dy, y, m, v: y,
        "the term of the variance has x - mean in it where y belongs": lambda s, dy, y, m, v: s * (dy - m - y / s * v),
    }
    inputs = [3 * judging.numbers(3, 2, 2, 4, 2)]
    looks = {words: mistaken(form) for words, form in mistakes.items()}
    looks["sums stand where means belong"] = mistaken(right, collect=np.sum)
    looks["the means run over (h, w) only; here they run over more axes"] = [
        mistaken(right, axes) for axes in ((0, 1, 2, 3, 4), (1, 2, 3), (0, 1, 2, 3), (2, 3, 4), (1, 2, 3, 4))
    ]
    looks["the means run over (h, w), axes 2 and 3; here they run over others"] = [
        mistaken(right, axes) for axes in ((1, 2), (0, 1), (3, 4))
    ]
    looks["the mean of dy * y has x in the place of y"] = lambda dy, x: _with_x(dy, x, epsilon)
    looks["the term of the variance has x in it where y belongs"] = lambda dy, x: _all_x(dy, x, epsilon)
    words = judging.gradients(*asked(epsilon), inputs, "x", mistakes=looks)
    with judging.besides("another epsilon and another size"):
        judging.gradients(*asked(0.02), [judging.numbers(1, 2, 3, 2, 1)], "x")
    return words


def _all_x(dy, x, epsilon):
    s = moments(x, epsilon)[1]
    return s * (dy - dy.mean(axis=(2, 3), keepdims=True) - x * (dy * x).mean(axis=(2, 3), keepdims=True))


def _with_x(dy, x, epsilon):
    centred, s = moments(x, epsilon)
    return s * (dy - dy.mean(axis=(2, 3), keepdims=True) - centred * s * (dy * x).mean(axis=(2, 3), keepdims=True))
