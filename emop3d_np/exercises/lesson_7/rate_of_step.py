"""A rate that rises, then falls

Write `rate_of_step(step, rate, stairs, factor, warm_up)`, the learning rate of a step; the first step is number 0.
Two things are multiplied:

- the staircase: the rate, times `factor` for every `stairs` whole steps that have passed: in the steps from 0 to
  stairs - 1 the rate itself, then `factor` times that, and so on;
- the warm-up: `(step + 1) / warm_up`, but never more than 1. The staircase counts its steps from the beginning all
  the same.

The page: Momentum, [line by line](momentum.md#line-by-line), and there [a gentle start](momentum.md#a-gentle-start).
"""

HINTS = (
    "How many stairs have been taken at a step is a quotient, rounded down.",
    "`min(1, ...)` keeps the warm-up from going on.",
    "`rate * factor ** (step // stairs) * min(1, (step + 1) / warm_up)`.",
)

# --- answer


def rate_of_step(step, rate, stairs, factor, warm_up):
    """The learning rate of a step, counted from 0."""
    #: begin
    return rate * factor ** (step // stairs) * min(1, (step + 1) / warm_up)
    #: end


# --- judge
import numpy as np

from emop3d_np import optimizers

from .. import judging


def judge(answer: judging.Answer) -> str:
    rate_of_step = answer.function("rate_of_step(step, rate, stairs, factor, warm_up)")
    _judge(rate_of_step, 0.8, 10, 0.5, 4)
    with judging.besides("another rate, staircase and warm-up"):
        _judge(rate_of_step, 0.3, 7, 0.9, 5)
    _judge(rate_of_step, 0.4, 4, 0.7, 9)  # whose warm-up goes on for two stairs
    return "right on the rise, on every stair and at every edge"


def _judge(rate_of_step, rate, stairs, factor, warm_up):
    right = optimizers.warm_up(optimizers.exponential_decay(rate, stairs, factor), warm_up)
    steps = np.arange(40)
    down, up = factor ** (steps // stairs), np.minimum(1, (steps + 1) / warm_up)
    judging.same(
        np.array(
            [judging.array(rate_of_step(int(step), rate, stairs, factor, warm_up), (), "the rate") for step in steps]
        ),
        np.array([right(int(step)) for step in steps]),
        "rates by step",
        {
            "the rate of step 0 must not be 0: the warm-up has (step + 1)": rate
            * down
            * np.minimum(1, steps / warm_up),
            "the warm-up goes on rising; it never gives more than 1": rate * down * (steps + 1) / warm_up,
            "the stairs are a slope: the quotient is to be rounded down": rate * factor ** (steps / stairs) * up,
            "the staircase counts from the end of the warm-up; it counts from the beginning": (
                rate * factor ** (np.maximum(0, steps - warm_up) // stairs) * up
            ),
            "the staircase is one step late": rate * factor ** (np.maximum(0, steps - 1) // stairs) * up,
            "the staircase is one step early": rate * factor ** ((steps + 1) // stairs) * up,
            "the warm-up is missing": rate * down,
            "in the warm-up the staircase is left out; the two are multiplied in every step": (
                rate * np.where(steps < warm_up, up, down)
            ),
            "the two are added; they are multiplied": rate * down + up,
            "the smaller of the two is taken; they are multiplied": np.minimum(rate * down, up),
            "the smaller of the two factors is taken; they are multiplied": rate * np.minimum(down, up),
            "the larger of 1 and the warm-up is taken; it never gives more than 1": (
                rate * down * np.maximum(1, (steps + 1) / warm_up)
            ),
            "the warm-up takes a step too long: at its last step, warm_up - 1, it gives 1": (
                rate * down * np.minimum(1, (steps + 1) / (warm_up + 1))
            ),
            "// rounds the warm-up down to 0": rate * down * np.minimum(1, (steps + 1) // warm_up),
            "the quotient is rounded up; it is to be rounded down": rate * factor ** -(-steps // stairs) * up,
            "the quotient is rounded to the nearest; it is to be rounded down": (
                rate * factor ** np.round(steps / stairs) * up
            ),
            "% is what is left over of a division; the stairs are the quotient, //": rate
            * factor ** (steps % stairs)
            * up,
            "the factor is multiplied by the stairs; it comes in once per stair, as a power": (
                rate * factor * (steps // stairs) * up
            ),
            "it is the given rate at every step; nothing rises or falls": np.full(40, rate),
            "the rate itself is left out": down * up,
            "the staircase is missing": rate * up,
            "after the first stair the factor comes in once only; it comes in at every stair": (
                rate * np.where(steps >= stairs, factor, 1) * up
            ),
        },
    )
