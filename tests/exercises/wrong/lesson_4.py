"""Wrong answers to the exercises of lesson 4: lines between the marks, and words of the verdict."""

WINNERS = "m_3, dx_2, dx_3, total = {}"
BLOCK = "cells = x.reshape(*dm.shape, p)\n"
AVERAGE = """
def forward(x, frames):
    count = x.shape[1] - frames + 1
    return sum(x[:, i : i + count] for i in range(frames)) / {over}


def backward(dm, x, frames):
    dx = np.zeros_like(x)
    for i in range({turns}):
        dx[:, i : i + dm.shape[1]] {add} dm / {share}
    return dx
"""
MEANS = {"over": "frames", "turns": "frames", "add": "+=", "share": "frames"}
SHIFT = "return {dm}, {dw}, {db}"
SHIFTS = {
    "dm": "dz * weights",
    "dw": "(dz * m).sum(axis=(0, 1))[None]",
    "db": "dz.sum(axis=(0, 2, 3))[:, None, None]",
}
OVERLAP = """
places = [slice(j, j + 2 * (dm.shape[1] - 1) + 1, 2) for j in range(3)]
chosen = np.stack([x[:, place] for place in places], axis=-1).argmax(axis=-1)
dx = np.zeros_like(x)
"""

WRONG = {
    "winners_by_hand": [
        (WINNERS.format("5, 111, 1000, 11111"), "frame 3 is in the run 3, too"),
        (WINNERS.format("6, 11, 1100, 11111"), "which of them comes first?"),
        (WINNERS.format("6, 56, 1055, 11111"), "equal values do not share here"),
        (WINNERS.format("6, 111, 0, 11111"), "there is a run without the first six"),
        (WINNERS.format("6, 111, 1000, 5"), "that is the number of runs"),
    ],
    "block_maximum_backward": [
        ("return np.repeat(dm, p, axis=1)", "the largest one alone moves the maximum"),
        ("return np.repeat(dm, p, axis=1) / p", "that is the mean"),
        (
            "p = 3\ncells = x.reshape(*dm.shape, p)\ndcells = np.zeros_like(cells)\n"
            "np.put_along_axis(dcells, cells.argmax(axis=-1)[..., None], dm[..., None], axis=-1)\n"
            "return dcells.reshape(x.shape)",
            "right at first, but not with 3 rows and blocks of 2: line",
        ),
        (
            BLOCK + "best = cells == cells.max(axis=-1, keepdims=True)\n"
            "return (best / best.sum(axis=-1, keepdims=True) * dm[..., None]).reshape(x.shape)",
            "two equal cells share the gradient; here the first takes all",
        ),
        (
            BLOCK + "return ((cells == cells.min(axis=-1, keepdims=True)) * dm[..., None]).reshape(x.shape)",
            "the smallest cell gets the gradient",
        ),
        (
            BLOCK + "return ((cells == cells.max(axis=-1, keepdims=True)) * cells * dm[..., None]).reshape(x.shape)",
            "its slope is 1",
        ),
        (
            BLOCK + "return (cells == cells.max(axis=-1, keepdims=True)) * dm[..., None]",
            "the gradient of x has the shape (2, 2, 3); it must have (2, 6); is a reshape missing?",
        ),
    ],
    "frames_that_win": [
        ("dx[:, i : i + dm.shape[1]] = np.where(chosen == i, dm, 0)", "wipes out what the turns before have written"),
        ("dx[:, i : i + dm.shape[1]] += dm", "every frame of a run gets its gradient"),
        ("dx[:, : dm.shape[1]] += np.where(chosen == i, dm, 0)", "the first frame of each run gets its gradient"),
        ("dx[:, i : i + dm.shape[1]] += np.where(chosen != i, dm, 0)", "the gradient of x["),
    ],
    "average_pooling": [
        (AVERAGE.format(**MEANS | {"over": "1"}), "m is a sum of frames"),
        (AVERAGE.format(**MEANS | {"over": "x.shape[1]"}), "m is divided by the number of all frames"),
        (AVERAGE.format(**MEANS | {"share": "1"}), "backward gives each frame the whole gradient of a run"),
        (AVERAGE.format(**MEANS | {"add": "="}), "a later one writes over an earlier one"),
        (AVERAGE.format(**MEANS | {"over": "3"}), "right at first, but not with two clips and runs of 2"),
        (
            AVERAGE.format(**MEANS | {"turns": "3"}),
            "arrays of the shapes (2, 2, 2, 1, 1) and (2, 3, 2, 1, 1) do not fit each other",
        ),
        (AVERAGE.format(**MEANS | {"turns": "1"}), "only the first frame of each run gets something"),
        (AVERAGE.format(**MEANS | {"turns": "frames - 1"}), "the gradient of x["),
    ],
    "scale_shift_backward": [
        (SHIFT.format(**SHIFTS | {"dm": "dz * m"}), "dm has m in it"),
        (SHIFT.format(**SHIFTS | {"dm": "dz"}), "dm is dz; m was multiplied by a factor"),
        (SHIFT.format(**SHIFTS | {"dw": "(dz * weights).sum(axis=(0, 1))[None]"}), "dweights has the factor in it"),
        (SHIFT.format(**SHIFTS | {"dw": "(dz * m).sum(axis=0)"}), "the gradient of weights has the shape (2, 1, 3, 2)"),
        (
            SHIFT.format(**SHIFTS | {"db": "dz.sum(axis=(0, 2, 3)).reshape(2, 1, 1, 2)"}),
            "right at first, but not with 3 clips, other rows and 3 maps: line",
        ),
        (SHIFT.format(dm=SHIFTS["dw"], dw=SHIFTS["dm"], db=SHIFTS["db"]), "the order is dm, dweights, dbias"),
        (SHIFT.format(**SHIFTS | {"db": "dz.sum(axis=(0, 2, 3))"}), "the gradient of bias has the shape (2, 2)"),
        (SHIFT.format(**SHIFTS | {"db": "dz.mean(axis=(0, 2, 3))[:, None, None]"}), "dbias is a mean"),
        (
            SHIFT.format(**SHIFTS | {"db": "dz.sum(axis=(0, 2, 3, 4)).reshape(-1, 1, 1, 1)"}),
            "dbias is a sum over the maps, too",
        ),
    ],
    "overlapping_blocks": [
        (
            OVERLAP + "for j in range(3):\n    dx[:, j : j + dm.shape[1]] += np.where(chosen == j, dm, 0)\nreturn dx",
            "the windows move on by 2",
        ),
        (
            OVERLAP + "for j, place in enumerate(places):\n    part = dx[:, place]\n"
            "    part[chosen == j] = dm[chosen == j]\nreturn dx",
            "a value that wins two windows has the gradient of the earlier one only",
        ),
        (
            OVERLAP + "for place in places:\n    dx[:, place] += dm / 3\nreturn dx",
            "all values of a window share its gradient",
        ),
        (
            OVERLAP + "m = np.stack([x[:, place] for place in places]).max(axis=0)\n"
            "for place in places:\n    dx[:, place] += np.where(x[:, place] == m, dm, 0)\nreturn dx",
            "more goes out than came in",
        ),
    ],
    "running_maximum": [
        ("return np.maximum(x[:, :-2], x[:, 1:-1])", "the third frame of each run is left out"),
        ("return np.maximum(x[:, :-2], x[:, 2:])", "the middle frame of each run is left out"),
        (
            "m = np.zeros_like(x[:, 2:])\nfor i in range(3):\n    m = np.maximum(m, x[:, i : i + m.shape[1]])\n"
            "return m",
            "negative maxima have become 0",
        ),
        (
            "return np.stack([x[:, d : d + 3].max(axis=1) for d in range(x.shape[1] - 2)], axis=1)",
            "a loop over the frames",
        ),
        ("return x.max(axis=1)", "the maximum has the shape (1, 2, 2, 1); it must have (1, 4, 2, 2, 1)"),
    ],
}
