"""Clips as they are, and as training sees them."""

from pathlib import Path

import numpy as np

from kernels.arrays import AnyArray

from ..datasets import Augmentation
from .figure import pyplot, save

SEEN = 2
"""How often each clip is changed."""


def draw_augmented(clips: AnyArray, names: list[str], augmentation: Augmentation, picture: str | Path) -> None:
    """Draw moments of some clips, and below each clip what becomes of it in the first steps of a training.

    Args:
        clips: array of shape (n, d, h, w, c): a few, since each takes three rows of the picture.
        names: of the clips.
        augmentation: what may happen to them.
        picture: file to write.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    plt = pyplot()
    moments = np.unique(np.linspace(0, clips.shape[1] - 1, 6).round().astype(int))
    changed = [clips.copy() for _ in range(SEEN)]
    for step, batch in enumerate(changed):
        augmentation.apply(batch, step)
    colour = clips.shape[-1] == 3
    rows = len(clips) * (1 + SEEN)
    size = 1.5 * len(moments), 1.55 * rows + 0.4
    figure, axes = plt.subplots(rows, len(moments), figsize=size, layout="constrained", squeeze=False)
    for n, name in enumerate(names):
        versions = np.stack([batch[n] for batch in (clips, *changed)]).astype(np.float64)
        versions = (versions - versions.min()) / (np.ptp(versions) or 1)
        for step, version in enumerate(versions):
            line = axes[n * (1 + SEEN) + step]
            for axis, moment in zip(line, moments, strict=True):
                axis.imshow(version[moment] if colour else version[moment, ..., 0], cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
            line[0].set_ylabel(f"step {step}" if step else name, fontweight="normal" if step else "bold")
    for axis, moment in zip(axes[0], moments, strict=True):
        axis.set_title(f"frame {moment + 1}")
    save(figure, picture)
    plt.close(figure)
