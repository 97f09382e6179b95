"""A twin: a temperature

Divide all logits by a temperature T before the softmax: a large T makes it modest, a small one sure of itself. The
loss of a clip whose true class is t is

    loss[n] = log(sum over m of exp(logits[n, m] / T)) - logits[n, t] / T

Write `tempered_backward(dloss, logits, labels, temperature)`, which returns `dlogits` of shape `(n, k)` and
`dtemperature`, one number, given `dloss` of shape `(n,)`. `softmax_cross_entropy_backward` of the package is there.

The pages: [Softmax and cross-entropy](softmax_cross_entropy.md) and the [one
rule](index.md#the-one-rule-behind-every-backward-pass).
"""

HINTS = (
    "It is a chain of two: first u = logits / T, then the cross-entropy of u, whose gradient is there.",
    "Let `du` be the gradient by u. The derivative of u[n, k] by logits[n, k] is 1 / T, that by T is "
    "`-logits[n, k] / T**2`. All elements of u depend on the one T.",
    "`du = softmax_cross_entropy_backward(dloss, logits / temperature, labels)`; then `du / temperature`, and minus "
    "the sum of `du * logits`, over clips and classes, divided by `temperature**2`.",
)

# --- answer
from kernels.reference import softmax_cross_entropy, softmax_cross_entropy_backward


def tempered_loss(logits, labels, temperature):
    """Loss of each clip, of shape (n,)."""
    return softmax_cross_entropy(logits / temperature, labels)


def tempered_backward(dloss, logits, labels, temperature):
    """Gradients of :func:`tempered_loss`: ``dlogits`` (n, k) and ``dtemperature``, a number, given ``dloss`` (n,)."""
    #: begin
    du = softmax_cross_entropy_backward(dloss, logits / temperature, labels)
    return du / temperature, -(du * logits).sum() / temperature**2
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("tempered_backward(dloss, logits, labels, temperature)")
    labels = np.array([2, 0, 1, 0])

    def asked(labels):
        return (
            lambda logits, temperature: tempered_loss(logits, labels, temperature),
            lambda d, logits, temperature: backward(d, logits, labels, temperature),
        )

    def du(d, logits, T):
        return softmax_cross_entropy_backward(d, logits / T, labels)

    def dT(d, logits, T):
        return -(du(d, logits, T) * logits).sum() / T**2

    words = judging.gradients(
        *asked(labels),
        (judging.numbers(4, 3), np.array(2.5)),
        "logits temperature",
        mistakes={
            "dlogits lacks the derivative of the inner function: this is the gradient by u = logits / T": (
                lambda d, logits, T: (du(d, logits, T), None)
            ),
            "dlogits is multiplied by T; the derivative of logits / T is 1 / T": (
                lambda d, logits, T: (du(d, logits, T) * T, None)
            ),
            "dlogits is divided by T once too often": lambda d, logits, T: (du(d, logits, T) / T**2, None),
            "dtemperature is divided by T once too often": lambda d, logits, T: (None, dT(d, logits, T) / T),
            "the softmax is that of the logits themselves; it is to be that of logits / T": (
                lambda d, logits, T: (du(d, logits, 1) / T, None)
            ),
            "the sign of dtemperature is turned: 1 / T falls where T rises": (
                lambda d, logits, T: (None, -dT(d, logits, T))
            ),
            "dtemperature is T times too large: the derivative of 1 / T is -1 / T**2": (
                lambda d, logits, T: (None, dT(d, logits, T) * T)
            ),
            "the logits are missing in dtemperature: they multiply 1 / T, and so its derivative, too": (
                lambda d, logits, T: (None, -du(d, logits, T).sum() / T**2)
            ),
            "dloss comes in twice; du holds it already": (
                lambda d, logits, T: (None, -(d[:, None] * du(d, logits, T) * logits).sum() / T**2)
            ),
            "dtemperature is a number per clip; all clips share the one T, so it is the sum over them": (
                lambda d, logits, T: (None, -(du(d, logits, T) * logits).sum(axis=1) / T**2)
            ),
            "dtemperature is a mean; all clips and classes share the one T, so it is a sum over them": (
                lambda d, logits, T: (None, dT(d, logits, T) / logits.size)
            ),
        },
    )
    with judging.besides("2 clips of 5 classes and a temperature of 0.8"):
        judging.gradients(*asked(np.array([4, 1])), (judging.numbers(2, 5), np.array(0.8)), "logits temperature")
    return words
