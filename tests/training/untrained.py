"""Runs whose networks have their initial values, and clips for them: quick to make, and answers all the same."""

import numpy as np

from emop3d_np.training import building, checkpoint, flags

SHAPE = (8, 20, 20, 1)
NAMES = ("calm", "glad", "sad")


def run_of(folder, names=NAMES, **more):
    """A folder with the checkpoint of an untrained network; returns the folder."""
    shape = {"depth_frames": 8, "height": 20, "width": 20, "num_classes": 3, "backend": "reference"}
    settings = flags.merge(shape | {"train_path": str(folder / "gone.npy")} | more)
    net = building.build_network(settings)
    folder.mkdir(parents=True, exist_ok=True)
    data = {"class_names": list(names)} if names else {}
    state = checkpoint.Checkpoint(1, vars(settings), net.parameters, {}, {}, data=data)
    checkpoint.save(folder / settings.checkpoint_name, state)
    return folder


def clips_of(folder, count=12, seed=0):
    """Files ``x.npy`` of bytes and ``y.npy`` in a folder; returns their paths."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "x.npy", rng.integers(0, 255, (count, *SHAPE), np.uint8))
    np.save(folder / "y.npy", rng.permutation(np.arange(count) % 3))
    return folder / "x.npy", folder / "y.npy"
