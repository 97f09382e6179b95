"""Splitting clips for validation so that no person, and no video, stands on both sides."""

import numpy as np
from numpy.typing import ArrayLike

from kernels.arrays import IntArray

from ..errors import InputError


def group_folds(groups: ArrayLike, labels: ArrayLike, count: int, seed: int = 0) -> IntArray:
    """Deal whole groups into folds, so that each fold has its share of clips of every class, as well as groups allow.

    Args:
        groups: array of shape (n,): the number or name of the person, or of the video, that each clip shows.
        labels: integers of shape (n,).
        count: number of folds, at least 2.
        seed: decides the order in which groups of one size are dealt; default 0.

    Returns:
        int64 ndarray of shape (n,): the fold, ``0 ... count - 1``, that tests each clip; the other folds train on it.

    Raises:
        InputError: lengths differ, or there are fewer groups than folds.

    Method: the groups are dealt from the largest to the smallest, each to the fold where it leaves the counts of clips
    per class most even among the folds.
    """
    groups, labels = np.asarray(groups), np.asarray(labels)
    if groups.shape != labels.shape or groups.ndim != 1:
        raise InputError(f"groups have shape {groups.shape}, labels {labels.shape}; both must be (n,)")
    names, member = np.unique(groups, return_inverse=True)
    if not 2 <= count <= len(names):
        raise InputError(f"{count} folds of {len(names)} groups; there must be at least 2 folds and a group for each")
    _, classes = np.unique(labels, return_inverse=True)
    table = np.zeros((len(names), classes.max() + 1), np.int64)
    np.add.at(table, (member, classes), 1)
    shuffled = np.random.default_rng(seed).permutation(len(names))
    order = shuffled[np.argsort(-table[shuffled].sum(axis=1), kind="stable")]
    fold_of = np.empty(len(names), np.int64)
    fold_of[order] = _dealt(table[order], count)
    return fold_of[member]


def _dealt(table: IntArray, count: int) -> list[int]:
    """The fold of each group; ``table`` (g, k) has their clips per class, in the order of dealing.

    In plain Python, since there may be a million groups of a clip each, for which calls of NumPy are slow.
    """
    in_fold = [[0] * count for _ in range(table.shape[1])]  # clips per class and fold
    total = [0] * count
    own, classes = np.nonzero(table)
    clips = list(zip(classes.tolist(), table[own, classes].tolist(), strict=True))
    fold_of = []
    start = 0
    for end in np.cumsum(np.bincount(own)).tolist():
        # The sum of squares of clips per class and fold grows least where the group's classes are still rare: by
        # (a + n)^2 - a^2 = 2 a n + n^2, where the sum of a n over its classes is smallest.  Of equal folds the emptiest
        # wins.
        costs = [sum(in_fold[k][fold] * n for k, n in clips[start:end]) for fold in range(count)]
        fold = min(zip(costs, total, range(count), strict=True))[2]
        for k, n in clips[start:end]:
            in_fold[k][fold] += n
            total[fold] += n
        fold_of.append(fold)
        start = end
    return fold_of


def linked_groups(subjects: ArrayLike, sources: ArrayLike) -> IntArray:
    """Groups of clips that must stay together: those that share a subject or a source, directly or through other clips.

    Args:
        subjects: array of shape (n,): whom each clip shows; clips with an empty name are linked by their source alone.
        sources: array of shape (n,): the file each clip is from.

    Returns:
        int ndarray of shape (n,): for each clip, the number of its group, a connected component of the graph whose
        nodes are subjects and sources and whose edges are clips.
    """
    # Slower to import than all else here, and only folds by subjects need it.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    people, who = _numbered(subjects)
    _, where = _numbered(sources)
    where += len(people)
    known = who != people.get("", -1)
    links = coo_array((np.ones(known.sum()), (who[known], where[known])), shape=(where.max() + 1,) * 2)
    _, group = connected_components(links, directed=False)
    return np.asarray(group[where])


def _numbered(values: ArrayLike) -> tuple[dict[str, int], IntArray]:
    """The texts of ``values`` (n,) with their numbers in alphabetical order, and int64 (n,), the number of each.

    As ``numpy.unique`` does, but long texts are not laid out in a table, four bytes to the letter.
    """
    texts = list(map(str, np.asarray(values).tolist()))
    numbers = {text: number for number, text in enumerate(sorted(set(texts)))}
    return numbers, np.fromiter(map(numbers.__getitem__, texts), np.int64, len(texts))
