"""The picture of the page on the chain rule, and what it counts: the costs of the ways to find a gradient."""

from types import SimpleNamespace

import chain
import numpy as np
from figures import GREY, INK, ORANGE_TEXT, TEAL, bare, panels, picture
from matplotlib.patches import FancyBboxPatch

STEP = 1.7
PLACES = {
    "w": (0, 3.0),
    "x": (0, 1.6),
    "b": (1, 0.2),
    "t": (3, 0.2),
    "p": (1, 1.6),
    "z": (2, 1.6),
    "y": (3, 1.6),
    "e": (4, 1.6),
    "misfit": (5, 1.6),
    "size": (3, 3.0),
    "loss": (6, 2.3),
}
WORDS = {
    "p": "p = w x",
    "z": "z = p + b",
    "y": "y = max(αz, z)",
    "e": "e = y \N{MINUS SIGN} t",
    "misfit": "½ e²",
    "size": "½ w²",
}


def brief(number):
    return f"{number:g}".replace("-", "\N{MINUS SIGN}")


@picture
def chain_rule():
    """The numbers of docs/walks/chain.py: boxes with values, and at each edge what it carries down."""
    numbers = chain.forward(**chain.INPUTS)
    chain.backward(numbers["loss"])
    made, ax = panels(1, 1, 9.5, 3.6)
    for name, number in numbers.items():
        x, y = place(name)
        box = {"boxstyle": "round,pad=0.05", "fc": "white", "ec": GREY, "zorder": 2}
        ax.add_patch(FancyBboxPatch((x - 0.35, y - 0.2), 0.7, 0.4, **box))
        ax.text(x, y, brief(number.value), ha="center", va="center", color=TEAL, fontsize=12, zorder=3)
        ax.text(x, y + 0.3, WORDS.get(name, name), ha="center", va="bottom", color=INK, fontsize=9)
        gradient = brief(number.gradient)
        ax.text(x, y - 0.3, gradient, ha="center", va="top", color=ORANGE_TEXT, fontsize=11, weight="bold")
        for each, slope in number.made_of:
            start = place(next(key for key, other in numbers.items() if other is each))
            edge(ax, start, place(name), f"{gradient} · {brief(slope)} = {brief(slope * number.gradient)}")
    ax.text(-0.4, -0.7, "in the boxes: values, found from left to right", color=TEAL)
    ax.text(4.4, -0.7, "below them, and at the arrows: gradients, found from right to left", color=ORANGE_TEXT)
    ax.set(xlim=(-0.5, 6 * STEP + 0.5), ylim=(-0.85, 3.7))
    bare(ax)
    return made


def place(name):
    steps, height = PLACES[name]
    return np.array((STEP * steps, height))


def edge(ax, start, end, handed):
    """An arrow from box to box, with what it hands back: the gradient there, times the slope."""
    side = np.array([0.42, 0])
    ax.annotate("", end - side, start + side, arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 1.2})
    level = start[1] == end[1]
    middle = (start + end) / 2 - ([0.07, 0.1] if level else [0, 0])
    paper = None if level else {"fc": "white", "ec": "none", "pad": 0.8}
    ax.text(*middle, handed, color=ORANGE_TEXT, fontsize=8.5, ha="center", va="top" if level else "center", bbox=paper)


# --- One clip's chain: shapes and costs.


def multiplications(layer):
    """How many multiplications one clip takes in a layer, up and down; additions and comparisons are not counted."""
    inputs, outputs = int(np.prod(layer.input_shape)), int(np.prod(layer.output_shape))
    kind = type(layer).__name__
    if kind == "WeightedSum":
        # The product of each input position with each map's weights for it; down, that for dx and that for the weights.
        places = layer.output_shape[0] * int(np.prod(layer.input_shape[1:]))
        products = places * layer.receptive_field[0] * layer.output_shape[-1]
        return products + outputs, 2 * products + outputs
    return {
        "Normalization": (2 * outputs, 4 * outputs),  # a square, a scale; y, dy y, y times its mean, a scale
        "Pool": (2 * outputs, 3 * outputs),  # a factor, alpha; alpha, dm, the factor's gradient
        "Dense": (inputs * outputs, 2 * inputs * outputs),
    }[kind]


def costs(net):
    """For one clip: multiplications ``up`` and ``down``, and how many numbers are kept on the way up."""
    up, down = (sum(each) for each in zip(*map(multiplications, net.layers), strict=True))
    return SimpleNamespace(up=up, down=down, kept=sum(int(np.prod(layer.input_shape)) for layer in net.layers))


def chain_table(net):
    """For each layer what goes up, what comes down, and how large the matrix would be that is never made."""
    lines = ["| layer | x | y | numbers of its Jacobian | in float32 |", "|---|---|---|---|---|"]
    for layer in net.layers:
        x, y = ("×".join(map(str, shape)) for shape in (layer.input_shape, layer.output_shape))
        count = int(np.prod(layer.input_shape)) * int(np.prod(layer.output_shape))
        lines.append(f"| {layer.name} | {x} | {y} | {count:,} | {memory(4 * count)} |")
    return "\n".join(lines)


def memory(size):
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:,.1f} {name}"
    return f"{size / 1e3:,.1f} kB"
