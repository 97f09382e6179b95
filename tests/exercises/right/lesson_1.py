"""Right answers to the exercises of lesson 1 that are written in other ways than the solutions."""

RIGHT = {
    "chain_of_two": ["import numpy as np\nreturn np.array([w, x, 1]) * 2 * z"],
    "two_ways": ["dw = w\ndw += e * x\nreturn [dw, e * w, e]"],
    "windows_by_hand": [
        "import numpy as np\n\nx, W = np.array([3, 1, 2, 4]), np.array([1, 2, 5, 10])\n"
        "g = np.convolve([1, 10, 100], [1, 1])\n"
        "z_1, g_1, dw_2, dx_3 = (x * W)[1:3].sum(), g[1], (g * x)[2], (g * W)[3]",
    ],
    "product_first": [
        "at, first = np.arange(len(weights))[:, None], np.arange(len(bias))\n"
        "band = ((at >= first) & (at < first + window)) * weights[:, None]\nreturn x @ band + bias",
        "at = np.arange(len(bias))[:, None] + np.arange(window)\nreturn (x * weights)[:, at].sum(axis=-1) + bias",
        "sums = np.zeros((len(x), x.shape[1] + 1))\nnp.cumsum(x * weights, axis=1, out=sums[:, 1:])\n"
        "return bias + sums[:, window:] - sums[:, :-window]",
        "p = np.einsum('nw,w->nw', x, weights)\n"
        "return np.lib.stride_tricks.sliding_window_view(p, window, axis=1).sum(axis=2) + bias",
    ],
    "weighted_row_backward": [
        "g = np.zeros(x.shape)\nat = np.arange(dz.shape[1])[:, None] + np.arange(window)\n"
        "np.add.at(g, (slice(None), at), dz[:, :, None])\n"
        "return [g * weights, np.einsum('nw,nw->w', g, x), np.sum(dz, 0)]",
        "g = np.array([np.convolve(row, np.ones(window)) for row in dz])\n"
        "return g * weights, (g * x).sum(0), np.ones(len(dz)) @ dz",
    ],
    "lost_frame": [
        "dx[:, frames] = dx[:, frames] + np.matmul(plane, g[..., None])[..., 0]\nfor d in range(g.shape[1]):\n"
        "    dweights[i] += (x[:, d + i, ..., None] * g[:, d, :, :, None, :]).sum(axis=0)",
    ],
    "stride_in_time": [
        "at = stride * np.arange(g.shape[1])[:, None] + np.arange(len(weights))\n"
        "np.add.at(dx, (slice(None), at), g[:, :, None] * weights)\ndweights += np.einsum('ndw,ndiw->iw', g, x[:, at])",
    ],
}
