"""A set of labelled clips, and the batches that training takes from it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, repeat

import numpy as np

from ..errors import InputError


@dataclass(frozen=True)
class ClipSet:
    """Clips with their labels.

    Attributes:
        name: where they come from, for messages.
        clips: array of shape (n, d, h, w, c), any real dtype; may be memory-mapped, it is read a batch at a time.
        labels: int64 ndarray of shape (n,).
        class_names: one a class.
        draw: function of clip numbers, called in the caller's thread before these clips are read; default None.
        index: what is known of every clip: dict of arrays of shape (n,), ``subject``, ``source``, ``video`` and
            ``first_frame``; default None.
        rows: where in ``clips`` the set's clips stand, int64 ndarray of shape (n,); default None, all of them.
    """

    name: str
    clips: np.ndarray
    labels: np.ndarray
    class_names: tuple
    draw: Callable | None = None
    index: dict | None = None
    rows: np.ndarray | None = None

    def __len__(self):
        return len(self.labels)

    def take(self, chosen, name):
        """The clips numbered ``chosen``, an integer ndarray, as a set of their own; nothing is copied."""
        index = self.index and {column: values[chosen] for column, values in self.index.items()}
        return replace(self, name=name, labels=self.labels[chosen], index=index, rows=self._rows(chosen))

    def _rows(self, indices):
        return indices if self.rows is None else self.rows[indices]

    def check_finite(self, progress):
        """Look through all clips.  ``progress`` wraps the iterable of their numbers, as tqdm does.

        Raises:
            InputError: a value is NaN or infinite; the clip is named.
        """
        if self.clips.dtype.kind == "f":
            for row in progress(self._rows(np.arange(len(self)))):
                self._require_finite(row, self.clips[row])

    def batches(self, index_lists, kernels, dtype, normalized=True, changes=()):
        """Gather batches, each read from disk while the one before is in use.

        Args:
            index_lists: iterable of arrays of clip numbers, one a batch.
            kernels: edition that normalises; one that has the arrays elsewhere is given each batch while the one before
                is in use.
            dtype: of the batches.
            normalized: True (default) applies :func:`normalize`; False only casts.
            changes: functions, one a batch, that may change its clips in place before that; default none.

        Yields:
            ``x, labels``: of shape (b, d, h, w, c), an ndarray or the edition's own kind of array, and an ndarray (b,).
            ``x`` is written anew for the next batch.

        Raises:
            InputError: a value is NaN or infinite; the clip is named.
        """
        # The thread only copies: kernels stay in the caller's thread, since not all of Numba's layers allow two.
        elsewhere = hasattr(kernels, "upload")
        empty, upload = (kernels.pinned, kernels.upload) if elsewhere else (np.empty, lambda raw, _: raw)
        with ThreadPoolExecutor(1) as reader:
            spare, x = [], None
            wanted = zip(index_lists, chain(changes, repeat(None)), strict=False)
            coming = self._read_next(wanted, reader, spare, empty, upload)
            while coming:
                indices, rows, future = coming
                raw, placed = future.result()
                coming = self._read_next(wanted, reader, spare, empty, upload)
                if x is None or x.shape != raw.shape:
                    x = np.empty_like(placed, dtype=dtype)
                if raw.dtype.kind == "f" and not (elsewhere and np.isfinite(placed).all()):
                    for row, clip in zip(rows, raw, strict=True):
                        self._require_finite(row, clip)
                if normalized:
                    normalize(placed, kernels, x)
                else:
                    x[...] = placed
                if elsewhere:
                    kernels.finish()
                spare.append((raw, placed))
                yield x, self.labels[indices]

    def _read_next(self, wanted, reader, spare, empty, upload):
        indices, change = next(wanted, (None, None))
        if indices is None:
            return None
        rows = self._rows(indices)
        if self.draw:
            self.draw(rows)
        return indices, rows, reader.submit(self._read, rows, change, spare, empty, upload)

    def _read(self, rows, change, spare, empty, upload):
        """Copy the clips at ``rows`` into arrays that are no longer used, or new ones: here, and where kernels work."""
        shape = (len(rows), *self.clips.shape[1:])
        raw, placed = next((spare.pop(i) for i, (array, _) in enumerate(spare) if array.shape == shape), (None, None))
        if raw is None:
            raw = empty(shape, self.clips.dtype.newbyteorder("="))
        for row, clip in zip(rows, raw, strict=True):
            clip[...] = self.clips[row]
        if change:
            change(raw)
        return raw, upload(raw, placed)

    def _require_finite(self, row, clip):
        # One NaN or infinity makes the sum so too, and a sum is much cheaper than a look at every value.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(clip.sum()) or np.isfinite(clip).all():
                return
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(clip))[0])
        raise InputError(
            f"{self.name}: clip {row} holds {clip[where]} at (d, h, w, c) = {where}; take it out, or replace the value"
        )


def normalize(clips, kernels, out=None):
    """Preprocessing of the input: every frame and channel to mean 0 and standard deviation 1.

    Args:
        clips: array of shape (n, d, h, w, c), any real dtype.
        kernels: edition that computes it.
        out: array to write to; default a new one of the dtype of ``clips``, float64 for integers.

    Returns:
        ndarray of the same shape.  A constant frame becomes 0.

    Source: ``input_data.normalize`` of the original, which calls this "range 0-1".
    """
    if clips.dtype not in (np.uint8, np.float32, np.float64):
        # One compiled kernel a dtype: the others are rare.
        clips = clips.astype(np.result_type(clips.dtype, np.float32))
    return kernels.standardize(clips, 0.0, out)


def batch_indices(count, batch_size, seed, step):
    """Which clips step ``step`` trains on: batch ``step % (count // batch_size)`` of its epoch's order.

    The order is drawn anew every epoch, from the seed and the epoch's number alone, so that a resumed run needs no more
    than the step to go on.  What fills no batch is left out of the epoch, as in the original.
    """
    epoch, batch = divmod(step, count // batch_size)
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return order[batch * batch_size : (batch + 1) * batch_size]
