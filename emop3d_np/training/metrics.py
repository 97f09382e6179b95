"""What is said of a network's answers: loss, accuracy, confusion matrix, recall."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kernels.arrays import FloatArray, IntArray


def auc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a clip of a class scores higher for it than one of another class.

    Args:
        scores: probabilities or logits, array of shape (n, k).
        labels: integers of shape (n,).

    Returns:
        Of two classes the area of the second; of more the mean over classes, as MedMNIST has it.  A class that no clip
        has, or every clip, does not count; NaN where that leaves none.

    Source: the rank sum of Mann and Whitney, ties counted half.
    """
    from scipy.stats import rankdata  # slow to import, and no training needs it

    scores, labels = np.asarray(scores), np.asarray(labels)
    areas = []
    for k in range(scores.shape[1]) if scores.shape[1] > 2 else (1,):
        own = labels == k
        count, others = own.sum(), (~own).sum()
        if count and others:
            ranks = rankdata(scores[:, k])
            areas.append((ranks[own].sum() - count * (count + 1) / 2) / (count * others))
    return float(np.mean(areas)) if areas else float("nan")


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
    """A tally that also keeps the confusion matrix.

    Attributes:
        class_names: one name per class, in the order of the matrix.
        confusion: int64 ndarray of shape (k, k): a row per true class, a column per answer.
    """

    class_names: tuple[str, ...] = ()
    confusion: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.confusion = np.zeros((len(self.class_names),) * 2, np.int64)

    def add(self, loss: float, logits: FloatArray, labels: IntArray) -> None:
        """Count a batch, as :meth:`Tally.add` does."""
        super().add(loss, logits, labels)
        np.add.at(self.confusion, (labels, logits.argmax(axis=1)), 1)

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
