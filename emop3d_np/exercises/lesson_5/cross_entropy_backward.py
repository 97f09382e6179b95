"""What was said, less what was true

The loss of clip n, whose true class is t, is

    loss[n] = log(sum over m of exp(logits[n, m])) - logits[n, t]

A gradient `dloss` of shape `(n,)` arrives, one number per clip. Write
`softmax_cross_entropy_backward(dloss, logits, labels)`, which returns `dlogits`:

    dlogits[n, k] = dloss[n] (p[n, k] - (1 if k is t, else 0))

`logits` has the shape `(n, k)`, `labels` holds the `n` true classes as integers, and `softmax` is there. Change none
of the arrays that you are given.

The page: [Softmax and cross-entropy](softmax_cross_entropy.md).
"""

HINTS = (
    "Begin with the probabilities, then take off 1 at one place of each row.",
    "`p[:, labels]` picks whole columns, for all clips. To pick one place per row, give the rows, too: "
    "`p[np.arange(len(labels)), labels]`.",
    "`dloss` has one number per clip: `dloss[:, np.newaxis]` is a column, which multiplies each row by its own.",
)

# --- answer
import numpy as np

from kernels.reference import softmax


def softmax_cross_entropy_backward(dloss, logits, labels):
    """Gradient of the clips' losses by the logits: ``dlogits`` (n, k), given ``dloss`` (n,)."""
    #: begin
    dlogits = softmax(logits)
    dlogits[np.arange(len(labels)), labels] -= 1
    return dloss[:, np.newaxis] * dlogits
    #: end


# --- judge
from kernels.reference import softmax_cross_entropy

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("softmax_cross_entropy_backward(dloss, logits, labels)")
    labels = np.array([2, 0, 1, 0])
    true = np.eye(3)[labels]
    reach = "dloss does not reach all of dlogits: multiply the whole of p - [k = t] by it, and do not divide by N, for "
    reach += "dloss holds that"

    def asked(labels):
        return lambda x: softmax_cross_entropy(x, labels), lambda d, x: backward(d, x, labels)

    def columns(logits):
        p = softmax(logits)
        p[:, labels] -= 1
        return p

    words = judging.gradients(
        *asked(labels),
        (judging.numbers(4, 3),),
        "logits",
        mistakes={
            "this is dloss times p; the 1 at the truth is not taken off": lambda d, x: d[:, None] * softmax(x),
            "the sign is turned: it is what was said less what was true": lambda d, x: d[:, None] * (true - softmax(x)),
            "dloss is left out; each clip's row is multiplied by what arrives at its loss": lambda d, x: (
                softmax(x) - true
            ),
            "1 is taken off in whole columns: p[:, labels] is every clip; pick one place per row": (
                lambda d, x: d[:, None] * columns(x)
            ),
            "this is a mean over the clips; whoever takes a mean of the losses says so in dloss": (
                lambda d, x: d[:, None] * (softmax(x) - true) / len(x)
            ),
            reach: [
                lambda d, x: (softmax(x) - true) / len(x),
                lambda d, x: d[:, None] * softmax(x) - true,
                lambda d, x: d[:, None] * softmax(x) - true / len(x),
                lambda d, x: softmax(x) - d[:, None] * true,
                lambda d, x: softmax(x) / len(x) - true,
                lambda d, x: softmax(x) * (1 - true) + d[:, None] * (softmax(x) - true) * true,
            ],
        },
    )
    with judging.besides("2 clips of 5 classes"):
        judging.gradients(*asked(np.array([4, 1])), [judging.numbers(2, 5)], "logits")
    return words
