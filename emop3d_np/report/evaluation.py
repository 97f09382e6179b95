"""What was found in a test as a picture: how far the probabilities can be trusted, and what is taken for what."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .figure import pyplot, save
from .runs import draw_confusion


def draw_evaluation(result: Mapping[str, Any], picture: str | Path) -> None:
    """Draw the reliability curve of a test, how many answers it rests on, and the confusion matrix.

    The curve is the share of right answers over their mean probability, bin by bin; of perfectly calibrated answers it
    is the diagonal.  Where a temperature was applied, the curve without it is drawn beside.

    Args:
        result: as :func:`emop3d_np.training.evaluation.evaluate_checkpoint` returns it.
        picture: file to write; its ending gives the format.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    plt = pyplot()
    figure, (curve, matrix) = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
    shown = [("calibration error", result, "C0")]
    if "untempered" in result:
        shown.append(("at temperature 1:", result["untempered"], "C1"))
    counts = np.array(result["reliability"]["counts"])
    edges = np.linspace(0, 1, len(counts) + 1)
    curve.bar(edges[:-1], counts / counts.sum(), 1 / len(counts), align="edge", color="0.85", label="share of answers")
    curve.plot([0, 1], [0, 1], ":", color="0.4")
    for label, one, colour in shown:
        filled = [share is not None for share in one["reliability"]["accuracy"]]
        points = (np.array(one["reliability"][what], float)[filled] for what in ("confidence", "accuracy"))
        error = "-" if one["ece"] is None else f"{100 * one['ece']:.1f} %"
        curve.plot(*points, "o-", color=colour, label=f"{label} {error}")
    curve.set(xlabel="probability of the answer", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
    curve.set_title(f"temperature {result['temperature']:.3g}")
    curve.legend(loc="upper left")
    draw_confusion(matrix, result, f"{100 * result['accuracy']:.1f} % of {result['clips']}")
    save(figure, picture)
    plt.close(figure)
