"""Find the mistake that hides at variance 1

Somebody tested this backward pass of a normalisation on standard normal numbers. There it was nearly right, and the
small difference was put down to rounding. With other numbers it is far off.

The normalisation is that of `normalise_backward`: `y = (x - mean) * s`, `s = 1 / sqrt(var + epsilon)`, over `(h, w)`.
Find the mistake, and mend it.

The page: [Normalisation](normalisation.md#backward-three-ways-for-x-to-act).
"""

HINTS = (
    "What is the same as something else if the variance is 1?",
    "y and x - mean are the same there. Which of them belongs into each place?",
    "If x moves by t, s moves by -s^3 * mean(centred * t), and through it y by -s * y * mean(y * t): y stands there "
    "twice.",
)

# --- answer
import numpy as np


def backward(dy, x, epsilon):
    """The gradient dx."""
    centred = x - x.mean(axis=(2, 3), keepdims=True)
    s = 1 / np.sqrt((centred**2).mean(axis=(2, 3), keepdims=True) + epsilon)
    y = centred * s
    #: begin
    #| through_mean = dy.mean(axis=(2, 3), keepdims=True)
    #| through_variance = centred * (dy * y).mean(axis=(2, 3), keepdims=True)
    #| return s * (dy - through_mean - through_variance)
    through_mean = dy.mean(axis=(2, 3), keepdims=True)
    through_variance = y * (dy * y).mean(axis=(2, 3), keepdims=True)
    return s * (dy - through_mean - through_variance)
    #: end


# --- judge
from .. import judging


def standardized(x, epsilon):
    """The normalisation, from the definition."""
    mean = x.mean(axis=(2, 3), keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axis=(2, 3), keepdims=True) + epsilon)


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dy, x, epsilon)")
    epsilon = 0.5

    def mistaken(power, one, other):
        def made(dy, x):
            centred = x - x.mean(axis=(2, 3), keepdims=True)
            s = 1 / np.sqrt((centred**2).mean(axis=(2, 3), keepdims=True) + epsilon)
            through_variance = centred * s**one * (dy * centred * s**other).mean(axis=(2, 3), keepdims=True)
            return s**power * (dy - dy.mean(axis=(2, 3), keepdims=True) - through_variance)

        return made

    mistakes = {
        "the share through the variance is wrong; count its factors s": mistaken(1, 0, 1),
        "the share through the variance lacks two factors s: it is s * y * mean(dy * y)": mistaken(1, 0, 0),
        "the share through the variance has a factor s too many: it is s * y * mean(dy * y)": mistaken(1, 2, 1),
        "the factor s before the bracket is lost": mistaken(0, 1, 1),
        "the factor before the bracket is s, not its square": mistaken(2, 1, 1),
        "the factor before the bracket was right; it is a share within it that lacks an s": mistaken(2, 0, 1),
    }

    def scaled_mean(dy, x):
        s = 1 / np.sqrt(x.var(axis=(2, 3), keepdims=True) + epsilon)
        return mistaken(1, 0, 1)(dy, x) + (s - s**2) * dy.mean(axis=(2, 3), keepdims=True)

    mistakes["the share through the mean is right without a factor s; the mistake is in the other"] = scaled_mean

    def without_keepdims(dy, x):
        centred = x - x.mean(axis=(2, 3), keepdims=True)
        s = 1 / np.sqrt((centred**2).mean(axis=(2, 3), keepdims=True) + epsilon)
        y = centred * s
        return s * (dy - dy.mean(axis=(2, 3), keepdims=True) - y * (dy * y).mean(axis=(2, 3)))

    mistakes["a mean lacks keepdims=True, and meets the maps of another clip"] = without_keepdims
    inputs = [3 * judging.numbers(2, 1, 2, 3, 2)]
    words = judging.gradients(
        lambda x: standardized(x, epsilon), lambda dy, x: backward(dy, x, epsilon), inputs, "x", mistakes=mistakes
    )
    with judging.besides("another epsilon and another size"):
        inputs = [judging.numbers(1, 2, 2, 2, 1)]
        judging.gradients(lambda x: standardized(x, 0.02), lambda dy, x: backward(dy, x, 0.02), inputs, "x")
    return words
