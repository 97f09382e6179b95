"""What was measured on real data, from ``bench/results``: pen drawings in ten folds, volumes of adrenal glands."""

import json
from pathlib import Path

import numpy as np

from emop3d_np.training.crossvalidation import as_percent, mean_interval

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results"


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def pens(who, folds=slice(None)):
    """Accuracy in each of the folds of pen drawings: floats, in order."""
    ours = read("pens")
    rows = {
        "network": lambda: [row["moved 1"]["accuracy"] for row in ours["rows"]],
        "network, moved": lambda: [row["moved 8"]["accuracy"] for row in ours["rows"]],
        "ridge": lambda: ours["ridge"],
        "untrained": lambda: [each["accuracy"] for each in read("untrained_pens")["rows"][0]["per_split"]],
        "CNN": lambda: [row["alone"]["accuracy"] for row in read("cnn_pens")["rows"]],
        "CNN, moved": lambda: [row["moved"]["accuracy"] for row in read("cnn_pens")["rows"]],
    }
    return np.array(rows[who]()[folds])


def pens_mean(who, folds=slice(None)):
    """The mean of the folds in words, with half of Student's 95 % interval."""
    return as_percent(mean_interval(pens(who, folds)))


def pens_ahead(first, second):
    """By how many points the first is ahead of the second, fold by fold, with half of the interval."""
    return as_percent(mean_interval(pens(first) - pens(second))).removesuffix(" %")


def pens_range():
    """The lowest and the highest fold of the network, in words."""
    return "{:.1f} to {:.1f} %".format(*(100 * bound(pens("network")) for bound in (min, max)))


def pens_seconds():
    """CPU seconds per fold of the network, the mean of those that did nothing besides."""
    return f"{np.mean([row['CPU seconds'] for row in read('pens')['rows'] if row['CPU seconds']]):.0f}"


def pens_table(**names):
    """Each fold in a column, and the mean: a row per name of :func:`pens` in ``names``, with the words for it."""
    count = len(pens("network"))
    lines = ["| fold | " + " | ".join(map(str, range(1, count + 1))) + " | mean |", "|---" * (count + 2) + "|"]
    for words, who in names.items():
        cells = " | ".join(f"{100 * value:.1f}" for value in pens(who))
        lines.append(f"| {words}, % | {cells} | {pens_mean(who).removesuffix(' %')} |")
    return "\n".join(lines)


def volumes_table():
    """The test split of AdrenalMNIST3D: networks, baselines by bench/baselines.py, the CNN by bench/cnn.py."""
    ours, cnn = read("volumes"), read("cnn_adrenal")
    lines = ["| what | accuracy | AUC | AUC of each seed |", "|---|---|---|---|"]

    def line(what, accuracy, auc, seeds=()):
        lines.append(f"| {what} | {100 * accuracy:.1f} % | {auc:.3f} | {', '.join(f'{each:.3f}' for each in seeds)} |")

    for words, moved in ("one network", "moved 1"), ("one network, the mean of 8 moved copies", "moved 8"):
        found = ours["one network"][moved]
        line(words, found["accuracy"]["mean"], found["auc"]["mean"], found["auc"]["all"])
    for words, moved in ("networks together", "moved 1"), ("networks together, 8 moved copies", "moved 8"):
        found = ours["all together"][moved]
        line(f"the {len(ours['CPU seconds'])} {words}", found["accuracy"], found["auc"])
    line(
        "the most frequent class; the number of filled voxels", ours["most frequent class"], ours["AUC of filled voxels"]
    )
    for row in read("baselines_adrenal")["rows"]:
        if not row["name"].startswith(("most frequent", "ridge: ")) or "by inner folds" in row["name"]:
            line(row["name"], row["per_split"][0]["accuracy"], row["per_split"][0]["auc"])
    for words, who in ("the 3D CNN", "alone"), ("the 3D CNN, 8 moved copies", "moved"):
        found = [row[who] for row in cnn["rows"]]
        line(words, *(np.mean([each[name] for each in found]) for name in ("accuracy", "auc")), [f["auc"] for f in found])
    return "\n".join(lines)
