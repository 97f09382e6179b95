"""What the page asks of Python: is this text the solution of that exercise, or are these gradients right?

It runs in the page, with what ``docs/tools/python_in_page.py`` packs beside it: NumPy, the gradient checker, the
exercises.
"""

import contextlib
import io
import json
import linecache
import textwrap
import traceback

from emop3d_np import gradcheck
from emop3d_np.errors import InputError

YOURS = "your code"
SECONDS = 10.0
"""Budget of the gradient checker: somebody waits."""

NAMES = ("forward", "backward", "inputs")


def judged(name: str, text: str) -> str:
    """The verdict on a text as JSON: right, words, report and printed.

    Args:
        name: of an exercise; empty: the text has functions ``forward`` and ``backward``, and ``inputs``.
        text: what stands in the editor.
    """
    printed = io.StringIO()
    report = ""
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            if name:
                from emop3d_np import exercises

                verdict = exercises.check(name, text)
                right = verdict.right
                words, _, shown = verdict.words.partition("\nYour file printed:\n")
                printed.write(textwrap.dedent(shown))
            else:
                right, words, report = checked(text)
        except InputError as error:
            right, words = False, str(error)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            right, words, report = False, "Python stops at an error.", said(error)
    return json.dumps({"right": right, "words": words, "report": report, "printed": printed.getvalue()})


def checked(text: str) -> tuple[bool, str, str]:
    """The gradient checker's verdict on functions of one's own: right or not, in words, and the whole report."""
    # So that a traceback shows the lines.
    linecache.cache[YOURS] = (len(text), None, text.splitlines(keepends=True), YOURS)
    names: dict = {"__name__": "__main__"}
    exec(compile(text, YOURS, "exec"), names)
    if missing := [each for each in NAMES if each not in names]:
        raise InputError(f"the text does not define {', '.join(missing)}; it needs {', '.join(NAMES)}")
    given = [names[each] for each in NAMES]
    report = gradcheck.check(*given, seconds=SECONDS, not_differentiable=names.get("not_differentiable", ()))
    rows = [f"The gradient of {row.name}: {in_words(row.verdict)}." for row in report.inputs]
    likely = [f"Likely: {cause}." for cause in report.causes]
    return bool(report), "\n".join([*report.problems, *rows, *likely]), str(report)


def in_words(verdict: str) -> str:
    """A row's verdict; of a gradient that is right the report says what part of the allowed error it has."""
    return "right" if verdict.endswith("of what is allowed") else verdict


def said(error: BaseException) -> str:
    """An error with its lines of the text; what lies above them is ours and is left out."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((at for at, frame in enumerate(frames) if frame.filename == YOURS), len(frames))
    return "".join([*traceback.format_list(frames[first:]), *traceback.format_exception_only(error)]).rstrip()
