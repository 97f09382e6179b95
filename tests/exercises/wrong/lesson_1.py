"""Wrong answers to the exercises of lesson 1: lines between the marks, and words of the verdict."""

ROW_BACKWARD = """
g = np.zeros_like(x)
for k in range(window):
    g[:, k : k + dz.shape[1]] {add} dz
return {dx}, {dw}, {db}
"""
ROW = {"add": "+=", "dx": "g * weights", "dw": "(g * x).sum(axis=0)", "db": "dz.sum(axis=0)"}

IN_TIME = """
for i in range(len(weights)):
    frames = {frames}
    dweights[i] = {dw}
    dx[:, frames] {add} g * weights[i]
"""
TIME = {
    "frames": "slice(i, i + stride * (g.shape[1] - 1) + 1, stride)",
    "dw": "(x[:, frames] * g).sum(axis=(0, 1))",
    "add": "+=",
}

WRONG = {
    "chain_of_two": [
        ("dz = z\nreturn dz * w, dz * x, dz", "the derivatives are halved"),
        ("dz = 2 * z\nreturn dz * x, dz * w, dz", "dx and dw are exchanged"),
        ("dz = 2 * z\nreturn dz * w, dz * x, 1.0", "db lacks a factor"),
        ("return w, x, 1", "dz is missing from all three"),
        ("return 2 * w, 2 * x, 2", "dz is 2 z, and not 2"),
        ("dz = z * z\nreturn dz * w, dz * x, dz", "that is L itself"),
        ("dz = 2 * z\nreturn dz * w, dz * x, dz * b", "db is multiplied by b"),
        ("dz = 2 * w * x\nreturn dz * w, dz * x, dz", "b is missing in z"),
        ("dz = 2 * z\nreturn dz * w, dz * x", "2 things are returned; it must be 3: dx, dw, db"),
    ],
    "two_ways": [
        ("return w, e * w, e", "that through its own square"),
        ("return e * x * w, e * w, e", "two ways add up; here they are multiplied"),
        ("return e * x + 2 * w, e * w, e", "half a square has the slope w"),
        ("return e * x + w, e * w + w, e", "the second way is added to dx"),
        ("return e * w, e * x + w, e", "the order is dw, dx, db"),
        ("return e * x + w, 2 * e * w, e", "the gradients of w and b are right"),
        ("return e * x - w, e * w, e", "the second way is taken off"),
        ("return e * x + w * w / 2, e * w, e", "it is to be its derivative"),
        ("return 2 * e * x + w, 2 * e * w, 2 * e", "half a square has the slope e"),
        ("e = w * x + b\nreturn e * x + w, e * w, e", "the target is missing in e"),
        ("e = w * x + b - 0.5\nreturn e * x + w, e * w, e", "right at first, but not with t = -1.5"),
    ],
    "windows_by_hand": [
        ("z_1, g_1, dw_2, dx_3 = 5, 11, 220, 1000", "z_1 is not 5: weights belong to positions"),
        ("z_1, g_1, dw_2, dx_3 = 12, 10, 220, 1000", "g_1 is not 10: window 0 uses the product, too"),
        ("z_1, g_1, dw_2, dx_3 = 12, 110, 220, 1000", "g_1 is not 110: that is g_2; positions count from 0"),
        ("z_1, g_1, dw_2, dx_3 = 12, 22, 220, 1000", "g_1 is not 22: that is g_1 times W_1"),
        ("z_1, g_1, dw_2, dx_3 = 12, 11, 550, 1000", "dw_2 is not 550: that is the gradient of x_2"),
        ("z_1, g_1, dw_2, dx_3 = 12, 11, 220, 1100", "dx_3 is not 1100: only the last window reaches the last pixel"),
        ("z_1, g_1, dw_2, dx_3 = 12, 11, 221, 1000", "dw_2 is not 221; it is less"),
        ("z_1, g_1, dw_2 = 12, 11, 220", "your file does not define dx_3"),
        ("z_1, g_1, dw_2, dx_3 = [[1], [1, 2]], 11, 220, 1000", "z_1 is [[1], [1, 2]]; it must be a number"),
        ("z_1, g_1, dw_2, dx_3 = float('nan'), 11, 220, 1000", "z_1 is nan; it must be a number"),
        ("z_1, g_1, dw_2, dx_3 = '12', 11, 220, 1000", "z_1 is '12'; it must be a number"),
    ],
    "product_first": [
        (
            "return bias + sum(x[:, k : k + len(bias)] * weights[k] for k in range(window))",
            "that is a convolution",
        ),
        ("p = x * weights\nreturn sum(p[:, k : k + len(bias)] for k in range(window))", "the bias is missing"),
        (
            "p = x * weights\nreturn bias + sum(p[:, k : k + len(bias)] for k in range(1, window))",
            "the first place of the window is missing",
        ),
        (
            "p = x * weights\nz = bias\nfor k in range(window):\n    z = p[:, k : k + len(bias)]\nreturn z",
            "takes the place of the one before",
        ),
        (
            "p = x * weights\nreturn bias + sum(p[:, k : k + len(bias)] for k in range(window)) / window",
            "this is a mean over the window",
        ),
        (
            "p = x * weights\nz = np.zeros((len(x), len(bias))) + bias\nfor w in range(len(bias)):\n"
            "    z[:, w] += p[:, w : w + window].sum(axis=1)\nreturn z",
            "there is a loop over the clips or positions",
        ),
        (
            "z = np.zeros((len(x), len(bias))) + bias\nfor k in range(window):\n"
            "    z += x[:, k : k + len(bias)] * weights[k : k + len(bias)]\nreturn z",
            "336 products for 12 clips of 10 positions; 120 will do",
        ),
        (
            "p = x * weights\nreturn bias + sum(p[:, k : k + 5] for k in range(3))",
            "arrays of the shapes (6,) and (2, 5) do not fit each other",
        ),
        ("p = x * weights\nreturn p", "z has the shape (3, 7); it must have (3, 5)"),
    ],
    "weighted_row_backward": [
        (ROW_BACKWARD.format(**ROW | {"add": "="}), "the later one writes over the earlier one"),
        (ROW_BACKWARD.format(**ROW | {"db": "dz.mean(axis=0)"}), "dbias is a mean over the clips"),
        (ROW_BACKWARD.format(**ROW | {"dx": "g * x"}), "dx has x in it"),
        (ROW_BACKWARD.format(**ROW | {"dx": "g"}), "dx is the gradient of the product"),
        (ROW_BACKWARD.format(**ROW | {"dw": "g.sum(axis=0)"}), "dweights is the gradient of the product"),
        (
            ROW_BACKWARD.replace("range(window)", "range(1)").format(**ROW),
            "each window goes to its first position alone",
        ),
        (ROW_BACKWARD.format(**ROW | {"dw": "g * x"}), "the gradient of weights has the shape (2, 5)"),
        (ROW_BACKWARD.format(**ROW | {"dw": "(g * x).mean(axis=0)"}), "the gradient of weights is 0.5 times the right"),
        (
            ROW_BACKWARD.format(**ROW | {"dw": "(g * weights).sum(axis=0)"}),
            "what multiplies the weight in the product is x",
        ),
        (
            ROW_BACKWARD.format(**ROW | {"db": "dz.sum(axis=1)"}),
            "dbias is one number per clip; sum over the clips, axis 0",
        ),
        (
            ROW_BACKWARD.replace("range(window)", "range(3)").format(**ROW),
            "right at first, but not with 4 clips and windows of 2",
        ),
        (
            "dx = np.zeros_like(x)\nfor k in range(window):\n    dx[:, k : k + dz.shape[1]] += dz * weights[k]\n"
            "g = sum(np.pad(dz, ((0, 0), (k, window - 1 - k))) for k in range(window))\n"
            "return dx, (g * x).sum(axis=0), dz.sum(axis=0)",
            "that is a convolution",
        ),
        (
            ROW_BACKWARD.format(**ROW | {"dx": "(g * x).sum(axis=0)", "dw": "g * weights"}),
            "the first has the shape of dweights; the order is dx, dweights, dbias",
        ),
    ],
    "lost_frame": [
        (
            'dweights[i] = np.einsum("ndhwc,ndhwf->hwcf", x[:, frames], g)\n'
            'dx[:, frames] = dx[:, frames] - np.einsum("ndhwf,hwcf->ndhwc", g, plane)',
            "the gradient of x has the wrong sign",
        ),
        (
            'dweights += np.einsum("ndhwc,ndhwf->hwcf", x[:, frames], g)\n'
            'dx[:, frames] += np.einsum("ndhwf,hwcf->ndhwc", g, plane)',
            "each plane of dweights has what belongs to both",
        ),
        (
            'dweights[i] = np.einsum("ndhwc,ndhwf->hwcf", x[:, : g.shape[1]], g)\n'
            'dx[:, frames] += np.einsum("ndhwf,hwcf->ndhwc", g, plane)',
            "every plane looks at the frames from 0 on",
        ),
        (
            'dweights[i] = np.einsum("ndhwc,ndhwf->hwcf", x[:, frames], g)\n'
            'dx[:, frames] += np.einsum("ndhwf,hwcf->ndhwc", g, weights[0])',
            "every plane of the weights is taken for the first",
        ),
    ],
    "stride_in_time": [
        (IN_TIME.format(**TIME | {"frames": "slice(i, i + g.shape[1])"}), "with stride 2 they are two apart"),
        (IN_TIME.format(**TIME | {"add": "="}), "a frame that two outputs see gets from one of them only"),
        (
            IN_TIME.format(**TIME | {"frames": "slice(i, None, stride)"}),
            "do not fit each other",
        ),
        (
            IN_TIME.format(**TIME | {"frames": "slice(stride * i, stride * i + g.shape[1])"}),
            "the stride multiplies the window's place i",
        ),
        (
            IN_TIME.format(**TIME | {"frames": "slice(i, i + stride * (g.shape[1] - 1), stride)"}),
            "is the slice as long?",
        ),
        (IN_TIME.format(**TIME | {"dw": "(x[:, frames] * g).sum(axis=0)"}), "line "),
    ],
}
