"""A check in two forward passes

A backward pass claims: whatever the direction v, `dx` times v, added up, is the slope of `delta` times `F(x + t v)`,
added up, at t = 0. Write `promised_and_measured(forward, backward, x, delta, v, h)`, which returns both sides:

- promised: the sum of `backward(delta, x) * v`;
- measured: the central difference, with the step `h`, of the sum of `delta * forward(...)` along v.

`x` and `v` have one shape, `delta` has that of `forward(x)`. Call `forward` twice and no more.

The page: [How gradients are checked](gradients_checked.md#the-claim).
"""

HINTS = (
    "The number that is watched is `(delta * forward(x)).sum()`, at two places.",
    "The two places are `x + h * v` and `x - h * v`.",
    "`measured = ((delta * forward(x + h * v)).sum() - (delta * forward(x - h * v)).sum()) / (2 * h)`.",
)

# --- answer


def promised_and_measured(forward, backward, x, delta, v, h):
    """What the backward pass promises for a small move along ``v``, and what the forward pass shows."""
    #: begin
    promised = (backward(delta, x) * v).sum()
    change = forward(x + h * v) - forward(x - h * v)
    return promised, (delta * change).sum() / (2 * h)
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    function = answer.function("promised_and_measured(forward, backward, x, delta, v, h)")
    _judge(function, 3, 4, 1e-3)
    with judging.besides("2 elements, 3 outputs and a step of 0.01"):
        _judge(function, 2, 3, 0.01)
    return "both sides are right; the backward pass of the judge, which was wrong, is found out"


def _judge(function, elements, outputs, h):
    x, v = judging.numbers(elements), judging.numbers(elements, seed=1)
    W, delta = judging.numbers(elements, outputs), judging.numbers(outputs, seed=2)
    calls = []

    def forward(x):
        calls.append(x)
        return np.exp(x @ W)

    def wrong_backward(delta, x):
        if judging.shape_of(delta) == (elements,) and judging.shape_of(x) == (outputs,):
            raise judging.Wrong("backward is given x in the place of delta: it is backward(delta, x)")
        return W @ (delta * (1 + x @ W))  # for exp: what is promised differs from what is measured

    got = judging.tuple_of(function(forward, wrong_backward, x, delta, v, h), "promised measured")
    if len(calls) > 2:
        raise judging.Wrong(f"forward was called {len(calls)} times; two calls are enough for any number of elements")
    dx = wrong_backward(delta, x)
    judging.same(
        got[0],
        dx @ v,
        "promised",
        {
            "promised is the sum of dx; each element counts as much as v moves it": dx.sum(),
            "promised and measured are returned in the other order": _slope(W, x, delta, v, h),
            "promised is the product of dx and x; the move is v": dx @ x,
            "promised is a mean; it is the sum": dx @ v / elements,
            "backward is asked at a moved x; what it promises, it promises at x": [
                wrong_backward(delta, x + step * v) @ v for step in (h, -h)
            ],
        },
    )
    up, down = np.exp((x + h * v) @ W), np.exp((x - h * v) @ W)
    judging.same(
        got[1],
        _slope(W, x, delta, v, h),
        "measured",
        {
            "measured is without delta: each output counts as much as the gradient that arrives at it": (
                _slope(W, x, np.ones(outputs), v, h)
            ),
            "measured is twice too large: the two places are 2 h apart": 2 * _slope(W, x, delta, v, h),
            "the sign of measured is turned: it is the upper value less the lower": -_slope(W, x, delta, v, h),
            "delta multiplies one of the two values only; it multiplies both": [
                (delta @ up - down.sum()) / (2 * h),
                (up.sum() - delta @ down) / (2 * h),
            ],
            "measured is not divided by the way": 2 * h * _slope(W, x, delta, v, h),
            "measured is a difference to one side": delta @ (np.exp((x + h * v) @ W) - np.exp(x @ W)) / h,
            "measured moves all elements alike; the move is along v": _slope(W, x, delta, np.ones(elements), h),
            "measured is a mean over the outputs, not a sum": _slope(W, x, delta, v, h) / outputs,
            "measured is what backward promises; it must come from forward alone": dx @ v,
        },
    )


def _slope(W, x, delta, v, h):
    return delta @ (np.exp((x + h * v) @ W) - np.exp((x - h * v) @ W)) / (2 * h)
