"""``python -m emop3d_np COMMAND``: what there is beside training."""

import argparse
import sys

from .errors import InputError


def settings(given):
    """print README's table of run.py's flags"""
    from .settings import markdown

    print(markdown())


def faces(given):
    """draw a picture of the drawn faces"""
    from .report import draw_faces_sheet

    draw_faces_sheet(given.picture)
    print(f"drawn: {given.picture}")


def report(given):
    """draw a run: loss, accuracy, confusion matrix, weights"""
    from .report import draw_run

    draw_run(given.run_folder, given.picture)
    print(f"drawn: {given.picture}")


def strokes(given):
    """turn an archive of pen drawings with time stamps into clips to train on"""
    from .datasets.strokes import prepare_strokes

    description = prepare_strokes(given.archive, given.out, given.held_out)
    files = " ".join(
        f"--{part}_path {given.out}/{part}_clips.npy --{part}_labels_path {given.out}/{part}_labels.npy"
        for part in ("train", "val")
    )
    print(f"written; to train: python run.py {files} --num_classes {len(description['classes'])}")


def numbers(text):
    return [int(part) for part in text.split(",")]


ARGUMENTS = {
    settings: {},
    faces: {"picture": {"help": "file to write, .png for example"}},
    report: {"run_folder": {"help": "folder of a run"}, "picture": {"help": "file to write"}},
    strokes: {
        "archive": {"help": "zip archive of stroke files, or the folder it unpacks to"},
        "out": {"help": "folder to write the clips, labels and drawers to"},
        "--held_out": {"type": numbers, "default": [1, 2], "help": "drawers to validate on (default 1,2)"},
    },
}


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise InputError(f"{message}; {self.prog} --help says more")


def main(arguments=None):
    """Run one command; a mistake in what was given ends it with one line and exit code 2."""
    parser = _Parser(prog="python -m emop3d_np", description="What there is beside training (python run.py).")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command, its_arguments in ARGUMENTS.items():
        own = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
        for name, options in its_arguments.items():
            own.add_argument(name, **options)
        own.set_defaults(command=command)
    try:
        given = parser.parse_args(arguments)
        given.command(given)
    except InputError as error:
        print(f"python -m emop3d_np: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
