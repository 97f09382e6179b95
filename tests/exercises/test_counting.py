"""How many additions and products of a student's file are seen."""

import numpy as np
import pytest

from emop3d_np.exercises.answers import Answer, Wrong
from emop3d_np.exercises.counting import additions, counts

pytestmark = pytest.mark.once


def answer(lines):
    indented = "".join(f"    {line}\n" for line in lines.splitlines())
    return Answer(
        "some",
        f"import math\nimport operator\nfrom functools import reduce\nimport numpy as np\n\n\ndef f(x):\n{indented}",
    )


@pytest.mark.parametrize(
    ("lines", "added", "multiplied"),
    [
        ("return x + x", 6, 0),
        ("return x[:-1] - x[1:]", 5, 0),
        ("return np.add(x, x) * 2", 6, 6),
        ("return np.multiply(x, x)", 0, 6),
        ("y = x.copy()\ny += x\ny -= x\ny *= 2.0\nreturn y", 12, 6),
        ("y = np.zeros((3, 2))\ny[:] = x.reshape(3, 2) + x[:2]\nreturn y", 6, 0),
        ("y = np.zeros(6)\nfor _ in range(3):\n    y += x\nreturn y", 12, 0),  # to an array of zeros: free
        ("return x[0] + x[1] + x[2]", 2, 0),
        ("y = [x[k] + x[k + 1] for k in range(len(x) - 1)]\nreturn [y[0] + y[1]]", 6, 0),
        ("return np.asarray(x, dtype=float).sum()", 5, 0),
        ("return np.sum(x.reshape(2, 3), axis=0) + x.reshape(2, 3).mean(axis=1).sum()", 3 + 4 + 1 + 3, 0),
        ("return sum(x)", 5, 0),
        ("return sum([x, x, x])", 12, 0),
        ("return np.add.reduce(x) + np.cumsum(x)", 5 + 6 + 6, 0),
        ("return np.maximum.reduce(x)", 0, 0),
        ("k = 1 + 2\nreturn x[k - 1 : k * 2]", 0, 0),  # of whole numbers
        ("return [1.5] + [2.5]", 0, 0),
        ("def dot(y):\n    return y.sum()\nreturn dot(x)", 5, 0),
        ("class Sum:\n    def of(self, y):\n        return y + y\nreturn Sum().of(x)", 6, 0),
    ],
)
def test_what_is_counted(lines, added, multiplied):
    found = counts(answer(lines), "f(x)", np.arange(1.0, 7))
    assert (found.added, found.multiplied, found.hidden) == (added, multiplied, "")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("return np.convolve(x, np.ones(3))", "convolve"),
        ("return x.reshape(2, 3) @ np.ones(3)", "@"),
        ("return np.einsum('i,i->', x, x)", "einsum"),
        ("return x.dot(x)", "dot"),
    ],
)
def test_what_adds_up_out_of_sight(lines, name):
    assert counts(answer(lines), "f(x)", np.ones(6)).hidden == name
    with pytest.raises(Wrong, match=f"^{name} adds up out of sight"):
        additions(answer(lines), "f(x)", np.ones(6))


def test_an_error_has_its_line():
    some = answer("y = x.copy()\ny[9] += 1.0\nreturn y")
    with pytest.raises(IndexError) as error:
        counts(some, "f(x)", np.ones(6))
    line, _ = some.line_of(error.value)
    assert some.source(line) == "y[9] += 1.0"
