"""A step with momentum

Write `momentum_step(w, a, g, rate, momentum)`. `w` are the parameters, `a` is the running sum, `g` the gradient; all
have one shape. It returns the new `w` and the new `a`, and changes none of the arrays that it is given:

    a = momentum a + g
    w = w - rate a, with the new a

The page: [Momentum](momentum.md#line-by-line).
"""

HINTS = (
    "Two lines, in the order of the task. `+=` and `*=` would write into the arrays that are handed in.",
    "The step uses the sum in which this gradient is already in.",
    "`a = momentum * a + g`, and then `return w - rate * a, a`. (`a *= momentum` would change the array that was "
    "handed in.)",
)

# --- answer


def momentum_step(w, a, g, rate, momentum):
    """The new parameters and the new running sum."""
    #: begin
    a = momentum * a + g
    return w - rate * a, a
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    step = answer.function("momentum_step(w, a, g, rate, momentum)")
    _judge(step, 0.1, 0.8, (2, 3))
    with judging.besides("a rate of 0.3 and a momentum of 0.6"):
        _judge(step, 0.3, 0.6, (4,))
    return "the same as the package's Momentum in every element"


def _judge(step, rate, momentum, shape):
    w, a, g = (judging.numbers(*shape, seed=seed) for seed in range(3))
    new = momentum * a + g
    got_w, got_a = judging.tuple_of(step(w, a, g, rate, momentum), "w a")
    judging.same(
        got_a,
        new,
        "a",
        {
            "a is a mean: here the gradient comes in whole, and is not multiplied by 1 - momentum": (
                momentum * a + (1 - momentum) * g
            ),
            "the old a is kept whole, and never forgets": a + g,
            "the old a is lost; this is the gradient alone": g,
            "the rate is in a; here it comes in where w is moved": momentum * a + rate * g,
            "momentum multiplies the gradient, too": momentum * (a + g),
            "momentum multiplies the gradient; it is the old a that fades": a + momentum * g,
            "a fades by 0.9, whatever momentum is given": 0.9 * a + g,
            "a is returned as it was": a,
            "w and a are returned in the other order": w - rate * new,
        },
    )
    judging.same(
        got_w,
        w - rate * new,
        "w",
        {
            "w goes up the gradient; a step goes against it": w + rate * new,
            "w is moved by the old a; its step uses the new one": w - rate * a,
            "w is moved by the gradient alone; its step is along a": w - rate * g,
            "w is moved without the rate": w - new,
            "the change of w is returned, not w": -rate * new,
            "this is Nesterov's step": w - rate * (g + momentum * new),
        },
    )
