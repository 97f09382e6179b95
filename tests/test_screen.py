"""Names and paths that would move the cursor, clear the screen or turn the writing round are shown, not obeyed."""

import io
import sys

import pytest
from tqdm import tqdm

from emop3d_np import screen
from emop3d_np.errors import InputError, exit_code

HOSTILE = {
    "\x1b[2Jgone": "\\x1b[2Jgone",
    "\x1b]0;title\x07": "\\x1b]0;title\\x07",
    "one\rtwo": "one\\rtwo",
    "\x9b31mred": "\\x9b31mred",
    "a\u202egpj.exe": "a\\u202egpj.exe",
    "two\u2028lines": "two\\u2028lines",
    "not utf-8 \udcff": "not utf-8 \\udcff",
    "del\x7f": "del\\x7f",
    "José, 悲しみ, 😀": "José, 悲しみ, 😀",
}


def printed(work):
    """What ``work`` writes to both streams where the screen is safe."""
    streams = io.StringIO(), io.StringIO()
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = streams
    try:
        code = exit_code("test", work)
        assert (sys.stdout, sys.stderr) == streams, "they are given back"
    finally:
        sys.stdout, sys.stderr = before
    return code, *(stream.getvalue() for stream in streams)


@pytest.mark.parametrize(("name", "shown"), HOSTILE.items(), ids=map(ascii, HOSTILE))
def test_hostile_names(name, shown):
    assert screen.safe(name) == shown
    code, output, errors = printed(lambda: print(f"{name}\n\tnext", name, sep="\n", file=sys.stderr) or print(name))
    assert (code, output, errors) == (0, f"{shown}\n", f"{shown}\n\tnext\n{shown}\n")

    def fail():
        raise InputError(f"{name}\nis no class")

    assert printed(fail) == (2, "", f"test: error: {shown}\\nis no class\n")


def test_bars_still_move():
    def work():
        with tqdm(total=2, desc="a\x1b[2J", ascii=True) as bar, tqdm(total=1, position=1, ascii=True):
            bar.update()
            tqdm.write("said", file=sys.stderr)

    _, _, errors = printed(work)
    assert "\r" in errors
    assert "\x1b[A" in errors
    assert "said\n" in errors
    assert "\x1b[2J" not in errors
    assert "a\\x1b[2J" in errors
