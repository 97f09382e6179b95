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

    def times_dloss(less):
        return lambda d, x: d[:, None] * less(x, softmax(x))

    mistakes = {words: times_dloss(less) for words, less in _mistakes(labels, true).items()} | {
        "1 is taken off one place beside the truth; labels count from 0, as Python does": [
            times_dloss(lambda x, p, step=step: p - np.eye(3)[(labels + step) % 3]) for step in (1, -1)
        ],
        "dloss is left out; each clip's row is multiplied by what arrives at its loss": lambda d, x: softmax(x) - true,
        reach: [
            lambda d, x: (softmax(x) - true) / len(x),
            lambda d, x: d[:, None] * softmax(x) - true,
            lambda d, x: d[:, None] * softmax(x) - true / len(x),
            lambda d, x: softmax(x) - d[:, None] * true,
            lambda d, x: softmax(x) / len(x) - true,
            lambda d, x: softmax(x) * (1 - true) + d[:, None] * (softmax(x) - true) * true,
        ],
    }
    words = judging.gradients(*asked(labels), (judging.numbers(4, 3),), "logits", mistakes=mistakes)
    with judging.besides("2 clips of 5 classes"):
        judging.gradients(*asked(np.array([4, 1])), [judging.numbers(2, 5)], "logits")
    if not np.isfinite(backward(np.ones(1), np.array([[0.0, 1000, 500]]), np.array([2]))).all():
        raise judging.Wrong("logits of 1000 become NaN: exp overflows; softmax, which is there, sees to that")
    return words


def _mistakes(labels, true):
    """What somebody who makes a mistake multiplies ``dloss`` by, for logits x with the probabilities p."""
    rows, first = np.isin(np.arange(4), labels)[:, None], (np.arange(4) == 0)[:, None]
    columns = np.isin(np.arange(3), labels)
    return {
        "this is dloss times p; the 1 at the truth is not taken off": lambda x, p: p,
        "the sign is turned: it is what was said less what was true": lambda x, p: true - p,
        "1 is taken off in whole columns: p[:, labels] is every clip; pick one place per row": lambda x, p: p - columns,
        "this is a mean over the clips; whoever takes a mean of the losses says so in dloss": lambda x, p: (
            (p - true) / len(x)
        ),
        "1 is added at the truth; it is taken off": lambda x, p: p + true,
        "p at the truth is set to -1; 1 is to be taken off what is there": lambda x, p: p * (1 - true) - true,
        "this is the 1 at the truth alone; p, what was said, is missing": lambda x, p: -true,
        "these are logits less the truth; they are to go through the softmax first": lambda x, p: x - true,
        "1 is taken off in the rows that labels name; it names columns: pick one place per row": lambda x, p: p - rows,
        "1 is taken off in the first clip alone; it is in every clip": lambda x, p: p - true * first,
        "labels are numbers of classes; what is taken off is 1, at that place": lambda x, p: p - labels[:, None],
        "p (1 - p) is the derivative of each probability by its own logit; here it is the loss's": lambda x, p: (
            p * (1 - p)
        ),
        "-1 / p is the derivative of the loss by the probability; it is to go on to the logits": lambda x, p: -true / p,
    }
