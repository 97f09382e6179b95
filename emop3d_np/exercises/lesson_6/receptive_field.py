"""What one unit sees

`receptive_field(windows, strides)` takes the windows and strides of the layers along one axis, from the input
upwards, and says how many positions of the input one unit of the last layer depends on. Let `seen` be how much is
seen so far and `apart` how far apart neighbours are, in positions of the input. Both begin at 1, and a layer with
windows of `r` and a stride of `s` makes `seen` larger by `(r - 1) apart`, and `apart` `s` times as large.

Write it.

The page: [The pyramid](pyramid.md#what-one-unit-of-the-last-maps-sees).
"""

HINTS = (
    "A loop over `zip(windows, strides)`, with two lines in it.",
    "In which order do the two lines stand? A layer's window counts in the steps of what *enters* it.",
    "First `seen += (r - 1) * apart`, then `apart *= s`. For windows 4, 2, 4 with strides 1, 2, 1 it is 11.",
)

# --- answer


def receptive_field(windows, strides):
    """Positions of the input that one unit depends on."""
    #: begin
    seen, apart = 1, 1
    for r, s in zip(windows, strides, strict=True):
        seen += (r - 1) * apart
        apart *= s
    return seen
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    receptive_field = answer.function("receptive_field(windows, strides)")
    for windows, strides in (
        ((3, 3, 3), (1, 1, 1)),
        ((4, 2, 4), (1, 2, 1)),
        ((5, 3, 2, 3), (2, 3, 1, 2)),
        ((3,), (1,)),
    ):
        layers = list(enumerate(windows))
        seen, apart, late, whole, own = 1, 1, 1, 1, 1
        for r, s in zip(windows, strides, strict=True):
            seen, whole, own = seen + (r - 1) * apart, whole + r * apart, own + (r - 1) * s
            apart *= s
            late += (r - 1) * apart
        case = f"windows {windows}, strides {strides}: "
        mistakes = {
            "a layer's own stride counts too early; its window counts in the steps of what enters it": late,
            "strides are left out; above a stride of 2 neighbours are 2 apart": 1 + sum(r - 1 for r in windows),
            "strides multiply from layer to layer; each was taken alone": own,
            "a window of r reaches r - 1 further, not r": whole,
            "windows are multiplied, but they overlap": int(np.prod(windows)),
            "the unit itself is missing; it begins with 1": seen - 1,
            "the layers are taken from the last one down; they are given from the input upwards": _field(
                windows[::-1], strides[::-1]
            ),
            "only the first layer is counted; is the return in the loop?": windows[0],
            "strides multiply; here they are added": 1 + sum((r - 1) * (1 + sum(strides[:i])) for i, r in layers),
            "what is apart is a product of all strides below, not the one before alone": 1
            + sum((r - 1) * (1, *strides)[i] for i, r in layers),
        }
        judging.same(
            receptive_field(windows, strides),
            np.float64(seen),
            f"{case}the field",
            {case + words: float(value) for words, value in mistakes.items()},
        )
    return "11 rows and 7 frames for the default network, and right for other strides"


def _field(windows, strides):
    """The receptive field, from the input upwards."""
    return 1 + sum((r - 1) * int(np.prod(strides[:i])) for i, r in enumerate(windows))
