"""The best step

Let each value of F be wrong by up to u (rounding), and F and all its derivatives be about 1. Then

- the central difference is wrong by about `u / h + h**2 / 6`,
- the forward difference, `(F(x + h) - F(x)) / h`, by about `2 * u / h + h / 2`.

Predict, by setting a derivative to 0:

- `CENTRAL`: the step of the least error of the central difference.
- `FORWARD`: that of the forward difference.
- `FORWARD_ERROR`: the error of the forward difference at that step.
- `CENTRAL_32`: the best step of the central difference in float32.

Write expressions with `U64` and `U32`, the u of both formats.

The page: [How gradients are checked](gradients_checked.md#the-numeric-side).
"""

HINTS = (
    "The derivative of `u / h + h**2 / 6` by h is `-u / h**2 + h / 3`.",
    "`CENTRAL` is on the page. For the forward difference: `-2 * u / h**2 + 1 / 2 = 0`.",
    "`CENTRAL = (3 * U64) ** (1 / 3)`, `FORWARD = 2 * U64 ** 0.5`; put that into the formula of its error.",
)

# --- answer
U64, U32 = 2.0**-53, 2.0**-24

#: begin
#| CENTRAL = None
#| FORWARD = None
#| FORWARD_ERROR = None
#| CENTRAL_32 = None
CENTRAL = (3 * U64) ** (1 / 3)
FORWARD = 2 * U64**0.5
FORWARD_ERROR = 2 * U64**0.5
CENTRAL_32 = (3 * U32) ** (1 / 3)
#: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    _compare(
        answer,
        "CENTRAL",
        (3 * U64) ** (1 / 3),
        {
            "the two parts of the error are equal there, but their sum is not least": (6 * U64) ** (1 / 3),
            "a square root would be right if the error grew with h; it grows with its square": [
                (3 * U64) ** 0.5,
                U64**0.5,
            ],
            "the root is the third one: ** (1 / 3), in brackets": U64,
            "this is the error at that step; the step is asked for": 1.5 * U64 / (3 * U64) ** (1 / 3),
            "the factor 3 is missing; the derivative of h**2 / 6 is h / 3": U64 ** (1 / 3),
            "this is for float32": (3 * U32) ** (1 / 3),
        },
    )
    _compare(
        answer,
        "FORWARD",
        2 * U64**0.5,
        {
            "the rounding part has 2 u, since both values are rounded": (2 * U64) ** 0.5,
            "the derivative of h / 2 is 1/2, which is missing": (2 * U64) ** 0.5,
            "the factor 2 is missing": U64**0.5,
            "the square root is missing: -2 u / h**2 + 1 / 2 is 0": 4 * U64,
            "this is that of the central difference; here the error grows with h itself": (3 * U64) ** (1 / 3),
        },
    )
    _compare(
        answer,
        "FORWARD_ERROR",
        2 * U64**0.5,
        {
            "this is one of the two parts; both are as large there": U64**0.5,
            "u is the error of a value; the slope's is larger, since it is divided by h": U64,
            "that is the part 2 u / h twice": 4 * U64**0.5,
        },
    )
    _compare(
        answer,
        "CENTRAL_32",
        (3 * U32) ** (1 / 3),
        {
            "this is for float64": (3 * U64) ** (1 / 3),
            "this is the forward difference's": 2 * U32**0.5,
            "the factor 3 is missing; the derivative of h**2 / 6 is h / 3": U32 ** (1 / 3),
        },
    )
    return "7e-6, 2e-8 with an error of 2e-8, and 0.006 in float32"


def _compare(answer, name, right, mistakes):
    """As ``judging.number``, but by the share: the numbers are small."""
    got = answer.value(name)
    if judging.shape_of(got) != () or np.asarray(got).dtype.kind not in "fiu" or not np.isfinite(got):
        raise judging.Wrong(f"{name} is {got!r}; put your number there")
    if abs(got - right) <= 1e-3 * right:
        return
    if got == 0:
        raise judging.Wrong(f"{name} is not 0: with so small a step rounding, which is divided by it, is all there is")
    for words, wrong in mistakes.items():
        if any(abs(got - each) <= 1e-3 * each for each in np.atleast_1d(wrong)):
            raise judging.Wrong(f"{name} is not {got:.3g}: {words}")
    raise judging.Wrong(f"{name} is not {got:.3g}; it is {'less' if right < got else 'more'}")
