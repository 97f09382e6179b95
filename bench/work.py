"""What the network has to do, counted from the sizes of its layers, whatever the program that does it.

Products are taken before windows are summed, and windows are summed by rows and then by columns, as in
``docs/box_sums.md``.  A multiplication, an addition, a comparison are one operation each.
"""

from collections import namedtuple
from math import prod

Work = namedtuple("Work", "operations numbers")
"""Operations, and numbers that must be read or written at least once: what a part is given and what it gives."""


def parts(net):
    """Work of each part of a training step for one clip: a dict of the parts of ``bench/kernels.py``, in order."""
    layers = {layer.name: layer for layer in net.layers}
    size = {name: prod(layer.output_shape) for name, layer in layers.items()}
    maps = layers["L1WS"].output_shape[-1]
    clip = prod(net.input_shape)
    pooled = size["L1WS"] // 4
    weights = {name: net.parameters[f"{name}/weights"].size for name in ("L1WS", "L3P", "L5WS", "FC_OUT")}

    def products(name):
        """Products of a weighted sum: one for each output frame and each weight of one map."""
        return layers[name].output_shape[0] * weights[name]

    return {
        # z: product and sum, 3 + 3 additions of a window, the bias; leaky ReLU 2; moments 4; maximum of 4
        "L1WS, NORM_2, maximum of 2x2": Work(
            2 * products("L1WS") + 13 * size["L1WS"] + 5 * pooled, clip + weights["L1WS"] + size["L1WS"] + pooled
        ),
        # maximum of 3 frames, weight and shift, leaky ReLU; moments, normalisation
        "L3P, NORM_4": Work(12 * size["L3P"], pooled + size["L3P"]),
        "L5WS, NORM_6": Work(
            2 * products("L5WS") + 15 * size["L5WS"], size["L3P"] + weights["L5WS"] + 3 * size["L5WS"]
        ),
        "FC_OUT": Work(2 * weights["FC_OUT"], size["L5WS"] + weights["FC_OUT"]),
        # dW += a dy
        "FC_OUT backward: weights": Work(2 * weights["FC_OUT"], size["L5WS"] + 2 * weights["FC_OUT"]),
        # da = W dy; two means 3, three terms 6, slope 2, db 1; window 6; dW and dx: product and sum
        "FC_OUT backward: inputs; L5WS, NORM_6 backward": Work(
            2 * weights["FC_OUT"] + 4 * products("L5WS") + 18 * size["L5WS"],
            weights["FC_OUT"] + 2 * size["L3P"] + 3 * weights["L5WS"] + 4 * size["L5WS"],
        ),
        "L3P, NORM_4 backward": Work(24 * size["L3P"], 2 * size["L3P"] + 2 * pooled),
        # gradient at the largest of 4; as above, without dx
        "L1WS, NORM_2, maximum backward": Work(
            2 * products("L1WS") + 18 * size["L1WS"] + 8 * pooled,
            clip + 2 * weights["L1WS"] + 3 * size["L1WS"] + 2 * pooled + maps,
        ),
    }


def of_step(net):
    """Operations of a training step for one clip."""
    return sum(part.operations for part in parts(net).values())


def of_forward(net):
    """Operations of a forward pass for one clip."""
    return sum(part.operations for name, part in parts(net).items() if not name.endswith("backward"))
