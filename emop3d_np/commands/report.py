"""Draw a run: loss, accuracy, confusion matrix, weights."""

import argparse

EXAMPLE = "report train_dir/20261126-120000 report.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run and the picture."""
    parser.add_argument("run_folder", help="folder of a run, a cross-validation or a sweep")
    parser.add_argument("picture", help="file to write")


def run(given: argparse.Namespace) -> None:
    """Draw it."""
    from ..files import require_apart
    from ..report import draw_run

    require_apart({"picture": given.picture}, [given.run_folder])
    draw_run(given.run_folder, given.picture)
    print(f"drawn: {given.picture}")
