"""What a shrug costs

Predict four numbers, on paper, before anything runs. Losses are cross-entropies with the natural logarithm.

- `SHRUG`: the loss of a clip when all 5 logits are equal.
- `LIKELY`: the loss when the logits are 0 and log 4, and class 1 is true.
- `SURE_AND_WRONG`: the loss when the logits are 500, 0 and -500, and class 1 is true.
- `PULL`: the gradient by the logit of the *true* class, when all 5 logits are equal (one clip, and 1 arrives at its
  loss).

Write each as an expression, such as `np.log(2)` or `1 / 7`.

The page: [Softmax and cross-entropy](softmax_cross_entropy.md).
"""

HINTS = (
    "The loss is minus the logarithm of the probability that the truth was given. First write down the probabilities.",
    "Equal logits give every class one fifth. Logits of 0 and log 4 are weights of 1 and 4.",
    "The gradient by the logits is p, less 1 at the truth. And exp(500) beside exp(0) is all there is, so the loss is "
    "the difference of the two logits.",
)

# --- answer
import numpy as np

#: begin
#| SHRUG = None
#| LIKELY = None
#| SURE_AND_WRONG = None
#| PULL = None
SHRUG = np.log(5)
LIKELY = np.log(5 / 4)
SURE_AND_WRONG = 500
PULL = 1 / 5 - 1
#: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    judging.number(
        answer,
        "SHRUG",
        np.log(5),
        {
            np.log10(5): "that is the logarithm to the base 10; losses use the natural one",
            np.log2(5): "that is the logarithm to the base 2; losses use the natural one",
            1 / 5: "that is the probability; the loss is minus its logarithm",
            -np.log(5): "a loss is minus the logarithm of the probability",
        },
    )
    judging.number(
        answer,
        "LIKELY",
        np.log(5 / 4),
        {
            np.log(5): "that is the loss if class 0 were true",
            np.log(2): "that is the loss of equal logits",
            np.log(4 / 3): "the exponentials of the two logits are 1 and 4, which makes 5 altogether",
            np.log(4): "that is the difference of the logits; the loss compares the true one with all, itself included",
            -np.log(5 / 4): "a loss is minus the logarithm of the probability",
            4 / 5: "that is the probability; the loss is minus its logarithm",
        },
    )
    if answer.value("SURE_AND_WRONG") == np.inf:
        raise judging.Wrong("SURE_AND_WRONG is not infinite: nothing overflows if the largest logit is taken off first")
    judging.number(
        answer,
        "SURE_AND_WRONG",
        500,
        {
            1000: "class 2 has a logit of -500 and does not count; how far is the true one below the largest?",
            0: "0 is for a sure and right answer",
            -500: "a loss is never negative: it is minus the logarithm of a probability",
        },
    )
    judging.number(
        answer,
        "PULL",
        -4 / 5,
        {
            1 / 5: "that is the gradient by any other logit; at the truth 1 is taken off",
            4 / 5: "the sign is turned: the gradient is what was said less what was true",
            -4
            / 25: "nothing is divided by the number of classes; only a mean over clips divides, and here is one clip",
            -5: "that is the derivative of the loss by the probability; the one by the logit is asked for",
            0: "all logits are equal, and yet the true one is to rise",
            -1: "that forgets what was said, one fifth",
        },
    )
    return "log 5, log 5/4, 500 and -4/5: all four are right"
