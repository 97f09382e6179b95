"""Find the mistake: a frame that wins twice

Runs of `frames` consecutive frames overlap: `m[n, d'] = max over i < frames of x[n, d' + i]`, with `x` of the shape
`(n, d, h, w, f)`. The file has the backward pass. It is right for every frame that wins once.

Find the mistake, and mend it.

The page: [Pooling](pooling.md#line-by-line-over-frames).
"""

HINTS = (
    "Take one position, and a frame that is larger than all others. Which runs choose it?",
    "The loop writes to overlapping slices of dx. What does the second turn do to what the first has written?",
    "Add to the slice; a frame collects from all the runs that chose it.",
)

# --- answer
import numpy as np


def backward(dm, x, frames):
    """The gradient dx, of the shape of x."""
    chosen = np.lib.stride_tricks.sliding_window_view(x, frames, axis=1).argmax(axis=-1)
    dx = np.zeros_like(x)
    for i in range(frames):
        #: begin
        #| part = dx[:, i : i + dm.shape[1]]
        #| part[chosen == i] = dm[chosen == i]
        dx[:, i : i + dm.shape[1]] += np.where(chosen == i, dm, 0)
        #: end
    return dx


# --- judge
from kernels.reference.max_pool import max_pool_frames, max_pool_frames_backward

from .. import judging


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dm, x, frames)")
    x = judging.numbers(2, 6, 1, 5, 1, seed=3)
    x[0, 2, 0, 0] = 4  # which wins three of the four runs
    x[0, :, 0, 1, 0] = 6, 5, 4, 3, 2, 1  # where each run is won by its first frame
    words = judging.gradients(
        lambda x: max_pool_frames(x, 3), lambda dm, x: backward(dm, x, 3), [x], "x", mistakes=_mistakes()
    )
    x, dm = np.ones((1, 4, 1, 1, 1)), np.array([1.0, 10, 100]).reshape(1, 3, 1, 1, 1)
    equal = {
        "of equal frames each gets the whole gradient; the first takes all": np.array([1.0, 11, 110, 100]),
        "of equal frames the last takes all; here it is the first": np.array([0.0, 1, 10, 100]),
        "equal frames share the gradient; here the first takes all": np.array([0.5, 5.5, 55, 50]),
    }
    judging.same(
        backward(dm, x, 2),
        max_pool_frames_backward(dm, x, 2),
        "dx of frames that are all equal",
        {words: each.reshape(x.shape) for words, each in equal.items()},
    )
    return words


def _mistakes():
    def chosen_of(x):
        return np.lib.stride_tricks.sliding_window_view(x, 3, axis=1).argmax(axis=-1)

    def last_only(dm, x):
        dx, chosen = np.zeros_like(x), chosen_of(x)
        for i in range(3):
            part = dx[:, i : i + dm.shape[1]]
            part[chosen == i] = dm[chosen == i]
        return dx

    def wiped(dm, x):
        dx, chosen = np.zeros_like(x), chosen_of(x)
        for i in range(3):
            dx[:, i : i + dm.shape[1]] = np.where(chosen == i, dm, 0)
        return dx

    def all_of_them(dm, x):
        return sum(np.pad(dm, ((0, 0), (i, 2 - i), (0, 0), (0, 0), (0, 0))) for i in range(3))

    def to_first(dm, x):
        return np.pad(np.where(chosen_of(x) >= 0, dm, 0), ((0, 0), (0, 2), (0, 0), (0, 0), (0, 0)))

    def to_others(chosen_of, runs=slice(None)):
        """Backward passes that give the gradients of some runs to frames that were chosen otherwise."""

        def made(dm, x):
            dx = np.zeros_like(x)
            for d in range(dm.shape[1])[runs]:
                for i in range(3):
                    dx[:, d + i] += (chosen_of(x[:, d : d + 3]) == i) * dm[:, d]
            return dx

        return made

    return {
        "a frame that wins several runs has the gradient of one of them only; it answers for all": last_only,
        "each turn of the loop wipes out what the turns before have written, with zeros, too": wiped,
        "every frame of a run gets its gradient; only the one that was chosen does": all_of_them,
        "the first frame of each run gets its gradient, whichever was chosen": to_first,
        "every third run passes its gradient on; runs overlap, and each has a winner": to_others(
            lambda run: run.argmax(axis=1), slice(None, None, 3)
        ),
        "the gradient of a run is divided by its number of frames, as that of a mean": lambda dm, x: (
            max_pool_frames_backward(dm / 3, x, 3)
        ),
        "the smallest frame of a run gets its gradient": to_others(lambda run: run.argmin(axis=1)),
    }
