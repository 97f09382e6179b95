"""The glossary: in the order of the alphabet, each word once and used on the page that it leads to."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once
REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"
ROWS = re.findall(r"^\| \[(.+?)\]\((.+?)\) \| .+ \|$", (REFERENCE / "glossary.md").read_text(), re.MULTILINE)


def test_words_are_in_their_order_and_each_is_there_once():
    words = [word.lower() for word, _ in ROWS]
    assert len(words) > 60
    assert words == sorted(set(words))


@pytest.mark.parametrize(("word", "page"), ROWS)
def test_the_page_has_the_word(word, page):
    text = (REFERENCE / page.partition("#")[0]).resolve().read_text().lower()
    stems = [each.rstrip("s").lower() for each in word.split(", ")]
    assert any(stem in text for stem in stems)
