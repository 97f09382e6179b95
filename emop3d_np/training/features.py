"""What a trained network sees, for other classifiers: its last maps, and a linear one trained on them (3DPyraNet-F).

Source: Ullah and Petrosino, "3DPyraNet Features Fusion for Spatio-temporal Feature Learning", arXiv 2504.18977: they
give the maps of the highest layer to a linear support vector machine.  Departure: ridge regression, as of
:mod:`emop3d_np.training.baseline`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from kernels.arrays import AnyArray, FloatArray

from .. import datasets, files, memory
from ..datasets.parts import FOLDER, is_parted
from ..errors import InputError
from ..locks import only_writer
from . import baseline
from .answers import EVALUATED_TOGETHER, logits_in_parts
from .ensemble import Member
from .metrics import figures

FILES = "features.npy", "labels.npy", "groups.npy", "classes.txt"
"""What :func:`write_features` writes; groups only where the set knows them."""


def write_features(
    run: str | Path, clips: str | Path, out: str | Path, labels: str | Path | None = None, part: str = "train"
) -> tuple[datasets.ClipSet, list[Path]]:
    """Write what a network sees in a set of clips, a few clips at a time.

    ``features.npy`` (n, p) is the input of the dense layer: the last maps, in the order (d, h, w, f), standardised as
    the network has them (``NORM_6``: mean 0 and variance 1 of each map and frame), in the network's dtype; it may be
    larger than memory.  ``labels.npy`` (n,), int64, are the labels in the order of the network's classes.
    ``groups.npy`` (n,), int64, is there where the set knows its subjects and sources: clips linked by one of these have
    the same number.  ``classes.txt`` names the classes.

    Args:
        run: folder of a run, whose best network is taken where there is one (``--patience``), or a checkpoint.
        clips, labels, part: as of :func:`emop3d_np.datasets.open_set`.
        out: folder, which is made; files in it are written anew.

    Returns:
        The set, and the files written.

    Raises:
        InputError: there is no such checkpoint, the clips do not fit its network, ``out`` holds clips or
            labels, another process writes there, or a file cannot be written.
    """
    folder = Path(out)
    own = {Path(given).resolve() for given in (clips, labels) if given}
    holds = (folder / "Training.npy").exists() or is_parted(folder) or is_parted(folder / FOLDER)
    if holds or own & {(folder / name).resolve() for name in FILES}:
        raise InputError(f"{folder}: holds clips or labels, which features would be written over; give another folder")
    member = Member.load(run)
    chosen = _open(member, clips, labels, part)
    with only_writer(folder):
        return chosen, _write(folder, member, chosen)


def _write(folder: Path, member: Member, chosen: datasets.ClipSet) -> list[Path]:
    """Write all files; those of before go first, so that a kill never leaves features beside another set's labels."""
    features, labelled, grouped, names = (folder / name for name in FILES)
    with files.writing(folder):
        for old in (labelled, grouped, names):
            old.unlink(missing_ok=True)
    shape = len(chosen), member.net.feature_count
    _write_npy(features, shape, member.net.dtype, _features(member, chosen))
    _write_npy(labelled, chosen.labels.shape, np.int64, iter([chosen.labels]))
    files.write_text(names, "".join(f"{name}\n" for name in chosen.class_names))
    written = [features, labelled, names]
    if chosen.index:
        groups = datasets.linked_groups(chosen.index["subject"], chosen.index["source"])
        _write_npy(grouped, groups.shape, np.int64, iter([groups]))
        written.insert(2, grouped)
    return written


def classify(
    run: str | Path,
    trained_on: datasets.ClipSet,
    features: str | Path,
    clips: str | Path,
    labels: str | Path | None = None,
    part: str = "val",
) -> dict[str, Any]:
    """Train a linear classifier on features, and judge it on other clips beside the network that made them.

    Args:
        run: as of :func:`write_features`.
        trained_on, features: the set whose features are trained on, and the .npy of these.
        clips, labels, part: those that judge, as of :func:`emop3d_np.datasets.open_set`.

    Returns:
        ``set``, ``clips``: which judge, and how many; ``network``, ``linear``: the figures of each
        (:func:`emop3d_np.training.metrics.figures`); ``penalty``: of the ridge regression, chosen by folds of the clips
        that it is trained on, which keep linked clips together where the set knows these.

    Raises:
        InputError: the clips do not fit the network, or memory does not hold the features.
    """
    member = Member.load(run)
    tested = _open(member, clips, labels, part)
    n, m, p = len(trained_on), len(tested), member.net.feature_count
    # Features in float64 as they are, centred, and of the inner folds; two systems of equations.
    needed = 8 * (3 * n + 2 * m) * p + 16 * min(n, p) ** 2
    memory.require(needed, f"a linear classifier of {n} x {p} features", "give fewer clips, or leave out --classify")
    inner = baseline.inner_folds(trained_on, np.arange(n), "subjects", member.settings.seed)
    seen = np.concatenate(list(_features(member, tested)))
    answer = baseline.ridge_answer(np.load(features), trained_on.labels, inner, seen, len(tested.class_names))
    everything = np.arange(m)
    parts = logits_in_parts(member.net, tested, everything, EVALUATED_TOGETHER, member.settings.normalize)
    logits = np.concatenate([each for each, _ in parts])
    probabilities = member.net.kernels.softmax(logits)
    return {
        "set": tested.name,
        "clips": m,
        "network": figures(probabilities, tested.labels),
        "linear": figures(answer.scores, tested.labels),
        "penalty": answer.penalty,
    }


def _open(member: Member, clips: str | Path, labels: str | Path | None, part: str) -> datasets.ClipSet:
    """The set, with labels in the order of the network's classes."""
    return datasets.open_set(clips, labels, member.settings, "clips", part, member.class_names)


def _features(member: Member, clips: datasets.ClipSet) -> Iterator[FloatArray]:
    """Features (b, p) of the clips, a part at a time."""
    net = member.net
    starts = range(0, len(clips), EVALUATED_TOGETHER)
    parts = (np.arange(start, min(start + EVALUATED_TOGETHER, len(clips))) for start in starts)
    for x, _ in clips.batches(parts, net.kernels, net.dtype, member.settings.normalize):
        yield net.features(x)


def _write_npy(path: Path, shape: tuple[int, ...], dtype: DTypeLike, parts: Iterator[AnyArray]) -> None:
    """Write an .npy whose rows come in parts, whole or not at all."""
    kind = np.dtype(dtype)
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}

    def write(file: Any) -> None:
        np.lib.format.write_array_header_1_0(file, header)
        for part in parts:
            file.write(np.ascontiguousarray(part, kind).data)

    with files.writing(path):
        files.write_atomically(path, write)
