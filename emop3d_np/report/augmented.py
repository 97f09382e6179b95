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
    rows = len(clips) * (1 + SEEN)
    size = 1.5 * len(moments), 1.55 * rows + 0.4
    figure, axes = plt.subplots(rows, len(moments), figsize=size, layout="constrained", squeeze=False)
    for n, name in enumerate(names):
        for step, version in enumerate([clips, *changed]):
            line = axes[n * (1 + SEEN) + step]
            for axis, moment in zip(line, moments, strict=True):
                axis.imshow(_as_picture(version[n, moment], clips[n]), cmap="gray", vmin=0, vmax=1)
                axis.set(xticks=[], yticks=[])
            line[0].set_ylabel(f"step {step}" if step else name, fontweight="normal" if step else "bold")
    for axis, moment in zip(axes[0], moments, strict=True):
        axis.set_title(f"frame {moment + 1}")
    save(figure, picture)
    plt.close(figure)


def _as_picture(frame, clip):
    """``(h, w, c)`` as numbers from 0 to 1: of bytes all, of others from the least to the largest of ``clip``."""
    low, high = (0, 255) if clip.dtype == np.uint8 else (float(clip.min()), float(clip.max()))
    shown = frame if frame.shape[-1] == 3 else frame[..., 0]
    return np.clip((shown - low) / ((high - low) or 1), 0, 1)
