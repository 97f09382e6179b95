"""Compare settings by folds of the training set: flags of run.py, of which some list values, like 0.001,0.003."""

import argparse

from .shared_arguments import a_share

EXAMPLE = "sweep --learning_rate 0.001,0.003 --folds 5 --train_path clips --num_classes 4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A share of the folds; all other flags are those of run.py, and may list values."""
    parser.add_argument(
        "--task",
        type=a_share,
        metavar="I/N",
        help="train every N-th fold of the combinations, from the I-th on, for a cluster's job array (all)",
    )


def run(given: argparse.Namespace) -> None:
    """Cross-validate every combination."""
    from ..training.sweep import sweep

    sweep(given.flags, given.task)
