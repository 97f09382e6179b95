"""Draw what training sees of clips that are changed at random, for flags of run.py."""

import argparse

from ..errors import InputError
from ..training import flags

EXAMPLE = "augmented clips sheet.png --rotate 10 --scale 0.1 --shift 0,0.04,0.04 --flip w"
SHOWN = 4
"""Clips of the picture."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The clips, the picture, and run.py's flags of the augmentation."""
    parser.add_argument(
        "data", nargs="?", help="clips as --train_path takes them, labels not needed; without, the drawn faces"
    )
    parser.add_argument("picture", help="file to write, .png for example")
    for setting in _settings():
        parser.add_argument(
            f"--{setting.name}", metavar="VALUE", help=f"{setting.help} (default {flags.show(setting.default)})"
        )


def run(given: argparse.Namespace) -> None:
    """Draw some clips, evenly spaced, and under each what two steps make of it."""
    texts = {setting.name: getattr(given, setting.name) for setting in _settings()}
    settings = flags.merge(flags.parse([f"--{name}={text}" for name, text in texts.items() if text is not None]))

    import numpy as np

    from ..datasets import Augmentation, open_clips
    from ..files import require_apart
    from ..report import draw_augmented

    augmentation = Augmentation.of(settings)
    if not augmentation:
        raise InputError("no flag changes the clips; give some, for example --rotate 10 --shift 0,0.04,0.04 --flip w")
    require_apart({"picture": given.picture}, [given.data])
    clips = open_clips(given.data)
    chosen = np.unique(np.linspace(0, len(clips) - 1, SHOWN).round().astype(int))
    shown = np.stack([clips[number] for number in chosen])
    draw_augmented(shown, [f"clip {number}" for number in chosen], augmentation, given.picture)
    print(f"drawn: {given.picture}")


def _settings() -> list[flags.Setting]:
    seed = [setting for setting in flags.SETTINGS["Machine"] if setting.name == "seed"]
    return [*flags.SETTINGS["Augmentation"], *seed]
