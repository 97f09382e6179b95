"""Right answers to the exercises of lesson 2 that are written in other ways than the solutions."""

RIGHT = {
    "how_many_windows": [
        "import numpy as np\nstarts = np.arange(0, 8, 3)\nwindows = starts.size\n"
        "covers_position_3, covers_position_10 = (((starts <= q) & (q < starts + 4)).sum() for q in (3, 10))\n"
        "additions = np.float32(24)",
    ],
    "box_sum_backward": [
        "band = np.zeros((dz.shape[1], w))\nfor q in range(dz.shape[1]):\n    band[q, q : q + r] = 1\nreturn dz @ band",
        "g = np.zeros((len(dz), w))\nplaces = np.arange(dz.shape[1])[:, None] + np.arange(r)\n"
        "np.add.at(g, (slice(None), places), dz[:, :, None])\nreturn g",
        "return np.stack([np.convolve(row, np.ones(r)) for row in dz])",
    ],
    "the_pairing": [
        "z, g = forward(p), backward(delta)\n"
        "return abs(np.vdot(delta, z) - np.vdot(g, p)) <= 1e-9 * np.vdot(abs(g), abs(p))",
        "one, other = delta * forward(p), backward(delta) * p\n"
        "return np.isclose(one.sum(), other.sum(), rtol=0, atol=1e-9 * abs(one).sum())",
    ],
    "rows_and_columns": [
        "g = np.zeros(shape)\nfor n, q, s in np.ndindex(dz.shape):\n    g[n, q : q + rh, s : s + rw] += dz[n, q, s]\n"
        "return g",
    ],
    "box_sum_with_steps": [
        "def places(count, r, s):\n    return s * np.arange(count)[:, None] + np.arange(r)\n\n\n"
        "def forward(p, r, s):\n    return p[:, places((p.shape[1] - r) // s + 1, r, s)].sum(axis=2)\n\n\n"
        "def backward(dz, w, r, s):\n    g = np.zeros((w, len(dz)))\n"
        "    np.add.at(g, places(dz.shape[1], r, s), dz.T[:, None])\n    return g.T\n",
    ],
    "transpose_by_padding": ["return box_sum(np.pad(dz, ((0, 0), (r, r))), r)[:, 1:-1]"],
    "window_in_pairs": [
        "for apart in (1, 2, 4):\n    p = [p[q] + p[q + apart] for q in range(len(p) - apart)]\nreturn np.array(p)",
        "u = np.zeros(len(p) - 1)\nu[:] = np.add(p[1:], p[:-1])\nv = u[2:].copy()\nv += u[:-2]\n"
        "return sum([v[4:], v[:-4]])",
        "p = np.array(p, dtype=float)\nfor apart in (4, 2, 1):\n    p = p[:-apart] + p[apart:]\nreturn p",
        "def of(size):\n    half = p if size == 2 else of(size // 2)\n"
        "    return half[size // 2 :] + half[: -(size // 2)]\n\n\n"
        "return of(8)",
    ],
}
