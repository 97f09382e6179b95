"""A twin: a slope that is learned

Let each map have a slope of its own, which is learned: `y = z` where `z > 0`, and `alpha[f] * z` elsewhere.

Write `backward(dy, z, alpha)`. `dy` and `z` have the shape `(n, d, h, w, f)`, `alpha` has `(f,)`. It returns the tuple
`dz, dalpha`: `dz` has the shape and dtype of `z`, `dalpha` those of `alpha`.

The pages: [Leaky ReLU](leaky_relu.md) for `dz`; for what a number collects when it is used in many places, the
[weighted sum's bias](weighted_sum.md#backward-line-by-line).
"""

HINTS = (
    "dz is as before; alpha of shape (f,) meets the last axis by itself.",
    "Where z > 0, alpha does nothing. Elsewhere, y = alpha[f] * z: what multiplies alpha?",
    "dalpha = (dy * np.where(z > 0, 0, z)).sum(axis=(0, 1, 2, 3))",
)

# --- answer
import numpy as np


def forward(z, alpha):
    """The activation y, of the shape of z."""
    return np.where(z > 0, z, alpha * z)


def backward(dy, z, alpha):
    """The gradients dz and dalpha."""
    #: begin
    dz = np.where(z > 0, dy, alpha * dy)
    dalpha = (dy * np.where(z > 0, 0, z)).sum(axis=(0, 1, 2, 3))
    return dz, dalpha
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dy, z, alpha)")
    everywhere = "dalpha collects where z is positive, too; there alpha does nothing"
    slope = "dalpha has alpha in it; what multiplies alpha in y is z"
    mean = "dalpha is a mean; a number that serves many places collects their sum"
    axes = (0, 1, 2, 3)
    mistakes = {
        "dalpha collects where z is positive; there alpha does nothing, and elsewhere it acts": (
            lambda dy, z, alpha: (None, (dy * np.where(z > 0, z, 0)).sum(axis=axes))
        ),
        everywhere: lambda dy, z, alpha: (None, (dy * z).sum(axis=axes)),
        slope: lambda dy, z, alpha: (None, (dy * np.where(z > 0, 0, alpha * z)).sum(axis=axes)),
        mean: lambda dy, z, alpha: (None, (dy * np.where(z > 0, 0, z)).mean(axis=axes)),
    }

    def exact(z, alpha):
        return np.where(np.real(z) > 0, z, alpha * z)

    inputs = judging.numbers(2, 1, 2, 2, 2), np.abs(judging.numbers(2))
    words = judging.gradients(exact, backward, inputs, "z alpha", mistakes=mistakes)
    with judging.besides("3 maps"):
        judging.gradients(exact, backward, (judging.numbers(1, 2, 1, 2, 3), np.abs(judging.numbers(3))), "z alpha")
    small = [each.astype(np.float32) for each in (judging.numbers(2, 1, 2, 2, 2, seed=1), *inputs)]
    for name, got, like in zip(("dz", "dalpha"), backward(*small), small[1:], strict=True):
        judging.array(got, like.shape, f"{name} of arrays of float32", np.float32)
    dz, _ = backward(np.array([3.0, 5.0]).reshape(1, 1, 1, 1, 2), np.zeros((1, 1, 1, 1, 2)), np.array([0.25, 0.5]))
    at_kink = {"at z = 0 the slope is alpha, by the rule z > 0; here it is 1": np.array([3.0, 5.0])}
    judging.same(np.ravel(dz), np.array([0.75, 2.5]), "dz at z = 0", at_kink)
    return words
