"""Five additions, or three

`windows_of_six(p)` adds up each six neighbours of a row: n numbers in, n - 5 sums out. It reads well and takes five
additions per sum. Neighbouring windows share most of their numbers. A window of a power of two is made of pairs of
pairs; six is none, but it is four and two. Three additions of whole rows will do. Write it so. No running sums, which
forget digits.

The page: [Box sums](box_sums.md#three-facts-the-fast-kernels-use).
"""

HINTS = (
    "`twos = p[:-1] + p[1:]` holds at i the sum of the numbers i and i + 1.",
    "A sum of four is a sum of two and the sum of two that stands *two* further on. A sum of six is a sum of four "
    "and the "
    "sum of two that stands *four* further on.",
    "`fours = twos[:-2] + twos[2:]` has n - 3 numbers. Of both, n - 5 are wanted: `fours[:-2] + twos[4:]`.",
)

# --- answer


def windows_of_six(p):
    """Sums over six neighbours, of shape (n - 5,); ``p`` has the shape (n,)."""
    #: begin
    #| count = len(p) - 5
    #| total = p[:count]
    #| for j in range(1, 6):
    #|     total = total + p[j : j + count]
    #| return total
    twos = p[:-1] + p[1:]
    fours = twos[:-2] + twos[2:]
    return fours[:-2] + twos[4:]
    #: end


# --- judge
import numpy as np

from .. import judging


def judge(answer: judging.Answer) -> str:
    windows_of_six = answer.function("windows_of_six(p)")
    p = judging.numbers(20)
    sums = {count: np.convolve(p, np.ones(count), "valid") for count in (4, 5, 6, 7, 8)}
    twos, fours = np.convolve(p, np.ones(2), "valid"), sums[4]
    mistakes = {f"these are sums of {count}, not of six": row for count, row in sums.items() if count != 6}
    mistakes |= {
        "the last window is missing": sums[6][:-1],
        "the sum of two stands two further on here, and counts numbers that the sum of four holds already": (
            fours[:-1] + twos[2:-1]
        )[:15],
        "the two begin at the same place, and count the same numbers; the sum of two begins where the four end": (
            fours + twos[:-2]
        )[:15],
        "the sum of two stands before its place: a sum of four ends three further on, so the next begins at four": (
            fours[:-2] + twos[3:-1]
        ),
    }
    got = windows_of_six(p)
    if judging.shape_of(got) == (15,):
        mistakes[f"{judging.added_up(windows_of_six, 20)}; it must be p[0] to p[5], each once"] = got
    judging.same(got, sums[6], "the row of sums", mistakes)
    large = np.concatenate([[1e17], np.ones(19)])
    if windows_of_six(large)[-1] != 6:
        raise judging.Wrong(
            f"the last six numbers of 1e17, 1, 1, ... are ones, and their sum is {windows_of_six(large)[-1]:.6g}: "
            "running sums forget digits"
        )
    judging.three_additions(answer, "windows_of_six(p)", 6)
    return "windows of six by three additions"
