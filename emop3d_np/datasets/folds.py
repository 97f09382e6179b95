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
    in_fold = np.zeros((count, table.shape[1]), np.int64)
    fold_of = np.empty(len(names), np.int64)
    for group in order:
        # The sum of squares grows least where the group's classes are still rare, and of equal folds the emptiest wins.
        cost = ((in_fold + table[group]) ** 2 - in_fold**2).sum(axis=1)
        fold = min(range(count), key=lambda k: (cost[k], in_fold[k].sum(), k))
        in_fold[fold] += table[group]
        fold_of[group] = fold
    return fold_of[member]


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

    subjects, sources = np.asarray(subjects).astype(str), np.asarray(sources).astype(str)
    _, who = np.unique(subjects, return_inverse=True)
    _, where = np.unique(sources, return_inverse=True)
    where += who.max() + 1
    known = subjects != ""
    links = coo_array((np.ones(known.sum()), (who[known], where[known])), shape=(where.max() + 1,) * 2)
    _, group = connected_components(links, directed=False)
    return np.asarray(group[where])
