"""Pen drawings on the very folds of run.py, for the classifiers that are compared with it."""

import argparse
from pathlib import Path

from emop3d_np import datasets
from emop3d_np.training import flags


def arguments(description):
    """Parser of what all of them are told: the prepared folder, and how it is cut into folds."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--fold_protocol", default="subjects")
    return parser


def read(given):
    """``clips, fold_of, classes``: a ClipSet, the fold of each clip, from 0, and how many classes there are."""
    classes = len((Path(given.folder) / "classes.txt").read_text().split())
    chosen = flags.merge(
        {"train_path": given.folder, "folds": given.folds, "fold_protocol": given.fold_protocol, "num_classes": classes}
    )
    clips = datasets.load_all(chosen)
    return clips, datasets.split(clips, chosen), classes
