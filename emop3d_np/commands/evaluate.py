"""Test a trained network, or the mean of several, on clips: accuracy, AUC, UAR, macro F1, calibration, confusion."""

import argparse
import sys
from typing import Any

from ..errors import InputError
from ..launchers import EXECUTORS
from .shared_arguments import add_answering, add_clips, executor

EXAMPLE = "evaluate train_dir/20261126-120000 clips.npy --labels labels.npy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The networks, the clips, how they answer, where the result goes."""
    add = parser.add_argument
    add(
        "checkpoint",
        nargs="+",
        metavar="RUN",
        help="folder of a run (its best network, where it has one), or a checkpoint; of several, probabilities are "
        "averaged",
    )
    add_clips(parser, part="test")
    add_answering(parser)
    add(
        "--fit_temperature",
        metavar="VAL",
        help="fit the temperature first, on other clips that the runs were not trained on (of a MedMNIST set the "
        "validation split), and use it",
    )
    add("--fit_labels", metavar="LABELS", help="their labels, where VAL is an .npy or a folder of parts")
    add("--executor", type=executor, help=f"who works on the clips, of a large set: {EXECUTORS} (this process)")
    add("--json", help="write the result to this file")
    add("--picture", help="file to draw the reliability curve and the confusion matrix to, .png for example")


def run(given: argparse.Namespace) -> None:
    """Print the result."""
    from ..files import as_json, output, require_apart
    from ..training.evaluation import evaluate_checkpoint
    from ..training.metrics import in_words

    if given.fit_temperature and given.temperature:
        raise InputError("--temperature and --fit_temperature: give one of them, the second finds the first")
    if given.fit_labels and not given.fit_temperature:
        raise InputError(f"--fit_labels {given.fit_labels}: --fit_temperature, the clips they belong to, is missing")
    read = [*given.checkpoint, given.clips, given.labels, given.fit_temperature, given.fit_labels]
    require_apart({"--json": given.json, "--picture": given.picture}, read)
    result = evaluate_checkpoint(
        given.checkpoint, given.clips, given.labels, given.part, moved=given.moved,
        temperature=given.temperature or 1.0,
        fit=(given.fit_temperature, given.fit_labels) if given.fit_temperature else None,
        executor=given.executor,
    )  # fmt: skip
    print(f"{_who(result)} on {result['set']}, {result['clips']} clips:")
    print(result.pop("table"))
    print(f"{in_words(result)}, loss {result['loss']:.4f}, {_calibration(result)}")
    if "untempered" in result:
        fitted = f", fitted on {given.fit_temperature} (--temperature applies it)" if given.fit_temperature else ""
        before = result["untempered"]
        print(
            f"temperature {result['temperature']:.4f}{fitted}; at 1: loss {before['loss']:.4f}, {_calibration(before)}"
        )
    for note in result["notes"]:
        print(f"note: {note}", file=sys.stderr)
    if given.json:
        with output(given.json) as path:
            path.write_text(as_json(result, indent=2) + "\n")
    if given.picture:
        from ..report import draw_evaluation

        draw_evaluation(result, given.picture)
        print(f"drawn: {given.picture}")


def _calibration(result: dict[str, Any]) -> str:
    """The calibration error, in words; "-" for what is not finite."""
    return f"calibration error {'-' if result['ece'] is None else format(100 * result['ece'], '.1f')} %"


def _who(result: dict[str, Any]) -> str:
    """Who answered, in words."""
    runs = result["checkpoint"]
    who = runs if isinstance(runs, str) else f"the mean of {len(runs)} runs ({', '.join(runs)})"
    return who if result["moved"] == 1 else f"{who}, {result['moved']} moved copies of each clip,"
