"""A twin: blocks that overlap by one

Many networks take the maximum over windows of 3 with a step of 2, so that neighbouring windows share one value:
`m[n, w'] = max over j < 3 of x[n, 2 * w' + j]`, for rows `x` `(n, w)`, with `w' = (w - 3) // 2 + 1` windows.

Write `backward(dm, x)`: `dx` in the shape of `x`. Of equal values the first takes all; a value that wins two windows
collects from both; what is in no window gets 0.

The page: [Pooling](pooling.md): the step of its blocks in space, and the overlap of its runs of frames.
"""

HINTS = (
    "For one j, the values that the windows look at there are x[:, j : j + 2 * (count - 1) + 1 : 2].",
    "np.stack these three slices along a last axis; argmax along it is the place in the window that won.",
    "For each j: dx[:, slice of j] += np.where(chosen == j, dm, 0).",
)

# --- answer
import numpy as np


def backward(dm, x):
    """The gradient dx (n, w)."""
    #: begin
    places = [slice(j, j + 2 * (dm.shape[1] - 1) + 1, 2) for j in range(3)]
    chosen = np.stack([x[:, place] for place in places], axis=-1).argmax(axis=-1)
    dx = np.zeros_like(x)
    for j, place in enumerate(places):
        dx[:, place] += np.where(chosen == j, dm, 0)
    return dx
    #: end


# --- judge
from .. import judging


def windows(x):
    """The windows of rows, from the definition: (n, w', 3)."""
    return np.lib.stride_tricks.sliding_window_view(x, 3, axis=1)[:, ::2]


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dm, x)")
    x = judging.numbers(2, 8, seed=2)
    x[0, 2], x[1, 4] = 5, 6  # each of which wins two windows
    x[0, 6] = 7  # the last place of its window
    words = judging.gradients(lambda x: windows(x).max(axis=-1), backward, [x], "x", mistakes=_mistakes())
    looks = {
        "of equal values the last takes all; here it is the first": np.array([[0.0, 0, 1, 0, 10]]),
        "equal values each get the whole gradient: more goes out than came in": np.array([[1.0, 1, 11, 10, 10]]),
    }
    got = backward(np.array([[1.0, 10]]), np.ones((1, 5)))
    judging.same(got, np.array([[1.0, 0, 10, 0, 0]]), "dx of values that are all equal", looks)
    return words


def _mistakes():
    def one_apart(dm, x):
        chosen = windows(x).argmax(axis=-1)
        dx = np.zeros_like(x)
        for j in range(3):
            dx[:, j : j + 3] += np.where(chosen == j, dm, 0)
        return dx

    def written_over(dm, x):
        chosen = windows(x).argmax(axis=-1)
        dx = np.zeros_like(x)
        for n in range(len(x)):
            for w in range(dm.shape[1]):
                dx[n, 2 * w + chosen[n, w]] = dm[n, w]
        return dx

    def written_by_place(dm, x):
        chosen, dx = windows(x).argmax(axis=-1), np.zeros_like(x)
        for j in range(3):
            part = dx[:, j : j + 2 * dm.shape[1] - 1 : 2]
            part[chosen == j] = dm[chosen == j]
        return dx

    def shared(dm, x):
        dx = np.zeros_like(x)
        for j in range(3):
            dx[:, j : j + 5 : 2] += dm / 3
        return dx

    def begun(step, places=3, choose=np.argmax):
        """Backward passes with windows that begin elsewhere, or are shorter, or where another value is chosen."""

        def made(dm, x):
            dx = np.zeros_like(x)
            for n in range(len(x)):
                for w in range(dm.shape[1]):
                    window = x[n, step * w : step * w + places]
                    if window.size:
                        dx[n, step * w + choose(window)] += dm[n, w]
            return dx

        return made

    def at_start(dm, x):
        chosen, dx = windows(x).argmax(axis=-1), np.zeros_like(x)
        np.add.at(dx, (np.arange(len(x))[:, np.newaxis], chosen), dm)
        return dx

    return {
        "the windows begin 3 apart here, side by side; they move on by 2": begun(3),
        "the windows begin 1 apart here; they move on by 2": begun(1),
        "the windows have two places here; they have three": begun(2, 2),
        "a place in the window is taken for one in the row: the window begins at 2 w'": at_start,
        "the smallest value of a window gets its gradient": begun(2, 3, np.argmin),
        "the windows move on by 2; this puts their gradients one apart": one_apart,
        "a value that wins two windows has the gradient of the later one only": written_over,
        "a value that wins two windows has the gradient of the earlier one only": written_by_place,
        "all values of a window share its gradient; the largest takes it": shared,
    }
