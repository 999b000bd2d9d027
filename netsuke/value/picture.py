"""What each was worth, as a picture: Shapley values with their intervals, and documents by influence and BM25."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..engines import plot

GREY, GREEN = "#6b7280", "#15803d"
LONGEST = 24  # characters of a name


def picture(content: Mapping[str, Any]) -> str:
    """SVG of value.json: the units one above the other, the best on top; and a point for each document."""
    panels = [_units(content["units"])] if content["units"] else []
    documents = [row for row in content["documents"] if row["influence"] is not None]
    if documents:
        panels.append(_documents(documents))
    return plot.svg(panels)


def _units(rows: Sequence[Mapping[str, Any]]) -> plot.Panel:
    ordered = sorted(rows, key=lambda row: (row["shapley"], row["name"]))
    places = {row["name"]: place for place, row in enumerate(ordered, 1)}
    worth = plot.Series("Shapley, with 95%", [(row["shapley"], places[row["name"]]) for row in ordered],
                        [short(row["name"]) for row in ordered])  # fmt: skip
    spans = [
        plot.Series("", [(end, places[row["name"]]) for end in (row["low"], row["high"])], line=True)
        for row in ordered if row["low"] is not None
    ]  # fmt: skip
    alone = plot.Series("leave one out", [(-row["without"], places[row["name"]]) for row in ordered],
                        colour=GREY, hollow=True)  # fmt: skip
    return plot.Panel("What each was worth", "bits per byte saved on valid", "", [worth, *spans, alone])


def _documents(rows: Sequence[Mapping[str, Any]]) -> plot.Panel:
    best = {row["row"] for row in sorted(rows, key=lambda row: -row["influence"])[:3]}
    points = [(row["bm25"], row["influence"]) for row in rows]
    labels = [short(row["path"]) if row["row"] in best else "" for row in rows]
    series = [plot.Series("documents", points, labels, colour=GREEN)]
    return plot.Panel("Each document", "BM25 with the valid text", "influence, bits", series)


def short(name: str) -> str:
    """A name that fits beside a point."""
    return name if len(name) <= LONGEST else f"…{name[1 - LONGEST :]}"
