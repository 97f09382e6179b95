"""UAR, macro F1 and AUC against loops that count clip by clip, and what is said where one of them has no meaning."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emop3d_np import metrics

CLASSES = 4
answered = st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40)


def counted(pairs):
    """``accuracy, uar, f1`` of (truth, answer) pairs, one class after the other."""
    recalls, f1s = [], []
    for k in range(CLASSES):
        right = sum(truth == answer == k for truth, answer in pairs)
        there, named = sum(truth == k for truth, _ in pairs), sum(answer == k for _, answer in pairs)
        if there == 0:
            continue
        recalls.append(right / there)
        precision = right / named if named else 0
        f1s.append(2 * precision * recalls[-1] / (precision + recalls[-1]) if right else 0)
    accuracy = sum(truth == answer for truth, answer in pairs) / len(pairs)
    return accuracy, sum(recalls) / len(recalls), sum(f1s) / len(f1s)


@given(answered)
def test_figures_count_clip_by_clip(pairs):
    labels, answers = np.array(pairs).T
    scores = np.eye(CLASSES)[answers]
    found = metrics.figures(scores, labels)
    assert [found[name] for name in ("accuracy", "uar", "f1")] == pytest.approx(counted(pairs), abs=1e-12)
    assert (found["auc"] is None) == (len(set(labels)) == 1)

    # The same, batch by batch, as plain values that JSON can hold.
    evaluation = metrics.Evaluation(class_names=tuple("abcd"))
    for start in range(0, len(labels), 7):
        evaluation.add(1.0, scores[start : start + 7], labels[start : start + 7])
    text = json.dumps(evaluation.as_dict(), allow_nan=False)
    assert {name: json.loads(text)[name] for name in found} == pytest.approx(found, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=30))
def test_auc_of_logits_is_that_of_probabilities(rows):
    """Of more than two classes a logit says little by itself: clips are compared by their probabilities."""
    labels, first, second = np.array(rows).T
    logits = np.column_stack([first, second, np.zeros_like(first)]).astype(float)
    evaluation = metrics.Evaluation(class_names=tuple("abc"))
    evaluation.add(0.0, logits, labels)
    areas = []
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for k in range(3):
        pairs = [(x, y) for x, own in zip(shares[:, k], labels == k, strict=True) if own
                 for y, other in zip(shares[:, k], labels != k, strict=True) if other]  # fmt: skip
        if pairs:
            areas.append(np.mean([(x > y) + 0.5 * (x == y) for x, y in pairs]))
    assert evaluation.auc == (pytest.approx(np.mean(areas), abs=1e-9) if areas else None)


def test_figures_in_words():
    known = {"accuracy": 0.5, "uar": 0.25, "f1": 0.2, "auc": 0.75}
    assert metrics.in_words(known) == "accuracy 50.0 %, AUC 0.750, UAR 25.0 %, macro F1 20.0 %"
    assert "AUC -," in metrics.in_words(known | {"auc": None})
