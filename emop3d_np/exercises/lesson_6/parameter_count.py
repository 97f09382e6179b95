"""How many numbers there are to learn

A network of the default windows (3 x 4 x 4, strides of 1; pool 3 x 2 x 2), for clips of `(d, h, w, c)`, with `f` maps
and `k` classes. Write `parameter_count(clip, maps, classes)`, which returns the counts of its four layers with
parameters, in a dict: `{"L1WS": ..., "L3P": ..., "L5WS": ..., "FC_OUT": ...}`.

| layer | shapes of weights and biases |
|---|---|
| `L1WS`, `L5WS` | `(3, h, w, c, f)` with `h, w, c` of what *enters*, and `(d', h', w', f)` of what comes out |
| `L3P` | `(1, h', w', f)` and `(d', 1, 1, f)`, of what comes out |
| `FC_OUT` | `(all that enters, k)` and `(k,)` |

A 3 x 4 x 4 window takes 2 frames, 3 rows, 3 columns away; the pool takes 2 frames and halves rows and columns,
rounding down.

The page: [The pyramid](pyramid.md), whose table you can check yourself by.
"""

HINTS = (
    "First the sizes, layer by layer, then the products. `d1, h1, w1 = d - 2, h - 3, w - 3` after `L1WS`.",
    "`d3, h3, w3 = d1 - 2, h1 // 2, w1 // 2` after `L3P`, and what enters `L5WS` has `f` channels, not `c`.",
    'The first line of the dict: `"L1WS": 3 * h * w * c * maps + d1 * h1 * w1 * maps`.',
)

# --- answer


def parameter_count(clip, maps, classes):
    """Parameters by layer."""
    #: begin
    d, h, w, c = clip
    d1, h1, w1 = d - 2, h - 3, w - 3
    d3, h3, w3 = d1 - 2, h1 // 2, w1 // 2
    d5, h5, w5 = d3 - 2, h3 - 3, w3 - 3
    return {
        "L1WS": 3 * h * w * c * maps + d1 * h1 * w1 * maps,
        "L3P": h3 * w3 * maps + d3 * maps,
        "L5WS": 3 * h3 * w3 * maps * maps + d5 * h5 * w5 * maps,
        "FC_OUT": d5 * h5 * w5 * maps * classes + classes,
    }
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    parameter_count = answer.function("parameter_count(clip, maps, classes)")
    for clip, f, k in (((16, 91, 102, 2), 4, 6), ((13, 26, 31, 1), 3, 4)):
        right, mistakes = _counts(clip, f, k)
        got = parameter_count(clip, f, k)
        if not isinstance(got, dict) or set(got) != set(right):
            raise judging.Wrong(f"{got!r:.80} is returned; it must be a dict with the names {', '.join(right)}")
        case = f"clip {clip}, {f} maps, {k} classes: "
        for name, count in right.items():
            wrong = {f"{case}{name}: {words}": list(map(float, values)) for words, values in mistakes[name].items()}
            judging.same(got[name], np.float64(count), f"{case}{name}", wrong)
    return "all four layers are right, for both networks that were tried"


def _sizes(clip, frames=2, rows=3, pooled=2, halved=lambda size: size // 2):
    """Frames, rows and columns after ``L1WS``, ``L3P`` and ``L5WS``, where so much is taken away."""
    d, h, w = clip[:3]
    first = d - frames, h - rows, w - rows
    pool = first[0] - pooled, halved(first[1]), halved(first[2])
    return first, pool, (pool[0] - frames, pool[1] - rows, pool[2] - rows)


def _right(clip, f, k, sizes):
    """The counts by layer, where sizes are as given."""
    _, h, w, c = clip
    (d1, h1, w1), (d3, h3, w3), (d5, h5, w5) = sizes
    features = d5 * h5 * w5 * f
    return {
        "L1WS": 3 * h * w * c * f + d1 * h1 * w1 * f,
        "L3P": h3 * w3 * f + d3 * f,
        "L5WS": 3 * h3 * w3 * f * f + features,
        "FC_OUT": features * k + k,
    }


def _counts(clip, f, k):
    """The right counts by layer, and by layer what typical mistakes give."""
    d, h, w, c = clip
    sizes = _sizes(clip)
    (d1, h1, w1), (d3, h3, w3), (d5, h5, w5) = sizes
    biases, features = d1 * h1 * w1 * f, d5 * h5 * w5 * f
    of_a_map = "a bias per map is counted; every output position has one of its own"
    of_what_enters = "weights lie over the positions that enter, not over those that come out"
    all_frames = "weights for all frames are counted; a window has 3, each with a plane of weights"
    right = _right(clip, f, k, sizes)
    mistakes = {
        "L1WS": {
            of_a_map: [3 * h * w * c * f + f],
            "the weights of one window are counted; every input position has its own": [48 * c * f + biases],
            "the biases are missing": [3 * h * w * c * f],
            "a window has 3 frames, each with a plane of weights": [h * w * c * f + biases],
            all_frames: [d * h * w * c * f + biases],
            of_what_enters: [3 * h1 * w1 * c * f + biases],
            "the channels of the clip are left out": [3 * h * w * f + biases] if c > 1 else [],
        },
        "L3P": {
            "its weights are shared by all frames": [d3 * h3 * w3 * f + d3 * f],
            "the biases are missing, one per frame and map": [h3 * w3 * f],
            "a bias per map is counted; it is one per frame and map": [h3 * w3 * f + f],
            "both shapes are those of what comes out; here they are of what enters": [h1 * w1 * f + d1 * f],
        },
        "L5WS": {
            of_a_map: [3 * h3 * w3 * f * f + f],
            "what enters has as many channels as there are maps, and each has weights for each map": [
                3 * h3 * w3 * f + features,
                3 * h3 * w3 * c * f + features,
            ],
            "the weights of one window are counted; every position that enters has its own": [48 * f * f + features],
            "the biases are missing": [3 * h3 * w3 * f * f],
            all_frames: [d3 * h3 * w3 * f * f + features],
            of_what_enters: [3 * h5 * w5 * f * f + features],
        },
        "FC_OUT": {
            "the biases are missing, one per class": [features * k],
            "the features of one map are counted": [features // f * k + k],
        },
    }
    for words, other in (
        ("a window of 3 takes 2 frames away, not 3, and one of 4 takes 3 rows, not 4", _sizes(clip, 3, 4, 3)),
        ("a window of 3 takes 2 frames away, not 3", _sizes(clip, 3, 3, 3)),
        ("a window of 4 takes 3 rows and columns away, not 4", _sizes(clip, 2, 4)),
        ("the pool takes 2 frames away: its runs overlap", _sizes(clip, pooled=sizes[0][0] - sizes[0][0] // 3)),
        ("the pool takes 2 frames away, too", _sizes(clip, pooled=0)),
        ("an odd row is dropped by the pool: half of it is rounded down", _sizes(clip, halved=lambda n: -(-n // 2))),
        ("rows and columns are of different number", _sizes((d, h, h))),
    ):
        of_them = (d, h, h, c) if "different" in words else clip
        for name, count in _right(of_them, f, k, other).items():
            if count != right[name]:
                mistakes[name][words] = [count]
    return right, mistakes
