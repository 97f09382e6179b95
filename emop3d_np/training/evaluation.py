"""A trained network put to a set of clips."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import FloatArray, IntArray

from .. import datasets
from ..network import EmoP3D
from . import checkpoint
from .building import network_of
from .flags import Settings
from .metrics import Evaluation
from .runs import best_checkpoint

EVALUATED_TOGETHER = 32
"""Clips of a forward pass, at most: as quick as more, and during a training its batch is in memory too."""

OLDER = "labels are taken as the clips have them"
"""What is done where a checkpoint does not know how its classes are called."""


def logits_in_parts(
    net: EmoP3D, clips: datasets.ClipSet, chosen: IntArray, together: int, normalized: bool
) -> Iterator[tuple[FloatArray, IntArray]]:
    """Put clips to a network, a part of them at a time.

    Args:
        net: EmoP3D.
        clips: ClipSet.
        chosen: array of shape (n,): numbers of the clips.
        together: clips per part.
        normalized: whether the clips are standardised, as the setting ``normalize`` says.

    Yields:
        ``logits, labels`` of each part, arrays of shape (b, k) and (b,).
    """
    parts = (chosen[start : start + together] for start in range(0, len(chosen), together))
    for x, labels in clips.batches(parts, net.kernels, net.dtype, normalized):
        yield net.forward(x), labels


def evaluate_network(net: EmoP3D, clips: datasets.ClipSet, settings: Settings, limit: int | None = None) -> Evaluation:
    """Loss, accuracy and what else an :class:`Evaluation` knows of a network in training.

    Args:
        net: EmoP3D.
        clips: ClipSet.
        settings: those of the run: ``normalize`` is used, and ``batch_size`` where it is small.
        limit: at most this many clips, evenly spaced; None (default): all, the last partial batch too.
    """
    result = Evaluation(class_names=clips.class_names)
    count = min(limit or len(clips), len(clips))
    chosen = np.linspace(0, len(clips) - 1, count).round().astype(np.int64)
    together = min(settings.batch_size, EVALUATED_TOGETHER)
    for logits, labels in logits_in_parts(net, clips, chosen, together, settings.normalize):
        result.add(net.loss(logits, labels), logits, labels)
    return result


def evaluate_checkpoint(
    path: str | Path, clips: str | Path, labels: str | Path | None = None, part: str = "test"
) -> dict[str, Any]:
    """Test a trained network.

    Args:
        path: folder of a run, whose best network is taken where there is one (``--patience``), or a checkpoint.
        clips, labels, part: as of :func:`emop3d_np.datasets.open_set`.

    Returns:
        dict: ``checkpoint``, ``set``, what :meth:`Evaluation.as_dict` gives, ``table``, the confusion matrix as text,
        and ``notes``, what the reader of the figures should know.  Classes stand in the network's order.

    Raises:
        InputError: there is no such checkpoint, or the clips do not fit its network, or its classes have other names.
    """
    path = best_checkpoint(path)
    state = checkpoint.load(path)
    net, settings = network_of(state)
    chosen = datasets.open_set(clips, labels, settings, "clips", part, state.class_names)
    unlike = datasets.differences(chosen.record, state.record)
    notes = [f"the clips were cut out unlike the network's training clips: {', '.join(unlike)}"] if unlike else []
    notes += [] if state.class_names else [f"{path} is of an older version and holds no names of classes: {OLDER}"]
    result = Evaluation(class_names=chosen.class_names)
    for logits, own in logits_in_parts(net, chosen, np.arange(len(chosen)), EVALUATED_TOGETHER, settings.normalize):
        result.add(net.loss(logits, own), logits, own)
    if not np.isfinite(result.loss):
        notes.append("the loss is not finite: values or parameters are too large for the network's numbers")
    return {"checkpoint": str(path), "set": chosen.name, **result.as_dict(), "table": str(result), "notes": notes}
