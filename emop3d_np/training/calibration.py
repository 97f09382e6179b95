"""Whether probabilities can be taken at their word: how often answers of 80 % are right, and what mends them.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017, arXiv 1706.04599.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kernels.arrays import FloatArray, IntArray

from ..errors import InputError

BINS = 15
"""Bins of equal width that the probability of the answer is dealt into, as in the paper."""
TEMPERATURES = 1e-3, 1e3
"""Between these a temperature is looked for."""


@dataclass(frozen=True)
class Reliability:
    """How sure the answers were, and how often right, bin by bin.

    Attributes:
        counts: int64 ndarray of shape (:data:`BINS`,): clips whose answer's probability lies in the bin: above
            ``m / BINS``, up to ``(m + 1) / BINS``, for bin ``m`` from 0.
        confidence: float64 ndarray of that shape: mean probability of these answers; NaN for an empty bin.
        accuracy: float64 ndarray of that shape: share of them that were right; NaN for an empty bin.
    """

    counts: IntArray
    confidence: FloatArray
    accuracy: FloatArray

    @classmethod
    def of(cls, scores: ArrayLike, labels: ArrayLike) -> "Reliability":
        """That of probabilities (n, k) of the classes, the largest being the answer, and labels (n,), n >= 1."""
        scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
        top = scores.max(axis=1)
        place = np.clip(np.ceil(np.nan_to_num(top) * BINS).astype(np.int64) - 1, 0, BINS - 1)
        counts = np.bincount(place, minlength=BINS)
        filled = np.where(counts > 0, counts, np.nan)
        right = scores.argmax(axis=1) == labels
        sums = (np.bincount(place, values, BINS) for values in (top, right))
        return cls(counts, *(total / filled for total in sums))

    @property
    def error(self) -> float:
        """The expected calibration error, 0 to 1: ``sum_m counts[m] / n |accuracy[m] - confidence[m]|``; equation 3.

        NaN where a probability is.
        """
        gaps = np.where(self.counts > 0, np.abs(self.accuracy - self.confidence), 0)
        return float((self.counts * gaps).sum() / self.counts.sum())

    def as_dict(self) -> dict[str, list[Any]]:
        """Lists, for JSON; None for what an empty bin has not."""
        shares = {"confidence": self.confidence, "accuracy": self.accuracy}
        return {"counts": self.counts.tolist()} | {
            name: [None if np.isnan(value) else float(value) for value in values] for name, values in shares.items()
        }


def fit_temperature(logits: ArrayLike, labels: ArrayLike) -> float:
    """The temperature ``T`` at which probabilities ``softmax(logits / T)`` fit the labels best.

    Above 1 it makes answers less sure, below 1 surer.  The most probable class stays what it is.

    Args:
        logits: array of shape (n, k), of clips that were not trained on.  Log-probabilities are logits too.
        labels: integers of shape (n,).

    Returns:
        The ``T`` of the least mean of ``-log softmax(logits / T)[n, labels[n]]``, which SciPy finds by its bounded
        search over ``log T``: the mean is convex in ``1 / T``, so there is one valley.

    Raises:
        InputError: a logit is not finite; or there is no least: every clip is answered rightly, or the true classes do
            not score above the others.

    Source: section 4.2 of the paper, "temperature scaling".
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
    true = logits[np.arange(len(labels)), labels]
    if not np.isfinite(logits).all():
        raise InputError("a temperature cannot be fitted to answers that are not finite")
    # With b = 1 / T the mean's slope is mean(E_p[logit] - true): it rises from its value at b = 0, where p is even, to
    # that at b = infinity, where p is all on the largest.  The least is where it is 0.
    if (true == logits.max(axis=1)).all():
        raise InputError(
            f"a temperature cannot be fitted to {len(labels)} clips that are all answered rightly: the surer, the "
            f"better, without end; give more clips, which the runs were not trained on"
        )
    if true.mean() <= logits.mean():
        raise InputError(
            f"a temperature cannot be fitted to {len(labels)} clips whose true classes do not score above the others: "
            f"the less sure, the better, without end; are these the runs' classes?"
        )

    def loss(log_temperature):
        return -log_softmax(logits / np.exp(log_temperature), axis=1)[np.arange(len(labels)), labels].mean()

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))
