"""The initial values of a window

Weights are drawn from uniform(-a, a). Glorot asks for a variance of `2 / (fan_in + fan_out)`. The network counts the
fans of its weighted sums as if a unit read the whole plane; derive what a would be if its *window* were counted, of
`(rd, rh, rw)` positions with `c` channels in and `f` maps out:

    fan_in = c rd rh rw        fan_out = f rd rh rw

`window_limit(window, channels, maps)` returns a; it has a mistake. Find it.

The page: [The pyramid](pyramid.md#what-it-starts-from).
"""

HINTS = (
    "What is the variance of numbers drawn evenly from -a to a? The page says it.",
    "It is `a**2 / 3`. Set it equal to what Glorot asks for, and solve for a.",
    "`a = sqrt(3 * 2 / (fan_in + fan_out))`: what the function returns is a standard deviation.",
)

# --- answer
import math


def window_limit(window, channels, maps):
    """The limit ``a`` of uniform(-a, a), by the window."""
    places = math.prod(window)
    #: begin
    #| return math.sqrt(2 / (places * channels + places * maps))
    return math.sqrt(6 / (places * channels + places * maps))
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    window_limit = answer.function("window_limit(window, channels, maps)")
    for window, c, f in (((3, 4, 4), 1, 3), ((2, 3, 5), 4, 2)):
        places = math.prod(window)
        case = f"a window of {window}, {c} channels, {f} maps: "
        mistakes = {
            "this is the standard deviation; uniform(-a, a) has the variance a**2 / 3": math.sqrt(
                2 / (places * (c + f))
            ),
            "this is a squared; the root is missing": 6 / (places * (c + f)),
            "only what enters is counted; Glorot takes both fans": math.sqrt(6 / (places * c)),
            "only what comes out is counted; Glorot takes both fans": math.sqrt(6 / (places * f)),
            "the places of the window are left out": math.sqrt(6 / (c + f)),
            "it is 3 over the mean of the fans, not over their sum": math.sqrt(3 / (places * (c + f))),
            "the factor 3 of the variance stands on the wrong side": math.sqrt(2 / 3 / (places * (c + f))),
        }
        judging.same(
            window_limit(window, c, f),
            np.float64(math.sqrt(6 / (places * (c + f)))),
            f"{case}a",
            {case + words: value for words, value in mistakes.items()},
        )
    return "0.1768 for the first layer, where the network takes 0.0071"
