"""Right answers to the exercises of lesson 3 that are written in other ways than the solutions."""

RIGHT = {
    "kink_by_hand": [
        "alpha, h = 0.1, 1e-3\nvalue, slope_below, slope_at_kink = max(alpha * -30, -30), alpha, alpha\n"
        "difference_at_kink = (max(alpha * h, h) - max(-alpha * h, -h)) / (2 * h)",
    ],
    "slope_from_output": [
        "dz = dy.copy()\ndz[y <= 0] *= alpha\nreturn dz",
        "up = y > 0\nreturn dy * (up + alpha * ~up)",
    ],
    "learned_slope": [
        "low = z <= 0\ndz = dy.copy()\ndz[low] = (alpha * dy)[low]\n"
        "return [dz, (dy * z * low).reshape(-1, z.shape[-1]).sum(0)]",
        "return dy * np.where(z > 0, 1, alpha), np.einsum('ndhwf,ndhwf->f', dy, np.minimum(z, 0))",
    ],
    "moments_by_hand": [
        "import numpy as np\n\nx, dy = np.array([2.0, 6, 2, 6]), np.array([0.0, 4, 0, 0])\n"
        "y = (x - x.mean()) / x.std()\ndx = (dy - dy.mean() - y * (dy * y).mean()) / x.std()\n"
        "y_0, dx_1, dx_3, dx_of_ones = y[0], dx[1], dx[3], 0.0",
    ],
    "normalise_backward": [
        "dvar = -0.5 * s**3 * (dy * centred).sum(axis=(2, 3), keepdims=True)\n"
        "dcentred = s * dy + 2 * centred * dvar / (x.shape[2] * x.shape[3])\n"
        "return dcentred - dcentred.mean(axis=(2, 3), keepdims=True)",
        "dx = np.zeros_like(x)\nfor i, j, k in np.ndindex(x.shape[0], x.shape[1], x.shape[4]):\n"
        "    g, y = dy[i, j, :, :, k], (centred * s)[i, j, :, :, k]\n"
        "    dx[i, j, :, :, k] = s[i, j, 0, 0, k] * (g - g.mean() - y * (g * y).mean())\nreturn dx",
    ],
    "lost_scale": [
        "through_mean = dy.mean(axis=(2, 3), keepdims=True)\n"
        "through_variance = s**2 * centred * (dy * centred).mean(axis=(2, 3), keepdims=True)\n"
        "return s * (dy - through_mean - through_variance)",
    ],
    "group_normalisation": [
        "dx, each, over = np.zeros_like(x), x.shape[-1] // groups, {'axis': (1, 2, 3), 'keepdims': True}\n"
        "for g in range(groups):\n    d, v = dy[..., g * each : (g + 1) * each], y[:, :, :, g]\n"
        "    dx[..., g * each : (g + 1) * each] = s[:, :, :, g] * (d - d.mean(**over) - v * (d * v).mean(**over))\n"
        "return dx",
    ],
}
