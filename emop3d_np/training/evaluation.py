"""A trained network, or several, put to a set of clips."""

import os
import secrets
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from tqdm import tqdm

from kernels.arrays import FloatArray, IntArray

from .. import datasets
from ..errors import InputError
from ..executors import open_executor
from ..launchers import cores
from ..network import EmoP3D
from ..tasks import Lost, Task, run_tasks
from . import building
from .answers import EVALUATED_TOGETHER, all_logits
from .calibration import fit_temperature
from .ensemble import Ensemble
from .flags import Settings
from .metrics import Evaluation

HANDED_OUT_TOGETHER = 32 * EVALUATED_TOGETHER
"""Clips of a task, a multiple of those of a forward pass, so that passes are the same."""

Asked: TypeAlias = tuple[Any, int, str | Path, str | Path | None, str]
"""Runs, moved copies, clips, labels and part, as of :func:`evaluate_checkpoint`."""

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
    executor: str | Executor | None = None,
) -> dict[str, Any]:
    """Test a trained network, or the mean of several.

    Args:
        paths, moved, temperature: as of :class:`~emop3d_np.training.ensemble.Ensemble`: the folder of a run, whose best
            network is taken where there is one (``--patience``), or a checkpoint; or a list of them.
        clips, labels, part: as of :func:`emop3d_np.datasets.open_set`.
        fit: ``clips, labels`` (None where the clips have their own; a set of MedMNIST's validation split) that the
            temperature is fitted on first (:func:`~emop3d_np.training.calibration.fit_temperature`), in the place of
            ``temperature``; default None.
        executor: who works on the clips, some at a time (:func:`~emop3d_np.executors.open_executor`); the figures are
            the same.  Default None, this process.

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
    asked = paths, moved, clips, labels, part
    logits = _logits_by(executor, asked, len(chosen)) if executor else ensemble.logits_of_set(chosen)
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


def _logits_by(executor: str | Executor, asked: Asked, count: int) -> FloatArray:
    """Logits (n, k) of the ``count`` clips that are ``asked`` for, by an executor, in parts."""
    paths, moved, clips, labels, part = asked
    paths = [os.path.abspath(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    files = tuple(paths), moved, os.path.abspath(clips), labels and os.path.abspath(labels), part
    name = secrets.token_hex(8)
    parts = [range(start, min(start + HANDED_OUT_TOGETHER, count)) for start in range(0, count, HANDED_OUT_TOGETHER)]
    todo = [Task(f"clips {each[0]} to {each[-1]}", _logits_of, (files, name, each)) for each in parts]
    found: dict[Task, FloatArray] = {}
    with (
        open_executor(executor, min(len(cores()), len(todo)), Path.cwd()) as engines,
        tqdm(total=count, desc="answering", unit="clip", dynamic_ncols=True) as bar,
    ):
        for task, logits in run_tasks(todo, engines, say=tqdm.write):
            if isinstance(logits, Lost):
                raise InputError(f"{task.name} were lost twice: {logits}")
            found[task] = logits
            bar.update(len(logits))
    return np.concatenate([found[task] for task in todo])


def _logits_of(asked: Asked, name: str, numbers: range) -> FloatArray:
    """Where it is worked on: logits (n, k) of some clips of a set; ``name`` tells this evaluation from others."""
    building.use_threads(None if "NUMBA_NUM_THREADS" in os.environ else 1)
    ensemble, clips = _opened(asked, name)
    return ensemble.logits_of_set(clips.take(np.array(numbers), clips.name))


@lru_cache(maxsize=1)
def _opened(asked: Asked, name: str) -> tuple[Ensemble, datasets.ClipSet]:
    """The runs and the clips, read once per evaluation: another one may find others in the same places."""
    paths, moved, clips, labels, part = asked
    ensemble = Ensemble(paths, moved)
    return ensemble, datasets.open_set(clips, labels, ensemble.first.settings, "clips", part, ensemble.stored_names)


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
