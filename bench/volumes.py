"""AdrenalMNIST3D (MedMNIST v2, official split): accuracy and AUC over seeds, with frames standardised or not.

Beside them what needs no training: the accuracy of the most frequent class, and the AUC of a shape's size alone, which
standardised frames tell only roughly.

    python bench/volumes.py adrenalmnist3d.npz

The settings were chosen on the validation split alone.  Prints one JSON object.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import description

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import run
from emop3d_np.training.evaluation import evaluate_checkpoint
from emop3d_np.training.metrics import auc

SETTINGS = (
    "--num_classes 2 --feature_maps 6 --optimizer ADAM --learning_rate 0.0003 "
    "--weight_decay 0.01 --shift 2,2,2 --flip w --batch_size 50 --max_steps 30 --patience 8 --test_milestones None"
)


def one(path, size, normalize, seed):
    """Train once, and test what was best on the validation split."""
    sizes = f"--depth_frames {size} --height {size} --width {size}"
    with tempfile.TemporaryDirectory() as folder:
        given = ["--train_path", path, "--save_path", folder, "--seed", str(seed), "--normalize", str(normalize)]
        start = time.perf_counter()
        with contextlib.redirect_stdout(sys.stderr):
            if run.main([*given, *sizes.split(), *SETTINGS.split()]):
                sys.exit(2)
        seconds = time.perf_counter() - start
        (of_run,) = Path(folder).iterdir()
        results = {part: evaluate_checkpoint(of_run, path, part=part) for part in ("val", "test")}
    return {"seconds": seconds} | {
        f"{part}_{figure}": result[figure] for part, result in results.items() for figure in ("accuracy", "auc")
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path")
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    with np.load(given.path) as archive:
        volumes, labels = archive["test_images"], archive["test_labels"].ravel()
    size, filled = volumes.shape[1], (volumes > 0).sum(axis=(1, 2, 3))
    result = {"machine": description("numpy", "numba"), "size": size, "settings": SETTINGS}
    result["most_frequent_class"] = float(np.bincount(labels).max() / len(labels))
    result["auc_of_filled_voxels"] = auc(np.column_stack([-filled, filled]), labels)
    for normalize in (True, False):
        rows = [one(given.path, size, normalize, seed) for seed in range(given.seeds)]
        result["normalized" if normalize else "as it is"] = {
            figure: {"mean": statistics.mean(row[figure] for row in rows), "all": [row[figure] for row in rows]}
            for figure in rows[0]
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
