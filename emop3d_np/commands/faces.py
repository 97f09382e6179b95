"""Draw a picture of the drawn faces."""

import argparse

EXAMPLE = "faces faces.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The picture."""
    parser.add_argument("picture", help="file to write, .png for example")


def run(given: argparse.Namespace) -> None:
    """Draw a clip of each emotion."""
    from ..report import draw_faces_sheet

    draw_faces_sheet(given.picture)
    print(f"drawn: {given.picture}")
