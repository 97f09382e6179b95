"""Two pages of the reference that are made from the code: the commands from their parsers, Python from docstrings."""

import argparse

from emop3d_np import commands

API = {
    "The network": ["emop3d_np.network.EmoP3D"],
    "Optimisers and schedules": ["emop3d_np.optimizers"],
    "Clips and labels": ["emop3d_np.datasets"],
    "Runs, checkpoints, figures": [
        "emop3d_np.training.checkpoint",
        "emop3d_np.training.evaluation",
        "emop3d_np.training.crossvalidation",
        "emop3d_np.training.metrics",
    ],
    "Videos": ["emop3d_np.video.prepare", "emop3d_np.video.predict"],
    "Pictures": ["emop3d_np.report"],
    "The gradient checker": ["emop3d_np.gradcheck", "emop3d_np.gradcheck.vectors"],
    "Errors": ["kernels.errors.InputError"],
}
"""What the page on Python shows, in this order: modules and classes, each with its docstring."""

WIDTH = 100
"""Columns of a command's help."""


def api_page():
    """The page's source, which mkdocstrings reads."""
    lines = [
        "# The interface in Python",
        "Made from the docstrings. `import emop3d_np as emo` imports none of it before its use.",
    ]
    for title, places in API.items():
        lines.append(f"## {title}")
        lines += [f"::: {place}" for place in places]
    return "\n\n".join(lines) + "\n"


def commands_page():
    """Every command's help, as it prints it."""
    lines = [
        "# Commands",
        "`emop3d COMMAND` where the package is installed, `python -m emop3d_np COMMAND` in a checkout; `emop3d train` "
        "is `run.py`, whose flags have [a page of their own](flags.md). Exit codes: 0; 2 after one line that says what "
        "was wrong; 130 after Ctrl-C; `gradcheck` gives 1 where a gradient is wrong.",
    ]
    for name, parser in commands.parsers("emop3d").items():
        parser.formatter_class = _Formatter
        lines.append(f"## {name}\n\n```text\n{parser.format_help().rstrip()}\n```")
    return "\n\n".join(lines) + "\n"


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help as wide as the page, whatever terminal it is built in."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=28, width=WIDTH)


PAGES = {"reference/api.md": api_page, "reference/commands.md": commands_page}
