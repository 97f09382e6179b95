"""Error maps: where in every array how much of the allowed error is used. Needs matplotlib, the extra ``plots``."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kernels.arrays import FloatArray

from ..report.figure import pyplot, save
from .report import Report


def draw_ratios(reports: Mapping[str, Report], picture: str | Path) -> None:
    """Draw the reports' judged elements: a row per report, an image per input, grey where nothing was judged.

    Args:
        reports: by name.
        picture: file to write; the ending gives the format.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    plt = pyplot()
    columns = max(len(report.inputs) for report in reports.values())
    figure, axes = plt.subplots(
        len(reports), columns, figsize=(3 * columns, 3 * len(reports)), layout="constrained", squeeze=False
    )
    colours = plt.get_cmap("RdYlGn_r").with_extremes(bad="0.85")
    shown = None
    for row, (name, report) in zip(axes, reports.items(), strict=True):
        for ax in row[len(report.inputs) :]:
            ax.set_axis_off()
        for ax, each, ratios in zip(row, report.inputs, report.ratios, strict=False):
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"{name}: {each.name}", fontsize=8)
            if ratios is None or not ratios.size:
                continue
            with np.errstate(all="ignore"):
                image = np.log10(np.clip(as_image(ratios), 1e-6, 1e6))
            shown = ax.imshow(image, cmap=colours, vmin=-3, vmax=3, aspect="auto", interpolation="nearest")
    if shown is not None:
        bar = figure.colorbar(shown, ax=axes, shrink=0.6, ticks=[-3, 0, 3])
        bar.ax.set_yticklabels(["0.1 %", "allowed", "1000 x"], fontsize=8)
    save(figure, picture)
    plt.close(figure)


def as_image(values: FloatArray) -> FloatArray:
    """Any array as a picture: of five axes (i, h, w, c, f) images of h x w, ``f`` down and ``i, c`` across."""
    if values.ndim == 5:
        i, h, w, c, f = values.shape
        return values.transpose(4, 1, 0, 3, 2).reshape(f * h, i * c * w)
    return values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(1, -1)
