"""Error maps: where in every array backward is off, and to which side. Needs matplotlib, the extra ``plots``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kernels.arrays import FloatArray

from ..report.figure import pyplot, save
from .report import Report

QUANTILE = 0.95
"""Full colour is the error that this share of the wrong values do not exceed, so that one of them does not hide all."""


def draw_errors(reports: Mapping[str, Report], picture: str | Path) -> None:
    """Draw the reports' error maps: a row per report, an image per input, with its verdict.

    Red is too large and blue too small, white right, grey not known.

    Args:
        reports: by name.
        picture: file to write; the ending gives the format.

    Raises:
        InputError: matplotlib is missing, or the file cannot be written.
    """
    figure = error_maps(reports)
    save(figure, picture)
    pyplot().close(figure)


def error_maps(reports: Mapping[str, Report]) -> Any:
    """The figure of :func:`draw_errors`."""
    plt = pyplot()
    columns = max(len(report.inputs) for report in reports.values())
    figure, axes = plt.subplots(
        len(reports), columns, figsize=(3.2 * columns, 3.4 * len(reports)), layout="constrained", squeeze=False
    )
    colours = plt.get_cmap("RdBu_r").with_extremes(bad="0.85")
    for row, (name, report) in zip(axes, reports.items(), strict=True):
        for ax in row[len(report.inputs) :]:
            ax.set_axis_off()
        for i, (ax, each) in enumerate(zip(row, report.inputs, strict=False)):
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"{name}: {each.name}\n{each.verdict}", fontsize=8)
            errors = signed_errors(report, i)
            if errors is None or not errors.size:
                continue
            scale = full_colour(errors)
            ax.imshow(as_image(errors), cmap=colours, vmin=-scale, vmax=scale, aspect="auto", interpolation="nearest")
            if np.nan_to_num(errors).any():
                ax.set_xlabel(f"red: too large, blue: too small, by {scale:.2g}", fontsize=7)
    return figure


def signed_errors(report: Report, i: int) -> FloatArray | None:
    """What backward says of input ``i`` less what it should say; 0 where it is right, NaN where that is not known."""
    ratios = report.ratios[i]
    if i in report.errors or ratios is None:
        return report.errors.get(i)
    right: FloatArray = np.where(ratios <= 1, 0.0, np.nan)
    return right


def full_colour(errors: FloatArray) -> float:
    """The error of full colour: a quantile of those that are more than rounding beside the largest."""
    sizes = np.abs(errors[np.isfinite(errors)])
    sizes = sizes[sizes > np.finfo(np.float32).eps * sizes.max(initial=0)]
    return float(np.quantile(sizes, QUANTILE)) if sizes.size else 1.0


def as_image(values: FloatArray) -> FloatArray:
    """Any array as a picture of planes side by side.

    Of five axes (i, h, w, c, f) images of h x w, ``f`` down and ``i, c`` across; of four axes (f, c, h, w) ``f`` down
    and ``c`` across; of three axes (n, h, w) ``n`` across.
    """
    if values.ndim == 5:
        i, h, w, c, f = values.shape
        return values.transpose(4, 1, 0, 3, 2).reshape(f * h, i * c * w)
    if values.ndim == 4:
        f, c, h, w = values.shape
        return values.transpose(0, 2, 1, 3).reshape(f * h, c * w)
    if values.ndim == 3:
        n, h, w = values.shape
        return values.transpose(1, 0, 2).reshape(h, n * w)
    return values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values.reshape(1, -1)
