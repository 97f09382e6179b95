"""What functions take and give, as real arrays in a row, and back.

A tree is a dict, a list, a tuple, a named tuple or a dataclass, nested at will; its leaves are:

- arrays, and what NumPy makes an array of, such as a list of floats: one array;
- floats: an array of no axes, handed over as a float again;
- complex arrays and numbers: two arrays, the real and the imaginary part;
- anything else (None, integers, strings, functions, tuples of integers such as a shape): no array, handed through.
"""

import copy
import dataclasses
import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError
from . import tolerances as tol

FRAMEWORKS = {"torch": "check_torch", "jax": "check_jax", "jaxlib": "check_jax"}
"""Arrays of these packages have checks of their own."""


@dataclasses.dataclass(frozen=True)
class Leaf:
    """One leaf of a tree, and how it is made of arrays.

    Attributes:
        name: where it is, in Python's words: ``params['W'][0]``.
        kind: "array", "number", "complex array", "complex number" or "through".
        arrays: what it was made into; none for "through".
        value: the leaf itself.
    """

    name: Any
    kind: str
    arrays: tuple[AnyArray, ...]
    value: Any

    def filled(self, arrays: Sequence[AnyArray]) -> Any:
        """The leaf with other arrays in the place of its own."""
        if self.kind == "through":
            return self.value
        if self.kind == "array":
            return arrays[0]
        if self.kind == "number":
            return arrays[0][()] if isinstance(self.value, np.generic) else arrays[0].item()
        joined = _joined(*arrays)
        return joined if self.kind == "complex array" else joined[()]

    def parts(self, value: Any, what: str) -> list[AnyArray | None]:
        """The arrays of a gradient, or another value, that stands in the place of this leaf; None for None.

        Raises:
            InputError: it is no array of numbers, or complex where the leaf is real.
        """
        if self.kind == "through":
            given = value is not None and not isinstance(value, (str, bytes)) and np.any(np.asarray(value) != 0)
            if given:
                raise InputError(f"{what} {self.name} is not None, but {self.name} is {self.value!r:.40}: give None")
            return []
        if value is None:
            return [None] * len(self.arrays)
        array = as_array(f"{what} {self.name}", value)
        if self.kind.startswith("complex"):
            return [array.real, array.imag]
        if array.dtype.kind == "c" and self.arrays[0].dtype.kind == "f" and _hardly_imaginary(array):
            return [array.real]
        if array.dtype.kind == "c":
            words = "is real: give the real part" if self.arrays[0].dtype.kind == "f" else "has none: give None"
            raise InputError(f"{what} {self.name} has dtype {array.dtype}, but {self.name} {words}")
        if self.kind == "number" and array.dtype.kind == "f":  # a float has no width that a gradient should have
            array = array.astype(np.float64)
        return [array]


class Tree:
    """A tree taken apart; it can be filled with other arrays.

    Attributes:
        template: the tree.
        leaves: from left to right.
        arrays, names: of all leaves; a complex leaf has two, ``z.real`` and ``z.imag``.
        owners: of each array the part of the tree, counted from 0, that it belongs to.
        has_complex: whether a leaf is complex.
        is_whole: it is one part, not a sequence or dict of parts.
    """

    def __init__(self, template: Any, names: Sequence[Any] | str, what: str) -> None:
        """``names``: of the parts of a sequence or dict, or of the whole; ``what``: an "input", an "output"."""
        self.template, self.is_whole = template, isinstance(names, str)
        if isinstance(names, str):
            self._parts = [(names, template)]
        else:
            values = template.values() if isinstance(template, Mapping) else template
            self._parts = list(zip(names, values, strict=True))
        owned = [(k, _leaf(*leaf, what)) for k, (name, part) in enumerate(self._parts) for leaf in walk(part, name)]
        self.leaves = [leaf for _, leaf in owned]
        self.arrays = [array for leaf in self.leaves for array in leaf.arrays]
        self.names = [name for leaf in self.leaves for name in _names(leaf)]
        self.owners = [k for k, leaf in owned for _ in leaf.arrays]
        self.has_complex = any(leaf.kind.startswith("complex") for leaf in self.leaves)

    def leaves_of(self, arrays: Sequence[AnyArray]) -> list[Any]:
        """The leaves, made of other ``arrays``, one for each of its own."""
        rest = iter(arrays)
        return [leaf.filled([next(rest) for _ in leaf.arrays]) for leaf in self.leaves]

    def filled(self, leaves: Iterable[Any]) -> Any:
        """The tree with other ``leaves``."""
        return rebuilt(self.template, iter(leaves), top=not self.is_whole)

    def write_back(self, leaves: Sequence[Any], arrays: Sequence[AnyArray]) -> None:
        """Write what a function changed in complex ``leaves`` into the ``arrays`` that they were made of."""
        rest = iter(arrays)
        for leaf, value in zip(self.leaves, leaves, strict=True):
            own = [next(rest) for _ in leaf.arrays]
            if leaf.kind == "complex array" and value is not None:
                for array, part in zip(own, (value.real, value.imag), strict=True):
                    if array.flags.writeable and not np.array_equal(array, part, equal_nan=True):
                        array[...] = part

    def parts(self, others: Sequence[Any], what: str) -> list[AnyArray | None]:
        """The arrays of ``others``, such as gradients: one for each part of this tree, and of its form.

        One that is None, or a key that a dict lacks, has None for all its arrays.

        Raises:
            InputError: it has another form, or holds no arrays of numbers.
        """
        pairs = zip(self._parts, others, strict=True)
        values = [value for (name, part), other in pairs for value in _matched(part, other, what, str(name))]
        return [array for leaf, value in zip(self.leaves, values, strict=True) for array in leaf.parts(value, what)]


def is_tree(value: Any) -> bool:
    """Whether a value has parts that are looked at one by one."""
    if isinstance(value, dict) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return True
    if not isinstance(value, (list, tuple)):
        return False
    return hasattr(value, "_fields") or not value or not _all_numbers(value)


def as_array(name: str, value: Any) -> AnyArray:
    """``value`` as a plain array of numbers.

    Raises:
        InputError: it is none, or is one with a mask or another meaning of its own.
    """
    package = type(value).__module__.split(".")[0]
    if package in FRAMEWORKS:
        raise InputError(f"{name} is a {package} array: use {FRAMEWORKS[package]}, or give it as a NumPy array")
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{name} is a masked array; give its data and its mask as two arrays")
    if isinstance(value, np.matrix):
        raise InputError(f"{name} is a matrix; give it as an array: np.asarray(...)")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise InputError(f"{name} is no array: {error}") from None
    if array.dtype.kind not in "fiubc":
        raise InputError(f"{name} has dtype {array.dtype} ({type(value).__name__}); it must be an array of numbers")
    return array


def children(tree: Any) -> list[tuple[str, Any]]:
    """The parts of a tree, each with how one gets there: ``['W']``, ``[0]``, ``.weights``."""
    if isinstance(tree, dict):
        return [(f"[{key!r}]", part) for key, part in tree.items()]
    if dataclasses.is_dataclass(tree):
        return [(f".{field.name}", getattr(tree, field.name)) for field in dataclasses.fields(tree)]
    fields = getattr(tree, "_fields", None)
    return [(f".{fields[k]}" if fields else f"[{k}]", part) for k, part in enumerate(tree)]


def walk(tree: Any, name: Any) -> Iterator[tuple[Any, Any]]:
    """The leaves of a tree that is called ``name``, each with its name."""
    if not is_tree(tree):
        yield name, tree
        return
    for way, part in children(tree):
        yield from walk(part, f"{name}{way}")


def rebuilt(template: Any, leaves: Iterator[Any], top: bool = False) -> Any:
    """A tree of the same form with other leaves; ``top``: a list or tuple of numbers has parts, too."""
    if not (is_tree(template) or (top and isinstance(template, (list, tuple)))):
        return next(leaves)
    parts = [rebuilt(part, leaves) for _, part in children(template)]
    if isinstance(template, dict):
        new = copy.copy(template)
        new.update(zip(template, parts, strict=True))
        return new
    if dataclasses.is_dataclass(template):
        new = copy.copy(cast(Any, template))
        for field, part in zip(dataclasses.fields(template), parts, strict=True):
            object.__setattr__(new, field.name, part)
        return new
    return type(template)(*parts) if hasattr(template, "_fields") else type(template)(parts)


def _matched(template: Any, other: Any, what: str, name: str) -> Iterator[Any]:
    """The parts of ``other`` that stand where ``template`` has leaves."""
    if not is_tree(template):
        yield other
        return
    own = children(template)
    if other is None:
        theirs: list[Any] = [None] * len(own)
    elif isinstance(other, Mapping):
        keys = list(template) if isinstance(template, dict) else [way.lstrip(".") for way, _ in own]
        unknown = [key for key in other if key not in keys]
        if unknown:
            raise InputError(f"{what} {name} has the key {unknown[0]!r}; the keys are {', '.join(map(repr, keys))}")
        theirs = [other.get(key) for key in keys]
    elif isinstance(template, dict) or not (is_tree(other) or isinstance(other, (list, tuple))):
        raise InputError(f"{what} {name} is {_words(other)}; it must be {_words(template)}, as {name} is")
    else:
        theirs = [part for _, part in children(other)]
    if len(theirs) != len(own):
        raise InputError(f"{what} {name} has {len(theirs)} parts; {name} has {len(own)}")
    for (way, part), given in zip(own, theirs, strict=True):
        yield from _matched(part, given, what, f"{name}{way}")


def _words(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of {value.shape}"
    return f"a {type(value).__name__}" + (f" of {len(value)}" if isinstance(value, (list, tuple)) else "")


def _leaf(name: Any, value: Any, what: str) -> Leaf:
    words = f"{what} {name}"
    if isinstance(value, (float, complex, np.inexact)):
        array = as_array(words, value)
        if array.dtype.kind == "c":
            return Leaf(name, "complex number", (array.real, array.imag), value)
        return Leaf(name, "number", (array,), value)
    text = isinstance(value, np.ndarray) and value.dtype.kind in "US"
    if text or isinstance(value, (type, np.generic)) or not _is_array_like(value):
        return Leaf(name, "through", (), value)
    array = as_array(words, value)
    if array.dtype.kind == "c":
        return Leaf(name, "complex array", (array.real, array.imag), value)
    return Leaf(name, "array", (array,), value)


def _is_array_like(value: Any) -> bool:
    """An array, or a list of numbers, or a tuple of floats; a tuple of integers is a shape, or axes."""
    if isinstance(value, tuple):
        return np.asarray(value).dtype.kind in "fc"
    return isinstance(value, list) or hasattr(value, "__array__")


def _names(leaf: Leaf) -> list[Any]:
    if len(leaf.arrays) == 2:
        return [f"{leaf.name}.real", f"{leaf.name}.imag"]
    return [leaf.name] * len(leaf.arrays)


def _joined(real: AnyArray, imaginary: AnyArray) -> AnyArray:
    """A complex array of two parts, in memory as the real one is."""
    if "c" in (real.dtype.kind, imaginary.dtype.kind):
        raise TypeError("the parts of a complex array are not differentiated by complex steps")
    joined = np.empty_like(real, np.result_type(real, np.complex64))
    joined.real, joined.imag = real, imaginary
    return joined


def _all_numbers(values: Sequence[Any]) -> bool:
    return all(
        _all_numbers(each) if isinstance(each, (list, tuple)) else isinstance(each, (numbers.Number, np.generic))
        for each in values
    )


def _hardly_imaginary(array: AnyArray) -> bool:
    """Whether all that is complex in it is what a layer, as one with running means, kept from a complex step."""
    top = np.abs(array.real).max(initial=0)
    return bool((np.abs(array.imag) <= tol.COMPLEX_LEFT * top).all())
