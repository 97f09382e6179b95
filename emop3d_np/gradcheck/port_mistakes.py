"""Mistakes that whole ports of this network make, in forward and backward alike, each to be made on purpose.

A port by another framework differentiates its own forward pass, so that a mistake there shows in the loss and in every
gradient, and the gradients agree with each other.  ``mistakes.py`` beside this file has those of single operations.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from kernels import reference
from kernels.arrays import FloatArray

from .mistakes import MISTAKES

Arrays = dict[str, Any]
EPSILONS = (1e-3, 1e-5, 1e-6, 1e-7, 1e-12, 1e-10, 0.0, 1e-4, 1e-2)
SLOPES = (0.0, 0.2, 0.1, 0.3, 0.02, 0.05, 0.25, 1 / 3, 0.001, 0.5, 1.0)
"""Epsilons and slopes that frameworks have by default, or that are met, beside this network's own."""


@dataclass(frozen=True)
class Mistake:
    """A mistake of a port.

    Attributes:
        functions: of the reference edition that are replaced.
        layers: the layers for which they are; empty: for all.
        change: is given ``x``, ``labels``, ``parameters`` and ``decay`` by name, and changes them.
        undo: is given what comes out, and puts it into the order in which the port would write it.
        settings: of the network that are others.
        free: names of results that the port may give anyhow.
        of_loss: ``undo`` changes the loss.
    """

    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    layers: Sequence[str] = ()
    change: Callable[[Arrays], None] = lambda given: None
    undo: Callable[[Arrays, Arrays], None] = lambda results, given: None
    settings: Mapping[str, Any] = field(default_factory=dict)
    free: Sequence[str] = ()
    of_loss: bool = False


def mistakes(ours: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[tuple[str, Mistake]]:
    """All that are tried, with their words: those of one operation, those of a normalisation, of the order, and so on.

    Args:
        ours: the exported arrays, by name.
        settings: of the network, as exported.
    """
    yield from _of_values(ours, settings)
    yield from _of_order(ours)
    for words, functions in (*_normalizations(), *_slopes(), *_windows(), *MISTAKES.items()):
        if words.startswith("wrong tie"):
            continue  # no maxima tie in what is exported
        yield words, Mistake(functions)
    for words, functions in (*_normalizations(), *_slopes(), *_windows()):
        for layers in _single_layers(functions):
            yield f"{words}, in {layers[0]} alone", Mistake(functions, layers)


def _single_layers(functions: Mapping[str, Any]) -> list[list[str]]:
    kinds = {"standardize": ("NORM_2", "NORM_4", "NORM_6"), "leaky_relu": ("L1WS", "L3P", "L5WS")}
    names = next((kinds[name] for name in kinds if name in functions), ("L1WS", "L5WS"))
    return [[name] for name in names]


# --- Normalisation and activation


def _normalized(axes: tuple[int, ...], epsilon: float = 1e-8, less: int = 0, beside_root: bool = False) -> Arrays:
    """Normalisation over ``axes``, over n - ``less`` values, forward and backward."""

    def moments(x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, int]:
        centred = x - x.mean(axes, keepdims=True)
        n = int(np.prod([x.shape[axis] for axis in axes]))
        variance = (centred**2).sum(axes, keepdims=True) / max(n - less, 1)
        root = np.sqrt(variance) + epsilon if beside_root else np.sqrt(variance + epsilon)
        inner = np.sqrt(variance) if beside_root else root
        return centred, root, inner, max(n - less, 1)

    def standardize(x: FloatArray, *_: Any, **__: Any) -> FloatArray:
        centred, root, _inner, _n = moments(x)
        y: FloatArray = np.nan_to_num(centred / root, posinf=0, neginf=0)
        return y

    def standardize_backward(dy: FloatArray, x: FloatArray, *_: Any, **__: Any) -> FloatArray:
        centred, root, inner, n = moments(x)
        free = (dy - dy.mean(axes, keepdims=True)) / root
        term = centred * (dy * centred).sum(axes, keepdims=True) / (n * root**2 * inner)
        dx: FloatArray = np.nan_to_num(free - term, posinf=0, neginf=0)
        return dx

    return {"standardize": standardize, "standardize_backward": standardize_backward}


def _normalizations() -> Iterator[tuple[str, Arrays]]:
    own = (2, 3)
    for epsilon in EPSILONS:
        yield f"normalisation: epsilon {epsilon:g} instead of 1e-08", _normalized(own, epsilon)
    yield "normalisation: sample variance (n - 1) instead of the population's", _normalized(own, less=1)
    for epsilon in (1e-3, 1e-5, 1e-6, 1e-7, 1e-8):
        words = f"normalisation: epsilon {epsilon:g} beside the standard deviation, not under the root"
        yield words, _normalized(own, epsilon, beside_root=True)
    for epsilon in EPSILONS[:4]:
        words = f"normalisation: sample variance (n - 1), and epsilon {epsilon:g}"
        yield words, _normalized(own, epsilon, less=1)
    for axes, words in (
        ((0, 2, 3), "the batch too"), ((1, 2, 3), "the frames too"), ((2, 3, 4), "the maps too"),
        ((1, 2, 3, 4), "frames and maps too"), ((0, 1, 2, 3), "batch and frames too, as a batch norm"),
    ):  # fmt: skip
        for epsilon in (1e-8, 1e-5, 1e-3):
            beside = "" if epsilon == 1e-8 else f", and epsilon {epsilon:g}"
            yield f"normalisation: moments over {words}{beside}", _normalized(axes, epsilon)
    yield (
        "normalisation: it is left out",
        {"standardize": lambda x, *_, **__: x, "standardize_backward": lambda dy, x, *_, **__: dy},
    )


def _slopes() -> Iterator[tuple[str, Arrays]]:
    def leaky(slope: float) -> Arrays:
        return {
            "leaky_relu": lambda z, *_: np.where(z > 0, z, slope * z),
            "leaky_relu_backward": lambda dy, z, *_: np.where(z > 0, dy, slope * dy),
        }

    for slope in SLOPES:
        words = "it is left out" if slope == 1 else f"another alpha ({slope:.4g})"
        yield f"leaky ReLU: {words}", leaky(slope)


# --- Windows


def _moved(values: FloatArray, steps: Sequence[int], axes: Sequence[int]) -> FloatArray:
    """Values moved along axes, zeros where nothing comes from."""
    moved = np.roll(values, steps, axes)
    for step, axis in zip(steps, axes, strict=True):
        end = [slice(None)] * values.ndim
        end[axis] = slice(0, step) if step > 0 else slice(values.shape[axis] + step, None)
        if step:
            moved[tuple(end)] = 0
    return moved


def _windows() -> Iterator[tuple[str, Arrays]]:
    """Windows that begin elsewhere, over zeros at the border: padding, an offset."""
    for steps in [each for each in itertools.product((0, 1, -1), repeat=3) if any(each)]:
        back = tuple(-step for step in steps)

        def weighted_sum(x, weights, bias, field, strides, steps=steps, **rest):
            x, weights = _moved(x, steps, (1, 2, 3)), _moved(weights, steps[1:], (1, 2))
            return reference.weighted_sum(x, weights, bias, field, strides, **rest)

        def weighted_sum_backward(dz, x, weights, field, strides, input_gradient=True, steps=steps, back=back, **rest):
            x, weights = _moved(x, steps, (1, 2, 3)), _moved(weights, steps[1:], (1, 2))
            dx, dweights, dbias = reference.weighted_sum_backward(
                dz, x, weights, field, strides, input_gradient, **rest
            )
            dx = _moved(dx, back, (1, 2, 3)) if dx is not None else None
            return dx, _moved(dweights, back[1:], (1, 2)), dbias

        functions = {"weighted_sum": weighted_sum, "weighted_sum_backward": weighted_sum_backward}
        along = [f"{-step:+d} along {axis}" for step, axis in zip(steps, "dhw", strict=True) if step]
        yield f"off-by-one window: windows begin at {', '.join(along)}, over zeros at the border (padding)", functions
    for late, words in ((0, "last"), (1, "first")):

        def frames_pool(x, frames, late=late):
            return reference.max_pool_frames(x[:, late : x.shape[1] - 1 + late], frames - 1)

        def frames_pool_backward(dm, x, frames, late=late):
            dx = np.zeros_like(x)
            inner = slice(late, x.shape[1] - 1 + late)
            dx[:, inner] = reference.max_pool_frames_backward(dm, x[:, inner], frames - 1)
            return dx

        functions = {"max_pool_frames": frames_pool, "max_pool_frames_backward": frames_pool_backward}
        yield f"pooling over frames: the {words} frame of every window is left out", functions


# --- Order


def _of_order(ours: Mapping[str, Any]) -> Iterator[tuple[str, Mistake]]:
    """Features, parameters and clips read in another order."""
    features = ours["activations/NORM_6"].shape[1:]
    for axes in itertools.permutations(range(4)):
        order = np.arange(int(np.prod(features))).reshape(features).transpose(axes).ravel()
        if axes != (0, 1, 2, 3) and not np.array_equal(order, np.sort(order)):
            words = f"features flattened in the order {''.join('dhwf'[axis] for axis in axes)}, not dhwf"
            yield (
                words,
                _reordered("FC_OUT/weights", partial(_put, order=order), partial(np.take, indices=order, axis=0)),
            )
    for name in (each.removeprefix("parameters/") for each in ours if each.startswith("parameters/")):
        shape = ours[f"parameters/{name}"].shape
        for axis in range(len(shape)):
            if shape[axis] > 1:
                flip = partial(np.flip, axis=axis)
                yield f"{name} reversed along axis {axis}", _reordered(name, flip, flip)
        for one, other in itertools.combinations(range(len(shape)), 2):
            if shape[one] == shape[other] > 1:
                swap = partial(np.swapaxes, axis1=one, axis2=other)
                yield f"{name} with axes {one} and {other} exchanged", _reordered(name, swap, swap)
    x = ours["input"]
    for axis, words in ((1, "frames in reverse order"), (2, "rows upside down"), (3, "columns mirrored")):
        yield (
            f"clips: {words}",
            Mistake(change=_of_clips(partial(np.flip, axis=axis)), free=["gradients/input"]),
        )
    if x.shape[2] == x.shape[3]:
        turned = _of_clips(lambda x: x.swapaxes(2, 3).copy())
        yield "clips: rows and columns exchanged", Mistake(change=turned, free=["gradients/input"])


def _put(w: FloatArray, order: Any) -> FloatArray:
    put = np.empty_like(w)
    put[order] = w
    return put


def _reordered(
    name: str, read: Callable[[FloatArray], FloatArray], write: Callable[[FloatArray], FloatArray]
) -> Mistake:
    def change(given: Arrays) -> None:
        given["parameters"][name] = read(given["parameters"][name])

    def undo(results: Arrays, given: Arrays) -> None:
        results[f"gradients/{name}"] = write(results[f"gradients/{name}"])

    return Mistake(change=change, undo=undo)


def _of_clips(turn: Callable[[FloatArray], FloatArray]) -> Callable[[Arrays], None]:
    def change(given: Arrays) -> None:
        given["x"] = turn(given["x"])

    return change


# --- Values


def _of_values(ours: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterator[tuple[str, Mistake]]:
    """Sums for means, the weight decay, biases left out, frames not read, labels, the other pooling."""
    yield "sum for mean: the loss is summed over the batch", Mistake(undo=_summed, of_loss=True)
    names = [name.removeprefix("parameters/") for name in ours if name.startswith("parameters/")]
    for name in names:
        value = 0.0 if name.endswith("bias") else 1.0 if name == "L3P/weights" else None
        if value is not None:
            words = f"missing bias: {name} is not added" if not value else f"{name} are not multiplied by"
            yield words, Mistake(change=_constant(name, value), free=[f"gradients/{name}"])
    for frame, words in ((-1, "last"), (0, "first")):
        yield (
            f"the {words} frame of the clips is not read",
            Mistake(change=_without_frame(frame), free=["gradients/input"]),
        )
    for step in (1, -1):
        yield f"labels are off by {step}", Mistake(change=_labels(step, settings["num_classes"]))
    other = "average" if settings["pooling"] == "max" else "max"
    yield f"pooling: {other} instead of {settings['pooling']}", Mistake(settings={"pooling": other})
    if settings.get("weight_decay"):
        for times, words in ((0.0, "is missing"), (2.0, "is twice as large: without the half of ||w||^2 / 2")):
            yield f"weight decay {words}", Mistake(change=_decayed(times))
        for times, words in ((0.0, "the loss lacks the weight decay"), (2.0, "the loss counts the weight decay twice")):
            yield f"{words}, the gradients have it", Mistake(undo=_decay_of_loss(times), of_loss=True)


def _summed(results: Arrays, given: Arrays) -> None:
    n, decay = len(given["labels"]), given["decay"]
    weights = {name: w for name, w in given["parameters"].items() if name.endswith("weights")}
    penalty = decay * sum(float((w**2).sum()) / 2 for w in weights.values())
    results["loss"] = n * (results["loss"] - penalty) + penalty
    for name in [each for each in results if each.startswith("gradients/")]:
        own = decay * weights.get(name.removeprefix("gradients/"), 0.0)
        results[name] = n * (results[name] - own) + own


def _constant(name: str, value: float) -> Callable[[Arrays], None]:
    def change(given: Arrays) -> None:
        given["parameters"][name] = np.full_like(given["parameters"][name], value)

    return change


def _without_frame(frame: int) -> Callable[[Arrays], None]:
    def change(given: Arrays) -> None:
        given["x"] = given["x"].copy()
        given["x"][:, frame] = 0

    return change


def _labels(step: int, classes: int) -> Callable[[Arrays], None]:
    def change(given: Arrays) -> None:
        given["labels"] = (given["labels"] + step) % classes

    return change


def _decayed(times: float) -> Callable[[Arrays], None]:
    def change(given: Arrays) -> None:
        given["decay"] = times * given["decay"]

    return change


def _decay_of_loss(times: float) -> Callable[[Arrays, Arrays], None]:
    def undo(results: Arrays, given: Arrays) -> None:
        weights = [w for name, w in given["parameters"].items() if name.endswith("weights")]
        penalty = given["decay"] * sum(float((w**2).sum()) / 2 for w in weights)
        results["loss"] = results["loss"] + (times - 1) * penalty

    return undo
