"""The page of promises: each stands beside a test that there is."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "promises.md"
REFERENCE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_every_promise_has_a_test():
    text = PAGE.read_text()
    rows = [line for line in text.splitlines() if re.match(r"\| (?!promise|-)", line)]
    assert len(rows) > 20
    for row in rows:
        assert REFERENCE.search(row), row
    for path, name in REFERENCE.findall(text):
        assert (ROOT / path).is_file(), path
        assert f"\ndef {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
