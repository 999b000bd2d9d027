"""Questions made of documents: a heading, or a paragraph's first sentence, is cut out and must find what stood by it.

So a question is in a person's words about a text, and the text does not hold it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ..texts.letters import SIGNS
from ..texts.sentences import spans
from .passages import blocks

LEAST, MOST = 3, 20  # words of a question
LEAST_REST = 20  # words of what must be left to answer it
_WORD = re.compile(rf"[^\W\d_](?:[^\W\d_]|[{SIGNS}]){{2,}}")


@dataclass(frozen=True)
class Asked:
    """A question, and where its answer lies: text[begin:end] of the document that it was cut out of."""

    question: str
    begin: int
    end: int


def headless(text: str, profile: str = "prose") -> tuple[str, list[Asked]]:
    """A text without its headings, and those that say enough as questions about what stood under them."""
    heads = [(a, b, title) for a, b, level, title in blocks(text, profile) if level]
    return _cut(text, heads, [begin for begin, _, _ in heads[1:]])


def sentenceless(text: str, profile: str = "prose") -> tuple[str, list[Asked]]:
    """A text without the first sentence of each long paragraph, and those as questions about the rest of it."""
    found = []
    for begin, end, level, _ in blocks(text, profile):
        sentences = [] if level else spans(text[begin:end])
        if len(sentences) > 2:
            found.append((begin, begin + sentences[0][1], text[begin : begin + sentences[0][1]], end))
    return _cut(text, [(a, b, t) for a, b, t, _ in found], [end for *_, end in found])


def _cut(text: str, pieces: list[tuple[int, int, str]], ends: list[int]) -> tuple[str, list[Asked]]:
    parts, asked, at, before = [], list[Asked](), 0, 0
    for number, (begin, stop, told) in enumerate(pieces):
        parts.append(text[before:begin])
        at += begin - before
        end = ends[number] if number < len(ends) else len(text)
        words = _WORD.findall(told)
        if LEAST <= len(words) <= MOST and len(text[stop:end].split()) >= LEAST_REST:
            asked.append(Asked(" ".join(told.split()).strip(" #*`"), at, at + end - stop))
        before = stop
    parts.append(text[before:])
    return "".join(parts), asked


def questions(rows: list[dict[str, object]]) -> Iterator[tuple[int, str, list[Asked]]]:
    """(number, text, questions) of each row of a dataset: of its headings, or without such of its sentences."""
    for number, row in enumerate(rows):
        text, profile = str(row["text"]), str(row["profile"])
        headed = headless(text, profile)
        yield (number, *(headed if headed[1] else sentenceless(text, profile)))
