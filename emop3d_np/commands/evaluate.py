"""Test a trained network on a set of clips: accuracy, AUC, UAR, macro F1, confusion matrix."""

import argparse
import sys

EXAMPLE = "evaluate train_dir/20261126-120000 clips.npy --labels labels.npy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The network, the clips, where the result goes."""
    parser.add_argument("checkpoint", help="folder of a run (its best network, where it has one), or a checkpoint")
    parser.add_argument("clips", help="clips: .npy, a prepared folder, or a 3D set of MedMNIST, .npz")
    parser.add_argument("--labels", help="labels of an .npy")
    parser.add_argument(
        "--part", choices=["train", "val", "test"], default="test", help="split of a MedMNIST set (test)"
    )
    parser.add_argument("--json", help="write the result to this file")


def run(given: argparse.Namespace) -> None:
    """Print the result."""
    from ..files import as_json, output, require_apart
    from ..training.evaluation import evaluate_checkpoint
    from ..training.metrics import in_words

    require_apart({"--json": given.json}, [given.checkpoint, given.clips, given.labels])
    result = evaluate_checkpoint(given.checkpoint, given.clips, given.labels, given.part)
    print(f"{result['checkpoint']} on {result['set']}, {result['clips']} clips:")
    print(result.pop("table"))
    print(f"{in_words(result)}, loss {result['loss']:.4f}")
    for note in result["notes"]:
        print(f"note: {note}", file=sys.stderr)
    if given.json:
        with output(given.json) as path:
            path.write_text(as_json(result, indent=2) + "\n")
