"""Print the table of run.py's flags, as Markdown."""

import argparse

EXAMPLE = "settings"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing to say."""


def run(given: argparse.Namespace) -> None:
    """Print the table."""
    from ..training.flags import markdown

    print(markdown())
