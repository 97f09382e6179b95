"""What is likely wrong: planted mistakes are named in words, and where nothing fits nothing is said."""

import re

import pytest
from planted_causes import PLANTED, UNNAMED

from emop3d_np import gradcheck

pytestmark = pytest.mark.once


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_mistake_is_named(kind):
    for operation, (forward, backward, inputs, words) in PLANTED[kind].items():
        report = gradcheck.check(forward, backward, inputs)
        assert not report.passed
        assert re.search(words, "; ".join(report.causes)), f"{operation}: {report.causes}"


@pytest.mark.parametrize("name", UNNAMED)
def test_nothing_is_said_where_nothing_fits(name):
    report = gradcheck.check(*UNNAMED[name])
    assert report.passed == name.startswith("right")
    assert report.causes == []
