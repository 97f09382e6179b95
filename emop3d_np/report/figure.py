"""What every picture needs: matplotlib, without a window, and a file to go to."""

import io
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import output


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
    ending = Path(picture).suffix.removeprefix(".").lower() or None
    drawn = io.BytesIO()
    for text in figure.findobj(lambda artist: hasattr(artist, "set_parse_math")):
        text.set_parse_math(False)  # a dollar sign in a name is one
    try:
        figure.savefig(drawn, format=ending, dpi=110)
    except ValueError as error:
        raise InputError(f"{picture} cannot be written: {error}") from None
    with output(picture) as path, open(path, "wb") as file:
        file.write(drawn.getvalue())
