"""The answers to a video as a picture."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .figure import pyplot, save

if TYPE_CHECKING:
    from ..video.predict import Answer
    from ..video.track import Sighting


def draw_timeline(
    answers: "Sequence[Answer]", moments: "Sequence[Sighting]", names: Sequence[str], picture: str | Path
) -> None:
    """Draw the timeline of a video: faces above, and below them a band of probability per class.

    Nothing is drawn where no face was.

    Args:
        answers: at least one, in order.
        moments: faces to draw, in order; where it is empty, there is no row of faces.
        names: of the classes.
        picture: file to write; its ending gives the format.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    plt = pyplot()
    timed = np.isfinite(answers[0].start)
    middles = np.array([(a.start + a.end if timed else a.first_frame + a.last_frame) / 2 for a in answers])
    half = np.diff(middles).min() / 2 if len(answers) > 1 else 0.5
    # A band reaches half-way to the next clip; at the end of a run of clips its height falls to 0.
    edges, heights = [], []
    for i, answer in enumerate(answers):
        last = i == len(answers) - 1 or answers[i + 1].run != answer.run
        edges += [middles[i] - half] + [middles[i] + half] * (2 * last)
        heights += [answer.probabilities] + [answer.probabilities, 0 * answer.probabilities] * last
    figure = plt.figure(figsize=(11, 4.6), layout="constrained")
    row, bands = figure.subfigures(2, 1, height_ratios=(1, 3)) if moments else (figure, figure)
    ax = bands.subplots()
    ax.stackplot(edges, np.transpose(heights), labels=names, step="post", colors=plt.colormaps["tab10"].colors)
    ax.set(xlabel="seconds" if timed else "frame", ylabel="probability", ylim=(0, 1), xlim=(edges[0], edges[-1]))
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5))
    if moments:
        for panel, seen in zip(np.atleast_1d(row.subplots(1, len(moments))), moments, strict=True):
            panel.imshow(seen.pixels, cmap="gray", vmin=0, vmax=255)
            panel.set(xticks=[], yticks=[])
            panel.set_title(f"{seen.time:.1f} s", fontsize=8)
    save(figure, picture)
    plt.close(figure)
