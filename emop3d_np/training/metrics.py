"""What is said of a network's answers: loss, accuracy, UAR, macro F1, AUC, calibration, confusion matrix, recall."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

import kernels
from kernels.arrays import AnyArray, FloatArray, IntArray
from kernels.contracts import checked_labels

from ..errors import InputError
from .calibration import Reliability


def uar(confusion: IntArray) -> float:
    """Unweighted average recall, or balanced accuracy: the mean, over classes, of the share that was recognised.

    Args:
        confusion: integer array of shape (k, k): a row per true class, a column per answer; at least one clip.

    Returns:
        0 to 1; a class without clips is left out of the mean.

    Raises:
        InputError: it is no confusion matrix, or of no clip.
    """
    _require_confusion(confusion)
    totals = confusion.sum(axis=1)
    present = totals > 0
    return float(np.mean(confusion.diagonal()[present] / totals[present]))


def macro_f1(confusion: IntArray) -> float:
    """Mean over classes of F1, the harmonic mean of a class's recall and its precision.

    Args:
        confusion: as of :func:`uar`.

    Returns:
        0 to 1; a class without clips is left out of the mean, although answers that named it lower the others' recall;
        a class with clips that no answer named counts as 0.

    Raises:
        InputError: as of :func:`uar`.
    """
    _require_confusion(confusion)
    totals, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    present = totals > 0
    return float(np.mean(2 * confusion.diagonal()[present] / (totals + answers)[present]))


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a clip of a class scores higher for it than one of another class.

    Args:
        scores: probabilities or logits, array of shape (n, k).
        labels: integers of shape (n,).

    Returns:
        Of two classes the area of the second; of more the mean over classes, as MedMNIST has it.  A class that no clip
        has, or every clip, does not count; NaN where that leaves none.

    Raises:
        InputError: scores that are no numbers, or labels that are no classes of theirs.

    Source: the rank sum of Mann and Whitney, ties counted half.
    """
    scores, labels = _checked(scores, labels)
    areas = []
    for k in range(scores.shape[1]) if scores.shape[1] > 2 else (1,):
        own = labels == k
        count, others = own.sum(), (~own).sum()
        if count and others:
            ranks = _ranks(scores[:, k])
            areas.append((ranks[own].sum() - count * (count + 1) / 2) / (count * others))
    return float(np.mean(areas)) if areas else float("nan")


def figures(scores: FloatArray, labels: IntArray) -> dict[str, float | None]:
    """The four figures by which answers are compared.

    Args:
        scores: probabilities, or anything that grows with them, array of shape (n, k); the largest is the answer.
        labels: integers of shape (n,), at least one.

    Returns:
        ``accuracy``, ``uar``, ``f1`` (:func:`macro_f1`) and ``auc``, which is None where all labels are the same.

    Raises:
        InputError: as of :func:`auc`.
    """
    scores, labels = _checked(scores, labels)
    confusion = np.zeros((scores.shape[1],) * 2, np.int64)
    np.add.at(confusion, (labels, scores.argmax(axis=1)), 1)
    accuracy = float(confusion.trace() / len(labels))
    return {"accuracy": accuracy, "uar": uar(confusion), "f1": macro_f1(confusion), "auc": _known(auc(scores, labels))}


def in_words(found: Mapping[str, Any]) -> str:
    """The figures, as of :func:`figures`, in a line; "-" for what is not known."""
    area = "-" if found["auc"] is None else f"{found['auc']:.3f}"
    return (
        f"accuracy {100 * found['accuracy']:.1f} %, AUC {area}, "
        f"UAR {100 * found['uar']:.1f} %, macro F1 {100 * found['f1']:.1f} %"
    )


@dataclass
class Tally:
    """Running sums over clips, which but for rounding do not depend on how the clips were dealt into batches.

    Attributes:
        clips: how many were counted.
        loss_sum: the sum of their losses.
        correct: how many were answered rightly.
    """

    clips: int = 0
    loss_sum: float = 0.0
    correct: int = 0

    def add(self, loss: float, logits: FloatArray, labels: IntArray) -> None:
        """Count a batch: its mean loss, its logits (n, k) and labels (n,)."""
        self.clips += len(labels)
        self.loss_sum += loss * len(labels)
        self.correct += int((logits.argmax(axis=1) == labels).sum())

    def reset(self) -> None:
        """Begin anew, with no clip counted."""
        self.clips, self.loss_sum, self.correct = 0, 0.0, 0

    @property
    def loss(self) -> float:
        """Mean loss of the clips."""
        return self.loss_sum / self.clips

    @property
    def accuracy(self) -> float:
        """Share of clips answered rightly, 0 to 1."""
        return self.correct / self.clips


@dataclass
class Evaluation(Tally):
    """A tally that also keeps the confusion matrix, and every clip's probabilities.

    Attributes:
        class_names: one name per class, in the order of the matrix.
        confusion: int64 ndarray of shape (k, k): a row per true class, a column per answer.
        scores, labels: lists with an array per batch, float64 (b, k) and int64 (b,): the probabilities of the classes
            and the true ones.
    """

    class_names: tuple[str, ...] = ()
    confusion: IntArray = field(init=False)
    scores: list[FloatArray] = field(default_factory=list)
    labels: list[IntArray] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((len(self.class_names),) * 2, np.int64)

    def add(self, loss: float, logits: FloatArray, labels: IntArray) -> None:
        """Count a batch, as :meth:`Tally.add` does.

        Raises:
            InputError: the logits or the labels are not of these classes; nothing is counted then.
        """
        if np.ndim(logits) != 2 or np.shape(logits)[1] != len(self.class_names):
            raise InputError(f"logits have shape {np.shape(logits)}; there are {len(self.class_names)} classes")
        labels = checked_labels(labels, len(logits), len(self.class_names))
        super().add(loss, logits, labels)
        np.add.at(self.confusion, (labels, logits.argmax(axis=1)), 1)
        self.scores.append(kernels.edition("reference").softmax(np.asarray(logits, np.float64)))
        self.labels.append(np.asarray(labels))

    @property
    def uar(self) -> float:
        """As of :func:`uar`."""
        return uar(self.confusion)

    @property
    def f1(self) -> float:
        """As of :func:`macro_f1`."""
        return macro_f1(self.confusion)

    @property
    def auc(self) -> float | None:
        """As of :func:`auc`; None where all clips are of one class."""
        return _known(auc(np.concatenate(self.scores), np.concatenate(self.labels)))

    @property
    def reliability(self) -> Reliability:
        """How often answers were right, by how sure they were."""
        return Reliability.of(np.concatenate(self.scores), np.concatenate(self.labels))

    @property
    def calibration_error(self) -> float | None:
        """As of :attr:`Reliability.error`; None where a probability is not finite."""
        return _known(self.reliability.error)

    def recall(self) -> dict[str, float | None]:
        """Share of each class's clips that were recognised, by name; None for a class without clips."""
        totals = self.confusion.sum(axis=1)
        return {
            name: self.confusion[k, k] / totals[k] if totals[k] else None for k, name in enumerate(self.class_names)
        }

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, for JSON."""
        recall = {name: None if share is None else float(share) for name, share in self.recall().items()}
        return {
            "clips": self.clips,
            "loss": self.loss,
            "accuracy": self.accuracy,
            "uar": self.uar,
            "f1": self.f1,
            "auc": self.auc,
            "ece": self.calibration_error,
            "recall": recall,
            "class_names": list(self.class_names),
            "confusion": self.confusion.tolist(),
        }

    def __str__(self) -> str:
        """The confusion matrix as a table: a row per true class, a column per answer, the recall at the end."""
        width = max(6, *(len(name) + 1 for name in self.class_names))
        head = " " * width + "".join(f"{name[:7]:>8}" for name in self.class_names) + "  recall"
        rows = [
            f"{name:<{width}}"
            + "".join(f"{count:>8}" for count in counts)
            + (f"{100 * share:>7.1f}%" if share is not None else f"{'-':>8}")
            for (name, share), counts in zip(self.recall().items(), self.confusion, strict=True)
        ]
        return "\n".join([head, *rows])


def _known(value: float) -> float | None:
    """A value as JSON has it, which knows no NaN."""
    return None if np.isnan(value) else value


def _checked(scores: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, IntArray]:
    """Scores (n, k) and labels (n,), looked at."""
    scores = np.asarray(scores)
    if scores.ndim != 2 or not scores.size or scores.dtype.kind not in "fiu":
        raise InputError(f"scores have shape {scores.shape} and dtype {scores.dtype}; give real numbers (n, k), n >= 1")
    if np.isnan(scores).any():
        raise InputError(f"scores hold NaN, the first in row {int(np.argwhere(np.isnan(scores))[0, 0])}")
    return scores, checked_labels(labels, len(scores), scores.shape[1])


def _require_confusion(confusion: IntArray) -> None:
    """Refuse what is no matrix of counts, or of none."""
    shape = np.shape(confusion)
    if len(shape) != 2 or shape[0] != shape[1]:
        raise InputError(f"confusion has shape {shape}; it must be (k, k)")
    if confusion.min() < 0:
        raise InputError(f"confusion holds the negative count {confusion.min()}")
    if not confusion.any():
        raise InputError("confusion is of no clip")


def _ranks(values: AnyArray) -> FloatArray:
    """The place of each value of an array (n,) among them all, from 1; equal values share the mean of their places."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place.ravel()]
