"""Usual layers and losses, each with the mistakes that people make in them."""

import numpy as np

from .making import both, changed, normal, twins

# --- Normalisations


def batch_norm(x, scale, shift):
    axes = (0, 2, 3)
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    y = (x - mean) / np.sqrt(var + x.dtype.type(1e-5))
    return y * scale[:, np.newaxis, np.newaxis] + shift[:, np.newaxis, np.newaxis]


def batch_norm_backward(d, x, scale, shift, axes=(0, 2, 3)):
    every = (0, 2, 3)
    mean, var = x.mean(every, keepdims=True), x.var(every, keepdims=True)
    root = np.sqrt(var + x.dtype.type(1e-5))
    y, dy = (x - mean) / root, d * scale[:, np.newaxis, np.newaxis]
    dx = (dy - dy.mean(axes, keepdims=True) - y * (dy * y).mean(axes, keepdims=True)) / root
    return dx, (d * y).sum(every), d.sum(every)


both(
    "batch norm of images",
    batch_norm,
    batch_norm_backward,
    (normal(3, 2, 4, 4), normal(2, seed=1), normal(2, seed=2)),
    {"means over each image alone": changed(batch_norm_backward, axes=(2, 3))},
    lambda torch, x, scale, shift: torch.nn.functional.batch_norm(x, None, None, scale, shift, training=True),
)


def rms_norm(x, w):
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + x.dtype.type(1e-6)) * w


def rms_norm_backward(d, x, w, count=None):
    root = np.sqrt((x**2).mean(-1, keepdims=True) + x.dtype.type(1e-6))
    dy = d * w
    sums = (dy * x).sum(-1, keepdims=True) / root**2
    return (dy - x * sums / (count or x.shape[-1])) / root, (d * x / root).sum(0)


both(
    "RMS norm",
    rms_norm,
    rms_norm_backward,
    (normal(4, 6), normal(6, seed=1)),
    {"sum for mean": changed(rms_norm_backward, count=1)},
    lambda torch, x, w: torch.nn.functional.rms_norm(x, (6,), w, eps=1e-6),
)


def group_norm(x, scale, groups=2):
    parts = x.reshape(len(x), groups, -1)
    y = (parts - parts.mean(-1, keepdims=True)) / np.sqrt(parts.var(-1, keepdims=True) + x.dtype.type(1e-5))
    return y.reshape(x.shape) * scale[:, np.newaxis]


def group_norm_backward(d, x, scale, groups=2, through=None):
    shape, parts = x.shape, x.reshape(len(x), groups, -1)
    root = np.sqrt(parts.var(-1, keepdims=True) + x.dtype.type(1e-5))
    y = (parts - parts.mean(-1, keepdims=True)) / root
    dy = (d * scale[:, np.newaxis]).reshape(parts.shape)
    y_, dy_, root_ = (each.reshape(len(x), through or groups, -1) for each in (y, dy, root + 0 * y))
    dx = (dy_ - dy_.mean(-1, keepdims=True) - y_ * (dy_ * y_).mean(-1, keepdims=True)) / root_
    return dx.reshape(shape), (d * y.reshape(shape)).sum((0, 2))


twins(
    "group norm",
    group_norm,
    group_norm_backward,
    (normal(3, 4, 5), normal(4, seed=1)),
    {"means over all groups": changed(group_norm_backward, through=1)},
    lambda torch, x, scale: torch.nn.functional.group_norm(x, 2, scale),
)


def deviation(x):
    return x.std(-1, ddof=1)


twins(
    "standard deviation of a sample",
    deviation,
    lambda d, x: ((d / deviation(x))[:, np.newaxis] * (x - x.mean(-1, keepdims=True)) / (x.shape[-1] - 1),),
    (normal(3, 4),),
    {"n for n - 1": lambda d, x: ((d / deviation(x))[:, np.newaxis] * (x - x.mean(-1, keepdims=True)) / 4,)},
    lambda torch, x: x.std(-1),
)

# --- Convolutions and windows


def taps(x, kernel, dilation, padding):
    """Slices of the padded x, one for each place of the kernel."""
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding)))
    length = padded.shape[-1] - dilation * (kernel - 1)
    return [padded[..., i * dilation : i * dilation + length] for i in range(kernel)]


def dilated(x, w, b, dilation=2, padding=2):
    parts = taps(x, w.shape[2], dilation, padding)
    return sum(np.einsum("fc,ncl->nfl", w[..., i], part) for i, part in enumerate(parts)) + b[:, np.newaxis]


def dilated_backward(d, x, w, b, dilation=2, padding=2, own=2):
    dpadded = np.zeros((*x.shape[:2], x.shape[2] + 2 * padding), x.dtype)
    for i in range(w.shape[2]):
        dpadded[..., i * own : i * own + d.shape[2]] += np.einsum("fc,nfl->ncl", w[..., i], d)
    parts = taps(x, w.shape[2], dilation, padding)
    dw = np.stack([np.einsum("nfl,ncl->fc", d, part) for part in parts], -1)
    return dpadded[..., padding : padding + x.shape[2]], dw, d.sum((0, 2))


both(
    "dilated convolution",
    dilated,
    dilated_backward,
    (normal(2, 3, 9), normal(4, 3, 3, seed=1), normal(4, seed=2)),
    {"no dilation in backward": changed(dilated_backward, own=1)},
    lambda torch, x, w, b: torch.nn.functional.conv1d(x, w, b, padding=2, dilation=2),
)


def transposed(x, w, stride=2):
    y = np.zeros((len(x), w.shape[1], stride * (x.shape[2] - 1) + w.shape[2]), x.dtype)
    for i in range(w.shape[2]):
        y[..., i : i + stride * x.shape[2] : stride] += np.einsum("ncl,cf->nfl", x, w[..., i])
    return y


def transposed_backward(d, x, w, stride=2, shift=0):
    parts = [d[..., i : i + stride * x.shape[2] : stride] for i in range(w.shape[2])]
    dx = sum(np.einsum("nfl,cf->ncl", np.roll(part, shift, -1), w[..., i]) for i, part in enumerate(parts))
    return dx, np.stack([np.einsum("ncl,nfl->cf", x, part) for part in parts], -1)


twins(
    "transposed convolution",
    transposed,
    transposed_backward,
    (normal(2, 3, 5), normal(3, 2, 3, seed=1)),
    {"one step off": changed(transposed_backward, shift=1)},
    lambda torch, x, w: torch.nn.functional.conv_transpose1d(x, w, stride=2),
)


def averaged_windows(x):
    """Means of windows of three, without what lies outside."""
    ones = np.pad(np.ones_like(x), ((0, 0), (1, 1)))
    padded = np.pad(x, ((0, 0), (1, 1)))
    count = ones[:, :-2] + ones[:, 1:-1] + ones[:, 2:]
    return (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / count, count


def averaged_windows_backward(d, x, full=False):
    share = np.pad(d / (3 if full else averaged_windows(x)[1]), ((0, 0), (1, 1)))
    return (share[:, :-2] + share[:, 1:-1] + share[:, 2:],)


twins(
    "average pooling, border not counted",
    lambda x: averaged_windows(x)[0],
    averaged_windows_backward,
    (normal(3, 7),),
    {"border counted in backward": changed(averaged_windows_backward, full=True)},
    lambda torch, x: torch.nn.functional.avg_pool1d(x[None], 3, 1, 1, count_include_pad=False)[0],
)


def overlapping(x):
    return np.lib.stride_tricks.sliding_window_view(x, 3, -1).max(-1)


def overlapping_backward(d, x, adds=True):
    g, n = np.zeros_like(x), np.arange(len(x))
    places = np.lib.stride_tricks.sliding_window_view(x, 3, -1).argmax(-1)
    for t in range(d.shape[1]):
        at = n, places[:, t] + t
        g[at] = g[at] * adds + d[:, t]
    return (g,)


both(
    "overlapping maxima",
    overlapping,
    overlapping_backward,
    (normal(3, 8),),
    {"= for +=": changed(overlapping_backward, adds=False)},
    lambda torch, x: torch.nn.functional.max_pool1d(x, 3, 1),
)


def weights_of(n, m, aligned):
    """Linear resampling from n to m values as a matrix of shape (m, n)."""
    at = np.arange(m) * (n - 1) / (m - 1) if aligned else np.clip((np.arange(m) + 0.5) * n / m - 0.5, 0, n - 1)
    low = np.minimum(at.astype(int), n - 2)
    w = np.zeros((m, n))
    w[np.arange(m), low], w[np.arange(m), low + 1] = 1 - (at - low), at - low
    return w


def resampled(x, aligned=False):
    rows, columns = weights_of(x.shape[1], 7, aligned), weights_of(x.shape[2], 6, aligned)
    return np.einsum("ri,nij,cj->nrc", rows.astype(x.dtype), x, columns.astype(x.dtype))


def resampled_backward(d, x, aligned=False):
    rows, columns = weights_of(x.shape[1], 7, aligned), weights_of(x.shape[2], 6, aligned)
    return (np.einsum("ri,nrc,cj->nij", rows.astype(x.dtype), d, columns.astype(x.dtype)),)


both(
    "bilinear resampling",
    resampled,
    resampled_backward,
    (normal(2, 4, 5),),
    {"corners aligned in backward": changed(resampled_backward, aligned=True)},
    lambda torch, x: torch.nn.functional.interpolate(x[None], (7, 6), mode="bilinear")[0],
)


def sampled(x, at):
    """Linear interpolation of x at places between -1 and 1, the middles of the outer values."""
    place = (at + 1) / 2 * (x.shape[-1] - 1)
    low = np.clip(np.floor(place).astype(int), 0, x.shape[-1] - 2)
    rest = place - low.astype(x.dtype)
    return x[low] * (1 - rest) + x[low + 1] * rest


def sampled_backward(d, x, at, scaled=True):
    place = (at + 1) / 2 * (x.shape[-1] - 1)
    low = np.clip(np.floor(place).astype(int), 0, x.shape[-1] - 2)
    rest, g = place - low.astype(x.dtype), np.zeros_like(x)
    np.add.at(g, low, d * (1 - rest))
    np.add.at(g, low + 1, d * rest)
    return g, d * (x[low + 1] - x[low]) * ((x.shape[-1] - 1) / 2 if scaled else 1)


def sampled_truth(torch, x, at):
    grid = torch.stack([at, torch.zeros_like(at)], -1)[None, None]
    return torch.nn.functional.grid_sample(x[None, None, None], grid, align_corners=True)[0, 0, 0]


both(
    "sampling between values",
    sampled,
    sampled_backward,
    (normal(6), np.array([-0.9, -0.33, 0.1, 0.77, 0.12])),
    {"the scale of places is missing": changed(sampled_backward, scaled=False)},
    sampled_truth,
)


def mirrored(x):
    return np.pad(x, ((0, 0), (2, 2)), mode="reflect")


def mirrored_backward(d, x, added=True):
    g = d[:, 2:-2].copy()
    if added:
        g[:, 1:3] += d[:, 1::-1]
        g[:, -3:-1] += d[:, -1:-3:-1]
    return (g,)


twins(
    "mirrored border",
    mirrored,
    mirrored_backward,
    (normal(3, 5),),
    {"its gradient is dropped": changed(mirrored_backward, added=False)},
    lambda torch, x: torch.nn.functional.pad(x, (2, 2), mode="reflect"),
)
twins(
    "roll",
    lambda x: np.roll(x, 2, -1) * np.arange(5),
    lambda d, x: (np.roll(d * np.arange(5), -2, -1),),
    (normal(3, 5),),
    {"rolled the same way": lambda d, x: (np.roll(d * np.arange(5), 2, -1),)},
    lambda torch, x: torch.roll(x, 2, -1) * torch.arange(5),
)

# --- Losses


def log_softmax(x):
    z = x - x.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def cross_entropy(x, labels, ignored=-100, smoothing=0.1):
    seen = labels != ignored
    logs = log_softmax(x)
    own = np.take_along_axis(logs, np.where(seen, labels, 0)[:, np.newaxis], 1)[:, 0]
    return -((1 - smoothing) * own + smoothing * logs.mean(-1))[seen].mean()


def cross_entropy_backward(d, x, labels, ignored=-100, smoothing=0.1, of_all=False):
    seen, classes = labels != ignored, x.shape[1]
    target = (1 - smoothing) * (np.where(seen, labels, 0)[:, np.newaxis] == np.arange(classes)) + smoothing / classes
    g = (np.exp(log_softmax(x)) - target) * seen[:, np.newaxis] / (len(x) if of_all else seen.sum())
    return (d * g).astype(x.dtype), None


both(
    "cross-entropy with ignored labels",
    cross_entropy,
    cross_entropy_backward,
    (normal(6, 4), np.array([0, 3, -100, 1, -100, 2])),
    {
        "mean over all": changed(cross_entropy_backward, of_all=True),
        "labels not smoothed in backward": changed(cross_entropy_backward, smoothing=0.0),
    },
    lambda torch, x, labels: torch.nn.functional.cross_entropy(x, labels, label_smoothing=0.1),
)


def binary(x, target, weight=3.0):
    return (weight * target * np.logaddexp(0, -x) + (1 - target) * np.logaddexp(0, x)).mean()


def binary_backward(d, x, target, weight=3.0):
    s = 1 / (1 + np.exp(-x))
    return d * ((1 - target) * s - weight * target * (1 - s)) / x.size, None


twins(
    "binary cross-entropy, weighted",
    binary,
    binary_backward,
    (4 * normal(8), np.array([0, 1, 1, 0, 1, 0, 0, 1])),
    {"weight is missing": changed(binary_backward, weight=1.0)},
    lambda torch, x, t: torch.nn.functional.binary_cross_entropy_with_logits(
        x, t.double(), pos_weight=torch.tensor([3.0], dtype=torch.float64)
    ),
)


def focal(x):
    return (-((1 - 1 / (1 + np.exp(-x))) ** 2) * -np.logaddexp(0, -x)).mean()


def focal_backward(d, x, through=True):
    p = 1 / (1 + np.exp(-x))
    return (d * ((1 - p) ** 2 * (p - 1) + through * 2 * (1 - p) ** 2 * p * -np.logaddexp(0, -x) * 1) / x.size,)


twins(
    "focal loss",
    focal,
    focal_backward,
    (2 * normal(7),),
    {"its factor held constant": changed(focal_backward, through=False)},
    lambda torch, x: (-((1 - torch.sigmoid(x)) ** 2) * torch.nn.functional.logsigmoid(x)).mean(),
)


def divergence(x, y):
    p = np.exp(log_softmax(x))
    return (p * (log_softmax(x) - log_softmax(y))).sum(-1)


def divergence_backward(d, x, y, centred=True):
    p, d = np.exp(log_softmax(x)), d[:, np.newaxis]
    terms = log_softmax(x) - log_softmax(y)
    dx = p * (terms - centred * (p * terms).sum(-1, keepdims=True))
    return d * dx, d * (np.exp(log_softmax(y)) - p)


twins(
    "divergence of two softmax",
    divergence,
    divergence_backward,
    (normal(4, 5), normal(4, 5, seed=1)),
    {"its mean is not subtracted": changed(divergence_backward, centred=False)},
    lambda torch, x, y: (torch.softmax(x, -1) * (torch.log_softmax(x, -1) - torch.log_softmax(y, -1))).sum(-1),
)
