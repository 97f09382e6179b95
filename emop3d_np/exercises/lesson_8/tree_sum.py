"""A sum as a tree

Adding n numbers one after the other, the first goes through n - 1 roundings. In a tree it goes through log2(n):
neighbours are added in pairs, the sums again in pairs, until one number is left. Where the count is odd, the last one
is carried over as it is.

    1 2 3 4 5   gives   3 7 5,   then   10 5,   then   15

Write `tree_sum(x)` for a row `x` of any length from 1 on. What comes out is judged by its bits, in float32, so the
order counts. Start from the loop in the file, which adds one after the other.

The page: [How the fast kernels work](fast_kernels.md#the-same-bits-on-any-number-of-threads), on why the order
matters.
"""

HINTS = (
    "`x[0::2]` are the left ones of the pairs, `x[1::2]` the right ones. When are there as many of each?",
    "A loop `while len(x) > 1`. The pairs are `x[: len(x) // 2 * 2]`, and what is left over is `x[len(x) // 2 * 2 :]`.",
    "`even = len(x) // 2 * 2`, then `x = np.concatenate([x[0:even:2] + x[1:even:2], x[even:]])`.",
)

# --- answer
import numpy as np


def tree_sum(x):
    """The sum of a row, in pairs of neighbours."""
    #: begin
    #| total = x[0]
    #| for value in x[1:]:
    #|     total = total + value
    #| return total
    while len(x) > 1:
        even = len(x) // 2 * 2
        x = np.concatenate([x[0:even:2] + x[1:even:2], x[even:]])
    return x[0]
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    tree_sum = answer.function("tree_sum(x)")
    lengths = (1, 2, 5, 8, 13, 29, 100, 333)
    rows = [(100 * judging.numbers(count, seed=seed) ** 3).astype(np.float32) for count in lengths for seed in range(4)]
    got = [_number(tree_sum(x), len(x)) for x in rows]
    right = [_tree(list(x)) for x in rows]
    if got == right:
        return "the same bits as the tree, for every length that was tried"
    looks = {
        "these are the bits of adding one after the other": [np.add.accumulate(x)[-1] for x in rows],
        "an odd last number is lost": [_tree(list(x), lambda pairs, odd: pairs) for x in rows],
        "an odd last number is added to the last pair; it is carried over as it is": [
            _tree(
                list(x),
                lambda pairs, odd: [
                    *pairs[:-1],
                    *(last + one for last, one in zip(pairs[-1:], odd or [0], strict=False)),
                ],
            )
            for x in rows
        ],
        "an odd last number comes first in the next round; it stays the last": [
            _tree(list(x), lambda pairs, odd: odd + pairs) for x in rows
        ],
        "the first half is added to the second; neighbours are to be added": [_far(x) for x in rows],
        "the first is added to the last; neighbours are to be added": [_outer(x) for x in rows],
        "pairs are made from the end of the row; they are made from its beginning": [
            _tree(list(x[::-1])) for x in rows
        ],
        "the row is cut into halves, which is another tree; neighbours are to be added first": [
            _halves(list(x)) for x in rows
        ],
        "this is the sum in float64, rounded; add in float32, in pairs": [
            np.float32(x.astype(np.float64).sum()) for x in rows
        ],
        "these are the bits of NumPy's own sum, which adds in an order of its own": [x.sum() for x in rows],
    }
    for words, values in looks.items():
        if got == values:
            raise judging.Wrong(words)
    x, total, wanted = next(each for each in zip(rows, got, right, strict=True) if each[1] != each[2])
    raise judging.Wrong(
        f"{_numbers(len(x))}: {total!s} comes out, {wanted!s} is the tree's; are neighbours added, and an odd last one "
        "carried over?"
    )


def _number(total, count):
    """What came out for so many numbers, as an array."""
    if judging.shape_of(total) == () and np.asarray(total).dtype == np.float32:
        return np.asarray(total)
    if total is None:
        raise judging.Wrong("nothing is returned; it must be one number, a float32")
    what = f"{np.asarray(total).dtype} of shape {np.shape(total)}" if judging.shape_of(total) is not None else "a list"
    raise judging.Wrong(f"{_numbers(count)}: {what} comes out; it must be one number, a float32")


def _numbers(count):
    return f"{count} number{'s' if count > 1 else ''}"


def _tree(values, join=lambda pairs, odd: pairs + odd):
    while len(values) > 1:
        odd = values[len(values) // 2 * 2 :]
        values = join([one + other for one, other in zip(values[::2], values[1::2], strict=False)], odd)
    return values[0]


def _far(x):
    while len(x) > 1:
        half = len(x) // 2
        x = np.concatenate([x[:half] + x[half : 2 * half], x[2 * half :]])
    return x[0]


def _outer(x):
    while len(x) > 1:
        half = len(x) // 2
        x = np.concatenate([x[:half] + x[::-1][:half], x[half : len(x) - half]])
    return x[0]


def _halves(values):
    middle = len(values) // 2
    return _halves(values[:middle]) + _halves(values[middle:]) if middle else values[0]
