"""Vectors to judge a port by: what the network gives for chosen clips and parameters, in one .npz file.

Format 1, all float64 but the labels, NDHWC:

======================= ================================================================
``format``              1
``settings``            JSON: ``input_shape``, ``feature_maps``, ``num_classes``, ``receptive_field``, ``strides``,
                        ``pool``, ``pooling``, ``weight_decay``
``input``, ``labels``   clips (n, d, h, w, c) and their classes (n,)
``parameters/NAME``     parameters under the original's names, ``L1WS/weights`` and so on
``activations/LAYER``   output of every layer, ``L1WS NORM_2 ...``; of ``FC_OUT`` the logits (n, k)
``loss``                a scalar
``gradients/NAME``      of the loss by every parameter, and ``gradients/input`` by the clips
======================= ================================================================

A port writes the same names: ``loss`` and all ``gradients/`` but the input's; ``activations/`` and
``gradients/input`` narrow the search down.  Its other arrays may
be there too and are not looked at.
"""

import itertools
import json
import os
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from ..files import output
from ..network import EmoP3D, strict_pyramid
from ..reading import MOST_OF_DEFLATE, json_object, listed, read_npz, reading
from . import shapes
from . import tolerances as tol
from .mistakes import changed
from .port_mistakes import mistakes

FORMAT = 1
GENERAL = "missing factor"
"""How words begin that a mistake made on purpose may make more precise."""
DOUBLE = np.dtype(np.float64)


def export(
    path: str | os.PathLike[str], batch_size: int = 3, weight_decay: float = 0.0, seed: int = 0, **settings: Any
) -> dict[str, AnyArray]:
    """Write the vectors of a network with the given EmoP3D ``settings`` to ``path``.

    No maxima tie: a port that is right, and rounds otherwise, may choose another of two nearly equal values.

    Raises:
        InputError: the settings do not fit, or ``path`` cannot be written.
    """
    net = EmoP3D(dtype="float64", backend="reference", seed=seed, **settings)
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch_size, *net.input_shape))
    labels = rng.integers(0, net.num_classes, batch_size)
    weighted_sum: Any
    pool: Any
    weighted_sum, pool = (net.layers[place] for place in (0, 2))
    described = {
        "input_shape": net.input_shape, "feature_maps": weighted_sum.output_shape[-1],
        "num_classes": net.num_classes, "receptive_field": weighted_sum.receptive_field,
        "strides": weighted_sum.strides, "pool": pool.size,
        "pooling": settings.get("pooling", "max"), "weight_decay": weight_decay,
    }  # fmt: skip
    arrays: dict[str, Any] = {
        "format": np.array(FORMAT),
        "settings": np.array(json.dumps(described)),
        "input": x,
        "labels": labels,
    }
    arrays |= {f"parameters/{name}": values for name, values in net.parameters.items()}
    arrays |= _results(net, x, labels, weight_decay)
    with output(path) as place, open(place, "wb") as file:
        np.savez(file, **arrays)
    return arrays


def compare(path: str | os.PathLike[str], theirs_path: str | os.PathLike[str]) -> "Comparison":
    """Compare a port's vectors with ours.

    Where they differ, some 350 mistakes are made on purpose until one gives what the port gives: seconds for small
    networks, a minute or two for the default size.

    Returns:
        Comparison: ``agree``, ``first`` (name of the array that differs first), ``index``, ``suspicion``.

    Raises:
        InputError: a file is missing, damaged, holds pickles, or arrays that are missing, unknown or misshapen.
    """
    ours, theirs = _read(path), _read(theirs_path)
    for needed in ("format", "settings", "input", "labels", "loss"):
        if needed not in ours:
            raise InputError(f"{path} has no {needed!r}; write it with: python -m emop3d_np gradcheck export {path}")
    with reading(str(path), damaged=f"{path}: its settings are damaged"):
        settings = json_object(ours["settings"].item())
    order = _order(ours)
    missing = [name for name in order if name not in theirs and _required(name)]
    unknown = [name for name in theirs if name not in ours]
    if missing or unknown:
        raise InputError(f"{theirs_path}: missing {listed(missing) or 'none'}; unknown {listed(unknown) or 'none'}")
    for name in order:
        if name in theirs:
            _require_form(theirs_path, name, ours[name], theirs[name])
    differing = [name for name in order if name in theirs and not _agree(ours[name], theirs[name], theirs[name].dtype)]
    if not differing:
        return Comparison(True, compared=[name for name in order if name in theirs])
    first = differing[0]
    off = np.abs(theirs[first] - ours[first])
    index = np.unravel_index(int(np.nan_to_num(off, nan=np.inf).argmax()), off.shape)
    suspicion = _patterns(first, ours[first], theirs[first], ours, settings)
    if not suspicion or suspicion.startswith(GENERAL) or first == "loss":
        suspicion = _simulated(ours, theirs, settings, order) or suspicion or _places(ours[first], theirs[first])
    return Comparison(
        False, first, tuple(int(i) for i in index), float(ours[first][index]), float(theirs[first][index]),
        suspicion, differing, [name for name in order if name in theirs],
    )  # fmt: skip


@dataclass
class Comparison:
    """What ``compare`` found; ``str()`` tells it.

    Attributes:
        agree: no array differs by more than rounding.
        first: name of the array that differs first, in the order in which they are computed; None if none does.
        index: where in it the difference is largest; ours, theirs: the two values there.
        suspicion: what mistake that looks like, in words.
        differing, compared: names of the arrays that differ, and of all that were compared.
    """

    agree: bool
    first: str | None = None
    index: tuple[int, ...] = ()
    ours: float = np.nan
    theirs: float = np.nan
    suspicion: str = ""
    differing: list[str] = field(default_factory=list)
    compared: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        if self.agree:
            return f"all {len(self.compared)} arrays agree"
        return (
            f"first difference: {self.first} at {list(self.index)}: ours {self.ours:.9g}, theirs {self.theirs:.9g}\n"
            f"suspicion: {self.suspicion}\n"
            f"differ ({len(self.differing)} of {len(self.compared)}): {', '.join(self.differing)}"
        )


def _results(net, x, labels, weight_decay):
    """Activations, loss and gradients under their names in the file."""
    results = {f"activations/{name}": values for name, values in net.activations(x).items()}
    loss, gradients = net.loss_and_gradients(x, labels, weight_decay, input_gradient=True)
    results["loss"] = np.array(loss)
    return results | {f"gradients/{name}": values for name, values in gradients.items()}


def _order(ours):
    """Names in the order in which they are computed: forward, the loss, backward."""
    forward = [name for name in ours if name.startswith("activations/")]
    layers = list(dict.fromkeys(name.split("/")[1] for name in ours if name.startswith("parameters/")))
    backward = [name for layer in reversed(layers) for name in sorted(ours) if name.startswith(f"gradients/{layer}/")]
    return [*forward, "loss", *backward, "gradients/input"]


def _required(name):
    return name == "loss" or (name.startswith("gradients/") and name != "gradients/input")


def _read(path):
    missing = f"{path} cannot be read: No such file or directory"
    with reading(str(path), missing=missing, damaged=f"{path} cannot be read"):
        return read_npz(path, str(path), inflation=MOST_OF_DEFLATE)


def _require_form(path, name, ours, theirs):
    if theirs.dtype.kind not in "fiu":
        raise InputError(f"{path}: {name} has dtype {theirs.dtype}; it must be real numbers")
    if theirs.shape != ours.shape:
        hint = shapes.hint(theirs.shape, ours.shape)
        raise InputError(f"{path}: {name} has shape {theirs.shape}, it must be {ours.shape}{hint}")


def _agree(ours, theirs, dtype=DOUBLE):
    size = np.abs(ours).max(initial=0)
    rtol = tol.PORT_RTOL.get(min(dtype.itemsize, 8), tol.PORT_RTOL[8])
    allowed = rtol * max(size, tol.PORT_LEAST)
    return bool((np.abs(ours - theirs) <= allowed).all())


def _patterns(name, ours, theirs, everything, settings):
    """What the values of one array give away."""
    if not np.isfinite(theirs).all():
        return "values that are not finite: a division by 0 or an overflow"
    like = lambda candidate: _agree(candidate, theirs, theirs.dtype) and candidate.any()  # noqa: E731
    if not theirs.any():
        return "all zeros: the gradient is not passed on or not collected"
    batch = len(everything["labels"])
    factor = float((ours * theirs).sum() / (ours * ours).sum()) if ours.any() else 0.0
    if factor and like(factor * ours) and ours.size > 1:
        n = ours[0, 0, ..., 0].size if name.startswith("activations/NORM") else 0
        if n > 1 and abs(factor**2 * n / (n - 1) - 1) < tol.PORT_FACTOR:
            return "normalisation: sample variance (n - 1) instead of the population's"
        return _factor_words(factor, batch)
    if name == "loss":
        named = {batch: "sum for mean: the loss is summed over the batch", -1: "the sign is wrong"}
        for value, words in named.items():
            if like(ours * value):
                return words
    if ours.ndim > 1:
        for axes in itertools.permutations(range(ours.ndim)):
            if (
                axes != tuple(range(ours.ndim))
                and ours.transpose(axes).shape == ours.shape
                and like(ours.transpose(axes))
            ):
                return f"transposed axes: axes {axes} of ours"
        for axes in itertools.permutations(range(ours.ndim)):
            if axes != tuple(range(ours.ndim)) and like(ours.transpose(axes).reshape(ours.shape)):
                return f"transposed axes: the values lie in memory in the order of axes {axes}"
    for count in range(1, min(ours.ndim, 3) + 1):
        for axes in itertools.combinations(range(ours.ndim), count):
            if like(np.flip(ours, axes)):
                return f"flipped along axes {axes}: a convolution's flipped window for a correlation's"
    if name.endswith("FC_OUT/weights"):
        features = everything["activations/NORM_6"].shape[1:]
        by_axes = ours.reshape(*features, -1)
        for axes in itertools.permutations(range(4)):
            if like(by_axes.transpose(*axes, 4).reshape(ours.shape)):
                return f"transposed axes: features flattened in the order {''.join('dhwf'[a] for a in axes)}, not dhwf"
    for axis, step in itertools.product(range(ours.ndim), (1, -1)):
        if ours.shape[axis] > 2:
            inner = [slice(None)] * ours.ndim
            inner[axis] = slice(1, -1)
            moved = np.roll(ours, step, axis)[tuple(inner)]
            if moved.any() and _agree(moved, theirs[tuple(inner)], theirs.dtype):
                return f"off-by-one window: shifted by {step} along axis {axis}"
    decay = settings["weight_decay"]
    parameter = everything.get("parameters/" + name.removeprefix("gradients/"))
    if parameter is not None and decay:
        for times, words in ((-decay, "is missing"), (decay, "is counted twice")):
            if like(ours + times * parameter):
                return f"the gradient of the weight decay {words}"
        if name.endswith("bias") and like(ours + decay * parameter):
            return "weight decay is applied to a bias; it is for weights only"
    return ""


def _factor_words(factor, batch):
    if abs(factor - batch) < tol.PORT_FACTOR * batch and batch > 1:
        return f"sum for mean: {batch} times ours, the batch's size"
    if abs(factor * batch - 1) < tol.PORT_FACTOR and batch > 1:
        return f"mean for sum: ours divided by {batch}, the batch's size"
    if abs(factor + 1) < tol.PORT_FACTOR:
        return "the sign is wrong"
    return f"{GENERAL}: {factor:.9g} times ours everywhere"


def _simulated(ours, theirs, settings, order):
    """Make typical mistakes on purpose, and see which of them gives what the port gives: everything, to rounding."""
    given = [name for name in order if name in theirs]
    agree = [name for name in given if _agree(ours[name], theirs[name], theirs[name].dtype)]
    for words, mistake in mistakes(ours, settings):
        compared = [name for name in given if name not in mistake.free]
        results = _with_mistake(ours, settings, mistake, theirs["loss"])
        if results is None or not all(_agree(results[name], theirs[name], theirs[name].dtype) for name in compared):
            continue
        if not all(_agree(ours[name], results[name], theirs[name].dtype) for name in compared):
            return words  # else it does not show at these sizes
        if len(agree) < len(given) and set(given) - set(agree) <= set(mistake.free):
            return words
    return ""


def _with_mistake(ours, settings, mistake, loss_of_theirs):
    """What a port with a mistake gives; None where its loss is another one than theirs, or it cannot be made."""
    described = {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}
    decay = described.pop("weight_decay", 0.0)
    known = described | dict(mistake.settings)
    net = EmoP3D(dtype="float64", backend="reference", **known)
    kernels = changed(**mistake.functions)
    layers = strict_pyramid(
        kernels, net.input_shape, known["feature_maps"], net.num_classes,
        known["receptive_field"], known["strides"], known["pool"], known["pooling"],
    )  # fmt: skip
    if mistake.layers:
        net.layers = [one if one.name in mistake.layers else own for one, own in zip(layers, net.layers, strict=True)]
    else:
        net.layers, net.kernels = layers, kernels
    parameters = {name.removeprefix("parameters/"): v for name, v in ours.items() if name.startswith("parameters/")}
    given = {"x": ours["input"], "labels": ours["labels"], "parameters": parameters, "decay": decay}
    mistake.change(given)
    net.load_parameters(given["parameters"])
    with np.errstate(all="ignore"):
        try:
            # Most mistakes show in the loss: then there is no need to go backward.
            loss = np.array(net.loss(net.forward(given["x"]), given["labels"], given["decay"]))
            if not mistake.of_loss and not _agree(loss, loss_of_theirs, loss_of_theirs.dtype):
                return None
            results = _results(net, given["x"], given["labels"], given["decay"])
        except InputError:  # values that are not finite, windows that do not fit
            return None
    mistake.undo(results, given)
    return results


def _places(ours, theirs):
    """Where the differences lie, when nothing says why."""
    if ours.size == 1 and ours.any():
        return f"a number that is {theirs.item() / ours.item():.6g} times ours"
    size = np.abs(ours).max(initial=0)
    wrong = ~(np.abs(theirs - ours) <= tol.PORT_PLACE * size)
    share = wrong.mean()
    edges = []
    for axis in range(ours.ndim):
        if ours.shape[axis] > 2:
            places = np.flatnonzero(wrong.any(axis=tuple(a for a in range(ours.ndim) if a != axis)))
            if len(places) <= 2 and set(places) <= {0, ours.shape[axis] - 1}:
                edges.append(f"axis {axis}, place {', '.join(map(str, places))}")
    if edges:
        return f"off-by-one window or a border left out: wrong only at the border ({'; '.join(edges)})"
    if share < tol.PORT_FEW:
        return f"wrong in {100 * share:.2g} % of the values: a wrong tie, a lost update, or a window that is off"
    return "none of the usual mistakes; wrong nearly everywhere, so look at the operation itself"
