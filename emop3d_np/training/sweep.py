"""``python -m emop3d_np sweep``: which of a few settings does best, told by folds of the training set alone.

The folder ``SAVE_PATH/sweep`` holds a folder for each combination, ``learning_rate=0.001,weight_decay=0`` for example,
with its cross-validation as ``run.py --folds`` leaves it; all combinations have the same folds.  ``sweep.json`` and
``sweep.md`` compare them.
"""

import shlex
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from .. import files
from ..errors import InputError
from ..locks import Busy, one_of_several_writers, only_writer
from ..tasks import Share
from . import flags
from .crossvalidation import CrossValidation, as_percent, mean_interval, train_side_by_side
from .side_by_side import require_all

REFUSED = {
    "val_path": "a sweep chooses by folds of --train_path and never looks at other clips",
    "val_labels_path": "a sweep chooses by folds of --train_path and never looks at other clips",
    "fold": "a sweep trains all folds of every combination; --task I/N is a share of them",
    "resume": "a sweep goes on when its command is repeated",
}


def sweep(arguments: Sequence[str], share: Share | None = None) -> None:
    """Cross-validate every combination of the listed settings, and compare them.

    Args:
        arguments: flags of ``run.py``; those of the network and the training may list several values.
        share: of the folds of all combinations, those that are trained; then the last one to finish compares them.
            Default None, all.

    Raises:
        InputError: a combination is not valid, which is told before the first one trains, or a fold failed.
        KeyboardInterrupt: the user stopped it; the same command goes on.
    """
    lists = flags.parse_lists(arguments)
    for name, why in REFUSED.items():
        if lists.get(name, [None]) != [None]:
            raise InputError(f"--{name} {flags.show(lists[name][0])}: leave it out; {why}")
    if lists.get("folds", [None]) == [None]:
        raise InputError("--folds is missing: in how many folds is each combination tested? for example --folds 5")
    varied = [name for name, values in lists.items() if len(values) > 1]
    if not varied:
        raise InputError(
            "no flag lists several values, so there is nothing to compare; list some, for example "
            "--learning_rate 0.001,0.003, or cross-validate these settings by python run.py"
        )
    shared = flags.merge({name: values[0] for name, values in lists.items()})
    folder = Path(shared.save_path) / "sweep"
    combinations: dict[str, CrossValidation] = {}
    for values in product(*lists.values()):
        given = dict(zip(lists, values, strict=True))
        name = ",".join(f"{each}={flags.show(given[each])}" for each in varied)
        try:
            combinations[name] = CrossValidation(given | {"save_path": str(folder / name)})
        except InputError as error:
            raise InputError(f"{error} (seen with {name})") from None

    print(f"{len(combinations)} combinations, each in {shared.folds} folds")
    if share:
        with one_of_several_writers(folder):
            require_all(train_side_by_side(combinations, shared, folder, share))
        waiting = sum(len(folds.waiting) for folds in combinations.values())
        if waiting:
            print(f"folds not finished yet: {waiting}; the last task to finish compares the combinations")
            return
    try:
        with only_writer(folder):
            _compare(combinations, varied, folder, {} if share else train_side_by_side(combinations, shared, folder))
    except Busy as error:
        if not share:
            raise
        print(f"{error}; it compares the combinations")


def _compare(
    combinations: Mapping[str, CrossValidation], varied: Sequence[str], folder: Path, failures: Mapping[str, str]
) -> None:
    """Write to ``folder`` what the finished ones of all combinations, by name, say of ``varied``; tell what failed."""
    finished = {name: folds for name, folds in combinations.items() if not folds.waiting}
    if finished:
        result = compare(finished, varied, len(combinations), failures)
        files.write_text(folder / "sweep.json", files.as_json(result, indent=2) + "\n")
        text = as_markdown(result)
        files.write_text(folder / "sweep.md", text)
        print(f"\n{text}\nresults are in {folder}; a picture: python -m emop3d_np report {folder} sweep.png")
    require_all(failures)


def compare(
    combinations: Mapping[str, CrossValidation], varied: Sequence[str], count: int, failures: Mapping[str, str]
) -> dict[str, Any]:
    """What the finished combinations say, the best first.

    Args:
        combinations: CrossValidation by name, each with all its folds finished.
        varied: names of the settings they differ in.
        count: how many combinations there are, with those that are not finished.
        failures: the last line of output of each fold that failed, by the fold's name.

    Returns:
        Plain values, as ``sweep.json`` holds them.  ``behind`` is the mean over folds of how much better the
        first combination did in that very fold, with Student's 95 % interval.
    """
    rows: list[dict[str, Any]] = []
    for name, folds in combinations.items():
        with only_writer(folds.folder):  # a fold that was killed as it gathered the results left something there
            result = folds.results()
        accuracies = [fold["clip_accuracy"] for fold in result["per_fold"]]
        rows.append(
            {
                "settings": {each: getattr(folds.settings, each) for each in varied},
                "folder": str(folds.folder),
                **{f"{unit}_accuracy": result[f"{unit}_accuracy"] for unit in ("clip", "video")},
                "deviation": float(np.std(accuracies, ddof=1)),
                "per_fold": accuracies,
                "name": name,
            }
        )
    rows.sort(key=lambda row: -row["clip_accuracy"]["mean"])
    for row in rows:
        row["behind"] = mean_interval(np.subtract(rows[0]["per_fold"], row["per_fold"]))
    best = combinations[rows[0]["name"]]
    folding = ("folds", "fold_jobs", "executor", "fold_protocol", "save_path")
    own = {name: value for name, value in best.given.items() if name not in folding}
    return {
        "data": result["data"],
        "folds": result["folds"],
        "protocol": result["protocol"],
        "warning": result["warning"],
        "note": (
            f"The first row's figure is optimistic: of {count} combinations it was chosen for being the highest on "
            "these very folds. Judge it on data held out, of people that are in none of them:"
        ),
        "command": f"python run.py {shlex.join(flags.arguments(own))} --val_path HELD_OUT",
        "combinations": rows,
        "failures": failures,
    }


def as_markdown(result: Mapping[str, Any]) -> str:
    """The comparison, as of :func:`compare`, in Markdown: a row per combination, what failed, how to judge the best."""
    names = list(result["combinations"][0]["settings"])
    lines = [f"# Settings compared by {result['folds']} folds by {result['protocol']}: {result['data']}", ""]
    if result["warning"]:
        lines += [f"**Warning:** {result['warning']}", ""]
    heads = [
        *names,
        "accuracy per clip",
        "lowest to highest fold",
        "deviation of folds",
        "behind the first, fold by fold",
    ]
    lines += [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in result["combinations"]:
        low, high = (100 * limit(row["per_fold"]) for limit in (min, max))
        cells = [*map(flags.show, row["settings"].values()), as_percent(row["clip_accuracy"])]
        cells += [f"{low:.1f} to {high:.1f} %", f"{100 * row['deviation']:.1f} %"]
        cells.append("" if row is result["combinations"][0] else as_percent(row["behind"]))
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "± is half of Student's 95 % interval of the mean over folds."]
    lines += [f"\n**Failed:** {name}: {line}" for name, line in result["failures"].items()]
    lines += ["", result["note"], "", f"    {result['command']}"]
    return "\n".join(lines) + "\n"
