"""``python run.py --folds K``: each fold a run of its own, and what all of them say together.

The folder, ``SAVE_PATH/folds-10-subjects`` for example, holds ``fold-01``, ``fold-02`` ..., folders of runs with one
file more, ``answers.csv``, the network's answer to every clip of the fold after the last step.  A fold that has it is
finished.  When all have, ``folds.json`` and ``folds.md`` are written.  ``data.json`` tells the clips from others, so
that folds of different data are not mixed.
"""

import csv
import hashlib
import io
import json
import math
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from scipy.special import softmax
from scipy.stats import t as student

from kernels.arrays import FloatArray, IntArray

from .. import datasets, files, reading
from ..datasets import identity
from ..errors import InputError
from ..launchers import PROCESSES, has_its_own_count
from ..locks import only_writer
from ..tasks import Share
from . import baseline, building, checkpoint, flags, ranks
from .answers import all_logits
from .metrics import Evaluation, figures
from .runs import read_settings
from .side_by_side import Task, require_all, side_by_side

MAY_DIFFER = {"fold", "fold_jobs", "executor", "threads", "resume", "save_path", "save_checkpoint"}
"""Settings that need not be the same in all folds: they do not change the result."""

DATA = "data.json"
DIGEST = "answers.sha256"
"""The SHA-256 of a fold's ``answers.csv``, as ``sha256sum`` writes it; of an older version there is none."""
"""What the clips are that all folds are of, as of :func:`emop3d_np.datasets.describe`, in the folder of the folds."""

VIDEO_FIGURES = ("accuracy", "uar", "f1")
"""What is said per video: votes have no scores, and so no AUC."""

TABLE = {
    "clip_accuracy": "accuracy per clip",
    "clip_uar": "UAR per clip",
    "clip_f1": "macro F1",
    "clip_auc": "AUC",
    "video_accuracy": "accuracy per video",
    "video_uar": "UAR per video",
}
"""The figures that ``folds.md`` has of every fold, and how it calls them."""

Train: TypeAlias = Callable[[dict[str, Any]], int]
"""Trains a run with the settings given, by name, and returns its exit code, as ``run.py`` has it."""


class CrossValidation:
    """The folds of one training set under one choice of settings: what is to be trained, and what all of them say.

    Args:
        given: the settings given, by name.

    Attributes:
        given: as given.
        settings: all of them, with their defaults.
        clips: ClipSet that is cross-validated.
        fold_of: ndarray of shape (n,): the fold, counted from 0, that tests each clip.
        folder, paths: where the results go, and the folders of the folds, in order.

    Raises:
        InputError: the settings do not fit the data, each other, or those of the folds that are there.  Whatever can
            be told before training is told here.
    """

    def __init__(self, given: dict[str, Any]) -> None:
        self.given, self.settings = given, flags.merge(given)
        settings = self.settings
        _check(settings)
        building.use_machine(settings)
        self.folder = Path(settings.save_path) / f"folds-{settings.folds}-{settings.fold_protocol}"
        self.clips = datasets.load_all(settings)
        self.fold_of = datasets.split(self.clips, settings)  # which refuses more folds than there are clips
        self.paths = [self.folder / f"fold-{fold:02}" for fold in range(1, settings.folds + 1)]
        for path in self.paths:
            _check_same(path, settings)
        self._data = datasets.describe(self.clips)
        self._check_data()
        largest = np.bincount(self.fold_of).argmax()
        self._fewest = self.clips.take(np.flatnonzero(self.fold_of != largest), f"{self.clips.name} without a fold")
        building.require_batch(settings, self._fewest)
        building.build_network(settings)

    @property
    def waiting(self) -> list[int]:
        """Numbers, from 1, of the folds that are not finished."""
        return [fold for fold, path in enumerate(self.paths, 1) if not (path / "answers.csv").exists()]

    def tidy(self) -> None:
        """Remove what a kill left in folds that were finished just before."""
        for fold, path in enumerate(self.paths, 1):
            if fold not in self.waiting:
                with suppress(InputError), only_writer(path):  # which removes it
                    pass

    def _check_data(self) -> None:
        """Raises InputError if the folds that are there are of other clips, labels or groups."""
        path = self.folder / DATA
        if path.exists():
            where = f"{self.folder}, with the answers.csv of its folds"
            datasets.require_same(identity.read(path), self._data, where, "give another --save_path")
        elif len(self.waiting) < len(self.paths):
            print(f"note: {self.folder} is of an older version; whether it was begun on the same clips is not known")

    def train_fold(self, train: Train, fold: int) -> int:
        """Train and test one fold, or go on with it.

        Args:
            train: trains it.
            fold: its number, from 1.

        Returns:
            Exit code: 0, or 130 when the user interrupted.
        """
        path, here = self.paths[fold - 1], ranks.here()
        if here.first and not (self.folder / DATA).exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            files.write_text(self.folder / DATA, json.dumps(self._data, indent=2) + "\n")
        saved = path / self.settings.checkpoint_name
        own = self.given | {"fold": fold, "save_path": str(self.folder), "save_checkpoint": True}
        with only_writer(path) if here.first else nullcontext():
            code = train(own | ({"resume": str(saved)} if here.first_says(saved.exists) else {}))
            if not code:
                tested = np.flatnonzero(self.fold_of == fold - 1)
                text = _answer(here.first_says(lambda: checkpoint.load(saved)), self.clips, tested)
                if here.first:
                    write_answers(path, text)
        return code

    def compile_kernels(self) -> None:
        """Compile what training needs, or read it from disk."""
        augmentation = datasets.Augmentation.of(self.settings)
        building.compile_kernels(building.build_network(self.settings), self._fewest, augmentation, iter)

    def linear_baseline(self) -> dict[str, Any] | None:
        """What ridge regression says on the same folds (:mod:`.baseline`): ``per_fold``, and means with intervals.

        None, with a word, where there is no memory for it, or a fold trains on a single clip.
        """
        print("the linear baseline of the same folds", flush=True)
        try:
            rows = baseline.of_folds(self.clips, self.fold_of, self.settings.fold_protocol, self.settings.seed)
        except InputError as error:
            print(f"is left out: {error}")
            return None
        means = {name: _mean([row[name] for row in rows]) for name in ("accuracy", "uar", "f1", "auc")}
        return {"what": "ridge regression on block means", **means, "per_fold": rows}

    def results(self, linear: dict[str, Any] | None = None) -> dict[str, Any]:
        """What all folds say together, as of :func:`summarize`; written to ``folds.json`` and ``folds.md``, too.

        Args:
            linear: as of :meth:`linear_baseline`, kept as ``linear_baseline`` beside it; default None, nothing is.
        """
        probabilities = gather(self.paths, self.clips, self.fold_of)
        result = summarize(self.clips, self.fold_of, probabilities, self.settings.fold_protocol)
        result |= {"linear_baseline": linear} if linear else {}
        files.write_text(self.folder / "folds.json", files.as_json(result, indent=2) + "\n")
        files.write_text(self.folder / "folds.md", as_markdown(result))
        return result


def train_side_by_side(
    cross_validations: Mapping[str, CrossValidation], settings: flags.Settings, folder: Path, share: Share | None = None
) -> dict[str, str]:
    """Train all unfinished folds in processes of their own.

    Args:
        cross_validations: CrossValidation by name; a fold is called by that name and its folder's.
        settings: ``fold_jobs``, how many at a time, and ``executor``, where.
        folder: in which those of all lie.
        share: of all folds, those that are trained; default None, all.

    Returns and raises: as :func:`side_by_side`.
    """
    everything = [
        (folds, fold, Task(f"{name} {path.name}".strip(), path, folds.given | {"fold": fold}))
        for name, folds in cross_validations.items()
        for fold, path in enumerate(folds.paths, 1)
    ]
    mine = share.of(everything) if share else everything
    own = [(folds, task) for folds, fold, task in mine if fold in folds.waiting]
    finished = len(mine) - len(own)
    for folds in cross_validations.values():
        folds.tidy()
    print(f"folds to train: {len(own)}; finished already: {finished}")
    if not own:
        return {}
    print("compiling the kernels: up to a minute the first time, read from disk the next", flush=True)
    for folds in {id(folds): folds for folds, _ in own}.values():
        folds.compile_kernels()  # here, since processes must not write Numba's cache at the same time
    return side_by_side([task for _, task in own], settings.fold_jobs, finished, settings.executor, folder)


def cross_validate(train: Train, given: dict[str, Any]) -> int:
    """Train and test the folds that are not finished, and gather the results when all are.

    Args:
        train: trains a fold.
        given: the settings given, by name; with ``fold``, that one alone is trained; with ``fold_jobs``, so many at
            a time in processes of their own; with ``executor``, wherever that has them started.

    Returns:
        Exit code: 0, or 130 when the user interrupted.

    Raises:
        InputError: as of :class:`CrossValidation`, or folds side by side failed.
    """
    folds = CrossValidation(given)
    words = unseen_in_words(unseen(folds.clips, folds.fold_of))
    if words:
        print(f"warning: {words}")
    # Several processes may train a fold each.
    with nullcontext() if folds.settings.fold or not ranks.here().first else only_writer(folds.folder):
        return _cross_validate(train, folds)


def _cross_validate(train: Train, folds: CrossValidation) -> int:
    """As :func:`cross_validate`, of ``folds`` that nobody else trains."""
    settings, here = folds.settings, ranks.here()
    if _in_processes(settings):
        require_all(train_side_by_side({"": folds}, settings, folds.folder))
    else:
        if here.first:
            folds.tidy()
        for fold, path in enumerate(folds.paths, 1):
            if settings.fold not in (None, fold):
                continue
            print(f"--- fold {fold} of {settings.folds}: {path}")
            if here.first_says(lambda: fold not in folds.waiting):  # noqa: B023
                print("finished already")
                continue
            code = folds.train_fold(train, fold)
            if code:
                print("the same command goes on from here; finished folds are kept")
                return code

    if not here.first:
        return 0
    if folds.waiting:
        names = ", ".join(folds.paths[fold - 1].name for fold in folds.waiting)
        print(f"not finished yet: {names}; the last one to finish gathers the results")
        return 0
    text = as_markdown(folds.results(folds.linear_baseline()))
    print(f"\n{text}\nresults are in {folds.folder}; a picture: python -m emop3d_np report {folds.folder} folds.png")
    return 0


def write_answers(path: Path, text: str) -> None:
    """Write ``answers.csv`` of the fold in the folder ``path``, which finishes it, after its digest.

    Raises:
        InputError: it cannot be written.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    files.write_text(path / DIGEST, f"{digest}  answers.csv\n")
    files.write_text(path / "answers.csv", text)


def _require_as_written(path: Path) -> None:
    """Raises InputError if ``answers.csv`` of a fold is not what its digest was taken of."""
    if (path / DIGEST).exists():
        content = reading.read_bytes(path / "answers.csv", most=reading.MOST_TABLE)
        if reading.read_text(path / DIGEST).split()[:1] != [hashlib.sha256(content).hexdigest()]:
            raise InputError(f"{path / 'answers.csv'} is not as it was written: {DIGEST} beside it differs")


def gather(paths: Sequence[Path], clips: datasets.ClipSet, fold_of: IntArray) -> FloatArray:
    """Read the answers of all folds.

    Args:
        paths: the folds' folders, in order.
        clips: ClipSet that was cross-validated.
        fold_of: ndarray of shape (n,): the fold, counted from 0, that tests each clip.

    Returns:
        float64 ndarray of shape (n, k): the probabilities each clip got when it was tested.

    Raises:
        InputError: a fold did not test the very clips that are its own.
    """
    probabilities = np.full((len(clips), len(clips.class_names)), np.nan)
    for fold, path in enumerate(paths):
        where = f"{path / 'answers.csv'}"
        try:
            _require_as_written(path)
            with reading.reading(where, damaged=f"{where} cannot be read"):
                tested, labels, values = _read_answers(path / "answers.csv", clips.class_names)
                if not (np.abs(values.sum(axis=1) - 1) < 1e-3).all() or values.min() < 0:
                    raise ValueError("its probabilities are none")
        except InputError as error:
            raise InputError(f"{error}; delete it to test again") from None
        own = np.flatnonzero(fold_of == fold)
        if not np.array_equal(tested, own) or labels != [clips.class_names[label] for label in clips.labels[own]]:
            raise InputError(
                f"{path / 'answers.csv'}: its {len(tested)} clips are not the {len(own)} of this fold of {clips.name}; "
                f"the data have changed since: give another --save_path"
            )
        probabilities[own] = values
    return probabilities


def _read_answers(path: Path, class_names: Sequence[str]) -> tuple[IntArray, list[str], FloatArray]:
    """Numbers of the clips, labels by name, and probabilities (m, k) in the answers of a fold."""
    rows = reading.table_rows(path)
    columns = {name: place for place, name in enumerate(next(rows))}
    clip, label, *shares = (columns[name] for name in ("clip", "label", *(f"p_{name}" for name in class_names)))
    tested, labels, values = array("q"), [], array("d")  # a row of a million takes some bytes, and not some objects
    for row in rows:
        tested.append(int(row[clip]))
        labels.append(sys.intern(row[label]))
        values.extend(float(row[place]) for place in shares)
    return np.array(tested), labels, np.array(values).reshape(-1, len(class_names))


def summarize(clips: datasets.ClipSet, fold_of: IntArray, probabilities: FloatArray, protocol: str) -> dict[str, Any]:
    """What the folds say together.

    Args:
        clips: ClipSet that was cross-validated.
        fold_of: ndarray of shape (n,): the fold, counted from 0, that tested each clip.
        probabilities: ndarray of shape (n, k): those of the classes when it did.
        protocol: how the folds were made, ``subjects`` or ``clips``.

    Returns:
        Plain values, as ``folds.json`` holds them.  A mean's interval is Student's, of 95 %, over folds.  For what is
        said per video, the clips of a video that one fold tests and that have one label vote on the answer; a tie
        goes to the larger sum of probabilities.  The AUC is that of clips; the mean over folds is None where a fold
        has clips of one class only.  ``unseen`` names the classes whose clips all lie in one fold, with its number:
        the network that answered to them had never seen the class.
    """
    labels, answers = clips.labels, probabilities.argmax(axis=1)
    video_folds, video_labels, video_answers = _votes(clips, fold_of, probabilities)
    count = int(fold_of.max()) + 1
    per_fold = []
    for fold in range(count):
        mine, its_videos = fold_of == fold, video_folds == fold
        evaluation = _evaluation(clips.class_names, labels[mine], answers[mine])
        of_clips = figures(probabilities[mine], labels[mine])
        of_videos = _evaluation(clips.class_names, video_labels[its_videos], video_answers[its_videos])
        per_fold.append(
            {
                "fold": fold + 1,
                "clips": evaluation.clips,
                "videos": of_videos.clips,
                **{f"clip_{figure}": value for figure, value in of_clips.items()},
                **{f"video_{figure}": getattr(of_videos, figure) for figure in VIDEO_FIGURES},
                "recall": evaluation.as_dict()["recall"],
            }
        )
    leaks = {what: _leak(clips, fold_of, what) for what in ("subject", "source")} if clips.index else {}
    result = {"data": clips.name, "folds": count, "protocol": protocol, "warning": _warning(protocol, leaks)}
    result |= {"leaks": leaks, "unseen": unseen(clips, fold_of)}
    for figure in (*(f"clip_{each}" for each in of_clips), *(f"video_{each}" for each in VIDEO_FIGURES)):
        result[figure] = _mean([row[figure] for row in per_fold])
    everything = _evaluation(clips.class_names, labels, answers).as_dict()
    by_video = _evaluation(clips.class_names, video_labels, video_answers).as_dict()
    result |= {name: everything[name] for name in ("clips", "class_names", "confusion", "recall")}
    result |= {
        "videos": by_video["clips"],
        "video_confusion": by_video["confusion"],
        "video_recall": by_video["recall"],
    }
    return result | {"per_fold": per_fold}


def unseen(clips: datasets.ClipSet, fold_of: IntArray) -> dict[str, int]:
    """The classes whose clips all lie in one fold, as where one person alone shows them: that fold's number, from 1.

    Arguments are those of :func:`summarize`.
    """
    folds = [np.unique(fold_of[clips.labels == label]) for label in range(len(clips.class_names))]
    return {name: int(own[0]) + 1 for name, own in zip(clips.class_names, folds, strict=True) if len(own) == 1}


def unseen_in_words(found: Mapping[str, int]) -> str:
    """What a reader must know of classes that :func:`unseen` found; nothing where there are none."""
    if not found:
        return ""
    which = ", ".join(f"{name} (fold {fold})" for name, fold in found.items())
    return (
        f"all clips of a class lie in one fold, so the network that is tested on them has never seen the class: "
        f"{which}; its recall is not shown, and its clips count against accuracy, UAR and F1"
    )


def mean_interval(values: Sequence[float] | FloatArray, level: float = 0.95) -> dict[str, Any]:
    """Mean of the folds' values, and Student's interval for it; at least two values.

    Folds share training clips, so their values are not independent, and the interval is somewhat too narrow.
    """
    half = student.ppf((1 + level) / 2, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    mean = float(np.mean(values))
    return {"mean": mean, "interval": [mean - float(half), mean + float(half)], "level": level}


def as_percent(mean: Mapping[str, Any]) -> str:
    """A mean and half the width of its interval, as of :func:`mean_interval`, in words."""
    return f"{100 * mean['mean']:.1f} ± {100 * (mean['interval'][1] - mean['mean']):.1f} %"


def as_markdown(result: Mapping[str, Any]) -> str:
    """The result, as of :func:`summarize`, in Markdown: the folds, the mean, the confusion matrix with its recalls."""
    lines = [f"# {result['folds']} folds by {result['protocol']}: {result['data']}", ""]
    if result["warning"]:
        lines += [f"**Warning:** {result['warning']}", ""]
    never = result.get("unseen", {})
    if never:
        lines += [f"**Warning:** {unseen_in_words(never)}", ""]
    lines += ["| fold | clips | " + " | ".join(TABLE.values()) + " | videos |", "|---" * (len(TABLE) + 3) + "|"]
    for row in result["per_fold"]:
        cells = ["-" if row[figure] is None else f"{100 * row[figure]:.1f} %" for figure in TABLE]
        lines.append(f"| {row['fold']} | {row['clips']} | " + " | ".join(cells) + f" | {row['videos']} |")
    cells = ["-" if result[figure] is None else as_percent(result[figure]) for figure in TABLE]
    lines.append(f"| mean, 95 % interval | {result['clips']} | " + " | ".join(cells) + f" | {result['videos']} |")
    lines += ["", "| truth \\ answer | " + " | ".join(result["class_names"]) + " | recall | recall per video |"]
    lines.append("|---" * (len(result["class_names"]) + 3) + "|")
    for name, counts in zip(result["class_names"], result["confusion"], strict=True):
        recalls = (None, None) if name in never else (result["recall"][name], result["video_recall"][name])
        shares = ["-" if share is None else f"{100 * share:.1f} %" for share in recalls]
        lines.append(f"| {name} | " + " | ".join([*map(str, counts), *shares]) + " |")
    return "\n".join(lines + _linear_lines(result.get("linear_baseline"))) + "\n"


def _linear_lines(linear: Mapping[str, Any] | None) -> list[str]:
    """The table of the linear baseline, in Markdown."""
    if not linear:
        return []
    names = {"accuracy": "accuracy per clip", "uar": "UAR per clip", "f1": "macro F1", "auc": "AUC"}
    lines = ["", f"The same folds by {linear['what']}, each chosen on the clips outside the fold:", ""]
    lines += ["| fold | " + " | ".join(names.values()) + " | chosen |", "|---" * (len(names) + 2) + "|"]
    for fold, row in enumerate(linear["per_fold"], 1):
        cells = ["-" if row[name] is None else f"{100 * row[name]:.1f} %" for name in names]
        lines.append(f"| {fold} | " + " | ".join(cells) + f" | {row['variant']}; penalty {row['penalty']:g} |")
    cells = ["-" if linear[name] is None else as_percent(linear[name]) for name in names]
    return [*lines, "| mean, 95 % interval | " + " | ".join(cells) + " | |"]


def _mean(values: Sequence[float | None]) -> dict[str, Any] | None:
    """As of :func:`mean_interval`; None where a fold's value is not known."""
    known = [value for value in values if value is not None]
    return mean_interval(known) if len(known) == len(values) else None


def _check(settings: flags.Settings) -> None:
    """Raises InputError if these settings cannot be cross-validated."""
    if _in_processes(settings) and (settings.fold or not settings.folds):
        jobs = f"--fold_jobs {settings.fold_jobs} is how many folds are trained at once"
        whom = f"--executor {settings.executor} says by whom folds are trained"
        raise InputError(f"{jobs if settings.fold_jobs > 1 else whom}: it needs --folds, without --fold")
    if settings.fold_jobs > 1 and has_its_own_count(settings.executor):
        raise InputError(
            f"--fold_jobs {settings.fold_jobs}: with --executor {settings.executor} as many folds are trained at a "
            f"time as it has ranks or workers; leave --fold_jobs out"
        )
    if not settings.folds:
        raise InputError(f"--fold {settings.fold} needs --folds: how many there are")
    if settings.resume:
        raise InputError("--resume goes on with one run; a cross-validation goes on when its command is repeated")
    if settings.val_path or settings.val_labels_path:
        raise InputError("--folds takes its test clips from --train_path; leave out --val_path and --val_labels_path")
    if settings.patience:
        raise InputError(
            f"--patience {settings.patience} cannot be used with --folds: the clips that test a fold would choose its "
            f"network; find a good --max_steps on other data"
        )
    if settings.fold and settings.fold > settings.folds:
        raise InputError(f"--fold is {settings.fold}, --folds {settings.folds}; folds are 1 ... {settings.folds}")


def _in_processes(settings: flags.Settings) -> bool:
    """Whether each fold is trained in a process of its own."""
    return bool(settings.fold_jobs > 1 or settings.executor != PROCESSES)


def _check_same(path: Path, settings: flags.Settings) -> None:
    """Raises InputError if the fold in ``path`` was begun with other settings."""
    if not (path / "settings.json").exists():
        return
    try:
        before = read_settings(path)
    except InputError as error:
        raise InputError(f"{error}; delete {path} to train it again") from None
    for name, value in vars(settings).items():
        if name not in MAY_DIFFER and before.get(name) != value:
            raise InputError(
                f"{path}: was trained with --{name} {flags.show(before.get(name))}, now it is {flags.show(value)}; "
                f"give the same, or another --save_path"
            )


def _answer(state: checkpoint.Checkpoint, clips: datasets.ClipSet, tested: IntArray) -> str:
    """``answers.csv``: what the network of a checkpoint says of the clips numbered ``tested``."""
    net, settings = building.network_of(state)
    logits = all_logits(net, clips, tested, settings.batch_size, settings.normalize)
    probabilities = softmax(logits.astype(np.float64), axis=1)
    index = clips.index or {}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["clip", *index, "label", "answer", *(f"p_{name}" for name in clips.class_names)])
    for clip, shares in zip(tested, probabilities, strict=True):
        names = (clips.class_names[k] for k in (clips.labels[clip], shares.argmax()))
        writer.writerow([clip, *(values[clip] for values in index.values()), *names, *map(float, shares)])
    return text.getvalue()


def _votes(
    clips: datasets.ClipSet, fold_of: IntArray, probabilities: FloatArray
) -> tuple[IntArray, IntArray, IntArray]:
    """Fold, label and answer of every video in every fold that tests clips of it, ndarrays of shape (v,) each."""
    videos = clips.index["video"] if clips.index else np.arange(len(clips))
    _, video = np.unique(videos, return_inverse=True)
    units, member = np.unique(np.stack([fold_of, clips.labels, video]), axis=1, return_inverse=True)
    votes, sums = np.zeros((2, units.shape[1], probabilities.shape[1]))
    np.add.at(votes, (member.ravel(), probabilities.argmax(axis=1)), 1)
    np.add.at(sums, member.ravel(), probabilities)
    leading = votes == votes.max(axis=1, keepdims=True)
    return units[0], units[1], np.where(leading, sums, -1).argmax(axis=1)


def _evaluation(class_names: tuple[str, ...], labels: IntArray, answers: IntArray) -> Evaluation:
    """The tally of answers (n,) to clips of labels (n,); losses are not known, and count as 0."""
    evaluation = Evaluation(class_names=class_names)
    evaluation.add(0.0, np.eye(len(class_names))[answers], labels)
    return evaluation


def _leak(clips, fold_of, what):
    """Share of the clips whose subject or source stands in the training clips of the fold that tests them, too."""
    _, member = np.unique(clips.index[what], return_inverse=True)
    folds_of = np.zeros((member.max() + 1, fold_of.max() + 1), bool)
    folds_of[member, fold_of] = True
    return float((folds_of.sum(axis=1) > 1)[member].mean())


def _warning(protocol: str, leaks: Mapping[str, float]) -> str | None:
    """What a reader of the figures must know, if anything."""
    if protocol == "subjects":
        return None
    if not leaks:
        return "each clip was dealt by itself; whether its person or video was trained on is not known"
    return (
        f"{100 * leaks['subject']:.1f} % of the clips were tested by a network trained on the same person, "
        f"{100 * leaks['source']:.1f} % on the same video; these figures do not hold for new people"
    )
