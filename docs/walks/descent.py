"""What a gradient meets on its way down through the pyramid.

    python docs/walks/descent.py

Of the pages on normalisation, pooling, softmax and the pyramid; the network is that of train.py.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
import train

from emop3d_np.datasets.faces import draw_faces
from kernels import reference as k


def light(clip, p):
    """Brightness and contrast of the clip, and what becomes of the logits."""
    logits, _ = train.forward(k.standardize(clip, epsilon=0), p)
    for words, changed in (
        ("brighter by 50", clip + 50),
        ("half the contrast", 0.5 * clip),
        ("upside down", clip[:, :, ::-1]),
    ):
        moved, _ = train.forward(k.standardize(changed, epsilon=0), p)
        print(f"{words:18} logits change by {np.abs(moved - logits).max():.0e}")


def descend(clip, label, p):
    """The gradient after every step down."""
    x = k.standardize(clip, epsilon=0)
    logits, (x, z1, y1, y2, space, m, z3, y3, y4, z5, y5, y6, a) = train.forward(x, p)
    g = k.softmax_cross_entropy_backward(np.ones(1), logits, np.array([label]))
    report("softmax", g)
    g = report("FC_OUT", k.dense_backward(g, a, p["FC_OUT/weights"])[0].reshape(y6.shape))
    g = report("NORM_6", k.standardize_backward(g, y5))
    g = k.leaky_relu_backward(g, z5)
    g = report("L5WS", k.weighted_sum_backward(g, y4, p["L5WS/weights"], train.FIELD, train.STRIDES)[0])
    g = report("NORM_4", k.standardize_backward(g, y3))
    g = k.scale_shift_backward(k.leaky_relu_backward(g, z3), m, p["L3P/weights"])[0]
    g = report("L3P, the runs", k.max_pool_frames_backward(g, space, train.RUN))
    g = report("L3P, the blocks", k.max_pool_space_backward(g, y2, train.BLOCK))
    g = report("NORM_2", k.standardize_backward(g, y1))
    g = k.leaky_relu_backward(g, z1)
    report("L1WS", k.weighted_sum_backward(g, x, p["L1WS/weights"], train.FIELD, train.STRIDES)[0])


def report(below, g):
    sums = np.abs(g.sum(axis=(2, 3))).max() if g.ndim == 5 else np.abs(g.sum())
    norm = np.linalg.norm(g)
    print(f"below {below:16} {np.mean(g != 0):6.1%} not 0   norm {norm:.1e}   largest sum of a map {sums:.0e}")
    return g


def main():
    p = train.initial_parameters(np.random.default_rng(0))
    clip = draw_faces([3], [0], shape=train.CLIP).astype(float)
    light(clip, p)
    descend(clip, 3, p)


if __name__ == "__main__":
    main()
