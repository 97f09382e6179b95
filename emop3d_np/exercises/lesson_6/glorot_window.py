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
    for window, c, f in (((3, 4, 5), 2, 5), ((2, 3, 7), 4, 3)):
        places = math.prod(window)
        right = math.sqrt(6 / (places * (c + f)))
        case = f"a window of {window}, {c} channels, {f} maps: "
        mistakes = {
            "this is the standard deviation; uniform(-a, a) has the variance a**2 / 3": math.sqrt(
                2 / (places * (c + f))
            ),
            "this is a squared; the root is missing": 6 / (places * (c + f)),
            "only what enters is counted; Glorot takes both fans": [math.sqrt(n / (places * c)) for n in (3, 6)],
            "only what comes out is counted; Glorot takes both fans": [math.sqrt(n / (places * f)) for n in (3, 6)],
            "the places of the window are left out": math.sqrt(6 / (c + f)),
            "3 belongs over the mean of both fans; over their sum, it is 6": math.sqrt(3 / (places * (c + f))),
            "from -a to a it is 2 a, whose square over 12 is the variance; a alone is half of this": 2 * right,
            "a**2 / 3 is the variance: the 3 goes under the root with it": 3 * math.sqrt(2 / (places * (c + f))),
            "the places of a window are the product of its sides, not their sum": math.sqrt(
                6 / (sum(window) * (c + f))
            ),
            "the fans are added, not multiplied": math.sqrt(6 / (places * c * places * f)),
            "a window need not be a cube: its places are the product of its three sides": math.sqrt(
                6 / (window[0] ** 3 * (c + f))
            ),
            "the factor 3 of the variance stands on the wrong side": math.sqrt(2 / 3 / (places * (c + f))),
        }
        judging.same(
            window_limit(window, c, f),
            np.float64(right),
            f"{case}a",
            {case + words: value for words, value in mistakes.items()},
        )
    return "0.1768 for the first layer, where the network takes 0.0071"
