"""The exercises as they are written, one file each, and read.

The file of an exercise is a module of Python:

- its docstring has the title in its first line, then the task in Markdown;
- ``HINTS`` is a tuple of texts, from a gentle one to nearly the answer;
- from the line ``# --- answer`` to the line ``# --- judge`` goes the student's file, imports and all.  Of it, the
  lines between ``#: begin`` and ``#: end`` (each is there once) are the solution.  A student begins with other lines in
  their place: those marked ``#| `` right after ``#: begin``, such as a planted mistake, or where there are none, an
  error that says that this is to be written;
- below ``# --- judge`` stands ``judge(answer)``, which returns words for a right answer and raises
  :class:`.judging.Wrong` for another; see :mod:`.judging`.

The file ``__init__.py`` of a lesson has ``TITLE`` and ``TEACHES``, a line each, and ``NAMES``, the exercises in their
order.
"""

import ast
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import InputError

HERE = Path(__file__).parent

LINK = re.compile(r"\]\((?=[\w./]+\.md)")
"""Tasks link to pages as seen from ``docs/``; a student's file says where that is."""

TO_DO = "write this"
"""What the error says that stands where a student is to write."""

ANSWER, JUDGE = "# --- answer\n", "# --- judge\n"
BEGIN, END, OTHERS = "#: begin", "#: end", "#| "


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        name: as the student's file is called, without ``.py``.
        lesson: its number, 1 to 8.
        title: a line.
        task: Markdown.
        start: the text of the file to begin with; the task is its docstring.
        hints: from a gentle one to nearly the answer.
        solution: the text of a file that is right.
        around: the student's file before and after the lines to be written.
        indentation: of these lines.
    """

    name: str
    lesson: int
    title: str
    task: str
    start: str
    hints: tuple[str, ...]
    solution: str
    around: tuple[str, str] = field(repr=False)
    indentation: str = field(repr=False)

    def filled(self, lines: str) -> str:
        """The student's file, with ``lines`` in the place of those to be written; they are indented here."""
        before, after = self.around
        return before + textwrap.indent(textwrap.dedent(lines).strip("\n") + "\n", self.indentation) + after


@dataclass(frozen=True)
class Lesson:
    """One lesson: its number, its title, what it teaches in a sentence, the names of its exercises in their order."""

    number: int
    title: str
    teaches: str
    names: tuple[str, ...]


@cache
def lessons() -> tuple[Lesson, ...]:
    """The lessons in the order of the course."""
    numbers = sorted(int(path.parent.name.removeprefix("lesson_")) for path in HERE.glob("lesson_*/__init__.py"))
    modules = {number: import_module(f"{__package__}.lesson_{number}") for number in numbers}
    return tuple(Lesson(number, each.TITLE, each.TEACHES, tuple(each.NAMES)) for number, each in modules.items())


@cache
def all_of() -> tuple[Exercise, ...]:
    """Every exercise, in the order of the course."""
    return tuple(_read(lesson.number, name) for lesson in lessons() for name in lesson.names)


def find(name: str) -> Exercise:
    """The exercise of that name.

    Raises:
        InputError: there is none; the message has names that are nearly the same.
    """
    known = {exercise.name: exercise for exercise in all_of()}
    if name not in known:
        near = get_close_matches(name, known, 3, 0.5)
        what = f"did you mean {' or '.join(near)}?" if near else "exercise list names them all"
        raise InputError(f"there is no exercise {name!r}; {what}")
    return known[name]


def judge_of(exercise: Exercise) -> Callable[[Any], str]:
    """The function that judges answers to ``exercise``."""
    judge: Callable[[Any], str] = import_module(f"{__package__}.lesson_{exercise.lesson}.{exercise.name}").judge
    return judge


def _read(lesson: int, name: str) -> Exercise:
    """The exercise in a file of a lesson."""
    path = HERE / f"lesson_{lesson}" / f"{name}.py"
    source = path.read_text(encoding="utf-8")
    head, answer, rest = _between(source, ANSWER, JUDGE, path)
    tree = ast.parse(head)
    docstring = ast.get_docstring(tree) or ""
    title, _, task = docstring.partition("\n")
    (hints,) = (
        ast.literal_eval(each.value)
        for each in tree.body
        if isinstance(each, ast.Assign) and ast.unparse(each.targets[0]) == "HINTS"
    )
    if not (title and task.strip() and "def judge(" in rest and '"""' not in docstring and "\\" not in docstring):
        raise ValueError(f"{path}: an exercise has a title, a task without quotes and backslashes, and a judge")
    before, lines, after = _between(answer.lstrip("\n"), rf"[ ]*{BEGIN}\n", rf"[ ]*{END}\n", path)
    indentation = re.search(rf"([ ]*){BEGIN}\n", answer)[1]  # type: ignore[index]  # it was found above
    given, written = _others(lines, indentation)
    around = before, after.rstrip("\n") + "\n" if after.strip() else ""
    blank = "" if answer.lstrip().startswith(("import", "from")) else "\n"
    begin = blank + around[0] + (given or f'{indentation}raise NotImplementedError("{TO_DO}")\n') + around[1]
    return Exercise(
        name=name,
        lesson=lesson,
        title=title,
        task=task.strip(),
        start=f'"""{title}\n\n{LINK.sub("](docs/", task.strip())}\n"""\n\n{begin}',
        hints=tuple(hints),
        solution=around[0] + written + around[1],
        around=around,
        indentation=indentation,
    )


def _between(text: str, first: str, second: str, path: Path) -> tuple[str, str, str]:
    """What stands before, between and after two lines, each of which is there once."""
    parts = re.split(f"^(?:{first}|{second})", text, flags=re.MULTILINE)
    if len(parts) != 3:
        raise ValueError(f"{path}: {first.strip()} and {second.strip()} must be there once each")
    return parts[0], parts[1], parts[2]


def _others(lines: str, indentation: str) -> tuple[str, str]:
    """The marked lines that a student begins with, without their marks; and the lines of the solution."""
    mark = f"{indentation}{OTHERS.strip()}"
    marked, written = [], lines.splitlines(keepends=True)
    while written and written[0].startswith(mark):
        marked.append(indentation + written.pop(0)[len(mark) :].removeprefix(" "))
    return "".join(marked), "".join(written)
