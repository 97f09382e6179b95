"""Before the first step of a check: forward is called, and how exactly it computes is found out."""

import numpy as np

from kernels.arrays import FloatArray

from . import effort
from . import slopes as ladders
from . import tolerances as tol
from .effort import Budget, now
from .functions import Pair
from .point import Point, size_of
from .state import Found, Precision, Stop


def first_outputs(pair: Pair, rng: np.random.Generator, found: Found, budget: Budget) -> tuple[FloatArray, FloatArray]:
    """Call forward at the inputs: its outputs must be finite, and the same every time.

    Returns:
        outputs, of shape (outputs,); by how much they differ from call to call.

    Raises:
        Stop: they are not finite, or differ by more than rounding.
    """
    # Other values first: whoever keeps for good what he saw first is found out later.
    pair.try_forward([rng.permutation(a.ravel()).reshape(a.shape) if a.dtype.kind == "f" else a for a in pair.inputs])
    begun = now()
    at = pair.first_forward()
    budget.call = now() - begun
    if np.isnan(at).any() or (len(at) and np.isinf(at).all()):
        first = int(np.flatnonzero(~np.isfinite(at))[0])
        pair.add_problem(f"forward gives {at[first]} at {pair.output_words(first)}")
        raise Stop
    left_out = pair.leave_out()
    if len(left_out):
        at[left_out] = 0
        words = f"{len(left_out)} infinite outputs are left out, the first at {pair.output_words(int(left_out[0]))}"
        found.note(f"{words}; their incoming gradients are 0")
    off = np.zeros_like(at)
    for _ in range(2):
        if budget.room(1, effort.FIRST_CALLS, "whether forward repeats itself"):
            begun = now()
            off = np.maximum(off, np.abs(pair.forward(pair.inputs) - at))
            budget.call = min(budget.call, now() - begun)
    if off.any():
        worst = int(off.argmax())
        words = f"two calls on the same inputs differ by up to {off[worst]:.3g}, at {pair.output_words(worst)}"
        if not off[worst] <= tol.REPEAT_ULPS * pair.output_eps * np.abs(at).max():
            pair.add_problem(
                f"forward is not repeatable: {words}; fix its random numbers: a seed, or a mask as an input"
            )
            raise Stop
        found.note(f"forward is repeatable only to rounding: {words}")
    return at, off


def choose_point(
    pair: Pair, at: FloatArray, rng: np.random.Generator, found: Found, budget: Budget
) -> tuple[Point, float]:
    """Where inputs are moved, and the last place of forward's arithmetic there.

    Coarser inputs than float64 are moved as float64 where forward computes the same function in it.
    """
    sizes = [size_of(a) for a in pair.inputs]
    point = Point(pair, pair.inputs, sizes, at)
    if point.large:
        begun = now()
        point.moved({i: point.base[i] for i in pair.moved}, tol.PLAIN_MOVE)
        budget.call = max(budget.call, now() - begun)  # much of it is making and comparing arrays
    inputs_eps = _inputs_eps(pair)
    eps = max(inputs_eps, pair.output_eps)
    if not budget.room(3, effort.ROUNDING, "which numbers forward computes in"):
        return point, eps
    if inputs_eps > tol.DOUBLE:
        base = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in pair.inputs]
        values, wide_eps = pair.forward_with_eps(base)
        wide = Point(pair, base, sizes, values)
        off, size = np.abs(values - at).max(initial=0), np.abs(at).max(initial=tol.LEAST_OUTPUT)
        if wide_eps <= tol.DOUBLE and off <= tol.SAME_FUNCTION * size:
            wide_eps = _last_place(wide, rng)
            if wide_eps < eps:
                numbers = "float64" if wide_eps <= tol.DOUBLE else "float32"
                found.note(f"forward also computes in {numbers}, so the slopes of coarser inputs are taken there")
                return wide, wide_eps
    elif eps <= tol.DOUBLE:
        eps = _last_place(point, rng)
        if eps > tol.DOUBLE:
            noise = _fixed_noise(point, rng)
            if noise:
                found.note(
                    f"forward has a noise of {noise:.1g} of its outputs that is the same at every call, as of a fixed "
                    f"seed or of an iteration that stops early; slopes are no more exact than that"
                )
            else:
                found.note("forward computes in single precision inside, and is judged by that")
    return point, eps


def _fixed_noise(point: Point, rng: np.random.Generator) -> float:
    """What part of the outputs a fine move changes at random, unless that is the rounding of single precision: 0.

    Single precision gives its own numbers, or stands still for a fine move.
    """
    v = {i: np.where(point.base[i] == 0, 0, point.random_direction(i, rng)) for i in point.pair.moved}
    moved = point.moved(v, tol.FINE_MOVE)[0]
    changed = moved != point.at
    single = (point.at.astype(np.float32) == point.at).mean() > 0.5
    if single or not changed.any() or not np.isfinite(moved).all():
        return 0.0
    return float(np.median(np.abs(moved - point.at)[changed]) / np.abs(point.at).max())


# Many arguments: all that is known of forward so far.
def measure_precision(
    point: Point,
    eps: float,
    unrepeatable: FloatArray | float,
    rtol: float | None,
    atol: float,
    rng: np.random.Generator,
    budget: Budget,
) -> Precision:
    """What a right backward pass can be held to, and the steps to be taken.

    Args:
        point: where the inputs are moved.
        eps: last place of forward's arithmetic there.
        unrepeatable: by how much outputs differ from call to call, of shape (outputs,).
        rtol, atol: allowed errors; None: by the numbers that take part.
        rng: draws the directions in which inputs are nudged.
        budget: of time.
    """
    grade = max(_inputs_eps(point.pair), point.pair.output_eps, eps)
    ulps = min(tol.GRADIENT_ULPS, grade**-0.5 / tol.COARSE_GRADIENT_ULPS)
    if rtol is None:
        coarse = grade * (ulps + tol.COARSE_RTOL_ULPS * len(point.at) ** 0.5)
        rtol = tol.FLOAT64_RTOL if grade <= tol.DOUBLE else coarse
    steps = ladders.ladder(max(eps, grade**tol.TIE_POWER if grade > tol.DOUBLE else 0))
    start = float(steps[np.abs(np.log(steps / eps**tol.START_POWER)).argmin()])
    noise: FloatArray = eps * np.abs(point.at) + unrepeatable
    if budget.room(4 * tol.NOISE_POINTS + 2, effort.ROUNDING, "how forward rounds"):
        noise = _rounding_of_outputs(point, eps, rng) + unrepeatable
    moved = [point.base[i] for i in point.pair.moved]
    top = max((float(np.abs(a[np.isfinite(a)]).max(initial=0)) for a in moved), default=0.0)
    floor = float(np.abs(point.at).max(initial=0)) * min(1.0, tol.LONGEST / max(top, 1.0))
    return Precision(
        eps=eps, grade=grade, ulps=ulps, rtol=rtol, atol=atol, steps=steps, start=start, noise=noise, floor=floor
    )


def _inputs_eps(pair: Pair) -> float:
    """Last place of the coarsest input that is differentiated."""
    return max((float(np.finfo(pair.inputs[i].dtype).eps) for i in pair.moved), default=tol.DOUBLE)


def _last_place(point: Point, rng: np.random.Generator) -> float:
    """Last place of forward's arithmetic: does it answer a fine move as it does a plain one?"""
    # Zeros stay: numbers are dense there in single precision too.
    v = {i: np.where(point.base[i] == 0, 0, point.random_direction(i, rng)) for i in point.pair.moved}
    fine, plain = (np.abs(point.moved(v, size)[0] - point.at).sum() for size in (tol.FINE_MOVE, tol.PLAIN_MOVE))
    noise = tol.MOVE_NOISE * tol.DOUBLE * np.abs(point.at).sum()
    ratio = tol.FINE_MOVE / tol.PLAIN_MOVE
    if not np.isfinite(fine + plain) or plain <= noise / ratio:
        return tol.DOUBLE
    coarse = fine == 0 or fine > ratio * plain * tol.MOVE_FACTOR + tol.MOVE_FACTOR * noise
    return tol.SINGLE if coarse else tol.DOUBLE


def _rounding_of_outputs(point: Point, eps: float, rng: np.random.Generator) -> FloatArray:
    """How each output is rounded, of shape (outputs,): what values in a row say, beside what a nudge shows.

    Beside a jump a nudge to one side only is a rounding error, and beside a kink a row is bent on one side only: the
    smaller of the two sides counts.
    """
    sides = []
    step = eps**tol.NOISE_POWER
    # Larger ones are not rounding but what happens between two values, as in sin(x) for large x.
    top = max(np.abs(a[np.isfinite(a)]).max(initial=0) for a in (point.at, *(point.base[i] for i in point.pair.moved)))
    limit = tol.TICK_ULPS * eps * float(top)
    # None moves by so little that a factor such as 1 - cos(x) stands still.
    v = {i: np.maximum(np.abs(point.random_direction(i, rng)), np.abs(point.base[i])) for i in point.pair.moved}
    v = {i: np.where(np.isfinite(each), each, 0) for i, each in v.items()}
    for side in (1, -1):
        shown = np.abs(point.moved(v, side * eps)[0] - point.at)
        if not point.large:
            shown = np.fmax(shown, _roughness(point, v, side * step))
            coarser = _roughness(point, v, side * tol.COARSER_STEPS * step)
            shown = np.fmax(shown, np.where(coarser <= limit, coarser, 0))
        sides.append(shown)
    shown = np.nan_to_num(np.fmin(*sides), nan=0.0, posinf=0.0)
    seen = (shown > 0) & (point.at != 0)
    shares = shown[seen] / np.abs(point.at[seen])
    share = min(float(np.median(shares)), tol.LARGEST_NOISE) if len(shares) else 0.0
    noise: FloatArray = np.maximum(shown, max(eps, share) * np.abs(point.at))
    return noise


def _roughness(point: Point, v: dict[int, FloatArray], step: float) -> FloatArray:
    """Rounding of each output, by third differences of values in a row; 0 where fourth differences show smoothness.

    J. More, S. Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33 (2011).
    """
    values = np.array([point.moved(v, k * step)[0] for k in range(1, tol.NOISE_POINTS + 1)])
    rough = []
    for order, norm in ((3, 20), (4, 70)):  # the sum of squares of the binomial coefficients
        rough.append(np.sqrt(np.square(np.diff(values, order, axis=0)).mean(axis=0) / norm))
    third, fourth = rough
    grows = fourth * 70**0.5 >= tol.NOISE_GROWTH * third * 20**0.5
    return np.where(grows, tol.NOISE_SPREAD * third, 0.0)
