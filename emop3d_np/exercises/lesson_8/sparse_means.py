"""Means of a gradient that is mostly 0

Before the first pool, the gradient at the normalised map is 0 but for one cell per block, where it is what the pool's
output got. The normalisation's backward pass takes two means over the whole map, of the gradient and of the gradient
times the normalised map. Readable, on the full map:

    mean_dy   = full_gradient.mean()
    mean_dy_y = (full_gradient * y).mean()

Write `sparse_means(dm, m, places)`, which gives both from the pooled arrays alone: `dm` is the gradient at the pooled
map, `m` the pooled map itself (the *normalised* values that were chosen), `places` the number of cells of the full
map. Both arrays have the shape `(rows, columns)`.

The page: [How the fast kernels work](fast_kernels.md#the-means-of-a-sparse-gradient).
"""

HINTS = (
    "A sum over the full map has only the chosen cells in it: all others are 0.",
    "At a chosen cell the gradient is `dm` and the normalised map is `m`.",
    "`dm.sum() / places` and `(dm * m).sum() / places`: the mean is over all places, the sum over the blocks.",
)

# --- answer


def sparse_means(dm, m, places):
    """The means over the full map of the gradient, and of the gradient times the normalised map."""
    #: begin
    return dm.sum() / places, (dm * m).sum() / places
    #: end


# --- judge
from kernels.reference import max_pool_space, max_pool_space_backward, standardize

from .. import judging


def judge(answer: judging.Answer) -> str:
    sparse_means = answer.function("sparse_means(dm, m, places)")
    _judge(sparse_means, 5, 8)
    with judging.besides("another number of places"):
        _judge(sparse_means, 7, 6)
    return "both means, from a fifth of the cells"


def _judge(sparse_means, rows, columns):
    y = standardize(judging.numbers(1, 1, rows, columns, 1))
    m, dm = max_pool_space(y, (2, 2)), judging.numbers(1, 1, rows // 2, columns // 2, 1, seed=1)
    full = max_pool_space_backward(dm, y, (2, 2))
    mean, product, places = full.mean(), (full * y).mean(), y.size
    got = judging.tuple_of(sparse_means(dm[0, 0, ..., 0], m[0, 0, ..., 0], places), "mean_dy mean_dy_y")
    judging.same(
        got[0],
        mean,
        "mean_dy",
        {
            "mean_dy is a mean over the blocks; the full map has more places": dm.mean(),
            "mean_dy is a sum; it is to be divided by the places": dm.sum(),
            "mean_dy and mean_dy_y are returned in the other order": product,
            "mean_dy is divided by four times the blocks; an odd last row has places, too": dm.mean() / 4,
            "mean_dy is a mean over the blocks that is divided again": dm.mean() / places,
        },
    )
    judging.same(
        got[1],
        product,
        "mean_dy_y",
        {
            "mean_dy_y is a mean over the blocks; the full map has more places": (dm * m).mean(),
            "mean_dy_y is the product of two means; it is the mean of the products": mean * m.mean(),
            "mean_dy_y is a sum; it is to be divided by the places": (dm * m).sum(),
            "mean_dy_y is a product of two sums; take the products first, then their sum": dm.sum() * m.sum() / places,
            "mean_dy_y is divided by four times the blocks; an odd last row has places, too": (dm * m).mean() / 4,
            "mean_dy_y is the mean of m times m; it is that of dm times m": (m * m).sum() / places,
            "@ is a product of matrices; here each cell is multiplied by its own, with *": (
                (dm[0, 0, ..., 0] @ m[0, 0, ..., 0].T).sum() / places
            ),
            "mean_dy_y is the mean of the pooled map; the gradient is missing": m.sum() / places,
        },
    )
