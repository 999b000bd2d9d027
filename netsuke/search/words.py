"""Words as they are searched for: without case and accents, by their stems; Chinese by the character, Thai by pairs."""

from __future__ import annotations

import math
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from ..texts.letters import SIGNS, WORD, apart

# Canonical combining classes of what no writer leaves out: Indic, Thai, Lao and Tibetan signs, Japanese voicing. The
# marks of the others are accents, Hebrew points, Arabic vowels, and the dot that much Hindi is written without.
_WRITTEN = {0, 8, 9, *range(84, 133)}
# U+FE00 to U+FE0F say how a character is to look.
_ACCENTS = re.compile(f"[{''.join(c for c in SIGNS if unicodedata.combining(c) not in _WRITTEN)}\ufe00-\ufe0f]+")
# What an apostrophe shortens says how a sentence is built, as stop words do: don't, what's, we'll; l'eau, d'un, qu'il.
_SHORTENED = re.compile(
    r"\b[^\W_]++(?<=n)['’]t\b"  # the verb goes with its "not": "won" and "can" of won't and can't would tell something
    r"|(?<=\w)['’](?:s|m|d|re|ve|ll)\b"
    r"|\b(?:[cdjlmnst]|qu)['’](?=\w)(?!s\b)"  # but of the C language's name its "s" goes
)
# A soft hyphen or a joiner parts no word; ™, ℠ and № would turn into letters of the word beside them.
_NO_LETTERS = {0xAD: None, 0x2060: None, ord("™"): " ", ord("℠"): " ", ord("№"): " "}
MOST_KNOWN = 500_000  # stems that are kept
LONGEST = 64  # characters of a word: what is longer is no word, and its beginning tells it

# Words that say how a sentence or a question is built and not what it is about; if there are no others, they are asked.
STOP = frozenset(
    "a about after again all also am an and any are as at be because been before being between both but by can"
    " could did do does doing down during each explain few for from further had has have having he her here hers"
    " him his how i if in into is it its itself just me mean means more most my no nor not now of off on once only"
    " or other our out over own same she should so some such tell than that the their them then there these they"
    " this those through to too under until up us very was we were what when where which while who whom whose why"
    " will with work works would you your".split()
)


def words(text: str) -> list[str]:
    """The words of a text in their order, as they are compared: casefolded, without accents, none that is shortened."""
    plain = _SHORTENED.sub(" ", text.casefold())
    if not plain.isascii():
        plain = plain.translate(_NO_LETTERS)
        plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", plain)))
    return [part[:LONGEST] for word in WORD.findall(plain.replace("_", " ")) for part in apart(word)]


def opened(path: Path) -> sqlite3.Connection:
    """A search.db to be read and never written, by any thread. Raises sqlite3.Error."""
    database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    database.execute("PRAGMA query_only = ON")
    database.execute("PRAGMA trusted_schema = OFF")
    return database


def quoted(term: str) -> str:
    """Words as FTS5 takes them for words that follow each other, and nothing else."""
    return '"' + term.replace('"', '""') + '"'


class Stems:
    """The stem of each word by SQLite's own Porter stemmer, the one that everybody has who can open the database."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        self._db.execute("CREATE VIRTUAL TABLE seen USING fts5(word, tokenize = 'porter ascii')")
        self._db.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(seen, 'instance')")

    def of(self, some: Iterable[str]) -> list[str]:
        """The stems of these words, in their order."""
        listed = list(some)
        with self._lock:
            if len(self._known) > MOST_KNOWN:  # a server is asked for ever
                self._known.clear()
            self._learn([word for word in dict.fromkeys(listed) if word not in self._known])
            return [self._known[word] for word in listed]

    def _learn(self, new: list[str]) -> None:
        if not new:
            return
        self._db.execute("DELETE FROM seen")
        self._db.executemany("INSERT INTO seen (rowid, word) VALUES (?, ?)", enumerate(new))
        for number, stem in self._db.execute("SELECT doc, term FROM stems ORDER BY doc, offset DESC"):
            self._known[new[number]] = stem

    def close(self) -> None:
        self._db.close()


def terms(text: str, stems: Stems) -> list[str]:
    """The stems of a text's words in their order, stop words among them."""
    return stems.of(words(text))


def rarity(having: int, total: int) -> float:
    """BM25's weight of a word that `having` of `total` passages have."""
    return math.log1p((total - having + 0.5) / (having + 0.5))
