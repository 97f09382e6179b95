"""Answers of several: the mean of what several runs say of a clip, and of moved copies of it.

One run that looks at a clip once answers as its network does, to the bit.  Every answer counts alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, repeat
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp

from kernels.arrays import AnyArray, FloatArray

from ..datasets import Augmentation, ClipSet, clip_shape, normalize, shrink
from ..datasets.classes import numbered
from ..datasets.record import Record
from ..errors import InputError
from ..network import EmoP3D
from . import checkpoint
from .answers import EVALUATED_TOGETHER, logits_in_parts
from .building import network_of
from .flags import Settings
from .runs import best_checkpoint


@dataclass(frozen=True)
class Member:
    """A trained network among others.

    Attributes:
        path: its checkpoint.
        net, settings: the network, and the settings of its training.
        class_names: names of its classes, in the order of their labels; None in a checkpoint of an older version.
        record: how its training clips came to be; None where that is not known.
    """

    path: Path
    net: EmoP3D
    settings: Settings
    class_names: tuple[str, ...] | None
    record: Record | None

    @classmethod
    def load(cls, path: str | Path) -> "Member":
        """That of a run's folder, the best one where there is one (``--patience``), or of a checkpoint.

        Raises:
            InputError: there is no checkpoint, or it is damaged.
        """
        file = best_checkpoint(path)
        state = checkpoint.load(file)
        return cls(file, *network_of(state), state.class_names, state.record)

    @property
    def says_names(self) -> bool:
        """Whether it knows its classes by more than their numbers."""
        return self.class_names not in (None, numbered(self.settings.num_classes))

    def logits(self, clips: AnyArray) -> FloatArray:
        """Logits (n, k) of raw clips (n, d, h, w, c), which are shrunk and standardised as in its training."""
        clips = shrink(clips, self.settings.shrink)
        if self.settings.normalize:
            clips = normalize(np.ascontiguousarray(clips), self.net.kernels)
        return self.net.forward(clips)

    def logits_of_set(self, clips: ClipSet, copies: Augmentation, number: int) -> FloatArray:
        """Logits (n, k) of moved copy ``number`` of the clips of a set, which are read and moved a few at a time."""
        own = replace(clips, shrink=self.settings.shrink)
        moves = repeat(partial(_move, copies, number)) if number else ()
        everything = np.arange(len(own))
        parts = logits_in_parts(self.net, own, everything, EVALUATED_TOGETHER, self.settings.normalize, moves)
        return np.concatenate([logits for logits, _ in parts])


class Ensemble:
    """One or several runs that answer together.

    Args:
        paths: folders of runs, or checkpoints; or one.
        moved: copies of every clip that each run looks at, at least 1; default 1, the clip itself.  What the others
            are: :meth:`emop3d_np.datasets.Augmentation.copy`, drawn from the run's own moves, or from small ones where
            it was trained without (:meth:`~emop3d_np.datasets.Augmentation.of_copies`).
        temperature: above 0: what the logits are divided by before they become probabilities; default 1.

    Attributes:
        members: a :class:`Member` per run, in the order given.
        moved, temperature: as given.

    Raises:
        InputError: there is no checkpoint, or it is damaged; or two runs differ in their classes, in how many these
            are, or in the size of their clips.

    Clips are shrunk and standardised for each run as in its training.  What is averaged are probabilities.  The logits
    of several answers are the logarithm of that mean, so a temperature is applied to the averaged log-probabilities;
    those of a single answer are the network's own.
    """

    def __init__(self, paths: str | Path | Sequence[str | Path], moved: int = 1, temperature: float = 1.0) -> None:
        self.members = [Member.load(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
        self.moved, self.temperature = moved, temperature
        for one, other in combinations(self.members, 2):
            _require_alike(one, other)

    @property
    def first(self) -> Member:
        """The first run, whose classes and size of clips are all the others'."""
        return self.members[0]

    @property
    def stored_names(self) -> tuple[str, ...] | None:
        """Names of the classes, from the first run that knows more than their numbers; else what the first one has."""
        return next((member for member in self.members if member.says_names), self.first).class_names

    def logits(self, clips: AnyArray) -> FloatArray:
        """Logits (n, k) of raw clips (n, d, h, w, c), before the temperature."""
        return combined(
            [
                member.logits(Augmentation.of_copies(member.settings).copy(clips, number))
                for member in self.members
                for number in range(self.moved)
            ]
        )

    def probabilities(self, clips: AnyArray) -> FloatArray:
        """Probabilities (n, k) of raw clips (n, d, h, w, c)."""
        return np.asarray(self.first.net.kernels.softmax(self.logits(clips) / self.temperature))

    def logits_of_set(self, clips: ClipSet) -> FloatArray:
        """Logits (n, k) of a set's clips, before the temperature; the set is read once per run and copy."""
        return combined(
            [
                member.logits_of_set(clips, Augmentation.of_copies(member.settings), number)
                for member in self.members
                for number in range(self.moved)
            ]
        )


def combined(answers: Sequence[FloatArray]) -> FloatArray:
    """Logits whose softmax is the mean of the answers' softmax.

    Args:
        answers: at least one ndarray of shape (n, k): logits.

    Returns:
        The one answer as it is; of several, ``log(mean softmax(answer))``, float64 (n, k).
    """
    if len(answers) == 1:
        return answers[0]
    with np.errstate(invalid="ignore"):  # what is not finite stays so
        logs = np.stack([log_softmax(np.asarray(answer, np.float64), axis=1) for answer in answers])
        mean: FloatArray = logsumexp(logs, axis=0) - np.log(len(answers))
    return mean


def _move(copies: Augmentation, number: int, clips: AnyArray) -> None:
    copies.copy(clips, number, out=clips)


def _require_alike(one: Member, other: Member) -> None:
    """Refuse two runs that cannot be averaged."""
    pairs: list[tuple[str, Any, Any]] = [
        ("number of classes", one.settings.num_classes, other.settings.num_classes),
        ("clips of (d, h, w, c)", clip_shape(one.settings), clip_shape(other.settings)),
    ]
    if one.says_names and other.says_names:
        names, others = (", ".join(each.class_names or ()) for each in (one, other))
        pairs.insert(1, ("classes", names, others))
    for what, first, second in pairs:
        if first != second:
            raise InputError(
                f"runs that are averaged must have the same {what}: {one.path} has {first}, {other.path} has {second}"
            )
