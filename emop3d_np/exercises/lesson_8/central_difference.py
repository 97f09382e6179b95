"""From one side to both

`numeric_gradient(F, x, h)` moves each element of `x` by `h` and sees what `F`, which gives one number, makes of it.
It takes differences to one side only, and so is wrong by about `h / 2` times the curvature. Make central differences
of it:

    (F with x[i] + h  -  F with x[i] - h) / (2 h)

It returns an array of the shape of `x`, and leaves `x` as it is.

The page: [How gradients are checked](gradients_checked.md#the-numeric-side).
"""

HINTS = (
    "Two moved copies of `x` are needed, one up and one down.",
    "What is between the two points is `2 * h`.",
    "`up[place] += h` and `down[place] -= h`, and then `(F(up) - F(down)) / (2 * h)`.",
)

# --- answer
import numpy as np


def numeric_gradient(F, x, h):
    """Gradient of ``F`` at ``x`` by differences."""
    gradient = np.empty(x.shape)
    for place in np.ndindex(x.shape):
        #: begin
        #| up = x.copy()
        #| up[place] += h
        #| gradient[place] = (F(up) - F(x)) / h
        up, down = x.copy(), x.copy()
        up[place] += h
        down[place] -= h
        gradient[place] = (F(up) - F(down)) / (2 * h)
        #: end
    return gradient


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    numeric_gradient = answer.function("numeric_gradient(F, x, h)")
    _judge(numeric_gradient, judging.numbers(2, 3), 0.1)
    with judging.besides("a row of 4 numbers and a step of 0.03"):
        _judge(numeric_gradient, judging.numbers(4), 0.03)
    return "central in every element; the error falls with the square of h"


def _judge(numeric_gradient, x, h):
    factors = np.arange(1, x.size + 1).reshape(x.shape)

    def F(moved):
        if judging.shape_of(moved) != x.shape:
            raise judging.Wrong(
                f"F is given the shape {judging.shape_of(moved)}; it takes all of x, {x.shape}, one element of it moved"
            )
        return float((factors * np.exp(moved)).sum())

    slopes = factors * np.exp(x)  # (e^h - e^-h) / 2h of it, and so on
    up, down = np.expm1(h), -np.expm1(-h)
    rows = {
        "a whole row is moved at once; each element is moved by itself": (
            np.ones(x.shape) * slopes.sum(axis=-1, keepdims=True) * (up + down) / (2 * h)
        )
    }
    judging.same(
        numeric_gradient(F, x, h),
        slopes * (up + down) / (2 * h),
        "the gradient",
        {
            "these are differences to one side, upwards": slopes * up / h,
            "these are differences to one side, downwards": slopes * down / h,
            "it is twice too large: the two points are 2 h apart": slopes * (up + down) / h,
            "the difference is not divided": slopes * (up + down),
            "the sign is turned: it is the upper value less the lower": -slopes * (up + down) / (2 * h),
            "this is the way to one side over 2 h; F(x) stands where F of the lower point is meant": slopes
            * up
            / (2 * h),
            "/ 2 * h divides by 2 and multiplies by h: it is / (2 * h)": slopes * (up + down) / 2 * h,
            "it is 0 everywhere: are up and down one array? down = up makes no copy": 0 * slopes,
            "all elements are moved at once; each is moved by itself": np.full(
                x.shape, slopes.sum() * (up + down) / (2 * h)
            ),
            "what was moved is not put back: every element is moved together with all before it": (
                np.cumsum(slopes * (up + down) / (2 * h)).reshape(x.shape)
            ),
            "the points are 2 h away on either side, not h": slopes * np.sinh(2 * h) / (2 * h),
            "the step is fixed in it; h is what is given": [
                slopes * np.sinh(step) / step for step in (1e-3, 1e-4, 1e-5, 1e-6)
            ],
            "the points are h / 2 away on either side, not h": slopes * 2 * np.sinh(h / 2) / h,
        }
        | (rows if x.ndim > 1 else {}),
    )
