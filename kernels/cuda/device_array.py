"""DeviceArray, an array on the device that the network and its optimisers use like one of NumPy.

Beside it stand the copies to the device, and :func:`operation`, which lets functions of DeviceArrays take NumPy arrays.
"""

from collections.abc import Callable, Iterable
from functools import cache, cached_property, wraps
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..arrays import AnyArray
from ..errors import InputError
from . import elements, update
from .launch import LAUNCH, Kernel, recording, stream
from .memory import Memory, Shape, kept, memory, require
from .target import cuda


class DeviceArray(np.lib.mixins.NDArrayOperatorsMixin):
    """An array on the device that NumPy can read and write.

    What training needs is computed where the array is: filling, ``a += b``, a number times an array, ``np.isfinite``,
    ``np.zeros_like``.  For whatever else NumPy is asked to do with it, it is copied to the host first, and the result
    stays there; ``np.asarray(a)`` is such a copy, read-only, since writing to it would change nothing here.

    Args:
        data: contiguous array in the device's memory.
    """

    def __init__(self, data: Memory) -> None:
        self.data = data

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.data.shape)

    @property
    def dtype(self) -> "np.dtype[Any]":
        return np.dtype(self.data.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @cached_property
    def address(self) -> int:
        """Where the memory begins."""
        return self.data.device_ctypes_pointer.value or 0

    @classmethod
    def empty(cls, shape: Shape, dtype: DTypeLike) -> "DeviceArray":
        """A new array with any numbers in it."""
        return cls(memory(shape, dtype))

    @property
    def row(self) -> Memory:
        """The memory as one row."""
        return self.data if self.ndim == 1 else self.data.reshape(self.size)

    def reshape(self, *shape: Any) -> "DeviceArray":
        """The same memory under another shape, given as a tuple or as numbers; one of them may be -1."""
        sizes = shape[0] if isinstance(shape[0], tuple) else shape
        known = -int(np.prod(sizes))
        return DeviceArray(self.data.reshape(tuple(self.size // known if n == -1 else n for n in sizes)))

    def update(self, rule: str, constants: Iterable[float], *arrays: Any) -> None:
        """Make one step of an optimiser in place.

        Args:
            rule: name of the kernel in ``update.py``.
            constants: the numbers that it takes last.
            arrays: the gradient and the optimiser's slots, of the shape of this array.
        """
        same_side((self, *arrays), ("parameter", "gradient", *(["slot"] * (len(arrays) - 1))))
        kernel: Kernel = getattr(update, rule)
        kernel.over_elements(self.size, self.row, *(a.row for a in arrays), *map(self.dtype.type, constants))

    def add_scaled(self, factor: float, values: "DeviceArray") -> None:
        """Add ``factor values``, of an array of the same shape."""
        one = self.dtype.type
        elements.combine.over_elements(self.size, self.row, values.row, one(1), one(factor), self.row)

    def half_square(self) -> float:
        """``||a||^2 / 2``: one partial sum per block, added up in float64."""
        return float(self._of_blocks(elements.square_sums, self.dtype).sum(dtype=np.float64) / 2)

    def _all_finite(self) -> bool:
        return not self._of_blocks(elements.find_non_finite, np.int32).any()

    def _of_blocks(self, kernel: Kernel, dtype: DTypeLike) -> AnyArray:
        """What each block of a kernel over all elements finds, in a place that is got once: every step asks."""
        blocks = min(LAUNCH.blocks, LAUNCH.sums)
        with kept(self._found.setdefault(kernel.name, [])):
            found = memory(blocks, dtype)
        kernel(blocks, LAUNCH.threads, self.row, found)
        return _host(found)

    @cached_property
    def _found(self) -> dict[str, list[Memory]]:
        return {}

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        host = _host(self.data)
        host.flags.writeable = bool(copy)
        return host if dtype is None else host.astype(dtype, copy=False)

    def __getitem__(self, key: Any) -> Any:
        """Clips in a row stay on the device, in the same memory; any other part is read from a copy on the host."""
        if isinstance(key, slice) and key.step is None:
            return DeviceArray(self.data[key])
        return np.asarray(self)[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        if key is not Ellipsis:
            host = np.array(self)
            host[key] = value
            self[...] = host
        elif isinstance(value, DeviceArray) and value.shape == self.shape and value.dtype == self.dtype:
            elements.combine.over_elements(
                self.size, value.row, value.row, self.dtype.type(1), self.dtype.type(0), self.row
            )
        elif np.ndim(value) == 0 and not isinstance(value, DeviceArray):
            elements.fill.over_elements(self.size, self.dtype.type(value), self.row)
        elif not recording():
            host = np.empty(self.shape, self.dtype)
            host[...] = value
            self.data.copy_to_device(host, stream=stream())
            stream().synchronize()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "data":
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __array_ufunc__(self, ufunc: np.ufunc, method: Any, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if method == "__call__" and not options:
            if ufunc is np.isfinite and self._all_finite():
                return np.broadcast_to(True, self.shape)
            if out is None or out[0] is self:
                result = self._combined(ufunc, inputs, self if out else None)
                if result is not None:
                    return result
        values = getattr(ufunc, method)(*map(_readable, inputs), **options)
        if out is None:
            return values
        out[0][...] = values
        return out[0]

    def _combined(self, ufunc: np.ufunc, inputs: tuple[Any, ...], out: "DeviceArray | None") -> "DeviceArray | None":
        """Sums of two arrays, and an array times a number, computed on the device; None where it is another case."""
        alike = [a for a in inputs if isinstance(a, DeviceArray) and (a.shape, a.dtype) == (self.shape, self.dtype)]
        numbers = [a for a in inputs if isinstance(a, (int, float, np.floating))]
        one = self.dtype.type
        if ufunc in (np.add, np.subtract) and len(alike) == 2:
            first, second, factors = *alike, (one(1), one(1 if ufunc is np.add else -1))
        elif ufunc is np.multiply and len(alike) == len(numbers) == 1:
            first, second, factors = alike[0], alike[0], (one(numbers[0]), one(0))
        else:
            return None
        out = DeviceArray.empty(self.shape, self.dtype) if out is None else out
        elements.combine.over_elements(self.size, first.row, second.row, *factors, out.row)
        return out

    def __array_function__(self, function: Any, types: Any, arguments: Any, options: Any) -> Any:
        if function in (np.empty_like, np.zeros_like) and len(arguments) == 1 and not options.keys() - {"dtype"}:
            like = DeviceArray.empty(self.shape, np.dtype(options.get("dtype", self.dtype)))
            if function is np.zeros_like:
                like[...] = 0
            return like
        return function(*map(_readable, arguments), **{name: _readable(value) for name, value in options.items()})

    def __repr__(self) -> str:
        return f"DeviceArray({np.asarray(self)!r})"


@cache
def upload_stream() -> Any:
    """The stream of :func:`upload`: it copies while the kernels of ``launch.stream`` run."""
    return cuda.stream()


def to_device(values: "ArrayLike | DeviceArray") -> DeviceArray:
    """Copy an array to the device.

    Args:
        values: array of any shape; a DeviceArray is returned as it is.

    Returns:
        DeviceArray of the same shape and dtype.
    """
    if isinstance(values, DeviceArray):
        return values
    return _copied(values, DeviceArray.empty(np.shape(values), np.asarray(values).dtype), stream)


def upload(values: AnyArray, into: DeviceArray | None = None) -> DeviceArray:
    """:func:`to_device` for a thread that fetches the next batch: it waits for the copy, and kernels go on meanwhile.

    Args:
        values: ndarray, best of ``memory.pinned``.
        into: DeviceArray of the same shape and dtype that no kernel uses any longer; default a new one.

    Returns:
        ``into``, or the new array.
    """
    return _copied(values, into or DeviceArray.empty(values.shape, values.dtype), upload_stream)


def _copied(values: ArrayLike, into: DeviceArray, copying: Callable[[], Any]) -> DeviceArray:
    require()
    if not recording():
        into.data.copy_to_device(np.ascontiguousarray(values).reshape(into.shape), stream=copying())
        copying().synchronize()
    return into


def _host(data: Memory) -> AnyArray:
    if recording():
        return np.zeros(data.shape, data.dtype)
    host: AnyArray = data.copy_to_host(stream=stream())
    stream().synchronize()
    return host


def _readable(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(map(_readable, value))
    return np.asarray(value) if isinstance(value, DeviceArray) else value


def same_side(arrays: Iterable[Any], names: Iterable[str]) -> None:
    """Refuse a mixture of arrays on the device and on the host.

    Raises:
        InputError: the arrays on the host are named, with their bytes.
    """
    named = list(zip(names, arrays, strict=True))
    on_host = [(name, a) for name, a in named if isinstance(a, np.ndarray)]
    if on_host and len(on_host) < len(named):
        which = ", ".join(f"{name} {a.shape} of {a.nbytes:,} bytes" for name, a in on_host)
        raise InputError(
            f"backend cuda: on the host: {which}; the other arrays are on the device: move it there with "
            f"kernels.cuda.to_device, or the others here with numpy.asarray"
        )


def operation(arrays: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: let a function of ``DeviceArray`` take NumPy arrays as well; then its results are NumPy arrays too.

    Args:
        arrays: how many leading arguments are arrays.

    The function raises InputError where some of its arrays are on the host and others on the device.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        names = function.__code__.co_varnames[:arrays]

        @wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            given, rest = arguments[:arrays], arguments[arrays:]
            same_side(given, names[: len(given)])
            if not isinstance(given[0], np.ndarray):
                return function(*given, *rest, **options)
            result = function(*map(to_device, given), *rest, **options)
            return tuple(map(_to_host, result)) if isinstance(result, tuple) else _to_host(result)

        return call

    return decorate


def _to_host(result: Any) -> Any:
    return np.array(result) if isinstance(result, DeviceArray) else result
