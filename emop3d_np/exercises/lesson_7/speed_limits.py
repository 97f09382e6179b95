"""How fast momentum gets

Predict. Momentum keeps a running sum, `a = momentum * a + g`, and then makes the step `w = w - rate * a`. All begins
at 0.

- `SAME`: what `a` tends to for a momentum of 0.8, if the gradient is 1 in every step.
- `TO_AND_FRO`: the size that `a` tends to for a momentum of 0.8, if the gradient is 1, -1, 1, -1, ...
- `PLACE`: where `w` is after two steps with a gradient of 1, a momentum of 0.8 and a rate of 0.5.
- `ADAM`: where `w` is after the first step of ADAM at a rate of 0.1, for a gradient of -50. (Leave epsilon out of
  account.)

Write numbers, or expressions such as `1 / 7`.

The page: [Momentum](momentum.md#by-hand).
"""

HINTS = (
    "Where `a` does not change any more, `a = 0.8 * a + 1`. Where only its sign changes, `-a = 0.8 * a - 1`.",
    "The two steps of `PLACE` have `a = 1` and `a = 0.8 * 1 + 1`; `w` goes down by half of each.",
    "The first step of ADAM is as long as the rate, whatever the gradient is, and against it.",
)

# --- answer
#: begin
#| SAME = None
#| TO_AND_FRO = None
#| PLACE = None
#| ADAM = None
SAME = 5
TO_AND_FRO = 1 / 1.8
PLACE = -1.4
ADAM = 0.1
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(
        answer,
        "SAME",
        5,
        {
            10: "that is for a momentum of 0.9",
            1: "`a` is a sum and no mean: what stays the same builds up",
            4: "that is what is left of all steps before; the gradient of the step itself comes on top",
            1.25: "it is one over what is lost in a step, 1 - 0.8, and not over what is kept",
        },
    )
    judging.number(
        answer,
        "TO_AND_FRO",
        1 / 1.8,
        {
            1 / 1.9: "that is for a momentum of 0.9",
            5: "gradients of both signs do not build up",
            0: "they nearly cancel, but the last one counts more than the one before",
            0.2: "write down what `a` is after a step that only turns its sign: -a = 0.8 a - 1",
            -1 / 1.8: "the size is asked for",
        },
    )
    judging.number(
        answer,
        "PLACE",
        -1.4,
        {
            1.4: "a step goes against the gradient",
            -1: "that is without momentum",
            -0.9: "that is the second step alone; the first has moved `w`, too",
            -0.5: "that is the first step alone, in which a is 1; in the second it is larger",
            -2.8: "each step is multiplied by the rate, 0.5",
            -0.59: "here the gradient is not multiplied by 1 - momentum",
        },
    )
    judging.number(
        answer,
        "ADAM",
        0.1,
        {
            -0.1: "a step goes against the gradient, which is negative",
            -5: "ADAM divides by the root of the mean square: the size of the gradient does not matter",
            5: "ADAM divides by the root of the mean square: the size of the gradient does not matter",
            0.01: "the running means are too small at first, but the correction makes up for that",
            0.1 * 0.1 / 0.001**0.5: "that is without the correction for means that begin at 0",
        },
    )
    return "5, 1/1.8, -1.4 and 0.1"
