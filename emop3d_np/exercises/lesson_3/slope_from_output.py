"""The slope from what came out

The backward pass of the leaky ReLU needs to know where `z` was positive. The fast kernels forget `z`: they write `y`
over it, and read the slope off `y`.

`backward(dy, y, alpha)` gives `dz` from `dy` and the *output* `y = max(alpha * z, z)`. `alpha` is between 0 and 1, and
all arrays have one shape, whatever it is. At `z = 0` the slope is `alpha`. The file has a first try. Mend it.

The page: [Leaky ReLU](leaky_relu.md#what-the-fast-edition-does-differently-and-why-it-is-the-same).
"""

HINTS = (
    "Where z is positive, what sign has y? And where z is negative? Does the condition say so?",
    "np.where(condition, a, b) takes from a where the condition holds, else from b. Both are to be gradients.",
    "As alpha > 0, y has the sign of z, and the condition is right. Below 0, dz is the slope times what arrives.",
)

# --- answer
import numpy as np


def backward(dy, y, alpha):
    """The gradient dz, from the output."""
    #: begin
    #| return np.where(y > 0, dy, alpha * y)
    return np.where(y > 0, dy, alpha * dy)
    #: end


# --- judge
from kernels.reference.leaky_relu import leaky_relu

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dy, y, alpha)")
    z = judging.numbers(2, 3)
    words = judging.gradients(
        lambda z: leaky_relu(z, 0.2),
        lambda dy, z: backward(dy, leaky_relu(z, 0.2), 0.2),
        [z],
        "z",
        mistakes={
            "below 0 the gradient has y in it; the slope there is the number alpha": lambda dy, z: np.where(
                z > 0, dy, 0.04 * z
            ),
            "alpha is on the wrong side: it belongs to z <= 0": lambda dy, z: np.where(z > 0, 0.2 * dy, dy),
            "below 0 nothing passes; this ReLU leaks": lambda dy, z: np.where(z > 0, dy, 0),
            "the sign of dy is asked; the slope goes by the sign of y": [
                lambda dy, z: np.where(dy > 0, dy, 0.2 * dy),
                lambda dy, z: np.where(dy > 0, 0.2 * dy, dy),
            ],
            "below 0 the gradient has y in it, too; the slope there is the number alpha, times dy": (
                lambda dy, z: np.where(z > 0, dy, 0.04 * z * dy)
            ),
            "that is the slope alone; it comes times dy": lambda dy, z: np.where(z > 0, 1.0, 0.2),
        },
    )
    with judging.besides("alpha = 0.7 and five axes"):
        judging.gradients(
            lambda z: leaky_relu(z, 0.7),
            lambda dy, z: backward(dy, leaky_relu(z, 0.7), 0.7),
            [judging.numbers(1, 2, 1, 2, 3)],
            "z",
        )
    dy = np.array([3.0, 5.0])
    dz = judging.array(backward(dy, np.array([0.0, 1.0]), 0.2), (2,), "dz")
    if dz[0] != 0.2 * dy[0]:
        raise judging.Wrong(f"at z = 0 the slope is alpha, by the rule y > 0; here it is {dz[0] / dy[0]:g}")
    return words + ", and the slope at 0 is the one agreed on"
