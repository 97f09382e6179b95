"""What a shrug costs

Predict four numbers, on paper, before anything runs. Losses are cross-entropies with the natural logarithm.

- `SHRUG`: the loss of a clip when all 6 logits are equal.
- `QUARTER`: the loss when the logits are 0 and log 3, and class 0 is true.
- `SURE_AND_WRONG`: the loss when the logits are 1000, 0 and -1000, and class 1 is true.
- `PULL`: the gradient by the logit of the *true* class, when all 6 logits are equal (one clip, and 1 arrives at its
  loss).

Write each as an expression, such as `np.log(2)` or `1 / 7`.

The page: [Softmax and cross-entropy](softmax_cross_entropy.md).
"""

HINTS = (
    "The loss is minus the logarithm of the probability that the truth was given. First write down the probabilities.",
    "Equal logits give every class one sixth. Logits of 0 and log 3 are weights of 1 and 3.",
    "The gradient by the logits is p, less 1 at the truth. And exp(1000) beside exp(0) is all there is, so the loss is "
    "the difference of the two logits.",
)

# --- answer
import numpy as np

#: begin
#| SHRUG = None
#| QUARTER = None
#| SURE_AND_WRONG = None
#| PULL = None
SHRUG = np.log(6)
QUARTER = np.log(4)
SURE_AND_WRONG = 1000
PULL = 1 / 6 - 1
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(
        answer,
        "SHRUG",
        np.log(6),
        {
            np.log10(6): "that is the logarithm to the base 10; losses use the natural one",
            np.log2(6): "that is the logarithm to the base 2; losses use the natural one",
            1 / 6: "that is the probability; the loss is minus its logarithm",
            -np.log(6): "a loss is minus the logarithm of the probability",
        },
    )
    judging.number(
        answer,
        "QUARTER",
        np.log(4),
        {
            np.log(4 / 3): "that is the loss if class 1 were true",
            np.log(2): "that is the loss of equal logits",
            np.log(3): "that is the difference of the logits; the denominator holds the true class itself, too",
            1 / 4: "that is the probability; the loss is minus its logarithm",
        },
    )
    if answer.value("SURE_AND_WRONG") == np.inf:
        raise judging.Wrong("SURE_AND_WRONG is not infinite: nothing overflows if the largest logit is taken off first")
    judging.number(
        answer,
        "SURE_AND_WRONG",
        1000,
        {
            2000: "class 2 has a logit of -1000 and does not count; how far is the true one below the largest?",
            0: "0 is for a sure and right answer",
        },
    )
    judging.number(
        answer,
        "PULL",
        -5 / 6,
        {
            1 / 6: "that is the gradient by any other logit; at the truth 1 is taken off",
            5 / 6: "the sign is turned: the gradient is what was said less what was true",
            -1: "that forgets what was said, one sixth",
        },
    )
    return "log 6, log 4, 1000 and -5/6: all four are right"
