"""A tree that grows as clips come

The tree of sums needs all numbers at once. A training that takes a large batch in small ones, or from several
machines, gets them bit by bit, and shall still end with the same bits. It keeps a list of sums that wait for their
neighbours, each with the number of clips in it: `[(4, 10.0), (1, 5.0)]`, the larger first.

Write `add(waiting, value)`, which returns the new list: the new value is a sum of 1 clip. As long as the last one of
the list has as many clips as it, the two are added, the one that waited first, to a sum of twice as many. Then it
joins the list.

    after 1 clip:   [(1, a)]                after 3:   [(2, a + b), (1, c)]
    after 2 clips:  [(2, a + b)]            after 4:   [(4, (a + b) + (c + d))]

So at most log2(n) + 1 sums wait.

The page: [How the fast kernels work](fast_kernels.md#the-same-bits-on-any-number-of-threads).
"""

HINTS = (
    "Counting in binary works the same way: 1 + 1 carries over, as often as it takes.",
    "A loop `while waiting and waiting[-1][0] == size`, which takes the last one off and doubles `size`.",
    "In the loop: `value = waiting[-1][1] + value`, `waiting = waiting[:-1]`, `size = 2 * size`; after it `return "
    "[*waiting, "
    "(size, value)]`.",
)

# --- answer


def add(waiting, value):
    """The list of sums that wait, each with its number of clips, after one more value."""
    #: begin
    size = 1
    while waiting and waiting[-1][0] == size:
        value = waiting[-1][1] + value
        waiting = waiting[:-1]
        size = 2 * size
    return [*waiting, (size, value)]
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    add = answer.function("add(waiting, value)")
    values = judging.numbers(16).astype(np.float32)
    values[::3] *= 1e5
    waiting: list[tuple[int, np.float32]] = []
    for count, value in enumerate(values, 1):
        got = add(waiting, value)
        after = f"after {count} clip{'s' if count > 1 else ''}"
        pairs = isinstance(got, (list, tuple)) and all(
            isinstance(each, (list, tuple)) and len(each) == 2 for each in got
        )
        if not pairs:
            raise judging.Wrong(f"{got!r:.80} is returned; it must be a list of pairs (clips, sum)")
        if not all(isinstance(size, int) for size, _ in got):
            raise judging.Wrong(f"{got!r:.80} is returned; the first of each pair must be a whole number of clips")
        sizes, right = [size for size, _ in got], [2**bit for bit in range(5)[::-1] if count >> bit & 1]
        if sum(sizes) != count:
            raise judging.Wrong(f"{after} the list says {sizes}; its sizes must add up to {count}")
        if sizes == right[::-1] and sizes != right:
            raise judging.Wrong(f"{after} the sums have {sizes} clips; the larger come first")
        if sizes != right:
            few = (
                "two sums of one size stand side by side; as long as the last one is as large, it is added"
                if len(sizes) > len(right)
                else ("sums of different sizes are added; only equals are")
            )
            raise judging.Wrong(f"{after} the sums have {sizes} clips; they must have {right}: {few}")
        start = 0
        for size, total in got:
            if judging.shape_of(total) != () or np.asarray(total).dtype != np.float32:
                raise judging.Wrong(f"{after} a sum is {total!r:.60}; it must be a float32, as the values are")
            part = values[start : start + size]
            if total != _tree(part):
                looks = {
                    np.add.accumulate(part)[-1]: "they were added one after the other, and not in pairs",
                    np.float32(part[-1]): "only the last of them is in it",
                }.get(np.float32(total), "the bits are others than those of the tree")
                raise judging.Wrong(f"{after}, the sum of clips {start} to {start + size - 1}: {looks}")
            start += size
        waiting = got
    return "16 clips one by one, the same bits as the tree at every stop"


def _tree(values):
    while len(values) > 1:
        values = values[::2] + values[1::2]
    return values[0]
