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
        (WINNERS.format("6, 100, 1000, 11111"), "that is what comes from run 2 alone"),
        (WINNERS.format("6, 666, 6000, 11111"), "the value does not come in"),
        (WINNERS.format("6, 0, 111, 11111"), "frame 2 has the first six"),
        (WINNERS.format("6, 111, 1000, 11112"), "total is not 11112; it is less"),
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
            "the gradient of x has the shape (2, 4, 3); it must have (2, 12); is a reshape missing?",
        ),
        (
            BLOCK
            + "return ((np.abs(cells).argmax(axis=-1)[..., None] == np.arange(p)) * dm[..., None]).reshape(x.shape)",
            "the cell that is farthest from 0 gets the gradient",
        ),
        (
            "dx = np.zeros_like(x)\nfor n in range(len(x)):\n    for w in range(dm.shape[1]):\n"
            "        best, at = 0, p * w\n        for j in range(p * w, p * w + p):\n            if x[n, j] > best:\n"
            "                best, at = x[n, j], j\n        dx[n, at] += dm[n, w]\nreturn dx",
            "where all of a block is negative",
        ),
        (
            "dx = np.zeros_like(x)\ndx[np.arange(len(x)), x.argmax(axis=1)] = dm.sum(axis=1)\nreturn dx",
            "each block has a maximum of its own",
        ),
        (
            "cells = x.reshape(len(x), p, -1)\nchosen = cells.argmax(axis=1)[:, None] == np.arange(p)[:, None]\n"
            "return (chosen * dm[:, None]).reshape(x.shape)",
            "the cells of a block are taken from all over the row",
        ),
        (
            BLOCK + "return ((cells[0].argmax(axis=-1)[..., None] == np.arange(p)) * dm[..., None]).reshape(x.shape)",
            "the first row says for all rows which cell is the largest",
        ),
    ],
    "frames_that_win": [
        ("dx[:, i : i + dm.shape[1]] = np.where(chosen == i, dm, 0)", "wipes out what the turns before have written"),
        ("dx[:, i : i + dm.shape[1]] += dm", "every frame of a run gets its gradient"),
        ("dx[:, : dm.shape[1]] += np.where(chosen == i, dm, 0)", "the first frame of each run gets its gradient"),
        ("dx[:, i : i + dm.shape[1]] += np.where(chosen != i, dm, 0)", "the gradient of x["),
        (
            "run = x[:, i : i + dm.shape[1]]\n"
            "most = np.lib.stride_tricks.sliding_window_view(x, frames, axis=1).max(axis=-1)\n"
            "dx[:, i : i + dm.shape[1]] += np.where(run == most, dm, 0)",
            "of equal frames each gets the whole gradient",
        ),
        (
            "chosen = np.lib.stride_tricks.sliding_window_view(x, frames, axis=1)[..., ::-1].argmax(axis=-1)\n"
            "dx[:, i : i + dm.shape[1]] += np.where(chosen == frames - 1 - i, dm, 0)",
            "of equal frames the last takes all",
        ),
        (
            "dx[:, i : i + dm.shape[1] : 3] += np.where(chosen == i, dm, 0)[:, ::3]",
            "every third run passes its gradient on",
        ),
        ("dx[:, i : i + dm.shape[1]] += np.where(chosen == i, dm, 0) / frames", "as that of a mean"),
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
        (AVERAGE.format(**MEANS | {"over": "count"}), "m is divided by the number of runs"),
        (AVERAGE.format(**MEANS | {"share": "dm.shape[1]"}), "backward divides by the number of runs"),
        (AVERAGE.format(**MEANS).replace("return dx", "return dx * x"), "backward has x in it"),
        (
            AVERAGE.format(**MEANS | {"share": "1"}).replace(
                "return dx",
                "covered = np.convolve(np.ones(dm.shape[1]), np.ones(frames))\n"
                "    return dx / covered[:, None, None, None]",
            ),
            "backward divides by the number of runs that a frame is in",
        ),
        (AVERAGE.format(**MEANS).replace("- frames + 1", "- frames"), "m lacks the last run"),
        (
            AVERAGE.format(**MEANS).replace("shape[1] - ", "shape[2] - ").replace("x[:, i", "x[:, :, i"),
            "m is a mean along the rows; frames are axis 1",
        ),
    ],
    "scale_shift_backward": [
        (SHIFT.format(**SHIFTS | {"dm": "dz * m"}), "dm has m in it"),
        (SHIFT.format(**SHIFTS | {"dm": "dz"}), "dm is dz; m was multiplied by a factor"),
        (SHIFT.format(**SHIFTS | {"dw": "(dz * weights).sum(axis=(0, 1))[None]"}), "dweights has the factor in it"),
        (SHIFT.format(**SHIFTS | {"dw": "(dz * m).sum(axis=0)"}), "the gradient of weights has the shape (4, 1, 5, 2)"),
        (
            SHIFT.format(**SHIFTS | {"db": "dz.sum(axis=(0, 2, 3)).reshape(4, 1, 1, 2)"}),
            "right at first, but not with 2 clips, other rows and 3 maps: line",
        ),
        (SHIFT.format(dm=SHIFTS["dw"], dw=SHIFTS["dm"], db=SHIFTS["db"]), "the order is dm, dweights, dbias"),
        (SHIFT.format(**SHIFTS | {"db": "dz.sum(axis=(0, 2, 3))"}), "the gradient of bias has the shape (4, 2)"),
        (
            SHIFT.format(**SHIFTS | {"dw": "dz.sum(axis=(0, 1))[None] * m.sum(axis=(0, 1))[None]"}),
            "a product of two sums is not the sum of the products",
        ),
        (SHIFT.format(**SHIFTS | {"db": "dz.mean(axis=(0, 2, 3))[:, None, None]"}), "dbias is a mean"),
        (
            SHIFT.format(**SHIFTS | {"db": "dz.sum(axis=(1, 2, 3))[:, None, None]"}),
            "the gradient of bias has the shape (3, 1, 1, 2); it must have (4, 1, 1, 2)",
        ),
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
        (
            "dx = np.zeros_like(x)\nfor n in range(len(x)):\n    for w in range(dm.shape[1]):\n"
            "        if 3 * w < x.shape[1]:\n            dx[n, 3 * w + x[n, 3 * w : 3 * w + 3].argmax()] += dm[n, w]\n"
            "return dx",
            "the windows begin 3 apart here, side by side",
        ),
        (
            "dx = np.zeros_like(x)\nfor n in range(len(x)):\n    for w in range(dm.shape[1]):\n"
            "        dx[n, 2 * w + x[n, 2 * w : 2 * w + 2].argmax()] += dm[n, w]\nreturn dx",
            "the windows have two places here",
        ),
        (
            OVERLAP + "np.add.at(dx, (np.arange(len(x))[:, None], chosen), dm)\nreturn dx",
            "a place in the window is taken for one in the row",
        ),
        (
            OVERLAP.replace("places]", "places[:2]]", 1) + "return dx[:, places[1]] + np.where(chosen, dm[:, :2], 0)",
            "arrays of the shapes (2, 3) and (2, 2) do not fit each other",
        ),
        (
            OVERLAP.replace("argmax", "argmin") + "for j, place in enumerate(places):\n"
            "    dx[:, place] += np.where(chosen == j, dm, 0)\nreturn dx",
            "the smallest value of a window gets its gradient",
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
        ("return x.max(axis=1)", "the maximum has the shape (4, 5, 3, 1); it must have (4, 5, 5, 3, 1)"),
        ("return np.maximum.accumulate(x, axis=1)[:, 2:]", "the maximum of all frames so far, and not of three"),
        (
            "return np.maximum(np.maximum(x[:, :, :-2], x[:, :, 1:-1]), x[:, :, 2:])",
            "those are maxima along the rows; frames are axis 1",
        ),
        (
            "x = abs(x)\nreturn np.maximum(np.maximum(x[:, :-2], x[:, 1:-1]), x[:, 2:])",
            "the sign is lost: -3 is less than 1",
        ),
        (
            "return max(x[:, :-2], x[:, 1:-1], x[:, 2:])",
            "ask whether something is true, which an array of several numbers is not",
        ),
        ("return np.max(x[:, :-2], x[:, 1:-1])", "stands where an axis, a size or an index is wanted"),
    ],
}
