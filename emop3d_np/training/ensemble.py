"""Answers of several: the mean of what several runs say of a clip, and of moved copies of it.

One run that looks at a clip once answers as its network does, to the bit.  Every answer counts alike.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy.special import log_softmax, logsumexp

from kernels.arrays import AnyArray, FloatArray

from ..datasets import Augmentation, ClipSet, clip_shape, normalize, shrink
from ..errors import InputError
from ..network import EmoP3D
from .answers import EVALUATED_TOGETHER, logits_in_parts
from .building import load_network
from .flags import Settings
from .runs import best_checkpoint


@dataclass(frozen=True)
class Member:
    """A trained network among others.

    Attributes:
        path: its checkpoint.
        net, settings: the network, and the settings of its training.
        class_names: names of its classes, in the order of their labels; None where they are not known.
    """

    path: Path
    net: EmoP3D
    settings: Settings
    class_names: tuple[str, ...] | None

    @classmethod
    def load(cls, path: str | Path) -> "Member":
        """That of a run's folder, the best one where there is one (``--patience``), or of a checkpoint.

        Raises:
            InputError: there is no checkpoint, or it is damaged.
        """
        file = best_checkpoint(path)
        net, settings = load_network(file)
        return cls(file, net, settings, known_class_names(settings, file.parent))

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
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, from the first run that knows them; their numbers where none does."""
        known = (member.class_names for member in self.members if member.class_names)
        return next(known, tuple(map(str, range(self.first.settings.num_classes))))

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
    logs = np.stack([log_softmax(np.asarray(answer, np.float64), axis=1) for answer in answers])
    mean: FloatArray = logsumexp(logs, axis=0) - np.log(len(answers))
    return mean


def known_class_names(settings: SimpleNamespace, run_folder: str | Path) -> tuple[str, ...] | None:
    """Names of a run's classes, in the order of their labels; None where they are not known.

    They are read from ``classes.txt`` in the run's folder, or in or beside its training clips.
    """
    if not settings.train_path:
        from ..datasets.faces import EMOTIONS

        return EMOTIONS
    for folder in (run_folder, settings.train_path, Path(settings.train_path).parent):
        try:
            names = tuple((Path(folder) / "classes.txt").read_text().splitlines())
        except (OSError, UnicodeDecodeError):
            continue
        if len(names) == settings.num_classes:
            return names
    return None


def _move(copies: Augmentation, number: int, clips: AnyArray) -> None:
    copies.copy(clips, number, out=clips)


def _require_alike(one: Member, other: Member) -> None:
    """Refuse two runs that cannot be averaged."""
    values: Iterable[tuple[str, Any, Any]] = (
        ("number of classes", *(each.settings.num_classes for each in (one, other))),
        ("clips of (d, h, w, c)", *(clip_shape(each.settings) for each in (one, other))),
        ("classes", *(each.class_names and ", ".join(each.class_names) for each in (one, other))),
    )
    for what, first, second in values:
        if first and second and first != second:
            raise InputError(
                f"runs that are averaged must have the same {what}: {one.path} has {first}, {other.path} has {second}"
            )
