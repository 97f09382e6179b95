"""How fast one gets down a valley

Predict. A valley is 9 times as steep across as it is along: its curvatures are 1 and 9. Plain descent with a rate
changes the distance in a direction of curvature c by the factor `1 - rate * c` per step.

- `LIMIT`: the rate above which descent does not come down any more but swings higher and higher.
- `BEST`: the best constant rate of plain descent.
- `FACTOR`: what is left of the distance per step at that rate, in the worst direction (0.5 would be half of it).
- `WITH_MOMENTUM`: what is left per step, nearly, with momentum at its best.

Write numbers or expressions.

The page: [Momentum](momentum.md#intuition).
"""

HINTS = (
    "It swings higher if `1 - rate * c` is below -1 for some curvature.",
    "The best rate makes the factors of both directions equal in size: `1 - rate = -(1 - 9 * rate)`.",
    "With curvatures from l to L, momentum at its best leaves (sqrt(L) - sqrt(l)) / (sqrt(L) + sqrt(l)).",
)

# --- answer
#: begin
#| LIMIT = None
#| BEST = None
#| FACTOR = None
#| WITH_MOMENTUM = None
LIMIT = 2 / 9
BEST = 2 / 10
FACTOR = 8 / 10
WITH_MOMENTUM = 1 / 2
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(
        answer,
        "LIMIT",
        2 / 9,
        {
            2: "the steep direction swings first, that of curvature 9",
            1 / 9: "at that rate the steep direction is done in one step; it may swing before it grows",
            1: "the steep direction swings first, that of curvature 9",
        },
    )
    judging.number(
        answer,
        "BEST",
        0.2,
        {
            1 / 9: "that is best for the steep direction alone; the flat one then keeps 8/9",
            2 / 9: "there the steep direction swings on for ever",
            1: "that is best for the flat direction alone; the steep one then grows eightfold in size",
            1 / 10: "it is twice that: 2 / (L + l)",
            1 / 5.0 / 2: "it is twice that: 2 / (L + l)",
        },
    )
    judging.number(
        answer,
        "FACTOR",
        0.8,
        {
            0.2: "that is what goes; what is left is asked for",
            -0.8: "the size is asked for",
            8 / 9: "that is at a rate of 1/9",
        },
    )
    judging.number(
        answer,
        "WITH_MOMENTUM",
        0.5,
        {
            0.8: "that is without momentum; with it, roots of the curvatures stand in its place",
            0.25: "that is the square, which is the best momentum",
            2 / 3: "that is for a valley 25 times as steep across",
            0.8**0.5: "not the factor has a root, but the curvatures in it",
            1 / 3: "that is the ratio of the roots; take their difference over their sum",
        },
    )
    return "2/9, 0.2, 0.8 and a half: momentum does in one step what takes descent three"
