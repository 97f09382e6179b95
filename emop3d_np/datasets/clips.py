"""A set of labelled clips, and the batches that training takes from it."""

from dataclasses import dataclass

import numpy as np

from ..errors import InputError

CLIPS_AT_A_TIME = 4
"""Clips read, checked and normalised together: what stands in memory beside the batch."""


@dataclass(frozen=True)
class ClipSet:
    """Clips with their labels.

    Attributes:
        name: where they come from, for messages.
        clips: array of shape (n, d, h, w, c), any real dtype; may be memory-mapped, it is read a few at a time.
        labels: int64 ndarray of shape (n,).
        class_names: one a class.
    """

    name: str
    clips: np.ndarray
    labels: np.ndarray
    class_names: tuple

    def __len__(self):
        return len(self.labels)

    def check_finite(self, progress):
        """Look through all clips.  ``progress`` wraps the iterable of parts, as tqdm does.

        Raises:
            InputError: a value is NaN or infinite; the clip is named.
        """
        if self.clips.dtype.kind == "f":
            for start in progress(range(0, len(self), CLIPS_AT_A_TIME)):
                indices = np.arange(start, min(start + CLIPS_AT_A_TIME, len(self)))
                self._require_finite(self.clips[indices[0] : indices[-1] + 1], indices)

    def gather(self, indices, kernels, dtype, normalized=True):
        """The clips at ``indices`` as one batch.

        Args:
            indices: integers of shape (b,).
            kernels: edition that normalises.
            dtype: of the batch.
            normalized: True (default) applies :func:`normalize`; False only casts.

        Returns:
            ``x, labels``: ndarrays of shape (b, d, h, w, c) and (b,).

        Raises:
            InputError: a value is NaN or infinite; the clip is named.
        """
        x = np.empty((len(indices), *self.clips.shape[1:]), dtype)
        for start in range(0, len(indices), CLIPS_AT_A_TIME):
            part = slice(start, start + CLIPS_AT_A_TIME)
            raw = np.stack([self.clips[index] for index in indices[part]])
            if raw.dtype.kind == "f":
                self._require_finite(raw, indices[part])
            x[part] = normalize(raw, kernels) if normalized else raw
        return x, self.labels[indices]

    def _require_finite(self, clips, indices):
        # One NaN or infinity makes the sum so too, and a sum is much cheaper than a look at every value.
        with np.errstate(over="ignore", invalid="ignore"):
            if np.isfinite(clips.sum()):
                return
        for index, clip in zip(indices, clips, strict=True):
            if not np.isfinite(clip).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(clip))[0])
                raise InputError(
                    f"{self.name}: clip {index} holds {clip[where]} at (d, h, w, c) = {where}; "
                    f"take it out, or replace the value"
                )


def normalize(clips, kernels):
    """Preprocessing of the input: every frame and channel to mean 0 and standard deviation 1.

    Args:
        clips: array of shape (n, d, h, w, c), any real dtype.
        kernels: edition that computes it.

    Returns:
        ndarray of the same shape, float32, or float64 where the dtype of ``clips`` does not fit into float32.  A
        constant frame becomes 0.

    Source: ``input_data.normalize`` of the original, which calls this "range 0-1" and returns float64 for integers.
    """
    return kernels.standardize(np.ascontiguousarray(clips, np.result_type(clips.dtype, np.float32)), epsilon=0.0)


def batch_indices(count, batch_size, seed, step):
    """Which clips step ``step`` trains on: batch ``step % (count // batch_size)`` of its epoch's order.

    The order is drawn anew every epoch, from the seed and the epoch's number alone, so that a resumed run needs no more
    than the step to go on.  What fills no batch is left out of the epoch, as in the original.
    """
    epoch, batch = divmod(step, count // batch_size)
    order = np.random.default_rng((seed, epoch)).permutation(count)
    return order[batch * batch_size : (batch + 1) * batch_size]
