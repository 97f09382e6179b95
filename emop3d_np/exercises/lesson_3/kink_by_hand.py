"""The slope at a kink

The leaky ReLU is `y = max(alpha * z, z)` with `alpha = 0.1`. Predict, without running it:

- `value`: `y` for `z = -30`.
- `slope_below`: the slope at `z = -30`.
- `slope_at_kink`: the slope that this project's backward pass uses at `z = 0`.
- `difference_at_kink`: what the central difference `(y(h) - y(-h)) / (2 h)` gives at 0, for any small `h > 0`.

The page: [Leaky ReLU](leaky_relu.md).
"""

HINTS = (
    "Left of 0 the function is the line alpha * z, right of it the line z.",
    "At 0 there is no slope. The page says which one is chosen, and by which comparison.",
    "y(h) is h and y(-h) is -0.1 h; their difference is 1.1 h.",
)

# --- answer
#: begin
#| value = None
#| slope_below = None
#| slope_at_kink = None
#| difference_at_kink = None
value = -3
slope_below = 0.1
slope_at_kink = 0.1
difference_at_kink = 0.55
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    values = {
        0: "that is a ReLU that does not leak",
        -30: "that is the line z; the larger of both lines counts",
        3: "z is negative",
    }
    judging.number(answer, "value", -3, values)
    slopes = {
        0: "that would be a ReLU that does not leak",
        1: "that is the slope of positive z",
        -0.1: "y grows with z, if slowly",
    }
    judging.number(answer, "slope_below", 0.1, slopes)
    choices = {
        1: "the slope at 0 would be 1 with z >= 0; the comparison is z > 0",
        0.55: "that is between the two, and a possible choice, but not the one made here",
        0: "that is no value between the slopes on both sides",
    }
    judging.number(answer, "slope_at_kink", 0.1, choices)
    differences = {
        0.1: "that is the slope on the left side alone; the difference looks at both",
        1: "that is the slope on the right side alone; the difference looks at both",
        0.5: "nearly: y(-h) is not 0",
        1.1: "divide by the whole distance, 2 h",
        0.45: "y(-h) is negative, and is taken off",
    }
    judging.number(answer, "difference_at_kink", 0.55, differences)
    return "at the kink a difference gives the mean of both slopes, which is neither; a checker must know"
