"""The tables of README are what the measured results say."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import tables

README = Path(__file__).resolve().parents[1] / "README.md"


def test_readme_holds_the_measured_figures():
    text = README.read_text()
    assert tables.written(text) == text
    assert tables.written(text.replace("| this package |", "| another |")) == text


def test_markers_that_are_missing():
    with pytest.raises(SystemExit, match="the page has no markers of peers"):
        tables.put("", "peers", "")
