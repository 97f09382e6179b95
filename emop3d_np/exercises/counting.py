"""How many additions and products an answer needs: its file is run once more, with each of them put down.

Every ``a + b``, ``a - b``, ``a * b``, ``a += b`` and every call in the file is replaced by a call from here, which does
the same and notes how many numbers came out.  So additions are seen in arrays, in numbers taken out of them and in
lists of these, whatever they are written into.  Those of whole numbers, as for places and lengths, are not noted.
"""

import ast
import builtins
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .answers import Answer, Wrong

NOTED = {ast.Add: "added", ast.Sub: "added", ast.Mult: "multiplied"}
OUT_OF_SIGHT = ("convolve", "correlate", "einsum", "dot", "matmul", "tensordot", "inner", "vdot", "matvec", "vecdot")
PLUS, CALL = "noted_operation", "noted_call"
"""What the functions are called that stand in the file for operations and calls."""

AS_THEY_ARE = ("super", "locals", "globals", "vars", "dir", "eval", "exec")
"""Functions that look at who calls them."""


@dataclass
class Counts:
    """So many additions (or differences) and products of two floating-point numbers were taken."""

    added: int = 0
    multiplied: int = 0
    hidden: str = ""


def counts(answer: Answer, signature: str, *arguments: Any) -> Counts:
    """What a function of a student's file needs for some arguments.

    Args:
        answer: the file; it is run anew, with what counts put in.
        signature: of the function, as :meth:`.answers.Answer.function` takes it.
        arguments: that it is called with.

    Returns:
        Counts; an addition to an array of zeros is free, and ``hidden`` names the last function called that adds up, or
        multiplies, where nothing is seen of it, such as ``einsum``.
    """
    found = Counts()
    twin = Answer(answer.file.removesuffix(".py"), "\n".join(answer.lines))
    twin.values |= {PLUS: _operation(found), CALL: _call(found, twin.file)}
    tree = ast.fix_missing_locations(_Noting().visit(ast.parse("\n".join(twin.lines))))
    code = compile(tree, twin.file, "exec", dont_inherit=True)
    twin.watched(lambda: exec(code, twin.values))
    twin.function(signature)(*arguments)
    return found


def additions(answer: Answer, signature: str, *arguments: Any) -> int:
    """How many additions a function of a student's file needs; see :func:`counts`.

    Raises:
        Wrong: it leaves them to a function that they are not seen in.
    """
    found = counts(answer, signature, *arguments)
    if found.hidden:
        raise Wrong(f"{found.hidden} adds up out of sight; write the additions as + or +=")
    return found.added


class _Noting(ast.NodeTransformer):
    """Puts a call of ``PLUS`` or ``CALL`` in the place of what is to be noted."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if type(node.op) not in (*NOTED, ast.MatMult):
            return node
        return self._call(PLUS, node, [_name_of(node.op), node.left, node.right])

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        # x += y stays, since it writes into x; what is added is noted on its way.
        before = ast.parse(ast.unparse(node.target), mode="eval").body
        for each in ast.walk(before):
            ast.copy_location(each, node)
        self.generic_visit(node)
        if type(node.op) in (*NOTED, ast.MatMult):
            node.value = self._call(PLUS, node, [_name_of(node.op), before, node.value, ast.Constant(True)])
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in AS_THEY_ARE:
            return node
        return ast.copy_location(ast.Call(ast.Name(CALL, ast.Load()), [node.func, *node.args], node.keywords), node)

    @staticmethod
    def _call(name: str, node: ast.AST, arguments: list[ast.expr]) -> ast.Call:
        return ast.copy_location(ast.Call(ast.Name(name, ast.Load()), arguments, []), node)


def _name_of(operator: ast.operator) -> ast.Constant:
    return ast.Constant(type(operator).__name__)


def _operation(found: Counts) -> Callable[..., Any]:
    """What does, and notes, an operation of two numbers or arrays; for ``x += y`` it gives back y."""
    named = {kind.__name__: what for kind, what in NOTED.items()}
    does: dict[str, Callable[[Any, Any], Any]] = {
        "Add": lambda one, other: one + other,
        "Sub": lambda one, other: one - other,
        "Mult": lambda one, other: one * other,
        "MatMult": lambda one, other: one @ other,
    }

    def done(name: str, one: Any, other: Any, into: bool = False) -> Any:
        result = other if into else does[name](one, other)
        if name == "MatMult":
            found.hidden = "@"
        elif _floats(one) or _floats(other):
            what = named[name]
            size = np.broadcast(one, other).size if _numbers(one) and _numbers(other) else 0
            if what == "multiplied" or (np.any(one) and np.any(other)):
                setattr(found, what, getattr(found, what) + size)
        return result

    return done


def _call(found: Counts, file: str) -> Callable[..., Any]:
    """What calls a function, and notes what is added up in it; ``file`` is the student's."""
    plus = _operation(found)

    def called(function: Any, *arguments: Any, **options: Any) -> Any:
        if function is builtins.sum:
            return _summed(plus, *arguments, **options)
        result = function(*arguments, **options)
        owner, name = getattr(function, "__self__", None), getattr(function, "__name__", "")
        if getattr(getattr(function, "__code__", None), "co_filename", "") == file:
            return result  # what is in the file is noted there
        if isinstance(owner, np.ufunc) and owner not in (np.add, np.subtract):
            return result
        given: Any = owner if isinstance(owner, np.ndarray) else arguments[0] if arguments else None
        if name in OUT_OF_SIGHT and _floats(result):
            found.hidden = name
        elif _floats(result) and (function in (np.add, np.subtract, np.diff) or name in ("cumsum", "accumulate")):
            found.added += np.size(result) if np.size(given) and np.any(given) else 0
        elif _floats(result) and function is np.multiply:
            found.multiplied += np.size(result)
        elif name in ("sum", "mean", "reduce", "fsum") and _numbers(given) and _floats(given):
            found.added += np.size(given) - np.size(result)
        return result

    return called


def _summed(plus: Callable[..., Any], values: Any, start: Any = 0) -> Any:
    """What ``sum`` of Python does, addition by addition; that to the 0 it begins with is free."""
    for each in values:
        start = plus("Add", start, each)
    return start


def _numbers(value: Any) -> bool:
    """Whether it is a number or an array, and no list, for which + means something else."""
    return isinstance(value, np.ndarray | np.generic | int | float)


def _floats(value: Any) -> bool:
    """Whether it is a floating-point number, or an array or list of such."""
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind == "f"
    if isinstance(value, list | tuple):
        return any(isinstance(each, float) for each in value)
    return isinstance(value, float)
