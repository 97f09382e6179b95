"""Cut a prepared folder into two, train and val, as run.py --folds deals its people into folds.

    python bench/pens_fold.py pens OUT --fold 3                  # train on what is outside fold 3, validate on fold 3
    python bench/pens_fold.py pens OUT --fold 3 --inner 9,10     # fold 3 is left out altogether; 9 and 10 validate

The second form is for choosing settings: the people that test fold 3 are in neither folder.  The first is for what
``run.py --folds`` does not do itself: a fold trained with another seed (its ``--seed`` would deal other folds), and a
fold answered by several networks (``evaluate RUN RUN ... OUT/val``).
"""

import csv
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import pens

from emop3d_np.datasets.prepared import COLUMNS


def write(folder, clips, chosen):
    """A prepared folder of those clips of a ClipSet that are numbered in ``chosen``, ndarray of shape (n,)."""
    folder.mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in clips.class_names), encoding="utf-8")
    np.save(folder / "labels.npy", clips.labels[chosen])
    np.save(folder / "Training.npy", clips.clips[chosen])
    with open(folder / "index.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, clip in enumerate(chosen):
            known = (clips.index[name][clip] for name in ("source", "first_frame", "subject"))
            writer.writerow([number, *known, clips.labels[clip]])


def main():
    parser = pens.arguments(__doc__)
    parser.add_argument("out")
    parser.add_argument("--fold", type=int, required=True)
    parser.add_argument("--inner", type=lambda text: [int(each) for each in text.split(",")])
    given = parser.parse_args()
    clips, fold_of, _ = pens.read(given)
    validating = np.isin(fold_of + 1, given.inner or given.fold)
    training = ~validating & (fold_of + 1 != given.fold)
    for part, mask in ("train", training), ("val", validating):
        chosen = np.flatnonzero(mask)
        write(Path(given.out) / part, clips, chosen)
        people = ", ".join(sorted(set(clips.index["subject"][chosen]), key=int))
        print(f"{part}: {len(chosen)} clips of the people {people}")


if __name__ == "__main__":
    main()
