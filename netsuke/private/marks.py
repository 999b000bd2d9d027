"""What stands in a text for private things already found there, while others are looked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import AnyStr

Span = tuple[int, int]
Find = tuple[int, int, str]

MARK = "\x01"  # no pattern matches it, and no context is sought across its line's end


def without(text: str, finds: Iterable[Find]) -> str:
    """The text with a mark for each character of what was found; as long as before, with the same lines."""
    parts, done = [], 0
    for start, end, _ in sorted(finds):
        parts += [text[done:start], re.sub(r"[^\n]", MARK, text[start:end])]
        done = end
    return "".join([*parts, text[done:]]) if parts else text


def places(text: AnyStr, word: AnyStr) -> Iterator[int]:
    """Where a word stands in a text, from left to right, not overlapping."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))
