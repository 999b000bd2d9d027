"""Quotes: the sentences of a passage that bear on a question, by their place in the document, word for word."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from ..errors import StoreError
from ..texts.places import line_in_file, page
from ..texts.sentences import spans
from .find import Document, Hit, Index, Question, Stored
from .words import terms

MOST_CHARACTERS = 420  # of a quote
SHORT = 90  # characters: a sentence that is shorter takes its neighbour with it


@dataclass(frozen=True)
class Quote:
    """text = the document's [begin:end], and where that is: file, headings, page and line of the file."""

    text: str
    path: str
    headings: tuple[str, ...]
    page: str
    line: int
    begin: int
    end: int
    support: float
    document: int

    @property
    def row(self) -> dict[str, Any]:
        """As plain values."""
        return {
            "quote": self.text, "file": self.path, "headings": list(self.headings), "page": self.page or None,
            "line": self.line, "begin": self.begin, "end": self.end, "support": round(self.support, 4),
        }  # fmt: skip


def quote(index: Index, question: Question, hit: Hit) -> Quote:
    """The quote of a passage that was found. Raises StoreError where the database does not hold what it says."""
    stored = index.passage(hit.passage)
    document = index.document(stored.document)
    if not 0 <= stored.begin < stored.end <= len(document.text):
        raise StoreError(f"passage {hit.passage} lies outside of {document.path}", where=str(index.path))
    begin, end = chosen(document.text, stored, question.weights, index)
    text = document.text[begin:end]
    require_verbatim(text, document, begin, end)
    line = line_in_file(document.places, document.text.count("\n", 0, begin) + 1)
    support = supported(index, question, stored, document, text, hit.cosine)
    where = (document.path, stored.headings, page(document.pages, line), line)
    return Quote(text, *where, begin, end, support, stored.document)


def require_verbatim(text: str, document: Document, begin: int, end: int) -> None:
    """Raise StoreError unless the document has these very bytes at this place."""
    before, told = len(document.text[:begin].encode()), text.encode()
    if not told or not document.data.startswith(told, before) or end - begin != len(text):
        raise StoreError("a quote is not what the document says", where=document.path)


def chosen(text: str, passage: Stored, weights: Mapping[str, float], index: Index) -> tuple[int, int]:
    """(begin, end) of the sentences of a passage that hold most of what is asked, no white space at either end."""
    units = [(a, b) for a, b in _units(text, passage.begin, passage.end)]
    held = [{*terms(text[a:b], index.stems)} & weights.keys() for a, b in units]
    heads = [_is_heading(text[a:b], passage.headings) for a, b in units]
    told = [0.0 if head else sum(weights[t] for t in some) for some, head in zip(held, heads, strict=True)]
    lengths = [0 if some else b - a for some, (a, b) in zip(told, units, strict=True)]
    best = max(range(len(units)), key=lambda n: (told[n], not heads[n], lengths[n], -n))
    first = last = best
    seen = set(held[best])
    for _ in units:
        grown = []
        if last + 1 < len(units):
            grown.append((first, last + 1, last + 1))
        if first and not heads[first - 1]:
            grown.append((first - 1, last, first - 1))
        grown = [one for one in grown if units[one[1]][1] - units[one[0]][0] <= MOST_CHARACTERS]
        gains = [(sum(weights[t] for t in held[new] - seen), a, b, new) for a, b, new in grown]
        short = units[last][1] - units[first][0] < SHORT
        useful = [gain for gain in gains if gain[0] > 0 or short]
        if not useful:
            break
        _, first, last, new = max(useful, key=lambda gain: gain[0])
        seen |= held[new]
    return units[first][0], units[last][1]


def _is_heading(text: str, headings: Sequence[str]) -> bool:
    """Whether these lines are one of the headings, marked in front or underlined."""
    title, *under = text.split("\n")
    return title.strip("# \t") in headings and not any(map(str.isalnum, "".join(under)))


def _units(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The sentences of text[begin:end] without the white space around them; a long one by its lines, or cut."""
    found = False
    for start, stop in spans(text[begin:end]):
        for a, b in _cut(text, begin + start, begin + stop):
            found = True
            yield a, b
    if not found:  # nothing but white space: a passage never is
        yield begin, end


def _cut(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    if end - begin <= MOST_CHARACTERS:
        pieces: Sequence[tuple[int, int]] = [(begin, end)]
    else:
        lines = [(begin + m.start(), begin + m.end()) for m in re.finditer(r"[^\n]+", text[begin:end])]
        pieces = [(at, min(at + MOST_CHARACTERS, b)) for a, b in lines for at in range(a, b, MOST_CHARACTERS)]
    for a, b in pieces:
        while a < b and text[a].isspace():
            a += 1
        while a < b and text[b - 1].isspace():
            b -= 1
        if a < b:
            yield a, b


def supported(
    index: Index, question: Question, passage: Stored, document: Document, text: str, cosine: float
) -> float:
    """0 to 1: how much of what is asked, by how rare its words are, passage and quote hold; and how alike they are.

    The shares were chosen on questions of bench/search.py (docs/log.md).
    """
    total = sum(question.weights.values())
    if not total:
        return 0.0
    above = terms(" ".join([*passage.headings, PurePosixPath(document.path).stem]), index.stems)
    whole = {*terms(document.text[passage.begin : passage.end], index.stems), *above}
    near = {*terms(text, index.stems), *above}
    named = f" {' '.join(above)} "
    more = max(question.weights.values()) * any(f" {pair} " in named for pair in question.above)
    held = [sum(w for t, w in question.weights.items() if t in some) for some in (whole, near)]
    shares = [(weight + more) / (total + more) for weight in held]
    told = 0.4 * shares[0] + 0.6 * shares[1]
    return min(1.0, told if question.vector is None else 0.5 * (told + max(cosine, 0.0)))
