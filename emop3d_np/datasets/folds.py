"""Splitting clips for validation so that no person, and no video, stands on both sides."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..errors import InputError


def group_folds(groups, labels, count, seed=0):
    """Deal whole groups into folds, so that each fold has its share of clips of every class, as well as groups allow.

    Args:
        groups: array of shape (n,): who or what each clip shows, as a person's or a video's number or name.
        labels: integers of shape (n,).
        count: number of folds, at least 2.
        seed: of the order in which groups of one size are dealt; default 0.

    Returns:
        ndarray of shape (n,): the fold, ``0 ... count - 1``, that tests each clip; the others train.

    Raises:
        InputError: lengths differ, or there are fewer groups than folds.

    Method: groups, the largest first, go where they leave the classes' counts of the folds nearest to even.
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
        # The sum of squares grows least where the group's classes are still rare; an empty fold comes before all.
        cost = ((in_fold + table[group]) ** 2 - in_fold**2).sum(axis=1)
        fold = min(range(count), key=lambda k: (cost[k], in_fold[k].sum(), k))
        in_fold[fold] += table[group]
        fold_of[group] = fold
    return fold_of[member]


def linked_groups(subjects, sources):
    """Groups of clips that must stay together: who shares a source with someone is grouped with him, and so on.

    Args:
        subjects: array of shape (n,): whom each clip shows; an empty name is not known to be anybody else's.
        sources: array of shape (n,): the file each clip is from.

    Returns:
        int ndarray of shape (n,): numbers of the connected components of subjects and sources.
    """
    subjects, sources = np.asarray(subjects).astype(str), np.asarray(sources).astype(str)
    _, who = np.unique(subjects, return_inverse=True)
    _, where = np.unique(sources, return_inverse=True)
    where += who.max() + 1
    known = subjects != ""
    links = coo_array((np.ones(known.sum()), (who[known], where[known])), shape=(where.max() + 1,) * 2)
    return connected_components(links, directed=False)[1][where]
