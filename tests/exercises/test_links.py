"""The pages that exercises name have the headings that they name."""

import re
from pathlib import Path

import pytest

from emop3d_np import exercises

pytestmark = pytest.mark.once
DOCS = Path(__file__).resolve().parents[2] / "docs"


def anchor(heading):
    """As the site makes it of a heading."""
    return re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def test_headings_are_there():
    links = [
        (exercise.name, *link)
        for exercise in exercises.all_of()
        for link in re.findall(r"\]\(([\w/]+\.md)#([\w-]+)\)", exercise.task)
    ]
    assert len(links) > 20
    for name, page, wanted in links:
        headings = re.findall(r"^#+ (.*)$", (DOCS / page).read_text(), re.MULTILINE)
        assert wanted in {anchor(heading) for heading in headings}, f"{name}: {page}#{wanted}"
