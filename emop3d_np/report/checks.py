"""What a run, a cross-validation and a sweep have logged is looked through before it is drawn."""

from collections.abc import Mapping
from typing import Any

from ..datasets.classes import require_names
from ..reading import is_number, is_whole, require

MOST = 10_000
"""Folds, combinations or classes that a picture can have, and more."""


def require_history(rows: list[dict[str, Any]], where: str) -> None:
    """Refuse rows of ``history.jsonl`` that no training has logged.

    Raises:
        InputError: an epoch, a loss or an accuracy is no number; None, which stands for what was not finite, is one.
    """
    for number, row in enumerate(rows, 1):
        require(is_number(row.get("epoch")), where, f"epoch of line {number}", row.get("epoch"))
        for name, value in row.items():
            if name.endswith(("_loss", "_accuracy")):
                fits = value is None or (is_number(value) and abs(value) < 1e300)
                require(fits, where, f"{name} of line {number}", value)


def require_test(test: Mapping[str, Any], where: str) -> None:
    """Refuse a row of ``tests.jsonl`` that no training has logged.

    Raises:
        InputError: a value cannot be.
    """
    _require(test, where, epoch=is_number, clips=is_whole, accuracy=_is_share)
    _require_confusion(test, where)


def require_folds(result: Mapping[str, Any], where: str) -> None:
    """Refuse what no cross-validation writes to ``folds.json``.

    Raises:
        InputError: a value cannot be.
    """
    _require_names_of(result, where)
    _require(result, where, clips=is_whole, clip_accuracy=_is_mean, video_accuracy=_is_mean, per_fold=_is_list_of_dicts)
    rows = result["per_fold"]
    require(len(rows) == result["folds"], where, "per_fold", rows)
    for row in rows:
        _require(row, where, fold=_is_count, clip_accuracy=_is_share, video_accuracy=_is_share)
    _require_confusion(result, where)
    recall, unseen = result.get("recall"), result.get("unseen", {})
    shares = recall if isinstance(recall, dict) else {}
    fits = list(shares) == result["class_names"] and all(each is None or _is_share(each) for each in shares.values())
    require(fits, where, "recall", recall)
    require(isinstance(unseen, dict) and set(unseen) <= set(shares), where, "unseen", unseen)


def require_sweep(result: Mapping[str, Any], where: str) -> None:
    """Refuse what no sweep writes to ``sweep.json``.

    Raises:
        InputError: a value cannot be.
    """
    _require_names_of(result, where)
    _require(result, where, combinations=_is_list_of_dicts)
    for row in result["combinations"]:
        _require(row, where, clip_accuracy=_is_mean, name=_is_text)
        shares = row.get("per_fold")
        fits = isinstance(shares, list) and len(shares) == result["folds"] and all(map(_is_share, shares))
        require(fits, where, f"per_fold of {row['name']}", shares)


def _require(values: Mapping[str, Any], where: str, **tests: Any) -> None:
    """Raises InputError where a value that must be there is none that its test takes."""
    for name, test in tests.items():
        require(test(values.get(name)), where, name, values.get(name))


def _require_names_of(result: Mapping[str, Any], where: str) -> None:
    """What folds and sweeps say of themselves, above the picture."""
    warning = result.get("warning")
    require(warning is None or isinstance(warning, str), where, "warning", warning)
    _require(result, where, folds=_is_count, protocol=_is_text, data=_is_text)


def _require_confusion(test: Mapping[str, Any], where: str) -> None:
    """A matrix of counts, a row and a column for each class."""
    names: Any = test.get("class_names")
    counts: Any = test.get("confusion")
    fits = isinstance(names, list) and names and all(map(_is_text, names))
    require(bool(fits), where, "class_names", names)
    require_names(names, where)
    fits = isinstance(counts, list) and len(counts) == len(names)
    fits = fits and all(isinstance(row, list) and len(row) == len(names) and all(map(is_whole, row)) for row in counts)
    require(fits, where, "confusion", counts)


def _is_count(value: Any) -> bool:
    return is_whole(value, 1, MOST)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_share(value: Any) -> bool:
    return is_number(value) and 0 <= value <= 1


def _is_mean(value: Any) -> bool:
    """A mean with an interval, which may reach beyond what can be."""
    if not isinstance(value, dict) or not _is_share(value.get("mean")):
        return False
    interval = value.get("interval")
    return isinstance(interval, list) and len(interval) == 2 and all(map(is_number, interval))


def _is_list_of_dicts(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MOST and all(isinstance(row, dict) for row in value)
