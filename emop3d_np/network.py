"""The strict 3DPyraNet, written down once, and the passes over it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from math import prod
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

import kernels
from kernels import tree
from kernels.arrays import FloatArray, IntArray
from kernels.contracts import checked_labels, finite, require_unmasked, whole

from . import by_name, memory
from .errors import InputError
from .layers import Dense, Layer, Normalization, Pool, WeightedSum, initial_parameters
from .optimizers import WeightDecay, decay_factors

CLIPS_AT_A_TIME = 4
"""Clips carried through the network together.

Clips meet only in the mean of the loss, so a batch goes through a few at a time: activations stay in the cache and
memory does not grow with the batch.  The number is fixed, whatever the threads: it decides the order of the sums.
"""


def strict_pyramid(
    kernels: ModuleType,
    input_shape: tuple[int, ...],
    feature_maps: int,
    num_classes: int,
    receptive_field: tuple[int, ...],
    strides: tuple[int, ...],
    pool: tuple[int, ...],
    pooling: str,
) -> list[Layer]:
    """The strict model as its list of layers: ``L1WS NORM_2 L3P NORM_4 L5WS NORM_6 FC_OUT``.

    "Strict" means that every layer has the same number of maps and that maps only ever shrink, by the windows alone.

    Args:
        kernels: edition that computes the layers.
        input_shape, feature_maps, num_classes, receptive_field, strides, pool, pooling: as of :class:`EmoP3D`.

    Raises:
        InputError: a layer's input is smaller than its window; every dimension that took part is named.
    """
    layers: list[Layer] = []

    def add(make: Callable[..., Layer], name: str, *settings: Any) -> None:
        layer = make(name, kernels, layers[-1].output_shape if layers else input_shape, *settings)
        layers.append(layer)
        if min(layer.output_shape) < 1:
            chain = ", ".join(f"{each.name} {_by(each.input_shape)} -> {_by(each.output_shape)}" for each in layers)
            raise InputError(
                f"the input is too small for the pyramid: {name} would give {_by(layer.output_shape)} "
                f"(d x h x w x maps) in {chain}; with receptive_field={receptive_field}, strides={strides}, "
                f"pool={pool}: give more frames or pixels, or smaller windows"
            )

    add(WeightedSum, "L1WS", feature_maps, receptive_field, strides)
    add(Normalization, "NORM_2")
    add(Pool, "L3P", pool, pooling)
    add(Normalization, "NORM_4")
    add(WeightedSum, "L5WS", feature_maps, receptive_field, strides)
    add(Normalization, "NORM_6")
    add(Dense, "FC_OUT", num_classes)
    return layers


class EmoP3D:
    """The strict pyramidal 3D network that tells the emotion in a short clip.

    Args:
        input_shape: one clip's ``(d, h, w, c)``; default 16 frames of 100 x 100, one channel.
        feature_maps: maps of every layer; default 3.
        num_classes: logits; default 6.
        dtype: "float32" (default) or "float64".
        backend: edition of the kernels, "cpu" (default), "reference" or "cuda"; with the last, parameters and gradients
            are arrays on the device, which NumPy reads and writes all the same.
        seed: of the initial values; default 0.
        receptive_field: ``(rd, rh, rw)`` of both weighted sums; default (3, 4, 4).
        strides: ``(sd, sh, sw)`` of both weighted sums; default (1, 1, 1).
        pool: ``(rd, ph, pw)`` of the pooling layer; default (3, 2, 2).
        pooling: "max" (default) or "average".

    Attributes:
        parameters: the arrays that are learned, by the original's names, in the order of the layers.
        layers: the network as :func:`strict_pyramid` gives it.
        kernels: the edition.
        input_shape, num_classes, dtype, backend: as given.

    Raises:
        InputError: a setting has the wrong form, the input is too small for the pyramid, or the memory for the
            parameters.

    A network can be pickled and copied; a copy shares nothing with it, and gives the same bits.  Several threads may
    call its passes: on the processor they take turns.  What they write to (the parameters, ``gradients`` that are
    given) belongs to one thread at a time.

    Source: Ullah and Petrosino's strict 3DPyraNet as EmoP3D has it, ``models/pyranet.py`` of the original.
    """

    def __init__(
        self,
        input_shape: Sequence[int] = (16, 100, 100, 1),
        feature_maps: int = 3,
        num_classes: int = 6,
        dtype: DTypeLike = "float32",
        backend: str = "cpu",
        seed: int = 0,
        *,
        receptive_field: Sequence[int] = (3, 4, 4),
        strides: Sequence[int] = (1, 1, 1),
        pool: Sequence[int] = (3, 2, 2),
        pooling: str = "max",
    ) -> None:
        self.input_shape = _whole_numbers("input_shape", input_shape, "d, h, w, c")
        self.num_classes = _whole_numbers("num_classes", [num_classes], "k")[0]
        self.dtype = _float_dtype(dtype)
        if not whole(seed) or seed < 0:
            raise InputError(f"seed is {seed!r}; it must be a whole number of at least 0")
        if pooling not in ("max", "average"):
            raise InputError(f"pooling is {pooling!r}; it must be 'max' or 'average'")
        self.backend = backend
        self.kernels = kernels.edition(backend)
        maps = _whole_numbers("feature_maps", [feature_maps], "f")[0]
        windows = (
            _whole_numbers("receptive_field", receptive_field, "rd, rh, rw"),
            _whole_numbers("strides", strides, "sd, sh, sw"),
            _whole_numbers("pool", pool, "rd, ph, pw"),
        )
        self.layers = strict_pyramid(self.kernels, self.input_shape, maps, self.num_classes, *windows, pooling)
        sizes = [prod(shape) for layer in self.layers for shape in layer.parameter_shapes.values()]
        memory.require(
            sum(sizes) * self.dtype.itemsize + 8 * max(sizes),  # they are drawn in float64, one after the other
            f"a network of {sum(sizes):,} parameters for clips of {_by(self.input_shape)}",
            "give a smaller input_shape or fewer feature_maps",
        )
        # An edition may keep its arrays elsewhere, and then says how they come there.
        self._place: Callable[[FloatArray], FloatArray] = getattr(self.kernels, "to_device", lambda values: values)
        place_all: Callable[..., dict[str, FloatArray]] = getattr(self.kernels, "in_one_row", dict)
        self.parameters = place_all(initial_parameters(self.layers, self.dtype, seed))
        self._array = type(self.parameters["L1WS/bias"])
        self._forms = {name: (values.shape, values.dtype) for name, values in self.parameters.items()}
        # The layers say what is computed. An edition may offer all of it in one pass, for the networks it covers; the
        # layers' own kernels then compute only what that pass leaves out: the input's gradient and single activations.
        self._fused = self.kernels.fuse(self.input_shape, maps, self.num_classes, self.dtype, *windows, pooling)
        self._settings = {"dtype": self.dtype.name, "backend": backend, "seed": seed, "pooling": pooling}
        self._settings |= {"input_shape": self.input_shape, "feature_maps": maps, "num_classes": self.num_classes}
        self._settings |= dict(zip(("receptive_field", "strides", "pool"), windows, strict=True))

    def __reduce__(self) -> tuple[Any, ...]:
        """What pickle and copy make a network of: its settings and its parameters."""
        return _restored, (type(self), self._settings, {name: np.array(own) for name, own in self.parameters.items()})

    @property
    def parameter_count(self) -> int:
        """How many numbers the network learns."""
        return sum(values.size for values in self.parameters.values())

    def load_parameters(self, mapping: Mapping[str, ArrayLike]) -> None:
        """Copy the arrays of ``mapping`` into the parameters.  Nothing changes unless all of them fit.

        Raises:
            InputError: a name is missing or unknown, a shape differs, or a value is not finite or too large for the
                network's dtype.
        """
        missing = [name for name in self.parameters if name not in mapping]
        unknown = [name for name in mapping if name not in self.parameters]
        if missing or unknown:
            raise InputError(
                f"parameters do not match the network: missing {missing or 'none'}, unknown {unknown or 'none'}"
            )
        loaded = {}
        for name, own in self.parameters.items():
            require_unmasked(name, mapping[name])
            values = np.asarray(mapping[name])
            if values.shape != own.shape:
                raise InputError(f"{name} has shape {values.shape}, the network's is {own.shape}")
            if values.dtype.kind not in "fiu":
                raise InputError(f"{name} has dtype {values.dtype}; parameters are real numbers")
            if not np.isfinite(values).all():
                raise InputError(f"{name} holds a value that is not finite, at {_first_non_finite(values)}")
            with np.errstate(over="ignore"):
                loaded[name] = values.astype(self.dtype)
            if not np.isfinite(loaded[name]).all():
                where = _first_non_finite(loaded[name])
                raise InputError(f"{name} holds {values[where]} at {where}, which is too large for {self.dtype}")
        for name, values in loaded.items():
            self.parameters[name][...] = values

    def forward(self, x: ArrayLike) -> FloatArray:
        """Logits of a batch of clips.

        Args:
            x: array of shape (n, d, h, w, c), ``n >= 1``; cast to the network's dtype.  With the backend "cuda" it may
                be on the device already.

        Returns:
            ndarray of shape (n, k).

        Raises:
            InputError: the shape is not the network's, or a value is not finite (the clip is named).
        """
        x = self._checked_clips(x)
        self._check_parameters()
        logits: FloatArray
        if self._fused:
            logits, finite = self._fused.forward(x, self.parameters.values())
            self._require_finite(x, finite)
            return logits
        self._require_finite(x)
        logits = np.empty((len(x), self.num_classes), self.dtype)
        for part in _parts(len(x)):
            y = self._place(x[part])
            for layer in self.layers:
                y, _ = layer.forward(y, self.parameters)
            logits[part] = y
        return logits

    def predict_proba(self, x: ArrayLike) -> FloatArray:
        """Probability of each class, ndarray of shape (n, k); arguments and errors as of :meth:`forward`."""
        probabilities: FloatArray = self.kernels.softmax(self.forward(x))
        return probabilities

    def predict(self, x: ArrayLike) -> IntArray:
        """Most probable class of each clip, ndarray of shape (n,); arguments and errors as of :meth:`forward`."""
        answers: IntArray = self.forward(x).argmax(axis=1)
        return answers

    def loss(self, logits: FloatArray, labels: ArrayLike, weight_decay: WeightDecay = 0.0) -> float:
        """Mean cross-entropy of ``labels`` plus ``weight_decay * sum ||w||^2 / 2`` over the weights (no biases).

        Args:
            logits: array of shape (n, k), ``n >= 1``.
            labels: integers of shape (n,), ``0 ... k - 1``.
            weight_decay: a factor, or a dict of factors by the names of weights; default 0.

        Raises:
            InputError: a shape or a label does not fit.
        """
        if np.ndim(logits) != 2 or np.shape(logits)[1] != self.num_classes or not len(logits):
            raise InputError(
                f"logits have shape {np.shape(logits)}; this network gives (n, {self.num_classes}), n >= 1"
            )
        labels = checked_labels(labels, len(logits), self.num_classes)
        factors = decay_factors(self.parameters, weight_decay)
        return self._mean_loss(self.kernels.softmax_cross_entropy(logits, labels), factors)

    def loss_and_gradients(
        self, x: ArrayLike, labels: ArrayLike, weight_decay: WeightDecay = 0.0, input_gradient: bool = False
    ) -> tuple[float, dict[str, FloatArray]]:
        """Loss of a batch and its gradient by every parameter.

        Args:
            x: array of shape (n, d, h, w, c), ``n >= 1``.
            labels: integers of shape (n,), ``0 ... k - 1``.
            weight_decay: factor of ``sum ||w||^2 / 2``, or a dict of factors by the names of weights; default 0.
            input_gradient: True adds the gradient by ``x`` under the name "input".

        Returns:
            ``loss, gradients``: a float, and a dict with the names and shapes of :attr:`parameters`.

        Raises:
            InputError: as :meth:`forward`; or labels of another length, not whole numbers, or out of range.

        Departure: the original multiplies the cross-entropy's gradient by the number of decay terms when
        ``weight_decay`` is set; here the gradient is that of the loss.
        """
        loss, gradients, _ = self.training_pass(x, labels, weight_decay, input_gradient)
        return loss, gradients

    def training_pass(
        self,
        x: ArrayLike,
        labels: ArrayLike,
        weight_decay: WeightDecay = 0.0,
        input_gradient: bool = False,
        gradients: dict[str, FloatArray] | None = None,
        share: tree.Share | None = None,
    ) -> tuple[float, dict[str, FloatArray], FloatArray]:
        """What :meth:`loss_and_gradients` returns, and the logits that the loss was taken of.

        Args:
            x, labels, weight_decay, input_gradient: as of :meth:`loss_and_gradients`.
            gradients: what an earlier call returned, whose arrays are written anew; default None, new ones are made.
            share: the parts of a batch that ``x`` are, where other processes have the others; ``n`` may then be 0.
                Loss and gradients are those of the whole batch.  Default None, ``x`` is the batch.

        Returns:
            ``loss, gradients, logits``; the last is an ndarray of shape (n, k).

        Raises:
            InputError: as :meth:`loss_and_gradients`; or ``gradients`` are not those of this network, ``x`` not the
                clips of the ``share``, or the backend "cuda", which cannot share a batch.
        """
        x = self._checked_clips(x, share)
        self._check_parameters()
        labels = checked_labels(labels, len(x), self.num_classes)
        factors = decay_factors(self.parameters, weight_decay)
        if gradients:
            self._check_gradients(gradients)
        else:
            gradients = by_name.zeros(self.parameters)
        own = () if share is None else (share,)  # the edition for devices knows no shares
        if self._fused and not input_gradient:
            losses, logits, finite = self._fused.training_pass(
                x, labels, self.parameters.values(), [gradients[name] for name in self.parameters], *own
            )
            self._require_finite(x, finite)
        else:
            self._require_finite(x)
            losses, logits = self._layer_by_layer(x, labels, gradients, input_gradient, share)
        if share:
            losses = share.all_losses(losses)
        for name, factor in factors.items():
            # d(wd ||w||^2 / 2) / dw = wd w
            _add_scaled(gradients[name], factor, self.parameters[name])
        return self._mean_loss(losses, factors), gradients, logits

    def _layer_by_layer(self, x, labels, gradients, input_gradient, share):
        """Fill ``gradients`` as the layers define them; returns the clips' losses (n,) and logits (n, k)."""
        logits = np.empty((len(x), self.num_classes), self.dtype)
        losses = np.empty(len(x), self.dtype)
        if input_gradient:
            self._require_memory(x, f"the gradient by {len(x):,} clips")
            gradients["input"] = np.empty(x.shape, x.dtype)
        asked = share or tree.Share(len(x))

        def of_parts():
            """Each part's gradients by the parameters, as one becomes ready after the other."""
            for part in map(slice, asked.starts, asked.starts[1:]):
                losses[part], logits[part], dx, found = self._few_clips(
                    x[part], labels[part], asked.clips, input_gradient
                )
                if input_gradient:
                    gradients["input"][part] = dx
                yield found

        sums = tree.add_up(of_parts(), tree.merges(tree.single(asked.first, asked.end)), _add_all)
        if share:
            rows = [np.concatenate([each[name].reshape(-1) for name in self.parameters]) for each in sums]
            row = share.total(rows, self.parameter_count, self.dtype)
            ends = np.cumsum([values.size for values in self.parameters.values()])
            sums = [dict(zip(self.parameters, np.split(row, ends[:-1]), strict=True))]
        for name, total in sums[0].items():
            gradients[name][...] = total.reshape(gradients[name].shape)
        return losses, logits

    def _few_clips(self, x, labels, count, input_gradient):
        """Losses, logits, the gradient by the clips or None, and those by the parameters, in a batch of ``count``."""
        y, saved, gradients = self._place(x), [], {}
        for layer in self.layers:
            y, kept = layer.forward(y, self.parameters)
            saved.append(kept)
        losses = self.kernels.softmax_cross_entropy(y, labels)
        # loss = sum_n losses[n] / N
        dlosses = self._place(np.full(len(y), 1 / count, self.dtype))
        dy = self.kernels.softmax_cross_entropy_backward(dlosses, y, labels)
        for layer in reversed(self.layers):
            wanted = input_gradient or layer is not self.layers[0]
            dy, of_layer = layer.backward(dy, saved.pop(), self.parameters, wanted)
            gradients |= of_layer
        return losses, y, dy, gradients

    def activations(self, x: ArrayLike) -> dict[str, FloatArray]:
        """The output of every layer, by name: what the network sees on its way to the logits."""
        x, outputs = self._checked_clips(x), {}
        self._check_parameters()
        self._require_finite(x)
        y = self._place(x)
        for layer in self.layers:
            y, _ = layer.forward(y, self.parameters)
            outputs[layer.name] = y
        return outputs

    @property
    def feature_count(self) -> int:
        """How many numbers the dense layer is given of a clip."""
        return prod(self.layers[-1].input_shape)

    def features(self, x: ArrayLike) -> FloatArray:
        """What the dense layer is given: the last maps (``NORM_6``), flattened in the order (d, h, w, f).

        Arguments and errors are those of :meth:`forward`.

        Returns:
            ndarray of shape (n, p): ``logits = features W + b``.
        """
        x = self._checked_clips(x)
        self._require_finite(x)
        found = np.empty((len(x), self.feature_count), self.dtype)
        for part in _parts(len(x)):
            y = self._place(x[part])
            for layer in self.layers[:-1]:
                y, _ = layer.forward(y, self.parameters)
            found[part] = np.asarray(y).reshape(len(y), -1)
        return found

    def _mean_loss(self, losses: FloatArray, factors: Mapping[str, float]) -> float:
        """Mean of the clips' ``losses`` (n,), and the decay of the weights by their ``factors``."""
        decay = 0.0
        for factor in dict.fromkeys(factors.values()):
            decay += factor * sum(_half_square(self.parameters[name]) for name in factors if factors[name] == factor)
        return float(losses.mean(dtype=np.float64) + decay)

    def _checked_clips(self, x: Any, share: tree.Share | None = None) -> FloatArray:
        require_unmasked("clips", x)
        if not isinstance(x, self._array):
            try:
                x = np.asarray(x)
            except ValueError:
                raise InputError("clips are not of one shape; give an array (n, d, h, w, c)") from None
        if x.ndim != 5 or x.shape[1:] != self.input_shape or (len(x) < 1 and not share):
            hint = "; add the sample axis: x[np.newaxis]" if x.shape == self.input_shape else ""
            raise InputError(f"clips have shape {x.shape}; this network takes (n, *{self.input_shape}), n >= 1{hint}")
        if share and (self._array is not np.ndarray or len(x) != share.own.stop - share.own.start):
            raise InputError(
                f"{len(x)} clips were given for the share {share.own.start} ... {share.own.stop} of a batch, backend "
                f"{self.backend!r}; give just the clips of the share, with the backend 'cpu' or 'reference'"
            )
        if x.dtype.kind not in "fiu":
            raise InputError(f"clips have dtype {x.dtype}; they must be real numbers")
        if isinstance(x, np.ndarray) and (x.dtype != self.dtype or not x.flags.c_contiguous):
            self._require_memory(x, f"a copy of {len(x):,} clips as {self.dtype}")
        return np.ascontiguousarray(x, self.dtype) if isinstance(x, np.ndarray) or x.dtype != self.dtype else x

    def _require_memory(self, x, what):
        """Refuse another array like the clips ``x`` if it does not fit."""
        memory.require(x.size * self.dtype.itemsize, what, "give fewer clips at a time")

    def _require_finite(self, x, finite=None):
        """Refuse clips with NaN or infinities.

        ``finite``, BoolArray of shape (n,), says of each clip whether its first maps were finite; None: look at ``x``.
        """
        if finite is None:
            # One NaN or infinity makes the sum so too, and a sum is much cheaper than a look at every value.
            with np.errstate(over="ignore", invalid="ignore"):
                finite = np.isfinite(x.sum())
        if not np.all(finite) and not np.isfinite(x).all():
            raise InputError(
                f"clips hold a value that is not finite, the first at (n, d, h, w, c) = {_first_non_finite(x)}"
            )

    def _check_parameters(self) -> None:
        """Refuse arrays that a user put into :attr:`parameters` and that the kernels would misread."""
        if list(self.parameters) != list(self._forms):
            raise InputError(f"parameters are {list(self.parameters)}; the network's are {list(self._forms)}")
        for name, values in self.parameters.items():
            if (values.shape, values.dtype) != self._forms[name]:
                raise InputError(
                    f"parameters[{name!r}] is {values.dtype} {values.shape}, the network's is {self._forms[name]}; "
                    "load_parameters checks and casts"
                )

    def _check_gradients(self, gradients):
        """Refuse what the gradients cannot be written to; that by the input, of an earlier call, is taken out."""
        gradients.pop("input", None)
        if list(gradients) != list(self.parameters):
            raise InputError(f"gradients are by {list(gradients)}, the parameters are {list(self.parameters)}")
        for name, values in gradients.items():
            own = isinstance(values, np.ndarray) and values.flags.c_contiguous and values.flags.writeable
            form = getattr(values, "shape", None), getattr(values, "dtype", None)
            if form != self._forms[name] or not (own or self._array is not np.ndarray):
                raise InputError(
                    f"gradients[{name!r}] is {form}; it must be as an earlier call returned it: "
                    f"{self._forms[name]}, one piece of memory, writable"
                )


def _restored(kind, settings, parameters):
    """A network as pickle and copy make it again; values that are not finite come along."""
    network = kind(**settings)
    for name, values in parameters.items():
        network.parameters[name][...] = values
    return network


def _parts(count):
    """Slices that together cover ``count`` clips, :data:`CLIPS_AT_A_TIME` each."""
    return [slice(start, start + CLIPS_AT_A_TIME) for start in range(0, count, CLIPS_AT_A_TIME)]


def _add_all(total, found):
    """``total += found``, for gradients by name."""
    for name, gradient in found.items():
        total[name] += gradient
    return total


def _add_scaled(total, factor, values):
    """``total += factor values``; makes no array.  Arrays that are elsewhere know how."""
    if isinstance(total, np.ndarray):
        from scipy.linalg.blas import get_blas_funcs  # at its first use: not every run wants it

        get_blas_funcs("axpy", (total,))(values.reshape(-1), total.reshape(-1), a=factor)
    else:
        total.add_scaled(factor, values)


def _half_square(w):
    """``||w||^2 / 2``; arrays that are elsewhere know how."""
    if not isinstance(w, np.ndarray):
        return w.half_square()
    flat = w.reshape(-1)
    return np.einsum("i,i", flat, flat, dtype=np.float64) / 2  # makes no array, unlike a square


def _by(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _first_non_finite(values):
    return tuple(int(index) for index in np.argwhere(~np.isfinite(values))[0])


def _float_dtype(dtype: Any) -> np.dtype[Any]:
    """float32 or float64."""
    known = [np.dtype(each) for each in (np.float32, np.float64)]
    with suppress(Exception):  # NumPy parses a text: of "1,,2" it says that it is no Python
        if dtype is not None:
            return known[known.index(np.dtype(dtype))]
    raise InputError(f"dtype is {dtype}; it must be float32 or float64")


def _whole_numbers(name: str, values: Any, axes: str) -> tuple[int, ...]:
    """``values`` as a tuple of positive ints, one for each of ``axes``."""
    wanted = axes.split(", ")
    if (
        not isinstance(values, Collection)
        or len(values) != len(wanted)
        or not all(finite(value) and value == int(value) and 1 <= value < 2**62 for value in values)
    ):
        raise InputError(f"{name} is {values!r}; it must be whole numbers of at least 1 for {axes}")
    return tuple(int(value) for value in values)
