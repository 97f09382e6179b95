"""Compare settings by folds of the training set: flags of run.py, of which some list values, like 0.001,0.003."""

import argparse

EXAMPLE = "sweep --learning_rate 0.001,0.003 --folds 5 --train_path clips --num_classes 4"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing: the flags are those of run.py, and may list values."""


def run(given: argparse.Namespace) -> None:
    """Cross-validate every combination."""
    from ..training.sweep import sweep

    sweep(given.flags)
