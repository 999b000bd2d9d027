"""An answer: verbatim quotes, each with its place, or that nothing was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import RecipeError, StoreError
from ..store import hash_file
from .find import Index
from .quotes import Quote, quote

FILE = "search.db"
LONGEST = 2_000  # characters of a question
MOST = 10  # quotes


@dataclass(frozen=True)
class Answer:
    """The quotes whose support is enough, the best first; none of them where nothing was found."""

    question: str
    quotes: tuple[Quote, ...]
    nearest: float  # support of the first that there is, shown or not
    threshold: float

    @property
    def row(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "question": self.question, "found": bool(self.quotes), "quotes": [one.row for one in self.quotes],
            "nearest_support": round(self.nearest, 4), "threshold": self.threshold,
        }  # fmt: skip


def answer(index: Index, text: str, most: int = 3) -> Answer:
    """What the documents say about a question. Raises RecipeError for one that is too long, StoreError for damage."""
    if len(text) > LONGEST:
        raise RecipeError(f"the question has {len(text):,} characters", hint=f"ask in at most {LONGEST:,}")
    with index.explained():
        threshold = float(index.about["support"]["threshold"])
        question = index.question(text)
        hits, shown, nearest = index.search(question, most=MOST), list[Quote](), 0.0
        for rank, hit in enumerate(hits):
            one = quote(index, question, hit)
            if not rank:
                nearest = one.support
            if nearest < threshold:  # the first tells whether there is an answer
                break
            if one.support >= threshold and one.text not in {other.text for other in shown}:
                shown.append(one)
            if len(shown) == most:
                break
    return Answer(text, tuple(shown), nearest, threshold)


def open_pack(folder: Path, record: Mapping[str, Any], name: str) -> Index:
    """The documents of a pack, found to be the very file that its manifest lists.

    Raises StoreError where it has none (a shared pack never does) or another.
    """
    facts, path = record["files"].get(FILE), folder / FILE
    if facts is None:
        hint = "a shared pack leaves the documents at home; a pack made before they were searched: make it again"
        raise StoreError(f"{name} holds no documents to search", where=str(folder), hint=hint)
    if path.is_symlink() or not path.is_file() or hash_file(path) != facts["sha256"]:
        raise StoreError(f"{FILE} is not what the pack says it is", where=str(folder), hint="`netsuke verify`")
    return Index(path)
