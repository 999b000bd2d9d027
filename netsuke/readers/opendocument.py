"""ODT, ODS and ODP: OpenDocument's texts, sheets and slides.

Kreuzberg 4.10.4 loses repeated spaces, so that words run together; so they are read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree

from .blocks import Blocks, is_layout, one_line, table_row
from .package import Package, attribute, local, named
from .pages import Found, paged, within_limit

# Notes in the margin, what was deleted, and where the pages' own names and numbers come from.
_SKIPPED = frozenset(
    """annotation annotation-end tracked-changes forms sequence-decls variable-decls user-field-decls
table-of-content illustration-index table-index bibliography ruby-text note-citation""".split()
)
_CODE = re.compile(r"code|preformatted|verbatim|listing", re.IGNORECASE)
_SIGNS = {"tab": "\t", "line-break": "\n"}
_MOST_REPEATS = 100  # what is repeated to the edge of the sheet is a background


def read_text(file: BinaryIO, suffix: str) -> Found:
    """A text document: headings, lists, tables, notes at the end."""
    package = Package(file)
    tree = package.xml("content.xml")
    parents = {attribute(node, "name"): attribute(node, "parent-style-name") for node in named(tree, "style")}
    document = _Document(parents)
    document.add(_body(tree))
    return Found(document.text(), _title(package))


def read_slides(file: BinaryIO, suffix: str) -> Found:
    """A presentation, a slide a page, with its notes."""
    package = Package(file)
    pages = (node for node in named(_body(package.xml("content.xml")), "page"))
    return paged(((f"slide {n}", _slide(page)) for n, page in enumerate(pages, 1)), _title(package))


def read_sheets(file: BinaryIO, suffix: str) -> Found:
    """A workbook, a sheet a page, a row a line, cells as they are shown."""
    package = Package(file)

    def parts() -> Iterator[tuple[str, str]]:
        for table in named(_body(package.xml("content.xml")), "table"):
            name = one_line(attribute(table, "name"))
            rows = (row for node in named(table, "table-row") for row in _rows(node))
            if text := "\n".join(within_limit(rows)):
                yield f"sheet {name}", f"# {name}\n\n{text}"

    return paged(parts(), _title(package))


def _body(tree: ElementTree.Element) -> ElementTree.Element:
    return next(named(tree, "body"), tree)


def _title(package: Package) -> str:
    if "meta.xml" not in package:
        return ""
    return next((one_line(node.text or "") for node in named(package.xml("meta.xml"), "title")), "")


def _slide(page: ElementTree.Element) -> str:
    document = _Document({})
    for child in page:
        if local(child) != "notes":
            document.add(child)
    notes = [
        text
        for node in page
        if local(node) == "notes"
        for p in named(node, "p")
        if (text := _text(p).strip())
    ]
    document.blocks.paragraph("\n".join(["Notes:", *notes]) if notes else "")
    return document.text()


class _Document:
    def __init__(self, parents: dict[str, str]) -> None:
        self.blocks = Blocks()
        self._parents = parents  # of the styles that were made on the fly
        self._notes: list[str] = []
        self._code: list[str] = []

    def add(self, node: ElementTree.Element, depth: int = 0) -> None:
        """A node and what is in it; `depth` lists are open around it."""
        kind = local(node)
        if kind in ("p", "h"):
            self._paragraph(node, kind, depth)
        elif kind == "table":
            self._end_code()
            for row in _table_rows(node):
                self._row(row, depth)
            self.blocks.end_table()
        elif kind == "frame" and attribute(node, "class") == "title":
            self.blocks.heading(1, " ".join(_text(p) for p in named(node, "p")))
        elif kind not in _SKIPPED:
            for child in node:
                self.add(child, depth + (kind == "list"))

    def text(self) -> str:
        """All of it, the notes at the end."""
        self._end_code()
        for note in self._notes:
            self.blocks.paragraph(note)
        return self.blocks.text()

    def _row(self, row: ElementTree.Element, depth: int) -> None:
        """A row of a table; of one that is a part of the page what is in its cells."""
        cells = list(_cells(row))
        texts = [[text for p in _paragraphs(cell) if (text := _text(p).strip())] for cell in cells]
        titled = [next(named(cell, "h", "list"), None) is not None for cell in cells]
        if is_layout(texts) or any(len(cell) > 1 and has for cell, has in zip(texts, titled, strict=True)):
            for child in (child for cell in cells for child in cell):
                self.add(child, depth)
            self._end_code()
        else:
            self.blocks.row(" ".join(cell) for cell in texts)

    def _paragraph(self, node: ElementTree.Element, kind: str, depth: int) -> None:
        text = _text(node)
        style = attribute(node, "style-name")
        if kind == "p" and _CODE.search(self._parents.get(style) or style):
            self._code.append(text)
            return
        self._end_code()
        if kind == "h":
            level = attribute(node, "outline-level", "1")
            self.blocks.heading(int(level) if level.isdecimal() else 1, text)
        elif depth:
            self.blocks.item(text, depth)
        else:
            self.blocks.paragraph(text)
        for note in named(node, "note"):
            words = " ".join(_text(p) for body in named(note, "note-body") for p in named(body, "p"))
            self._notes.append(f"[^{_mark(note)}]: {words}")
        for box in named(node, "text-box"):
            for child in box:
                self.add(child, depth)

    def _end_code(self) -> None:
        self.blocks.code("\n".join(self._code))
        self._code.clear()


def _mark(note: ElementTree.Element) -> str:
    return next((one_line(node.text or "") for node in named(note, "note-citation")), "")


def _text(node: ElementTree.Element) -> str:
    """The text of a paragraph, without its notes and text boxes."""
    return "".join(_pieces(node))


def _pieces(node: ElementTree.Element) -> Iterator[str]:
    yield re.sub(r"\s+", " ", node.text or "")
    for child in node:
        kind = local(child)
        if kind == "s":
            count = attribute(child, "c", "1")
            yield " " * min(int(count) if count.isdecimal() else 1, 1000)
        elif kind in _SIGNS:
            yield _SIGNS[kind]
        elif kind == "note":
            yield f"[^{_mark(child)}]"
        elif kind not in _SKIPPED and kind != "text-box":
            yield from _pieces(child)
        yield re.sub(r"\s+", " ", child.tail or "")


def _table_rows(table: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The rows of a table, not those of tables in its cells."""
    for child in table:
        if local(child) == "table-row":
            yield child
        elif local(child) not in _SKIPPED:
            yield from _table_rows(child)


def _paragraphs(node: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The paragraphs and titles of a cell, those of its notes, text boxes and inner tables too."""
    for child in node:
        if local(child) in ("p", "h"):
            yield child
        if local(child) not in _SKIPPED:
            yield from _paragraphs(child)


def _cells(row: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return (cell for cell in row if local(cell) in ("table-cell", "covered-table-cell"))


def _rows(row: ElementTree.Element) -> list[str]:
    """A sheet's row, if it has text; what is repeated is given as often, as far as it matters."""
    texts: list[str] = []
    for cell in _cells(row):
        text = " ".join(_text(p) for p in cell if local(p) == "p")
        texts += [text] * _repeats(cell, "number-columns-repeated")
    line = table_row(texts)
    return [line] * _repeats(row, "number-rows-repeated") if line else []


def _repeats(node: ElementTree.Element, name: str) -> int:
    count = attribute(node, name, "1")
    return min(int(count), _MOST_REPEATS) if count.isdecimal() else 1
