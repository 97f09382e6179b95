"""A twin: labels that are not quite sure

Label smoothing asks the network to be right, but not certain. With K classes and a share s, the truth of a clip is no
longer 1 at its class and 0 elsewhere, but

    q[n, k] = (1 - s) (1 if k is the true class, else 0) + s / K

and its loss is `- sum over k of q[n, k] log p[n, k]`. Since each row of q adds up to 1, that is

    loss[n] = log(sum over m of exp(logits[n, m])) - sum over k of q[n, k] logits[n, k]

The forward pass is given. Derive its gradient, and write
`smoothed_backward(dloss, logits, labels, share)`, which returns `dlogits` of shape `(n, k)` given `dloss` of shape
`(n,)`.

The page: [Softmax and cross-entropy](softmax_cross_entropy.md#backward-line-by-line): what changes in its second
step?
"""

HINTS = (
    "The first term of the loss is that of the page, and so is its gradient. The second is linear in the logits.",
    "The derivative of loss[n] by logits[n, k] is p[n, k] - q[n, k]: what was said, less what was asked for.",
    "`q` is made in the forward pass: make it again, and return `dloss[:, np.newaxis] * (softmax(logits) - q)`.",
)

# --- answer
import numpy as np

from kernels.reference import softmax


def smoothed_loss(logits, labels, share):
    """Loss of each clip, of shape (n,), with smoothed labels."""
    classes = logits.shape[1]
    q = (1 - share) * np.eye(classes)[labels] + share / classes
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(shifted).sum(axis=1)) - (q * shifted).sum(axis=1)


def smoothed_backward(dloss, logits, labels, share):
    """Gradient of :func:`smoothed_loss` by the logits: ``dlogits`` (n, k), given ``dloss`` (n,)."""
    #: begin
    classes = logits.shape[1]
    q = (1 - share) * np.eye(classes)[labels] + share / classes
    return dloss[:, np.newaxis] * (softmax(logits) - q)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("smoothed_backward(dloss, logits, labels, share)")
    labels, share = np.array([2, 0, 1, 0]), 0.3

    def asked(labels, share):
        return lambda x: smoothed_loss(x, labels, share), lambda d, x: backward(d, x, labels, share)

    true = np.eye(3)[labels]

    def less(q):
        return lambda d, logits: d[:, None] * (softmax(logits) - q)

    q = (1 - share) * true + share / 3
    words = judging.gradients(
        *asked(labels, share),
        (judging.numbers(4, 3),),
        "logits",
        mistakes={
            "this is the gradient for labels that are not smoothed": less(true),
            "the true class is given 1 - s; it gets its part of s, too: 1 - s + s / K": less(
                np.where(true, 1 - share, share / 3)
            ),
            "s is shared among the K - 1 other classes; here all K get s / K": less(
                np.where(true, 1 - share, share / 2)
            ),
            "s / K is left out: each row of q must add up to 1": less((1 - share) * true),
            "1 - s is forgotten: the true class gives the share s away": less(true + share / 3),
            "s and 1 - s are exchanged: s is what is shared": less(share * true + (1 - share) / 3),
            "each class gets s / K, with K the number of classes; each row of dlogits must add up to 0": [
                less((1 - share) * true + part) for part in (share, share / 2, share / 4, share / 12)
            ],
            "what was asked for, q, is not taken off": lambda d, x: d[:, None] * softmax(x),
            "q is taken off at the true class alone; every class has its s / K": less(q * true),
            "0.1 is fixed in it; the share is what is given": less(0.9 * true + 0.1 / 3),
            "each class's logit is in the probabilities of all: the derivative is p - q, and not q (p - 1)": (
                lambda d, x: d[:, None] * q * (softmax(x) - 1)
            ),
            "this is a mean over the clips; whoever takes a mean of the losses says so in dloss": (
                lambda d, x: less(q)(d, x) / len(x)
            ),
            "dloss is left out; each clip's row is multiplied by what arrives at its loss": lambda d, x: softmax(x) - q,
            "the sign is turned: it is what was said less what was asked for": lambda d, x: -less(q)(d, x),
        },
    )
    with judging.besides("2 clips of 5 classes and a share of 0.1"):
        judging.gradients(*asked(np.array([4, 1]), 0.1), [judging.numbers(2, 5)], "logits")
    return words
