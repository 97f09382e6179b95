"""Clips in parts: whatever is damaged of them, the clips are those that were written, or a line says why."""

import damage
import numpy as np
from fuzz import Target
from targets import SHAPE, batches_of

from emop3d_np.datasets import load_npy, parts

TARGETS = {}


def parted(name, how):
    """The target of a file of a folder of parts, damaged as ``how`` says; it has digests, so all is seen."""

    def make(folder):
        clips = np.arange(20, dtype=np.int16).reshape(5, *SHAPE)
        parts.write(folder / "Training", clips, 2)
        np.save(folder / "labels.npy", np.arange(5) % 2)

        def check(found):
            assert np.array_equal(found, clips)

        def read():
            return batches_of(load_npy(folder / "Training", folder / "labels.npy", SHAPE, 2))

        return Target(folder / "Training" / name, how, read, check)

    TARGETS[f"prepared/Training/{name}"] = make


parted(parts.INDEX, damage.of_json)
parted(parts.part_name(0), damage.of_npy)
