"""What was measured on real data, from ``bench/results``: pen drawings in ten folds, volumes of adrenal glands."""

import json
from pathlib import Path

import numpy as np

import emop3d_np as emo
from emop3d_np.training.crossvalidation import as_percent, mean_interval

RESULTS = Path(__file__).resolve().parents[2] / "bench" / "results"


def read(name):
    return json.loads((RESULTS / f"{name}.json").read_text())


def parameters(input_shape, feature_maps, num_classes):
    """How many numbers such a network has."""
    net = emo.EmoP3D(input_shape=input_shape, feature_maps=feature_maps, num_classes=num_classes, backend="reference")
    return net.parameter_count


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


def pens_folds(who):
    """Each fold, with commas between."""
    *some, last = (f"{100 * value:.1f}" for value in pens(who))
    return f"{', '.join(some)} and {last}"


def pens_ahead(first, second):
    """By how many points the first is ahead of the second, fold by fold, with half of the interval."""
    return as_percent(mean_interval(pens(first) - pens(second))).removesuffix(" %")


def pens_range():
    """The lowest and the highest fold of the network, in words."""
    return "{:.1f} to {:.1f} %".format(*(100 * bound(pens("network")) for bound in (min, max)))


def pens_table(names):
    """Each fold in a column, and the mean: a row per name of :func:`pens`; ``names`` has the words for each."""
    count = len(pens("network"))
    lines = ["| fold | " + " | ".join(map(str, range(1, count + 1))) + " | mean |", "|---" * (count + 2) + "|"]
    for words, who in names.items():
        cells = " | ".join(f"{100 * value:.1f}" for value in pens(who))
        lines.append(f"| {words}, % | {cells} | {pens_mean(who).removesuffix(' %')} |")
    return "\n".join(lines)


def volumes(who, moved, figure):
    """What "one network" or "all together" say of the test split of AdrenalMNIST3D by so many moved copies, in words.

    ``figure``: "accuracy", "auc", or "each" for the AUC of each seed.
    """
    found = read("volumes")[who][f"moved {moved}"]
    if figure == "each":
        return ", ".join(f"{each:.3f}" for each in found["auc"]["all"])
    value = found[figure]["mean"] if isinstance(found[figure], dict) else found[figure]
    return f"{value:.3f}" if figure == "auc" else f"{100 * value:.1f} %"


def of_panel(name, row, figure):
    """A figure of the one split of a panel that bench/baselines.py wrote; ``row``: how its name begins."""
    (found,) = (each for each in read(name)["rows"] if each["name"].startswith(row))
    value = found["per_split"][0][figure]
    return f"{value:.3f}" if figure == "auc" else f"{100 * value:.1f} %"


def volumes_behind():
    """By how much AUC the CNN is ahead of one network, the mean of its seeds, where both see moved copies."""
    cnn = np.mean([row["moved"]["auc"] for row in read("cnn_adrenal")["rows"]])
    return f"{cnn - read('volumes')['one network']['moved 8']['auc']['mean']:.3f}"
