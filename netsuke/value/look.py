"""The influence of every document of a model, beside what loss and BM25 alone would say of it."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..documents import Lesson, read_texts
from ..engines import hf
from ..step import Progress
from . import Looking, slopes
from .game import Held, Mixture
from .likeness import bm25

SHORTEST = 400  # bytes of a document that are read at least


def documents(
    params: Looking, model: Path, adapter: Path, units: Sequence[Mapping[str, Any]], train: Path, valid: Path
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """Yields progress; returns a row for each piece of each unit: {"row", "influence", "loss", "bm25", "read"}.

    `influence`: bits that its loss falls by for every bit that valid's falls by; `loss`: bits per byte once learnt.
    """
    texts = read_texts(train)
    rows = [piece["row"] for unit in units for piece in unit["pieces"]]
    share = params.document_bytes / max(1, sum(len(texts[row].encode()) for row in rows))
    fronts = [front(texts[row], share) for row in rows]
    held, mixture = Held.of(model, valid, params.valid_bytes), Mixture(model, [adapter])
    opened = hf.open_texts(model, fronts, answers=True)
    falls: Sequence[float] = ()
    losses: Sequence[float] = ()
    for item in slopes.learnt(mixture, held.texts, opened, params.scales):
        if isinstance(item, Progress):
            yield replace(item, fraction=0.02 + 0.9 * item.fraction)
        else:
            falls, losses = item
    yield Progress(0.95, "BM25")
    likeness = bm25([str(texts[row]) for row in rows], read_texts(valid))
    whole = [len(texts[row].encode()) / max(1, len(text.encode())) for row, text in zip(rows, fronts, strict=True)]
    return [
        {"row": row, "influence": fall * times, "loss": loss / one.bytes, "bm25": like, "read": 1 / times}
        for row, fall, loss, like, times, one in zip(rows, falls, losses, likeness, whole, opened, strict=True)
    ]


def front(text: str, share: float) -> str:
    """The front of a document, of this share; a lesson stays whole, since only its end is learnt."""
    if share >= 1 or isinstance(text, Lesson):
        return text
    data = text.encode()
    return data[: max(SHORTEST, int(len(data) * share))].decode(errors="ignore")
