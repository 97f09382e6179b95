"""What a straight line through a few pixels would answer: ridge regression, against which every network is held.

A clip becomes block means of its last frame, of its mean frame, of the difference from the first frame to the last, or
of all frames; with frames standardised, as the network sees them, and as they are; with blocks of two sizes.  Which of
these, and how strong a penalty, is chosen by folds of the training clips alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from kernels.arrays import AnyArray, FloatArray, IntArray

from .. import datasets, memory
from ..errors import InputError
from .metrics import figures

READ_TOGETHER = 32
"""Clips in memory at a time, whole, while block means are taken."""
BLOCKS_ACROSS = 20
"""About how many blocks the longer side of a frame is cut into."""
LARGEST = 2000
"""Equations that a ridge regression may have: features or training clips, whichever are fewer.  All frames in blocks
that would give more are left out, and twice as large blocks taken."""
PENALTIES = (10.0, 1.0, 0.1, 0.01)
"""Penalties that are tried, strong ones first, in units of the mean eigenvalue of what is inverted."""
INNER_FOLDS = 3

FRAMES = ("last frame", "mean frame", "first to last", "all frames")


@dataclass(frozen=True)
class Variant:
    """One way to make a short vector of a clip.

    Attributes:
        frames: one of :data:`FRAMES`.
        factor: blocks of :class:`Blocks` that are averaged again, along a side.
        standardized: whether every frame and channel is brought to mean 0 and deviation 1 before.
        side: pixels along a block; only words.
    """

    frames: str
    factor: int
    standardized: bool
    side: int

    def __str__(self) -> str:
        state = "standardised" if self.standardized else "as it is"
        return f"{self.frames}, {state}, blocks of {self.side * self.factor}"


@dataclass(frozen=True)
class Blocks:
    """The clips of a set in small.

    Attributes:
        means: float32 ndarray of shape (n, d, h', w', c): means over blocks of ``side`` x ``side`` pixels; those at the
            end of a row or column may be smaller.
        frame_means, frame_deviations: float32 ndarrays of shape (n, d, 1, 1, c), of the pixels of every frame.
        side: pixels.
    """

    means: FloatArray
    frame_means: FloatArray
    frame_deviations: FloatArray
    side: int

    def features(self, variant: Variant) -> FloatArray:
        """The vectors that a variant makes of the clips, ndarray of shape (n, p).

        Standardising commutes with block means, so both are had from one reading.
        """
        x = self.means
        if variant.standardized:
            deviations = np.where(self.frame_deviations > 0, self.frame_deviations, np.inf)
            x = (x - self.frame_means) / deviations
        if variant.frames == "last frame":
            x = x[:, -1:]
        elif variant.frames == "mean frame":
            x = x.mean(axis=1, keepdims=True)
        elif variant.frames == "first to last":
            x = x[:, -1:] - x[:, :1]
        return block_means(x, variant.factor).reshape(len(x), -1)

    def variants(self, clip_count: int) -> list[Variant]:
        """The variants there are, where so many clips are trained on."""
        _, d, h, w, c = self.means.shape
        found = []
        for frames in FRAMES:
            depth = d if frames == "all frames" else 1
            sizes = {f: depth * -(-h // f) * -(-w // f) * c for f in (1, 2, 4, 8)}
            fitting = [f for f, size in sizes.items() if min(size, clip_count) <= LARGEST] or [max(sizes)]
            found += [Variant(frames, f, state, self.side) for f in fitting[:2] for state in (True, False)]
        return found


@dataclass(frozen=True)
class Answer:
    """What a baseline says of the clips that test it.

    Attributes:
        scores: float64 ndarray of shape (m, k); the largest is the answer.
        penalty: chosen by the inner folds.
        inner_accuracy: share of the training clips that the inner folds answered rightly with it.
    """

    scores: FloatArray
    penalty: float
    inner_accuracy: float


def block_means(x: FloatArray, side: int) -> FloatArray:
    """Means over blocks of ``side`` x ``side`` pixels, (n, d, h, w, c) to (n, d, h', w', c).

    The blocks at the end of a row or column are smaller where they do not fill it.
    """
    for axis in (2, 3):
        starts = np.arange(0, x.shape[axis], side)
        counts = np.diff(starts, append=x.shape[axis]).reshape((-1,) + (1,) * (4 - axis))
        x = np.add.reduceat(x, starts, axis=axis) / counts.astype(x.dtype)
    return x


def read_blocks(clips: datasets.ClipSet) -> Blocks:
    """Read every clip once, a few at a time.

    Raises:
        InputError: a value is not finite, or the memory does not hold the block means.
    """
    n, (d, h, w, c) = len(clips), clips.clips.shape[1:]
    side = -(-max(h, w) // BLOCKS_ACROSS)
    shape = (n, d, -(-h // side), -(-w // side), c)
    # The block means, their copies on the way to a variant's features, and one system of equations.
    memory.require(4 * 4 * int(np.prod(shape)) + 16 * LARGEST**2, f"the linear baseline of {n} clips", "leave it out")
    means = np.empty(shape, np.float32)
    frame_means, frame_deviations = np.empty((2, n, d, 1, 1, c), np.float32)
    parts = [np.arange(start, min(start + READ_TOGETHER, n)) for start in range(0, n, READ_TOGETHER)]
    for part, x in zip(parts, _raw(clips, parts), strict=True):
        means[part] = block_means(x, side)
        frame_means[part] = x.mean(axis=(2, 3), keepdims=True, dtype=np.float64)
        frame_deviations[part] = x.std(axis=(2, 3), keepdims=True, dtype=np.float64)
    return Blocks(means, frame_means, frame_deviations, side)


def inner_folds(clips: datasets.ClipSet, chosen: IntArray, protocol: str, seed: int) -> IntArray:
    """Folds of training clips; clips linked by a subject or a source stay together where ``protocol`` says "subjects".

    Args:
        clips: ClipSet.
        chosen: integer ndarray of shape (n,): the clips that are trained on.
        protocol, seed: as of the settings ``fold_protocol`` and ``seed``.

    Returns:
        int64 ndarray of shape (n,), ``0 ... INNER_FOLDS - 1``.  Where all clips hang together, each goes by itself.
    """
    groups: IntArray = np.arange(len(chosen))
    if protocol == "subjects" and clips.index:
        linked = datasets.linked_groups(clips.index["subject"][chosen], clips.index["source"][chosen])
        groups = linked if len(np.unique(linked)) > 1 else groups
    count = min(INNER_FOLDS, len(np.unique(groups)))
    if count < 2:
        raise InputError(f"{clips.name}: a linear baseline needs at least two clips to train on, here is {len(chosen)}")
    return datasets.group_folds(groups, clips.labels[chosen], count, seed)


def ridge(x: FloatArray, targets: FloatArray, penalties: Sequence[float]) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Ridge regression with an intercept that is not penalised, one per penalty.

    Args:
        x: ndarray of shape (n, p).
        targets: ndarray of shape (n, k).
        penalties: factors of the mean eigenvalue of the centred ``x' x``, or of ``x x'`` where it is the smaller.

    Yields:
        Weights (p, k) and intercepts (k,): least ``||x w + b - targets||^2 + penalty ||w||^2``.
    """
    mean, middle = x.mean(axis=0), targets.mean(axis=0)
    x, y = x - mean, targets - middle
    wide = x.shape[1] > len(x)
    gram = x @ x.T if wide else x.T @ x
    right = y if wide else x.T @ y
    scale = gram.trace() / len(gram) or 1.0  # all clips alike: any penalty gives weights of 0
    for penalty in penalties:
        system = gram.copy()
        system.flat[:: len(gram) + 1] += penalty * scale
        solved = cho_solve(cho_factor(system, overwrite_a=True, check_finite=False), right, check_finite=False)
        weights = x.T @ solved if wide else solved
        yield weights, middle - mean @ weights


def ridge_answer(x: FloatArray, labels: IntArray, inner: IntArray, tested: FloatArray, classes: int) -> Answer:
    """Train ridge regression on the classes, the penalty chosen by inner folds, and put it to other clips.

    Args:
        x: ndarray of shape (n, p), the training clips.
        labels: integers of shape (n,).
        inner: ndarray of shape (n,): the inner fold that tests each of them.
        tested: ndarray of shape (m, p).
        classes: k.
    """
    x = x.astype(np.float64)
    targets = np.eye(classes)[labels]
    right = np.zeros(len(PENALTIES), np.int64)
    for fold in range(int(inner.max()) + 1):
        own = inner == fold
        for place, (weights, intercept) in enumerate(ridge(x[~own], targets[~own], PENALTIES)):
            right[place] += ((x[own] @ weights + intercept).argmax(axis=1) == labels[own]).sum()
    best = int(right.argmax())  # the first of equals, which is the strongest penalty
    ((weights, intercept),) = ridge(x, targets, PENALTIES[best : best + 1])
    return Answer(tested.astype(np.float64) @ weights + intercept, PENALTIES[best], float(right[best] / len(labels)))


@dataclass(frozen=True)
class Split:
    """Which clips train and which test.

    Attributes:
        train, test: integer ndarrays of shapes (b,) and (m,): numbers of clips.
        inner: ndarray of shape (b,): the inner fold of each clip of ``train``.
    """

    train: IntArray
    test: IntArray
    inner: IntArray


def ridge_answers(
    blocks: Blocks, labels: IntArray, splits: Sequence[Split], classes: int
) -> list[dict[Variant, Answer]]:
    """Every variant's answer to the clips that test each split, trained on the others of the split.

    Args:
        blocks: of all clips.
        labels: integers of shape (n,), of all clips.
        splits: at least one.
        classes: k.
    """
    answers: list[dict[Variant, Answer]] = [{} for _ in splits]
    for variant in blocks.variants(max(len(split.train) for split in splits)):
        x = blocks.features(variant)
        for of_split, split in zip(answers, splits, strict=True):
            of_split[variant] = ridge_answer(x[split.train], labels[split.train], split.inner, x[split.test], classes)
    return answers


def best_variant(answers: dict[Variant, Answer]) -> Variant:
    """The variant of the highest accuracy on the inner folds; of equals the first."""
    return max(answers, key=lambda variant: answers[variant].inner_accuracy)


def split_of(clips: datasets.ClipSet, fold_of: IntArray, fold: int, protocol: str, seed: int) -> Split:
    """The split of one fold.

    Args:
        clips: ClipSet of n clips.
        fold_of: ndarray of shape (n,): the fold, counted from 0, that tests each clip.
        fold: its number, from 0.
        protocol, seed: as of :func:`inner_folds`.
    """
    train = np.flatnonzero(fold_of != fold)
    return Split(train, np.flatnonzero(fold_of == fold), inner_folds(clips, train, protocol, seed))


def of_folds(clips: datasets.ClipSet, fold_of: IntArray, protocol: str, seed: int) -> list[dict[str, Any]]:
    """The linear baseline of a cross-validation.

    Args:
        clips: ClipSet of n clips.
        fold_of: ndarray of shape (n,): the fold, counted from 0, that tests each clip.
        protocol, seed: as of :func:`inner_folds`.

    Returns:
        For each fold ``variant``, ``penalty`` and ``inner_accuracy``, what was chosen without the fold's own clips, and
        the figures (:func:`emop3d_np.training.metrics.figures`) of its answers to these.

    Raises:
        InputError: as of :func:`read_blocks`.
    """
    blocks = read_blocks(clips)  # first, since it tells at once whether memory holds them
    splits = [split_of(clips, fold_of, fold, protocol, seed) for fold in range(int(fold_of.max()) + 1)]
    rows = []
    for answers, split in zip(ridge_answers(blocks, clips.labels, splits, len(clips.class_names)), splits, strict=True):
        variant = best_variant(answers)
        best = answers[variant]
        row = {"variant": str(variant), "penalty": best.penalty, "inner_accuracy": best.inner_accuracy}
        rows.append(row | figures(best.scores, clips.labels[split.test]))
    return rows


def _raw(clips: datasets.ClipSet, parts: Sequence[IntArray]) -> Iterator[AnyArray]:
    """The clips of each part as they are stored, not shrunk, float32 (b, d, h, w, c)."""
    import kernels

    for x, _ in replace(clips, shrink=1).batches(parts, kernels.edition("reference"), np.float32, normalized=False):
        yield x
