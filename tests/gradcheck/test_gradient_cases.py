"""The cases for gradient checkers: every wrong one has a right twin, and the page on them says what was found."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
import gradient_table
from gradient_cases import CASES, twin
from gradient_truth import difference

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.once

WRONG = [case for case in CASES if not case.right]
ON_THE_SAME_CALL = (
    "square",
    "sine",
    "weighted sine",
    "a cache by value",
    "exp(x) - 1",
    "batch norm with running means",
)
"""Wrong by state, memory, or from call to call: one plain call may give the right gradient."""


def test_every_name_is_there_once():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_a_wrong_case_is_its_twin_with_another_gradient(case):
    if any(each.size > 10_000 for each in case.make()[2]):
        return
    gap = difference(case)
    assert gap != "inputs differ"
    if not case.name.startswith(ON_THE_SAME_CALL):
        assert isinstance(gap, str) or gap > 1e-13


def test_a_case_is_made_anew_each_time():
    for case in CASES:
        if "000" not in case.name:
            one, other = case.make()[2], case.make()[2]
            assert not any(np.shares_memory(a, b) for a, b in zip(one, other, strict=True))
            assert all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def everybody(passed):
    return {case.name: {"passed": passed(case), "seconds": 0.25} for case in CASES}


def test_who_rejects_everything_wins_no_pair():
    row = gradient_table.summary({"strict": everybody(lambda case: False)})["strict"]
    right = sum(case.right for case in CASES)
    assert row["pairs"] == 0
    assert (row["caught"], row["missed"]) == (len(WRONG), 0)
    assert row["false alarms, float64"] + row["false alarms, float32"] == right
    assert row["false alarms, float32"] == sum(case.right and case.single for case in CASES) > 0


def test_who_is_always_right_wins_all_pairs():
    rows = gradient_table.summary({
        "best": everybody(lambda case: case.right), "asleep": everybody(lambda case: None)
    })  # fmt: skip
    assert rows["best"]["pairs"] == rows["best"]["caught"] == len(WRONG)
    assert rows["best"]["seconds"] == pytest.approx(0.25 * len(CASES), abs=0.06)
    assert (rows["asleep"]["pairs"], rows["asleep"]["undecided"]) == (0, len(CASES))


def test_a_pair_needs_both():
    lost = WRONG[0]
    accepted = gradient_table.summary({"a": everybody(lambda case: case.right or case is lost)})["a"]
    assert (accepted["pairs"], accepted["missed"]) == (len(WRONG) - 1, 1)
    alarmed = gradient_table.summary({"a": everybody(lambda case: case.right and case is not twin(lost))})["a"]
    assert alarmed["pairs"] == sum(twin(case) is not twin(lost) for case in WRONG) < len(WRONG)


def test_what_all_miss_is_named():
    results = {"a": everybody(lambda case: True), "b": everybody(lambda case: None if case is WRONG[1] else False)}
    assert gradient_table.missed_by_all(results) == [WRONG[1].name]
    assert gradient_table.mistaken(results, "b") == [case.name for case in CASES if case.right or case is WRONG[1]]


def test_the_page_says_what_was_found():
    report = json.loads((ROOT / "docs" / "planted_gradients.json").read_text())
    for checker, verdicts in report["results"].items():
        assert list(verdicts) == [case.name for case in CASES], f"{checker}: run make bench-gradients"
    assert report["summary"] == gradient_table.summary(report["results"])
    assert (ROOT / "docs" / "planted_gradients.md").read_text() == gradient_table.page(report)
