"""Right answers to the exercises of lesson 2 that are written in other ways than the solutions."""

RIGHT = {
    "window_in_pairs": [
        "for apart in (1, 2, 4):\n    p = [p[q] + p[q + apart] for q in range(len(p) - apart)]\nreturn np.array(p)",
        "u = np.zeros(len(p) - 1)\nu[:] = np.add(p[1:], p[:-1])\nv = u[2:].copy()\nv += u[:-2]\n"
        "return sum([v[4:], v[:-4]])",
        "p = np.array(p, dtype=float)\nfor apart in (4, 2, 1):\n    p = p[:-apart] + p[apart:]\nreturn p",
    ],
}
