"""How much of a text's words the documents of a pack know; SQLite alone, no numpy and no model."""

from __future__ import annotations

import contextlib
import json
import random
import sqlite3
import threading
from collections.abc import Sequence
from pathlib import Path

from .words import STOP, Stems, opened, quoted, rarity, terms

MOST_CHARS = 2_000  # of a text, its end: it is looked at within a millisecond
MOST_TERMS = 500  # that are asked for at once


def ending(text: str) -> str:
    """The end of a text, of whole words where it has spaces."""
    if len(text) <= MOST_CHARS:
        return text
    end = text[-MOST_CHARS:]
    return end.split(maxsplit=1)[-1] if not text[-MOST_CHARS - 1].isspace() and " " in end else end


class Familiar:
    """The words of an open search.db, which is read and never written. One thread at a time is let in.

    Raises sqlite3.Error, ValueError where the database is none.
    """

    def __init__(self, path: Path) -> None:
        self._lock, self.stems, self._db = threading.Lock(), Stems(), opened(path)
        (told,) = self._db.execute("SELECT value FROM about WHERE name = 'passages'").fetchone() or ("0",)
        self.passages = int(json.loads(told))
        self._stops = {*self.stems.of(STOP)}

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        self.stems.close()

    def share(self, text: str) -> tuple[float, int] | None:
        """(0 to 1: the share of its words that a passage has, each weighed by how rare it is; how many words it has).

        Stop words aside, each word once. None for a text without such words.
        """
        listed = self._telling(terms(ending(text), self.stems))
        if not listed or not self.passages:
            return None
        with self._lock:
            return self._share(listed, self._known(listed), self.passages), len(listed)

    def pieces(self, lengths: Sequence[int], seed: int = 0) -> list[float]:
        """The same of pieces of the documents themselves, one of each length in words, by all documents but its own.

        So they stand for text of the owner's that the documents do not hold. An empty list where there is one document.
        """
        draw = random.Random(seed)
        with self._lock:
            spans = self._db.execute(
                "SELECT document, min(id), max(id) FROM passages GROUP BY document ORDER BY document"
            ).fetchall()
            found = []
            for length in lengths if len(spans) > 1 else ():
                _, first, last = draw.choice(spans)
                listed = self._piece(draw.randint(first, last), length, draw)
                if listed:
                    others = {term: self._outside(term, first, last) for term in listed}
                    found.append(self._share(listed, others, self.passages - (last - first + 1)))
            return found

    def _piece(self, passage: int, length: int, draw: random.Random) -> list[str]:
        query = (
            "SELECT substr(d.text, p.begin + 1, p.stop - p.begin) FROM passages p"
            " JOIN documents d ON d.id = p.document WHERE p.id = ?"
        )
        listed = self._telling(terms(str(self._db.execute(query, (passage,)).fetchone()[0]), self.stems))
        begin = draw.randint(0, max(0, len(listed) - length))
        return listed[begin : begin + length]

    def _telling(self, listed: list[str]) -> list[str]:
        return [term for term in dict.fromkeys(listed) if term not in self._stops]

    def _known(self, listed: Sequence[str]) -> dict[str, int]:
        """How many passages have each of these; what none has is left out."""
        known: dict[str, int] = {}
        for start in range(0, len(listed), MOST_TERMS):
            some = listed[start : start + MOST_TERMS]
            marks = ",".join("?" * len(some))
            known |= dict(self._db.execute(f"SELECT term, passages FROM terms WHERE term IN ({marks})", some))
        return known

    def _outside(self, term: str, first: int, last: int) -> int:
        """How many passages beside those from `first` to `last` have a word."""
        query = "SELECT count(*) FROM found WHERE found MATCH ? AND (rowid < ? OR rowid > ?)"
        return int(self._db.execute(query, (quoted(term), first, last)).fetchone()[0])

    def _share(self, listed: Sequence[str], known: dict[str, int], total: int) -> float:
        weights = {term: rarity(known.get(term, 0), total) for term in listed}
        return sum(weight for term, weight in weights.items() if known.get(term)) / sum(weights.values())
