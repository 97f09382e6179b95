"""A student's file that was run: what judges ask for its functions and values, and which line was at fault."""

import difflib
import inspect
import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

STEPS = 1_000_000
"""So many steps of Python a student's file takes in one call; after that it is taken for a loop that does not end.  A
line is some ten steps; what NumPy does in a line counts for nothing."""

SHOWN = 100
"""So many characters of a line of a student's file are shown."""


class Wrong(Exception):
    """An answer is wrong; the words point at the mistake."""


class NeverEnds(BaseException):
    """A student's code runs on and on; no ``except Exception`` holds this up."""


class Answer:
    """A student's file.

    Args:
        name: of the exercise.
        text: of the file.

    Attributes:
        file: what it is called, by which its lines are told from others.
        lines: its text.
        values: what it defines, by name.
        steps: how many steps of Python its lines took in the last call of one of its functions.
    """

    def __init__(self, name: str, text: str) -> None:
        self.file, self.lines, self.steps = f"{name}.py", text.splitlines(), 0
        self.values: dict[str, Any] = {"__name__": name, "__file__": self.file}

    def run(self) -> None:
        """Run the file; it raises what the file raises."""
        code = compile("\n".join(self.lines) + "\n", self.file, "exec", dont_inherit=True)
        self.watched(lambda: exec(code, self.values))

    def value(self, name: str) -> Any:
        """What the file calls ``name``; Wrong where it defines nothing of that name."""
        if name not in self.values:
            own = [each for each in self.values if not each.startswith("__")]
            near = difflib.get_close_matches(name, own, 1)
            raise Wrong(f"your file does not define {name}" + (f"; is {near[0]} it?" if near else ""))
        return self.values[name]

    def function(self, signature: str, changes: Sequence[str] = ()) -> Callable[..., Any]:
        """A function of the file.

        Args:
            signature: its name and arguments, as in ``"backward(dz, x)"``.
            changes: arguments that it may change.

        Returns:
            The function.  Arrays are handed to it as copies that cannot be written to, but for those of ``changes``.

        Raises:
            Wrong: there is no such function, or it takes something else.
        """
        name, _, rest = signature.partition("(")
        wanted = re.findall(r"\w+", rest)
        found = self.value(name)
        self._must_be_function(found, name, signature)
        self._must_take(found, name, wanted)

        def called(*arguments: Any) -> Any:
            names = [*wanted, *[""] * len(arguments)]
            given = [each if name in changes else _frozen(each) for name, each in zip(names, arguments, strict=False)]
            return self.watched(lambda: found(*given))

        called.__name__ = name
        return called

    def watched(self, call: Callable[[], Any]) -> Any:
        """Do ``call``; count the steps that the file takes.

        Raises:
            NeverEnds: they are more than STEPS.
        """
        self.steps, before = 0, sys.gettrace()
        sys.settrace(self._watch)
        try:
            return call()
        finally:
            sys.settrace(before)

    def line_of(self, error: BaseException) -> tuple[int, BaseException] | None:
        """The line of the file that an error comes from, and that error itself or the one that it was made of."""
        found, seen = None, set()
        each: BaseException | None = error
        while each is not None and id(each) not in seen:
            seen.add(id(each))
            if isinstance(each, SyntaxError) and each.filename == self.file and each.lineno:
                return each.lineno, each
            trace = each.__traceback__
            while trace is not None:
                if trace.tb_frame.f_code.co_filename == self.file:
                    found = trace.tb_lineno, each
                trace = trace.tb_next
            each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
        return found

    def source(self, line: int) -> str:
        """A line of the file, without what is around it; of a long one, the beginning."""
        text = self.lines[line - 1].strip() if 0 < line <= len(self.lines) else ""
        return text if len(text) <= SHOWN else text[:SHOWN] + "..."

    def _watch(self, frame: Any, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != self.file:
            return None
        if event == "call":
            frame.f_trace_opcodes = True  # a loop that stands in one line is seen by nothing else
        self.steps += 1
        if self.steps > STEPS:
            raise NeverEnds(frame.f_lineno)
        return self._watch

    @staticmethod
    def _must_be_function(found: Any, name: str, signature: str) -> None:
        if isinstance(found, type):
            raise Wrong(f"{name} is a class; write a function: def {signature}:")
        if not callable(found):
            raise Wrong(f"{name} is of the type {type(found).__name__}; write a function: def {signature}:")
        if inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
            raise Wrong(f"{name} has a yield in it, so that calling it computes nothing; use return")
        if inspect.iscoroutinefunction(found):
            raise Wrong(f"{name} is written with async, so that calling it computes nothing; leave async out")

    @staticmethod
    def _must_take(found: Any, name: str, wanted: list[str]) -> None:
        try:
            signature = inspect.signature(found)
        except (TypeError, ValueError):  # what is written in C need not have one
            return
        names = list(signature.parameters)
        try:
            signature.bind(*wanted)
        except TypeError:
            raise Wrong(f"{name} takes ({', '.join(names)}); it is called with ({', '.join(wanted)})") from None
        if names != wanted and sorted(names) == sorted(wanted):
            raise Wrong(
                f"{name} takes ({', '.join(names)}), which is another order: it is called with ({', '.join(wanted)})"
            )


def _frozen(value: Any) -> Any:
    """A copy of an array that cannot be written to; of one without axes, its number, which `+=` does not write into;
    of tuples, the same for what is in them; others as they are."""
    if isinstance(value, np.ndarray) and not value.ndim:
        value = value[()]
    elif isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    elif type(value) in (tuple, list):
        value = type(value)(map(_frozen, value))
    return value
