"""A set of labelled clips, and the batches that training takes from it."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, repeat
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kernels.arrays import AnyArray, FloatArray, IntArray

from ..errors import InputError
from .parts import Clips
from .record import Record


@dataclass(frozen=True)
class ClipSet:
    """Clips with their labels.

    Attributes:
        name: where they come from, for messages.
        clips: array of shape (m, d, h, w, c), any real dtype; it may be memory-mapped, or a folder of parts, since it
            is read batch by batch.
        labels: int64 ndarray of shape (n,).
        class_names: one name per class, in the order of the labels.
        draw: called with the rows of ``clips`` that are about to be read, in the caller's thread; default None.
        index: what is known of every clip: arrays of shape (n,) called ``subject``, ``source``, ``video`` and
            ``first_frame``, of numbers or of texts (dtype object, equal texts being one in memory); default None.
        rows: int64 ndarray of shape (n,): the row of ``clips`` where each clip of the set stands; default None, where
            m = n and every row is taken in order.
        shrink: batches are of means of ``shrink x shrink`` pixels, as of :func:`shrink`; default 1, of the pixels.
        record: how the clips came to be; default None, which is not known.
        watch: called before and after rows of ``clips`` are read; it raises InputError where their file has been
            written to since it was opened; default None.
    """

    name: str
    clips: Clips
    labels: IntArray
    class_names: tuple[str, ...]
    draw: Callable[[IntArray], Any] | None = None
    index: dict[str, AnyArray] | None = None
    rows: IntArray | None = None
    shrink: int = 1
    record: Record | None = None
    watch: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: IntArray, name: str) -> "ClipSet":
        """Some of the clips as a set of their own; no clip is copied.

        Args:
            chosen: integer ndarray of shape (b,): numbers of the clips, ``0 ... n - 1``.
            name: of the new set.
        """
        index = self.index and {column: values[chosen] for column, values in self.index.items()}
        return replace(self, name=name, labels=self.labels[chosen], index=index, rows=self._rows(chosen))

    def _rows(self, indices: IntArray) -> IntArray:
        return indices if self.rows is None else self.rows[indices]

    def check_finite(self, progress: Callable[[IntArray], Iterable[int]], own: slice = slice(None)) -> None:
        """Look at every value of every clip.

        Args:
            progress: wraps the iterable of the clips' rows, as tqdm does.
            own: which clips to look at, where others look at the others; default all.

        Raises:
            InputError: a value is NaN or infinite; the clip is named.
        """
        if self.clips.dtype.kind == "f":
            for row in progress(self._rows(np.arange(len(self))[own])):
                self._require_finite(row, self.clips[row])

    def batches(
        self,
        index_lists: Iterable[IntArray],
        kernels: ModuleType,
        dtype: DTypeLike,
        normalized: bool = True,
        changes: Iterable[Callable[[AnyArray], None]] = (),
    ) -> Generator[tuple[FloatArray, IntArray], None, None]:
        """Gather batches, each read from disk while the one before is in use.

        Args:
            index_lists: one array of clip numbers, of shape (b,), per batch; it may be empty.
            kernels: edition that normalises.  An edition whose arrays are on a device gets each batch copied there
                while the one before is in use.
            dtype: of the batches.
            normalized: True (default) applies :func:`normalize`; False only casts.
            changes: one function per batch, which changes the raw clips (b, d, h, w, c) in place, before they are
                shrunk; default none.

        Yields:
            ``x, labels``: the clips (b, d, h, w, c), shrunk where the set says so, an ndarray or the edition's own kind
            of array, and their labels, an ndarray (b,).  The next batch is written over ``x``.

        Raises:
            InputError: a value is NaN or infinite; the clip is named.  Or the file of the clips has been written to.
        """
        # The thread copies, and calls what stays in one thread.  Kernels on all cores stay in the caller's thread: not
        # all threading layers of Numba allow two threads to call those at the same time.
        elsewhere = hasattr(kernels, "upload")
        empty, upload = (kernels.pinned, kernels.upload) if elsewhere else (np.empty, lambda raw, _: raw)
        with ThreadPoolExecutor(1) as reader:
            spare: list[tuple[AnyArray, AnyArray, AnyArray]] = []
            x = used = None
            wanted = zip(index_lists, chain(changes, repeat(None)), strict=False)
            coming = self._read_next(wanted, reader, spare, empty, upload)
            while coming:
                indices, rows, future = coming
                raw, small, placed = future.result()
                if used:
                    if elsewhere:  # nothing to wait for, where the results of the batch before have come back
                        kernels.finish()
                    spare.append(used)
                coming = self._read_next(wanted, reader, spare, empty, upload)
                if x is None or x.shape != small.shape:
                    x = np.empty_like(placed, dtype=dtype)
                if raw.dtype.kind == "f" and not (elsewhere and np.isfinite(placed).all()):
                    for row, clip in zip(rows, raw, strict=True):
                        self._require_finite(row, clip)
                if normalized and len(rows):
                    normalize(placed, kernels, x)
                else:
                    x[...] = placed
                used = raw, small, placed
                yield x, self.labels[indices]

    def _read_next(
        self,
        wanted: Iterator[tuple[IntArray, Callable[[AnyArray], None] | None]],
        reader: ThreadPoolExecutor,
        *places: Any,
    ) -> tuple[IntArray, IntArray, Future[tuple[AnyArray, AnyArray, AnyArray]]] | None:
        """Begin to read the next batch: its clip numbers, their rows, and the arrays to come; None after the last."""
        indices, change = next(wanted, (None, None))
        if indices is None:
            return None
        rows = self._rows(indices)
        if self.draw and len(rows):
            self.draw(rows)
        return indices, rows, reader.submit(self._read, rows, change, *places)

    def _read(
        self,
        rows: IntArray,
        change: Callable[[AnyArray], None] | None,
        spare: list[tuple[AnyArray, AnyArray, AnyArray]],
        empty: Callable[..., AnyArray],
        upload: Callable[..., AnyArray],
    ) -> tuple[AnyArray, AnyArray, AnyArray]:
        """The clips at ``rows``, copied and changed; the same shrunk; and those where the kernels work.

        ``spare`` are such triples that are no longer in use and may be written to again; ``empty`` makes an array on
        the host, and ``upload`` copies one to where the kernels work.
        """
        shape = (len(rows), *self.clips.shape[1:])
        free = (spare.pop(i) for i, (array, *_) in enumerate(spare) if array.shape == shape)
        raw, small, placed = next(free, (None, None, None))
        if raw is None:
            raw = empty(shape, self.clips.dtype.newbyteorder("="))
        if self.shrink > 1 and small is None:
            small = empty(shrunk_shape(shape, self.shrink), np.result_type(raw.dtype, np.float32))
        if self.watch:
            self.watch()
        for place in np.argsort(rows, kind="stable"):  # as they lie on disk
            raw[place] = self.clips[rows[place]]
        if self.watch:
            self.watch()
        if change:
            change(raw)
        small = shrink(raw, self.shrink, small) if len(rows) else empty(shrunk_shape(shape, self.shrink), raw.dtype)
        return raw, small, upload(small, placed)

    def _require_finite(self, row: int, clip: AnyArray) -> None:
        require_finite(clip, f"{self.name}: clip {row}")


def require_finite(values: AnyArray, what: str) -> None:
    """Refuse a clip (d, h, w, c), or a frame (h, w, c), that holds a value that is NaN or infinite.

    Raises:
        InputError: the value and its place are named; ``what`` says whose it is.
    """
    # One NaN or infinity makes the sum so too, and a sum is much cheaper than a look at every value.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()) or np.isfinite(values).all():
            return
    where = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
    axes = ", ".join("dhwc"[-values.ndim :])
    raise InputError(f"{what} holds {values[where]} at ({axes}) = {where}; take it out, or replace the value")


def shrink(clips: AnyArray, side: int, out: FloatArray | None = None) -> AnyArray:
    """Clips of means of ``side x side`` pixels.

    Args:
        clips: array of shape (n, d, h, w, c), any real dtype.
        side: rows and columns of a block of pixels; it divides ``h`` and ``w``.  1 returns the clips as they are.
        out: array to write to where ``side`` is more; default a new one.

    Returns:
        Array of shape (n, d, h / side, w / side, c), as ``kernels.reference.block_means`` defines it.
    """
    if side == 1:
        return clips
    from kernels import cpu  # brings Numba along

    clips = clips.astype(clips.dtype.newbyteorder("="), copy=False)  # kernels read what this machine writes
    smaller: FloatArray = cpu.block_means(clips, side, out)
    return smaller


def shrunk_shape(shape: Sequence[int], side: int) -> tuple[int, ...]:
    """The shape ``(..., h, w, c)`` of clips after :func:`shrink`."""
    *before, h, w, c = shape
    return (*before, h // side, w // side, c)


def normalize(clips: AnyArray, kernels: ModuleType, out: FloatArray | None = None) -> FloatArray:
    """Standardise every frame and channel of the input to mean 0 and standard deviation 1.

    Args:
        clips: array of shape (n, d, h, w, c), any real dtype.
        kernels: edition that computes it.
        out: array to write to; default a new one of the dtype of ``clips``, float64 for integers.

    Returns:
        Array of the same shape, ``out`` where it is given.  A constant frame becomes 0.

    Source: ``input_data.normalize`` of the original, which calls this "range 0-1".
    """
    if clips.dtype not in (np.uint8, np.float32, np.float64):
        # Each dtype takes a compiled kernel of its own, and the other dtypes are rare.
        clips = clips.astype(np.result_type(clips.dtype, np.float32))
    standardized: FloatArray = kernels.standardize(clips, 0.0, out)
    return standardized


def batch_indices(count: int, batch_size: int, seed: int, step: int) -> IntArray:
    """The clips that step ``step`` trains on: batch ``step % (count // batch_size)`` of its epoch's order.

    The order is drawn anew every epoch, from the seed and the epoch's number alone, so that a resumed run needs no more
    than the step to go on.  Clips that fill no batch are left out of the epoch, as in the original.

    Returns:
        int64 ndarray of shape (batch_size,).
    """
    epoch, batch = divmod(step, count // batch_size)
    return _order(count, seed, epoch)[batch * batch_size : (batch + 1) * batch_size].copy()


@lru_cache(maxsize=1)
def _order(count: int, seed: int, epoch: int) -> IntArray:
    """The order of an epoch; drawn once, since a permutation of a million clips takes 20 ms and 8 megabytes."""
    return np.random.default_rng((seed, epoch)).permutation(count)
