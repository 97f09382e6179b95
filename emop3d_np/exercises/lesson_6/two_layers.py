"""One gradient through two layers

Forward, a weighted sum has made `z`; then `y = leaky_relu(z)` and `u = standardize(y)`, as in the pyramid. Backward,
the gradient `du` arrives. `two_layers_backward(du, z)` shall return the gradient by `z`. It runs, and is wrong in a
single place. Find it.

The reference kernels are `leaky_relu(z)`, `leaky_relu_backward(dy, z)`, `standardize(x)`,
`standardize_backward(dy, x)`: a backward function takes the incoming gradient, and then *what its forward function
was given*. All arrays have the same shape `(n, d, h, w, f)`.

The page: [A second walk](walk.md#backward).
"""

HINTS = (
    "Write beside each backward call the forward call that it undoes. Are the arguments after the gradient the same?",
    "The order of the two is right: the last forward function is undone first.",
    "`standardize` was given `y`, so `standardize_backward` takes `y`: not its result, `u`, which has other moments.",
)

# --- answer
from kernels.reference import leaky_relu, leaky_relu_backward, standardize, standardize_backward


def two_layers_backward(du, z):
    """Gradient by ``z``, of its shape."""
    #: begin
    #| y = leaky_relu(z)
    #| u = standardize(y)
    #| dy = standardize_backward(du, u)
    #| return leaky_relu_backward(dy, z)
    y = leaky_relu(z)
    dy = standardize_backward(du, y)
    return leaky_relu_backward(dy, z)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("two_layers_backward(du, z)")

    def mistake(at):
        return lambda du, z: leaky_relu_backward(standardize_backward(du, at(z)), z)

    words = judging.gradients(
        lambda z: standardize(leaky_relu(z)),
        backward,
        (judging.numbers(3, 1, 4, 2, 2),),
        "z",
        mistakes={
            "a backward function is not given what its forward function was given; which of the two?": mistake(
                lambda z: standardize(leaky_relu(z))
            ),
            "standardize_backward is given z; standardize was given y": mistake(lambda z: z),
            "the leaky ReLU is left out on the way down": lambda du, z: standardize_backward(du, leaky_relu(z)),
            "the normalisation is left out on the way down": leaky_relu_backward,
            "the order is turned: what came last forward comes first backward": (
                lambda du, z: standardize_backward(leaky_relu_backward(du, z), leaky_relu(z))
            ),
            "a backward function takes the gradient first, then what its forward function was given": [
                lambda du, z: leaky_relu_backward(standardize_backward(leaky_relu(z), du), z),
                lambda du, z: leaky_relu_backward(z, standardize_backward(du, leaky_relu(z))),
            ],
            "standardize itself is called on the way down; its backward function is wanted": [
                lambda du, z: leaky_relu_backward(standardize(du), z),
            ],
            "leaky_relu itself is called on the way down; its backward function is wanted": [
                lambda du, z: leaky_relu(standardize_backward(du, leaky_relu(z))),
                lambda du, z: leaky_relu_backward(standardize_backward(leaky_relu(du), leaky_relu(z)), z),
            ],
            "leaky_relu_backward is given u, whose signs are not those of z": lambda du, z: leaky_relu_backward(
                standardize_backward(du, leaky_relu(z)), standardize(leaky_relu(z))
            ),
        },
    )
    with judging.besides("one clip of two frames"):
        judging.gradients(lambda z: standardize(leaky_relu(z)), backward, [judging.numbers(1, 2, 2, 3, 1)], "z")
    return words
