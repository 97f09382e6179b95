"""What the second walk makes of other initial values and another decay: the figures of walk.md and pyramid.md.

    python docs/tools/walk_variants.py [SEEDS]      two minutes for the default of 5 seeds

The network, the clips and the settings are those of docs/walks/train.py; a seed sets initial values and batches.
"""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "walks"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
import faces_baselines
import layer
import train
from machine import description, sentence

from emop3d_np.datasets.faces import drawn_faces

RATIO = np.sqrt(np.prod(train.CLIP[1:3]) / np.prod(train.FIELD[1:]))
"""Glorot's limit of L1WS by its window over that by its whole plane."""

FIRST = ("L1WS/weights", "L1WS/bias")


def factors(rate=1.0, decay=1.0, where=()):
    """For ``where``, factors of the rate and of the decay; for all other parameters, 1."""
    return lambda name: (rate, decay) if name in where else (1.0, 1.0)


BIASES = ("L1WS/bias", "L3P/bias", "L5WS/bias", "FC_OUT/bias")
VARIANTS = {
    "as it is": (1.0, 1.0, factors()),
    "biases do not decay": (1.0, 1.0, factors(decay=0.0, where=BIASES)),
    f"weights of L1WS start {RATIO:g} times as large": (RATIO, 1.0, factors()),
    f"weights and biases of L1WS start {RATIO:g} times as large": (RATIO, RATIO, factors()),
    f"the same, their rate times {RATIO**2:g}, their decay divided by {RATIO**2:g}": (
        RATIO,
        RATIO,
        factors(RATIO**2, RATIO**-2, FIRST),
    ),
}
"""By name: how much larger weights and biases of L1WS start, and the factors of rate and decay of every parameter."""


def trained(seed, variant, clips, labels, unseen, answers):
    """The share of right answers on the people never seen."""
    rng = np.random.default_rng(seed)
    p = train.initial_parameters(rng)
    *larger, of = variant
    for name, factor in zip(FIRST, larger, strict=True):
        p[name] *= factor
    velocity = {name: np.zeros_like(w) for name, w in p.items()}
    for _ in range(train.EPOCHS):
        for batch in rng.permutation(len(clips)).reshape(-1, train.BATCH):
            logits, saved = train.forward(clips[batch], p)
            _, g = train.backward(logits, labels[batch], saved, p)
            for name, w in p.items():
                rate, decay = of(name)
                velocity[name] = train.MOMENTUM * velocity[name] + g[name] + decay * train.DECAY * w
                p[name] = w - rate * train.RATE * velocity[name]
    return np.mean(train.forward(unseen, p)[0].argmax(axis=1) == answers)


def best_ridge(shape):
    """The strongest ridge classifier of ``bench/faces_baselines.py`` on the same clips, and what it looks at."""
    clips, labels, people = drawn_faces(240, 0, 40, shape=shape, degree="easy")
    unseen, answers, _ = drawn_faces(120, 40, 20, shape=shape, degree="easy")
    found = {}
    for blocks in faces_baselines.BLOCKS:
        for standardised in (False, True):
            seen, asked = (faces_baselines.views(each, blocks, standardised) for each in (clips, unseen))
            for view in seen:
                right = faces_baselines.ridge(seen[view], labels, people, asked[view]) == answers
                found[np.mean(right)] = f"{view}, {blocks} blocks a side{', standardised' if standardised else ''}"
    return max(found.items())


def gradient_by_size(clips, labels):
    """The norm of the gradient of L1WS, all its parameters made larger by a factor, and how the logits change."""
    p = train.initial_parameters(np.random.default_rng(0))
    logits, _ = train.forward(clips, p)
    for factor in (1, 2, 4, 8):
        larger = {name: w * factor if name in FIRST else w for name, w in p.items()}
        moved, saved = train.forward(clips, larger)
        _, g = train.backward(moved, labels, saved, larger)
        norm = np.sqrt(sum((g[name] ** 2).sum() for name in FIRST))
        print(f"L1WS times {factor}: gradient {norm:.4f}, logits differ by {np.abs(moved - logits).max():.0e}")


def main():
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    clips, labels, unseen, answers = train.clips_and_labels()
    gradient_by_size(clips[:20], labels[:20])
    for name, variant in VARIANTS.items():
        shares = [100 * trained(seed, variant, clips, labels, unseen, answers) for seed in range(seeds)]
        print(
            f"{name}: mean {np.mean(shares):.1f} %, seeds {', '.join(f'{share:.1f}' for share in shares)}", flush=True
        )
    for shape in (train.CLIP, layer.CLIP):
        share, view = best_ridge(shape)
        print(f"ridge classifier on clips of {shape}, {view}: {100 * share:.1f} %")
    print(f"({sentence(description('numpy', 'numba'))})")


if __name__ == "__main__":
    main()
