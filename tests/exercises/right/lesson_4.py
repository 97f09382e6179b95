"""Right answers to the exercises of lesson 4 that are written in other ways than the solutions."""

RIGHT = {
    "block_maximum_backward": [
        "return (np.eye(p)[x.reshape(*dm.shape, p).argmax(-1)] * dm[..., None]).reshape(x.shape)",
        "dx = np.zeros(x.shape)\nfor n, w in np.ndindex(dm.shape):\n    best = p * w\n"
        "    for j in range(best, p * w + p):\n"
        "        if x[n, j] > x[n, best]:\n            best = j\n    dx[n, best] += dm[n, w]\nreturn dx",
    ],
    "frames_that_win": [
        "dx[:, i : i + dm.shape[1]] += dm * (chosen == i)",
    ],
    "average_pooling": [
        "def forward(x, frames):\n    return np.lib.stride_tricks.sliding_window_view(x, frames, axis=1).mean(-1)\n\n\n"
        "def backward(dm, x, frames):\n    ends = [(0, 0), (frames - 1, frames - 1), (0, 0), (0, 0), (0, 0)]\n"
        "    return forward(np.pad(dm, ends), frames)\n",
    ],
    "scale_shift_backward": [
        "return [dz * weights, np.einsum('ndhwf,ndhwf->hwf', dz, m)[None], dz.sum(axis=(0, 2, 3), keepdims=True)[0]]",
    ],
    "overlapping_blocks": [
        "rows = []\nfor row, g in zip(x, dm):\n"
        "    at = [2 * q + row[2 * q : 2 * q + 3].argmax() for q in range(len(g))]\n"
        "    rows.append(np.bincount(at, weights=g, minlength=len(row)))\nreturn np.array(rows)",
    ],
    "running_maximum": [
        "from functools import reduce\n\nreturn reduce(np.maximum, [x[:, i : i + x.shape[1] - 2] for i in range(3)])",
        "m = np.where(x[:, :-2] >= x[:, 1:-1], x[:, :-2], x[:, 1:-1])\nreturn np.where(m >= x[:, 2:], m, x[:, 2:])",
    ],
}
