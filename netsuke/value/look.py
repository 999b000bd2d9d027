"""What each document does for the valid text, beside what loss and BM25 alone would say of it.

The in-run Shapley value of a text is, to first order, the product of its gradient with that of the valid text, summed
over the steps (arXiv 2406.11011). Such a product reads the same from either side: what a step on the text does for the
valid text, a step on the valid text does for the text (the mirrored influence hypothesis, arXiv 2402.08922). So one
adapter learns the valid text, in the steps and with the optimiser of the training itself, and each document is scored
without it and with it: two forward passes over the documents, whatever their number, and no gradient a document.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..engines import hf
from ..step import Progress
from ..texts.documents import Lesson, read_texts
from . import Looking
from .game import Mixture
from .likeness import bm25

SHORTEST = 400  # bytes of a document that are read at least


def documents(
    params: Looking, model: Path, mirror: Path, units: Sequence[Mapping[str, Any]], train: Path, valid: Path
) -> Generator[Progress, None, list[dict[str, Any]]]:
    """Yields progress; returns a row for each piece of each unit.

    {"row", "influence", "loss", "doubt", "bm25", "read"}: `influence`: bits that the valid text's adapter saves on it;
    `loss`: bits per byte without; `doubt`: see doubts; `read`: share looked at.
    """
    texts = read_texts(train)
    rows = [piece["row"] for unit in units for piece in unit["pieces"]]
    share = params.document_bytes / max(1, sum(len(texts[row].encode()) for row in rows))
    fronts = [front(texts[row], share) for row in rows]
    opened, mixture, scored = hf.open_texts(model, fronts, answers=True), Mixture(model, [mirror]), []
    for part, scale in enumerate((0.0, 1.0)):
        mixture.set([scale])
        found = yield from scores(mixture.model, opened, 0.02 + 0.47 * part)
        scored.append([score.bits for score in found])
    yield Progress(0.97, "BM25")
    likeness = bm25([str(texts[row]) for row in rows], read_texts(valid))
    return [
        {"row": row, "influence": (before - after) / read, "loss": before / one.bytes, "doubt": doubt, "bm25": like,
         "read": read}
        for row, before, after, doubt, like, read, one in zip(
            rows, *scored, doubts(fronts, scored[1]), likeness,
            map(read_share, fronts, [texts[row] for row in rows]), opened, strict=True
        )
    ]  # fmt: skip


def doubts(texts: Sequence[str], bits: Sequence[float]) -> list[float | None]:
    """How many bits more each answer takes, once the valid text is learnt, than the same answer does on the mean.

    None of documents, and of an answer that no other example has. Finds wrong labels as influence cannot (docs/log.md).
    """
    answers = [text[text.answer :].strip() if isinstance(text, Lesson) else None for text in texts]
    shared = defaultdict[str | None, list[float]](list)
    for answer, one in zip(answers, bits, strict=True):
        shared[answer].append(one)
    means = {answer: sum(all_) / len(all_) for answer, all_ in shared.items() if answer and len(all_) > 1}
    return [one - means[answer] if answer in means else None for answer, one in zip(answers, bits, strict=True)]


def scores(model: hf.Network, texts: Sequence[hf.Text], begin: float) -> Generator[Progress, None, list[hf.Score]]:
    """Yields progress from `begin` on; returns the score of each."""
    what = f"{len(texts)} documents"
    return (yield from hf.score_batches(model, texts, whole=True, what=what, begin=begin, share=0.47))


def front(text: str, share: float) -> str:
    """The front of a document, of this share; a lesson stays whole, since only its end is learnt."""
    if share >= 1 or isinstance(text, Lesson):
        return text
    data = text.encode()
    return data[: max(SHORTEST, int(len(data) * share))].decode(errors="ignore")


def read_share(read: str, whole: str) -> float:
    """How much of a text was read."""
    return len(read.encode()) / max(1, len(whole.encode()))
