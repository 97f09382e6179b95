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
    for w, r, s in (
        (7, 3, 2),
        (8, 2, 3),
        (5, 2, 1),
        (10, 3, 4),
    ):  # of the last, the windows leave out both 3 and 7 to 9
        p = judging.numbers(2, w)
        _forward(forward(p, r, s), p, r, s)
        words = judging.gradients(
            lambda p, r=r, s=s: box_sum(p, r, s),
            lambda dz, p, r=r, s=s: backward(dz, p.shape[1], r, s),
            [p],
            "p",
            mistakes=_backward_mistakes(r, s),
        )
    return words


def _forward(z, p, r, s):
    """See that the sums are right."""
    right, w = box_sum(p, r, s), p.shape[1]
    case = f"z with r = {r} and s = {s}"
    count = right.shape[1]
    if s > 1 and judging.shape_of(z) == (2, count - 1) and count == (w - r) // s + 1 > (w - r + 1) // s:
        raise judging.Wrong(f"{case} has one window too few: the count is rounded up")
    if judging.shape_of(z) == (2, -(-w // s)) != right.shape:
        raise judging.Wrong(f"{case} has windows that reach beyond the end of the row; they must lie wholly inside")
    if s > 1 and judging.shape_of(z) == (2, w - s * (r - 1)) != right.shape:
        raise judging.Wrong(f"{case}: the places of a window are neighbours; it is the windows that are s apart")
    mistakes = {"these are means; sums are wanted": right / r}
    if s > 1:
        mistakes["neighbouring windows are one position apart; they must be s apart"] = box_sum(p, r, 1)[:, :count]
        mistakes["the windows have s places; they have r"] = box_sum(np.pad(p, ((0, 0), (0, s))), s, s)[:, :count]
        every = [p[:, [(q + s * k) % w for k in range(r)]].sum(axis=1) for q in range(count)]
        mistakes["the places of a window are neighbours; it is the windows that are s apart"] = np.stack(every, axis=1)
    judging.same(z, right, case, mistakes)


def _backward_mistakes(r, s):
    def close(dz, p):
        g = np.zeros_like(p)
        for k in range(r):
            g[:, k : k + dz.shape[1]] += dz
        return g

    def written_over(places):
        def made(dz, p):
            g, count = np.zeros_like(p), dz.shape[1]
            for q, k in places(count):
                g[:, s * q + k] = dz[:, q]
            return g

        return made

    mistakes = {}
    if s > 1:
        mistakes["backward goes on by one position for each window; forward goes on by s"] = close
    if s < r:
        mistakes["where windows overlap, a later one writes over an earlier one: +="] = [
            written_over(lambda count: [(q, k) for q in range(count) for k in range(r)]),
            written_over(lambda count: [(q, k) for k in range(r) for q in range(count)]),
        ]
    return mistakes
