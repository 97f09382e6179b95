"""Every exercise: its solution is right, and so is what says the same in other ways; what a student begins with is not,
and wrong answers are told what is."""

import itertools
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emop3d_np import exercises
from emop3d_np.exercises import judging, running
from emop3d_np.exercises.course import LINK, TO_DO

pytestmark = pytest.mark.once
HERE = Path(__file__).parent
ROOT = HERE.parents[1]
WRONG, RIGHT = (
    {name: answers for path in sorted(HERE.glob(files)) for name, answers in runpy.run_path(path)[which].items()}
    for files, which in (("wrong/*.py", "WRONG"), ("right/*.py", "RIGHT"))
)
ALL = {exercise.name: exercise for exercise in exercises.all_of()}


@pytest.mark.parametrize("name", ALL)
def test_the_solution_is_right(name, monkeypatch):
    alike = mistakes_alike(monkeypatch)
    verdict = exercises.check(name, ALL[name].solution)
    assert verdict.right, verdict.words
    assert len(verdict.words) > 10
    assert "\n" not in verdict.words  # nor did it print
    assert not alike or name == "window_count", alike  # of small whole numbers, some are the same


def mistakes_alike(monkeypatch):
    """A list of the mistakes that cannot be told apart by the numbers that a judge tries: who makes one of them would
    be told of the other."""
    found, same, gradients = [], judging.same, judging.gradients

    def compare(known):
        for (words, one), (others, other) in itertools.combinations(known, 2):
            pairs = list(zip(one, other, strict=True))
            if words != others and all(a is not None and b is not None and judging._equal(a, b) for a, b in pairs):
                found.append((words, others))

    def compared(got, right, what, mistakes=None):
        lists = {words: each if isinstance(each, list) else [each] for words, each in (mistakes or {}).items()}
        known = [(words, [np.asarray(one)]) for words, each in lists.items() for one in each]
        compare([(words, one) for words, one in known if not judging._equal(one[0], right)])
        same(got, right, what, mistakes)

    def checked(forward, backward, inputs, names, *, mistakes=None, constant=(), options=None):
        wanted = [name for name in names.split() if name not in constant]
        d = judging.numbers(*np.shape(forward(*inputs)), seed=1)
        lists = {words: [each] if callable(each) else each for words, each in (mistakes or {}).items()}
        compare([(words, judging._gradients(one(d, *inputs), wanted)) for words, each in lists.items() for one in each])
        return gradients(forward, backward, inputs, names, mistakes=mistakes, constant=constant, options=options)

    monkeypatch.setattr(judging, "same", compared)
    monkeypatch.setattr(judging, "gradients", checked)
    return found


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in RIGHT for number in range(len(RIGHT[name]))])
def test_another_way_of_writing_it_is_right(name, number):
    verdict = exercises.check(name, ALL[name].filled(RIGHT[name][number]))
    assert verdict.right, verdict.words


@pytest.mark.parametrize("name", ALL)
def test_the_start_is_not(name):
    exercise = ALL[name]
    verdict = exercises.check(name, exercise.start)
    assert not verdict.right
    assert "stumbled" not in verdict.words
    assert (TO_DO in exercise.start) == ("still to be written" in verdict.words)
    assert LINK.sub("](docs/", exercise.task) in exercise.start


@pytest.mark.parametrize(("name", "number"), [(name, number) for name in WRONG for number in range(len(WRONG[name]))])
def test_a_wrong_answer_is_told_what_is_wrong(name, number):
    lines, words = WRONG[name][number]
    verdict = exercises.check(name, ALL[name].filled(lines))
    assert not verdict.right
    assert words in verdict.words


def test_every_exercise_has_wrong_answers_hints_and_a_title_of_its_own():
    assert set(WRONG) == set(ALL)
    assert min(map(len, WRONG.values())) >= 3
    for name, answers in WRONG.items():
        assert len({text for text, _ in answers}) == len({words for _, words in answers}) == len(answers), name
    assert all(len(exercise.hints) >= 2 for exercise in ALL.values())
    assert len({exercise.title for exercise in ALL.values()}) == len(ALL)
    assert len(ALL) == sum(len(lesson.names) for lesson in exercises.lessons())


def test_every_exercise_names_a_page_that_is_there():
    for exercise in ALL.values():
        links = re.findall(r"\]\(([\w/]+\.md)(?:#[\w-]+)?\)", exercise.task)
        assert links, exercise.name
        for link in links:
            assert (ROOT / "docs" / link).is_file(), f"{exercise.name}: {link}"


def test_they_need_numpy_alone():
    """As in a browser, where there are no Numba, SciPy and tqdm."""
    code = """
import sys
for name in ("numba", "scipy", "tqdm", "matplotlib"):
    sys.modules[name] = None
from emop3d_np import exercises, gradcheck
from kernels import reference
for exercise in exercises.all_of():
    verdict = exercises.check(exercise.name, exercise.solution)
    assert verdict.right, (exercise.name, verdict.words)
print(len(exercises.all_of()), "right")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout == f"{len(ALL)} right\n", done.stderr


FIRST = "chain_of_two"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "your file does not define backward"),
        ("def forward(x, w, b):\n    return (w * x + b\n", "line 2: `return (w * x + b`: this is not Python"),
        ("def backward(x, w, b):\n\tx = 1\n        return x\n", "line 3: `return x`: this is not Python"),
        ("def backwards(x, w, b): pass", "your file does not define backward; is backwards it?"),
        ("backward = 3", "backward is of the type int; write a function: def backward(x, w, b):"),
        ("class backward:\n    def __init__(self, x, w, b): pass", "backward is a class; write a function"),
        ("def backward(x, w, b):\n    yield x", "backward has a yield in it"),
        ("async def backward(x, w, b):\n    return x", "backward is written with async"),
        ("def backward(x, w): return x, w", "backward takes (x, w); it is called with (x, w, b)"),
        ("def backward(w, x, b): return x, w, b", "backward takes (w, x, b), which is another order"),
        ("def backward(x, w, b): pass", "nothing is returned; it must be dx, dw, db"),
        ("def backward(x, w, b): return 'x', w, b", "the gradient of x is of the type str"),
        ("def backward(x, w, b): return None, w, b", "the gradient of x is None; is there a return?"),
        ("def backward(x, w, b):\n    x[...] = 1\n", "line 2: `x[...] = 1`: TypeError"),
        ("def backward(x, w, b):\n    while True:\n        x = w\n", "after 1,000,000 steps it still goes on"),
        ("while True: pass", "line 1: `while True: pass`: after"),
        ("import itertools\nn = sum(1 for _ in itertools.count())", "line 2: `n = sum(1 for _ in itertools.count())`"),
        ("def backward(x, w, b):\n    return backward(x, w, b)\n", "the function calls itself again and again"),
        ("n = input()", "line 1: `n = input()`: nobody is there to answer input()"),
        ("import sys\nsys.exit(0)", "line 2: `sys.exit(0)`: this ends the program"),
        ("import absent", "line 1: `import absent`: ModuleNotFoundError: No module named 'absent'"),
        ("import numpy as np\nbig = np.zeros(10**15)", "line 2: `big = np.zeros(10**15)`: this asks for more memory"),
        (
            "import numpy as np\nx = np.ones(1)\nwhile True:\n    x = np.concatenate([x, x])\n",
            "line 4: `x = np.concatenate([x, x])`: this asks for more memory",
        ),
        ("def backward(x, w, b):\n    return 1 / 0\n", "line 2: `return 1 / 0`: ZeroDivisionError: division by zero"),
        ("def backward(x, w, b):\n    return x * float('inf'), w, b\n", "the gradient of x is"),
        ("def backward(x, w, b): return [[1], [1, 2]], w, b", "the gradient of x is a list; it must be a number"),
        ("x = " + "(" * 5000, "((((((...`: this is not Python: too many nested parentheses"),
        ("raise BaseException", "line 1: `raise BaseException`: BaseException"),
        ("x = 1\x00", "null bytes"),
        (b"\xff\xfe", "the file is not stored as UTF-8"),
        (b"x = 1\ny = '\xe9'\n", "the file is not stored as UTF-8"),
        (b"# coding: absent\n", "unknown encoding"),
    ],
)
def test_what_students_hand_in(text, words):
    verdict = exercises.check(FIRST, text)
    assert not verdict.right
    assert words in verdict.words
    assert "Traceback" not in verdict.words
    assert "stumbled" not in verdict.words


def test_ways_of_storing_a_right_answer():
    text = ALL[FIRST].solution + "# é\n"
    for stored in (
        text.replace("\n", "\r\n"),
        text.replace("    ", "\t"),
        text.encode(),
        text.encode("utf-8-sig"),
        ("# -*- coding: latin-1 -*-\n" + text).encode("latin-1"),
        "import os\n" + text,
        text.rstrip("\n"),
    ):
        verdict = exercises.check(FIRST, stored)
        assert verdict.right, verdict.words


def test_the_file_of_another_exercise():
    other = ALL["box_sum_backward"]
    verdict = exercises.check(FIRST, other.start)
    assert verdict.words.endswith(f"; your file begins with the task of box_sum_backward, and is judged as {FIRST}")
    assert "begins with" not in exercises.check(FIRST, ALL[FIRST].start).words


def test_what_is_printed_is_shown():
    loud = ALL[FIRST].solution + "\nfor n in range(7):\n    print('n is', n)\n"
    verdict = exercises.check(FIRST, loud)
    assert verdict.right
    assert verdict.words.endswith("    n is 4\n    ... and 2 lines more")


def test_a_check_leaves_nothing_behind(capsys):
    before = sys.gettrace(), sys.stdin, sys.stdout
    exercises.check(FIRST, "print('loud')\nwhile True: pass")
    assert (sys.gettrace(), sys.stdin, sys.stdout) == before
    assert capsys.readouterr().out == ""


def test_ctrl_c_is_heard(monkeypatch):
    def interrupted(answer):
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "judge_of", lambda exercise: interrupted)
    with pytest.raises(KeyboardInterrupt):
        exercises.check(FIRST, ALL[FIRST].solution)


def test_the_list_of_a_class_is_as_the_plan_says(tmp_path):
    """The loop of docs/course.md over the folders of students."""
    loop = re.search(r"^```bash\n(for file .*?)^```$", (ROOT / "docs/course.md").read_text(), re.DOTALL | re.MULTILINE)[
        1
    ]
    for student, name in (("anna", FIRST), ("ben", "chain_of_to")):
        (tmp_path / "class" / student).mkdir(parents=True)
        (tmp_path / "class" / student / f"{name}.py").write_text(ALL[FIRST].solution)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    known = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["sh", "-c", loop], capture_output=True, text=True, cwd=tmp_path, env=known, check=True)
    assert done.stdout == "right  class/anna/chain_of_two.py\nwrong  class/ben/chain_of_to.py\n", done.stderr
    assert "did you mean chain_of_two" in (tmp_path / "class" / "ben" / "chain_of_to.txt").read_text()
