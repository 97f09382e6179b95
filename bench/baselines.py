"""A panel of baselines on exactly the clips that run.py trains on and tests.

    python bench/baselines.py pens --folds 10 [--fold 1]
    python bench/baselines.py pens_split/train --val_path pens_split/val
    python bench/baselines.py adrenalmnist3d.npz
    python bench/baselines.py pens --folds 10 --untrained --recipe strong --feature_maps 6 --shrink 2
    python bench/baselines.py [--faces hard]

DATA, which comes first, is what --train_path takes, and further flags are those of run.py; sizes and classes are read
from DATA.  Of a set of MedMNIST the official test split is tested, without DATA the drawn faces of other people.
Penalties are chosen by inner folds of the training clips.  MiniRocket needs aeon.  The untrained network is that of the
flags.
"""

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import description
from scipy.optimize import minimize
from scipy.special import log_softmax

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np import datasets
from emop3d_np.errors import InputError, exit_code
from emop3d_np.training import baseline, building, flags
from emop3d_np.training.crossvalidation import as_percent, mean_interval
from emop3d_np.training.metrics import figures

FIGURES = {"accuracy": "accuracy", "uar": "UAR", "f1": "macro F1", "auc": "AUC"}
DECAYS = (1.0, 0.1, 0.01, 0.001)
"""Factors of half the squared weights in logistic regression that are tried."""
MOST_MAPS = 10_000
"""Numbers of a clip that are kept of an untrained network's last maps, which are averaged in blocks to be so few."""


@dataclass(frozen=True)
class Task:
    """Clips, and who trains and tests.

    Attributes:
        sets: one ClipSet that is cross-validated, or one to train on and one to test.
        labels: ndarray of shape (n,), of all clips of the sets.
        splits: baseline.Split of clips numbered through the sets.
        settings: those of run.py.
    """

    sets: tuple
    labels: np.ndarray
    splits: list
    settings: flags.Settings

    @property
    def classes(self):
        return len(self.sets[0].class_names)

    def blocks(self):
        """baseline.Blocks of all clips."""
        parts = [baseline.read_blocks(clips) for clips in self.sets]
        fields = ("means", "frame_means", "frame_deviations")
        return baseline.Blocks(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in fields), parts[0].side
        )


def sizes(path, labels_path):
    """Settings that say what is in ``path``."""
    if path is None:
        return {}
    try:
        if Path(path).suffix == ".npz":
            with np.load(path) as archive:
                shape, count = (*archive["train_images"].shape[1:], 1), int(archive["train_labels"].max()) + 1
        elif Path(path).is_dir():
            shape = np.load(Path(path) / "Training.npy", mmap_mode="r").shape[1:]
            count = len((Path(path) / "classes.txt").read_text().split("\n")) - 1
        else:
            shape = np.load(path, mmap_mode="r").shape[1:]
            count = int(np.load(labels_path).max()) + 1 if labels_path else 2
        depth, height, width, channels = shape
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be read as clips ({error})") from None
    return {"depth_frames": depth, "height": height, "width": width, "in_channels": channels, "num_classes": count}


def read(given):
    """The Task of flags given, by name."""
    path = given.get("train_path")
    settings = flags.merge(sizes(path, given.get("train_labels_path")), given)
    protocol, seed = settings.fold_protocol, settings.seed
    if settings.folds:
        clips = datasets.load_all(settings)
        fold_of = datasets.split(clips, settings)
        chosen = [settings.fold - 1] if settings.fold else range(settings.folds)
        splits = [baseline.split_of(clips, fold_of, fold, protocol, seed) for fold in chosen]
        return Task((clips,), clips.labels, splits, settings)
    training, tested = datasets.load_sets(settings)
    if path and Path(path).suffix == ".npz" and not settings.val_path:
        tested = datasets.open_set(path, None, settings, "train", "test")
    if tested is None:
        raise InputError(f"nothing to test in {path}: give --val_path, or --folds")
    numbers = np.arange(len(training) + len(tested))
    train, test = np.split(numbers, [len(training)])
    split = baseline.Split(train, test, baseline.inner_folds(training, train, protocol, seed))
    return Task((training, tested), np.concatenate([training.labels, tested.labels]), [split], settings)


def most_frequent(task):
    """Scores of the classes' shares among the training clips, for every split."""
    for split in task.splits:
        yield np.tile(np.bincount(task.labels[split.train], minlength=task.classes), (len(split.test), 1)) * 1.0


def ridges_on(x, task):
    """Ridge regression on vectors x (n, p), for every split."""
    for split in task.splits:
        own = baseline.ridge_answer(x[split.train], task.labels[split.train], split.inner, x[split.test], task.classes)
        yield own.scores


def regress(x, labels, classes, decay):
    """Weights (p + 1, k) of logistic regression by L-BFGS: mean loss plus half the decayed squares, bias left out."""
    x = np.column_stack([x, np.ones(len(x))])
    one_hot = np.eye(classes)[labels]

    def loss(flat):
        w = flat.reshape(x.shape[1], classes)
        decayed = decay * np.vstack([w[:-1], np.zeros((1, classes))])
        logs = log_softmax(x @ w, axis=1)
        gradient = x.T @ (np.exp(logs) - one_hot) / len(x) + decayed
        return -(logs * one_hot).sum() / len(x) + (decayed * w).sum() / 2, gradient.ravel()

    start = np.zeros(x.shape[1] * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return found.x.reshape(-1, classes)


def logistic_on(features_of, task):
    """Logistic regression, the decay chosen by the inner folds; ``features_of[i]`` are the vectors for split i."""
    labels = task.labels
    for features, split in zip(features_of, task.splits, strict=True):
        mean, scale = features[split.train].mean(axis=0), features[split.train].std() or 1.0
        x = ((features - mean) / scale).astype(np.float64)
        right = np.zeros(len(DECAYS))
        for fold in range(int(split.inner.max()) + 1):
            seen, own = split.train[split.inner != fold], split.train[split.inner == fold]
            for place, decay in enumerate(DECAYS):
                w = regress(x[seen], labels[seen], task.classes, decay)
                right[place] += ((x[own] @ w[:-1] + w[-1]).argmax(axis=1) == labels[own]).sum()
        w = regress(x[split.train], labels[split.train], task.classes, DECAYS[int(right.argmax())])
        yield x[split.test] @ w[:-1] + w[-1]


def untrained_maps(task):
    """The maps before the last layer of a network with initial values, in blocks: float32 of shape (n, p)."""
    net, found = building.build_network(task.settings), []
    d, h, w, f = net.layers[-1].input_shape
    side = 1
    while d * -(-h // side) * -(-w // side) * f > MOST_MAPS and side < max(h, w):
        side += 1
    for clips in task.sets:
        parts = np.array_split(np.arange(len(clips)), -(-len(clips) // baseline.READ_TOGETHER))
        for x, _ in clips.batches(parts, net.kernels, net.dtype, task.settings.normalize):
            maps = x
            for layer in net.layers[:-1]:
                maps, _ = layer.forward(maps, net.parameters)
            maps = baseline.block_means(np.asarray(maps).reshape(-1, d, h, w, f), side)
            found.append(maps.reshape(len(x), -1))
    return np.concatenate(found)


def mini_rocket(x, task):
    """MiniRocket on block means x (n, channels, d), into ridge regression, for every split."""
    from aeon.transformations.collection.convolution_based import MiniRocket

    for split in task.splits:
        rocket = MiniRocket(random_state=task.settings.seed)
        rocket.fit(x[split.train])
        seen, new = (np.asarray(rocket.transform(x[chosen])) for chosen in (split.train, split.test))
        labels = task.labels[split.train]
        yield baseline.ridge_answer(seen, labels, split.inner, new, task.classes).scores


def row(name, scores, task, seconds):
    """One line of the panel: its name, the seconds, the figures of every split and their means."""
    per_split = [figures(own, task.labels[split.test]) for own, split in zip(scores, task.splits, strict=True)]
    return {"name": name, "seconds": seconds, "per_split": per_split}


def timed_row(name, make, task):
    """The row of the scores that ``make()`` yields, one of each split."""
    start = time.perf_counter()
    scores = list(make())
    return row(name, scores, task, time.perf_counter() - start)


def untrained_row(task):
    return timed_row("ridge on an untrained network's last maps", lambda: ridges_on(untrained_maps(task), task), task)


def panel(task, quick=False):
    """Yield the rows of the panel, of a ``quick`` one without the two slowest; strings tell what is missing."""
    yield timed_row("most frequent class", lambda: most_frequent(task), task)
    start = time.perf_counter()
    blocks = task.blocks()
    reading = time.perf_counter() - start
    yield f"reading the block means took {reading:.1f} s, which no row counts"
    answers = [{} for _ in task.splits]
    for variant in blocks.variants(max(len(split.train) for split in task.splits)):
        start = time.perf_counter()
        x = blocks.features(variant)
        for own, split in zip(answers, task.splits, strict=True):
            own[variant] = baseline.ridge_answer(
                x[split.train], task.labels[split.train], split.inner, x[split.test], task.classes
            )
        yield row(f"ridge: {variant}", [own[variant].scores for own in answers], task, time.perf_counter() - start)
    best = [baseline.best_variant(own) for own in answers]
    yield row(
        "ridge: the best by inner folds", [own[v].scores for own, v in zip(answers, best, strict=True)], task, 0.0
    )
    if quick:
        yield "logistic regression and the untrained network are left out (--quick)"
    else:
        features_of = (blocks.features(variant) for variant in best)
        yield timed_row("logistic regression on its input", lambda: logistic_on(features_of, task), task)
        yield untrained_row(task)
    try:
        import aeon  # noqa: F401
    except ImportError:
        yield "MiniRocket is left out: it needs aeon (pip install aeon)"
        return
    state = best[0].standardized  # as the first split's inner folds found it better
    whole = baseline.Variant("all frames", 2, state, blocks.side)
    n, d = blocks.means.shape[:2]
    x = blocks.features(whole).reshape(n, d, -1).transpose(0, 2, 1)
    yield timed_row(f"MiniRocket: {whole}", lambda: mini_rocket(x, task), task)


def cells(entry):
    """A row's figures in words: one split's, or the mean of all with its interval."""
    for name in FIGURES:
        values = [each[name] for each in entry["per_split"]]
        if None in values:
            yield "-"
        elif len(values) == 1:
            yield f"{100 * values[0]:.1f} %"
        else:
            yield as_percent(mean_interval(values))


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", help="write the panel to this file")
    parser.add_argument("--quick", action="store_true", help="without the two rows that take longest")
    parser.add_argument("--untrained", action="store_true", help="the row of the untrained network alone")
    # DATA comes first: of flags that only run.py knows, argparse cannot tell which value is theirs.
    data = [] if arguments[:1] and arguments[0].startswith("-") else arguments[:1]
    own, others = parser.parse_known_args(arguments[len(data) :])
    given = flags.parse(others) | ({"train_path": data[0]} if data else {})
    task = read(given)
    result = {"machine": description("numpy", "scipy", "numba"), "flags": others, "rows": []}
    print(f"{task.sets[0].name}: {len(task.splits[0].train)} clips train, {len(task.splits[0].test)} test", end="")
    print(f", and so {len(task.splits)} times" if len(task.splits) > 1 else "")
    print("| baseline | " + " | ".join(FIGURES.values()) + " | seconds |\n" + "|---" * (len(FIGURES) + 2) + "|")
    notes = []
    for entry in [untrained_row(task)] if own.untrained else panel(task, own.quick):
        if isinstance(entry, str):
            notes.append(entry)
            continue
        result["rows"].append(entry)
        print(f"| {entry['name']} | {' | '.join(cells(entry))} | {entry['seconds']:.1f} |", flush=True)
    print("", *notes, sep="\n")
    if own.json:
        Path(own.json).write_text(json.dumps(result | {"notes": notes}, indent=2, allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(exit_code("baselines.py", lambda: main(sys.argv[1:]), "give fewer clips"))
