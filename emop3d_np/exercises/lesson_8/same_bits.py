"""The same bits on any number of threads

A gradient of weights is a sum over the clips of a batch. To share the work, `batch_sum(values, threads)` cuts the
batch into parts, adds up each part in its order, and then adds the parts in theirs. (Here it does so one after the
other; with real threads each would take some of the parts.) In float32 the result depends on `threads`. It must not:
not in a single bit.

Mend it, so that a batch is always cut into 8 parts, whoever computes them. The arrangement of the sums stays: within
a part from the first to the last, then part by part. (The package adds its parts as a tree; what matters here is the
same.)

The page: [How the fast kernels work](fast_kernels.md#the-same-bits-on-any-number-of-threads).
"""

HINTS = (
    "Why should there be as many parts as there are threads?",
    "A thread may compute several parts. Which part a clip belongs to must follow from the batch alone.",
    "`np.array_split(values, 8)`.",
)

# --- answer
import numpy as np


def in_order(values):
    """The sum from the first value to the last."""
    total = np.float32(0)
    for value in values:
        total = total + value
    return total


def batch_sum(values, threads):
    """The sum of a batch, float32, shared out among ``threads``."""
    #: begin
    #| parts = np.array_split(values, threads)
    #| return in_order([in_order(part) for part in parts])
    parts = np.array_split(values, 8)
    return in_order([in_order(part) for part in parts])
    #: end


# --- judge
from .. import judging


def judge(answer: judging.Answer) -> str:
    batch_sum = answer.function("batch_sum(values, threads)")
    batches = [judging.numbers(clips).astype(np.float32) for clips in (64, 100, 131, 500)]
    sums = []
    for values in batches:
        clips = len(values)
        found = {threads: batch_sum(values, threads) for threads in (1, 2, 3, 4, 5, 8, 16)}
        if any(each is None for each in found.values()):
            raise judging.Wrong("nothing is returned; it must be one number, a float32")
        if any(judging.shape_of(each) != () for each in found.values()):
            raise judging.Wrong(f"{type(found[1]).__name__} is returned; it must be one number, the sum of all parts")
        if any(np.asarray(each).dtype != np.float32 for each in found.values()):
            raise judging.Wrong("what comes out is no float32; wider numbers hide the order, until they do not")
        got = {threads: np.float32(each) for threads, each in found.items()}
        if len(set(got.values())) > 1:
            pair = next(threads for threads, each in got.items() if each != got[1])
            raise judging.Wrong(
                f"{clips} clips: {got[1]!s} on 1 thread, {got[pair]!s} on {pair}: the parts still depend on the threads"
            )
        if abs(8 * float(got[1]) - float(values.astype(float).sum())) < 0.01:
            raise judging.Wrong(f"{clips} clips: it is a mean of the 8 parts; it must be their sum")
        if abs(float(got[1]) - float(values.astype(float).sum())) > 0.01:
            raise judging.Wrong(f"{clips} clips: some are left out or counted twice; 8 need not divide their number")
        sums.append(got[1])

    def arranged(parts):
        return [in_order([in_order(part) for part in parts(values)]) for values in batches]

    looks = {
        "": arranged(lambda values: np.array_split(values, 8)),
        "all clips are added in a row, in one part; no second thread could help": arranged(lambda values: [values]),
        "the parts are added from the last on": arranged(lambda values: np.array_split(values, 8)[::-1]),
        "each part takes every eighth clip; parts are of neighbours": arranged(
            lambda values: [values[i::8] for i in range(8)]
        ),
        "parts are of 8 clips each; there are 8 parts, of as many clips as it takes": arranged(
            lambda values: [values[i : i + 8] for i in range(0, len(values), 8)]
        ),
        "within a part NumPy's sum adds in an order of its own; in_order is there": [
            in_order([part.sum() for part in np.array_split(values, 8)]) for values in batches
        ],
        "this is NumPy's own sum, which adds in an order of its own": [values.sum() for values in batches],
        "the parts are added as a tree; here they are added one after the other": [
            _in_tree(values) for values in batches
        ],
        "this is the sum in float64, rounded": [np.float32(values.astype(float).sum()) for values in batches],
    }
    if any(all(np.round(each, digits) == each for each in sums) for digits in (1, 2, 3, 4)):
        raise judging.Wrong("digits are rounded away; all 24 binary digits of the sum must be the same")
    other = "the sums are arranged in another way: 8 parts of neighbours, each in its order, then part by part"
    words = next((words for words, bits in looks.items() if bits == sums), other)
    if words:
        raise judging.Wrong(f"the same bits on all threads, but {words}")
    return "the same bits on 1 to 16 threads"


def _in_tree(values):
    sums = [in_order(part) for part in np.array_split(values, 8)]
    while len(sums) > 1:
        sums = [one + other for one, other in zip(sums[::2], sums[1::2], strict=True)]
    return sums[0]
