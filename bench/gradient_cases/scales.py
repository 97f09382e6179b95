"""Scales and sizes."""

import numpy as np

from .making import as32, changed, normal, pair, planted, right

TINY = np.array([1.0, 1e-12, 1])
right("a tiny gradient among others", pair(lambda x: x**2 * TINY, lambda d, x: (2 * x * TINY * d,), normal(3)))
planted(
    "a tiny gradient among others: doubled",
    pair(lambda x: x**2 * TINY, lambda d, x: (2 * x * np.array([1, 2e-12, 1]) * d,), normal(3)),
)
right("tiny: 1e-20 sin(x)", pair(lambda x: 1e-20 * np.sin(x), lambda d, x: (1e-20 * np.cos(x) * d,), normal(4, 5)))
planted(
    "tiny: 1e-20 sin(x): 1 % off",
    pair(lambda x: 1e-20 * np.sin(x), lambda d, x: (1.01e-20 * np.cos(x) * d,), normal(4, 5)),
)
right("x near 1e-150", pair(lambda x: 3 * x, lambda d, x: (3 * d,), 1e-150 * normal(5)))
right("exp", pair(np.exp, lambda d, x: (np.exp(x) * d,), normal(4, 5)))
planted(
    "exp: one element 1e-6 off",
    pair(np.exp, lambda d, x: (np.exp(x) * d * np.where(x == x.flat[7], 1 + 1e-6, 1),), normal(4, 5)),
)
right("sin", pair(np.sin, lambda d, x: (np.cos(x) * d,), normal(9)))
planted("sin: rounded to 6 decimals", pair(np.sin, lambda d, x: (np.round(np.cos(x) * d, 6),), normal(9)))
right("square: float16", pair(lambda x: x**2, lambda d, x: (2 * x * d,), normal(4, 5).astype(np.float16)))
planted(
    "square: float16: 10 % off",
    pair(lambda x: x**2, lambda d, x: ((np.float16(2.2) * x * d).astype(np.float16),), normal(4, 5).astype(np.float16)),
)
right("sum of 100,000: float32", pair(lambda x: (x**2).sum(), lambda d, x: (2 * x * d,), *as32(normal(100_000))))
TAILS = np.array([-700.0, -40, -10, -1, 0, 40, 700])
right(
    "softplus",
    pair(lambda x: np.logaddexp(0, x), lambda d, x: (d / (1 + np.exp(-x)),), TAILS),
)
planted(
    "softplus: 0 in the tail",
    pair(
        lambda x: np.logaddexp(0, x),
        lambda d, x: (np.where(x < -5, 0, d / (1 + np.exp(-x))),),
        TAILS,
    ),
)
HILBERT = 1 / (np.arange(6)[:, np.newaxis] + np.arange(6) + 1)


def solve_backward(d, a, b, sign=-1):
    db = np.linalg.solve(a.T, d)
    return sign * np.outer(db, np.linalg.solve(a, b)), db


right("solve", pair(np.linalg.solve, solve_backward, HILBERT, normal(6)))
planted("solve: sign", pair(np.linalg.solve, changed(solve_backward, sign=1), HILBERT, normal(6)))
right(
    "inverse",
    pair(np.linalg.inv, lambda d, x: (-np.linalg.inv(x).T @ d @ np.linalg.inv(x).T,), normal(4, 4)),
)
planted(
    "inverse: not transposed",
    pair(np.linalg.inv, lambda d, x: (-np.linalg.inv(x) @ d @ np.linalg.inv(x),), normal(4, 4)),
)
right(
    "product with a zero",
    pair(np.prod, lambda d, x: (d * np.array([np.delete(x, i).prod() for i in range(4)]),), np.array([2.0, 0, 3, -1])),
)
planted(
    "product with a zero: 0 there",
    pair(
        np.prod, lambda d, x: (d * np.where(x != 0, x.prod() / np.where(x != 0, x, 1), 0),), np.array([2.0, 0, 3, -1])
    ),
)
