"""Pen drawings in ten folds: the network by the flags of docs/choosing.md, alone and as the mean of moved copies.

    python -m emop3d_np strokes strokes_background_small1.zip pens
    python bench/pens_folds.py pens [--save_path DIR] [--json bench/results/pens.json]

A fold is a process of ``run.py --folds 10 --fold K``, whose CPU seconds, user and system, are all of training: start,
data, kernels from disk.  Those of the first are left out, since it may compile its kernels, and those of the last,
which also makes the ridge classifier of the same folds.  Begun again, it goes on with the fold it was at.  Tables are
made from the file of ``--json`` by ``make pages``; bench/baselines.py and bench/cnn.py give the others.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import pens
import pens_fold
from machine import description

from emop3d_np.training.evaluation import evaluate_checkpoint

ROOT = Path(__file__).resolve().parents[1]
FLAGS = (
    "--recipe strong --feature_maps 6 --shrink 2 --max_steps 40 "
    "--rotate 10 --scale 0.15 --shear 0.15 --shift 0,0.06,0.06 --threads 1 --evaluate_every 10"
)
MOVED = 8
"""Copies of a clip that the second answer is the mean of."""
FIGURES = "accuracy", "uar", "f1", "auc"


def folder_of(given):
    return Path(given.save_path) / f"folds-{given.folds}-{given.fold_protocol}"


def train(given, classes, fold):
    """Train and test a fold, from 1, unless it is there; returns its CPU seconds, or None."""
    if (folder_of(given) / f"fold-{fold:02}" / "answers.csv").exists():
        return None
    command = [sys.executable, str(ROOT / "run.py"), "--train_path", given.folder, "--save_path", given.save_path]
    command += ["--fold_protocol", given.fold_protocol, "--folds", str(given.folds), "--fold", str(fold)]
    command += ["--num_classes", str(classes), *FLAGS.split()]
    before = os.times()
    subprocess.run(command, check=True, stdout=sys.stderr)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def answers(given, clips, fold_of, fold):
    """The figures of a fold's network on the fold, by how many moved copies."""
    run = folder_of(given) / f"fold-{fold:02}"
    with tempfile.TemporaryDirectory() as scratch:
        tested = Path(scratch) / "val"
        pens_fold.write(tested, clips, np.flatnonzero(fold_of == fold - 1))
        found = {moved: evaluate_checkpoint(run, tested, moved=moved) for moved in (1, MOVED)}
    return {f"moved {moved}": {name: result[name] for name in FIGURES} for moved, result in found.items()}


def main():
    parser = pens.arguments(__doc__)
    parser.add_argument("--save_path", default="pens_runs", help="folder of the runs (default pens_runs)")
    parser.add_argument("--json", type=Path, default=ROOT / "bench" / "results" / "pens.json")
    given = parser.parse_args()
    clips, fold_of, classes = pens.read(given)
    before = json.loads(given.json.read_text())["rows"] if folder_of(given).exists() and given.json.exists() else []
    result = {"machine": description("numpy", "scipy", "numba"), "flags": FLAGS, "rows": []}
    for fold in range(1, given.folds + 1):
        seconds = train(given, classes, fold)
        known = [row["CPU seconds"] for row in before if row["fold"] == fold]
        seconds = known[0] if seconds is None and known else seconds
        row = {"fold": fold, "CPU seconds": round(seconds, 1) if seconds and 1 < fold < given.folds else None}
        result["rows"].append(row | answers(given, clips, fold_of, fold))
        print(json.dumps(result["rows"][-1]), flush=True)
        given.json.write_text(json.dumps(result, indent=2) + "\n")
    summary = json.loads((folder_of(given) / "folds.json").read_text())
    result["ridge"] = [row["accuracy"] for row in summary["linear_baseline"]["per_fold"]]
    given.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
