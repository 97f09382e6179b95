"""The pictures of these pages, drawn from the kernels and the network themselves (``make pages``).

A picture is a function here or in ``figures_chain.py``, under the name that the pages call it by.
"""

import json
import re
import sys
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "walks"))
import layer as walk

import emop3d_np as emo
from emop3d_np import optimizers
from emop3d_np.datasets.faces import draw_faces
from kernels import reference

TEAL, ORANGE, GREY, INK = "#00796b", "#e07b39", "#b0bec5", "#263238"
ORANGE_TEXT, GREY_TEXT = "#a84300", "#546e7a"
"""The same for words on white: a contrast of at least 4.5."""
STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": matplotlib.cycler(color=[TEAL, ORANGE, "#5c6bc0", INK]),
    "image.interpolation": "nearest",
    "svg.hashsalt": "emop3d",
    "legend.frameon": False,
}

FIGURES = {}


def picture(draw):
    FIGURES[draw.__name__] = draw
    return draw


def draw(name):
    """The picture called ``name`` as the bytes of an .svg file."""
    with plt.rc_context(STYLE):
        made = FIGURES[name]()
        written = BytesIO()
        made.savefig(written, format="svg", metadata={"Date": None})
        plt.close(made)
    return written.getvalue()


def panels(rows, columns, width, height, **options):
    return plt.subplots(rows, columns, figsize=(width, height), layout="constrained", **options)


def bare(ax, title=None):
    ax.set(xticks=[], yticks=[], title=title)
    for spine in ax.spines.values():
        spine.set_visible(False)


def contrast(one, other):
    """The ratio of two colours' luminance, from 1 to 21, as WCAG 2 defines it."""
    lights = []
    for colour in (one, other):
        rgb = np.array(matplotlib.colors.to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        lights.append(0.05 + linear @ [0.2126, 0.7152, 0.0722])
    return max(lights) / min(lights)


def ink(paper):
    """White or black, whichever is read better on the colour ``paper``; the contrast is never below 4.5."""
    return max(("white", "black"), key=lambda colour: contrast(colour, paper))


def numbered(ax, values, **options):
    """An image with its numbers written into the cells."""
    image = ax.imshow(values, **options)
    for (row, column), value in np.ndenumerate(values):
        colour = ink(image.to_rgba(value))
        ax.text(column, row, f"{value:g}", ha="center", va="center", fontsize=8, color=colour)


def matrix(forward, inputs):
    """The matrix of a linear map of a vector of so many numbers: its answers to the unit vectors, as columns."""
    return np.stack([forward(unit).ravel() for unit in np.eye(inputs)], axis=1)


def face(label=3, identity=0, shape=(16, 100, 100, 1)):
    """One drawn clip, float64 of shape (1, *shape)."""
    return draw_faces([label], [identity], shape=shape).astype(np.float64)


# --- The operations.


def row_of_weights(x, weights, window):
    """A weighted sum of one row: kernels/reference with one frame, one row, one channel and one map."""
    outputs = x.size - window + 1
    bias = np.zeros((1, 1, outputs, 1))
    clip = x.reshape(1, 1, 1, -1, 1)
    return reference.weighted_sum(clip, weights.reshape(1, 1, -1, 1, 1), bias, (1, 1, window), (1, 1, 1))


@picture
def four_layers():
    """Which weight stands where in the matrix of each kind of layer: 9 inputs, windows of 3, 7 outputs."""
    inputs, window = 9, 3
    outputs = inputs - window + 1
    inside = matrix(lambda x: row_of_weights(x, np.ones(inputs), window), inputs) > 0
    which = {
        "convolution": np.arange(inputs) - np.arange(outputs)[:, None] + 1,
        "weighted sum": matrix(lambda x: row_of_weights(x, np.arange(1.0, inputs + 1), window), inputs),
        "locally connected": np.cumsum(inside.ravel()).reshape(inside.shape),
        "fully connected": np.arange(inputs * outputs).reshape(outputs, inputs) + 1,
    }
    made, axes = panels(1, 4, 9, 2.6)
    for ax, (name, numbers) in zip(axes, which.items(), strict=True):
        present = inside if name != "fully connected" else np.ones_like(inside)
        number = np.where(present, numbers, 0)
        own = int(number.max())
        colours = matplotlib.colormaps["turbo"](0.08 + 0.84 * (number - 1) / (own - 1))
        colours[~present] = 1
        ax.imshow(colours)
        if own < 30:
            for (row, column), value in np.ndenumerate(number):
                if value:
                    ax.text(
                        column,
                        row,
                        f"{value:g}",
                        ha="center",
                        va="center",
                        fontsize=6.5,
                        color=ink(colours[row, column]),
                    )
        ax.set(title=f"{name}\n{own} weights", xticks=[], yticks=[], xlabel="inputs")
    axes[0].set_ylabel("outputs")
    return made


@picture
def box_sum():
    """One product, all the windows that use it; and how often each position is used."""
    x = np.zeros((1, 1, 6, 6, 1))
    x[0, 0, 2, 3] = 1
    ones, bias = np.ones((1, 6, 6, 1, 1)), np.zeros((1, 4, 4, 1))
    field, strides = (1, 3, 3), (1, 1, 1)
    z = reference.weighted_sum(x, ones, bias, field, strides)
    cover = reference.weighted_sum_backward(np.ones_like(z), x, ones, field, strides)[0]
    dz = np.zeros_like(z)
    dz[0, 0, 1, 2] = 1
    one = reference.weighted_sum_backward(dz, x, ones, field, strides)[0]
    made, axes = panels(1, 5, 9.5, 2.3, width_ratios=[6, 4, 4, 6, 6])
    for ax, values, title in (
        (axes[0], x, "P: one product"),
        (axes[1], z, "z = box sum of P"),
        (axes[2], dz, "δ: one output"),
        (axes[3], one, "G = transpose of δ"),
        (axes[4], cover, "G when all δ = 1"),
    ):
        numbered(ax, values[0, 0, :, :, 0], cmap="Greens", vmin=0, vmax=cover.max() if values is cover else 1.3)
        bare(ax, title)
    return made


@picture
def leaky_relu():
    """The function and its slope."""
    z = np.linspace(-3, 3, 601)
    made, (left, right) = panels(1, 2, 7, 2.4)
    left.plot(z, reference.leaky_relu(z), lw=2, label="α = 0.01")
    left.plot(z, reference.leaky_relu(z, 0.2), lw=1, ls="--", label="α = 0.2")
    left.set(title="y = max(αz, z)", xlabel="z")
    left.legend()
    for part in (z[z <= 0], z[z > 0]):
        right.plot(part, reference.leaky_relu_backward(np.ones_like(part), part), lw=2, color=TEAL)
    right.plot([0], reference.leaky_relu_backward(np.ones(1), np.zeros(1)), "o", color=TEAL)
    right.plot([0], [1], "o", color=TEAL, mfc="white")
    right.set(title="its slope; at 0 it is α", xlabel="z", ylim=(-0.05, 1.1))
    return made


@picture
def normalisation():
    """A frame before and after, and what becomes of an incoming gradient."""
    x = face()[:, 12:13]
    y = reference.standardize(x)
    rng = np.random.default_rng(1)
    h, w = np.mgrid[:100, :100] / 100
    texture = np.sin(9 * h) * np.cos(11 * w) + 0.3 * rng.standard_normal((100, 100))
    dy = (0.9 + 0.8 * y[0, 0, :, :, 0] + texture)[None, None, :, :, None]
    mean = np.full_like(dy, dy.mean())
    along = y * (dy * y).mean()
    through = reference.standardize_backward(dy, x) * np.sqrt(x.var())
    made, axes = panels(1, 6, 10, 2.1, width_ratios=[1, 1, 1, 1, 1, 1])
    shown = ((x, "x"), (y, "y"), (dy, "dy  ="), (mean, "mean  +"), (along, "along y  +"), (through, "what passes"))
    for index, (ax, (values, title)) in enumerate(zip(axes, shown, strict=True)):
        limits = {} if index < 2 else {"vmin": -3, "vmax": 3}
        ax.imshow(values[0, 0, :, :, 0], cmap="gray" if index < 2 else "RdBu_r", rasterized=True, **limits)
        bare(ax, title)
    return made


@picture
def pool_space():
    """Blocks, the cell that is chosen, and where the gradient goes."""
    x = POOL_EXAMPLE
    m = reference.max_pool_space(x, (2, 2))
    dm = np.arange(1.0, m.size + 1).reshape(m.shape)
    dx = reference.max_pool_space_backward(dm, x, (2, 2))
    made, axes = panels(1, 4, 8.5, 2.2, width_ratios=[5, 2.4, 2.4, 5])
    for ax, values, title in zip(axes, (x, m, dm, dx), ("x", "m", "dm", "dx"), strict=True):
        numbered(ax, values[0, 0, :, :, 0], cmap="Oranges", vmin=0, vmax=12)
        bare(ax, title)
    for ax in (axes[0], axes[3]):
        for row, column in np.ndindex(2, 2):
            ax.add_patch(Rectangle((2 * column - 0.5, 2 * row - 0.5), 2, 2, fill=False, ec=INK, lw=1.5))
    return made


POOL_EXAMPLE = np.array([[3, 1, 4, 4, 9], [2, 5, 4, 0, 9], [7, 7, 1, 8, 9], [6, 7, 2, 3, 9]], float)[
    None, None, :, :, None
]
"""Four rows, five columns: ties, and a last column that no block takes."""


@picture
def pool_frames():
    """One position over time: the runs, the frame each chose, and what the frames receive."""
    x = np.array([2, 1, 3, 5, 5, 4, 1, 2], float).reshape(1, -1, 1, 1, 1)
    m = reference.max_pool_frames(x, 3)
    dx = reference.max_pool_frames_backward(np.ones_like(m), x, 3).ravel()
    chosen = [start + int(x[0, start : start + 3].argmax()) for start in range(m.size)]
    made, ax = panels(1, 1, 7.5, 3.1)
    ax.bar(range(x.size), x.ravel(), color=GREY, width=0.6)
    for start, frame in enumerate(chosen):
        height = 6.1 + 0.55 * start
        ax.plot([start - 0.3, start + 2.3], [height, height], color=TEAL, lw=2)
        ax.plot([frame], [height], "o", color=ORANGE)
    for frame, (value, got) in enumerate(zip(x.ravel(), dx, strict=True)):
        ax.text(frame, value / 2, f"{value:g}", ha="center", va="center")
        ax.text(frame, -0.75, f"receives {got:g}", ha="center", color=ORANGE_TEXT if got else GREY_TEXT, fontsize=8)
    ax.set(xticks=range(x.size), yticks=[], ylim=(-1.3, 9.3))
    ax.set_xticklabels([f"frame {d}" for d in range(x.size)], fontsize=8)
    ax.spines["left"].set_visible(False)
    ax.tick_params(length=0)
    return made


@picture
def fully_connected():
    """The example worked by hand, forward above, backward below."""
    a, weights, bias = np.array([[1.0, 2]]), np.array([[1.0, 0, 3], [0, 1, 4]]), np.array([10.0, 20, 30])
    d = np.array([[1.0, 0, -1]])
    da, dweights, dbias = reference.dense_backward(d, a, weights)
    made, axes = panels(2, 4, 8, 2.6, width_ratios=[2, 3, 3, 3])
    forward = (a, "a"), (weights, "W"), (bias[None], "b"), (reference.dense(a, weights, bias), "y = a W + b")
    backward = (da, "da = δ Wᵀ"), (dweights, "dW = aᵀ δ"), (dbias[None], "db = δ"), (d, "δ")
    for row, cells in zip(axes, (forward, backward), strict=True):
        for ax, (values, title) in zip(row, cells, strict=True):
            # Brown below 0, white at 0, green above: each number has its colour.
            limit = 1.2 * np.abs(values).max()
            numbered(ax, values, cmap="BrBG", vmin=-limit, vmax=limit)
            bare(ax, title)
    return made


@picture
def softmax():
    """Two classes: probability, loss and slope by the difference of the logits; and a gradient of six classes."""
    gap = np.linspace(-6, 6, 241)
    logits, labels = np.stack([gap, np.zeros_like(gap)], axis=1), np.zeros(gap.size, int)
    made, (left, right) = panels(1, 2, 8, 2.6)
    left.plot(gap, reference.softmax(logits)[:, 0], label="p of the true class")
    left.plot(gap, reference.softmax_cross_entropy(logits, labels), label="loss")
    slope = reference.softmax_cross_entropy_backward(np.ones(gap.size), logits, labels)[:, 0]
    left.plot(gap, slope, label="slope of the loss")
    left.set(xlabel="logit of the true class above the other", ylim=(-1.1, 4))
    left.legend()
    scores, truth = np.array([[2.0, 1.0, 0.5, 0.0, -1.0, 1.5]]), np.array([1])
    p = reference.softmax(scores)[0]
    gradient = reference.softmax_cross_entropy_backward(np.ones(1), scores, truth)[0]
    right.bar(np.arange(6) - 0.2, p, 0.4, label="p")
    right.bar(np.arange(6) + 0.2, gradient, 0.4, label="p less 1 at the truth")
    right.axhline(0, color=INK, lw=0.8)
    right.set(xlabel="class k; the truth is 1", xticks=range(6))
    right.legend()
    return made


VALLEY = np.array([1.0, 25.0])
"""Curvature of a valley along it and across it: the gradient at ``w`` is ``VALLEY * w``."""


def best_in_valley():
    """The optimisers at the constant settings that are best for the valley, by name (Lessard et al., 2016, table 1)."""
    least, most = VALLEY
    root = np.sqrt(3 * most / least + 1)
    return {
        "gradient descent": optimizers.GradientDescent(2 / (most + least)),
        "momentum": optimizers.Momentum(
            4 / (np.sqrt(most) + np.sqrt(least)) ** 2,
            ((np.sqrt(most) - np.sqrt(least)) / (np.sqrt(most) + np.sqrt(least))) ** 2,
        ),
        "Nesterov": optimizers.Momentum(4 / (3 * most + least), (root - 2) / (root + 2), nesterov=True),
    }


@picture
def momentum():
    """Three optimisers in a narrow valley, and the staircase."""
    made, (left, right) = panels(1, 2, 9, 3, width_ratios=[3, 2])
    a, b = np.meshgrid(np.linspace(-1.2, 10.5, 100), np.linspace(-2.6, 2.6, 100))
    left.contour(a, b, VALLEY[0] * a**2 + VALLEY[1] * b**2, levels=12, colors=GREY, linewidths=0.6)
    for name, optimizer in best_in_valley().items():
        kept = f", µ = {optimizer.momentum:.2f}" if name != "gradient descent" else ""
        parameters = {"w": np.array([10.0, 1.0])}
        path = [parameters["w"].copy()]
        for _ in range(25):
            optimizer.update(parameters, {"w": VALLEY * parameters["w"]})
            path.append(parameters["w"].copy())
        left.plot(*np.transpose(path), ".-", lw=1.2, ms=4, label=f"{name}, η = {optimizer.rate:.3f}{kept}")
    left.set(
        xticks=[], yticks=[], title="25 steps, each at its best constant rate", xlim=(-1.2, 10.5), ylim=(-3.4, 2.2)
    )
    left.legend(loc="lower left")
    schedule = optimizers.exponential_decay(0.00015, 15, 0.1)
    epochs = np.linspace(0, 50, 1001)
    right.semilogy(epochs, [schedule(epoch) for epoch in epochs])
    right.set(title="learning rate of run.py's defaults", xlabel="epoch")
    return made


@picture
def difference_quotients():
    """The error of a numeric derivative by its step, for the normalisation."""
    rng = np.random.default_rng(3)
    x, dy, v = rng.standard_normal((3, 1, 1, 6, 6, 1))

    def value(step):
        return (dy * reference.standardize(x + step * v)).sum()

    def central(h):
        return (value(h) - value(-h)) / (2 * h)

    exact = (reference.standardize_backward(dy, x) * v).sum()
    steps = np.logspace(-16, 0, 65)
    ways = {
        "forward difference": lambda h: (value(h) - value(0)) / h,
        "central difference": central,
        "central, Richardson": lambda h: (4 * central(h / 2) - central(h)) / 3,
        "complex step": lambda h: value(1j * h).imag / h,
    }
    made, ax = panels(1, 1, 7, 3.2)
    for name, way in ways.items():
        errors = [abs(way(h) - exact) / abs(exact) for h in steps]
        ax.loglog(steps, np.maximum(errors, 1e-17), label=name, lw=1.6)
    ax.axhline(np.finfo(float).eps, color=GREY, ls=":", lw=1)
    ax.set(xlabel="step h", ylabel="relative error", ylim=(1e-17, 1e2))
    ax.legend(ncols=2, fontsize=8)
    return made


@picture
def planes():
    """A plane as one long row: where outputs are, and the rest."""
    width, rows = 9, 5
    made, ax = panels(1, 1, 8, 2.4)
    for row in range(rows):
        for column in range(width):
            output = row < rows - 3 and column < width - 3
            rest = row < rows - 3 and not output
            colour = TEAL if output else GREY if rest else "white"
            ax.add_patch(Rectangle((column, -row), 0.92, 0.92, fc=colour, ec=GREY, alpha=0.75))
            ax.text(column + 0.46, -row + 0.46, row * width + column, ha="center", va="center", fontsize=7)
    ax.text(width + 0.4, 0.4, "q = h · width + w", va="center")
    ax.text(width + 0.4, -0.6, "right: q + 1;  down: q + width", va="center")
    ax.text(width + 0.4, -1.6, "green: outputs of a 4 × 4 window", va="center", color=TEAL)
    ax.text(width + 0.4, -2.6, "grey: the rest, computed and then ignored", va="center", color=GREY_TEXT)
    ax.set(xlim=(-0.1, width + 8.5), ylim=(-rows + 0.9, 1.1), aspect="equal")
    bare(ax)
    return made


@picture
def learned_plane():
    """The weights of the walk's one layer, before and after training: last frame of the window, both maps."""
    before = walk.parameters(np.random.default_rng(0))["weights"]
    after, _ = walk.train()
    made, axes = panels(1, 5, 9, 2.1)
    axes[0].imshow(face(shape=walk.CLIP)[0, -1, :, :, 0], cmap="gray")
    bare(axes[0], "a clip's last frame")
    shown = [(before, 0, "map 0 before"), (before, 1, "map 1 before")]
    shown += [(after["weights"], 0, "map 0 after"), (after["weights"], 1, "map 1 after")]
    for ax, (weights, f, title) in zip(axes[1:], shown, strict=True):
        plane = weights[-1, :, :, 0, f]
        limit = np.abs(plane).max()
        ax.imshow(plane, cmap="RdBu_r", vmin=-limit, vmax=limit)
        bare(ax, title)
    return made


# --- The network.


@picture
def roofline():
    """Of ``bench/results/speed.json``: one thread."""
    measured = json.loads((Path(__file__).resolve().parents[2] / "bench" / "results" / "speed.json").read_text())
    limits, parts = measured["limits"]["1"], measured["parts"]
    fig, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
    x = np.geomspace(0.2, 8, 100)
    for rate, name, style in (("cache_read", "cache", "-"), ("memory_read", "memory", "--")):
        ax.plot(x, np.minimum(limits["sgemm"], limits[rate] * x), style, color=GREY, zorder=0, label=name)
    ax.annotate(f"matrix product, {limits['sgemm']:.0f} GFLOP/s", (3.2, limits["sgemm"] * 1.07), fontsize=8)
    for number, (name, part) in enumerate(parts.items(), 1):
        at = part["operations"] / part["bytes"], part["gflops"]
        color = ORANGE if "backward" in name else TEAL
        size = 3 + 600 * np.sqrt(part["seconds"])
        ax.plot(*at, "o", color=color, markersize=size, markeredgewidth=0)
        ax.annotate(number, at, (-2 - size / 2, 0), textcoords="offset points", ha="right", va="center", fontsize=8)
    ax.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="GFLOP/s, one thread", ylim=(15, 200))
    for axis, ticks in ((ax.xaxis, [0.25, 0.5, 1, 2, 4, 8]), (ax.yaxis, [20, 50, 100, 200])):
        axis.set_ticks(ticks, labels=map(str, ticks))
        axis.set_ticks([], minor=True)
    ax.legend(loc="lower right", title="read from", fontsize=8)
    return fig


@picture
def ranks():
    """Of ``bench/results/ranks.json``: what a step should take on more ranks than were measured."""
    measured = json.loads((Path(__file__).resolve().parents[2] / "bench" / "results" / "ranks.json").read_text())
    model = measured["model"]
    fig, axes = panels(1, 2, 8, 3, sharey=True)
    for ax, kind, title in zip(
        axes, ("fixed", "growing"), ("100 clips, shared out", "100 clips for each rank"), strict=True
    ):
        for (speed, times), style in zip(model[kind].items(), ("-", "--", ":"), strict=True):
            ax.plot(model["ranks"], times, f"{style}o", markersize=3, label=f"{speed} Gb/s")
        ax.set(xscale="log", yscale="log", xlabel="ranks", title=title)
        ax.xaxis.set_ticks(model["ranks"], labels=map(str, model["ranks"]))
        ax.xaxis.set_ticks([], minor=True)
        ax.yaxis.set_ticks(ticks := [5, 10, 20, 50, 100, 200], labels=map(str, ticks))
        ax.yaxis.set_ticks([], minor=True)
    axes[0].set(ylabel="milliseconds per step")
    axes[1].legend(title="network")
    return fig


@picture
def pyramid():
    """The maps of every layer as a stack of sheets, to scale."""
    net = emo.EmoP3D(backend="reference")
    stages = [("input", net.input_shape)]
    stages += [(layer.name, layer.output_shape) for layer in net.layers if layer.name in ("L1WS", "L3P", "L5WS")]
    made, ax = panels(1, 1, 9.5, 3.6)
    left = 0.0
    for name, (d, h, w, maps) in stages:
        for group in range(maps):
            for frame in reversed(range(d)):
                x, y = left + 2.1 * frame, group * -16 + 1.5 * frame
                corners = [(x, y), (x + 0.35 * w, y + 0.12 * w), (x + 0.35 * w, y + 0.12 * w + h), (x, y + h)]
                colour = plt.get_cmap("GnBu")(0.3 + 0.25 * group)
                ax.add_patch(Polygon(corners, fc=colour, ec="white", lw=0.4, alpha=0.9, zorder=50 * group - frame))
        ax.text(left + 30, -44, f"{name}\n{d} × {h} × {w} × {maps}", ha="center", va="top")
        left += 92
    classes = net.layers[-1].output_shape[0]
    for k in range(classes):
        ax.add_patch(Rectangle((left, 20 + 10 * k), 7, 7, fc=ORANGE, ec="white"))
    ax.text(left + 4, -44, f"FC_OUT\n{classes}", ha="center", va="top")
    ax.add_patch(FancyArrowPatch((left - 22, 52), (left - 5, 52), arrowstyle="-|>", mutation_scale=12, color=GREY))
    ax.set(xlim=(-4, left + 16), ylim=(-72, 140), aspect="equal")
    bare(ax)
    return made


def receptive_field_size(net):
    """Frames, rows and columns of the input that one unit of L5WS sees through its windows."""
    sees, step = np.ones(3, int), np.ones(3, int)
    l1, pool, l5 = net.layers[0], net.layers[2], net.layers[4]
    for field, stride in (
        (l1.receptive_field, l1.strides),
        (pool.size, (1, *pool.block)),
        (l5.receptive_field, l5.strides),
    ):
        sees = sees + (np.array(field) - 1) * step
        step = step * stride
    return tuple(int(size) for size in sees)


@picture
def receptive_field():
    """What one unit of L5WS sees: through its windows, and by its gradient."""
    net = emo.EmoP3D(backend="reference", dtype="float64")
    clip = reference.standardize(face())
    frame, row, column = 4, 20, 26
    gradient = np.abs(input_gradient(net, clip, "L5WS", (0, frame, row, column, 0)))[0, ..., 0]
    d, h, w = receptive_field_size(net)
    made, axes = panels(2, 7, 9.5, 3.2)
    for index, (top, bottom) in enumerate(axes.T):
        top.imshow(clip[0, frame + index, :, :, 0], cmap="gray", rasterized=True)
        shown = np.log10(gradient[frame + index] / gradient.max() + 1e-12)
        image = bottom.imshow(shown, cmap="magma", vmin=-5, vmax=0, rasterized=True)
        for ax in (top, bottom):
            ax.add_patch(Rectangle((2 * column - 0.5, 2 * row - 0.5), w, h, fill=False, ec=ORANGE, lw=1.2))
            bare(ax)
        top.set_title(f"frame {frame + index}", fontsize=8)
    made.colorbar(image, ax=axes[1], label="log₁₀ of |gradient|", shrink=0.9)
    assert d == axes.shape[1]
    return made


def input_gradient(net, clips, name, unit):
    """Gradient by the clips of one unit of the layer ``name``, through the layers' own backward passes."""
    last = [layer.name for layer in net.layers].index(name)
    y, saved = clips, []
    for layer in net.layers[: last + 1]:
        y, kept = layer.forward(y, net.parameters)
        saved.append(kept)
    dy = np.zeros_like(y)
    dy[unit] = 1
    for layer in reversed(net.layers[: last + 1]):
        dy, _ = layer.backward(dy, saved.pop(), net.parameters)
    return dy


def compare_layers(net=None):
    """Parameters, and multiply-adds a clip, of L1WS and of the layers it might be confused with."""
    layer = (net or emo.EmoP3D(backend="reference")).layers[0]
    inputs, outputs = np.prod(layer.input_shape), np.prod(layer.output_shape)
    maps, channels = layer.output_shape[-1], layer.input_shape[-1]
    window = int(np.prod(layer.receptive_field)) * channels
    frames = layer.output_shape[0]
    product = frames * np.prod(layer.input_shape[1:]) * layer.receptive_field[0] * maps
    return SimpleNamespace(
        window=window,
        convolution=SimpleNamespace(parameters=(window + 1) * maps, work=int(outputs * window)),
        weighted_sum=SimpleNamespace(
            parameters=int(sum(np.prod(shape) for shape in layer.parameter_shapes.values())),
            work=int(outputs * window),
            products=int(product),
        ),
        locally_connected=SimpleNamespace(parameters=int(outputs * (window + 1)), work=int(outputs * window)),
        fully_connected=SimpleNamespace(parameters=int(outputs * (inputs + 1)), work=int(outputs * inputs)),
    )


def write(folder):
    """Draw all pictures into ``folder``; a file whose picture is the same, to a tenth of a point, is left alone."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FIGURES:
        path, new = folder / f"{name}.svg", draw(name)
        if not path.exists() or not alike(path.read_text(), new.decode()):
            path.write_bytes(new)
            print(f"{path.name} drawn")


NUMBER = re.compile(r"-?\d+\.?\d*(?:e-?\d+)?")
LEFT_OUT = re.compile(r"<metadata>.*?</metadata>|base64,[^\"]*|#[a-z][0-9a-f]{10}|id=\"[^\"]*\"", re.DOTALL)
"""What may differ though two pictures look the same: who drew them, how images were packed, names of parts."""


def alike(one, other):
    """Whether two .svg files show the same: the same words, and numbers that differ by a tenth of a point at most."""
    texts = [LEFT_OUT.sub("", text) for text in (one, other)]
    if len({NUMBER.sub("", text) for text in texts}) > 1:
        return False
    first, second = (np.array([float(number) for number in NUMBER.findall(text)]) for text in texts)
    return first.shape == second.shape and bool((np.abs(first - second) <= 0.1).all())
