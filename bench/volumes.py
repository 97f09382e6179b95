"""AdrenalMNIST3D (MedMNIST v2, official split): the network over several seeds, their mean, and what answers for free.

    python bench/volumes.py adrenalmnist3d.npz [--seeds 5] [--json volumes.json]

The flags were chosen by cross-validation of the training split (docs/choosing.md); the test split is asked once.  Every
seed is a process of its own, whose CPU seconds, user and system, are all of training: start, data, kernels from disk.
Prints one JSON object; bench/baselines.py and bench/cnn.py give the others on the same split.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import description

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emop3d_np.training.evaluation import evaluate_checkpoint
from emop3d_np.training.metrics import auc

RUN = Path(__file__).resolve().parents[1] / "run.py"
FLAGS = (
    "--recipe strong --num_classes 2 --feature_maps 4 --batch_size 50 "
    "--augment_in dhw --rotate 15 --scale 0.1 --shift 1,1,1 --test_milestones None"
)
MOVED = 8
"""Copies of a clip that the second answer is the mean of."""
FIGURES = "accuracy", "uar", "f1", "auc"


def train(path, size, seed, folder):
    """Train once; returns the run's folder and the CPU seconds."""
    sizes = f"--depth_frames {size} --height {size} --width {size} --threads 1 --evaluate_every 30 --save_checkpoint"
    command = [sys.executable, str(RUN), "--train_path", path, "--save_path", folder, "--seed", str(seed)]
    before = os.times()
    subprocess.run([*command, *sizes.split(), *FLAGS.split()], check=True, stdout=sys.stderr)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    (run,) = Path(folder).iterdir()
    return run, seconds


def answers(runs, path):
    """The figures of runs that answer together, by how many moved copies."""
    return {
        f"moved {moved}": {name: result[name] for name in FIGURES}
        for moved in (1, MOVED)
        for result in [evaluate_checkpoint(runs, path, part="test", moved=moved)]
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", help="also write the result to this file")
    given = parser.parse_args()
    with np.load(given.path) as archive:
        volumes, labels = archive["test_images"], archive["test_labels"].ravel()
    size, filled = volumes.shape[1], (volumes > 0).sum(axis=(1, 2, 3))
    result = {"machine": description("numpy", "numba"), "size": size, "flags": FLAGS}
    result["most frequent class"] = float(np.bincount(labels).max() / len(labels))
    result["AUC of filled voxels"] = auc(np.column_stack([-filled, filled]), labels)
    with tempfile.TemporaryDirectory() as folder:
        runs, seconds = zip(*(train(given.path, size, n, f"{folder}/{n}") for n in range(given.seeds)), strict=True)
        each = [answers([run], given.path) for run in runs]
        result["CPU seconds"] = [round(value, 1) for value in seconds]
        result["one network"] = {
            name: {
                figure: {
                    "mean": statistics.mean(row[name][figure] for row in each),
                    "all": [r[name][figure] for r in each],
                }
                for figure in FIGURES
            }
            for name in each[0]
        }
        result["all together"] = answers(list(runs), given.path)
    text = json.dumps(result, indent=2)
    print(text)
    if given.json:
        Path(given.json).write_text(text + "\n")


if __name__ == "__main__":
    main()
