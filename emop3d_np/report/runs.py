"""A run, a cross-validation or a sweep as a picture."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..reading import read_json, read_json_lines, reading
from ..training import checkpoint
from ..training.runs import read_settings
from . import checks
from .figure import pyplot, save

MOST_NUMBERS = 50
"""Classes up to which a confusion matrix has its counts written in: more could not be read, and take minutes."""


def draw_run(folder: str | Path, picture: str | Path) -> None:
    """Draw a run's loss and accuracy, its last confusion matrix, and the weights of its first layer.

    Of a cross-validation it draws the accuracy of every fold, the confusion matrix of all folds together, and the
    recalls; of a sweep, the accuracies of every combination.

    Args:
        folder: of a run, a cross-validation or a sweep.
        picture: file to write; its ending gives the format.

    Raises:
        InputError: the folder holds no run, or matplotlib is missing.
    """
    plt = pyplot()
    folder = Path(folder)
    for name, check, draw in (
        ("folds.json", checks.require_folds, _draw_folds),
        ("sweep.json", checks.require_sweep, _draw_sweep),
    ):
        if (folder / name).exists():
            result = read_json(folder / name)
            check(result, str(folder / name))
            with _of_this_program(folder / name):
                return draw(plt, result, picture)
    with _of_this_program(folder):
        _draw_training(plt, folder, picture)


def _draw_training(plt: Any, folder: Path, picture: str | Path) -> None:
    """Draw a run of its own."""
    history = _rows(folder / "history.jsonl")
    if not history:
        raise InputError(f"{folder}: holds no history.jsonl with an evaluation in it; give the folder of a run")
    checks.require_history(history, str(folder / "history.jsonl"))
    tests = _rows(folder / "tests.jsonl")
    if tests:
        checks.require_test(tests[-1], str(folder / "tests.jsonl"))
    name = read_settings(folder)["checkpoint_name"]
    saved = checkpoint.load(folder / name) if (folder / name).exists() else None
    panels = ["loss", "accuracy", *(["confusion"] if tests else []), *(["weights"] if saved else [])]
    figure, axes = plt.subplots(1, len(panels), figsize=(4.2 * len(panels), 3.8), layout="constrained")
    of = dict(zip(panels, axes, strict=True))
    epochs = [row["epoch"] for row in history]
    for what in ("loss", "accuracy"):
        for part, label in (("train", "training"), ("val", "validation"), ("averaged_val", "averaged, validation")):
            if f"{part}_{what}" in history[-1]:
                of[what].plot(epochs, [row.get(f"{part}_{what}", np.nan) for row in history], label=label)
        of[what].set(xlabel="epoch", title=what, ylim=(0, 1) if what == "accuracy" else (0, None))
        of[what].legend()
    if tests:
        test = tests[-1]
        title = f"epoch {test['epoch']:g}: {100 * test['accuracy']:.1f} % of {test['clips']}"
        draw_confusion(of["confusion"], test, title)
    if saved:
        # A row per map: for the first channel, the weights of each frame of the window, side by side.
        weights = saved.answering["L1WS/weights"][..., 0, :]
        rows = np.concatenate([np.concatenate(list(weights[..., f]), axis=1) for f in range(weights.shape[-1])])
        limit = np.abs(rows).max()
        of["weights"].imshow(rows, cmap="RdBu_r", vmin=-limit, vmax=limit)
        of["weights"].set(title="weights of L1WS: a row per map, frames across", xticks=[], yticks=[])
    save(figure, picture)


def _draw_folds(plt: Any, result: Mapping[str, Any], picture: str | Path) -> None:
    """Draw ``folds.json`` of a cross-validation."""
    figure, (bars, matrix, recalls) = plt.subplots(1, 3, figsize=(13.5, 4), layout="constrained")
    folds = [row["fold"] for row in result["per_fold"]]
    for shift, unit, colour in ((-0.2, "clip", "C0"), (0.2, "video", "C1")):
        shares = [row[f"{unit}_accuracy"] for row in result["per_fold"]]
        mean, (low, high) = result[f"{unit}_accuracy"]["mean"], result[f"{unit}_accuracy"]["interval"]
        bars.bar(np.array(folds) + shift, shares, 0.4, color=colour, label=f"per {unit}: {100 * mean:.1f} %")
        bars.axhspan(low, high, color=colour, alpha=0.2)
        bars.axhline(mean, color=colour)
    title = "accuracy by fold; bands: 95 % interval of the mean"
    bars.set(xlabel="fold", xticks=folds, ylim=(0, 1), title=title)
    bars.legend()
    draw_confusion(matrix, result, f"all folds, {result['clips']} clips")
    never = result.get("unseen", {})
    recalls.barh(
        list(result["recall"]), [0 if name in never else share or 0 for name, share in result["recall"].items()]
    )
    recalls.set(xlim=(0, 1), title="recall per clip")
    recalls.invert_yaxis()
    figure.suptitle(
        f"{result['folds']} folds by {result['protocol']}: {result['warning'] or result['data']}", fontsize=9
    )
    save(figure, picture)


def _draw_sweep(plt: Any, result: Mapping[str, Any], picture: str | Path) -> None:
    """Draw ``sweep.json`` of a sweep."""
    rows = result["combinations"]
    figure, ax = plt.subplots(figsize=(8, 1.6 + 0.35 * len(rows)), layout="constrained")
    for place, row in enumerate(rows):
        mean, interval = row["clip_accuracy"]["mean"], row["clip_accuracy"]["interval"]
        ax.plot(row["per_fold"], [place] * result["folds"], "o", color="C0", alpha=0.35, markeredgewidth=0)
        ax.plot(interval, [place] * 2, color="C1")
        ax.plot(mean, place, "D", color="C1")
    ax.set_yticks(range(len(rows)), [row["name"].replace(",", ", ") for row in rows], fontsize=8)
    ax.set(xlabel="accuracy per clip: folds, their mean and its 95 % interval")
    ax.invert_yaxis()
    title = f"{result['folds']} folds by {result['protocol']}: {result['warning'] or result['data']}"
    ax.set_title(title, fontsize=9)
    save(figure, picture)


def draw_confusion(ax: Any, test: Mapping[str, Any], title: str) -> None:
    """Draw the ``confusion`` matrix (k, k) of a test: a row per class, in shares of the row."""
    counts = np.array(test["confusion"])
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    names = test["class_names"]
    for row, column in np.ndindex(counts.shape if len(names) <= MOST_NUMBERS else (0, 0)):
        colour = "white" if shares[row, column] > 0.5 else "black"
        ax.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=8)
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    ax.set_yticks(range(len(names)), names, fontsize=8)
    ax.set(xlabel="answer", ylabel="truth", title=title)


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a .jsonl; none where the file does not exist."""
    return read_json_lines(path) if path.exists() else []


def _of_this_program(path: Path) -> AbstractContextManager[None]:
    """Around what draws a result: one that lacks what is to be drawn is refused in a line."""
    return reading(str(path), damaged=f"{path}: is damaged, or of another version, and cannot be drawn")
