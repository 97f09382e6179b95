"""Train a network: run.py with its flags."""

import argparse

EXAMPLE = "train --max_steps 12 --save_checkpoint"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing: the flags are those of run.py, which reads them itself."""


def run(given: argparse.Namespace) -> int:
    """Hand the flags to run.py; returns its exit code."""
    import run as training

    return training.main(given.flags)
