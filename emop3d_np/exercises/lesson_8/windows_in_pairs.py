"""Seven additions, or three

`windows_of_eight(p)` adds up each eight neighbours of a row: n numbers in, n - 7 sums out. It reads well and takes
seven additions per sum. Neighbouring windows share nearly all of their numbers: sums of two neighbours first, from
these sums of four, from these sums of eight, and three additions of whole rows will do. Write it so. No running sums,
which forget digits.

The page: [Box sums](box_sums.md), "Pairs".
"""

HINTS = (
    "`twos = p[:-1] + p[1:]` holds at i the sum of the numbers i and i + 1.",
    "A sum of four is a sum of two and the sum of two that stands *two* further on.",
    "`fours = twos[:-2] + twos[2:]`, and then `fours[:-4] + fours[4:]`.",
)

# --- answer


def windows_of_eight(p):
    """Sums over eight neighbours, of shape (n - 7,); ``p`` has the shape (n,)."""
    #: begin
    #| count = len(p) - 7
    #| total = p[:count]
    #| for j in range(1, 8):
    #|     total = total + p[j : j + count]
    #| return total
    twos = p[:-1] + p[1:]
    fours = twos[:-2] + twos[2:]
    return fours[:-4] + fours[4:]
    #: end


# --- judge
import numpy as np

from .. import judging


class Counted(np.ndarray):
    """An array that counts how many additions of rows it and what is made of it take part in."""

    additions = 0

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **others):
        plain = [np.asarray(each) for each in inputs]
        others |= {"out": tuple(np.asarray(each) for each in out)} if out else {}
        if ufunc in (np.add, np.subtract):
            rows = [each for each in plain if each.ndim]
            Counted.additions += 1 if method == "__call__" else max(each.shape[-1] for each in rows) - 1
        return np.asarray(getattr(ufunc, method)(*plain, **others)).view(Counted)


def judge(answer: judging.Answer) -> str:
    windows_of_eight = answer.function("windows_of_eight(p)")
    p = judging.numbers(20)
    starts = range(13)
    sums = {count: np.array([p[i : i + count].sum() for i in range(20 - count + 1)]) for count in (4, 7, 8, 9)}
    spread = np.array([p[i] + p[i + 1] + 2 * p[i + 2 : i + 4].sum() + p[i + 4 : i + 6].sum() for i in range(15)])
    judging.same(
        windows_of_eight(p),
        sums[8],
        "the row of sums",
        {
            "these are sums of four": sums[4],
            "these are sums of seven": sums[7],
            "these are sums of nine": sums[9],
            "these are right, but the last window is missing": sums[8][:-1],
            "the steps are 1 at every turn, and numbers are counted several times: sums of two stand two "
            "apart": np.array([p[i : i + 4] @ [1, 3, 3, 1] for i in range(17)]),
            "sums of four are put together at a distance of two: they overlap; four further on stands the next": spread,
        },
    )
    Counted.additions = 0
    windows_of_eight(p.view(Counted))
    if Counted.additions > 3:
        raise judging.Wrong(f"the sums are right and take {Counted.additions} additions; three will do")
    if Counted.additions < 3:
        raise judging.Wrong(
            f"{Counted.additions} additions of rows were seen: such as np.convolve hide theirs, and take seven; "
            f"write them out"
        )
    large = np.concatenate([[1e17], np.ones(19)])
    if abs(windows_of_eight(large)[-1] - 8) > 0:
        raise judging.Wrong(
            f"the last eight numbers of 1e17, 1, 1, ... are ones, and their sum is "
            f"{windows_of_eight(large)[-1]:.6g}: running "
            "sums forget digits"
        )
    return f"{len(starts)} windows of eight by three additions"
