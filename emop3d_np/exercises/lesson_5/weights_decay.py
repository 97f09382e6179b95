"""Decay, and not of the biases

Weight decay adds `decay / 2 * sum of w**2` to the loss, where the sum is over all numbers of all *weights* and not of
the biases. `decayed(loss, gradients, parameters, decay)` gets the cross-entropy and its gradients, and shall return
the loss and the gradients of the sum of both. `parameters` and `gradients` are dicts of arrays with the same names,
such as `"FC_OUT/weights"` and `"FC_OUT/bias"`; weights are those whose names end in `/weights`.

Two things are wrong with it. Mend them. Leave the dicts that you are given as they are, and the arrays in them.

The page: [Softmax and cross-entropy](softmax_cross_entropy.md), what is said there on weight decay.
"""

HINTS = (
    "Take the loss alone, and differentiate it by one weight. Is that what is added to the gradient?",
    "The derivative of `decay / 2 * w**2` is `decay * w`.",
    "The other mistake: for which names does the loop do anything?",
)

# --- answer


def decayed(loss, gradients, parameters, decay):
    """The loss with decay, and a new dict of its gradients."""
    total = dict(gradients)
    #: begin
    #| for name, w in parameters.items():
    #|     loss = loss + decay / 2 * (w**2).sum()
    #|     total[name] = gradients[name] + 2 * decay * w
    #| return loss, total
    for name, w in parameters.items():
        if name.endswith("/weights"):
            loss = loss + decay / 2 * (w**2).sum()
            total[name] = gradients[name] + decay * w
    return loss, total
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    shapes = {"L1WS/weights": (2, 3), "L1WS/bias": (3,), "FC_OUT/weights": (3, 2), "FC_OUT/bias": (2,)}
    parameters = {name: judging.numbers(*shape) for name, shape in shapes.items()}
    gradients = {name: judging.numbers(*shape, seed=1) for name, shape in shapes.items()}
    given, decay = {name: g.copy() for name, g in gradients.items()}, 0.1
    decayed = answer.function("decayed(loss, gradients, parameters, decay)")
    loss, total = judging.tuple_of(decayed(2.0, gradients, parameters, decay), "loss gradients")
    if any((gradients[name] != g).any() for name, g in given.items()):
        raise judging.Wrong("the gradients that were handed in are changed: `+=` writes into their arrays")
    if not isinstance(total, dict) or set(total) != set(parameters):
        raise judging.Wrong(f"the gradients returned must be a dict with the names {', '.join(parameters)}")
    squares = {name: float((w**2).sum()) for name, w in parameters.items()}
    weights = sum(square for name, square in squares.items() if name.endswith("/weights"))
    judging.same(
        loss,
        2 + decay / 2 * weights,
        "the loss",
        {
            "the loss counts the biases; they do not decay": 2 + decay / 2 * sum(squares.values()),
            "in the loss the half before the sum is missing": 2 + decay * weights,
            "the loss is without its decay": 2.0,
            "the loss has the decay of the last weights alone": 2 + decay / 2 * squares["FC_OUT/weights"],
        },
    )
    for name, w in parameters.items():
        g = gradients[name]
        if name.endswith("/bias"):
            words = f"{name} decays; biases do not"
            judging.same(
                total[name], g, f"the gradient of {name}", {words: g + decay * w, f"{words} at all": g + 2 * decay * w}
            )
        mistakes = {
            "nothing is added": g,
            "what is added is twice too large; the derivative of w**2 / 2 is w": g + 2 * decay * w,
            "what is added is half of what it must be; the derivative of w**2 / 2 is w": g + decay / 2 * w,
            "the factor decay is missing before w": g + w,
            "what is added has the wrong sign: it makes weights grow": g - decay * w,
        }
        if name.endswith("/weights"):
            mistakes = {f"gradient of {name}: {words}": value for words, value in mistakes.items()}
            judging.same(total[name], g + decay * w, f"the gradient of {name}", mistakes)
    return "decay times w for the weights, and nothing for the biases"
