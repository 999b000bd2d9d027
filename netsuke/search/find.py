"""Searching search.db: BM25 over the words and cosines over the vectors, fused.

Their sum does better here than reciprocal rank fusion, which forgets how far the first is ahead (docs/log.md).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import StoreError
from ..texts.places import Pages, Places
from . import vectors
from .words import STOP, Stems, opened, quoted, rarity, terms

FORMAT = 1  # of the database
CANDIDATES = 100  # of BM25's order
MOST_TERMS = 24  # of a question: the rarest
FREQUENT = 0.1  # of the passages: a word in more of them is left out where there are enough rarer ones
ENOUGH = 3
MOST_ROWS = 40_000  # passages that BM25 looks at: of the more frequent words none that goes beyond; it holds p95
FEW = 2  # words: a question of no more is asked with its stop words too, where they stand beside one in a heading
SIMILAR = 0.5  # what a cosine of 1 counts beside the best BM25, which counts 1 (docs/log.md)
FILL = 10  # where BM25 finds fewer, the vectors' own best stand behind them


@dataclass(frozen=True)
class Question:
    """A question as it is asked: its stems, how rare each is, and its vector, if any of its words has one."""

    text: str
    weights: dict[str, float]  # of its terms, the rarest first; those that no passage has among them
    asked: tuple[str, ...]  # the terms that BM25 is asked for
    above: tuple[str, ...]  # a stop word and a word beside it, which it is asked for in headings: "with statement"
    vector: np.ndarray | None


@dataclass(frozen=True)
class Hit:
    """A passage that was found: its number, its fused score and the cosine (0 where none was asked for)."""

    passage: int
    score: float
    cosine: float = 0.0


@dataclass(frozen=True)
class Stored:
    """A passage as it lies in the database."""

    document: int
    begin: int
    end: int
    headings: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A document as it lies in the database."""

    path: str
    source: int
    text: str
    data: bytes  # the text in UTF-8
    places: Places
    pages: Pages


class Index:
    """An open search.db, which is read and never written. One thread at a time is let in."""

    def __init__(self, path: Path) -> None:
        self.path, self._lock = path, threading.Lock()
        if not path.is_file():
            raise StoreError("there is no such database", where=str(path))
        with self.explained():
            self.stems = Stems()
            self._db = opened(path)
            self.about = {name: json.loads(value) for name, value in self._db.execute("SELECT * FROM about")}
            if self.about["format"] != FORMAT:
                raise ValueError(f"format {self.about['format']}, this netsuke reads {FORMAT}")
            self.passages = int(self.about["passages"])

    def close(self) -> None:
        self._db.close()
        self.stems.close()

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """What a damaged database makes of itself, as a StoreError that names it."""
        try:
            yield
        except (sqlite3.Error, ValueError, KeyError, TypeError, IndexError) as error:
            what, hint = f"this is no sound database of documents: {error}", "`netsuke verify`, or make the model again"
            raise StoreError(what, where=str(self.path), hint=hint) from error

    def rows(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query gives. Raises StoreError where the database is damaged."""
        with self._lock, self.explained():
            return self._db.execute(query, values).fetchall()

    @cached_property
    def matrix(self) -> np.ndarray:
        """float32 [passages, D], the vectors of all passages."""
        with self.explained():
            data = b"".join(row for (row,) in self.rows("SELECT rows FROM vectors ORDER BY first"))
            width = int(self.about["dimensions"])
            return np.frombuffer(data, "<f2").reshape(self.passages, width).astype(np.float32)

    @cached_property
    def _common(self) -> np.ndarray:
        return np.array(self.about["common"], np.float32)

    # -- a question ------------------------------------------------------------------------------------------
    def question(self, text: str) -> Question:
        """A question in the terms of this index."""
        listed = terms(text, self.stems)
        every = Counter(listed)
        stops = {*self.stems.of(STOP)}
        telling = [term for term in every if term not in stops] or list(every)
        marks = ",".join("?" * len(telling))
        known = {term: (passages, vector) for term, passages, vector in self.rows(
            f"SELECT term, passages, vector FROM terms WHERE term IN ({marks})", *telling)}  # fmt: skip
        weight = {t: rarity(known[t][0] if t in known else 0, self.passages) for t in telling}
        ordered = sorted(telling, key=lambda t: (-weight[t], t))
        there = [t for t in ordered if t in known and known[t][0]][:MOST_TERMS]
        rare = [t for t in there if known[t][0] <= FREQUENT * self.passages]
        asked = rare if len(rare) >= ENOUGH else there
        rows = [(np.frombuffer(known[t][1], "<f2").astype(np.float32),
                 weight[t] * math.log1p(every[t]))
                for t in telling if t in known and known[t][1]]  # fmt: skip
        pairs = dict.fromkeys(f"{a} {b}" for a, b in pairwise(listed) if (a in stops) != (b in stops))
        above = tuple(pairs)[:MOST_TERMS] if len(telling) <= FEW else ()
        weights = {term: weight[term] for term in ordered}
        return Question(text, weights, self._affordable(asked, known), above, self._vector(rows))

    def _affordable(self, asked: Sequence[str], known: Mapping[str, tuple[int, bytes]]) -> tuple[str, ...]:
        """The rarest of these terms that together are in no more than MOST_ROWS passages; one in any case."""
        kept, looked = list(asked[:1]), known[asked[0]][0] if asked else 0
        for term in asked[1:]:
            if looked + known[term][0] <= MOST_ROWS:
                kept.append(term)
                looked += known[term][0]
        return tuple(kept)

    def _vector(self, rows: Sequence[tuple[np.ndarray, float]]) -> np.ndarray | None:
        if not rows:
            return None
        mean = vectors.unit(sum(weight * row for row, weight in rows)[None])  # type: ignore[index]
        found: np.ndarray = vectors.without(mean, self._common)[0]
        return found if found.any() else None

    # -- the orders ------------------------------------------------------------------------------------------
    def lexical(self, question: Question, most: int = CANDIDATES) -> list[tuple[int, float]]:
        """(passage, BM25) of the best by their words, the best first."""
        if not question.asked:
            return []
        heads = (f"(above : {quoted(pair)})" for pair in question.above)
        match = " OR ".join([*map(quoted, question.asked), *heads])
        query = "SELECT rowid, bm25(found) AS score FROM found WHERE found MATCH ? ORDER BY score, rowid LIMIT ?"
        return [(number, -score) for number, score in self.rows(query, match, most)]

    def similar(self, question: Question, most: int = CANDIDATES) -> list[tuple[int, float]]:
        """(passage, cosine) of the best by their vectors, the best first."""
        if question.vector is None or not self.passages:
            return []
        cosines = self.matrix @ question.vector
        most = min(most, len(cosines))
        best = np.argpartition(-cosines, most - 1)[:most]
        best = best[np.lexsort((best, -cosines[best]))]
        return [(int(number), float(cosines[number])) for number in best if cosines[number] > 0]

    def search(self, question: Question, most: int = 10, similar: float = SIMILAR, without: int = 0) -> list[Hit]:
        """The best passages by both: BM25 as a share of the best one's, and `similar` times the cosine.

        No passage of the document `without` is among them.
        """
        found = dict(self.lexical(question, 2 * CANDIDATES if without else CANDIDATES))
        if similar and len(found) < FILL:
            found |= {number: 0.0 for number, _ in self.similar(question, FILL) if number not in found}
        if without:
            own = {number for (number,) in self.rows("SELECT id FROM passages WHERE document = ?", without)}
            found = {number: score for number, score in found.items() if number not in own}
        top = max(found.values(), default=0.0) or 1.0
        hits = []
        for number, bm25 in found.items():
            cosine = self._cosine(number, question) if similar else 0.0
            hits.append(Hit(number, bm25 / top + similar * cosine, cosine))
        return sorted(hits, key=lambda hit: (-hit.score, hit.passage))[:most]

    def _cosine(self, number: int, question: Question) -> float:
        return float(self.matrix[number] @ question.vector) if question.vector is not None else 0.0

    # -- what is stored --------------------------------------------------------------------------------------
    def passage(self, number: int) -> Stored:
        """A passage by its number."""
        ((document, begin, end, headings),) = self.rows(
            "SELECT document, begin, stop, headings FROM passages WHERE id = ?", number
        )
        return Stored(document, begin, end, tuple(json.loads(headings)))

    def document(self, number: int) -> Document:
        """A document by its number. Raises StoreError where its text is not the one that was put in."""
        query = "SELECT path, source, hash, CAST(text AS BLOB), places, pages FROM documents WHERE id = ?"
        rows = self.rows(query, number)
        with self.explained():
            ((path, source, digest, data, places, pages),) = rows
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError(f"the text of {path} is not the one that was put in")
            marks = tuple((int(line), int(at)) for line, at in json.loads(places))
            labels = tuple((int(line), str(label)) for line, label in json.loads(pages))
            return Document(path, source, data.decode(), data, marks, labels)
