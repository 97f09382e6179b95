"""A weight with two ways to the loss

One unit with one weight, and a price for large weights:

`z = w * x + b`, then `e = z - t`, then `L = e * e / 2 + w * w / 2`

Somebody wrote its backward pass and forgot something; the file has it. It returns the derivatives of `L` by `w`, `x`
and `b`, in this order. Find what is forgotten, and mend it.

The page: [The chain rule](chain_rule.md#by-hand).
"""

HINTS = (
    "Draw the graph: where does each of w, x and b go into? Two of them go one way, one goes two.",
    "What comes down on several ways adds up.",
    "dw is de * x, and on the way through w * w / 2 another w.",
)

# --- answer


def backward(w, x, b, t):
    """The derivatives of the loss by w, x and b."""
    e = w * x + b - t
    #: begin
    #| return e * x, e * w, e
    return e * x + w, e * w, e
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(w, x, b, t)")
    t = 0.5

    def of_target(t):
        def times_d(d, w, x, b):
            got = zip(judging.tuple_of(backward(w, x, b, t), "dw dx db"), "wxb", strict=True)
            return tuple(d * judging.array(each, (), f"the gradient of {name}") for each, name in got)

        return lambda w, x, b: (w * x + b - t) ** 2 / 2 + w**2 / 2, times_d

    def looks(of_w):
        return lambda d, w, x, b: (d * of_w(w, x, w * x + b - t), None, None)

    def exchanged(d, w, x, b):
        e = w * x + b - t
        return d * e * w, d * (e * x + w), None

    mistakes = {
        "dw and dx are exchanged; the order is dw, dx, db": exchanged,
        "dw has one of two ways only, that through the product": looks(lambda w, x, e: e * x),
        "dw has one of two ways only, that through its own square": looks(lambda w, x, e: w),
        "two ways add up; here they are multiplied": looks(lambda w, x, e: e * x * w),
        "half a square has the slope w, not w / 2 or 2 w": [
            looks(lambda w, x, e, times=times: e * x + times * w) for times in (0.5, 2)
        ],
        "what is added is the price itself; it is to be its derivative": looks(lambda w, x, e: e * x + w * w / 2),
        "the second way is taken off; what comes down on several ways adds up": looks(lambda w, x, e: e * x - w),
        "the second way is added to dx; it is w that goes two": (
            lambda d, w, x, b: (None, d * ((w * x + b - t) * w + w), None)
        ),
        "half a square has the slope e, and not 2 e": lambda d, w, x, b: (None, None, 2 * d * (w * x + b - t)),
        "the target is missing in e": lambda d, w, x, b: (None, None, d * (w * x + b)),
    }
    inputs = [judging.numbers(seed=seed) for seed in (4, 5, 6)]
    words = judging.gradients(*of_target(t), inputs, "w x b", mistakes=mistakes)
    with judging.besides("t = -1.5"):
        judging.gradients(*of_target(-1.5), inputs, "w x b")
    return words
