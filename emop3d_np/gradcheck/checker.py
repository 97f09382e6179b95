"""``check``: is this backward pass the gradient of that forward pass?

What is done, in this order:

1. The pair is called by the rules: shapes, dtypes, NaN, the same bits twice and after other calls, exact zeros for a
   zero incoming gradient, linear in the incoming gradient, nothing changed in place.
2. Every input is moved along whole directions (random, all alike, along its own gradient); a direction that fails is
   halved until one element is left.
3. Every input is moved element by element, all of them or as many as the time budget allows, and all outputs are
   watched: a column of the Jacobian.  It is judged for several incoming gradients, those of single outputs among them.
4. Elements at a kink are moved in pairs, to find those that are tied: what a tie gives away together must add up.

The numeric side is the complex step where it is shown to agree with differences, else the ladder of :mod:`.slopes`.
"""

import itertools
import time

import numpy as np

from ..errors import InputError
from . import slopes as ladders
from .functions import Pair, same_bits
from .report import Finding, InputRow, Report

SAME = 1e-9
"""Allowed relative error of float64 gradients, beside that of the numeric side."""
ULPS = 64
"""Rounding a right backward pass may show: last places of the largest gradient; fewer in half precision."""
SINGLE_OUTPUTS = 512
"""At most so many outputs get an incoming gradient of their own."""
GLANCES = (1, 64, 512)
"""Steps of a first look at an element: multiples of the one where rounding and curvature balance."""
SAMPLED = 400
"""At most so many elements are judged one by one where not all can be."""
DOUBLE, SINGLE = float(np.finfo(np.float64).eps), float(np.finfo(np.float32).eps)


def check(
    forward,
    backward,
    inputs,
    *,
    names=None,
    rtol=None,
    atol=0.0,
    seconds=10.0,
    seed=0,
    complex_step=None,
    progress=None,
):
    """Check that ``backward`` is the gradient of ``forward`` at ``inputs``.

    Args:
        forward: ``forward(*inputs)`` gives an array or a tuple of arrays.
        backward: ``backward(d_outputs, *inputs)`` gives a tuple with a gradient an input, None where there is none to
            be had.  ``d_outputs`` is an array where forward gives an array, else a tuple of arrays.
        inputs: tuple of arrays.  Integer arrays (labels, indices) are handed through.
        names: what to call the inputs in the report; default their positions.
        rtol: allowed relative error; default 1e-9 for float64, for float32 about 1e-5 (it grows with the root of the
            number of outputs).  On top of it come the error of the numeric side, bounded for every value, and some last
            places of the largest gradient of the input: what is less than 1e-14 of that is not judged in float64.
        atol: allowed absolute error; default 0.
        seconds: time budget, default 10; None: every element, however long it takes.
        seed: of the random incoming gradients and directions.
        complex_step: False never passes complex numbers to forward; default None: where they prove to work.
        progress: wraps the elements that are gone through, as tqdm does.

    Returns:
        Report: ``passed``, ``worst``, ``str(report)`` and more.

    Raises:
        InputError: a function raises, forward changes its inputs, something other than the right number of real arrays
            is returned, or ``inputs`` is no tuple of real arrays.
    """
    pair = Pair(forward, backward, inputs)
    if names is not None and len(names) != len(pair.inputs):
        raise InputError(f"names has {len(names)} entries for {len(pair.inputs)} inputs")
    for name, value in (("rtol", rtol), ("atol", atol), ("seconds", seconds)):
        if value is not None and not value >= 0:
            raise InputError(f"{name} is {value}; it must not be negative")
    return _Check(pair, names, rtol, atol, seconds, seed, complex_step, progress or (lambda items: items)).run()


class _Stop(Exception):
    """A rule is broken so that nothing more can be said."""


class _Check:
    def __init__(self, pair, names, rtol, atol, seconds, seed, complex_step, progress):
        self.pair, self.rtol, self.atol, self.seconds = pair, rtol, atol, seconds
        self.complex_step, self.progress = complex_step, progress
        self.names = list(range(len(pair.inputs)) if names is None else names)
        self.rng = np.random.default_rng(seed)
        self.started = time.perf_counter()
        self.rows = [InputRow(name, a.shape, str(a.dtype)) for name, a in zip(self.names, pair.inputs, strict=True)]
        self.ratios = [None] * len(pair.inputs)
        self.notes, self.findings, self.kinked = [], [], {}
        self.singles, self.single_gradients, self.largest = np.empty(0, int), [], {}
        self.method = ""

    def run(self):
        try:
            self._outputs()
            self._precision()
            self._rules()
            self._complex()
            self._directions()
            self._elements()
            self._ties()
        except _Stop:
            pass
        return Report.of(self)

    def time_left(self, share=1.0):
        """Seconds until ``share`` of the budget is spent."""
        elapsed = time.perf_counter() - self.started
        return np.inf if self.seconds is None else share * self.seconds - elapsed

    def note(self, words):
        if words not in self.notes:
            self.notes.append(words)

    def stop(self, words, i=-1):
        self.pair.add_problem(words, i)
        raise _Stop

    # --- 1. The pair is called by the rules

    def _outputs(self):
        """Outputs at the inputs: finite, and the same twice."""
        pair = self.pair
        # Other values first: whoever keeps for good what he saw first is found out later.
        pair.try_forward(
            [self.rng.permutation(a.ravel()).reshape(a.shape) if a.dtype.kind == "f" else a for a in pair.inputs]
        )
        self.at = pair.first_forward()
        if not np.isfinite(self.at).all():
            first = int(np.flatnonzero(~np.isfinite(self.at))[0])
            self.stop(f"forward gives {self.at[first]} at {pair.output_words(first)}")
        begun = time.perf_counter()
        off = np.max([np.abs(pair.forward(pair.inputs) - self.at) for _ in range(2)], axis=0)
        self.forward_seconds = (time.perf_counter() - begun) / 2
        if off.any():
            worst = int(off.argmax())
            words = f"two calls on the same inputs differ by up to {off[worst]:.3g}, at {pair.output_words(worst)}"
            if not off[worst] <= 1e3 * pair.output_eps * np.abs(self.at).max():
                self.stop(f"forward is not repeatable: {words}; fix its random numbers: a seed, or a mask as an input")
            self.note(f"forward is repeatable only to rounding: {words}")
        self.unrepeatable = off

    def _precision(self):
        """Which numbers forward computes in, and whether float32 inputs may be moved as float64."""
        pair = self.pair
        own = max((float(np.finfo(pair.inputs[i].dtype).eps) for i in pair.moved), default=DOUBLE)
        # The size of what is moved: of the whole array, so that an element that is 0 has one too.
        self.sizes = [_power_of_two(a) if a.dtype.kind == "f" else None for a in pair.inputs]
        self.base, self.eps = pair.inputs, max(own, pair.output_eps)
        if own > DOUBLE:
            self.base = [a.astype(np.float64) if a.dtype.kind == "f" else a for a in pair.inputs]
            values, eps = pair.forward_with_eps(self.base)
            close = np.abs(values - self.at).max(initial=0) <= 1e-2 * np.abs(self.at).max(initial=1e-30)
            if eps <= DOUBLE and close and self._resolved(values) <= DOUBLE:
                self.at, self.eps = values, DOUBLE
                self.note("forward also computes in float64, so the slopes of coarser inputs are taken there")
            else:
                self.base = pair.inputs
        elif self.eps <= DOUBLE:
            self.eps = self._resolved(self.at)
            if self.eps > DOUBLE:
                self.note("forward computes in single precision inside, and is judged by that")
        # What a right backward pass in these numbers can be held to.
        self.grade = max(own, pair.output_eps, self.eps)
        self.ulps = min(ULPS, self.grade**-0.5 / 4)
        if self.rtol is None:
            self.rtol = SAME if self.grade <= DOUBLE else self.grade * (self.ulps + 2 * len(self.at) ** 0.5)
        # Values that tie when rounded to float32 lie a rounding apart: no step may look between them.
        self.steps = ladders.ladder(max(self.eps, self.grade**1.5 if self.grade > DOUBLE else 0))
        self.start = float(self.steps[np.abs(np.log(self.steps / self.eps ** (1 / 3))).argmin()])
        # Beside a jump a nudge to one side only is a rounding error.
        sides = [
            np.max(
                [self._shift({i: side * np.abs(self._random_direction(i)) for i in pair.moved}) for _ in range(3)],
                axis=0,
            )
            for side in (self.eps, -self.eps)
        ]
        shown = np.nan_to_num(np.fmin(*sides), nan=0.0)
        moved = shown[(shown > 0) & (self.at != 0)] / np.abs(self.at[(shown > 0) & (self.at != 0)])
        share = min(float(np.median(moved)), 1e-3) if len(moved) else 0.0
        self.noise = np.maximum(shown, max(self.eps, share) * np.abs(self.at)) + self.unrepeatable

    def _shift(self, v):
        return np.abs(self._moved(v, 1.0)[0] - self.at)

    def _resolved(self, values):
        """Last place of forward's arithmetic: does it answer a move of 2^-38 as it does one of 2^-20?"""
        # Zeros stay: numbers are dense there in single precision too.
        v = {i: np.where(self.base[i] == 0, 0, self._random_direction(i)) for i in self.pair.moved}
        small, large = (np.abs(self._moved(v, 2.0**power)[0] - values).sum() for power in (-38, -20))
        noise = 8 * DOUBLE * np.abs(values).sum()
        if not np.isfinite(small + large) or large <= noise * 2**18:
            return DOUBLE
        return SINGLE if small == 0 or small > 2.0**-18 * large * 64 + 64 * noise else DOUBLE

    def _rules(self):
        """What holds for any backward pass, for all elements at once; collects the gradients to be judged."""
        pair = self.pair
        d_dtypes = np.concatenate([np.full(size, i) for i, size in enumerate(pair.sizes)]).astype(int)
        self.d = []
        for draw in (self.rng.standard_normal, self.rng.standard_normal, lambda count: self.rng.uniform(-2, 2, count)):
            d = draw(len(self.at))
            for i, j in enumerate(pair.real):
                d[d_dtypes == i] = d[d_dtypes == i].astype(pair.dtypes[j])
            self.d.append(d)
        self.weights = np.array(self.d)
        begun = time.perf_counter()
        first = pair.backward(self.d[0])
        self.backward_seconds = time.perf_counter() - begun
        self._forms(first)
        self.gradients = [first] + [pair.backward(d) for d in self.d[1:]]
        for gradients in self.gradients[1:]:
            self._forms(gradients)
        self._purity(first)
        self.spread = self._rounding(first)
        self._linearity()

    def _forms(self, gradients):
        for i, (gradient, array) in enumerate(zip(gradients, self.pair.inputs, strict=True)):
            name = self.names[i]
            if gradient is None:
                if i in self.pair.moved:
                    self.note(f"input {name} has no gradient (None): not checked")
                continue
            if array.dtype.kind != "f":
                if gradient.any():
                    self.stop(f"input {name} has dtype {array.dtype}, so its gradient must be None (or zeros)", i)
                continue
            if gradient.shape != array.shape:
                self.stop(f"gradient of input {name} has shape {gradient.shape}, the input {array.shape}", i)
            if gradient.dtype != array.dtype:
                self.stop(f"gradient of input {name} has dtype {gradient.dtype}, the input {array.dtype}", i)
            wrong = ~np.isfinite(gradient)
            if wrong.any():
                index = _index(int(np.flatnonzero(wrong)[0]), gradient.shape)
                self.findings.append(Finding(name, index, float(gradient[index]), how="a gradient must be finite"))
                self.stop(f"gradient of input {name} holds {gradient[index]} at {index}", i)
        self.judged = [i for i in self.pair.moved if gradients[i] is not None]
        if self.pair.moved and not self.judged:
            raise InputError("backward returns None for every input: there is nothing to check")
        for i in self.judged:
            self.ratios[i] = np.full(self.pair.inputs[i].shape, np.nan)

    def _purity(self, first):
        """The same bits for the same question, whatever was asked in between; zeros for zeros."""
        pair = self.pair
        for when, again in (
            ("a second call", pair.backward(self.d[0])),
            ("a third call", pair.backward(self.d[0])),
        ):
            for i in self.judged:
                if not same_bits(again[i], first[i]):
                    off = np.abs(again[i] - first[i])
                    self._unequal(
                        i, first[i], again[i], off, f"backward is not repeatable: {when} gives another gradient"
                    )
        for i, gradient in enumerate(pair.backward(np.zeros_like(self.d[0]))):
            if i in self.judged and gradient.shape == first[i].shape and gradient.any():
                zero, off = np.zeros_like(gradient), np.nan_to_num(np.abs(gradient), nan=np.inf)
                self._unequal(i, gradient, zero, off, "a zero incoming gradient must give zeros")
        pair.try_forward(_nudged(pair.inputs, 2.0**-3, 11))
        relies = pair.backward_alone(self.d[0], pair.inputs)
        if any(relies[i] is not None and not same_bits(relies[i], first[i]) for i in self.judged):
            self.note(
                "backward relies on what the last forward kept, not on its arguments; forward is called before it"
            )

    def _rounding(self, first):
        """What one last place of the inputs changes in the gradient, for each input; ties are kept."""
        changes = []
        for salt in range(4):
            nudged = _nudged(self.pair.inputs, self.grade, salt + 20)
            try:
                changes.append(self.pair.backward(self.d[0], nudged))
            except InputError:
                return {i: np.zeros(first[i].shape) for i in self.judged}
        spread = {}
        for i in self.judged:
            moved = np.array([np.abs(c[i].astype(np.float64) - first[i]) for c in changes])
            limit = 4 * self.grade**0.5 * np.abs(first[i]).max()
            usual = np.nan_to_num(np.median(moved, axis=0), nan=0.0)
            spread[i] = np.minimum(np.maximum(usual, usual.mean()), limit)
        return spread

    def _linearity(self):
        """backward(a d + b e) = a backward(d) + b backward(e)."""
        d, e = self.d[:2]
        g, f = self.gradients[:2]
        for words, question, of_g, of_f, factor in (
            ("4096 times the incoming gradient", 4096 * d, 4096, 0, 4096),
            ("the incoming gradient over 4096", d / 4096, 1 / 4096, 0, 1 / 4096),
            ("the sum of two incoming gradients", d + e, 1, 1, 1),
        ):
            answer = self.pair.backward(question)
            for i in self.judged:
                if answer[i] is None or answer[i].shape != g[i].shape:
                    self.stop(f"gradient of input {self.names[i]} changes its form with the incoming gradient", i)
                wanted, found = of_g * g[i].astype(np.float64) + of_f * f[i], answer[i].astype(np.float64)
                size = factor * float(max(np.abs(g[i]).max(), np.abs(f[i]).max()))
                allowed = self.rtol * size + 8 * factor * self.spread[i] + self.atol + np.finfo(g[i].dtype).tiny * 1e4
                off = np.abs(found - wanted)
                if not (off <= allowed).all():
                    excess = np.where(off <= allowed, 0, np.nan_to_num(off / allowed, nan=np.inf))
                    how = f"backward is not linear: {words} gives another gradient"
                    self._unequal(i, found, wanted, excess, how, allowed)

    def _unequal(self, i, found, expected, off, how, allowed=None):
        flat = int(np.nan_to_num(off, nan=np.inf).argmax())
        index = _index(flat, off.shape)
        analytic, numeric = float(found[index]), float(expected[index])
        allowed = 0.0 if allowed is None else float(allowed[index])
        self.findings.append(
            Finding(self.names[i], index, analytic, numeric, numeric, numeric, abs(analytic - numeric), allowed, how)
        )
        self.pair.add_problem(f"{how}, for input {self.names[i]} most at {index}", i)

    # --- The numeric side

    def _complex(self):
        """Whether the complex step may be used: it must agree with differences along whole directions."""
        self.analytic = False
        if self.complex_step is False or self.eps > DOUBLE or not self.judged or not len(self.at):
            return
        for _ in range(2):
            v = {i: self._random_direction(i) for i in self.judged}
            imaginary = self._complex_slope(v)
            if imaginary is None:
                return
            step = self.start
            real = (self._moved(v, step)[0] - self._moved(v, -step)[0]) / (2 * step)
            size = np.abs(real) + np.abs(imaginary)
            bound = 1e-6 * size + 1e-7 * np.median(size) + 16 * self.noise / step
            # Kinks and curvature may part some outputs; a cast or an absolute value parts most.
            if not (np.abs(real - imaginary) <= bound).mean() > 0.9:
                return
        self.analytic = True

    def _complex_slope(self, v):
        h = 1e-30
        arrays = [a + 1j * h * v[i] if i in v else a for i, a in enumerate(self.base)]
        return self._imaginary(arrays, h)

    def _imaginary(self, arrays, h):
        values = self.pair.forward(arrays, "c")
        slope = values.imag / h
        good = np.isfinite(slope).all() and (np.abs(values.real - self.at) <= 1e-9 * np.abs(self.at).max()).all()
        return slope if good and not self.pair.real_when_complex else None

    def _random_direction(self, i):
        array = self.base[i]
        v = self.rng.standard_normal(array.shape) * np.where(array == 0, self.sizes[i], np.abs(array))
        return np.where(np.isfinite(v), v, 0)

    def _moved(self, v, t):
        """``F(x + t v)``, and the step that the rounded inputs really make."""
        arrays, steps = list(self.base), {}
        with np.errstate(all="ignore"):
            for i, along in v.items():
                arrays[i] = (self.base[i] + t * along).astype(self.base[i].dtype)
                steps[i] = np.where(np.isfinite(self.base[i]), arrays[i].astype(np.float64) - self.base[i], 0)
        return self.pair.forward(arrays), steps

    def _element_ends(self, elements, step):
        """``F`` with each of ``elements`` (input, place, size) moved up and down by ``step`` sizes.

        Returns ``above, below`` corrected so that both belong to exactly ``step``, whatever the rounding of the inputs.
        """
        ends = []
        for sign in (1, -1):
            arrays, real = list(self.base), None
            for i, flat, size in elements:
                if arrays[i] is self.base[i]:
                    arrays[i] = self.base[i].copy()
                before = self.base[i].flat[flat]
                arrays[i].flat[flat] = before + np.asarray(sign * step * size).astype(before.dtype)
                real = (float(arrays[i].flat[flat]) - float(before)) / (sign * size)
            if real == 0:
                ends.append(np.full_like(self.at, np.nan))
                continue
            values = self.pair.forward(arrays)
            ends.append(values if real == step else self.at + (values - self.at) * (step / real))
        return ends

    def _ladder(self, elements):
        """Slopes of all outputs along ``elements``, by all steps; per unit of the input, not of its size."""
        size = elements[0][2]
        # A small value among large ones may need steps of its own size.
        own = min(abs(float(self.base[i].flat[flat])) or size for i, flat, _ in elements)
        more = 0 if self.eps > DOUBLE else max(0, int(np.ceil((np.log2(size / own) - 15) / 3)))
        steps = self.steps[0] / 8.0 ** np.arange(len(self.steps) + min(more, 60))
        ends = [self._element_ends(elements, step) for step in steps]
        found = ladders.slopes(
            steps, np.array([a for a, _ in ends]), np.array([b for _, b in ends]), self.at, self.noise
        )
        return found.over(size)

    # --- 2. Directions

    def _directions(self):
        if not len(self.at):
            return
        self.method = "complex step" if self.analytic else "differences"
        total = sum(self.pair.inputs[i].size for i in self.judged)
        whole = total * (2 * self.forward_seconds) < 0.3 * (self.seconds or np.inf)
        rounds = 1 if whole else 3
        for turn in range(rounds):
            for i in self.judged:
                if turn and self.time_left(0.4) < 0:
                    return
                g = self.gradients[turn % 3][i].astype(np.float64)
                kinds = [("a random direction", self._random_direction(i))]
                if turn == 0:
                    same = np.where(np.isfinite(self.base[i]), self.sizes[i], 0)
                    kinds.append(("all elements alike", same * np.ones(g.shape)))
                    if g.any():
                        kinds.append(("its own gradient", g * (self.sizes[i] / np.abs(g).max())))
                for words, v in kinds:
                    # Of an input that is known to be wrong, another culprit is not worth the budget.
                    if self.rows[i].worst_direction > 1 and self.time_left(0.4) < 0:
                        break
                    self._project(i, v, turn % 3, words)

    def _project(self, i, v, q, words):
        """Judge the gradient of input ``i`` along ``v``; what fails is halved down to one element."""
        d, g = self.d[q], self.gradients[q][i].astype(np.float64)
        self.rows[i].directions += 1
        if self.analytic:
            slope = self._complex_slope({i: v})
            if slope is not None:
                numeric, analytic = float(d @ slope), float((g * v).sum())
                terms = np.abs(d) @ np.abs(slope) + np.abs(g * v).sum()
                if abs(analytic - numeric) <= self._allowed(i, g, v) + 1e-13 * terms:
                    self._record_direction(i, abs(analytic - numeric), self._allowed(i, g, v) + 1e-13 * terms)
                    return
        step = self.start
        noise = 3 * float(np.sqrt(np.square(d * self.noise).sum()))
        up, down = (self._residual(i, v, sign * step, d, g) for sign in (1, -1))
        off = abs(up - down) / (2 * step)
        bound = ladders.NOISE * noise / step + 4 * abs(up + down)
        allowed = self._allowed(i, g, v)
        if off <= allowed + bound and bound <= 1e-7 * float(np.sqrt(np.square(g * v).sum())):
            self._record_direction(i, off, allowed + bound)
            return
        self._project_by_ladder(i, v, d, g, words, noise)

    def _allowed(self, i, g, v):
        """Rounding of the analytic slope along ``v``."""
        gv = g * v
        along = float(np.sqrt(np.square(gv).sum()) + abs(gv.sum()))
        floor = self.ulps * self.grade * np.abs(g).max(initial=0) * float(np.sqrt(np.square(v).sum()))
        return self.rtol * along + floor + self._spread_along(i, v) + self.atol

    def _spread_along(self, i, v):
        """The gradient's rounding along ``v``: errors of elements may have one cause, and one sign."""
        parts = np.abs(self.spread[i] * v)
        return max(8 * float(np.sqrt(np.square(parts).sum())), 4 * float(parts.sum()))

    def _residual(self, i, v, t, d, g):
        """How far F's change, weighed by ``d``, is from what the gradient foretells for the step really made."""
        values, steps = self._moved({i: v}, t)
        return float(d @ (values - self.at) - (g * steps[i]).sum())

    def _project_by_ladder(self, i, v, d, g, words, noise):
        steps = self.steps if len(self.steps) * len(self.at) < 2e5 or len(self.steps) < 8 else self.steps[1::2]
        above, below = (np.array([self._moved({i: v}, sign * step)[0] for step in steps]) for sign in (1, -1))
        found = ladders.slopes(steps, above, below, self.at, self.noise)
        if found.kink.any():
            # Outputs with a kink along v are judged by their interval, the others as ever.
            d_kinks = np.zeros_like(d)
            d_kinks[found.outputs[found.kink]] = d[found.outputs[found.kink]]
            d = d - d_kinks
            smooth_g = self.pair.backward(d)[i].astype(np.float64)
            self._kinks_along(i, v, d_kinks, g - smooth_g, self.steps[-3], words)
            g = smooth_g
        moved = [[self._real_step(i, v, sign * step) for step in steps] for sign in (1, -1)]
        rest = [
            np.array([[d @ (values - self.at) - (g * step).sum()] for values, step in zip(ends, real, strict=True)])
            for ends, real in zip((above, below), moved, strict=True)
        ]
        residual = ladders.slopes(steps, *rest, np.zeros(1), np.array([noise]))
        allowed = self._allowed(i, g, v)
        off = 0.0
        if len(residual.outputs):
            off = abs(float(residual.central[0]))
            allowed += 3 * float(residual.central_error[0])
        if not np.isfinite(off):
            self.note(f"input {self.names[i]} cannot be moved along {words}: forward gives NaN or raises")
            return
        if off <= allowed:
            self._record_direction(i, off, allowed)
        else:
            analytic = float((g * v).sum())
            numeric = analytic + float(residual.central[0])
            flat = self._halve(i, v, d, g, residual.best_step)
            how = f"along {words}; halving it led here"
            if self._judge_element(i, flat) and (i, flat) in self.kinked:
                return  # kinks may each take any slope: the whole need not lie between its own two
            self._record_direction(i, off, allowed)
            self._failed_direction(i, flat, analytic, numeric, numeric, numeric, off, allowed, how)

    def _kinks_along(self, i, v, d, g, step, words):
        """Judge outputs that have a kink along ``v``, all in ``d``, by their one-sided slopes.

        Kinks that have nothing to do with each other may each take any slope; then the slope along all of them need
        not lie between those of the whole.  So a whole that fails is halved: what still fails at one element is wrong,
        and so is what fails where the slopes of the halves do not add up to that of the whole, a tie.
        """

        def look(places):
            part = np.zeros(v.size)
            part[places] = v.flat[places]
            part = part.reshape(v.shape)
            right = (self._moved({i: part}, step)[0] - self.at) / step
            left = (self.at - self._moved({i: part}, -step)[0]) / step
            return part, left, right

        def excess(part, left, right, d, g):
            ends = d * left, d * right
            low, high = np.minimum(*ends).sum(), np.maximum(*ends).sum()
            analytic = float((g * part).sum())
            allowed = self._allowed(i, g, part) + 1e-6 * np.abs(ends).sum()
            allowed += ladders.NOISE * float(np.abs(d) @ self.noise) / step
            return max(low - analytic, analytic - high, 0.0), allowed, analytic, low, high

        places = np.flatnonzero(v)
        whole = look(places)
        while True:
            off, allowed, analytic, low, high = excess(*whole, d, g)
            if not off > allowed:
                return
            if len(places) == 1:
                self._judge_element(i, int(places[0]))
                return
            halves = np.array_split(places, 2)
            looks = [look(half) for half in halves]
            excesses = [excess(*each, d, g) for each in looks]
            ratios = [_ratio(each[0], each[1]) for each in excesses]
            if max(ratios) > 1:
                k = int(np.argmax(ratios))
                places, whole = halves[k], looks[k]
                continue
            gap = sum(np.abs(whole[side] - looks[0][side] - looks[1][side]) for side in (1, 2))
            tied = gap > 1e-6 * sum(np.abs(each[1]) + np.abs(each[2]) for each in looks) + 16 * self.noise / step
            if not tied.any():
                return
            d_tied = np.where(tied, d, 0)
            g_tied = self.pair.backward(d_tied)[i].astype(np.float64)
            off, allowed, analytic, low, high = excess(*whole, d_tied, g_tied)
            if not off <= allowed:
                flat = int(np.abs(g_tied * whole[0]).argmax())
                how = f"along {words}, where elements are tied: their gradients must add up"
                self._failed_direction(i, flat, analytic, min(max(analytic, low), high), low, high, off, allowed, how)
                self._record_direction(i, off, allowed)
            return

    def _real_step(self, i, v, t):
        with np.errstate(all="ignore"):
            moved = (self.base[i] + t * v).astype(self.base[i].dtype).astype(np.float64) - self.base[i]
        return np.where(np.isfinite(moved), moved, 0)

    def _halve(self, i, v, d, g, step):
        """The element to blame: of a direction that fails, follow the half that is further off."""
        places = np.flatnonzero(v)
        while len(places) > 1:
            halves = np.array_split(places, 2)
            off = []
            for half in halves:
                part = np.zeros(v.size)
                part[half] = v.flat[half]
                part = part.reshape(v.shape)
                up, down = (self._residual(i, part, sign * step, d, g) for sign in (1, -1))
                off.append(np.nan_to_num(abs(up - down), nan=0.0))
            places = halves[int(np.argmax(off))]
        return int(places[0])

    def _record_direction(self, i, off, allowed):
        row = self.rows[i]
        row.worst_direction = max(row.worst_direction, _ratio(off, allowed))

    def _failed_direction(self, i, flat, analytic, numeric, left, right, off, allowed, how):
        index = _index(flat, self.pair.inputs[i].shape)
        self.findings.append(Finding(self.names[i], index, analytic, numeric, left, right, off, allowed, how))

    # --- 3. Elements

    def _elements(self):
        if not len(self.at):
            for i in self.judged:
                if self.gradients[0][i].any():
                    self.pair.add_problem(f"there are no outputs, so gradient of input {self.names[i]} must be 0", i)
            return
        self._single_outputs()
        total = sum(self.pair.inputs[i].size for i in self.judged)
        order = self._order(total)
        undecided = []
        for i, flat in self.progress(order):
            if self.time_left(0.85) < 0:
                break
            if not self._glance(i, flat):
                undecided.append((i, flat))
        # Those that this did not settle: by all steps, the worst first.
        undecided.sort(key=lambda each: -self.ratios[each[0]].flat[each[1]])
        confirmed = 0
        for count, (i, flat) in enumerate(undecided):
            if count >= 8 and (self.time_left(1.0) < 0 or confirmed >= 40):
                self._leave(undecided[count:], confirmed)
                break
            confirmed += not self._judge_element(i, flat)
        for i in self.judged:
            self.rows[i].elements = int(np.isfinite(self.ratios[i]).sum() + np.isinf(self.ratios[i]).sum())

    def _leave(self, rest, confirmed):
        for i, flat in rest:
            self.ratios[i].flat[flat] = np.nan
        if not confirmed:
            self.note(f"{len(rest)} elements need more time than the budget allows; give more seconds")

    def _order(self, total):
        """All elements, the likeliest culprits first if not all will have their turn."""
        everything = (
            [(i, flat) for i in self.judged for flat in range(self.pair.inputs[i].size)] if total < 3e5 else None
        )
        if everything and total * 2.5 * self.forward_seconds < 0.5 * (self.seconds or np.inf):
            return everything
        turns = []
        for i in self.judged:
            array, g = self.pair.inputs[i], np.abs(self.gradients[0][i])
            ends = [sorted({0, length // 2, length - 1}) for length in array.shape]
            corners = [
                np.ravel_multi_index(place, array.shape) for place in itertools.islice(itertools.product(*ends), 243)
            ]
            corners = [corners[k] for k in self.rng.permutation(len(corners))] if array.ndim else [0]
            largest = np.argsort(g, axis=None)[::-1][:8]
            others = self.rng.permutation(array.size) if array.size < 1e5 else self.rng.integers(0, array.size, 4000)
            mixed = [*itertools.chain.from_iterable(zip(corners[:24], itertools.cycle(largest), strict=False)), *others]
            turns.append([(i, int(flat)) for flat in dict.fromkeys(map(int, mixed))])
        return [each for each in itertools.chain.from_iterable(itertools.zip_longest(*turns)) if each][:SAMPLED]

    def _single_outputs(self):
        """Incoming gradients of single outputs, in random order, as many as time and memory allow."""
        count, total = len(self.at), sum(self.pair.inputs[i].size for i in self.judged)
        room = min(SINGLE_OUTPUTS, int(4e6 // max(total, 1)))
        if count > 1 and total * self.forward_seconds < 0.5 * (self.seconds or np.inf):
            asked, answers = [], []
            for m in self.rng.permutation(count)[:room]:
                if self.time_left(0.3) < 0:
                    break
                asked.append(int(m))
                answers.append(self._single(int(m)))
            self.singles, self.single_gradients = np.array(asked, int), answers

    def _single(self, m):
        d = np.zeros(len(self.at))
        d[m] = 1
        gradients = self.pair.backward(d)
        self._forms(gradients) if any(gradients[i] is None for i in self.judged) else None
        return gradients

    def _glance(self, i, flat):
        """Whether one step settles that an element is right; a larger one where rounding hides a small slope."""
        for factor in GLANCES:
            if self._judge_element(i, flat, factor * self.start):
                return True
            if not self.ratios[i].flat[flat] <= 1:
                return False
        return False

    def _judge_element(self, i, flat, step=None):
        """Judge one element for all incoming gradients, by all steps, or by one ``step`` and only if that settles it.

        Returns whether it is right; by one step: whether it is settled to be.
        """
        quick = step is not None
        array = self.base[i]
        if not np.isfinite(array.flat[flat]):
            return True
        size = self.sizes[i]
        if abs(array.flat[flat]) > 0:
            size = max(size, 2.0 ** np.round(np.log2(float(abs(array.flat[flat])))))
        element = [(i, flat, size)]
        if quick:
            found, sure = self._quick(element, step)
        else:
            found, sure = self._ladder(element), True
            if found.kink.any():
                self.kinked[(i, flat)] = (found, size)
        weights = self.weights
        low, high = found.interval(weights)
        error, scale = (found.weighed(np.abs(weights), values) for values in (found.error, found.size))
        analytic = np.array([g[i].flat[flat] for g in self.gradients], float)
        # A factor such as 1 - s loses last places of 1, however small the gradient is that it ends in.
        tops = self._tops(i, self.gradients)
        if len(self.singles):
            of_singles = (found.of(self.singles, values) for values in (found.low, found.high, found.error, found.size))
            low, high, error, scale = map(np.append, (low, high, error, scale), of_singles)
            analytic = np.append(analytic, [g[i].flat[flat] for g in self.single_gradients])
            tops = np.append(tops, np.maximum(self._tops(i, self.single_gradients), tops.max()))
        own = self.rtol * scale + self.ulps * self.grade * tops + 16 * self.spread[i].flat[flat] + self.atol
        allowed = own + (2 if quick else 3) * error
        off = np.fmax(np.fmax(low - analytic, analytic - high), 0)
        with np.errstate(all="ignore"):
            ratio = np.where(
                off <= allowed, np.where(off > 0, off / allowed, 0), np.where(allowed > 0, off / allowed, np.inf)
            )
        if not np.isfinite(low).all() or not np.isfinite(allowed).all():
            self.ratios[i].flat[flat] = np.inf if quick else np.nan
            if not quick:
                self.rows[i].unmovable += 1
            return not quick
        q = int(ratio.argmax())
        self.ratios[i].flat[flat] = ratio[q]
        right = bool((ratio <= 1).all())
        if quick:
            return right and sure and bool((error <= 1e-5 * scale + own).all())
        self.rows[i].kinks += bool(found.kink.any())
        weight, m = (self.d[q], None) if q < len(self.d) else (None, self.singles[q - len(self.d)])
        left, right_slope = (
            float(found.weighed(weight, side) if m is None else found.of(np.array([m]), side)[0])
            for side in (found.left, found.right)
        )
        numeric = float(min(max(analytic[q], low[q]), high[q]))
        how = "" if m is None else f"for {self.pair.output_words(m)} alone"
        if low[q] < high[q]:
            how = f"{how}; at a kink, anything between {low[q]:.9g} and {high[q]:.9g} is right".lstrip("; ")
        self.findings.append(
            Finding(
                self.names[i],
                _index(flat, array.shape),
                float(analytic[q]),
                numeric,
                left,
                right_slope,
                float(off[q]),
                float(allowed[q]),
                how,
            )
        )
        return right

    def _tops(self, i, gradients):
        """The largest gradient of input ``i`` for each incoming gradient."""
        if (i, id(gradients)) not in self.largest:
            self.largest[(i, id(gradients))] = np.array([np.abs(g[i]).max() for g in gradients], float)
        return self.largest[(i, id(gradients))]

    def _quick(self, element, step):
        """Slopes from one ``step`` up and down, or from the complex step where that confirms them."""
        i, flat, size = element[0]
        above, below = self._element_ends(element, step)
        imaginary = None
        if self.analytic:
            arrays = list(self.base)
            arrays[i] = arrays[i].astype(complex)
            arrays[i].flat[flat] += 1e-30j * size
            imaginary = self._imaginary(arrays, 1e-30)
        moves = (above != self.at) | (below != self.at)
        outputs = np.flatnonzero(moves if imaginary is None else moves | (imaginary != 0))
        # An output that stands still is rounded to more than its own last place, as a sum with something large.
        quantum = np.where(moves[outputs], 0, 4 * self.eps * np.abs(self.at).max())
        at, noise, above, below = (values[outputs] for values in (self.at, self.noise, above, below))
        right, left = (above - at) / step, (at - below) / step
        central, apart = (right + left) / 2, np.abs(right - left)
        rounding = ladders.NOISE * np.maximum(noise, quantum) / step
        error = rounding + 4 * step * apart
        # A part that does not shrink with the step is a kink: the ladder will tell.
        sure = not (apart > 1e-3 * (np.abs(right) + np.abs(left)) + 4 * rounding).any()
        if imaginary is not None and sure:
            imaginary = imaginary[outputs]
            if (np.abs(imaginary - central) <= error + 1e-6 * np.abs(central)).all():
                central, error = imaginary, 1e-13 * np.abs(imaginary)
        smooth = np.zeros(len(central), bool)
        return ladders.Slopes(central, left, right, error, error, smooth, step, outputs).over(size), sure

    # --- 4. Ties

    def _ties(self):
        """Elements at a kink of one output whose slopes do not add are tied; their gradients are judged together."""
        at_kink = {}
        for key, (found, _) in self.kinked.items():
            for m in found.outputs[found.kink]:
                at_kink.setdefault(int(m), []).append(key)
        pairs = {}
        for m, keys in at_kink.items():
            near = itertools.combinations(keys, 2) if len(keys) <= 9 else itertools.pairwise(keys)
            for both in near:
                pairs.setdefault(both, []).append(m)
        groups = {}
        for (one, other), outputs in pairs.items():
            if self.time_left(1.2) < 0:
                self.note("not all ties could be judged in time; give more seconds")
                break
            (a, size_a), (b, size_b) = self.kinked[one], self.kinked[other]
            both = self._ladder([(*key, max(size_a, size_b)) for key in (one, other)])
            m = np.array(outputs)
            rest = [
                np.abs(both.of(m, getattr(both, side)) - a.of(m, getattr(a, side)) - b.of(m, getattr(b, side)))
                for side in ("left", "right")
            ]
            error = 8 * sum(each.of(m, each.side_error) for each in (a, b, both))
            error = error + 1e-6 * sum(each.of(m, np.abs(each.left) + np.abs(each.right)) for each in (a, b))
            for output in m[(rest[0] > error) | (rest[1] > error)]:
                merged = {one, other}
                for group in [group for group in groups.get(output, []) if group & merged]:
                    merged |= group
                    groups[output].remove(group)
                groups.setdefault(output, []).append(merged)
        for m, of_output in groups.items():
            gradients = self._single(m) if self.time_left(1.5) > 0 else None
            for group in of_output if gradients else ():
                self._judge_tie(m, sorted(group), gradients)

    def _judge_tie(self, m, group, gradients):
        size = max(self.kinked[key][1] for key in group)
        found = self._ladder([(*key, size) for key in group])
        low, high, error, left, right = (
            float(found.of(np.array([m]), values)[0])
            for values in (found.low, found.high, found.error, found.left, found.right)
        )
        parts = np.array([gradients[i].flat[flat] for i, flat in group], float)
        analytic, i = float(parts.sum()), group[0][0]
        allowed = self.rtol * float(np.abs(parts).sum() + abs(low) + abs(high)) + 3 * error + self.atol
        allowed += 8 * sum(float(self.spread[i].flat[flat]) for i, flat in group)
        off = max(low - analytic, analytic - high, 0.0)
        self.rows[i].ties += 1
        if np.isfinite(allowed) and not off <= allowed:
            i, flat = group[int(np.abs(parts).argmax())]
            places = ", ".join(f"{self.names[i]}{list(_index(flat, self.base[i].shape))}" for i, flat in group[:6])
            how = f"tie of {len(group)} elements for {self.pair.output_words(m)}: gradients of {places} must add up"
            self._failed_direction(i, flat, analytic, min(max(analytic, low), high), left, right, off, allowed, how)
            self.ratios[i].flat[flat] = np.fmax(self.ratios[i].flat[flat], _ratio(off, allowed))


def _nudged(arrays, size, salt):
    """Every value moved by up to ``size`` of itself; equal values stay equal, zeros stay zero."""
    result = []
    for array in arrays:
        if array.dtype.kind != "f":
            result.append(array)
            continue
        bits = (
            array.astype(np.float64).view(np.uint64) if array.ndim else array.astype(np.float64)[None].view(np.uint64)
        )
        with np.errstate(over="ignore"):
            mixed = (bits ^ np.uint64(salt * 0x9E3779B97F4A7C15 % 2**64)) * np.uint64(0xFF51AFD7ED558CCD)
            mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        unit = (mixed >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
        with np.errstate(all="ignore"):
            moved = array * (1 + size * unit.reshape(array.shape))
        result.append(np.asarray(np.where(np.isfinite(array), moved, array), array.dtype))
    return result


def _power_of_two(array):
    """A power of two near the root mean square of ``array``; 1 where that is 0."""
    values = array[np.isfinite(array)].astype(np.float64)
    top = np.abs(values).max(initial=0)
    if not top:
        return 1.0
    return float(2.0 ** np.round(np.log2(top * np.sqrt(np.square(values / top).mean()))))


def _index(flat, shape):
    return tuple(int(place) for place in np.unravel_index(flat, shape)) if shape else ()


def _ratio(off, allowed):
    if off <= allowed:
        return off / allowed if off > 0 else 0.0
    return off / allowed if allowed > 0 else float("inf")
