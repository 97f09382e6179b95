"""A kink, or only steep

At a kink the slopes to the left and to the right differ. At a smooth, curved point they differ, too, if taken over a
step h; but there their difference falls in proportion to h, while at a kink it stays.

Write `is_kink(F, x, h)`, True or False. See how far the sides are apart,

    (F(x + h) - F(x)) / h  -  (F(x) - F(x - h)) / h

for `h` and for `h / 2`, and call it a kink if the second is more than three quarters of the first in size. (A real
check also asks whether the two differ by more than rounding; here they do.)

The page: [How gradients are checked](gradients_checked.md#kinks-and-ties).
"""

HINTS = (
    "The same formula twice: make it a small function of its own, of h.",
    "Sizes are compared: a kink may bend upwards or downwards.",
    "`return abs(apart(h / 2)) > 0.75 * abs(apart(h))`, with `apart` the formula of the task.",
)

# --- answer


def is_kink(F, x, h):
    """Whether ``F``, a function of one number, has a kink at ``x``."""
    #: begin
    apart = [(F(x + t) - F(x)) / t - (F(x) - F(x - t)) / t for t in (h, h / 2)]
    return abs(apart[1]) > 0.75 * abs(apart[0])
    #: end


# --- judge
import math

import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    is_kink = answer.function("is_kink(F, x, h)")
    cases = (
        (
            lambda x: max(x, 0.01 * x),
            0.0,
            True,
            "the leaky ReLU at 0 is a kink, and is not found: its sides are 0.99 apart at h and at h / 2; if yours are "
            "not, is each divided by its own step?",
        ),
        (
            lambda x: x**2,
            1.0,
            False,
            "x**2 at 1 is smooth, and is called a kink: its sides are 0.02 apart at h = 0.01, and 0.01 at h / 2, which "
            "is less than three quarters",
        ),
        (lambda x: -abs(x) + x**2, 0.0, True, "a kink that bends downwards is not found: compare sizes"),
        (
            lambda x: 1e4 * x**2,
            0.3,
            False,
            "a steep curve is called a kink: its sides are far apart, but half as far at h / 2",
        ),
        (
            lambda x: 1e-4 * abs(x),
            0.0,
            True,
            "a kink of small slopes is not found: compare the two steps, not with a fixed number",
        ),
        (lambda x: -math.exp(x), 0.5, False, "-exp(x) at 0.5 is smooth, and is called a kink"),
        (lambda x: max(x - 0.7, 2 * (x - 0.7)) + math.sin(x), 0.7, True, "a kink away from x = 0 is not found"),
    )
    for F, x, right, words in cases:
        got = is_kink(F, x, 0.01)
        if not isinstance(got, (bool, np.bool_)):
            raise judging.Wrong(f"{got!r:.60} is returned; it must be True or False")
        if bool(got) != right:
            raise judging.Wrong(words)
    if is_kink(lambda x: max(x, 0.01 * x) + x**2, 0.007, 0.01):
        raise judging.Wrong(
            "a kink that is 0.007 away counts as one at x, though h / 2 = 0.005 does not reach it: is the second "
            "step h / 2?"
        )
    if is_kink(lambda x: max(x, 0.01 * x) + x**2, 0.001, 0.0005):
        raise judging.Wrong("a kink that is 0.001 away counts as one at x with h = 0.0005: the steps are h and h / 2")
    return "every kink is found, and no curve is taken for one"
