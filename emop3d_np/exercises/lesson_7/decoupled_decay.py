"""Decay beside the step

Adding `decay * w` to the gradient does little where ADAM follows: it divides by the size of the gradient, decay and
all, so that weights with large gradients hardly decay. Decoupled decay takes a share off the weights *before* the
step, and leaves the gradient alone:

    w = w - rate decay w, for weights only, not for biases
    then ADAM's step

`adamw_step(name, w, m, v, g, t, rate, decay)` does it in the old way, and to biases, too. Mend it. Names of weights
end in `/weights`; `adam_step` is right.

The page: [Momentum](momentum.md#decay-beside-the-step).
"""

HINTS = (
    "The gradient is handed to `adam_step` as it came. What is handed to it instead of `w`?",
    "A share of `rate * decay` is taken off: the rate is in it.",
    'Under `if name.endswith("/weights"):` stands `w = w * (1 - rate * decay)`.',
)

# --- answer
import numpy as np

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def adam_step(w, m, v, g, t, rate):
    """The new parameters, and the new means of gradients and of squares; ``t`` counts from 1."""
    m = m + (1 - BETA1) * (g - m)
    v = v + (1 - BETA2) * (g**2 - v)
    rate_t = rate * np.sqrt(1 - BETA2**t) / (1 - BETA1**t)
    return w - rate_t * m / (np.sqrt(v) + EPSILON), m, v


def adamw_step(name, w, m, v, g, t, rate, decay):
    """The same with decoupled decay."""
    #: begin
    #| g = g + decay * w
    #| return adam_step(w, m, v, g, t, rate)
    if name.endswith("/weights"):
        w = w * (1 - rate * decay)
    return adam_step(w, m, v, g, t, rate)
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    step = answer.function("adamw_step(name, w, m, v, g, t, rate, decay)")
    _judge(step, ("FC_OUT/weights", "FC_OUT/bias"), (2, 3), 4, 0.1, 0.3)
    with judging.besides("arrays of four axes, other names and another decay"):
        _judge(step, ("weights_net/weights", "weights_net/bias"), (1, 2, 1, 2), 2, 0.2, 0.1)
    return "the gradient stays as it came, weights lose their share, and biases none"


def _judge(step, names, shape, t, rate, decay):
    w, m, g = (judging.numbers(*shape, seed=seed) for seed in range(3))
    v = judging.numbers(*shape, seed=3) ** 2
    for name in names:
        got, got_m, got_v = judging.tuple_of(step(name, w, m, v, g, t, rate, decay), "w m v")
        plain, new_m, new_v = adam_step(w, m, v, g, t, rate)
        in_gradient = adam_step(w, m, v, g + decay * w, t, rate)
        shrunk = plain - rate * decay * w
        if name.endswith("/bias"):
            mistakes = {"a bias decays; only weights do": shrunk, "a bias decays by its gradient": in_gradient[0]}
            judging.same(got, plain, f"w of {name}", mistakes)
        in_both = adam_step(w, m, v, g + decay * w * (1 - rate * decay), t, rate)
        mistakes = {
            "the decay is in the gradient, and so in m and v": in_gradient[1],
            "the decay is beside the step and in the gradient, too; leave the gradient alone": in_both[1],
            "the decay is in m; the step's means know nothing of it": adam_step(w, m + decay * w, v, g, t, rate)[1],
        }
        judging.same(got_m, new_m, "m", mistakes)
        judging.same(got_v, new_v, "v")
        mistakes = {
            "the weights do not decay": plain,
            "the share lacks the rate: it is rate * decay": plain - decay * w,
            "the decay comes after the step; here a share of the weights before it is taken off": (
                plain * (1 - rate * decay)
            ),
            "the share is halved; it is rate * decay, and nothing is squared here": plain - rate * decay / 2 * w,
            "the gradient moves w twice; before ADAM's step there is the share alone": shrunk - rate * g,
            "the weights grow: the share is taken off": plain + rate * decay * w,
            "the weights are set to the share that is to be taken off": plain - w + rate * decay * w,
        }
        if name.endswith("/weights"):
            judging.same(got, shrunk, f"w of {name}", mistakes)
