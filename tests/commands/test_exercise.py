"""``python -m emop3d_np exercise``: exit codes, files, and one line for whatever is not an exercise."""

import pytest
from conftest import PATIENCE

from emop3d_np import exercises
from emop3d_np.__main__ import main
from emop3d_np.exercises.apart import check_apart

pytestmark = pytest.mark.once
NAME = "chain_of_two"


def said(capsys, code, *words):
    assert main(["exercise", *map(str, words)]) == code
    printed = capsys.readouterr()
    return printed.err if code == 2 else printed.out


def test_list_has_every_exercise(capsys):
    out = said(capsys, 0, "list")
    assert out == said(capsys, 0)
    for exercise in exercises.all_of():
        assert f"     {exercise.name} " in out
        assert exercise.title in out
    assert all(lesson.teaches in out for lesson in exercises.lessons())


def test_from_the_start_to_the_right_answer(capsys, tmp_path):
    path = tmp_path / "mine" / f"{NAME}.py"
    assert str(path) in said(capsys, 0, "start", NAME, path.parent)
    exercise = exercises.find(NAME)
    assert path.read_text(encoding="utf-8") == exercise.start
    assert said(capsys, 1, "check", path).startswith(f"{NAME}.py: not right yet: line ")
    path.write_text(said(capsys, 0, "solution", NAME))
    assert said(capsys, 0, "check", path).startswith(f"{NAME}.py: right: ")
    assert "is there already" in said(capsys, 2, "start", NAME, path.parent)
    assert path.read_text() == exercise.solution


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import os\nos._exit(0)", "ended the program before it was judged (exit code 0)"),
        (
            "while True:\n    try:\n        while True:\n            pass\n    except:\n        pass\n",
            "has not come back after 2 s",
        ),
    ],
)
def test_what_no_program_survives(text, words):
    verdict = check_apart(NAME, text.encode(), seconds=PATIENCE if "exit" in text else 2)
    assert not verdict.right
    assert words in verdict.words


def test_hints_come_one_after_the_other(capsys):
    hints = exercises.find(NAME).hints
    for number, hint in enumerate(hints, 1):
        out = said(capsys, 0, "hint", NAME, "--number", number)
        assert out.startswith(f"hint {number} of {len(hints)}: {hint}\n")
        assert (f"--number {number + 1}" in out) == (number < len(hints))
    assert said(capsys, 0, "hint", NAME).startswith("hint 1 of")
    assert f"has {len(hints)} hints" in said(capsys, 2, "hint", NAME, "--number", len(hints) + 1)


def test_what_is_no_exercise(capsys, tmp_path):
    assert "did you mean chain_of_two" in said(capsys, 2, "hint", "chain_of_tow")
    assert "exercise list names them all" in said(capsys, 2, "solution", "qqqq")
    assert "there is no exercise 'mine'" in said(capsys, 2, "check", tmp_path / "mine.py")
    assert "name says which exercise it is" in said(capsys, 2, "check", tmp_path / "mine.py")
    assert "there is no such file" in said(capsys, 2, "check", tmp_path / f"{NAME}.py")
    (tmp_path / f"{NAME}.py").mkdir()
    assert "there is no such file" in said(capsys, 2, "check", tmp_path / f"{NAME}.py")
    assert "it must be one of: list | start" in said(capsys, 2, "begin", NAME)
    assert "it must be one of: list | start" in said(capsys, 2, "start", NAME)
    (tmp_path / "file").touch()
    assert "error: " in said(capsys, 2, "start", NAME, tmp_path / "file")
