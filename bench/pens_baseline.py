"""A linear classifier on pen drawings, on the very folds of run.py: what can be told without a network.

    python bench/pens_baseline.py pens [--folds 10] [--fold_protocol clips]

Thumbnails of 16 x 10 x 10 (block means), 50 principal components, softmax regression.  Prints one JSON object.
"""

import json
import sys
from pathlib import Path

import numpy as np
from machine import description
from scipy.linalg import eigh
from scipy.optimize import minimize
from scipy.special import log_softmax

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import pens

from emop3d_np.training.crossvalidation import mean_interval

COMPONENTS, PENALTY = 50, 1e-3


def fit(x, labels, classes):
    """Weights (p + 1, k) of a softmax regression, by L-BFGS on the mean loss with a small penalty."""
    x = np.column_stack([x, np.ones(len(x))])
    one_hot = np.eye(classes)[labels]

    def loss(flat):
        w = flat.reshape(x.shape[1], classes)
        logs = log_softmax(x @ w, axis=1)
        gradient = x.T @ (np.exp(logs) - one_hot) / len(x) + PENALTY * w
        return -(logs * one_hot).sum() / len(x) + PENALTY * (w**2).sum() / 2, gradient.ravel()

    return minimize(loss, np.zeros(x.shape[1] * classes), jac=True, method="L-BFGS-B").x.reshape(-1, classes)


def main():
    given = pens.arguments(__doc__).parse_args()
    clips, fold_of, classes = pens.read(given)
    n, d, h, w, _ = clips.clips.shape
    small = np.asarray(clips.clips).reshape(n, d, 10, h // 10, 10, w // 10).mean(axis=(3, 5)).reshape(n, -1)
    right = np.zeros(n, bool)
    for fold in range(given.folds):
        train, test = fold_of != fold, fold_of == fold
        mean = small[train].mean(axis=0)
        centred = small[train] - mean
        last = small.shape[1] - 1
        _, directions = eigh(centred.T @ centred, subset_by_index=[last - COMPONENTS + 1, last])
        x = (small - mean) @ directions
        deviation = x[train].std(axis=0)
        weights = fit(x[train] / deviation, clips.labels[train], classes)
        answers = (np.column_stack([x[test] / deviation, np.ones(test.sum())]) @ weights).argmax(axis=1)
        right[test] = answers == clips.labels[test]
    accuracies = [right[fold_of == fold].mean() for fold in range(given.folds)]
    result = {
        "machine": description("numpy", "scipy"),
        "accuracy": mean_interval(accuracies),
        "folds": [round(float(each), 4) for each in accuracies],
        "most_frequent_class": float(np.bincount(clips.labels).max() / n),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
