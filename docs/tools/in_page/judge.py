"""What the page asks of Python: is this text the solution of that exercise, or are these gradients right?

It runs in the page, with what ``docs/tools/python_in_page.py`` packs beside it: NumPy, the gradient checker, the
exercises.
"""

import contextlib
import io
import json
import linecache
import traceback

from emop3d_np import gradcheck
from emop3d_np.errors import InputError

YOURS = "your code"
NAMES = ("forward", "backward", "inputs")


def judged(name: str, text: str) -> str:
    """The verdict on a text as JSON: right, words, and what the text printed.

    Args:
        name: of an exercise; empty: the text has functions ``forward`` and ``backward``, and ``inputs``.
        text: what stands in the editor.
    """
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            if name:
                from emop3d_np import exercises

                verdict = exercises.check(name, text)
                right, words = verdict.right, verdict.words
            else:
                right, words = checked(text)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            right, words = False, said(error)
    return json.dumps({"right": bool(right), "words": str(words), "printed": printed.getvalue()})


def checked(text: str) -> tuple[bool, str]:
    """The gradient checker's verdict on functions of one's own, and its report."""
    # So that a traceback shows the lines.
    linecache.cache[YOURS] = (len(text), None, text.splitlines(keepends=True), YOURS)
    names: dict = {"__name__": "__main__"}
    exec(compile(text, YOURS, "exec"), names)
    if missing := [each for each in NAMES if each not in names]:
        raise InputError(f"the text does not define {', '.join(missing)}; it needs {', '.join(NAMES)}")
    given = [names[each] for each in NAMES]
    report = gradcheck.check(*given, seconds=10.0, not_differentiable=names.get("not_differentiable", ()))
    return bool(report), str(report)


def said(error: BaseException) -> str:
    """An error in words, with the line of the text that it comes from; what lies above it is ours and is left out."""
    if isinstance(error, InputError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    first = next((at for at, frame in enumerate(frames) if frame.filename == YOURS), len(frames) - 1)
    lines = traceback.format_list(frames[first:]) if not isinstance(error, SyntaxError) else []
    return "".join(["Python stops here:\n", *lines, *traceback.format_exception_only(error)]).rstrip()
