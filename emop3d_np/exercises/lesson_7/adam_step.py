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
            m, v = m + (1 - BETA1) * (g - m), v + (1 - BETA2) * (g**2 - v)
            first, second = 1 - BETA1**t, 1 - BETA2**t
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
                "this is the form of the paper's algorithm 1, whose EPSILON counts less; here both corrections are in "
                "the rate": rate * m / first / (np.sqrt(v / second) + EPSILON),
                "the root of v is missing": rate * np.sqrt(second) / first * m / (v + EPSILON),
            }
            moved = rate * np.sqrt(second) / first * m / (np.sqrt(v) + EPSILON)
            case = f"step {t}{what}: "
            judging.same(got, w - moved, f"{case}w", {case + words: w - wrong for words, wrong in looks.items()})
            judging.same(got_m, m, f"{case}m")
            judging.same(got_v, v, f"{case}v")
            w = w - moved
    return "as the package's Adam, far above EPSILON and near it"
