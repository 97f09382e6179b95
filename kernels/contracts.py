"""What every operation asks of its arguments, said once for all editions, and checked before any kernel is called.

A kernel reads where it is told to, so that a shape that does not fit, or a label that is no class, would read beyond an
array.  Here an array's axes are letters, as everywhere: one letter is one length in all arrays of a call.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .arrays import IntArray
from .errors import InputError

ARRAYS: dict[str, dict[str, str]] = {
    "affine": {"x": "n d h w c", "maps": "n 3 4", "levels": "n 2"},
    "average_pool_frames": {"x": "n d h w f"},
    "average_pool_frames_backward": {"dm": "n d' h w f", "x": "n d h w f"},
    "average_pool_space": {"x": "n d h w f"},
    "average_pool_space_backward": {"dm": "n d h' w' f", "x": "n d h w f"},
    "block_means": {"x": "n d h w c"},
    "dense": {"a": "n j", "weights": "j k", "bias": "k"},
    "dense_backward": {"dy": "n k", "a": "n j", "weights": "j k"},
    "leaky_relu": {"z": "..."},
    "leaky_relu_backward": {"dy": "...", "z": "..."},
    "max_pool_frames": {"x": "n d h w f"},
    "max_pool_frames_backward": {"dm": "n d' h w f", "x": "n d h w f"},
    "max_pool_space": {"x": "n d h w f"},
    "max_pool_space_backward": {"dm": "n d h' w' f", "x": "n d h w f"},
    "scale_shift": {"m": "n d h w f", "weights": "1 h w f", "bias": "d 1 1 f"},
    "scale_shift_backward": {"dz": "n d h w f", "m": "n d h w f", "weights": "1 h w f"},
    "softmax": {"logits": "n k"},
    "softmax_cross_entropy": {"logits": "n k"},
    "softmax_cross_entropy_backward": {"dloss": "n", "logits": "n k"},
    "standardize": {"x": "n d h w f"},
    "standardize_backward": {"dy": "n d h w f", "x": "n d h w f"},
    "weighted_sum": {"x": "n d h w c", "weights": "rd h w c f", "bias": "d' h' w' f"},
    "weighted_sum_backward": {"dz": "n d' h' w' f", "x": "n d h w c", "weights": "rd h w c f"},
}
"""The axes of each operation's arrays; ``...`` are axes of any number, and a prime marks an output axis."""

FLOAT64_MOST = float(np.finfo(np.float64).max)

STORED = ("affine", "block_means", "standardize")
"""Their ``x`` may be clips as they are stored, of any real dtype; all other arrays of a call have one dtype."""


def checked(name: str, function: Callable[..., Any], complex_numbers: bool = False) -> Callable[..., Any]:
    """An operation that refuses what its contract does not allow.

    Args:
        name: the operation's.
        function: an edition's.
        complex_numbers: True for an edition that takes them, and floats of any size, beside float32 and float64.

    Returns:
        A function of the same arguments, which raises InputError.  Its ``labels`` are int64 when they come to
        ``function``; and an ``out`` that is not one piece of memory, or overlaps an input in part, is filled all the
        same.
    """
    if name not in ARRAYS:
        return function
    axes, names = ARRAYS[name], list(signature(function).parameters)
    further = _FURTHER.get(name.removesuffix("_backward"), _nothing)

    @wraps(function)
    def operation(*positional: Any, **given: Any) -> Any:
        if len(positional) > len(names):
            return function(*positional, **given)  # Python says what is wrong
        given = dict(zip(names, positional, strict=False)) | given
        if any(array not in given for array in axes if array != "levels"):
            return function(**given)  # likewise
        lengths = _lengths(name, axes, given, complex_numbers)
        further(name, given, lengths)
        out = given.get("out")
        if out is not None:
            _require_out(name, given, lengths)
            if isinstance(out, np.ndarray) and (not out.flags.c_contiguous or _overlap_in_part(out, given["x"])):
                out[...] = operation(**given | {"out": np.empty(out.shape, out.dtype)})
                return out
        leading = [given.pop(each) for each in names[: len(axes)] if each in given]
        return function(*leading, **given)

    return operation


def checked_labels(labels: ArrayLike, count: int, classes: int) -> IntArray:
    """Labels as int64.

    Args:
        labels: whole numbers ``0 ... classes - 1``, of any real dtype.
        count: how many there must be.
        classes: ``k``.

    Returns:
        ndarray of shape (count,).

    Raises:
        InputError: they are something else.
    """
    require_unmasked("labels", labels)
    try:
        labels = np.asarray(labels)
    except ValueError:
        raise InputError(f"labels are {labels!r:.60}; {count} clips need {count} whole numbers") from None
    if labels.shape != (count,):
        raise InputError(f"labels have shape {labels.shape}; {count} clips need ({count},)")
    if labels.dtype.kind not in "fiu" or (labels.dtype.kind == "f" and (labels != np.floor(labels)).any()):
        raise InputError(f"labels must be whole numbers 0 ... {classes - 1}; their dtype is {labels.dtype}")
    if count and (labels.min() < 0 or labels.max() >= classes):
        raise InputError(
            f"labels run from {labels.min()} to {labels.max()}; {classes} classes are numbered 0 ... {classes - 1}"
        )
    return labels.astype(np.int64)


def require_unmasked(name: str, values: Any) -> None:
    """Refuse a masked array.

    Raises:
        InputError: it hides values, which no kernel would know.
    """
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise InputError(
            f"{name}: {np.ma.count_masked(values)} values are masked, and a network knows no masks; fill them in"
        )


def whole(value: Any) -> bool:
    """Whether it is a whole number, and not a truth value."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def finite(value: Any) -> bool:
    """Whether it is one real number, and neither NaN nor infinite."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    return -FLOAT64_MOST <= float(value) <= FLOAT64_MOST


def _lengths(name, axes, given, complex_numbers):
    """Check the arrays of a call; returns the length of each axis by its letter."""
    lengths: dict[str, Any] = {}
    dtype = None
    for argument, letters in axes.items():
        array = given.get(argument)
        if array is None and argument == "levels":
            continue
        if isinstance(array, (list, tuple)) and argument == "levels":
            array = np.array(array)
        if isinstance(array, (float, np.floating)) and letters == "..." and complex_numbers:
            array = np.array(array)  # where the equation is NumPy's, one number is as good
        _require_array(f"{name}: {argument}", array)
        stored = argument == "levels" or (argument == "x" and name in STORED)
        if stored:
            allowed = array.dtype.kind in "fiu" or (complex_numbers and array.dtype.kind == "c")
        else:
            allowed = array.dtype in (np.float32, np.float64) or (complex_numbers and array.dtype.kind in "fc")
        if not allowed or not array.dtype.isnative:
            raise InputError(
                f"{name}: {argument} has dtype {array.dtype.str}; give float32 or float64, of this machine"
            )
        if not complex_numbers and not stored and name not in STORED:
            if dtype not in (None, array.dtype):
                raise InputError(f"{name}: {argument} has dtype {array.dtype}, the arrays before it {dtype}; give one")
            dtype = array.dtype
        if letters == "...":
            sizes = {"...": tuple(array.shape)}
        else:
            if array.ndim != len(letters.split()):
                raise InputError(
                    f"{name}: {argument} has shape {array.shape}; it must be ({letters.replace(' ', ', ')})"
                )
            sizes = dict(zip(letters.split(), array.shape, strict=True))
        for letter, length in sizes.items():
            wanted = int(letter) if letter.isdecimal() else lengths.setdefault(letter, length)
            if length != wanted:
                raise InputError(
                    f"{name}: {argument} has shape {tuple(array.shape)}, and {letter} must be {wanted}; "
                    + ", ".join(f"{each} is ({of.replace(' ', ', ')})" for each, of in axes.items())
                )
        if not array.size:
            raise InputError(f"{name}: {argument} has shape {tuple(array.shape)}; there must be something in it")
    return lengths


def _require_array(name, array):
    if not all(hasattr(array, each) for each in ("shape", "dtype", "ndim", "size")) or isinstance(array, np.generic):
        raise InputError(f"{name} is a {type(array).__name__}; give an array")
    require_unmasked(name, array)


def _require_out(name, given, lengths):
    """Refuse an ``out`` that the result does not fit into."""
    out, side = given["out"], given.get("side", 1)
    shape = *given["x"].shape[:2], lengths["h"] // side, lengths["w"] // side, given["x"].shape[4]
    if not isinstance(out, np.ndarray) and name == "standardize" and hasattr(out, "shape"):
        return  # an edition's own array
    _require_array(f"{name}: out", out)
    if out.shape != shape:
        raise InputError(f"{name}: out has shape {out.shape}; the result is {shape}")
    if not out.flags.writeable:
        raise InputError(f"{name}: out is read-only; give an array that can be written to")
    if (out.dtype.kind != "f" and not (name == "affine" and out.dtype.kind in "iu")) or not out.dtype.isnative:
        raise InputError(f"{name}: out has dtype {out.dtype.str}; give float32 or float64, of this machine")


def _overlap_in_part(out, x):
    """Whether what is written may still have to be read for something else."""
    if not isinstance(x, np.ndarray) or not np.may_share_memory(out, x):
        return False
    return (out.ctypes.data, out.strides, out.dtype) != (x.ctypes.data, x.strides, x.dtype)


# --- What is asked of the arguments that are no arrays.


def _nothing(name, given, lengths):
    pass


def _numbers(name, argument, values, count):
    """Whole numbers of at least 1, ``count`` of them; or one, where ``count`` is 0."""
    each = [values] if not count else list(values) if isinstance(values, (tuple, list, np.ndarray)) else []
    if len(each) != max(count, 1) or not all(whole(value) and value >= 1 for value in each):
        how = f"{count} whole numbers" if count else "a whole number"
        raise InputError(f"{name}: {argument} is {values!r}; it must be {how} of at least 1")
    return each


def _windows(name, given, lengths):
    """Every window lies within ``x``; its letters are d, h, w."""
    field = _numbers(name, "receptive_field", given.get("receptive_field"), 3)
    strides = _numbers(name, "strides", given.get("strides"), 3)
    if lengths["rd"] != field[0]:
        raise InputError(f"{name}: weights see {lengths['rd']} frames, receptive_field {field[0]}")
    for letter, window, stride in zip("dhw", field, strides, strict=True):
        count, length = lengths[f"{letter}'"], lengths[letter]
        if stride * (count - 1) + window > length:
            raise InputError(
                f"{name}: {count} windows of {window} along {letter}, {stride} apart, need a length of "
                f"{stride * (count - 1) + window}; x has {length}"
            )


def _blocks(name, given, lengths):
    for letter, side in zip("hw", _numbers(name, "pool", given.get("pool"), 2), strict=True):
        _require_count(name, letter, lengths, lengths[letter] // side, f"blocks of {side}")


def _runs(name, given, lengths):
    (frames,) = _numbers(name, "frames", given.get("frames"), 0)
    _require_count(name, "d", lengths, lengths["d"] - frames + 1, f"runs of {frames}")


def _require_count(name, letter, lengths, count, what):
    if count < 1:
        raise InputError(f"{name}: no {what} along {letter}, where x has {lengths[letter]}")
    found = lengths.get(f"{letter}'", count)
    if found != count:
        raise InputError(f"{name}: dm has {found} {what} along {letter}; x has {count}")


def _sides(name, given, lengths):
    (side,) = _numbers(name, "side", given.get("side"), 0)
    if lengths["h"] % side or lengths["w"] % side:
        raise InputError(f"{name}: side {side} does not divide {lengths['h']} x {lengths['w']} pixels")


def _finite_maps(name, given, lengths):
    for argument in ("maps", "levels"):
        values = given.get(argument)
        if values is not None and not np.isfinite(values).all():
            raise InputError(f"{name}: {argument} hold a value that is not finite")


def _slope(name, given, lengths):
    alpha = given.get("alpha", 0.01)
    if not finite(alpha) or not 0 < alpha < 1:
        raise InputError(f"{name}: alpha is {alpha!r}; it must be above 0 and below 1")


def _epsilon(name, given, lengths):
    epsilon = given.get("epsilon", 0)
    if not finite(epsilon) or epsilon < 0:
        raise InputError(f"{name}: epsilon is {epsilon!r}; it must be a number of at least 0")


def _classes(name, given, lengths):
    given["labels"] = checked_labels(given.get("labels"), lengths["n"], lengths["k"])


_FURTHER: Mapping[str, Callable[[str, dict[str, Any], dict[str, Any]], None]] = {
    "affine": _finite_maps,
    "average_pool_frames": _runs,
    "average_pool_space": _blocks,
    "block_means": _sides,
    "leaky_relu": _slope,
    "max_pool_frames": _runs,
    "max_pool_space": _blocks,
    "softmax_cross_entropy": _classes,
    "standardize": _epsilon,
    "weighted_sum": _windows,
}
