"""A twin: windows that move on by more than one

Now the window moves on by `s` positions each time: `z[n, w'] = sum over k < r of p[n, s * w' + k]`.

Write both passes for rows: `forward(p, r, s)` from `p` `(n, w)`, and `backward(dz, w, r, s)`, which gives the gradient
`(n, w)`. There are `ceil((w - r + 1) / s)` windows. Positions that no window covers get the gradient 0.

The page: [Box sums](box_sums.md#line-by-line), and there the slice.
"""

HINTS = (
    "For one k, the windows read the positions k, k + s, k + 2 s, ...: a slice with a step.",
    "slice(k, k + s * (count - 1) + 1, s) has exactly count positions; both passes use the same slices.",
    "Forward: z += p[:, places]. Backward: g[:, places] += dz.",
)

# --- answer
import numpy as np

#: begin
#| def forward(p, r, s):
#|     """The sums z (n, w')."""
#|     raise NotImplementedError("write this")
#|
#|
#| def backward(dz, w, r, s):
#|     """The gradient g (n, w)."""
#|     raise NotImplementedError("write this")


def forward(p, r, s):
    """The sums z (n, w')."""
    count = -(-(p.shape[1] - r + 1) // s)
    return sum(p[:, k : k + s * (count - 1) + 1 : s] for k in range(r))


def backward(dz, w, r, s):
    """The gradient g (n, w)."""
    g = np.zeros((len(dz), w))
    for k in range(r):
        g[:, k : k + s * (dz.shape[1] - 1) + 1 : s] += dz
    return g


#: end


# --- judge
from .. import judging


def box_sum(p, r, s):
    """The sums of windows, from the definition."""
    return np.lib.stride_tricks.sliding_window_view(p, r, axis=1)[:, ::s].sum(axis=-1)


def judge(answer: judging.Answer) -> str:
    forward, backward = answer.function("forward(p, r, s)"), answer.function("backward(dz, w, r, s)")
    words = ""
    for w, r, s in ((7, 3, 2), (8, 2, 3), (5, 2, 1)):
        p = judging.numbers(5 - r, w)
        right = box_sum(p, r, s)
        close = box_sum(p, r, 1)[:, : right.shape[1]]
        judging.same(
            forward(p, r, s),
            right,
            f"z with r = {r} and s = {s}",
            {"neighbouring windows are one position apart; they must be s apart": close},
        )

        def close_backward(dz, p, r=r):
            g = np.zeros_like(p)
            for k in range(r):
                g[:, k : k + dz.shape[1]] += dz
            return g

        def written_over(dz, p, r=r, s=s):
            g = np.zeros_like(p)
            for k in range(r):
                g[:, k : k + s * (dz.shape[1] - 1) + 1 : s] = dz
            return g

        words = judging.gradients(
            lambda p, r=r, s=s: box_sum(p, r, s),
            lambda dz, p, r=r, s=s: backward(dz, p.shape[1], r, s),
            [p],
            "p",
            mistakes={
                "backward goes on by one position for each window; forward goes on by s": close_backward,
                "where windows overlap, a later one writes over an earlier one: +=": written_over,
            }
            if s == 2
            else None,
        )
    return words
