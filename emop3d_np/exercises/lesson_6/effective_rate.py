"""Three times as large

The weights and biases of `L1WS`, which a normalisation follows, are made 3 times as large; the clips and all else
stay. (Leave the epsilon of the normalisation out of account.) Predict by what factor each of these changes:

- `OUTPUT`: what `NORM_2` gives.
- `GRADIENT`: the length of the loss's gradient by the weights of `L1WS`.
- `TURN`: the angle by which one step of descent at the same rate turns these weights, if it is small.
- `RATE`: by what factor the learning rate of this layer has to change for the angle to be as before.

A factor of 1 means: it stays.

The page: [The pyramid](pyramid.md#what-it-starts-from).
"""

HINTS = (
    "The normalisation divides by whatever deviation comes out.",
    "If the loss at 3 W is the same as at W, whatever W is, differentiate both sides by W: 3 times the gradient at 3 "
    "W is "
    "the gradient at W.",
    "The step is a third as long, and what it turns is 3 times as long. The rate has to make up for both.",
)

# --- answer
#: begin
#| OUTPUT = None
#| GRADIENT = None
#| TURN = None
#| RATE = None
OUTPUT = 1
GRADIENT = 1 / 3
TURN = 1 / 9
RATE = 9
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(
        answer, "OUTPUT", 1, {3: "the normalisation divides by the deviation, and that is 3 times as large, too"}
    )
    judging.number(
        answer,
        "GRADIENT",
        1 / 3,
        {
            3: "to change large weights by the same share takes a longer way, so the slope per unit of way is smaller",
            1: "the loss stays, but its slope does not: the same step is a smaller share of larger weights",
            1 / 9: "the length falls once by 3; the square comes in with the angle",
            0: "the direction of the weights still matters to the loss",
        },
    )
    judging.number(
        answer,
        "TURN",
        1 / 9,
        {
            1 / 3: "that is the length of the step; what it turns is 3 times as long, too",
            1: "a shorter step and a longer arm: both make the angle smaller",
            9: "larger weights turn more slowly",
            3: "larger weights turn more slowly",
        },
    )
    judging.number(
        answer,
        "RATE",
        9,
        {
            3: "that makes up for the shorter gradient alone; the weights are longer, too",
            1 / 9: "a lower rate would make the angle smaller still",
            1 / 3: "a lower rate would make the angle smaller still",
        },
    )
    return "the effective rate goes as one over the square of the weights"
