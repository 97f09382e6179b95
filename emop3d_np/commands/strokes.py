"""Turn an archive of pen drawings with time stamps into clips to train on."""

import argparse

from .shared_arguments import numbers

EXAMPLE = "strokes strokes_background_small1.zip pens --held_out 1,2"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The archive, the folder, who is held out."""
    parser.add_argument("archive", help="zip archive of stroke files, or the folder it unpacks to")
    parser.add_argument("out", help="prepared folder to make; with --held_out, folder of two, train and val")
    parser.add_argument(
        "--held_out", type=numbers, help="drawers to validate on, like 1,2 (none: all go into one folder)"
    )


def run(given: argparse.Namespace) -> None:
    """Write the folders and say how to train on them."""
    from ..datasets.strokes import prepare_strokes

    classes, counts = prepare_strokes(given.archive, given.out, given.held_out)
    flags = " ".join(f"--{part}_path {folder}" for part, folder in zip(("train", "val"), counts, strict=False))
    folds = "" if given.held_out else " --folds 10"
    print(f"written; to train: python run.py {flags} --num_classes {len(classes)}{folds}")
