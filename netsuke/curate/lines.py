"""Normalised text as lines, and the place of each in the file that it came from (places.py)."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from ..texts.markdown import fences, is_underlined
from ..texts.places import Places, line_in_file

Range = tuple[int, int]  # lines from 0, the second not included

_NEWLINE = re.compile(r"\r\n?")
_MORE_BREAKS = re.compile("[\v\f\x85\u2028\u2029]")
_HINTS = (0xAD, 0x2060, 0xFEFF)  # where a word may be broken, or not: they part it from itself
_DELETED = dict.fromkeys(code for code in (*range(32), *range(127, 160), *_HINTS) if code not in (9, 10))
_TRANSLATE: dict[int, str | None] = {**_DELETED, **dict.fromkeys(range(0xD800, 0xE000), "\ufffd")}
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u2060\ufeff\u2028\u2029\ud800-\udfff]")  # what is not kept as it is
# Colours and titles of a terminal, and what is struck over: "N\bN" is bold, "_\bN" underlined.
_ESCAPES = re.compile(
    "\x1b(?:\\[[0-?]*+[ -/]*+[@-~]|\\][^\x07\x1b\n]*+(?:\x07|\x1b\\\\)|[#(-+][0-~]|[=>78])"
)
_STRUCK = re.compile("[^\n\b]\b")
_LAST = 1 << 62  # behind every line of a file
MOST_BLANK = 2  # empty lines in a row


def normalise(text: str) -> tuple[str, Places]:
    """The text in NFC, lines ended by \\n, without controls of a terminal, trailing spaces, many blank lines."""
    text = _NEWLINE.sub("\n", text)
    if "\x1b" in text or "\b" in text:
        text = _STRUCK.sub("", _ESCAPES.sub("", text))
    lines: Iterable[str] = text.split("\n")
    numbers: Iterable[int] = range(1, text.count("\n") + 2)
    if _ODD.search(text):
        pieces = [
            (number, part)
            for number, line in enumerate(lines, 1)
            for part in (_MORE_BREAKS.split(line) if _MORE_BREAKS.search(line) else (line,))
        ]
        numbers = [number for number, _ in pieces]
        text = "\n".join(part for _, part in pieces).translate(_TRANSLATE)
        lines = text.split("\n")
    if not unicodedata.is_normalized("NFC", text):
        lines = unicodedata.normalize("NFC", text).split("\n")
    kept, places = [], []
    blank, offset = MOST_BLANK, None  # no empty lines at the top
    for number, line in zip(numbers, lines, strict=True):
        line = line.rstrip()
        blank = 0 if line else blank + 1
        if blank > MOST_BLANK:
            continue
        kept.append(line)
        if number - len(kept) != offset:
            offset = number - len(kept)
            places.append((len(kept), number))
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept), tuple(place for place in places if place[0] <= len(kept))


def part(places: Places, start: int, end: int) -> Places:
    """The places of a text of its own that lines start..end (from 0) are made."""
    return tuple((line - start, file) for line, file in part_marks(places, start, end))


def without(text: str, places: Places, cut: Sequence[Range]) -> tuple[str, Places]:
    """(text, places) without these ranges of lines, which are in order."""
    if not cut:
        return text, places
    lines = text.split("\n")
    kept: list[str] = []
    found: list[tuple[int, int]] = []
    for start, end in _between(cut, len(lines)):
        while start < end and not lines[start] and not (kept and kept[-1]):
            start += 1  # the blank lines on both sides of a cut are one gap
        if start < end:
            shift = len(kept) - start
            found += ((line + shift, file) for line, file in part_marks(places, start, end))
            kept += lines[start:end]
    while kept and not kept[-1]:
        kept.pop()
    return "\n".join(kept), tuple(mark for mark in _joined(found) if mark[0] <= len(kept))


def part_marks(places: Places, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The marks that lines start..end (from 0) need: one at the start, and those inside."""
    yield start + 1, line_in_file(places, start + 1)
    yield from places[bisect_right(places, (start + 1, _LAST)) : bisect_right(places, (end, _LAST))]


def _between(cut: Sequence[Range], count: int) -> Iterator[Range]:
    at = 0
    for start, end in (*cut, (count, count)):
        if at < start:
            yield at, start
        at = max(at, end)


def _joined(marks: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The marks without those that follow from the one before."""
    offset = None
    for line, file in marks:
        if file - line != offset:
            offset = file - line
            yield line, file


def paragraphs(lines: Sequence[str]) -> Iterator[Range]:
    """The ranges of lines between blank ones; fenced code is one of its own, whatever is blank in it."""
    at = 0
    for start, end in fences(lines):
        yield from _filled(lines, at, start)
        yield start, end
        at = end
    yield from _filled(lines, at, len(lines))


def _filled(lines: Sequence[str], at: int, stop: int) -> Iterator[Range]:
    start = None
    for number in range(at, stop):
        if lines[number].strip():
            start = number if start is None else start
        elif start is not None:
            yield start, number
            start = None
    if start is not None:
        yield start, stop


def with_underlines(lines: Sequence[str], numbers: Iterable[int]) -> Iterator[Range]:
    """The ranges of some lines in order, each title with its underline, and with the line above it that is the same."""
    for number in numbers:
        under = number + 1 < len(lines) and is_underlined(lines[number], lines[number + 1])
        over = under and number > 0 and lines[number - 1] == lines[number + 1]
        yield number - over, number + 1 + under
