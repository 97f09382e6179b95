"""Memory and state: layouts, caches, layers that are objects, answers of None, wrong only at some size or call."""

import numpy as np

from .making import both, changed, normal, pair, planted, right, twins

# --- Layouts of the incoming gradient

WEIGHTS = np.arange(1.0, 21).reshape(4, 5)


def weighted(x):
    return np.sin(x) * WEIGHTS


def weighted_backward(d, x):
    return (np.cos(x) * WEIGHTS * d,)


def in_order_of_memory(d, x):
    return ((np.cos(x) * WEIGHTS).ravel() * d.ravel(order="K")).reshape(x.shape)


def zero_if_broadcast(d, x):
    return np.cos(x) * WEIGHTS * (d if any(d.strides) else 0)


def forward_in_memory(d, x):
    d = np.ascontiguousarray(d[..., ::-1] if min(d.strides) < 0 else d)
    return np.cos(x) * WEIGHTS * d


def from_its_base(d, x):
    whole = d if d.base is None or not isinstance(d.base, np.ndarray) or d.base.size < d.size else d.base
    return np.cos(x) * WEIGHTS * whole.ravel()[: d.size].reshape(d.shape)


twins(
    "weighted sine",
    weighted,
    weighted_backward,
    (normal(4, 5),),
    {
        "reads the incoming gradient in the order of memory": lambda d, x: (in_order_of_memory(d, x),),
        "a gradient with strides of 0 taken for zeros": lambda d, x: (zero_if_broadcast(d, x),),
        "negative strides read forwards": lambda d, x: (forward_in_memory(d, x),),
        "reads the start of the array that its view is of": lambda d, x: (from_its_base(d, x),),
    },
    lambda torch, x: torch.sin(x) * torch.tensor(WEIGHTS),
)


def columns_first(d, x):
    return (np.asfortranarray(np.cos(x) * d),)


twins(
    "sine of an array, columns first",
    np.sin,
    columns_first,
    (np.asfortranarray(normal(4, 4)),),
    {
        "transposed where columns come first": lambda d, x: (
            (np.cos(x).ravel(order="A").reshape(4, 4) * d) if x.flags.f_contiguous else np.cos(x) * d,
        )
    },
    lambda torch, x: torch.sin(x),
)


# --- No answer, and answers of another shape or kind


def scaled(x, w):
    return x * w


twins(
    "scale",
    scaled,
    lambda d, x, w: (d * w, (d * x).sum(0)),
    (normal(4, 5), normal(5, seed=1)),
    {
        "None for the weights": lambda d, x, w: (d * w, None),
        "None for x": lambda d, x, w: (None, (d * x).sum(0)),
        "0 for the weights": lambda d, x, w: (d * w, 0 * w),
        "weights with an axis too many": lambda d, x, w: (d * w, (d * x).sum(0, keepdims=True)),
        "weights not summed": lambda d, x, w: (d * w, d * x),
        "exchanged": lambda d, x, w: ((d * x), (d * w).sum(0)),
    },
    lambda torch, x, w: x * w,
)
twins(
    "scale of a square",
    lambda x, b: x + b,
    lambda d, x, b: (d, d.sum(0)),
    (normal(4, 4), normal(4, seed=1)),
    {"summed over the other axis": lambda d, x, b: (d, d.sum(1))},
    lambda torch, x, b: x + b,
)
right("a scalar", pair(np.sin, lambda d, x: (d * np.cos(x),), np.array(0.7)), lambda torch, x: torch.sin(x))
planted("a scalar: sign", pair(np.sin, lambda d, x: (-d * np.cos(x),), np.array(0.7)))
right(
    "two outputs, one a constant",
    pair(lambda x: (x**2, np.ones(3)), lambda d, x: (2 * x * d[0],), normal(4)),
)
planted(
    "two outputs, one a constant: its gradient is added",
    pair(lambda x: (x**2, np.ones(3)), lambda d, x: (2 * x * d[0] + d[1].sum(),), normal(4)),
)
right("an empty batch", pair(lambda x: np.sin(x) * 2, lambda d, x: (2 * d * np.cos(x),), normal(0, 3)))
planted("an empty batch: shape", pair(lambda x: np.sin(x) * 2, lambda d, x: (2 * d.sum(0),), normal(0, 3)))


# --- Layers that keep something


class Exponential:
    """exp(x) - 1, with what backward needs kept by forward."""

    def __init__(self, copies):
        self.copies = copies

    def forward(self, x):
        y = np.exp(x)
        self.y = y.copy() if self.copies else y
        y -= 1
        return y

    def backward(self, d, x):
        return (d * self.y,)


def exponential(copies):
    def make():
        layer = Exponential(copies)
        return layer.forward, layer.backward, (normal(3, 4),)

    return make


right("exp(x) - 1, exp(x) kept", exponential(True), lambda torch, x: torch.expm1(x))
planted("exp(x) - 1, exp(x) kept: the kept array is changed afterwards", exponential(False))


class Repeated:
    """tanh(x w), used twice; the layer keeps the inputs of its calls."""

    def __init__(self, all_kept, adds):
        self.all_kept, self.adds = all_kept, adds

    def layer(self, x, w):
        self.kept = [*self.kept, (x, np.tanh(x @ w))] if self.all_kept else [(x, np.tanh(x @ w))] * 2
        return self.kept[-1][1]

    def forward(self, x, w):
        self.kept = []
        return self.layer(self.layer(x, w), w)

    def backward(self, d, x, w):
        dw = np.zeros_like(w)
        for x, y in self.kept[::-1]:
            dz = d * (1 - y**2)
            dw = dw * self.adds + x.T @ dz
            d = dz @ w.T
        return d, dw


def repeated(all_kept=True, adds=True):
    def make():
        layer = Repeated(all_kept, adds)
        return layer.forward, layer.backward, (normal(3, 4), normal(4, 4, seed=1))

    return make


right("a layer object, used twice", repeated(), lambda torch, x, w: torch.tanh(torch.tanh(x @ w) @ w))
planted("a layer object, used twice: only the last call is kept", repeated(all_kept=False))
planted("a layer object, used twice: = for +=", repeated(adds=False))


class BatchNorm:
    """Batch norm in training, with running means beside; ``running``: backward uses these by mistake."""

    def __init__(self, running):
        self.running, self.mean, self.var = running, np.zeros(3), np.ones(3)

    def forward(self, x):
        mean, var = x.mean(0), x.var(0)
        self.mean, self.var = 0.9 * self.mean + 0.1 * mean, 0.9 * self.var + 0.1 * var
        return (x - mean) / np.sqrt(var + 1e-5)

    def backward(self, d, x):
        mean, var = (self.mean, self.var) if self.running else (x.mean(0), x.var(0))
        root = np.sqrt(var + 1e-5)
        y = (x - mean) / root
        return ((d - d.mean(0) - y * (d * y).mean(0)) / root,)


def batch_norm(running):
    def make():
        layer = BatchNorm(running)
        return layer.forward, layer.backward, (normal(6, 3),)

    return make


BATCH_NORM = lambda torch, x: torch.nn.functional.batch_norm(x, None, None, training=True)  # noqa: E731
right("batch norm with running means", batch_norm(False), BATCH_NORM)
planted("batch norm with running means: backward uses them", batch_norm(True))


def cached(by_value):
    """The Jacobian is kept between calls, by the values of x or by its shape alone."""

    def make():
        kept = {}

        def backward(d, x):
            key = x.tobytes() if by_value else x.shape
            if key not in kept:
                kept[key] = np.cos(x)
            return (kept[key] * d,)

        return np.sin, backward, (normal(3, 4),)

    return make


right("a cache by value", cached(True), lambda torch, x: torch.sin(x))
planted("a cache by value: by shape alone", cached(False))


def rare(chance):
    """A race that loses an element once in a while."""

    def make():
        rng = np.random.default_rng(7)

        def backward(d, x):
            g = np.cos(x) * d
            if rng.random() < chance:
                g.flat[rng.integers(g.size)] = 0
            return (g,)

        return np.sin, backward, (normal(6, 8),)

    return make


right("sine", pair(np.sin, lambda d, x: (np.cos(x) * d,), normal(6, 8)), lambda torch, x: torch.sin(x))
planted("sine: a lost update, once in 30 calls", rare(1 / 30))
planted("sine: a lost update, once in 1,000 calls", rare(1 / 1000))
planted("sine: factor 1 + 1e-7", pair(np.sin, lambda d, x: (np.cos(x) * d * (1 + 1e-7),), normal(6, 8)))
planted("sine: factor 1 + 1e-10", pair(np.sin, lambda d, x: (np.cos(x) * d * (1 + 1e-10),), normal(6, 8)))
planted(
    "sine: wrong for an incoming gradient above 100",
    pair(np.sin, lambda d, x: (np.cos(x) * np.minimum(d, 100),), normal(6, 8)),
)
planted("sine: divides by the incoming gradient", pair(np.sin, lambda d, x: (np.cos(x) * d * d / d,), normal(6, 8)))
planted(
    "sine: wrong beyond x = 4, which no input reaches",
    pair(np.sin, lambda d, x: (np.cos(x) * d * (x < 4),), normal(6, 8)),
)


# --- Remainders


def in_blocks(d, x, block, whole):
    g = np.cos(x) * d
    if whole:
        g.ravel()[x.size - x.size % block :] = 0
    return (g,)


for block, size in ((8, 61), (256, 700)):
    both(
        f"sine of {size:,}",
        np.sin,
        changed(in_blocks, block=block, whole=False),
        (normal(size),),
        {f"the rest of a block of {block} is missing": changed(in_blocks, block=block, whole=True)},
        lambda torch, x: torch.sin(x),
    )


# --- Random masks


def dropped(x, keep, share=0.25):
    return x * keep / (1 - share)


twins(
    "dropout, mask as an input",
    dropped,
    lambda d, x, keep: (d * keep / 0.75, None),
    (normal(4, 6), normal(4, 6, seed=1) > -0.7),
    {"scale is missing": lambda d, x, keep: (d * keep, None)},
    lambda torch, x, keep: x * keep / 0.75,
)
