"""ADAM's first steps are too short

`adam_step(w, m, v, g, t, rate)` keeps running means of the gradient and of its square, which begin at 0, and so are
too small at first. It makes up for that in the rate. `t` is 1 in the first step. For a constant gradient far larger
than EPSILON every step should be as long as the rate. This one's first step is 32 times too short. Find the mistake.

    m = m + (1 - BETA1) (g - m)
    v = v + (1 - BETA2) (g**2 - v)
    w = w - rate_t m / (sqrt(v) + EPSILON)

The page: [Momentum](momentum.md#adam), on what `rate_t` is.
"""

HINTS = (
    "After t steps of a constant gradient, m is `(1 - BETA1**t) g` and v is `(1 - BETA2**t) g**2`.",
    "32 is the root of 1000. What of the second moment stands under a root?",
    "The step divides by the root of v, so the correction of v comes in as `sqrt(1 - BETA2**t)`.",
)

# --- answer
import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def adam_step(w, m, v, g, t, rate):
    """The new parameters, and the new means of gradients and of squares; ``t`` counts from 1."""
    m = m + (1 - BETA1) * (g - m)
    v = v + (1 - BETA2) * (g**2 - v)
    #: begin
    #| rate_t = rate * (1 - BETA2**t) / (1 - BETA1**t)
    #| return w - rate_t * m / (np.sqrt(v) + EPSILON), m, v
    rate_t = rate * np.sqrt(1 - BETA2**t) / (1 - BETA1**t)
    return w - rate_t * m / (np.sqrt(v) + EPSILON), m, v
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    step = answer.function("adam_step(w, m, v, g, t, rate)")
    for rate, g, what in (
        (0.01, judging.numbers(4), ""),
        (0.01, np.full(4, 1e-8), " for a gradient of 1e-8"),
        (0.2, judging.numbers(3), " at a rate of 0.2"),
    ):
        w, m, v = judging.numbers(len(g), seed=1), np.zeros(len(g)), np.zeros(len(g))
        for t in (1, 2, 3):
            got, got_m, got_v = judging.tuple_of(step(w, m, v, g, t, rate), "w m v")
            case, was_m, was_v = f"step {t}{what}: ", m, v
            m, v = m + (1 - BETA1) * (g - m), v + (1 - BETA2) * (g**2 - v)
            first, second = 1 - BETA1**t, 1 - BETA2**t
            kept = "{} is returned corrected; the plain mean is kept, and the correction is in the rate"
            _see(got_m, m, f"{case}m", {kept.format("m"): m / first, "m is returned as it was": was_m})
            looks = {
                kept.format("v"): v / second,
                "v is returned as it was": was_v,
                "the root of v is returned as v; the root is for the step alone": np.sqrt(v),
            }
            _see(got_v, v, f"{case}v", looks)
            looks = {
                "the correction of m is right, that of v is not": rate * second / first * m / (np.sqrt(v) + EPSILON),
                "the means are not corrected at all; they begin at 0": rate * m / (np.sqrt(v) + EPSILON),
                "the correction of m is missing": rate * np.sqrt(second) * m / (np.sqrt(v) + EPSILON),
                "the correction of v is missing": rate / first * m / (np.sqrt(v) + EPSILON),
                "both corrections are upside down": rate * first / np.sqrt(second) * m / (np.sqrt(v) + EPSILON),
                "EPSILON stands under the root; it is added to the root": (
                    rate * np.sqrt(second) / first * m / np.sqrt(v + EPSILON)
                ),
                "the correction counts t from 0; the first step has t = 1 already": (
                    rate * np.sqrt(1 - BETA2 ** (t + 1)) / (1 - BETA1 ** (t + 1)) * m / (np.sqrt(v) + EPSILON)
                ),
                _like_the_sign(step, rate): rate * m / first / (np.sqrt(v / second) + EPSILON),
                "the correction of m has no root; that of v alone has": rate
                * np.sqrt(second / first)
                * m
                / (np.sqrt(v) + EPSILON),
                "it is the correction of v that stands under the root, and not that of m": (
                    rate * second / np.sqrt(first) * m / (np.sqrt(v) + EPSILON)
                ),
                "the correction is that of step 1; t is left out": (
                    rate * np.sqrt(1 - BETA2) / (1 - BETA1) * m / (np.sqrt(v) + EPSILON)
                ),
                "the factor 32 is right in step 1 alone; the root of the correction is in every step": (
                    rate * second / np.sqrt(1 - BETA2) / first * m / (np.sqrt(v) + EPSILON)
                ),
                "w goes up the gradient; a step goes against it": (
                    -rate * np.sqrt(second) / first * m / (np.sqrt(v) + EPSILON)
                ),
                "the root of v is missing": rate * np.sqrt(second) / first * m / (v + EPSILON),
            }
            moved = rate * np.sqrt(second) / first * m / (np.sqrt(v) + EPSILON)
            _see(got, w - moved, f"{case}w", {words: w - wrong for words, wrong in looks.items()})
            w = w - moved
    return "as the package's Adam, far above EPSILON and near it"


def _see(got, right, what, mistakes):
    """As ``judging.same``; the step stands before the words, too."""
    case = what[: what.index(": ") + 2]
    judging.same(got, right, what, {case + words: looks for words, looks in mistakes.items()})


def _like_the_sign(step, rate):
    """Where gradients are large, two mistakes look alike; where they are as small as EPSILON they do not."""
    tiny, zeros = np.full(2, EPSILON), np.zeros(2)
    w = judging.tuple_of(step(zeros, zeros, zeros, tiny, 1, rate), "w m v")[0]
    if judging.shape_of(w) == (2,) and np.allclose(w, -rate):
        return "every step is as long as the rate, whatever m and v are; they are what makes it longer or shorter"
    return (
        "this is the form of the paper's algorithm 1, whose EPSILON counts less; here both corrections are in the rate"
    )
