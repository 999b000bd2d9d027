"""Filling in the middle, as editors ask for it: pieces of documents with a hole, what was in it last.

The order is that of arXiv 2207.14255 (prefix, suffix, middle). The three marks are tokens that the base has for that,
or has and does not use. All of such a piece is learnt, so it costs no more than the same text in its order.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ..engines import tokenizer
from ..texts.documents import Lesson

CHARS_A_TOKEN = 2.5  # a piece that is cut for this fits into the window nearly always
HOLE_CHARS = 400
LEAST_CHARS = 200  # a shorter piece has no room for a hole


def lessons(texts: Sequence[str], model: Path, window_tokens: int, share: float) -> Iterator[Lesson]:
    """A share of the texts' pieces, chosen by their hash, each with a hole; none if the base has no tokens to spare."""
    marks = tokenizer.infill_tokens(model)
    if not (marks and share):
        return
    words, end = tokenizer.load_tokenizer(model), tokenizer.end_of_turn(model)
    commands = tokenizer.commands(model)
    words.encode_special_tokens = False
    for text in texts:
        for piece in pieces(text, int(CHARS_A_TOKEN * window_tokens)):
            chance = random.Random(hashlib.sha256(piece.encode()).digest())
            if len(piece) < LEAST_CHARS or chance.random() >= share or any(c in piece for c in commands):
                continue
            lesson = holed(piece, marks, end, chance)
            if len(words.encode(str(lesson), add_special_tokens=False).ids) <= window_tokens + 1:
                yield lesson


def pieces(text: str, size: int) -> Iterator[str]:
    """The text in pieces of at most `size`, cut behind a line where there is one in the second half."""
    at = 0
    while at < len(text):
        end = min(at + size, len(text))
        if end < len(text) and (line := text.rfind("\n", at + size // 2, end)) > 0:
            end = line + 1
        yield text[at:end]
        at = end


def holed(piece: str, marks: Mapping[str, str], end: str, chance: random.Random) -> Lesson:
    """The piece with a hole from anywhere: to the end of the line, as at a cursor, or for up to HOLE_CHARS."""
    start = chance.randrange(len(piece) - 1)
    line = piece.find("\n", start)
    to_line_end = line > start and line - start <= HOLE_CHARS and chance.random() < 0.5
    stop = line if to_line_end else min(len(piece), start + chance.randint(1, HOLE_CHARS))
    text = f"{marks['pre']}{piece[:start]}{marks['suf']}{piece[stop:]}{marks['mid']}{piece[start:stop]}{end}"
    return Lesson(text, len(marks["pre"]))
