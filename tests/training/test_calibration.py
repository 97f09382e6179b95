"""Calibration: the error of sets whose error is known, the reliability curve in plain loops, planted temperatures."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emop3d_np.errors import InputError
from emop3d_np.training.calibration import BINS, Reliability, fit_temperature


def softmax(logits):
    e = np.exp(logits - logits.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def drawn(rng, probabilities):
    """Labels drawn by the probabilities (n, k), which are then perfectly calibrated."""
    return (probabilities.cumsum(axis=1) < rng.random((len(probabilities), 1))).sum(axis=1)


def test_labels_drawn_by_the_probabilities_have_almost_no_error(rng):
    scores = softmax(rng.normal(0, 2, (40_000, 3)))
    assert Reliability.of(scores, drawn(rng, scores)).error < 0.01


@pytest.mark.parametrize(("sure", "right"), [(0.9, 0.6), (0.97, 0.5), (0.55, 0.8)])
def test_error_of_answers_that_are_too_sure_or_not_sure_enough(sure, right):
    count = 1000
    scores = np.tile([sure, 1 - sure], (count, 1))
    labels = (np.arange(count) >= round(right * count)).astype(int)
    found = Reliability.of(scores, labels)
    assert found.error == pytest.approx(abs(sure - right), abs=1e-12)
    assert found.counts.sum() == found.counts.max() == count


def test_a_probability_that_is_not_finite_leaves_no_error_to_tell():
    assert np.isnan(Reliability.of([[0.2, 0.8], [np.nan, np.nan]], [1, 0]).error)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300), st.integers(0, 2)), min_size=1, max_size=40))
def test_bins_in_plain_loops(rows):
    """Edges belong to the bin below; probabilities are multiples of 1/300, so many lie on one."""
    scores = np.array([[a / 300, (300 - a) * b / 90000, (300 - a) * (300 - b) / 90000] for a, b, _ in rows])
    labels = np.array([label for *_, label in rows])
    found = Reliability.of(scores, labels)
    error = 0.0
    for m in range(BINS):
        inside = [
            (max(row), list(row).index(max(row)) == label)
            for row, label in zip(scores, labels, strict=True)
            if np.ceil(max(row) * BINS) == m + 1
        ]
        assert found.counts[m] == len(inside)
        if inside:
            confidence = sum(top for top, _ in inside) / len(inside)
            accuracy = sum(right for _, right in inside) / len(inside)
            assert found.confidence[m] == pytest.approx(confidence)
            assert m / BINS - 1e-12 < confidence <= (m + 1) / BINS + 1e-12
            assert found.accuracy[m] == pytest.approx(accuracy)
            error += len(inside) / len(rows) * abs(accuracy - confidence)
        else:
            assert np.isnan(found.confidence[m])
            assert np.isnan(found.accuracy[m])
    assert found.error == pytest.approx(error, abs=1e-12)
    text = json.dumps(found.as_dict(), allow_nan=False)
    assert [share is None for share in json.loads(text)["accuracy"]] == [count == 0 for count in found.counts]


@pytest.mark.parametrize("planted", [0.4, 1.0, 3.0])
def test_a_planted_temperature_is_found(rng, planted):
    logits = rng.normal(0, 2, (20_000, 4))
    labels = drawn(rng, softmax(logits))
    found = fit_temperature(planted * logits, labels)
    assert found == pytest.approx(planted, rel=0.03)
    # It is where the slope of the mean loss by 1 / T is nought: the mean logit is that of the true classes.
    shares = softmax(planted * logits / found)
    mean = (shares * planted * logits).sum(axis=1).mean()
    assert mean == pytest.approx((planted * logits)[np.arange(len(labels)), labels].mean(), abs=1e-4)
    # The same of log-probabilities, which differ from the logits by a number a clip.
    assert fit_temperature(np.log(softmax(planted * logits)), labels) == pytest.approx(found, rel=1e-4)


def test_temperatures_that_there_are_not(rng):
    logits = rng.normal(0, 1, (12, 3))
    with pytest.raises(InputError, match="cannot be fitted to 12 clips that are all answered rightly: the surer, the"):
        fit_temperature(logits, logits.argmax(axis=1))
    with pytest.raises(InputError, match="12 clips whose true classes do not score above the others"):
        fit_temperature(logits, logits.argmin(axis=1))
    with pytest.raises(InputError, match="answers that are not finite"):
        fit_temperature(np.array([[np.nan, 0]]), np.array([1]))
    with pytest.raises(InputError, match="do not score above the others"):
        fit_temperature(np.tile([1.0, 0.0], (4, 1)), np.array([0, 1, 0, 1]))
