"""The tree over the parts of a batch: whoever computes which parts, sums come out in the same bits."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import tree

CUTS = st.integers(0, 7).flatmap(
    lambda height: st.lists(st.integers(0, 2**height), max_size=9).map(lambda inner: [0, *sorted(inner), 2**height])
)
"""Where a tree of parts is cut into shares; some may be empty."""


def knock_out(values):
    """The sum as the tree says it: neighbours are added until one value is left."""
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], values[1::2], strict=True)]
    return values[0]


@pytest.mark.once
@given(CUTS, st.integers(0, 2**32 - 1))
def test_any_shares_give_the_same_bits(cuts, seed):
    """Numbers of many sizes, so that each order of sums rounds in its own way."""
    rng = np.random.default_rng(seed)
    parts = (rng.standard_normal((cuts[-1], 20)) * 10.0 ** rng.integers(-6, 6, (cuts[-1], 20))).astype(np.float32)
    stretches = list(pairwise(cuts))
    found = [tree.add_up(parts[first:end], tree.merges(tree.single(first, end)), np.add) for first, end in stretches]
    subtrees = [tree.subtrees(first, end) for first, end in stretches]
    assert [len(each) for each in found] == [len(each) for each in subtrees]
    flat = [pair for each in subtrees for pair in each]
    (total,) = tree.add_up([row for rows in found for row in rows], tree.merges(flat), np.add)
    assert total.tobytes() == knock_out(list(parts)).tobytes()


@pytest.mark.once
def test_sums_of_neighbours():
    """The earlier part comes first in each sum, and no part is left over or missing."""
    counts = tree.merges(tree.single(0, 8))
    assert tree.add_up("abcdefgh", counts, "({}{})".format) == ["(((ab)(cd))((ef)(gh)))"]
    for parts in "abcdefg", "abcdefghi":
        with pytest.raises(ValueError, match="zip"):
            tree.add_up(parts, counts, "({}{})".format)


@pytest.mark.once
@given(st.integers(0, 300), st.integers(0, 300))
def test_subtrees(first, length):
    """They cover a stretch in order, each is a subtree of the tree, and no two are siblings."""
    found = tree.subtrees(first, first + length)
    assert [part for pair in found for part in range(*pair)] == list(range(first, first + length))
    for begin, end in found:
        size = end - begin
        assert size & (size - 1) == 0
        assert begin % size == 0
    for (begin, middle), (_, end) in pairwise(found):
        assert not (middle - begin == end - middle and begin % (end - begin) == 0)


@pytest.mark.once
@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 70))
def test_shares_are_even(first, length, count):
    found = tree.shares(first, first + length, count)
    assert [part for pair in found for part in range(*pair)] == list(range(first, first + length))
    assert len(found) == min(count, length)
    assert {end - begin for begin, end in found} <= {length // max(len(found), 1), -(-length // max(len(found), 1))}


@pytest.mark.once
@given(st.integers(1, 5000))
def test_parts_of_a_batch(clips):
    parts, starts = tree.parts_of(clips), tree.bounds(clips)
    assert parts & (parts - 1) == 0
    assert (starts[0], starts[-1], len(starts)) == (0, clips, parts + 1)
    assert parts == 1 or np.diff(starts).min() >= tree.PART_CLIPS
    assert np.diff(starts).max() <= max(2 * tree.PART_CLIPS, 3)


@pytest.mark.once
def test_parts_of_known_batches():
    """How a batch is cut decides the bits that a training comes to, so it stays as it is."""
    assert [tree.parts_of(clips) for clips in (1, 2, 3, 4, 7, 8, 50, 100)] == [1, 1, 1, 2, 2, 4, 16, 32]


@pytest.mark.once
def test_a_share_of_a_batch():
    share = tree.Share(100, 3, 5)
    assert (share.own, share.starts.tolist()) == (slice(9, 15), [0, 3, 6])
    assert (tree.Share(100).end, tree.Share(100).own, tree.Share(100, 7, 7).own) == (32, slice(0, 100), slice(21, 21))
