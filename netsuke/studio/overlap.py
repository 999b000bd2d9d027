"""Runs of a draft that stand word for word in the material."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

FEWEST_WORDS = 8  # in a row
_WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True)
class Overlap:
    """A run of a draft, by character, and the document that has the same words in the same order."""

    start: int
    end: int
    words: int
    path: str


class Material:
    """The words of documents, to look runs up in."""

    def __init__(self, documents: Mapping[str, str]) -> None:
        self._texts = {path: f" {' '.join(words(text))} " for path, text in documents.items()}

    def overlaps(self, draft: str, fewest: int = FEWEST_WORDS) -> list[Overlap]:
        """The longest such runs of at least so many words, in order, none inside another."""
        found, at = [], 0
        places = [(word.start(), word.end()) for word in _WORD.finditer(draft)]
        spoken = words(draft)
        while at + fewest <= len(spoken):
            path = self._holder(spoken[at : at + fewest])
            if path is None:
                at += 1
                continue
            length = fewest
            while at + length < len(spoken) and (longer := self._holder(spoken[at : at + length + 1], path)):
                path, length = longer, length + 1
            found.append(Overlap(places[at][0], places[at + length - 1][1], length, path))
            at += length
        return found

    def _holder(self, run: list[str], first: str | None = None) -> str | None:
        """A document with this run of words; `first` is looked into before the others."""
        wanted = f" {' '.join(run)} "
        if first and wanted in self._texts[first]:
            return first
        return next((path for path, text in self._texts.items() if wanted in text), None)


def words(text: str) -> list[str]:
    """The words of a text, case and punctuation aside."""
    return [found.casefold() for found in _WORD.findall(text)]
