"""Nesterov's method, from its definition

As it was published, the gradient is not taken at `w`, but where momentum is about to carry it:

    g = gradient(w - rate momentum a)
    a = momentum a + g
    w = w - rate a

A program would like to take gradients where its parameters are. So keep the point ahead,
`u = w - rate * momentum * a`, in the place of `w`. Write `nesterov_step(u, a, g, rate, momentum)`, where `g` is the
gradient at `u`; it returns the new `u` and the new `a`. It must give the same points as the published form,
`nesterov_as_published`, which is there to try.

The page: [Momentum](momentum.md#line-by-line), which derives it.
"""

HINTS = (
    "The running sum is as in the published form. Only the last line changes.",
    "Put `w = u + rate * momentum * a` (with the old `a`) into the last line, and take off what carries the new `w` "
    "ahead.",
    "`u` becomes `u - rate * (g + momentum * a)`, with the new `a`.",
)

# --- answer


def nesterov_as_published(w, a, gradient, rate, momentum):
    """The new parameters and the new running sum; ``gradient`` is a function of a point."""
    g = gradient(w - rate * momentum * a)
    a = momentum * a + g
    return w - rate * a, a


def nesterov_step(u, a, g, rate, momentum):
    """The new point ahead and the new running sum; ``g`` is the gradient at ``u``."""
    #: begin
    a = momentum * a + g
    return u - rate * (g + momentum * a), a
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    step = answer.function("nesterov_step(u, a, g, rate, momentum)")
    u, a, g = (judging.numbers(3, seed=seed) for seed in range(3))
    rate, momentum = 0.1, 0.8
    new = momentum * a + g
    got_u, got_a = judging.tuple_of(step(u, a, g, rate, momentum), "u a")
    judging.same(
        got_a,
        new,
        "a",
        {
            "a is returned as it was": a,
            "a is a mean: here the gradient comes in whole, and is not multiplied by 1 - momentum": (
                momentum * a + (1 - momentum) * g
            ),
            "the rate is in a; here it comes in where u is moved": momentum * a + rate * g,
            "a has momentum's share taken in advance; that belongs into the step of u alone": g + momentum * new,
            "u and a are returned in the other order": u - rate * (g + momentum * new),
        },
    )
    judging.same(
        got_u,
        u - rate * (g + momentum * new),
        "u",
        {
            "this is plain momentum, or g + momentum * a with the old a, which is the same: u has to be carried "
            "ahead by the new one": u - rate * new,
            "this is where momentum is about to carry the new w, but the old one was not put back first": (
                u - rate * new - rate * momentum * new
            ),
            "this is the new w; what is kept is the point ahead of it, w - rate * momentum * a with the new a": (
                u + rate * momentum * a - rate * new
            ),
            "the gradient itself is left out; u is moved by g and by what momentum adds": u - rate * momentum * new,
            "momentum multiplies the gradient once more; what it multiplies is the new a": (
                u - rate * (new + momentum * g)
            ),
            "the way ahead is taken off; both parts go the same way": u - rate * (g - momentum * new),
            "the rate multiplies both parts, that of momentum, too": u - rate * g - momentum * new,
            "u goes up the gradient": u + rate * (g + momentum * new),
            "u is moved without the rate": u - (g + momentum * new),
        },
    )
    curvatures = np.array([1.0, 4, 9])
    w, sums = np.ones(3), np.zeros(3)
    ahead, kept = w, sums
    for _ in range(5):
        w, sums = nesterov_as_published(w, sums, lambda at: curvatures * at, 0.05, 0.9)
        ahead, kept = step(ahead, kept, curvatures * ahead, 0.05, 0.9)
    judging.same(ahead, w - 0.05 * 0.9 * sums, "u after five steps")
    return "the same five points as the published form"
