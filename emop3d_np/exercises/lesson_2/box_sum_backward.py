"""The transpose of a box sum

Forward adds up windows of `r` neighbours in rows `p` of shape `(n, w)`:

`z[n, w'] = sum over k < r of p[n, w' + k]`

Write `backward(dz, w, r)`: from `dz` of shape `(n, w')` the gradient of `p`, of shape `(n, w)`.
Every position collects from each window that covers it.

The page: [Box sums](box_sums.md#line-by-line).
"""

HINTS = (
    "Gather becomes scatter, over the same pairs: (w', k) and the position w' + k.",
    "For one k, all windows read the slice [:, k : k + w']. So for one k, all gradients go to that slice.",
    "g = zeros of shape (n, w); for each k < r: g[:, k : k + dz.shape[1]] += dz.",
)

# --- answer
import numpy as np


def backward(dz, w, r):
    """The gradient g (n, w) of the rows."""
    #: begin
    g = np.zeros((len(dz), w))
    for k in range(r):
        g[:, k : k + dz.shape[1]] += dz
    return g
    #: end


# --- judge
from .. import judging


def box_sum(p, r):
    """The sums of windows, from the definition."""
    return np.lib.stride_tricks.sliding_window_view(p, r, axis=1).sum(axis=-1)


def judge(answer: judging.Answer) -> str:
    backward = answer.function("backward(dz, w, r)")
    words = ""
    for w, r in ((6, 3), (5, 2)):

        def first_only(dz, p):
            return np.pad(dz, ((0, 0), (0, p.shape[1] - dz.shape[1])))

        def mirrored(dz, p, r=r):
            return sum(np.pad(dz[:, ::-1], ((0, 0), (k, r - 1 - k))) for k in range(r))

        def without_last(dz, p, r=r):
            return sum(np.pad(dz, ((0, 0), (k, r - 1 - k))) for k in range(r - 1))

        words = judging.gradients(
            lambda p, r=r: box_sum(p, r),
            lambda dz, p, r=r: backward(dz, p.shape[1], r),
            [judging.numbers(5 - r, w)],
            "p",
            mistakes={
                "only the first place of each window gets the gradient": first_only,
                "the gradient comes in the wrong direction; sliding needs no turning round here": mirrored,
                "the last place of the window gets nothing": without_last,
            }
            if r > 2
            else None,
        )
    return words
