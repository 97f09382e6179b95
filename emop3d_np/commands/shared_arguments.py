"""Values and groups of arguments that several commands take."""

import argparse
from collections.abc import Callable
from typing import Any

from ..launchers import EXECUTORS, is_executor
from ..tasks import Share


def numbers(text: str) -> list[int]:
    """``"1,2"`` as ``[1, 2]``."""
    return [int(part) for part in text.split(",")]


def at_least(least: int) -> Callable[[str], int]:
    """Reader of a whole number that is not below ``least``."""

    def checked(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{text} is not a number of at least {least}")
        return value

    checked.__name__ = "whole number"  # as argparse calls it in a message
    return checked


def share(text: str) -> float:
    """A number between 0 and 1, without both."""
    value = float(text)
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def positive(text: str) -> float:
    """A number above 0."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value


def rate(text: str) -> float:
    """A number of frames per second."""
    value = float(text)
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f"{text} is no number of frames per second, above 0 and up to 1000")
    return value


def a_share(text: str) -> Share:
    """``I/N``: every N-th of some things, from the I-th on."""
    try:
        return Share.read(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not I/N, whole numbers with I from 1 to N, like 3/10") from None


def executor(text: str) -> str:
    """What ``--executor`` may be."""
    if not is_executor(text):
        raise argparse.ArgumentTypeError(f"{text} is not {EXECUTORS}")
    return text


def add_clips(parser: argparse.ArgumentParser, part: str, metavar: str | None = None) -> None:
    """Clips with their labels; ``part``: the split of a MedMNIST set that is taken by default."""
    parser.add_argument(
        "clips",
        metavar=metavar,
        help="clips: .npy, a folder of parts, a prepared folder, or a 3D set of MedMNIST, .npz",
    )
    parser.add_argument("--labels", help="labels of an .npy or of parts")
    parser.add_argument(
        "--part", choices=["train", "val", "test"], default=part, help=f"split of a MedMNIST set ({part})"
    )


def add_answering(parser: argparse.ArgumentParser) -> None:
    """How runs answer: with how many moved copies, at which temperature."""
    parser.add_argument(
        "--moved",
        type=at_least(1),
        default=1,
        metavar="K",
        help="average the answers to K copies of every clip (1): the clip itself, and copies moved by fixed maps, in "
        "opposite pairs, within what the run was trained with (--shift, --flip, --rotate, --scale, --shear), or where "
        "it was trained without, within 4 %% of the rows and columns, 5 degrees and 5 %% in size",
    )
    parser.add_argument(
        "--temperature",
        type=positive,
        metavar="T",
        help="divide logits by T before they become probabilities, of several answers the logarithm of their mean "
        "probabilities (1); evaluate --fit_temperature finds it",
    )


def add_faces(parser: argparse.ArgumentParser, recorded: bool = False) -> None:
    """How faces are found and cut out, and clips of them; the defaults are those of ``emop3d_np.video.prepare``.

    Args:
        parser: gets the flags.
        recorded: True for a network's user: what is not given is None, and then as the record of the training clips
            says; default False.
    """

    def add(flag: str, default: Any, words: str, shown: str = "", **more: Any) -> None:
        shown = shown or str(default)
        shown = f"as of the training clips, else {shown}" if recorded else shown
        parser.add_argument(flag, default=None if recorded else default, help=f"{words} ({shown})", **more)

    add("--overlap", None, "frames that neighbouring clips share", "half a clip", type=at_least(0))
    add("--face", "largest", "of several, begin with", choices=["largest", "central"])
    add("--detect_every", 5, "frames between two searches of the whole frame", type=at_least(1))
    add("--min_face", 0.1, "smallest face searched for, share of the frame's shorter side", type=share)
    add("--patience", 5, "frames without a face that are bridged", type=at_least(0))
    words = "share of a clip's side beyond the face's box, both borders together"
    add("--margin", 44 / 182, words, "FaceNet's 44 of 182", type=share)
    add(
        "--fps",
        None,
        "frames per second to take, by their time stamps; one stays for 10 s at most",
        "every frame, as it comes",
        type=rate,
    )
