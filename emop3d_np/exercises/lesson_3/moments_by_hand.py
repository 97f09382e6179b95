"""A normalised map by hand

A map has the four values `x = (2, 6, 2, 6)`. It is normalised with `epsilon = 0`: `y = (x - mean) / sqrt(var)`, where
the variance is the mean of the squared distances from the mean. The gradient `dy = (0, 4, 0, 0)` arrives.

Predict:

- `y_0`: the first value of `y`.
- `dx_1`: the second value of the gradient of `x`.
- `dx_3`: the last one. Its `dy` is 0; does `x_3` do nothing?
- `dx_of_ones`: any value of `dx` if `dy` were `(1, 1, 1, 1)`.

The page: [Normalisation](normalisation.md#by-hand).
"""

HINTS = (
    "The mean is 4; each value is 2 away from it, so the variance is 4, and one over the deviation is s = 1/2.",
    "dx = s * (dy - mean(dy) - y * mean(dy * y)). First the two means.",
    "mean(dy) = 1, and mean(dy * y) = 1, since the y of the 4 is 1. So dx is half of dy - 1 - y.",
)

# --- answer
#: begin
#| y_0 = None
#| dx_1 = None
#| dx_3 = None
#| dx_of_ones = None
y_0 = -1
dx_1 = 1
dx_3 = -1
dx_of_ones = 0
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    values = {
        -2: "that is the distance from the mean; divide by the deviation",
        1: "x_0 is below the mean",
        -2 / (16 / 3) ** 0.5: "the variance is a mean over all four; nothing is divided by 3",
        -0.5: "divide by the deviation, the root of the variance, not by the variance",
    }
    judging.number(answer, "y_0", -1, values)
    given = {
        2: "that has both means, but is not divided by the deviation",
        1.5: "one of the three terms is missing: x acts directly, through the mean, and through the variance",
        3: "that is dy less its mean; x acts through the variance, too, and the sum is divided by the deviation",
        0.5: "one over the deviation comes in once: it is half of 4 - 1 - 1",
        4: "that is dy; the mean and the variance move with x, too, and y is divided by the deviation",
    }
    judging.number(answer, "dx_1", 1, given)
    given = {
        0: "its own dy is 0, but x_3 moves the mean and the variance, and so all of y",
        -0.5: "x_3 moves the mean and the variance; one of these two terms is missing",
        -2: "that is not divided by the deviation",
        1: "both terms are taken off",
    }
    judging.number(answer, "dx_3", -1, given)
    judging.number(
        answer,
        "dx_of_ones",
        0,
        {
            1: "what all of dy have in common is taken off with its mean",
            0.5: "what all of dy have in common is taken off with its mean",
        },
    )
    return "dx is (0, 1, 0, -1): it adds up to 0, and is at right angles to y"
