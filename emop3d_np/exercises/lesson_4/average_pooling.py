"""A twin: the mean in the place of the maximum

Write the average pooling of frames, both passes. Forward: `m[n, d'] = mean over i < frames of x[n, d' + i]`, for `x` of
the shape `(n, d, h, w, f)`; runs overlap, so `m` has the shape `(n, d - frames + 1, h, w, f)`. Backward gives `dx` in
the shape of `x` from `dm`; `x` is handed in for its shape.

The page: [Pooling](pooling.md#the-average-twin).
"""

HINTS = (
    "A mean is a box sum over frames, divided by their number.",
    "Nobody wins: each frame of a run gets an equal share of its gradient, and a frame is in several runs.",
    "For each i: m += x[:, i : i + count] / frames; and backward: dx[:, i : i + count] += dm / frames.",
)

# --- answer
import numpy as np

#: begin
#| def forward(x, frames):
#|     """The means m (n, d', h, w, f)."""
#|     raise NotImplementedError("write this")
#|
#|
#| def backward(dm, x, frames):
#|     """The gradient dx, of the shape of x."""
#|     raise NotImplementedError("write this")


def forward(x, frames):
    """The means m (n, d', h, w, f)."""
    count = x.shape[1] - frames + 1
    return sum(x[:, i : i + count] for i in range(frames)) / frames


def backward(dm, x, frames):
    """The gradient dx, of the shape of x."""
    dx = np.zeros_like(x)
    for i in range(frames):
        dx[:, i : i + dm.shape[1]] += dm / frames
    return dx


#: end


# --- judge
from kernels.reference.average_pool import average_pool_frames, average_pool_frames_backward

from .. import judging


def judge(answer: judging.Answer) -> str:
    forward, backward = answer.function("forward(x, frames)"), answer.function("backward(dm, x, frames)")
    x = judging.numbers(4, 6, 5, 3, 1)
    right = average_pool_frames(x, 3)
    looks = {
        "m is a sum of frames; divide by their number": 3 * right,
        "m is divided by the number of all frames; a run has fewer": right * 3 / 6,
        "m is divided by the number of runs; a mean is over the frames of a run": right * 3 / 4,
        "m is the maximum": np.lib.stride_tricks.sliding_window_view(x, 3, axis=1).max(axis=-1),
        "m is one mean of all frames; each run has its own": x.mean(axis=1, keepdims=True),
        "m has runs side by side; they overlap, and the next one begins one frame later": right[:, ::3],
        "m lacks the last run; there are d - frames + 1": right[:, :-1],
    }
    for axis, name in ((0, "clips"), (2, "rows"), (3, "columns")):
        along = np.lib.stride_tricks.sliding_window_view(x, 3, axis=axis).mean(axis=-1)
        looks[f"m is a mean along the {name}; frames are axis 1"] = along
    judging.same(forward(x, 3), right, "m", looks)
    x = judging.numbers(5, 6, 1, 2, 1)

    def written_over(dm, x):
        dx = np.zeros_like(x)
        for i in range(3):
            dx[:, i : i + dm.shape[1]] = dm / 3
        return dx

    def by_cover(dm, x):
        each = average_pool_frames_backward(np.ones_like(dm), x, 3) * 3  # how many runs a frame is in
        return 3 * average_pool_frames_backward(dm, x, 3) / each

    def times(factor):
        return lambda dm, x: factor * average_pool_frames_backward(dm, x, 3)

    mistakes = {
        "backward gives each frame the whole gradient of a run; of a mean of three, each has a third": times(3),
        "backward divides by the number of runs; a mean is over the frames of a run": times(3 / 4),
        "backward divides by the number of all frames; a mean is over those of a run": times(3 / 6),
        "backward divides twice by the number of frames": times(1 / 3),
        "backward divides by the number of runs that a frame is in; each run gives its frames a third": by_cover,
        "backward has x in it; a mean has the same slope wherever it is": lambda dm, x: (
            x * average_pool_frames_backward(dm, x, 3)
        ),
        "backward: where runs overlap, a later one writes over an earlier one": written_over,
        "backward: only the first frame of each run gets something": lambda dm, x: np.pad(
            dm / 3, ((0, 0), (0, 2), (0, 0), (0, 0), (0, 0))
        ),
    }
    words = judging.gradients(
        lambda x: average_pool_frames(x, 3), lambda dm, x: backward(dm, x, 3), [x], "x", mistakes=mistakes
    )
    with judging.besides("two clips and runs of 2"):
        x = judging.numbers(2, 4, 2, 1, 1)
        judging.same(forward(x, 2), average_pool_frames(x, 2), "m")
        judging.gradients(lambda x: average_pool_frames(x, 2), lambda dm, x: backward(dm, x, 2), [x], "x")
    return words
