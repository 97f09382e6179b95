"""Right answers to the exercises of lesson 8 that are written in other ways than the solutions."""

RIGHT = {
    "central_difference": [
        "one = np.zeros(x.shape)\none[place] = h\ngradient[place] = 0.5 * (F(x + one) - F(x - one)) / h",
    ],
    "best_steps": [
        "CENTRAL, FORWARD, FORWARD_ERROR, CENTRAL_32 = 6.93e-6, 2.107e-8, 2.107e-8, 0.005634",
        "CENTRAL = 3 ** (1 / 3) * 2 ** (-53 / 3)\nFORWARD = FORWARD_ERROR = 2 ** (1 - 53 / 2)\n"
        "CENTRAL_32 = 3 ** (1 / 3) / 2**8",
    ],
    "directional_check": [
        "import numpy as np\nslope = (forward(x + h * v) - forward(x - h * v)) / (2 * h)\n"
        "return np.array([np.vdot(backward(delta, x), v), np.vdot(slope, delta)])",
        "def watched(t):\n    return float((delta * forward(x + t * v)).sum())\n\n"
        "return [sum(one * other for one, other in zip(backward(delta, x), v)), (watched(h) - watched(-h)) / h / 2]",
    ],
    "allowed_error": [
        "size = sum(map(abs, terms))\nreturn bool(tol * size >= abs(measured - promised))",
        "if np.isnan(promised - measured) or np.isnan(terms).any():\n    return False\n"
        "return not abs(promised - measured) > tol * np.linalg.norm(terms, 1)",
    ],
    "complex_step": ["import numpy as np\nreturn float(np.imag(F(x.astype(complex) + complex(0, 1e-30) * v)) / 1e-30)"],
    "kink": [
        "sizes = []\nfor step in (h, h / 2):\n    sizes.append(abs(F(x + step) - 2 * F(x) + F(x - step)) / step)\n"
        "return sizes[1] > 3 / 4 * sizes[0]",
    ],
    "forgotten_digits": [
        "import numpy as np\n\nx = np.array([1e9, 3, -1e9, 2], np.float32)\nIN_PAIRS = (x[0] + x[1]) + (x[2] + x[3])\n"
        "IN_A_ROW = ((x[0] + x[1]) + x[2]) + x[3]\nWINDOW = 6.0\nRUNNING, STUCK = np.float32(0), 16777216",
    ],
    "windows_of_six": [
        "twos = p[:-1] + p[1:]\nreturn twos[:-4] + twos[2:-2] + twos[4:]",
        "import numpy as np\nthrees = np.add(p[:-2], p[1:-1])\nthrees += p[2:]\nreturn np.add(threes[:-3], threes[3:])",
        "twos = p[:-1] + p[1:]\nout = (twos[:-2] + twos[2:])[2:]\nout += twos[:-4]\nreturn out",
    ],
    "sparse_means": [
        "import numpy as np\nreturn np.array([dm.sum(), (dm * m).sum()]) / places",
        "total = product = 0.0\nfor d, y in zip(dm.ravel(), m.ravel()):\n    total += d\n    product += d * y\n"
        "return [total / places, product / places]",
    ],
    "tree_sum": [
        "row, step = x.copy(), 1\nwhile step < len(row):\n    for i in range(0, len(row) - step, 2 * step):\n"
        "        row[i] += row[i + step]\n    step *= 2\nreturn row[0]",
        "half = 1\nwhile 2 * half < len(x):\n    half *= 2\n"
        "return x[0] if len(x) == 1 else tree_sum(x[:half]) + tree_sum(x[half:])",
        "while len(x) > 1:\n    x = np.append(x, np.zeros(len(x) % 2, np.float32))\n"
        "    x = x.reshape(-1, 2).sum(axis=1)\n"
        "return x[0]",
    ],
    "same_bits": [
        "sums, parts = [None] * 8, np.array_split(values, 8)\nfor thread in range(threads):\n"
        "    for i in range(thread, 8, threads):\n        sums[i] = in_order(parts[i])\nreturn in_order(sums)",
        "total, at = np.float32(0), 0\nfor part in range(8):\n"
        "    size = len(values) // 8 + (part < len(values) % 8)\n    total += in_order(values[at : at + size])\n"
        "    at += size\nreturn total",
    ],
    "as_they_come": [
        "new = [list(pair) for pair in waiting] + [[1, value]]\nwhile len(new) > 1 and new[-1][0] == new[-2][0]:\n"
        "    size, right = new.pop()\n    new[-1] = [2 * size, new[-1][1] + right]\nreturn new",
        "new = (*waiting, (1, value))\nwhile len(new) > 1 and new[-1][0] == new[-2][0]:\n"
        "    new = (*new[:-2], (2 * new[-1][0], new[-2][1] + new[-1][1]))\nreturn new",
    ],
}
