"""search.db: documents, their passages, an FTS5 index of their words, and a vector of each; same inputs, same bytes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..search import vectors
from ..search.find import FORMAT
from ..search.words import STOP, Stems, rarity, terms, words
from ..texts.documents import file_of
from .passages import Passage, passages

CHUNK = 4096  # passages whose vectors lie in one row
MOST_WORDS, MOST_OTHERS = 40_000, 15_000  # with a vector: of the documents, and of the base alone

Rows = Iterable[Mapping[str, Any]]  # of a dataset: path, source, text, hash, profile, places, pages
Embed = Callable[[Sequence[str]], np.ndarray]  # float32 [words, C]

_TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE documents (
  id INTEGER PRIMARY KEY, source INTEGER NOT NULL, path TEXT NOT NULL, hash TEXT NOT NULL, text TEXT NOT NULL,
  places TEXT NOT NULL, pages TEXT NOT NULL);
CREATE TABLE passages (
  id INTEGER PRIMARY KEY, document INTEGER NOT NULL REFERENCES documents, begin INTEGER NOT NULL,
  stop INTEGER NOT NULL, headings TEXT NOT NULL);
CREATE TABLE terms (term TEXT PRIMARY KEY, passages INTEGER NOT NULL, times INTEGER NOT NULL, vector BLOB)
  WITHOUT ROWID;
CREATE TABLE vectors (first INTEGER PRIMARY KEY, rows BLOB NOT NULL);
CREATE VIRTUAL TABLE found USING fts5(text, above, content = '', tokenize = 'ascii');
"""


class Built:
    """What is written, on its way; `finish` closes the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("page_size = 4096", "encoding = 'UTF-8'", "journal_mode = OFF", "synchronous = OFF",
                       "secure_delete = ON", "auto_vacuum = NONE"):  # fmt: skip
            self.db.execute(f"PRAGMA {pragma}")
        self.db.executescript(_TABLES)
        self.db.execute("BEGIN")
        self.stems = Stems()
        self.bags: list[dict[str, int]] = []
        self.spelt: dict[str, Counter[str]] = {}

    def add(self, document: int, row: Mapping[str, Any]) -> None:
        """One document with its passages."""
        text, places, pages = row["text"], json.dumps(row["places"]), json.dumps(row["pages"])
        path, digest = file_of(row["path"]), hashlib.sha256(text.encode()).hexdigest()
        self.db.execute("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)",
                        (document, row["source"], path, digest, text, places, pages))  # fmt: skip
        for passage in passages(text, row["profile"]):
            self._add_passage(document, path, text, passage)

    def _add_passage(self, document: int, path: str, text: str, passage: Passage) -> None:
        own = words(text[passage.begin : passage.end])
        stems = self.stems.of(own)
        above = terms(" ".join([*passage.headings, PurePosixPath(path).stem]), self.stems)
        number = len(self.bags)
        headings = json.dumps(passage.headings, ensure_ascii=False)
        self.db.execute("INSERT INTO passages VALUES (?, ?, ?, ?, ?)",
                        (number, document, passage.begin, passage.end, headings))  # fmt: skip
        self.db.execute("INSERT INTO found (rowid, text, above) VALUES (?, ?, ?)",
                        (number, " ".join(stems), " ".join(above)))  # fmt: skip
        self.bags.append(Counter(stems + above))
        for word, stem in zip(own, stems, strict=True):
            self.spelt.setdefault(stem, Counter())[word] += 1

    def describe(self, embed: Embed, others: Sequence[str]) -> None:
        """The words with how many passages have them, and the vectors of words and passages."""
        having, times = Counter[str](), Counter[str]()
        for bag in self.bags:
            having.update(bag.keys())
            times.update(bag)
        own = sorted(times, key=lambda term: (-times[term], term))[:MOST_WORDS]
        own = [term for term in own if term in self.spelt and not term.isdigit()]
        spelling = {term: max(sorted(self.spelt[term]), key=self.spelt[term].__getitem__) for term in own}
        for word, stem in zip(others, self.stems.of(others), strict=True):
            if stem not in times and stem not in spelling and len(spelling) < len(own) + MOST_OTHERS:
                spelling[stem] = word
        short = self._word_vectors(spelling, times, embed)
        vector = {term: row.astype("<f2").tobytes() for term, row in zip(spelling, short, strict=True)}
        listed = sorted({*times, *spelling})
        self.db.executemany("INSERT INTO terms VALUES (?, ?, ?, ?)",
                            ((t, having[t], times[t], vector.get(t)) for t in listed))  # fmt: skip
        self._passage_vectors(list(spelling), short, having)

    def _word_vectors(self, spelling: Mapping[str, str], times: Mapping[str, int], embed: Embed) -> np.ndarray:
        if not spelling:
            return np.zeros((0, vectors.DIMENSIONS), np.float32)
        counts = np.array([times.get(term, 0) + 1 for term in spelling], np.float64)
        return vectors.shortened(embed(list(spelling.values())), counts).astype(np.float16).astype(np.float32)

    def _passage_vectors(self, listed: Sequence[str], short: np.ndarray, having: Mapping[str, int]) -> None:
        place = {term: number for number, term in enumerate(listed) if term not in STOP}
        weights = np.array([rarity(having.get(term, 0), len(self.bags)) for term in listed], np.float64)
        bags = [{place[t]: n for t, n in bag.items() if t in place} for bag in self.bags]
        rows = vectors.means(vectors.Bags.of(bags), short, weights)
        shared = vectors.common(rows)
        rows = vectors.without(rows, shared)
        for first in range(0, len(rows), CHUNK):
            data = rows[first : first + CHUNK].astype("<f2").tobytes()
            self.db.execute("INSERT INTO vectors VALUES (?, ?)", (first, data))
        self.tell("format", FORMAT)
        self.tell("passages", len(rows))
        self.tell("dimensions", short.shape[1])
        self.tell("common", [float(x) for x in shared.astype(np.float16)])

    def tell(self, name: str, value: Any) -> None:
        """A fact about the whole."""
        self.db.execute("INSERT OR REPLACE INTO about VALUES (?, ?)", (name, json.dumps(value)))

    def settle(self) -> None:
        """What was added so far may be read."""
        self.db.execute("INSERT INTO found (found) VALUES ('optimize')")
        self.db.execute("COMMIT")

    def finish(self) -> None:
        """The file as small as it can be, closed."""
        self.db.execute("VACUUM")
        self.db.close()
        self.stems.close()


def build(path: Path, rows: Rows, embed: Embed, others: Sequence[str] = ()) -> Built:
    """Write the database of a dataset's documents, all but what is calibrated; whoever calls finishes it.

    `embed` gives what a base knows of words; `others` are words of the base that a question may have beside those of
    the documents.
    """
    built = Built(path)
    for number, row in enumerate(rows, 1):
        built.add(number, row)
    built.describe(embed, others)
    built.settle()
    return built
