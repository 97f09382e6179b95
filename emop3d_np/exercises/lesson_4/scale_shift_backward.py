"""Scale and shift: which axes does a sum run over?

After the maximum, the pooling layer has a factor for each position and a shift for each frame:

`z[n, d, h, w, f] = m[n, d, h, w, f] * weights[0, h, w, f] + bias[d, 0, 0, f]`

Write `backward(dz, m, weights)`. It returns `dm, dweights, dbias`, of the shapes `(n, d, h, w, f)`, `(1, h, w, f)` and
`(d, 1, 1, f)`.

*A sum runs over whatever axes the parameter does not have.* The page: [Pooling](pooling.md#scale-and-shift).
"""

HINTS = (
    "weights has no n and no d, so its gradient is a sum over these two. And bias?",
    "bias has no n, and only one place in h and w.",
    "(dz * m).sum(axis=(0, 1))[None] is dweights; dz.sum(axis=(0, 2, 3))[:, None, None] is dbias.",
)

# --- answer
import numpy as np


def backward(dz, m, weights):
    """The gradients dm, dweights, dbias."""
    #: begin
    dm = dz * weights
    dweights = (dz * m).sum(axis=(0, 1))[np.newaxis]
    dbias = dz.sum(axis=(0, 2, 3))[:, np.newaxis, np.newaxis]
    return dm, dweights, dbias
    #: end


# --- judge
from kernels.reference.scale_shift import scale_shift

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dz, m, weights)")
    inputs = judging.numbers(3, 4, 1, 5, 2), judging.numbers(1, 1, 5, 2), judging.numbers(4, 1, 1, 2)

    def looks(dm=None, dweights=None, dbias=None):
        def made(dz, m, weights, bias):
            return tuple(None if each is None else each(dz, m, weights) for each in (dm, dweights, dbias))

        return made

    mistakes = {
        "dm has m in it; what multiplies m is the factor": looks(dm=lambda dz, m, weights: dz * m),
        "dm is dz; m was multiplied by a factor": looks(dm=lambda dz, m, weights: dz),
        "dweights has the factor in it; what multiplies the factor is m": looks(
            dweights=lambda dz, m, weights: (dz * weights).sum(axis=(0, 1))[np.newaxis]
        ),
        "a product of two sums is not the sum of the products, which is dweights": looks(
            dweights=lambda dz, m, weights: (dz.sum(axis=(0, 1)) * m.sum(axis=(0, 1)))[np.newaxis]
        ),
        "dweights lacks m: what multiplies the factor": looks(
            dweights=lambda dz, m, weights: dz.sum(axis=(0, 1))[np.newaxis]
        ),
        "dbias is the same for all frames; each has a shift of its own": looks(
            dbias=lambda dz, m, weights: np.broadcast_to(dz.sum(axis=(0, 1, 2, 3)), (4, 1, 1, 2))
        ),
        "dbias is a sum over the maps, too; each map has a shift of its own": looks(
            dbias=lambda dz, m, weights: dz.sum(axis=(0, 2, 3, 4)).reshape(4, 1, 1, 1)
        ),
        "dbias is a mean; the loss moves by the sum": looks(
            dbias=lambda dz, m, weights: dz.mean(axis=(0, 2, 3))[:, None, None]
        ),
    }

    def asked(dz, m, weights, bias):
        return backward(dz, m, weights)

    words = judging.gradients(
        scale_shift,
        asked,
        inputs,
        "m weights bias",
        mistakes=mistakes,
    )
    with judging.besides("2 clips, other rows and 3 maps"):
        inputs = judging.numbers(2, 2, 3, 1, 3), judging.numbers(1, 3, 1, 3), judging.numbers(2, 1, 1, 3)
        judging.gradients(scale_shift, asked, inputs, "m weights bias")
    return words
