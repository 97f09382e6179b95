"""The softmax of some clips is NaN

`softmax(logits)` takes logits of shape `(n, k)` and gives probabilities of that shape; each row adds up to 1. To keep
`exp(1000)` from overflowing it takes off the largest logit of the clip first, which changes nothing on paper:

    p[n, k] = exp(logits[n, k] - max[n]) / sum over m of exp(logits[n, m] - max[n])

It works for a single clip. In a batch with logits of 0 and of 2000, some rows come out as NaN. Find the mistake and
mend it.

The page: [Softmax and cross-entropy](softmax_cross_entropy.md).
"""

HINTS = (
    "NaN is 0/0 here. Whose exponentials are all 0?",
    "Read the formula again: the maximum has an index, n. Does the one in the code?",
    "`max(axis=1, keepdims=True)` is the largest logit of each clip, in a shape that can be taken off.",
)

# --- answer
import numpy as np


def softmax(logits):
    """Probabilities of shape (n, k), each row of which adds up to 1."""
    #: begin
    #| e = np.exp(logits - logits.max())
    #| return e / e.sum(axis=1, keepdims=True)
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
    #: end


# --- judge
from kernels import reference

from .. import judging


def judge(answer: judging.Answer) -> str:
    softmax = answer.function("softmax(logits)")
    small = judging.numbers(4, 6)
    e, less = np.exp(small), np.exp(small - small.max(axis=1, keepdims=True))
    judging.same(
        softmax(small),
        reference.softmax(small),
        "p",
        {
            "each column adds up to 1; the classes of a clip shall, and they are axis 1": [
                e / e.sum(axis=0),
                less / less.sum(axis=0),
            ],
            "all clips together add up to 1; each clip shall by itself": [e / e.sum(), less / less.sum()],
            "the logits are divided by the largest; it is taken off": (
                reference.softmax(small / small.max(axis=1, keepdims=True))
            ),
            "these are the logarithms of the probabilities": np.log(reference.softmax(small)),
            "the largest logit gets all; these are no probabilities, but the answer": (np.eye(6)[small.argmax(axis=1)]),
            "what is taken off is the largest logit of each class, axis 0; it is that of each clip, axis 1": (
                e / np.exp(small.max(axis=0)) / (e / np.exp(small.max(axis=0))).sum(axis=1, keepdims=True)
            ),
            "these are exponentials; they are not divided by their sum": np.exp(small - small.max(axis=1)[:, None]),
        },
    )
    far = np.array([[0.0, 1, 2], [2000, 2001, 1999], [-1000, 0, 1000]])
    if not all(np.isfinite(softmax(clip[np.newaxis])).all() for clip in far):
        raise judging.Wrong("logits of 2000 overflow even in a clip by itself; take the largest logit off first")
    got = softmax(far)
    if not np.isfinite(got[0]).all():
        raise judging.Wrong(
            "a clip with the logits 0, 1, 2 is NaN if a clip with logits of 2000 stands beside it: what is taken off "
            "is the largest logit of the whole batch, and then all exponentials of the first clip are 0"
        )
    if not got[0].any():
        raise judging.Wrong(
            "a clip with the logits 0, 1, 2 gets zeros if a clip with logits of 2000 stands beside it: NaN is only "
            "covered up; what is taken off is still the largest logit of the whole batch"
        )
    if len(set(got[0])) == 1 or len(set(got[1])) == 1:
        raise judging.Wrong("logits that differ by 1 get the same probability: they are cut off before the exponential")
    judging.same(got, reference.softmax(far), "in clips with logits up to 2000, p")
    low = np.array([[-2000.0, -2001, -1999]])
    if not np.isfinite(softmax(low)).all():
        raise judging.Wrong(
            "logits of -2000, -2001 and -1999 become NaN: the largest is taken off, -1999, and not the largest size"
        )
    judging.same(softmax(low), reference.softmax(low), "of logits of -2000, p")
    return "each clip is taken by itself, and nothing overflows"
