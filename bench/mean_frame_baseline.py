"""How much of the drawn faces a straight line sees: multinomial logistic regression on the mean frame of each clip.

    python bench/mean_frame_baseline.py [seed]

The mean frame knows what a clip looks like but not how it changes, so the distance to EmoP3D's accuracy on the same
sets is what the motion is worth.  Every size and ridge is tried and the best on the validation set is quoted: the
choice favours the baseline.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np.datasets.faces import EMOTIONS, TRAINING_FACES, VALIDATION_FACES, drawn_faces

BLOCKS = (2, 4)
"""Sides of the blocks of pixels that are averaged: 50 x 50 and 25 x 25 features."""

RIDGES = (1e-3, 1e-2, 1e-1)


def mean_frames(clips, block):
    """Mean frame of each clip, standardised over its pixels, averaged in blocks: float64 of shape (n, features)."""
    frames = clips[..., 0].mean(axis=1)
    frames -= frames.mean(axis=(1, 2), keepdims=True)
    frames /= frames.std(axis=(1, 2), keepdims=True)
    n, h, w = frames.shape
    return frames.reshape(n, h // block, block, w // block, block).mean(axis=(2, 4)).reshape(n, -1)


def fit(features, labels, ridge):
    """Weights (features + 1, k) of least mean cross-entropy plus ``ridge * ||w||^2 / 2``, the bias left out."""
    x = np.hstack([features, np.ones((len(features), 1))])
    target = np.eye(len(EMOTIONS))[labels]

    def loss_and_gradient(flat):
        w = flat.reshape(x.shape[1], -1)
        decayed = np.vstack([w[:-1], np.zeros_like(w[-1])])
        logits = x @ w
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        loss = -(target * log_p).sum() / len(x) + ridge * (decayed**2).sum() / 2
        gradient = x.T @ (np.exp(log_p) - target) / len(x) + ridge * decayed
        return loss, gradient.ravel()

    start = np.zeros(x.shape[1] * len(EMOTIONS))
    found = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return found.x.reshape(x.shape[1], -1)


def accuracy(w, features, labels):
    """Share of the clips whose largest logit is that of their label."""
    return np.mean((features @ w[:-1] + w[-1]).argmax(axis=1) == labels)


def main(seed=0):
    """Print the accuracy of every variant and of the best."""
    training, training_labels, _ = drawn_faces(*TRAINING_FACES, seed=seed)
    validation, validation_labels, _ = drawn_faces(*VALIDATION_FACES, seed=seed)
    best = 0.0
    for block in BLOCKS:
        x, x_validation = mean_frames(training, block), mean_frames(validation, block)
        for ridge in RIDGES:
            w = fit(x, training_labels, ridge)
            seen, unseen = accuracy(w, x, training_labels), accuracy(w, x_validation, validation_labels)
            print(f"features {x.shape[1]:5d}  ridge {ridge:6g}  training {seen:6.1%}  validation {unseen:6.1%}")
            best = max(best, unseen)
    print(f"linear classifier on the mean frame, seed {seed}: validation accuracy {best:.1%}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
