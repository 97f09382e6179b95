"""What is likely wrong: planted mistakes are named in words, and where nothing fits nothing is said."""

import json
import re

import numpy as np
import pytest
from planted_causes import PLANTED, UNNAMED

from emop3d_np import gradcheck
from emop3d_np.__main__ import main
from emop3d_np.gradcheck import picture

pytestmark = pytest.mark.once


@pytest.mark.parametrize("kind", PLANTED)
def test_a_planted_mistake_is_named(kind):
    for operation, (forward, backward, inputs, words) in PLANTED[kind].items():
        report = gradcheck.check(forward, backward, inputs, seconds=60)
        assert not report.passed
        assert re.search(words, "; ".join(report.causes)), f"{operation}: {report.causes}"


@pytest.mark.parametrize("name", UNNAMED)
def test_nothing_is_said_where_nothing_fits(name):
    report = gradcheck.check(*UNNAMED[name], seconds=60)
    assert report.passed == name.startswith("right")
    assert report.causes == []


@pytest.fixture(scope="module")
def report():
    """Of two inputs, the second with its border left out."""
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((2, 4, 5))

    def backward(d, x, w):
        return d * w, np.where(np.arange(5) == 4, 0, d * x)

    return gradcheck.check(lambda x, w: x * w, backward, (x, w), seconds=60)


def test_text_json_and_picture_agree(report):
    pytest.importorskip("matplotlib", reason="pictures need the extra 'plots'")
    text, read = str(report), json.loads(report.json())
    assert read["likely"] == report.causes
    assert f"likely: {report.causes[0]}" in text
    assert "the last of axis 1, where it is 0" in report.causes[0]
    titles = [ax.get_title() for ax in picture.error_maps({"layer": report}).axes]
    for row, shown, title in zip(report.inputs, read["inputs"], titles, strict=True):
        assert shown["verdict"] == row.verdict
        assert title == f"layer: {row.name}\n{row.verdict}"
        assert re.search(rf"^{row.name} .* {re.escape(row.verdict)}$", text, re.MULTILINE)
    assert report.inputs[0].verdict.endswith("% of what is allowed")
    assert report.inputs[1].verdict == "wrong by 100 % of the value"
    assert re.search(r"worst: w\[\d, 4\]: wrong by 100 % of the value$", text)


def test_the_error_map_is_signed_and_not_ruled_by_one_value(report):
    x, w = (picture.signed_errors(report, i) for i in (0, 1))
    assert not x.any()
    assert np.abs(w[:, :4]).max() < 1e-9, "right inside"
    assert (w[:, 4] < 0).any()
    assert (w[:, 4] > 0).any()
    errors = np.append(np.linspace(-1, 1, 99), 1e6)
    assert picture.full_colour(errors) <= 1


@pytest.mark.parametrize(
    ("analytic", "numeric", "words"),
    [
        (1.31, 1.0, "wrong by 31 % of the value"),
        (1.83e12, 1.0, "wrong by 1.83e+12 times the value"),
        (0.5, 0.0, "wrong: 0.5 where it should be 0"),
        (np.nan, 1.0, "wrong: backward gives nan"),
        (0.0, 2.0, "wrong by 100 % of the value"),
    ],
)
def test_how_wrong_a_value_is(analytic, numeric, words):
    found = gradcheck.Finding("w", (2,), analytic, numeric, error=abs(analytic - numeric), allowed=1e-9)
    assert found.verdict == words
    assert str(found).startswith(f"w[2]: analytic {analytic:.9g}, numeric {numeric:.9g}: {words}")
    assert gradcheck.Finding("w", (2,), 1, 1, error=2e-10, allowed=1e-9).verdict == "20 % of what is allowed"


def test_the_example_ships_and_its_mistakes_are_named(tmp_path, capsys):
    path = tmp_path / "my_layer.py"
    assert main(["gradcheck", "example", str(path)]) == 0
    assert main(["gradcheck", "function", str(path), "--seconds", "60"]) == 1
    said = capsys.readouterr().out
    assert "likely: the gradient of x lacks the way through the mean over axis 1" in said
    assert "likely: the gradient of gain is 0.25 times the right one everywhere" in said
    assert main(["gradcheck", "example", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d, "(4, 3), the input (3,); where it is broadcast, its gradient is the sum over axis 0"),
        (lambda d: d.sum(0)[:, np.newaxis], "(3, 1), the input (3,); the same number of values: reshape it"),
        (lambda d: d.sum(1), "(4,), the input (3,)"),
    ],
)
def test_a_wrong_shape_says_what_to_do(change, words):
    x, bias = np.ones((4, 3)), np.ones(3)
    report = gradcheck.check(lambda x, b: x + b, lambda d, x, b: (d, change(d)), (x, bias))
    assert report.problems == [f"gradient of input b has shape {words}"]
