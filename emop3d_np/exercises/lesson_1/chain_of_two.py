"""The chain rule on two numbers

One number goes in, one comes out: `z = w * x + b`, then `L = z * z`.

Write `backward(x, w, b)`. It returns the three derivatives of `L`: by `x`, by `w` and by `b`, in this order.
Go from the loss downwards: first how `L` changes with `z`, then how `z` changes with each of the three.

The page: [The chain rule](chain_rule.md).
"""

HINTS = (
    "Give the derivative of L by z a name, dz. It is the same for all three.",
    "dz is 2 z. A change of x by a little t changes z by w t, and L by dz times w t.",
    "dx is dz * w, dw is dz * x, and db is dz.",
)

# --- answer


def forward(x, w, b):
    """One number from three."""
    z = w * x + b
    return z * z


def backward(x, w, b):
    """The derivatives of the loss by x, by w and by b."""
    z = w * x + b
    #: begin
    dz = 2 * z
    return dz * w, dz * x, dz
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(x, w, b)")

    def times_d(d, *inputs):
        got = zip(judging.tuple_of(backward(*inputs), "dx dw db"), "xwb", strict=True)
        return tuple(d * judging.array(each, (), f"the gradient of {name}") for each, name in got)

    halved = "the derivatives are halved: z * z has the derivative 2 z"
    exchanged = "dx and dw are exchanged: what multiplies x in z is w"
    lacking = "db lacks a factor: z changes as much as b does, but L changes dz times as much"
    mistakes = {
        "dz is 2 z, and not 2": lambda d, x, w, b: (None, None, 2 * d),
        "dz is 2 z, and not z * z: that is L itself": lambda d, x, w, b: (None, None, d * (w * x + b) ** 2),
        "db is multiplied by b; what multiplies b in z is 1": lambda d, x, w, b: (None, None, 2 * d * (w * x + b) * b),
        "b is missing in z": lambda d, x, w, b: (None, None, 2 * d * w * x),
        "dz is missing from all three: these are the derivatives of z": lambda d, x, w, b: (d * w, d * x, d),
        halved: lambda d, x, w, b: (d * (w * x + b) * w, None, None),
        exchanged: lambda d, x, w, b: (d * 2 * (w * x + b) * x, d * 2 * (w * x + b) * w, None),
        lacking: lambda d, x, w, b: (None, None, d),
    }
    inputs = [judging.numbers(seed=seed) for seed in (1, 2, 3)]
    return judging.gradients(forward, times_d, inputs, "x w b", mistakes=mistakes)
