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
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    decayed = answer.function("decayed(loss, gradients, parameters, decay)")
    _judge(
        decayed, {"L1WS/weights": (2, 3), "L1WS/bias": (3,), "FC_OUT/weights": (3, 2), "FC_OUT/bias": (2,)}, 2.0, 0.1
    )
    many = {"L1WS/weights": (2, 3, 2, 1, 2), "L1WS/bias": (1, 2, 1, 2)}
    _judge(decayed, many, 2.0, 0.1, "L1WS/bias decays where it has four axes, as in this network; go by its name")
    named = {"weights_net/weights": (2, 2), "weights_net/bias": (2,)}
    _judge(decayed, named, 2.0, 0.1, "weights_net/bias decays; weights are what ends in /weights")
    with judging.besides("a decay of 0.3 and a loss of 1.5"):
        _judge(decayed, named, 1.5, 0.3)
    return "decay times w for the weights, and nothing for the biases"


def _judge(decayed, shapes, before, decay, of_bias=""):
    parameters = {name: judging.numbers(*shape) for name, shape in shapes.items()}
    gradients = {name: judging.numbers(*shape, seed=1) for name, shape in shapes.items()}
    handed, given = dict(gradients), {name: g.copy() for name, g in gradients.items()}
    loss, total = judging.tuple_of(decayed(before, gradients, parameters, decay), "loss gradients")
    if any(gradients.get(name) is not g for name, g in handed.items()):
        raise judging.Wrong("the dict that was handed in is changed; put the new gradients into a dict of your own")
    if any((w != judging.numbers(*w.shape)).any() for w in parameters.values()):
        raise judging.Wrong("the parameters that were handed in are changed; leave them as they are")
    if any((gradients[name] != g).any() for name, g in given.items()):
        raise judging.Wrong("the gradients that were handed in are changed: `+=` writes into their arrays")
    if not isinstance(total, dict) or set(total) != set(parameters):
        raise judging.Wrong(f"the gradients returned must be a dict with the names {', '.join(parameters)}")
    squares = {name: float((w**2).sum()) for name, w in parameters.items()}
    of_weights = [square for name, square in squares.items() if name.endswith("/weights")]
    judging.same(
        loss,
        before + decay / 2 * sum(of_weights),
        "the loss",
        {
            of_bias or "the loss counts the biases; they do not decay": before + decay / 2 * sum(squares.values()),
            "in the loss the half before the sum is missing": before + decay * sum(of_weights),
            "the loss is without its decay": before,
            "the loss has the decay of the last weights alone": before + decay / 2 * of_weights[-1],
            "the loss has the decay of the first weights alone: is the return within the loop?": (
                before + decay / 2 * of_weights[0]
            ),
            "the loss has the decay of the biases, and not of the weights": (
                before + decay / 2 * (sum(squares.values()) - sum(of_weights))
            ),
            "in the loss there is a mean of w**2; it is the sum": (
                before
                + decay / 2 * sum(float((w**2).mean()) for name, w in parameters.items() if name.endswith("/weights"))
            ),
            "in the loss sums are squared; it is squares that are added up": (
                before
                + decay / 2 * sum(float(w.sum() ** 2) for name, w in parameters.items() if name.endswith("/weights"))
            ),
            "in the loss there is a root; it is the sum of w**2 itself": before + decay / 2 * sum(np.sqrt(of_weights)),
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
            "the gradient that came is lost; decay * w is added to it": decay * w,
            "what is added has the wrong sign: it makes weights grow": g - decay * w,
        }
        if name.endswith("/weights"):
            mistakes = {f"gradient of {name}: {words}": value for words, value in mistakes.items()}
            judging.same(total[name], g + decay * w, f"the gradient of {name}", mistakes)
