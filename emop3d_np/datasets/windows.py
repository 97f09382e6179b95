"""Cutting a long sequence of frames into clips that overlap."""

import numpy as np

from kernels.arrays import AnyArray

from ..errors import InputError


def windows(frames: AnyArray, depth: int = 16, overlap: int = 8) -> AnyArray:
    """Clips of ``depth`` consecutive frames, each sharing ``overlap`` frames with the one before.

    Args:
        frames: array of shape (t, h, w, c).
        depth: frames per clip; default 16.
        overlap: frames that neighbouring clips share, fewer than ``depth``; default 8.

    Returns:
        Read-only view of shape (n, depth, h, w, c); clip ``i`` begins at frame ``i * (depth - overlap)``.  Frames at
        the end that fill no clip are left out; ``n`` is 0 for fewer than ``depth`` frames.

    Raises:
        InputError: ``overlap`` is not between 0 and ``depth - 1``.

    Source: the paper's preparation, 16-frame clips overlapping by 8.
    """
    if not 0 <= overlap < depth:
        raise InputError(f"overlap is {overlap}; clips of {depth} frames can share 0 to {depth - 1}")
    if len(frames) < depth:
        return np.empty((0, depth, *frames.shape[1:]), frames.dtype)
    view = np.lib.stride_tricks.sliding_window_view(frames, depth, axis=0)
    return np.moveaxis(view, -1, 1)[:: depth - overlap]
