"""The tables of README and of the pages are what the measured results say."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))
import cuda_table
import tables

README = Path(__file__).resolve().parents[1] / "README.md"


def test_a_line_through_points():
    line = [[None, 0.5 + 2 * operations, operations] for operations in (1, 2, 7, 30)]
    assert tables.away_from_line(line) == pytest.approx((0.5, 2, 0), abs=1e-9)
    line[2][1] *= 1.5
    assert tables.away_from_line(line)[2] > 0.15


def test_page_of_speed_holds_the_measured_figures():
    assert tables.SPEED.read_text() == tables.speed_page(*map(tables.read, ("speed", "ablations", "peers")))


def test_readme_holds_the_measured_figures():
    text = README.read_text()
    assert tables.written(text) == text
    assert tables.written(text.replace("| this package |", "| another |")) == text


def test_readme_has_the_fastest_form_of_each_framework():
    names = tables.fastest_of_each(tables.read("peers"))
    assert [name.split(",")[0] for name in names] == ["this package", "TensorFlow", "PyTorch", "JAX"]
    programs = tables.read("peers")["programs"]
    for name in names:
        alike = [row["step"]["seconds"] for other, row in programs.items() if other.split(",")[0] == name.split(",")[0]]
        assert programs[name]["step"]["seconds"] == min(alike)


def test_markers_that_are_missing():
    with pytest.raises(SystemExit, match="the page has no markers of peers"):
        tables.put("", "peers", "")


def test_page_of_the_device_holds_the_measured_figures():
    page = README.parent / "docs" / "cuda.md"
    text = page.read_text()
    assert tables.put(text, "measured", cuda_table.figures(tables.read("cuda_day"))) == text
