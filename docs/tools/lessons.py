"""The pages of the course's lessons, as Markdown: what the exercises say of themselves, hints and answers folded.

On the site the code of an exercise becomes an editor by its title (``in_page/exercises.js``).
"""

import ast

from emop3d_np import exercises
from emop3d_np.exercises.course import LINK

HOW = """On the site, the code of an exercise is an editor, and what you write there is judged in the page.
Elsewhere, `python -m emop3d_np exercise start NAME .` writes its file, and
`python -m emop3d_np exercise check NAME.py` judges it."""


def begin(folder):
    """A page for every lesson; what stands in it is written as in other pages."""
    for each in exercises.lessons():
        page = folder / f"lesson_{each.number}.md"
        if not page.exists():
            page.write_text(f"<!--= lesson({each.number}) -->\n\n.\n\n<!--/-->\n")


def lesson(number):
    """The page of a lesson."""
    (one,) = (each for each in exercises.lessons() if each.number == number)
    parts = [f"# Lesson {number}: {one.title}", linked(one.teaches), HOW]
    for count, name in enumerate(one.names, 1):
        parts += exercise(count, exercises.find(name))
    return "\n\n".join(parts)


def table(number):
    """A table of the exercises of a lesson, for the plan of the course."""
    (one,) = (each for each in exercises.lessons() if each.number == number)
    titles = [exercises.find(name).title for name in one.names]
    lines = [f"| `{name}` | {title} |" for name, title in zip(one.names, titles, strict=True)]
    return "\n".join([f"| exercise | [lesson {number}: {one.title}](course/lesson_{number}.md) |", "|---|---|", *lines])


def count():
    """How many exercises there are."""
    return len(exercises.all_of())


def exercise(count, one):
    """An exercise: its task, the code to begin with, then the hints one by one, and the answer."""
    yield f"## {count}. {one.title}"
    yield linked(one.task)
    yield f"`{one.name}.py` begins with:"
    yield code(without_docstring(one.start), f"exercise {one.name}")
    for at, hint in enumerate(one.hints, 1):
        yield folded(f"Hint {at} of {len(one.hints)}", linked(hint))
    yield folded("Answer", code(one.solution))


def linked(text):
    """A text as it stands on the page of a lesson, one folder below the other pages."""
    return LINK.sub("](../", text)


def folded(summary, text):
    return f"<details>\n<summary>{summary}</summary>\n\n{text}\n\n</details>"


def code(text, title=None):
    head = f' title="{title}"' if title else ""
    return f"```python{head}\n{text.strip()}\n```"


def without_docstring(text):
    """A file's text without the docstring that it begins with; a file of an exercise repeats its task there."""
    first = ast.parse(text).body[0]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return text
    return "\n".join(text.splitlines()[first.end_lineno :])
