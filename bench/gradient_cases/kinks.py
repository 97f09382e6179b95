"""Order, kinks, ties."""

import numpy as np

from .making import normal, pair, planted, right


def ranks(x):
    return x.argsort(-1, kind="stable").argsort(-1, kind="stable")


right("sort", pair(np.sort, lambda d, x: (np.take_along_axis(d, ranks(x), -1),), normal(3, 6)))
right(
    "sort: ties", pair(np.sort, lambda d, x: (np.take_along_axis(d, ranks(x), -1),), np.array([[1.0, 1, 2, 0, 2, 5]]))
)
planted(
    "sort: not the inverse order", pair(np.sort, lambda d, x: (np.take_along_axis(d, x.argsort(-1), -1),), normal(3, 6))
)
right(
    "median of seven",
    pair(lambda x: np.median(x, -1), lambda d, x: ((ranks(x) == 3) * d[:, np.newaxis],), normal(4, 7)),
)
planted(
    "median of eight: one takes all",
    pair(lambda x: np.median(x, -1), lambda d, x: ((ranks(x) == 3) * d[:, np.newaxis],), normal(4, 8)),
)
right(
    "median of eight",
    pair(
        lambda x: np.median(x, -1),
        lambda d, x: ((abs(ranks(x) - 3.5) < 1) * d[:, np.newaxis] / 2,),
        normal(4, 8),
    ),
)
EDGES = np.array([-2.0, -1, -0.5, 0, 1, 3])
right("clip", pair(lambda x: np.clip(x, -1, 1), lambda d, x: (d * ((x > -1) & (x < 1)),), EDGES))
planted(
    "clip: slope 1.5 at its end",
    pair(lambda x: np.clip(x, -1, 1), lambda d, x: (d * np.where(x == 1, 1.5, (x > -1) & (x < 1)),), EDGES),
)
right("round", pair(np.round, lambda d, x: (0 * d,), normal(6)))
planted("round: straight through", pair(np.round, lambda d, x: (d,), normal(6)))


def root_of_squares(x):
    return np.sqrt((x.reshape(-1, 4) ** 2).sum(1))


def root_of_squares_backward(d, x):
    y = root_of_squares(x)
    return ((x.reshape(-1, 4) * (d / np.where(y > 0, y, np.inf))[:, np.newaxis]).reshape(x.shape),)


right(
    "L2 pooling: a block of zeros",
    pair(root_of_squares, root_of_squares_backward, normal(3, 8) * (np.arange(24) > 3).reshape(3, 8)),
)
TIED = np.array([1.0, 2, 3]), np.array([1.0, 2, 0])
right("maximum of two: a tie", pair(np.maximum, lambda d, x, y: (d * (x >= y), d * (y > x)), *TIED))
planted("maximum of two: a tie: both take all", pair(np.maximum, lambda d, x, y: (d * (x >= y), d * (y >= x)), *TIED))
planted("maximum of two: a tie: neither takes it", pair(np.maximum, lambda d, x, y: (d * (x > y), d * (y > x)), *TIED))
MEETING = lambda x: np.maximum(x, 0) - np.maximum(-x, 0)  # noqa: E731
right("two kinks that make a line", pair(MEETING, lambda d, x: (d,), np.array([-1.0, 0, 2])))
planted("two kinks that make a line: 0 at 0", pair(MEETING, lambda d, x: (d * (x != 0),), np.array([-1.0, 0, 2])))
