"""Three gradients of a matrix product

The fully connected layer computes

    y[n, k] = sum over j of a[n, j] weights[j, k] + bias[k]

A gradient `dy` of the shape of `y` arrives. Write `dense_backward(dy, a, weights)`, which returns
`da, dweights, dbias`.

| array | shape |
|---|---|
| `a`, `da` | `(n, j)` |
| `weights`, `dweights` | `(j, k)` |
| `dbias` | `(k,)` |
| `dy` | `(n, k)` |

No loop is needed: each of the three is a line or less.

The page: [Fully connected](fully_connected.md).
"""

HINTS = (
    "Shapes decide. Which product of `dy`, of shape `(n, k)`, and `weights`, of shape `(j, k)`, has the shape `(n, "
    "j)`?",
    "A weight is used by every clip, so its gradient is a sum over `n`. A product of matrices sums over the index that "
    "its factors share: let that be `n`.",
    "`da = dy @ weights.T`, `dweights = a.T @ dy`, and the bias, which is added in every clip, collects `dy` over the "
    "clips.",
)

# --- answer


def dense_backward(dy, a, weights):
    """Gradients of ``a @ weights + bias``: ``da`` (n, j), ``dweights`` (j, k), ``dbias`` (k,)."""
    #: begin
    return dy @ weights.T, a.T @ dy, dy.sum(axis=0)
    #: end


# --- judge
import numpy as np

from kernels.reference import dense

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("dense_backward(dy, a, weights)")

    def asked(dy, a, weights, bias):
        got = backward(dy, a, weights)
        if isinstance(got, tuple) and len(got) == 3 and judging.shape_of(got[2]) == (len(a),):
            raise judging.Wrong("dbias is one number per clip; sum over the clips, axis 0")
        return got

    words = judging.gradients(
        dense,
        asked,
        (judging.numbers(3, 4), judging.numbers(4, 2), judging.numbers(2)),
        "a weights bias",
        mistakes={
            "dweights is a mean over the clips; every clip uses every weight, so their parts are added up": (
                lambda dy, a, weights, bias: (None, a.T @ dy / len(a), None)
            ),
            "dbias is a mean over the clips; the bias is added in every clip, so their parts are added up": (
                lambda dy, a, weights, bias: (None, None, dy.mean(axis=0))
            ),
            "dbias holds a gradient per clip; there is one bias for all clips, so it is the sum over them": (
                lambda dy, a, weights, bias: (None, None, dy)
            ),
            "dweights has its axes exchanged: it must be (j, k), as the weights": (
                lambda dy, a, weights, bias: (None, dy.T @ a, None)
            ),
            "a reshape of weights exchanges no axes, it only cuts the same row of numbers anew; .T does": (
                lambda dy, a, weights, bias: (dy @ weights.reshape(weights.shape[::-1]), None, None)
            ),
            "dbias counts the clips; what arrives at the clips, dy, is to be added up": (
                lambda dy, a, weights, bias: (None, None, np.full(bias.shape, len(dy)))
            ),
        },
    )
    with judging.besides("2 clips, 3 features and 4 classes"):
        judging.gradients(
            dense, asked, (judging.numbers(2, 3), judging.numbers(3, 4), judging.numbers(4)), "a weights bias"
        )
    return words
