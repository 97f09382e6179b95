"""The numeric side: slopes of all outputs, by the complex step where it works, by two steps or by the whole ladder."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kernels.arrays import FloatArray, IntArray

from . import slopes as ladders
from . import tolerances as tol
from .point import Element, Point
from .slopes import Slopes
from .state import Precision


def complex_step_works(point: Point, precision: Precision, judged: Sequence[int], rng: np.random.Generator) -> bool:
    """Whether the complex step agrees with differences along two random directions of all ``judged`` inputs."""
    if precision.eps > tol.DOUBLE or not judged or not len(point.at):
        return False
    for _ in range(2):
        v = {i: point.random_direction(i, rng) for i in judged}
        imaginary = point.complex_slope(v)
        if imaginary is None:
            return False
        step = precision.start
        real = (point.moved(v, step)[0] - point.moved(v, -step)[0]) / (2 * step)
        size = np.abs(real) + np.abs(imaginary)
        bound = tol.SAME_SLOPE * size + tol.COMPLEX_MEDIAN * np.median(size) + tol.SLOPE_NOISE * precision.noise / step
        if not (np.abs(real - imaginary) <= bound).mean() > tol.COMPLEX_OUTPUTS:
            return False
    return True


def slopes_by_ladder(point: Point, precision: Precision, elements: Sequence[Element], longer: int = 0) -> Slopes:
    """Slopes with ``elements`` moved together, by all steps; per unit of the input, not of its size.

    ``longer``: so many steps more that are longer than the size.
    """
    size = elements[0][2]
    # A small value among large ones may need steps of its own size.
    own = min(abs(float(point.base[i].flat[flat])) or size for i, flat, _ in elements)
    more = 0
    if precision.eps <= tol.DOUBLE:
        powers = np.log2(size / own) - tol.SMALL_VALUE_POWER
        more = int(np.clip(np.ceil(powers / tol.STEP_POWER), 0, tol.MOST_MORE_STEPS))
    steps = precision.steps[0] / (2.0**tol.STEP_POWER) ** np.arange(-longer, len(precision.steps) + more)
    largest = float(np.abs(point.at).max(initial=0))
    moved = max(abs(float(point.base[i].flat[flat])) for i, flat, _ in elements)
    outputs, above, below = _moving_ends(point, elements, steps)
    at, noise = point.at[outputs], precision.noise[outputs]
    slopes = ladders.slopes(steps, above, below, at, noise, largest, moved)
    return replace(slopes.over(size), outputs=outputs[slopes.outputs])


def _moving_ends(
    point: Point, elements: Sequence[Element], steps: FloatArray
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Which outputs move at any of ``steps``, of many that do not; and these above and below, of shape (j, such)."""
    ends = []
    for step in steps:
        above, below = point.element_ends(elements, step)
        moves = np.flatnonzero((above != point.at) | (below != point.at))
        ends.append((moves, above[moves], below[moves]))
    outputs = np.unique(np.concatenate([moves for moves, *_ in ends]))
    sides = np.repeat(point.at[outputs][np.newaxis, np.newaxis], len(steps), axis=1).repeat(2, axis=0)
    for j, (moves, *values) in enumerate(ends):
        sides[:, j, np.searchsorted(outputs, moves)] = values
    return outputs, sides[0], sides[1]


def slopes_by_one_step(
    point: Point, precision: Precision, element: Element, step: float, complex_works: bool
) -> tuple[Slopes, bool]:
    """Slopes from one ``step`` up and down, or from the complex step where that confirms them.

    Returns:
        the slopes, per unit of the input, and whether they are sure: without a sign of a kink.
    """
    above, below = point.element_ends([element], step)
    imaginary = point.complex_slope_of_element(element) if complex_works else None
    moves = (above != point.at) | (below != point.at)
    outputs = np.flatnonzero(moves if imaginary is None else moves | (imaginary != 0))
    # An output that stands still is rounded to more than its own last place, as a sum with something large.
    still = np.where(moves[outputs], 0, tol.STILL_ULPS * precision.eps * np.abs(point.at).max())
    at, noise, above, below = (values[outputs] for values in (point.at, precision.noise, above, below))
    right, left = (above - at) / step, (at - below) / step
    apart = np.abs(right - left)
    central: FloatArray = (right + left) / 2
    rounding = tol.DIFFERENCE_NOISE * np.maximum(noise, still) / step
    error = rounding + tol.CURVATURE * step * apart
    # Two sides that differ by more than curvature and rounding may have a kink between them: the ladder will tell.
    sure = not (apart > tol.BENT_SHARE * (np.abs(right) + np.abs(left)) + tol.BENT_NOISE * rounding).any()
    if imaginary is not None and sure:
        imaginary = imaginary[outputs]
        if (np.abs(imaginary - central) <= error + tol.SAME_SLOPE * np.abs(central)).all():
            central, error = imaginary, tol.COMPLEX_ERROR * np.abs(imaginary)
    smooth = np.zeros(len(central), bool)
    slopes = Slopes(central, left, right, error, error, smooth, step, outputs, smooth, smooth, smooth, noise)
    return slopes.over(element[2]), sure
