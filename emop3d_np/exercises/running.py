"""A student's file, run and judged: whatever is wrong with it is said in plain words, with the line of that file."""

import ast
import io
import re
import sys
import tokenize
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .answers import STEPS, Answer, NeverEnds, Wrong
from .course import TO_DO, Exercise, all_of, find, judge_of

MEMORY = 1 << 29
"""So many bytes may a student's file take: arrays that grow in a loop without end would take all there are.  It is much
more than an answer needs, as the system's libraries take some of it for their own at their first use."""

PRINTED = 5
"""So many lines of what a student's file prints are shown."""


SAID: tuple[tuple[type[Exception], str, str], ...] = (
    (ValueError, "read-only", "this changes an array that was handed in; work on a copy of it, as x.copy() gives"),
    (
        ValueError,
        "truth value of an array",
        "if, and, or, not, max and min ask whether something is true, which an array of several numbers is not: "
        "np.where, &, |, ~, np.maximum and np.minimum go element by element",
    ),
    (
        TypeError,
        "only integer scalar arrays",
        "an array, or a number that is not whole, stands where an axis, a size or an index is wanted",
    ),
    (
        TypeError,
        r"Cannot cast ufunc .* to dtype\('u?int",
        "an array of whole numbers cannot take numbers with a fraction; make it without dtype=int",
    ),
    (
        TypeError,
        "'numpy.ndarray' object is not callable",
        "round brackets call a function, and this is an array: [ ] picks its elements, .T and .shape take none",
    ),
)
"""What Python and NumPy say (a kind of error, and a pattern), and what helps a student more."""


@dataclass(frozen=True)
class Verdict:
    """What is to be said of an answer: whether it is right, and why or why not, in words."""

    right: bool
    words: str


def check(name: str, text: str | bytes) -> Verdict:
    """Judge an answer.

    Args:
        name: of the exercise.
        text: of the student's file; where it is bytes, as they are stored.  It is run here, as any Python is.

    Returns:
        Verdict: right or not, and the words for the student; no mistake of the file is an exception here.

    Raises:
        InputError: there is no exercise of that name.
    """
    exercise = find(name)
    printed = _Printed()
    with _quiet(printed), _little_memory():
        verdict = _verdict(exercise, text)
    return Verdict(verdict.right, verdict.words + printed.words())


def _verdict(exercise: Exercise, text: str | bytes) -> Verdict:
    answer = Answer(exercise.name, "")
    try:
        answer = Answer(exercise.name, _decoded(text))
        answer.run()
        return Verdict(True, judge_of(exercise)(answer))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Verdict(False, getattr(error, "besides", "") + _words(answer, error) + _of_another(exercise, answer))


def _of_another(exercise: Exercise, answer: Answer) -> str:
    """What is to be said of a file that begins with the title of another exercise; nothing of others."""
    first = next((line for line in answer.lines if line.strip()), "")
    others = [each.name for each in all_of() if each != exercise and first == f'"""{each.title}']
    return f"; your file begins with the task of {others[0]}, and is judged as {exercise.name}" if others else ""


def _words(answer: Answer, error: BaseException) -> str:
    """What went wrong, for the student."""
    wrong = _wrong_in(error)
    if wrong is not None:
        return str(wrong)
    found = answer.line_of(error)
    if isinstance(error, NeverEnds):
        line = int(error.args[0])
        return f"line {line}: `{answer.source(line)}`: after {STEPS:,} steps it still goes on; does this loop end?"
    if found is not None:
        line, inner = found
        where = f"line {line}" + (f": `{answer.source(line)}`" if answer.source(line) else "")
        return f"{where}: {_of_shapes(answer, inner) or _what(inner)}"
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, MemoryError | RecursionError) and not answer.steps:
        return "your file is not Python that can be read: too many brackets or operators in one another"
    if isinstance(error, SyntaxError | ValueError) and not answer.steps:
        return f"your file is not Python: {_one_line(error)}"
    return f"the judge stumbled over what your file gives: {_what(error)}"


def _of_shapes(answer: Answer, error: BaseException) -> str:
    """What is said of arrays that do not fit each other; nothing where it is another error."""
    if not isinstance(error, ValueError):
        return ""
    from .judging import shapes_in_words  # here, since it needs the gradient checker, and a first check none of it

    return shapes_in_words(_one_line(error), _products(answer, error))


def _products(answer: Answer, error: BaseException) -> list[tuple[tuple[int, ...], tuple[int, ...], str]]:
    """The products of matrices in the line of an error: the shapes of both sides, and the product as it is written.

    Only names are looked up, with or without ``.T``: nothing is computed again.
    """
    trace, at = error.__traceback__, None
    while trace is not None:
        at = trace if trace.tb_frame.f_code.co_filename == answer.file else at
        trace = trace.tb_next
    if at is None:
        return []
    known = {**at.tb_frame.f_globals, **at.tb_frame.f_locals}
    found = []
    for each in ast.walk(ast.parse("\n".join(answer.lines))):
        if isinstance(each, ast.BinOp) and isinstance(each.op, ast.MatMult) and each.lineno == at.tb_lineno:
            one, other = (_shape_in(side, known) for side in (each.left, each.right))
            if one and other:
                found.append((one, other, ast.unparse(each)))
    return found


def _shape_in(side: ast.expr, known: dict[str, object]) -> tuple[int, ...]:
    """The shape of a name, or of its ``.T``; () where it is something else."""
    if isinstance(side, ast.Attribute) and side.attr == "T":
        return _shape_in(side.value, known)[::-1]
    value = known.get(side.id) if isinstance(side, ast.Name) else None
    return value.shape if isinstance(value, np.ndarray) else ()


def _what(error: BaseException) -> str:
    """An error in words, with what helps where that is known."""
    said = _one_line(error)
    if isinstance(error, NotImplementedError) and str(error) == TO_DO:
        return "this is still to be written"
    if isinstance(error, SyntaxError):
        return f"this is not Python: {error.msg}"
    for kind, text, words in SAID:
        if isinstance(error, kind) and re.search(text, said):
            return words
    if isinstance(error, EOFError):
        return "nobody is there to answer input(); leave it out"
    if isinstance(error, SystemExit):
        return "this ends the program; leave it out"
    if isinstance(error, MemoryError):
        return f"this asks for more memory than an answer may take{f': {said}' if said else ''}"
    if isinstance(error, RecursionError):
        return "the function calls itself again and again and does not end"
    return f"{type(error).__name__}{f': {said}' if said else ''}"


def _wrong_in(error: BaseException | None) -> Wrong | None:
    """The words of a judge that went through the gradient checker, which makes an error of its own of them."""
    while error is not None and not isinstance(error, Wrong):
        error = error.__cause__
    return error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]


def _decoded(text: str | bytes) -> str:
    """The text of a file, in the encoding that its first lines name, else UTF-8."""
    if isinstance(text, str):
        return text
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(text).readline)
        return text.decode(encoding)
    except UnicodeDecodeError as error:
        line = text[: error.start].count(b"\n") + 1
        raise Wrong(f"line {line}: the file is not stored as UTF-8; your editor can save it so") from None
    except SyntaxError as error:  # an encoding that there is not, or the first lines are not UTF-8
        raise Wrong(f"line 1: the file is not stored as UTF-8; your editor can save it so ({error.msg})") from None


@contextmanager
def _little_memory() -> Iterator[None]:
    """Within, this process may take MEMORY bytes more than it has, where the system can be told so."""
    before: tuple[int, int] | None = None
    with suppress(ImportError, AttributeError, OSError, ValueError):  # not on Windows, not in a browser
        import resource

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
        before = resource.getrlimit(resource.RLIMIT_AS)
        if before[0] == resource.RLIM_INFINITY or now < before[0]:
            resource.setrlimit(resource.RLIMIT_AS, (now, before[1]))
    try:
        yield
    finally:
        if before is not None:
            resource.setrlimit(resource.RLIMIT_AS, before)


class _Printed(io.StringIO):
    """What is printed; of very much, the beginning."""

    def write(self, text: str) -> int:
        if self.tell() < 10_000:
            super().write(text[:10_000])
        return len(text)

    def words(self) -> str:
        lines = self.getvalue().strip("\n").splitlines()
        if not lines:
            return ""
        shown = "\n".join(f"    {line[:200]}" for line in lines[:PRINTED])
        more = f"\n    ... and {len(lines) - PRINTED} lines more" if len(lines) > PRINTED else ""
        return f"\nYour file printed:\n{shown}{more}"


@contextmanager
def _quiet(printed: io.StringIO) -> Iterator[None]:
    """Within, what is printed is kept, nothing can be read from the keyboard, and NumPy gives no warnings."""
    before, sys.stdin = sys.stdin, io.StringIO()
    try:
        with redirect_stdout(printed), np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.stdin = before
