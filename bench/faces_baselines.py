"""How much of the drawn faces linear classifiers see: ridge on block means of one frame, of all in disorder, in order.

    python bench/faces_baselines.py [--faces default] [--seeds 0,1,2] [--side 100]

Everything is set up so that the baselines win.  Frames are taken as they are and standardised, in blocks of two sizes;
the penalty is the one that does best when each person of the training set is left out in turn, and of all of that, the
best on the validation set is quoted.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np.datasets.faces import DEGREES, TRAINING_FACES, VALIDATION_FACES, drawn_faces

PENALTIES = np.geomspace(1e-4, 10, 11)
"""Of the squared weights, times the mean squared length of the features."""

BLOCKS = 10, 20
"""Blocks along each side of a frame; fewer pixels than that are left as they are."""

BLIND = "last frame", "mean frame", "last less first", "all, shuffled"
"""The views that do not tell in which order the frames come."""


def views(clips, blocks, standardise):
    """What classifiers may look at, by name: arrays (n, features) of clips (n, d, h, w, c)."""
    frames = clips[..., 0].astype(np.float32)
    if standardise:
        frames -= frames.mean(axis=(2, 3), keepdims=True)
        frames /= frames.std(axis=(2, 3), keepdims=True)
    frames = block_means(frames, min(blocks, frames.shape[2]))
    shuffled = np.random.default_rng(0).permuted(np.broadcast_to(np.arange(frames.shape[1]), frames.shape[:2]), axis=1)
    seen = {
        "last frame": frames[:, -1],
        "mean frame": frames.mean(axis=1),
        "last less first": frames[:, -1] - frames[:, 0],
        "all, shuffled": np.take_along_axis(frames, shuffled[:, :, np.newaxis, np.newaxis], axis=1),
        "all, in order": frames,
        **{f"frame {d + 1}": frames[:, d] for d in range(frames.shape[1])},
    }
    return {name: values.reshape(len(clips), -1) for name, values in seen.items()}


def block_means(frames, blocks):
    """Means over blocks, (n, d, blocks, blocks), of frames (n, d, h, w)."""
    n, d, h, w = frames.shape
    rows, columns = h // blocks, w // blocks
    kept = frames[:, :, : rows * blocks, : columns * blocks]
    return kept.reshape(n, d, blocks, rows, blocks, columns).mean(axis=(3, 5))


def ridge(x, labels, people, unseen):
    """Answers of a ridge classifier for the features ``unseen``, trained on ``x`` (n, features).

    Least squares of one column per class.  The penalty is the one that is right most often on people left out in turn.
    """
    middle, target = x.mean(axis=0), np.eye(labels.max() + 1)[labels]
    share = target.mean(axis=0)
    x, unseen, target = (x - middle).astype(float), unseen - middle, target - share
    values, vectors = np.linalg.eigh(x @ x.T)
    penalties = PENALTIES * values.mean()
    answers = [(left_out(values, vectors, target, people, each) + share).argmax(axis=1) for each in penalties]
    penalty = penalties[np.argmax([np.mean(each == labels) for each in answers])]
    weights = x.T @ (vectors @ (vectors.T @ target / (values + penalty)[:, np.newaxis]))
    return (unseen @ weights + share).argmax(axis=1)


def left_out(values, vectors, target, people, penalty):
    """What ridge says of each row of ``x``, trained without the rows of the same person: of shape (n, k).

    ``values, vectors`` are the eigenvalues and eigenvectors of ``x x^T``, and ``H = vectors kept vectors^T`` is the
    hat matrix.  Nothing is fitted anew: leaving out the rows S makes the errors
    ``(1 - H_SS)^-1 (target_S - (H target)_S)``.
    """
    kept = values / (values + penalty)
    along, answers = vectors.T @ target, np.empty_like(target)
    for person in np.unique(people):
        rows = np.flatnonzero(people == person)
        basis = vectors[rows]
        error = target[rows] - (basis * kept) @ along
        answers[rows] = target[rows] - np.linalg.solve(np.eye(len(rows)) - (basis * kept) @ basis.T, error)
    return answers


def accuracies(training, validation, names=None, blocks=BLOCKS):
    """The best accuracy of every view, or of those named, on ``validation``: ``clips, labels, people``, as training."""
    best = {}
    for each in blocks:
        for standardise in (False, True):
            seen, unseen = views(training[0], each, standardise), views(validation[0], each, standardise)
            for name in names or seen:
                answers = ridge(seen[name], *training[1:], unseen[name])
                best[name] = max(best.get(name, 0), np.mean(answers == validation[1]))
    return best


def main():
    """Print every view's accuracy, a column per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", default="default", choices=DEGREES, help="how hard the set is")
    parser.add_argument("--seeds", default="0,1,2", help="of the people, with commas between")
    parser.add_argument("--side", type=int, default=100, help="pixels along the side of a frame")
    given = parser.parse_args()
    options = {"shape": (16, given.side, given.side, 1), "degree": given.faces}
    columns = []
    for seed in map(int, given.seeds.split(",")):
        sets = (drawn_faces(*people, seed=seed, **options) for people in (TRAINING_FACES, VALIDATION_FACES))
        columns.append(accuracies(*sets))
    for column in columns:
        column["best of one frame"] = max(share for name, share in column.items() if name.startswith("frame "))
        column["best without order"] = max(column[name] for name in BLIND)
    for name in columns[0]:
        print(f"{name:18s}", *(f"{column[name]:7.1%}" for column in columns))


if __name__ == "__main__":
    main()
