"""XLSX: a sheet a page, a row a line, values as they are shown.

The sheets are streamed: a million rows take as much memory as their text. Kreuzberg 4.10.4 took more than the
limit for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import IO, BinaryIO
from xml.etree import ElementTree

from .blocks import table_row
from .numbers import Shown, format_codes, shown_as
from .package import Package, attribute, local, main_part, named, office_title, related, relations
from .pages import Found, paged, within_limit

_WIDEST_GAP = 100  # empty cells in a row: a far cell must not cost a line of 16,000 bars


def read(file: BinaryIO, suffix: str) -> Found:
    """The sheets of a workbook in their order, hidden ones too; formulas as their last value."""
    package = Package(file)
    part = main_part(package, "xl/workbook.xml")
    book = package.xml(part)
    strings = related(package, part, "sharedStrings")
    styles = related(package, part, "styles")
    since_1904 = any(attribute(node, "date1904") in ("1", "true") for node in named(book, "workbookPr"))
    codes = format_codes(package.xml(styles)) if styles else []
    reader = _Reader(
        package, _strings(package, strings) if strings else [], [shown_as(c) for c in codes], since_1904
    )
    targets = relations(package, part)

    def parts() -> Iterator[tuple[str, str]]:
        for node in named(book, "sheet"):
            kind, member = targets.get(attribute(node, "id"), ("", ""))
            name = " ".join(attribute(node, "name").split())
            if kind == "worksheet" and member in package and (text := reader.text(member)):
                yield f"sheet {name}", f"# {name}\n\n{text}"

    return paged(parts(), office_title(package))


def _strings(package: Package, member: str) -> list[str]:
    """The texts that cells refer to by number, without their readings in kana."""
    found = []
    with package.open(member) as stream:
        for node in _each(stream, "}si", "}sst"):
            found.append(_joined(node))
    return found


def _joined(node: ElementTree.Element) -> str:
    """The text of a string item: its own, and that of its runs."""
    runs = (inner for inner in node if local(inner) in ("t", "r"))
    return "".join(
        run.text or "" if local(run) == "t" else "".join(t.text or "" for t in named(run, "t"))
        for run in runs
    )


def _each(stream: IO[bytes], name: str, parent: str) -> Iterator[ElementTree.Element]:
    """The elements whose tag ends in `name`, each forgotten after it was given."""
    holder = None
    for event, node in ElementTree.iterparse(stream, ("start", "end")):
        if event == "start":
            holder = node if node.tag.endswith(parent) else holder
        elif node.tag.endswith(name):
            yield node
            if holder is not None:
                holder.clear()


class _Reader:
    def __init__(self, package: Package, strings: list[str], formats: list[Shown], since_1904: bool) -> None:
        self._package, self._strings, self._formats, self._since_1904 = package, strings, formats, since_1904

    def text(self, member: str) -> str:
        """The rows of a sheet that have something in them."""
        with self._package.open(member) as stream:
            rows = (self._row(node) for node in _each(stream, "}row", "}sheetData"))
            return "\n".join(within_limit(row for row in rows if row))

    def _row(self, node: ElementTree.Element) -> str:
        cells: list[str] = []
        column = 0  # of the cell before, from 1
        for cell in node:
            at = _column(cell.get("r", "").rstrip("0123456789")) or column + 1
            if text := self._cell(cell):
                cells += [""] * min(at - column - 1, _WIDEST_GAP)
                cells.append(text)
                column = at
        return table_row(cells)

    def _cell(self, cell: ElementTree.Element) -> str:
        kind, value = cell.get("t", "n"), ""
        for child in cell:
            if child.tag.endswith("}v"):
                value = child.text or ""
            elif child.tag.endswith("}is"):
                return _joined(child)
        if kind == "s":
            return self._strings[int(value)] if value.isdecimal() and int(value) < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if value == "1" else "FALSE"
        style = cell.get("s", "0")
        if kind == "n" and value and style.isdecimal() and int(style) < len(self._formats):
            with contextlib.suppress(ValueError, ArithmeticError):
                return self._formats[int(style)](value, self._since_1904)
        return value


@cache
def _column(letters: str) -> int:
    """The number of a column: A is 1, AA is 27; 0 if it is none."""
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number if letters.isupper() and len(letters) <= 3 else 0
