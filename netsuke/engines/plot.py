"""Pictures as SVG: no script, no outside reference, the same numbers give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..terminal import printable

# Text stays text, in the reader's own font; names inside the file do not depend on the day.
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "netsuke", "font.family": "sans-serif", "font.size": 10}
INK = "#777777"  # reads on light and on dark


@dataclass(frozen=True)
class Series:
    """Points (x, y) of one kind, and what to write beside each ("" for nothing)."""

    name: str
    points: Sequence[tuple[float, float]]
    labels: Sequence[str] = ()
    colour: str = "#c2410c"
    line: bool = False
    hollow: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    title: str
    x: str
    y: str
    series: Sequence[Series]
    powers: bool = False  # of ten, on the axis of x


def svg(panels: Sequence[Panel], width_inches: float = 5.0, height_inches: float = 3.8) -> str:
    """The panels side by side."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_inches * len(panels), height_inches), layout="constrained")
        figure.patch.set_alpha(0)
        for panel, axes in zip(panels, figure.subplots(1, len(panels), squeeze=False)[0], strict=True):
            _draw(panel, axes)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def _draw(panel: Panel, axes: Axes) -> None:
    axes.set_title(panel.title, color=INK)
    axes.set_xlabel(panel.x, color=INK)
    axes.set_ylabel(panel.y, color=INK)
    axes.patch.set_alpha(0)
    axes.tick_params(colors=INK)
    axes.grid(alpha=0.2)
    axes.margins(0.1)
    if panel.powers:
        axes.set_xscale("log")
    for side in axes.spines.values():
        side.set_color(INK)
    for series in panel.series:
        xs, ys = zip(*series.points, strict=True) if series.points else ((), ())
        axes.plot(
            xs, ys, color=series.colour, label=series.name, marker="o", markersize=5,
            linestyle="-" if series.line else "none", markerfacecolor="none" if series.hollow else series.colour,
        )  # fmt: skip
        for label, point in zip(series.labels, series.points, strict=False):
            axes.annotate(printable(label), point, textcoords="offset points", xytext=(5, 5), color=INK, fontsize=8,
                          parse_math=False)  # fmt: skip
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
