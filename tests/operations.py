"""Every operation in one form, so that each property is stated once and tested on all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import oracle
from hypothesis import strategies as st


@dataclass(frozen=True)
class Operation:
    """One operation.

    Attributes:
        name: the forward function's.
        inputs: ``(rng, sizes) -> arrays`` it is differentiated by, in float64.
        forward: ``(edition, arrays, sizes) -> output``.
        backward: ``(edition, d_output, arrays, sizes) -> gradients``, in the order of the arrays.
        oracle: ``(arrays, sizes) -> output``, in plain loops.
        analytic: it has no kinks, and the reference takes complex numbers.
    """

    name: str
    inputs: Callable
    forward: Callable
    backward: Callable
    oracle: Callable
    analytic: bool


@dataclass(frozen=True)
class Sizes:
    """Small sizes of everything an operation may need."""

    n: int
    c: int
    f: int
    field: tuple
    strides: tuple
    windows: tuple
    spare: tuple
    pool: tuple

    @property
    def lengths(self):
        """Input lengths: so many windows, and a rest that no window reaches."""
        return tuple(
            r + s * (count - 1) + min(rest, s - 1)
            for r, s, count, rest in zip(self.field, self.strides, self.windows, self.spare, strict=True)
        )

    @property
    def pooled(self):
        """Shape of maps to pool: whole blocks and a rest."""
        _, h, w = (
            p * count + min(rest, p - 1) for p, count, rest in zip(self.pool, self.windows, self.spare, strict=True)
        )
        return self.n, self.pool[0] + self.windows[0] - 1, h, w, self.f

    @property
    def plain(self):
        return self.n, *self.windows, self.f


def triples(low, high):
    return st.tuples(*[st.integers(low, high)] * 3)


sizes = st.builds(
    Sizes,
    n=st.integers(1, 3),
    c=st.integers(1, 3),
    f=st.integers(1, 4),
    field=triples(1, 4),
    strides=triples(1, 3),
    windows=triples(1, 5),
    spare=triples(0, 2),
    pool=triples(1, 3),
)


def normal(*shapes):
    return lambda rng, s: tuple(rng.standard_normal(shape(s)) for shape in shapes)


def distinct(shape):
    """Values that lie at least 0.01 apart and from 0: no ties, no kinks within the reach of a difference quotient."""

    def draw(rng, s):
        count = int(np.prod(shape(s)))
        values = (np.arange(count) - count // 2 + 0.5) * 0.01
        return (rng.permutation(values).reshape(shape(s)),)

    return draw


def spread(shape):
    """Values at least 0.5 apart: a map of few cells, nearly equal, is divided by almost nothing, and rounding shows."""

    def draw(rng, s):
        count = int(np.prod(shape(s)))
        return ((rng.permutation(count) + 0.5 * rng.random(count) - count / 2).reshape(shape(s)),)

    return draw


def pool_operations(kind, reduce, inputs, analytic):
    return [
        Operation(
            f"{kind}_pool_space",
            inputs,
            lambda e, a, s: getattr(e, f"{kind}_pool_space")(*a, s.pool[1:]),
            lambda e, dy, a, s: (getattr(e, f"{kind}_pool_space_backward")(dy, *a, s.pool[1:]),),
            lambda a, s: oracle.pool_space(*a, s.pool[1:], reduce),
            analytic,
        ),
        Operation(
            f"{kind}_pool_frames",
            inputs,
            lambda e, a, s: getattr(e, f"{kind}_pool_frames")(*a, s.pool[0]),
            lambda e, dy, a, s: (getattr(e, f"{kind}_pool_frames_backward")(dy, *a, s.pool[0]),),
            lambda a, s: oracle.pool_frames(*a, s.pool[0], reduce),
            analytic,
        ),
    ]


def labels(s):
    return np.arange(s.n) % s.f


OPERATIONS = [
    Operation(
        "weighted_sum",
        normal(
            lambda s: (s.n, *s.lengths, s.c),
            lambda s: (s.field[0], *s.lengths[1:], s.c, s.f),
            lambda s: (*s.windows, s.f),
        ),
        lambda e, a, s: e.weighted_sum(*a, s.field, s.strides),
        lambda e, dy, a, s: e.weighted_sum_backward(dy, *a[:2], s.field, s.strides),
        lambda a, s: oracle.weighted_sum(*a, s.field, s.strides),
        True,
    ),
    Operation(
        "leaky_relu",
        distinct(lambda s: s.plain),
        lambda e, a, s: e.leaky_relu(*a),
        lambda e, dy, a, s: (e.leaky_relu_backward(dy, *a),),
        lambda a, s: oracle.leaky_relu(*a, 0.01),
        False,
    ),
    Operation(
        "standardize",
        spread(lambda s: s.plain),
        lambda e, a, s: e.standardize(*a),
        lambda e, dy, a, s: (e.standardize_backward(dy, *a),),
        lambda a, s: oracle.standardize(*a, 1e-8),
        True,
    ),
    *pool_operations("max", max, distinct(lambda s: s.pooled), False),
    *pool_operations("average", lambda cells: sum(cells) / len(cells), normal(lambda s: s.pooled), True),
    Operation(
        "scale_shift",
        normal(
            lambda s: s.plain,
            lambda s: (1, *s.windows[1:], s.f),
            lambda s: (s.windows[0], 1, 1, s.f),
        ),
        lambda e, a, s: e.scale_shift(*a),
        lambda e, dy, a, s: e.scale_shift_backward(dy, *a[:2]),
        lambda a, s: oracle.scale_shift(*a),
        True,
    ),
    Operation(
        "dense",
        normal(
            lambda s: (s.n, int(np.prod(s.windows))),
            lambda s: (int(np.prod(s.windows)), s.f),
            lambda s: (s.f,),
        ),
        lambda e, a, s: e.dense(*a),
        lambda e, dy, a, s: e.dense_backward(dy, *a[:2]),
        lambda a, s: oracle.dense(*a),
        True,
    ),
    Operation(
        "softmax_cross_entropy",
        normal(lambda s: (s.n, s.f)),
        lambda e, a, s: e.softmax_cross_entropy(*a, labels(s)),
        lambda e, dy, a, s: (e.softmax_cross_entropy_backward(dy, *a, labels(s)),),
        lambda a, s: oracle.softmax_cross_entropy(*a, labels(s)),
        True,
    ),
]
