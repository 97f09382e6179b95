"""What changing training clips costs: CPU milliseconds per step of 100 clips, beside those of the step itself.

    python bench/augmentation.py

Clips of 16 x 100 x 100 bytes, one thread; the network at full size with the maps of --recipe strong, and at half the
side with 6 maps.  CPU time of this process, median of 9 turns, all in turns.
"""

import statistics
import sys
import time
from pathlib import Path

import numpy as np
from machine import description, sentence

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import emop3d_np as emo
import kernels
from emop3d_np import datasets
from emop3d_np.datasets.faces import drawn_faces
from emop3d_np.training import building

CLIPS, TURNS = 100, 9
MOVED = {"shift": (0, 0.06, 0.06)}
MAPPED = MOVED | {"rotate": 10.0, "scale": 0.15, "shear": 0.15}


def step(clips, side, maps):
    """A function that makes one training step on ``clips``, shrunk by ``side``: read, standardise, train."""
    net = emo.EmoP3D(input_shape=datasets.shrunk_shape(clips.shape[1:], side), feature_maps=maps)
    labels = np.arange(CLIPS) % 6

    def take():
        net.loss_and_gradients(datasets.normalize(datasets.shrink(clips, side), kernels.edition("cpu")), labels)

    return take


def main():
    building.use_threads(1)
    clips, *_ = drawn_faces(CLIPS, 0, 10)
    work = {
        "moved by pixels' shares": lambda: datasets.Augmentation(**MOVED).apply(clips.copy(), 1),
        "moved, turned, scaled, slanted": lambda: datasets.Augmentation(**MAPPED).apply(clips.copy(), 1),
        "the step, 100 x 100, 8 maps": step(clips, 1, 8),
        "the step, 50 x 50, 6 maps": step(clips, 2, 6),
    }
    found = {name: [] for name in work}
    for turn in range(TURNS + 1):
        for name, take in work.items():
            start = time.process_time()
            take()
            if turn:  # the first one compiles
                found[name].append(1000 * (time.process_time() - start))
    for name, values in found.items():
        print(f"{name:32s} {statistics.median(values):7.1f} ms")
    print(f"({sentence(description('numpy', 'numba'))})")


if __name__ == "__main__":
    main()
