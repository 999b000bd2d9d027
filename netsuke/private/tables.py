"""Tables in plain text: lines whose cells tabs, bars, semicolons or commas part, under a line of heads."""

from __future__ import annotations

import re
from bisect import bisect_right

from .marks import Span

SIGNS = "\t|;,"  # the first of these on a line parts its cells
_LONGEST_LINE = 2000  # characters of a table's line
_CELL = {
    sign: re.compile(rf'(?:\A|[{sign}]) *(?:"((?:[^"]|"")*+)(?:"[^{sign}]*|\Z)|([^{sign}]*))') for sign in SIGNS
}


def line_at(text: str, at: int) -> Span | None:
    """Where the line of a place begins and ends; None if it is too long for a table's."""
    start = text.rfind("\n", max(0, at - _LONGEST_LINE), at) + 1
    end = text.find("\n", at, at + _LONGEST_LINE)
    if start == 0 and at >= _LONGEST_LINE or end < 0 and at + _LONGEST_LINE < len(text):
        return None
    return start, end if end >= 0 else len(text)


def sign_of(line: str) -> str:
    """What parts the cells of a line; "" if it has but one."""
    return next((sign for sign in SIGNS if sign in line), "")


def cells(line: str, sign: str) -> list[Span]:
    """Where the cells of a line are, without their quotes and the spaces about them."""
    return [_stripped(line, *found.span(found.lastindex or 0)) for found in _CELL[sign].finditer(line)]


def cells_at(text: str, row: Span, sign: str) -> list[Span]:
    """The same of a row of a text, where they are in the text."""
    return [(row[0] + start, row[0] + end) for start, end in cells(text[slice(*row)], sign)]


def row_at(text: str, line: Span, sign: str) -> Span:
    """The row that begins with a line: a cell in quotes may go on below. The line alone where it ends nowhere."""
    start, end = line
    while _is_open(text[start:end], sign):
        below = line_at(text, end + 1) if end < len(text) else None
        if not below or below[1] - start > _LONGEST_LINE:
            return line
        end = below[1]
    return start, end


def _is_open(row: str, sign: str) -> bool:
    """Whether a cell that begins with a quote has no other at its end."""
    return any(found.lastindex == 1 and found.end(1) == found.end() for found in _CELL[sign].finditer(row))


def _stripped(line: str, start: int, end: int) -> Span:
    cell = line[start:end]
    start += len(cell) - len(cell.lstrip())
    return start, start + len(cell.strip())


class Tables:
    """The tables of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._first: dict[str, Span] = {}  # a sign: the last line asked for, the first of its table
        self._heads: tuple[int, list[str]] = -1, []  # of the table that begins here, in lower case
        self._row: tuple[int, list[int]] = -1, []  # where the cells of the line begin that begins here

    def head(self, at: int) -> str:
        """The head of the column in which a place is, in lower case; "" if there is none."""
        line = line_at(self._text, at)
        sign = sign_of(self._text[slice(*line)]) if line else ""
        if not line or not sign:
            return ""
        first = self._first_line(line[0], sign)
        if first == line[0]:
            return ""
        if self._heads[0] != first:
            self._heads = first, self._heads_of(first, sign)
        if self._row[0] != line[0]:
            self._row = line[0], [start for start, _ in cells_at(self._text, line, sign)]
        heads, column = self._heads[1], bisect_right(self._row[1], at) - 1
        return heads[column] if 0 <= column < len(heads) else ""

    def _heads_of(self, first: int, sign: str) -> list[str]:
        line = line_at(self._text, first)
        row = self._text[slice(*line)] if line else ""
        return [row[start:end].lower() for start, end in cells(row, sign)]

    def _first_line(self, line: int, sign: str) -> int:
        """Where the first of the lines that have this sign, down to this one, begins."""
        known, head = self._first.get(sign, (-1, -1))
        first, text = line, self._text
        while first > 0 and first != known:
            above = text.rfind("\n", 0, first - 1) + 1
            if sign not in text[above : first - 1]:
                break
            first = above
        self._first[sign] = line, (head if first == known else first)
        return self._first[sign][1]
