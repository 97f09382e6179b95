"""Right answers to the exercises of lesson 6 that are written in other ways than the solutions."""

RIGHT = {
    "window_count": [
        "import math\nreturn math.ceil((length - window + 1) / stride)",
        "count = 0\nwhile stride * count + window <= length:\n    count += 1\nreturn count",
    ],
    "receptive_field": [
        "if not windows:\n    return 1\n"
        "return windows[0] + strides[0] * (receptive_field(windows[1:], strides[1:]) - 1)",
    ],
    "parameter_count": [
        "import numpy as np\n\na = np.array(clip[:3]) - (2, 3, 3)\nb = np.array([a[0] - 2, a[1] // 2, a[2] // 2])\n"
        "e = np.prod(b - (2, 3, 3)) * maps\nreturn dict(\n    FC_OUT=(e + 1) * classes,\n"
        "    L5WS=3 * b[1] * b[2] * maps**2 + e,\n    L3P=maps * (b[1] * b[2] + b[0]),\n"
        "    L1WS=maps * (3 * clip[1] * clip[2] * clip[3] + np.prod(a)),\n)",
    ],
    "glorot_window": ["return (6 / places / (channels + maps)) ** 0.5"],
    "two_layers": ["return leaky_relu_backward(standardize_backward(du, leaky_relu(z)), leaky_relu(z))"],
    "effective_rate": [
        "from fractions import Fraction\nOUTPUT = 1\nGRADIENT = Fraction(1, 3)\nTURN = GRADIENT / 3\nRATE = 1 / TURN",
    ],
    "whole_chain": [
        "share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)\n"
        "dlogits = (share - np.eye(logits.shape[1])[labels]) / len(x)\n"
        'g["votes"], g["shrug"] = a.T @ dlogits, dlogits.sum(axis=0)\n'
        'du = max_pool_space_backward((dlogits @ p["votes"].T).reshape(m.shape), u, BLOCK)\n'
        "dz = leaky_relu_backward(standardize_backward(du, y), z)\n"
        '_, g["W"], g["b"] = weighted_sum_backward(dz, x, p["W"], FIELD, STRIDES)',
    ],
}
