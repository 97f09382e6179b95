"""Wrong answers to the exercises of lesson 2: lines between the marks, and words of the verdict."""

COUNTS = "windows, covers_position_3, covers_position_10, additions = {}"
BOX = """
g = np.zeros((len(dz), w))
for k in range(r):
    g[:, k : k + dz.shape[1]] += dz
return g
"""
PLANES = """
for j in range({rows}):
    for k in range({columns}):
        g[:, j : j + rows, k : k + columns] {add} dz
return g
"""
STEPS = """
def forward(p, r, s):
    count = {count}
    return sum(p[:, k : k + {s} * (count - 1) + 1 : {s}] for k in range(r))


def backward(dz, w, r, s):
    g = np.zeros((len(dz), w))
    for k in range(r):
        g[:, k : k + {t} * (dz.shape[1] - 1) + 1 : {t}] {add} dz
    return g
"""
STEP = {"count": "-(-(p.shape[1] - r + 1) // s)", "s": "s", "t": "s", "add": "+="}

WRONG = {
    "how_many_windows": [
        (COUNTS.format("2, 2, 0, 24"), "rounded down, leaves out the first window"),
        (COUNTS.format("8 / 3, 2, 0, 24"), "a number of windows is whole; it is rounded up"),
        (COUNTS.format("3, 1, 0, 24"), "the last place of one window is the first of the next"),
        (COUNTS.format("3, 2, 1, 24"), "where does the last window begin"),
        (COUNTS.format("3, 2, 0, 32"), "a sum of four numbers takes three additions"),
    ],
    "box_sum_backward": [
        (
            "return [[sum(dz[n, max(q - r + 1, 0) : q + 1]) for q in range(w)] for n in range(len(dz))]",
            "the gradient of p is a list; it must be an array of shape (2, 6)",
        ),
        (
            BOX.replace("w))", "w), dtype=int)"),
            "an array of whole numbers cannot take numbers with a fraction; make it without dtype=int",
        ),
        (BOX.replace("+= dz", "+= dz[:, ::-1]"), "the gradient comes in the wrong direction"),
        (BOX.replace("range(r)", "range(r - 1)"), "the last place of the window gets nothing"),
        (BOX.replace("range(r)", "range(1)"), "only the first place of each window gets the gradient"),
        (BOX.replace("+=", "="), "the gradient of p["),
        (BOX.replace("return g", "return g / r"), "times the right one everywhere"),
        ("return dz", "the gradient of p has the shape (2, 4); it must have (2, 6)"),
        (BOX.replace("len(dz)", "2"), "arrays of the shapes (2, 4) and (3, 4) do not fit each other"),
    ],
    "the_pairing": [
        (
            "return bool(abs(np.sum(delta * forward(delta)) - np.sum(backward(p) * p)) <= 1e-9)",
            "forward takes p; here it is given an array of shape (3,)",
        ),
        (
            "return delta * forward(p) == p * backward(delta)",
            "arrays of the shapes (3,) and (5,) do not fit each other",
        ),
        (
            "return bool(np.sum(delta * forward(p)) - np.sum(backward(delta) * p) <= 1e-9)",
            "it must be False",
        ),
        ("return np.sum(delta * forward(p)) - np.sum(backward(delta) * p)", "it must be True or False"),
        (
            "return bool(abs(np.sum(delta * forward(p)) - np.sum(backward(delta) * p)) < 0.01)",
            "a transpose that is 0.001 % too large",
        ),
        (
            "return bool(abs(np.sum(delta * forward(p)) - np.sum(backward(delta) * p)) <= 1e-9)",
            "a large matrix and its transpose",
        ),
        (
            "one, other = np.sum(delta * forward(p)), np.sum(backward(delta) * p)\n"
            "return bool(abs(one - other) <= 1e-9 * abs(one))",
            "where the terms of the sums cancel",
        ),
    ],
    "rows_and_columns": [
        (PLANES.format(rows="rh", columns="1", add="+="), "only the first column of the window is there"),
        (PLANES.format(rows="1", columns="rw", add="+="), "only the first row of the window is there"),
        (
            PLANES.format(rows="rw", columns="rh", add="+="),
            "arrays of the shapes (2, 2, 3) and (2, 3, 3) do not fit each other",
        ),
        (PLANES.format(rows="rh", columns="rw", add="="), "the gradient of p["),
        (
            PLANES.format(rows="rh", columns="rw", add="+=").replace("g[:,", "g[0,").replace(" dz\n", " dz[0]\n"),
            "the gradient of p is right but for the last of axis 0, where it is 0",
        ),
        (PLANES.format(rows="rh", columns="rh", add="+="), "here both loops count to the same"),
        (
            "for j, k in zip(range(rh), range(rw)):\n    g[:, j : j + rows, k : k + columns] += dz\nreturn g",
            "one loop goes inside the other",
        ),
    ],
    "box_sum_with_steps": [
        (STEPS.format(**STEP | {"s": "1"}), "neighbouring windows are one position apart; they must be s apart"),
        (STEPS.format(**STEP | {"t": "1"}), "backward goes on by one position for each window; forward goes on by s"),
        (STEPS.format(**STEP | {"add": "="}), "a later one writes over an earlier one"),
        (STEPS.format(**STEP | {"count": "(p.shape[1] - r + 1) // s"}), "one window too few: the count is rounded up"),
        (
            STEPS.format(**STEP).replace("((len(dz), w))", "((len(dz), s * (dz.shape[1] - 1) + r))"),
            "the gradient of p has the shape (2, 7); it must have (2, 10)",
        ),
        (STEPS.format(**STEP).replace("return sum(", "return 1 / r * sum("), "these are means; sums are wanted"),
        (
            STEPS.format(**STEP).replace("p[:, k : k + s * (count - 1) + 1 : s]", "p[:, s * k : s * k + 3]"),
            "the places of a window are neighbours; it is the windows that are s apart",
        ),
        (
            STEPS.format(**STEP).replace("for k in range(r))", "for k in range(s))"),
            "the windows have s places; they have r",
        ),
        (
            "def forward(p, r, s):\n"
            "    return np.stack([p[:, q : q + r].sum(axis=1) for q in range(0, p.shape[1], s)], axis=1)\n\n\n"
            "def backward(dz, w, r, s):\n    return dz\n",
            "windows that reach beyond the end of the row; they must lie wholly inside",
        ),
    ],
    "transpose_by_padding": [
        ("return box_sum(np.pad(dz, ((0, 0), (0, r - 1))), r)", "there must be r - 1 zeros at both ends"),
        ("return box_sum(dz, r)", "shorter than dz: where are the zeros around it?"),
        ("return box_sum(np.pad(dz, ((0, 0), (r - 1, r - 1)), mode='edge'), r)", "dz goes on beyond its ends here"),
        ("return box_sum(np.pad(dz, ((0, 0), (2 * (r - 1), 0))), r)", "all the zeros stand before dz"),
        ("return box_sum(np.pad(dz, ((0, 0), (r, r))), r)[:, 2:]", "one zero too few stands before dz"),
        ("return box_sum(np.pad(dz[:, ::-1], ((0, 0), (r - 1, r - 1))), r)", "the gradient of p "),
        (
            "g = np.zeros((len(dz), dz.shape[1] + r - 1))\nfor k in range(r):\n    g[:, k : k + dz.shape[1]] += dz\n"
            "return g",
            "there is a loop over the windows",
        ),
    ],
    "window_in_pairs": [
        ("return p[:-1] + p[1:] + 0", "these are sums of 2 neighbours"),
        ("total = np.cumsum(np.concatenate([[0], p]))\nreturn total[8:] - total[:-8]", "the sums have lost digits"),
        (
            "p = p[:-1] + p[1:]\np = p[:-2] + p[2:]\nreturn p",
            "these are sums of 4 neighbours",
        ),
        (
            "return np.lib.stride_tricks.sliding_window_view(p, 8).sum(axis=1)",
            "the sums are right and take 7 additions each",
        ),
        (
            "return np.lib.stride_tricks.sliding_window_view(p, 8) @ np.ones(8)",
            "@ adds up out of sight; write the additions as + or +=",
        ),
        (
            "u = p[:-1] + p[1:]\nz = np.zeros(len(p) - 7)\nfor k in (0, 2, 4, 6):\n    z[:] = z + u[k : k + len(z)]\n"
            "return z",
            "the sums are right and take 4 additions each",
        ),
        ("for _ in range(3):\n    p = p[:-1] + p[1:]\nreturn p", "windows that overlap were added up"),
    ],
}
