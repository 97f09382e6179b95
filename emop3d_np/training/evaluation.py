"""A trained network, or several, put to a set of clips."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import FloatArray, IntArray

from .. import datasets
from ..network import EmoP3D
from .answers import EVALUATED_TOGETHER, all_logits
from .calibration import fit_temperature
from .ensemble import Ensemble
from .flags import Settings
from .metrics import Evaluation

OLDER = "labels are taken as the clips have them"
"""What is done where a checkpoint does not know how its classes are called."""


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
    logits = all_logits(net, clips, chosen, together, settings.normalize)
    for start in range(0, count, together):
        part, labels = logits[start : start + together], clips.labels[chosen[start : start + together]]
        result.add(net.loss(part, labels), part, labels)
    return result


def evaluate_checkpoint(
    paths: str | Path | Sequence[str | Path],
    clips: str | Path,
    labels: str | Path | None = None,
    part: str = "test",
    *,
    moved: int = 1,
    temperature: float = 1.0,
    fit: tuple[str | Path, str | Path | None] | None = None,
) -> dict[str, Any]:
    """Test a trained network, or the mean of several.

    Args:
        paths, moved, temperature: as of :class:`~emop3d_np.training.ensemble.Ensemble`: the folder of a run, whose best
            network is taken where there is one (``--patience``), or a checkpoint; or a list of them.
        clips, labels, part: as of :func:`emop3d_np.datasets.open_set`.
        fit: ``clips, labels`` (None where the clips have their own; a set of MedMNIST's validation split) that the
            temperature is fitted on first (:func:`~emop3d_np.training.calibration.fit_temperature`), in the place of
            ``temperature``; default None.

    Returns:
        dict: ``checkpoint`` (of several runs a list), ``set``, ``moved``, ``temperature``, what
        :meth:`Evaluation.as_dict` gives, ``reliability`` (:meth:`Reliability.as_dict`), and ``table``, the confusion
        matrix as text.  Where the temperature is not 1, ``untempered`` has ``loss``, ``ece`` and ``reliability`` at 1.
        ``notes`` is what the reader of the figures should know.  Classes stand in the networks' order.

    Raises:
        InputError: there is no such checkpoint, the runs cannot be averaged, the clips do not fit their networks, their
            classes have other names, or no temperature fits.
    """
    ensemble = Ensemble(paths, moved, temperature)
    first = ensemble.first
    chosen = datasets.open_set(clips, labels, first.settings, "clips", part, ensemble.stored_names)
    if fit:
        fitted_on = datasets.open_set(*fit, first.settings, "fit", "val", ensemble.stored_names)
        temperature = fit_temperature(ensemble.logits_of_set(fitted_on), fitted_on.labels)
    logits = ensemble.logits_of_set(chosen)
    result = _evaluation(first.net, chosen, logits / temperature)
    files = [str(member.path) for member in ensemble.members]
    of_runs = {"checkpoint": files if len(files) > 1 else files[0], "set": chosen.name}
    found = {**of_runs, "moved": moved, "temperature": temperature, **result.as_dict()}
    found |= {"reliability": result.reliability.as_dict(), "table": str(result), "notes": _notes(ensemble, chosen)}
    if not np.isfinite(result.loss):
        found["notes"].append("the loss is not finite: values or parameters are too large for the network's numbers")
    if temperature != 1:
        plain = _evaluation(first.net, chosen, logits)
        error, curve = plain.calibration_error, plain.reliability.as_dict()
        found["untempered"] = {"loss": plain.loss, "ece": error, "reliability": curve}
    return found


def _evaluation(net: EmoP3D, clips: datasets.ClipSet, logits: FloatArray) -> Evaluation:
    """What an :class:`Evaluation` knows of logits (n, k) of a set's clips; ``net`` says what a loss is."""
    result = Evaluation(class_names=clips.class_names)
    for start in range(0, len(logits), EVALUATED_TOGETHER):
        part = slice(start, start + EVALUATED_TOGETHER)
        labels: IntArray = clips.labels[part]
        result.add(net.loss(logits[part], labels), logits[part], labels)
    return result


def _notes(ensemble: Ensemble, clips: datasets.ClipSet) -> list[str]:
    """What the reader of the figures should know, a line each."""
    notes = []
    for member in ensemble.members:
        whose = f"those of {member.path}" if len(ensemble.members) > 1 else "the network's training clips"
        unlike = datasets.differences(clips.record, member.record)
        notes += [f"the clips were cut out unlike {whose}: {', '.join(unlike)}"] if unlike else []
        if not member.class_names:
            notes.append(f"{member.path} is of an older version and holds no names of classes: {OLDER}")
    return notes
