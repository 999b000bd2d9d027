"""Rows of comma-separated text by the csv module, where a broken quote costs its own row and not the next."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

_SEPARATOR = re.compile(r'\A\s*"?sep=."?[ \t]*(?=[\r\n])', re.IGNORECASE)  # Excel's, above the header
_HEADER_CHARS = 10_000  # a longer header is none
_LINE_END = re.compile(r"\r\n?|\n")

# The limit is one for the whole process (131,072 at first). Always raised to the same value and never put
# back, it is the same for every thread and at any time.
_CELL_CHARS = 2**31 - 1

# A quoted cell of more lines, of which this share have as many delimiters as the header, is taken for rows
# that two lost quotes swallowed.
_MANY_LINES, _ROW_LIKE = 20, 0.9

# Broken quotes may cost this many readings of the whole text, so that no file takes quadratic time.
_READINGS = 8

_CLOSED_EARLY = "closes in the middle of a cell on line {stop}"
_NEVER_CLOSED = "is never closed"
_SWALLOWS = "runs to line {stop}, over lines that look like rows"


def lines(text: str) -> Iterator[str]:
    """The lines of a text with their ends: \\n, \\r\\n or \\r, and no other."""
    return io.StringIO(text, newline="")


def headed(
    text: str, delimiters: str, is_known: Callable[[list[str]], bool]
) -> tuple[str, int, str, list[str]] | None:
    """(the text without Excel's line above the header, the header's line, delimiter and cells), or None.

    Of the delimiters the one that gives the most cells counts, of those whose cells are known.
    """
    text = _SEPARATOR.sub("", text)  # its line stays, so that the others keep their numbers
    top = lines(text[:_HEADER_CHARS])
    number, header = next(((n, line) for n, line in enumerate(top, 1) if line.strip()), (0, ""))
    if not number or (len(text) > _HEADER_CHARS and not header.endswith(("\n", "\r"))):
        return None
    cells = {delimiter: header_cells(header, delimiter) for delimiter in delimiters}
    delimiter = max(delimiters, key=lambda d: len(cells[d]) if is_known(cells[d]) else 0)
    return (text, number, delimiter, cells[delimiter]) if is_known(cells[delimiter]) else None


def header_cells(line: str, delimiter: str) -> list[str]:
    """The cells of a line that stands alone; none if its quotes are broken."""
    csv.field_size_limit(_CELL_CHARS)
    try:
        return next(csv.reader([line], **_format(line, delimiter)), [])
    except csv.Error:
        return []


def _format(header: str, delimiter: str) -> dict[str, Any]:
    """The csv module's settings; a space after each delimiter is none of the cell's if the header has it."""
    others = next(csv.reader([header], delimiter=delimiter), [])[1:]
    spaced = bool(others) and all(cell.startswith(" ") for cell in others)
    return {"delimiter": delimiter, "skipinitialspace": spaced, "strict": True}


def rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str] | str]]:
    """(line where it begins, cells or why it is no row) of the header and of each row; no blank ones.

    Every row has as many cells as the header. After a quote that is never closed, or that text follows, the
    lines are read anew one by one: they are rows if most have the header's number of delimiters, else part of
    the broken row. From there on a cell that is not quoted may hold no quote (RFC 4180, section 2.5).
    """
    csv.field_size_limit(_CELL_CHARS)
    return _Reading(text, delimiter).rows()


class _Reading:
    def __init__(self, text: str, delimiter: str) -> None:
        self.text, self.delimiter = text, delimiter
        self.file = io.StringIO(text, newline="")
        header = next((line for line in self.file if line.strip()), "")
        self.file.seek(0)
        self.delimiters = len(header_cells(header, delimiter)) - 1  # of each row
        self.format = _format(header, delimiter)
        if delimiter == "\t" and _quotes_are_text(text, header, self.format):
            self.format["quoting"] = csv.QUOTE_NONE
        self.broken = 0  # the line of the last broken quote
        self.chars_left = _READINGS * len(text)
        space, mark = " *+" if self.format["skipinitialspace"] else "", re.escape(delimiter)
        self.cell = re.compile(rf'{space}(?:"(?:[^"]++|"")*+"|[^"{mark}\r\n]*+)(?={mark}|[\r\n]|\Z)')

    def rows(self) -> Iterator[tuple[int, list[str] | str]]:
        before, reader = 0, csv.reader(self.file, **self.format)  # lines before those that it counts
        while True:
            at, line = self.file.tell(), before + reader.line_num + 1
            wrong, cells = "", None
            try:
                if (cells := next(reader, None)) is None:
                    return
                if before + reader.line_num - line >= _MANY_LINES and self._swallows(at):
                    wrong = _SWALLOWS
            except csv.Error as error:
                wrong = _NEVER_CLOSED if "end of data" in str(error) else _CLOSED_EARLY
            if wrong:
                why, before = self._recover(line, at, wrong)
                reader = csv.reader(self.file, **self.format)
                yield line, why
            elif cells and any(map(str.strip, cells)):
                yield line, self._why_not(cells, at) or cells

    def _why_not(self, cells: list[str], at: int) -> str:
        if len(cells) != self.delimiters + 1:
            return f"{len(cells)} cell{'s' * (len(cells) > 1)}, the header has {self.delimiters + 1}"
        if self.broken and any('"' in cell for cell in cells) and self._odd_cell(at) is not None:
            return f"a quote inside a cell, after the broken quote of line {self.broken}"
        return ""

    # -- broken quotes -----------------------------------------------------------------------------------
    def _recover(self, line: int, at: int, wrong: str) -> tuple[str, int]:
        """(why the row from `at` is broken, the number of the line after which reading goes on).

        That is the one in which its quote opens, or the last one that is not to be read.
        """
        opening = self._odd_cell(at, _MANY_LINES if wrong == _SWALLOWS else None)
        skipped = 0 if opening is None else sum(1 for _ in _LINE_END.finditer(self.text, at, opening))
        read = self._lines(at, self.file.tell())
        opened, inside = read[: skipped + 1], read[skipped + 1 :]
        self.broken, at = line + skipped, at + sum(map(len, opened))
        why = f"the quote that opens on line {self.broken} " + wrong.format(stop=self.broken + len(inside))
        if wrong != _NEVER_CLOSED:
            inside = inside[:-1]  # the line that shows it may be a row itself
        self.chars_left -= self.file.tell() - at
        because = ""
        if self.chars_left < 0:
            inside, because = self._lines(at, len(self.text)), "too many quotes are broken"
        elif wrong != _SWALLOWS and self._row_like(inside) <= 0.5:
            because = "they do not look like rows"
        number = self.broken
        if because and inside:
            at, number = at + sum(map(len, inside)), number + len(inside)
            why += f"; lines {self.broken + 1} to {number} are not read: {because}"
        self.file.seek(at)
        return why, number

    def _lines(self, at: int, end: int) -> list[str]:
        return list(lines(self.text[at:end]))

    def _odd_cell(self, at: int, many: int | None = None) -> int | None:
        """Where in the row from `at` the first cell begins that has broken quotes, or that has many lines."""
        while match := self.cell.match(self.text, at):
            if many and max(match[0].count("\n"), match[0].count("\r")) >= many:
                return at
            if not self.text.startswith(self.delimiter, match.end()):
                return None
            at = match.end() + 1
        return at

    def _row_like(self, inside: list[str]) -> float:
        """The share of the lines with as many delimiters as the header; 1 if there are none."""
        counts = [line.count(self.delimiter) for line in inside if line.strip()]
        return counts.count(self.delimiters) / len(counts) if counts else 1.0

    def _swallows(self, at: int) -> bool:
        """Whether a quoted cell of the row just read is made of rows."""
        if not self.delimiters or (opening := self._odd_cell(at, _MANY_LINES)) is None:
            return False
        return self._row_like(self._lines(opening, self.file.tell())[1:-1]) >= _ROW_LIKE


def _quotes_are_text(text: str, header: str, form: dict[str, Any]) -> bool:
    """Whether a tab-separated file does without quoting, as IANA's text/tab-separated-values and GLUE's do.

    So it is if it cannot be read with quoting, has no doubled quote, and each line has the header's cells.
    """
    if '"' in header or '""' in text or '"' not in text:
        return False
    if any(line.count("\t") != header.count("\t") for line in lines(text) if line.strip()):
        return False
    return not _is_well_formed(lines(text), form)


def _is_well_formed(source: Iterable[str], form: dict[str, Any]) -> bool:
    try:
        for _ in csv.reader(source, **form):
            pass
    except csv.Error:
        return False
    return True
