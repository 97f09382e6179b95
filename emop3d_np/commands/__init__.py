"""The front command: ``emop3d COMMAND``, or ``python -m emop3d_np COMMAND`` where nothing is installed.

A command is a file of this folder: its docstring is its help, ``EXAMPLE`` one use of it, ``add_arguments`` says what it
takes, and ``run`` does it, with imports of its own, so that the help of all is printed at once.

Every command ends with 0, or with 2 after one line that says what was wrong, or with 130 after Ctrl-C; ``gradcheck``
ends with 1 where a gradient is wrong, or cannot be decided, and ``exercise`` where an answer is wrong.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from .. import __version__, launchers
from ..errors import InputError, exit_code
from ..files import taken_for_flag

NAMES = (
    "train",
    "evaluate",
    "predict",
    "features",
    "prepare",
    "strokes",
    "sweep",
    "report",
    "faces",
    "augmented",
    "gradcheck",
    "exercise",
    "settings",
)
"""The commands, in the order of the help."""

HAND_OUT = ("sweep", "prepare", "evaluate")
"""Commands that hand out tasks (``--executor``)."""

TAKE_FLAGS = ("train", "sweep")
"""Commands that take the flags of run.py, which :mod:`emop3d_np.training.flags` reads."""


def main(arguments: Sequence[str] | None = None, program: str = "python -m emop3d_np") -> int:
    """Run one command.

    Args:
        arguments: the command and its arguments; default those of the process.
        program: what the user typed, for messages.

    Returns:
        The exit code.
    """
    return exit_code(program, lambda: _run(arguments, program))


def emop3d() -> int:
    """The console script."""
    return main(program="emop3d")


def _run(arguments: Sequence[str] | None, program: str) -> int | None:
    parser = _parser(program)
    try:
        given, flags = parser.parse_known_args(arguments)
        if given.name in TAKE_FLAGS:
            given.flags = flags
        elif flags:
            parser.error(f"unrecognized arguments: {' '.join(flags)}")
    except InputError as error:
        raise InputError(f"{error}{taken_for_flag(sys.argv[1:] if arguments is None else arguments)}") from None
    if given.name != "train":
        _require_one_process(given.name)
    code: int | None = import_module(f"{__name__}.{given.name}").run(given)
    return code


def _require_one_process(name: str) -> None:
    """Refuse several processes of one command, which would each do all of it; the first one says so."""
    rank, size = launchers.told() or (0, 1)
    if rank:
        sys.exit(2)
    if size > 1:
        words = f"{name}: {size} processes were started, and each would do all of it: start it without mpiexec"
        if name in HAND_OUT:
            how = f"mpiexec -n {size} python -m mpi4py.futures -m emop3d_np {name} ... --executor mpi"
            raise InputError(f"{words}, or share it out: {how}")
        raise InputError(
            f"{words}; of the commands, train shares a network out among them, and others tasks (docs/cluster.md)"
        )


def parsers(program: str) -> dict[str, argparse.ArgumentParser]:
    """The parser of each command, by name; ``format_help`` of one gives its help."""
    (commands,) = (each for each in _parser(program)._actions if isinstance(each, argparse._SubParsersAction))
    return dict(commands.choices)


def _parser(program: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=program, description="EmoP3D: train it, test it, bring clips to it, check its gradients.")
    parser.add_argument("--version", action="version", version=f"emop3d-np {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="name")
    for name in NAMES:
        command = import_module(f"{__name__}.{name}")
        what = str(command.__doc__).strip()
        own = commands.add_parser(
            name,
            help=what.rstrip("."),
            description=what,
            epilog=f"example:\n  {program} {command.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=name != "train",  # whose flags have a help of their own
        )
        command.add_arguments(own)
    return parser


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are InputErrors."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.color = False  # which Python 3.14 would write as escapes; see screen.py

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; {self.prog} --help says more")
