"""The maximum of every three frames, without a loop over frames

The function in the file is right, and goes through all frames in Python. Write it so that as many steps of Python run
for 16 frames as for 5: with maxima of whole slices, as a box sum adds up whole slices.

`x` has the shape `(n, d, h, w, f)`, the answer `(n, d - 2, h, w, f)`.

The pages: [Pooling](pooling.md#line-by-line-over-frames), and [box sums](box_sums.md#line-by-line) for the slices.
"""

HINTS = (
    "np.maximum(a, b) takes the larger of two arrays, element by element.",
    "The first frames of all runs are x[:, :-2]. What are their second and third frames?",
    "np.maximum(np.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])",
)

# --- answer
import numpy as np


def maximum_of_three(x):
    """The largest of every three frames in a row: (n, d - 2, h, w, f)."""
    #: begin
    #| m = np.zeros((x.shape[0], x.shape[1] - 2, *x.shape[2:]))
    #| for d in range(m.shape[1]):
    #|     m[:, d] = x[:, d : d + 3].max(axis=1)
    #| return m
    return np.maximum(np.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])
    #: end


# --- judge
from kernels.reference.max_pool import max_pool_frames

from .. import judging


def judge(answer: judging.Answer) -> str:
    function = answer.function("maximum_of_three(x)")
    for sign in (1, -1):
        x = sign * np.abs(judging.numbers(4, 7, 5, 3, 1))
        right = max_pool_frames(x, 3)
        clipped = np.maximum(right, 0)
        looks = {
            "negative maxima have become 0; where does the 0 come from?": clipped,
            "the third frame of each run is left out": np.maximum(x[:, :-2], x[:, 1:-1]),
            "the first frame of each run is left out": np.maximum(x[:, 1:-1], x[:, 2:]),
            "the middle frame of each run is left out": np.maximum(x[:, :-2], x[:, 2:]),
            "that is the mean": (x[:, :-2] + x[:, 1:-1] + x[:, 2:]) / 3,
            "that is the sum": x[:, :-2] + x[:, 1:-1] + x[:, 2:],
            "that is the smallest of the three": -max_pool_frames(-x, 3),
            "that is the maximum of all frames so far, and not of three": np.maximum.accumulate(x, axis=1)[:, 2:],
            "that is the maximum of all frames; each run of three has its own": np.broadcast_to(
                x.max(axis=1, keepdims=True), right.shape
            ),
            "the sign is lost: -3 is less than 1": max_pool_frames(np.abs(x), 3),
            "those are the maxima of two frames": np.maximum(x[:, :-1], x[:, 1:]),
            "runs lie side by side here; they overlap, and the next one begins one frame later": right[:, ::3],
        }
        for axis, name in ((0, "clips"), (2, "rows"), (3, "columns")):
            along = np.lib.stride_tricks.sliding_window_view(x, 3, axis=axis).max(axis=-1)
            looks[f"those are maxima along the {name}; frames are axis 1"] = along
        judging.same(function(x), right, "the maximum", looks)
    few, many = (judging.numbers(1, frames, 1, 1, 1) for frames in (5, 16))
    return judging.no_loop(answer, function, (few,), (many,), "frames")
