"""Linear algebra, products over indices, transforms."""

import numpy as np

from .making import as32, both, changed, normal, right, twins

twins(
    "product of matrices, one batch for all",
    lambda a, b: np.einsum("nij,njk->nik", a, np.broadcast_to(b, (len(a), *b.shape[1:]))),
    lambda d, a, b: (d @ b.swapaxes(1, 2), (a.swapaxes(1, 2) @ d).sum(0, keepdims=True)),
    (normal(3, 4, 5), normal(1, 5, 2, seed=1)),
    {"mean over the batch": lambda d, a, b: (d @ b.swapaxes(1, 2), (a.swapaxes(1, 2) @ d).mean(0, keepdims=True))},
    lambda torch, a, b: a @ b,
)
twins(
    "trace of a product of three",
    lambda a, b, c: np.einsum("ij,jk,ki->", a, b, c),
    lambda d, a, b, c: (d * (b @ c).T, d * (c @ a).T, d * (a @ b).T),
    (normal(4, 4), normal(4, 4, seed=1), normal(4, 4, seed=2)),
    {"the second not transposed": lambda d, a, b, c: (d * (b @ c).T, d * (c @ a), d * (a @ b).T)},
    lambda torch, a, b, c: torch.trace(a @ b @ c),
)
twins(
    "quadratic form",
    lambda x, a: np.einsum("ni,ij,nj->n", x, a, x),
    lambda d, x, a: (d[:, np.newaxis] * (x @ (a + a.T)), np.einsum("n,ni,nj->ij", d, x, x)),
    (normal(5, 4), normal(4, 4, seed=1)),
    {"as if symmetric": lambda d, x, a: (d[:, np.newaxis] * 2 * (x @ a), np.einsum("n,ni,nj->ij", d, x, x))},
    lambda torch, x, a: torch.einsum("ni,ij,nj->n", x, a, x),
)
twins(
    "cube of a matrix",
    lambda x: x @ x @ x,
    lambda d, x: (d @ (x @ x).T + x.T @ d @ x.T + (x @ x).T @ d,),
    (normal(4, 4),),
    {"3 x^2 d": lambda d, x: (3 * (x @ x).T @ d,)},
    lambda torch, x: x @ x @ x,
)


def lower_solve(a, b):
    return np.linalg.solve(np.tril(a), b)


def lower_solve_backward(d, a, b, masked=True):
    db = np.linalg.solve(np.tril(a).T, d)
    da = -db @ lower_solve(a, b).T
    return np.tril(da) if masked else da, db


LOWER = normal(4, 4) + 3 * np.eye(4), normal(4, 2, seed=1)
twins(
    "solve with the lower triangle",
    lower_solve,
    lower_solve_backward,
    LOWER,
    {"gradient above the diagonal too": changed(lower_solve_backward, masked=False)},
    lambda torch, a, b: torch.linalg.solve_triangular(torch.tril(a), b, upper=False),
)


def spd(x):
    return x @ x.T + np.eye(len(x), dtype=x.dtype)


def cholesky_backward(d, x, half=True):
    lower = np.linalg.cholesky(spd(x))
    inverse = np.linalg.inv(lower)
    phi = np.tril(lower.T @ d)
    if half:
        phi[np.diag_indices(len(x))] /= 2
    s = inverse.T @ phi @ inverse
    return ((s + s.T) @ x,)


twins(
    "Cholesky",
    lambda x: np.linalg.cholesky(spd(x)),
    cholesky_backward,
    (normal(4, 4),),
    {"the diagonal is not halved": changed(cholesky_backward, half=False)},
    lambda torch, x: torch.linalg.cholesky(x @ x.T + torch.eye(4, dtype=x.dtype)),
)
twins(
    "determinant",
    np.linalg.det,
    lambda d, x: (d * np.linalg.det(x) * np.linalg.inv(x).T,),
    (normal(4, 4),),
    {"not transposed": lambda d, x: (d * np.linalg.det(x) * np.linalg.inv(x),)},
    lambda torch, x: torch.linalg.det(x),
)


def cofactors(x):
    """The gradient by algebra; that of PyTorch 2.13.0 itself is 0 for a matrix of exact determinant 0."""
    minors = [[np.linalg.det(np.delete(np.delete(x, i, 0), j, 1)) for j in range(3)] for i in range(3)]
    return np.array(minors) * np.array([[1, -1, 1], [-1, 1, -1], [1, -1, 1]])


SINGULAR = np.array([[1.0, 2, 3], [2, 4, 6], [0.5, -1, 2]])
twins(
    "determinant of a singular matrix",
    np.linalg.det,
    lambda d, x: (d * cofactors(x),),
    (SINGULAR,),
    {"0, as the determinant": lambda d, x: (d * np.linalg.det(x) * np.linalg.pinv(x).T,)},
)
twins(
    "logarithm of a determinant: float32",
    lambda x: np.linalg.slogdet(spd(x))[1],
    lambda d, x: (2 * d * np.linalg.inv(spd(x)) @ x,),
    as32(normal(5, 5)),
    {"factor 2 is missing": lambda d, x: (d * np.linalg.inv(spd(x)) @ x,)},
    lambda torch, x: torch.logdet(x @ x.T + torch.eye(5, dtype=x.dtype)),
)


def eigenvalues(x):
    return np.linalg.eigvalsh((x + x.T) / 2)


def eigenvalues_backward(d, x, reverse=1):
    vectors = np.linalg.eigh((x + x.T) / 2)[1]
    return (vectors * d[::reverse] @ vectors.T,)


twins(
    "eigenvalues",
    eigenvalues,
    eigenvalues_backward,
    (normal(4, 4),),
    {"in falling order": changed(eigenvalues_backward, reverse=-1)},
    lambda torch, x: torch.linalg.eigvalsh((x + x.T) / 2),
)
twins(
    "eigenvalues of the identity",
    eigenvalues,
    eigenvalues_backward,
    (np.eye(3),),
    {"twice": lambda d, x: (2 * eigenvalues_backward(d, x)[0],)},
)
twins(
    "eigenvalues, from the lower triangle alone",
    np.linalg.eigvalsh,
    lambda d, x: (np.tril(2 * eigenvalues_backward(d, np.tril(x) + np.tril(x, -1).T)[0]) * (1 - np.eye(4) / 2),),
    (normal(4, 4) + normal(4, 4).T,),
    {"as of a symmetric input": eigenvalues_backward},
    lambda torch, x: torch.linalg.eigvalsh(torch.tril(x) + torch.tril(x, -1).T),
)


def nuclear_backward(d, x, values=False):
    u, s, v = np.linalg.svd(x, full_matrices=False)
    return (d * (u * s if values else u) @ v,)


twins(
    "sum of singular values",
    lambda x: np.linalg.svd(x, compute_uv=False).sum(),
    nuclear_backward,
    (normal(5, 3),),
    {"of their squares, halved": changed(nuclear_backward, values=True)},
    lambda torch, x: torch.linalg.svdvals(x).sum(),
)


def filtered(x, w):
    return np.fft.irfft(np.fft.rfft(x) * w, x.shape[-1])


def filtered_backward(d, x, w, doubled=True):
    n = x.shape[-1]
    dx = np.fft.irfft(np.fft.rfft(d) * w, n)
    twice = np.full(len(w), 2.0 if doubled else 1.0)
    twice[0] = twice[-1] = 1
    return dx, (twice * (np.fft.rfft(x).conj() * np.fft.rfft(d)).real / n).sum(0)


twins(
    "filter in the frequencies",
    filtered,
    filtered_backward,
    (normal(3, 8), normal(5, seed=1)),
    {"half of the spectrum counted once": changed(filtered_backward, doubled=False)},
    lambda torch, x, w: torch.fft.irfft(torch.fft.rfft(x) * w, 8),
)

# --- Norms


def norm(x):
    return np.sqrt((x**2).sum(-1))


def norm_backward(d, x):
    n = norm(x)
    return (x * (d / np.where(n > 0, n, 1))[:, np.newaxis],)


ROWS = normal(4, 3) * np.array([[1], [0], [1], [1]])
twins(
    "norm with a row of zeros",
    norm,
    norm_backward,
    (ROWS,),
    {
        "NaN there": lambda d, x: (x * (d / norm(x))[:, np.newaxis],),
        "an epsilon in backward only": lambda d, x: (x * (d / (norm(x) + 1e-8))[:, np.newaxis],),
    },
    lambda torch, x: torch.linalg.vector_norm(x, dim=-1),
)


def weight_norm(v, g):
    return g[:, np.newaxis] * v / norm(v)[:, np.newaxis]


def weight_norm_backward(d, v, g, projected=True):
    unit = v / norm(v)[:, np.newaxis]
    dg = (d * unit).sum(1)
    return g[:, np.newaxis] / norm(v)[:, np.newaxis] * (d - dg[:, np.newaxis] * unit * projected), dg


VECTORS = normal(4, 6), normal(4, seed=1)
both(
    "weight norm",
    weight_norm,
    weight_norm_backward,
    VECTORS,
    {"the norm held constant": changed(weight_norm_backward, projected=False)},
    lambda torch, v, g: g[:, None] * v / torch.linalg.vector_norm(v, dim=1, keepdim=True),
)


def cosine(x, y):
    return (x * y).sum(1) / norm(x) / norm(y)


def cosine_backward(d, x, y, projected=True):
    nx, ny, c = norm(x)[:, np.newaxis], norm(y)[:, np.newaxis], cosine(x, y)[:, np.newaxis]
    d = d[:, np.newaxis]
    return d * (y / ny - c * x / nx) / nx, d * (x / nx - projected * c * y / ny) / ny


twins(
    "cosine similarity",
    cosine,
    cosine_backward,
    (normal(4, 5), normal(4, 5, seed=1)),
    {"the second norm held constant": changed(cosine_backward, projected=False)},
    lambda torch, x, y: torch.cosine_similarity(x, y, dim=1, eps=0),
)
right(
    "cosine similarity of equals",
    lambda: (cosine, cosine_backward, (normal(4, 5), 3 * normal(4, 5))),
)
