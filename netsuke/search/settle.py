"""How much support an answer needs: settled on questions cut out of valid documents, asked with and without those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..documents import evenly
from .asked import Asked
from .find import Index
from .quotes import Quote, quote

TARGET = 0.05  # of the answers that are shown, at most so many are wrong, where half the questions have none
FEWEST, MOST = 20, 150  # questions: with fewer nothing is settled
UNSETTLED = 0.6  # the support that is needed then


@dataclass(frozen=True)
class Tried:
    """The best answer to a question: its support, and whether it is right."""

    support: float
    right: bool


def best(index: Index, text: str, without: int = 0) -> Quote | None:
    """The first quote for a question, whatever its support."""
    question = index.question(text)
    hits = index.search(question, most=1, without=without)
    return quote(index, question, hits[0]) if hits else None


def tried(index: Index, asked: Sequence[tuple[int, Asked]]) -> list[Tried]:
    """Each question put twice: with its document, which is the only right answer, and without it, where none is."""
    found = []
    for document, one in asked:
        for without in (0, document):
            answer = best(index, one.question, without)
            right = answer is not None and answer.document == document and not without
            found.append(Tried(answer.support if answer else 0.0, right))
    return found


def settled(trials: Sequence[Tried]) -> dict[str, Any]:
    """The least support at which at most TARGET of the answers are wrong; how many are, and how many are given.

    Where no support does, that at which the fewest are wrong.
    """
    if len(trials) < 2 * FEWEST:
        return {"threshold": UNSETTLED, "questions": len(trials) // 2, "target": TARGET, "wrong": None, "coverage": None}
    points = []
    for threshold in sorted({round(one.support, 4) for one in trials}):
        wrong, coverage, shown = measured(trials, threshold)
        if shown >= max(5, len(trials) // 50):
            points.append((threshold, wrong, coverage))
    held = [point for point in points if point[1] <= TARGET]
    if not points:
        points = [(1.0, *measured(trials, 1.0)[:2])]
    threshold, wrong, coverage = held[0] if held else min(points, key=lambda point: (point[1], point[0]))
    return {"threshold": threshold, "questions": len(trials) // 2, "target": TARGET,
            "wrong": round(wrong, 4), "coverage": round(coverage, 4)}  # fmt: skip


def measured(trials: Sequence[Tried], threshold: float) -> tuple[float, float, int]:
    """(share of the shown answers that are wrong, share of the answerable questions answered rightly, shown)."""
    shown = [one for one in trials if one.support >= threshold]
    right = sum(one.right for one in shown)
    return (1 - right / len(shown) if shown else 0.0), 2 * right / max(len(trials), 1), len(shown)


def chosen(asked: Sequence[tuple[int, Asked]], more: Sequence[tuple[int, Asked]]) -> list[tuple[int, Asked]]:
    """At most MOST questions of valid documents; where those have few, others' beside them."""
    own = evenly(asked, MOST)
    return own if len(own) >= 2 * FEWEST else own + evenly(more, 2 * FEWEST - len(own))
