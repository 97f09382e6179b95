"""The course: list its exercises, start one, check an answer, ask for a hint or for a solution."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .shared_arguments import at_least

if TYPE_CHECKING:
    from ..exercises import Exercise

EXAMPLE = "exercise check chain_of_two.py"
ACTIONS = "list | start NAME DIR | check FILE | hint NAME | solution NAME"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is to be done, and which hint."""
    add = parser.add_argument
    add("what", nargs="*", help=ACTIONS.replace("list", "list (default)"))
    add("--number", type=at_least(1), default=1, metavar="K", help="which hint, from gentle to nearly the answer (1)")


def run(given: argparse.Namespace) -> int:
    """Do what the command line asks for; returns the exit code: 0 done or right, 1 an answer is wrong."""
    action, *words = given.what or ["list"]
    wanted = {"list": 0, "start": 2, "check": 1, "hint": 1, "solution": 1}
    if action not in wanted or len(words) != wanted[action]:
        raise InputError(f"exercise {' '.join([action, *words])}: it must be one of: {ACTIONS}")
    from ..exercises import find

    if action == "list":
        return _list()
    if action == "check":
        return _check(Path(words[0]))
    exercise = find(words[0])
    if action == "start":
        return _start(exercise, Path(words[1]))
    if action == "hint":
        return _hint(exercise, given.number)
    print(exercise.solution, end="")
    return 0


def _list() -> int:
    """All exercises, by lesson."""
    from ..exercises import all_of, lessons

    width = max(len(exercise.name) for exercise in all_of())
    for lesson in lessons():
        print(f"{lesson.number}. {lesson.title}\n   {lesson.teaches}")
        for exercise in all_of():
            if exercise.lesson == lesson.number:
                print(f"     {exercise.name:<{width}}  {exercise.title}")
        print()
    print("begin with: exercise start NAME DIR")
    return 0


def _start(exercise: "Exercise", folder: Path) -> int:
    """Write the file to begin with."""
    from ..files import output

    path = folder / f"{exercise.name}.py"
    if path.exists() or path.is_symlink():
        raise InputError(f"{path} is there already, and is left as it is; give another folder, or move it away")
    folder.mkdir(parents=True, exist_ok=True)
    with output(path) as file:
        file.write_text(exercise.start, encoding="utf-8")
    print(f"written: {path}, with the task in its first lines; when it is done: exercise check {path}")
    return 0


def _check(path: Path) -> int:
    """Judge an answer; the name of the file says to which exercise."""
    from ..exercises import find
    from ..exercises.apart import check_apart

    name = path.name.removesuffix(".py")
    try:
        find(name)
    except InputError as error:
        raise InputError(f"{path}: {error}; the file's name says which exercise it is, as in lost_frame.py") from None
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; exercise start {name} {path.parent} writes one to begin with")
    verdict = check_apart(name, path.read_bytes())
    print(f"{path.name}: {'right' if verdict.right else 'not right yet'}: {verdict.words}")
    return 0 if verdict.right else 1


def _hint(exercise: "Exercise", number: int) -> int:
    """Print one hint, and how the next is asked for."""
    count = len(exercise.hints)
    if number > count:
        raise InputError(f"--number is {number}; {exercise.name} has {count} hints")
    print(f"hint {number} of {count}: {exercise.hints[number - 1]}")
    after = f"hint {exercise.name} --number {number + 1}" if number < count else f"solution {exercise.name}"
    print(f"then: exercise {after}")
    return 0
