"""What every picture needs: matplotlib, without a window, and a file to go to."""

from pathlib import Path
from typing import Any

from ..errors import InputError


def pyplot() -> Any:
    """The module ``matplotlib.pyplot``, drawing to files.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        import matplotlib
    except ImportError:
        raise InputError("pictures need matplotlib: pip install 'emop3d-np[plots]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot


def save(figure: Any, picture: str | Path) -> None:
    """Write a figure to a file whose ending gives the format.

    Raises:
        InputError: it cannot be written, or the ending is none that matplotlib knows.
    """
    try:
        figure.savefig(picture, dpi=110)
    except (OSError, ValueError) as error:
        raise InputError(f"{picture} cannot be written: {error}") from None
