"""An average of the network

Beside the parameters w their moving average is kept: after each step, `average = average + (1 - kept) (w - average)`.
Most of it is to be kept in the long run, a `share` such as 0.99; at first less, so that the initial values are soon
forgotten:

    kept = the smaller of share and (1 + step) / (10 + step)

where `step` is 1 after the first update. `averaged(average, w, step, share)` should return the new average. It has
two mistakes. Mend it; change none of the arrays that are handed in.

The page: [Momentum](momentum.md#an-average-on-the-way).
"""

HINTS = (
    "With a share of 0.99, how much of the average is kept after step 1? Two elevenths, or 0.99?",
    "`max` never gives less than the share.",
    "And `kept` is the part of the *old* average that stays: the new parameters come in with `1 - kept`.",
)

# --- answer


def averaged(average, w, step, share):
    """The new average; ``step`` counts from 1."""
    #: begin
    #| kept = max(share, (1 + step) / (10 + step))
    #| return average + kept * (w - average)
    kept = min(share, (1 + step) / (10 + step))
    return average + (1 - kept) * (w - average)
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    averaged = answer.function("averaged(average, w, step, share)")
    _judge(averaged, 0.9, 3)
    with judging.besides("a share of 0.97"):
        _judge(averaged, 0.97, 4)
    return "it forgets its beginning quickly and the rest slowly"


def _judge(averaged, share, count):
    average, w = judging.numbers(count), judging.numbers(count, seed=1)
    steps = np.array([1, 2, 50, 100, 1000])
    early = (1 + steps) / (10 + steps)
    least, most = np.minimum(share, early), np.maximum(share, early)

    def moved(part):
        return average + np.outer(np.broadcast_to(part, steps.shape), w - average)

    judging.same(
        np.stack([judging.array(averaged(average, w, int(step), share), (count,), "the average") for step in steps]),
        moved(1 - least),
        "averages by step",
        {
            "put in step 1 by hand: how much of the old average is kept, how much should be?": moved(most),
            "kept is the larger of the two; it must be the smaller": moved(1 - most),
            "kept and what comes in are exchanged: kept is the part of the old average": moved(least),
            "there is no gentle start: the share alone counts": moved(1 - share),
            "the share is left out: in the long run all is kept": moved(1 - early),
            "the sign is turned: the average moves away from w": moved(least - 1),
            "the old average is kept whole, and w is added to it": average + np.outer(1 - least, w),
            "w comes in whole; the part that is kept and the part that comes in add up to 1": np.outer(least, average)
            + w,
            "this is the plain mean of all steps, which forgets nothing": moved(1 / (1 + steps)),
            "w is returned as it is": moved(1),
            "the average is returned as it was": moved(0),
            "the step counts from 0 here; it is 1 after the first update": moved(
                1 - np.minimum(share, steps / (9 + steps))
            ),
        },
    )
