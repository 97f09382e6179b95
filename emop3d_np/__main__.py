"""``python -m emop3d_np COMMAND``: what there is beside training."""

import argparse
import sys

from .errors import InputError


def settings(arguments):
    """Print the README's table of run.py's flags."""
    from .settings import markdown

    print(markdown())


def main(arguments=None):
    """Run one command; a mistake in what was given ends it with one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m emop3d_np", description=__doc__.split(": ", 1)[1].capitalize())
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (settings,):
        commands.add_parser(command.__name__, help=command.__doc__).set_defaults(run=command)
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except InputError as error:
        print(f"python -m emop3d_np: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
