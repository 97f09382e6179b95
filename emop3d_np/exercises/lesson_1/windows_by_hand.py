"""A weighted sum by hand

One row of four pixels, windows of two, one map, no bias:

- `x = (3, 1, 2, 4)`
- `W = (1, 2, 5, 10)`, a weight for each *input position*
- then the gradient `dz = (1, 10, 100)` of the three outputs arrives.

Predict four numbers with pencil and paper, and put them into the file. Positions count from 0.

- `z_1`: the middle output.
- `g_1`: the gradient of the product at position 1, that is of `x_1 * W_1`. Which windows use it?
- `dw_2`: the gradient of the weight at position 2.
- `dx_3`: the gradient of the last pixel.

The page: [Weighted sum](weighted_sum.md#by-hand) does another row.
"""

HINTS = (
    "Multiply position by position first: four products. Each output is the sum of two neighbours.",
    "The product at position 1 is part of the outputs 0 and 1, so it collects two of the three gradients.",
    "The gradients of the four products are (1, 1 + 10, 10 + 100, 100). What multiplies W_2 in a product is x_2.",
)

# --- answer
#: begin
#| z_1 = None
#| g_1 = None
#| dw_2 = None
#| dx_3 = None
z_1 = 12
g_1 = 11
dw_2 = 220
dx_3 = 1000
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    first = "it is the window at position 0; outputs count from 0, too"
    judging.number(answer, "z_1", 12, {5: "weights belong to positions, W_1 and W_2 here, not to places of a window"})
    judging.number(
        answer,
        "g_1",
        11,
        {
            10: "window 0 uses the product, too",
            1: "window 1 uses the product, too",
            12: first,
            110: "that is g_2; positions count from 0",
            22: "that is g_1 times W_1",
        },
    )
    given = {
        2 * 100: "window 1 uses the product at position 2, too",
        2 * 10: "window 2 uses the product at position 2, too",
        5 * 110: "that is the gradient of x_2; what multiplies W_2 is x_2",
        110: "that is the gradient of the product; it comes times what multiplies W_2 in it",
    }
    judging.number(answer, "dw_2", 220, given)
    given = {
        10 * 110: "only the last window reaches the last pixel",
        4 * 100: "that is the gradient of W_3; what multiplies x_3 is W_3",
        100: "that is the gradient of the product; it comes times what multiplies x_3 in it",
    }
    judging.number(answer, "dx_3", 1000, given)
    return "z is (5, 12, 50), the products' gradients are (1, 11, 110, 100)"
