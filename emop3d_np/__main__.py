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


def gradcheck(given):
    """check gradients: the network's in every edition, functions in a file, or a port's vectors"""
    from .gradcheck.command import run

    return run(given)


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
    gradcheck: {
        "what": {
            "nargs": "*",
            "help": "network (default) | function FILE.py | export VECTORS.npz | compare VECTORS.npz THEIRS.npz",
        },
        "--backend": {"default": "all", "help": "edition to check (default all)"},
        "--dtype": {"default": "float64", "help": "float64 (default) or float32"},
        "--batch_size": {"type": int, "default": 2, "help": "clips (default 2)"},
        "--input_shape": {"type": numbers, "default": [16, 100, 100, 1], "help": "d,h,w,c (default 16,100,100,1)"},
        "--feature_maps": {"type": int, "default": 3, "help": "maps of every layer (default 3)"},
        "--num_classes": {"type": int, "default": 6, "help": "classes (default 6)"},
        "--receptive_field": {"type": numbers, "default": [3, 4, 4], "help": "rd,rh,rw (default 3,4,4)"},
        "--strides": {"type": numbers, "default": [1, 1, 1], "help": "sd,sh,sw (default 1,1,1)"},
        "--pool": {"type": numbers, "default": [3, 2, 2], "help": "rd,ph,pw (default 3,2,2)"},
        "--pooling": {"default": "max", "help": "max (default) or average"},
        "--weight_decay": {"type": float, "default": 0.0, "help": "factor of half the squared weights (default 0)"},
        "--seconds": {"type": float, "default": 25.0, "help": "time budget an edition (default 25); 0: every element"},
        "--seed": {"type": int, "default": 0, "help": "of values and directions (default 0)"},
        "--json": {"help": "write the reports to this file"},
        "--picture": {"help": "draw the error maps to this file (extra plots)"},
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
        code = given.command(given)
    except InputError as error:
        print(f"python -m emop3d_np: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
