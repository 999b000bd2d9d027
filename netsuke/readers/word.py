"""DOCX: headings, lists, tables, code, footnotes, in the order of the page.

Kreuzberg 4.10.4 loses every `<`, `>` and `&` of a DOCX, and its lists; so this is read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import IO, BinaryIO
from xml.etree import ElementTree

from .blocks import Blocks, is_layout, superscript
from .package import Package, attribute, local, main_part, named, office_title, related
from .pages import Found

# Deleted and moved text, field codes, and the second copy of what a newer Word draws.
_SKIPPED = frozenset("pPr rPr tblPr tcPr sdtPr del moveFrom instrText Fallback rt".split())
_CODE = re.compile(r"code|preformatted|verbatim|macro|listing", re.IGNORECASE)
_CONTENTS = re.compile(r"toc (?:\d|heading)")
_SIGNS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "ptab": "\t"}
_BODY_TEXT = 9  # the outline level that is none


@dataclass(frozen=True)
class _Style:
    """What a paragraph's style says: heading level (0: none), list depth (0: none), code, a table of contents."""

    level: int = 0
    depth: int = 0
    code: bool = False
    contents: bool = False


def read(file: BinaryIO, suffix: str) -> Found:
    """The text of a Word file; what stands in headers, footers and comments is left out."""
    package = Package(file)
    part = main_part(package, "word/document.xml")
    document = _Document(_styles(package, part))
    with package.open(part) as stream:
        for node in _children_of_body(stream):
            document.add(node)
    document.end_code()
    for kind in ("footnotes", "endnotes"):
        if notes := related(package, part, kind):
            document.add_notes(package.xml(notes))
    return Found(document.blocks.text(), office_title(package))


def _children_of_body(stream: IO[bytes]) -> Iterator[ElementTree.Element]:
    """Paragraphs and tables, each forgotten after it was given."""
    open_nodes: list[ElementTree.Element] = []
    for event, node in ElementTree.iterparse(stream, ("start", "end")):
        if event == "start":
            open_nodes.append(node)
            continue
        open_nodes.pop()
        if len(open_nodes) == 2 and local(open_nodes[-1]) == "body":
            yield node
            open_nodes[-1].clear()


class _Document:
    def __init__(self, styles: dict[str, _Style]) -> None:
        self.blocks = Blocks()
        self._styles = styles
        self._code: list[str] = []

    def add(self, node: ElementTree.Element) -> None:
        """A child of the body, of a content control or of a text box."""
        kind = local(node)
        if kind == "p":
            self._paragraph(node)
        elif kind == "tbl":
            self.end_code()
            for row in _rows(node):
                self._row(row)
            self.blocks.end_table()
        elif kind not in _SKIPPED:
            for child in node:
                self.add(child)

    def add_notes(self, notes: ElementTree.Element) -> None:
        """The footnotes or endnotes, each with its mark."""
        for note in notes:
            if attribute(note, "type") in ("", "normal"):
                text = " ".join(map(_text, _paragraphs(note))).strip()
                self.blocks.paragraph(text and f"[^{attribute(note, 'id')}]: {text}")

    def end_code(self) -> None:
        """Paragraphs of code that follow each other are one block."""
        self.blocks.code("\n".join(self._code))
        self._code.clear()

    def _row(self, cells: Sequence[ElementTree.Element]) -> None:
        """A row of a table; of one that is a part of the page what is in its cells."""
        filled = [[(p, text) for p in _paragraphs(cell) if (text := _text(p).strip())] for cell in cells]
        texts = [[text for _, text in cell] for cell in filled]
        if is_layout(texts) or any(len(cell) > 1 and any(map(self._is_structure, cell)) for cell in filled):
            for child in (child for cell in cells for child in cell):
                self.add(child)
            self.end_code()
        else:
            self.blocks.row(" ".join(cell) for cell in texts)

    def _is_structure(self, filled: tuple[ElementTree.Element, str]) -> bool:
        style = self._style(filled[0])
        return style.code or style.level > 0 or style.depth > 0

    def _paragraph(self, node: ElementTree.Element) -> None:
        style = self._style(node)
        if style.contents:
            return
        text = _text(node)
        if style.code:
            self._code.append(text)
            return
        self.end_code()
        if style.level:
            self.blocks.heading(style.level, text)
        elif style.depth:
            self.blocks.item(text, style.depth)
        else:
            self.blocks.paragraph(text)
        for box in _boxes(node):
            for child in box:
                self.add(child)

    def _style(self, node: ElementTree.Element) -> _Style:
        properties = next((child for child in node if local(child) == "pPr"), None)
        if properties is None:
            return _Style()
        values = {local(child): child for child in properties}
        style = (
            self._styles.get(attribute(values["pStyle"], "val"), _Style()) if "pStyle" in values else _Style()
        )
        return _with(style, values)


def _with(style: _Style, values: dict[str, ElementTree.Element]) -> _Style:
    """A style, with what paragraph properties say besides."""
    level, depth = style.level, style.depth
    if "outlineLvl" in values:
        outline = _number(attribute(values["outlineLvl"], "val"), _BODY_TEXT)
        level = 0 if outline >= _BODY_TEXT else outline + 1
    if "numPr" in values:
        parts = {local(child): attribute(child, "val") for child in values["numPr"]}
        depth = 0 if parts.get("numId") == "0" else _number(parts.get("ilvl", ""), max(depth - 1, 0)) + 1
    return replace(style, level=level, depth=depth)


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() else default


def _styles(package: Package, part: str) -> dict[str, _Style]:
    """The paragraph styles by id, with what each inherits."""
    name = related(package, part, "styles")
    nodes = {attribute(node, "styleId"): node for node in named(package.xml(name), "style")} if name else {}
    found: dict[str, _Style] = {}
    for style in nodes:
        chain = []  # the style, what it is based on, and so on
        while style in nodes and style not in found and style not in chain:
            chain.append(style)
            style = _child_value(nodes[style], "basedOn")
        inherited = found.get(style, _Style())
        for inner in reversed(chain):
            inherited = found[inner] = _of_style(nodes[inner], inherited)
    return found


def _of_style(node: ElementTree.Element, inherited: _Style) -> _Style:
    title = _child_value(node, "name").lower()
    level = inherited.level
    if match := re.fullmatch(r"heading (\d)", title):
        level = int(match[1])
    elif title == "title":
        level = 1
    properties = next((child for child in node if local(child) == "pPr"), None)
    values = {} if properties is None else {local(child): child for child in properties}
    code = inherited.code or bool(_CODE.search(title))
    contents = inherited.contents or bool(_CONTENTS.fullmatch(title))
    style = _with(_Style(level, inherited.depth, code, contents), values)
    if match := re.fullmatch(r"list (?:bullet|number) (\d)", title):
        style = replace(style, depth=int(match[1]))  # its numbering is a list of its own
    return style


def _child_value(node: ElementTree.Element, name: str) -> str:
    return next((attribute(child, "val") for child in node if local(child) == name), "")


def _text(node: ElementTree.Element) -> str:
    """The text of a paragraph without its text boxes."""
    text = ""
    for raised, pieces in groupby(_pieces(node), itemgetter(1)):
        piece = "".join(piece for piece, _ in pieces)
        text += superscript(text, piece) if raised else piece
    return text


def _pieces(node: ElementTree.Element, raised: bool = False) -> Iterator[tuple[str, bool]]:
    """(text, whether it is raised) of what is in a paragraph or a run of it."""
    for child in node:
        kind = local(child)
        if kind == "t":
            yield child.text or "", raised
        elif kind in _SIGNS:
            yield "" if attribute(child, "type") in ("page", "column") else _SIGNS[kind], raised
        elif kind in ("footnoteReference", "endnoteReference"):
            yield f"[^{attribute(child, 'id')}]", False
        elif kind == "hyperlink":
            linked = list(_pieces(child))
            if not all(is_raised for _, is_raised in linked):  # else it only leads to a note
                yield from linked
        elif kind == "r":
            about = next((_values(part) for part in child if local(part) == "rPr"), {})
            if about.get("vanish", "0") in ("0", "false", "off"):
                yield from _pieces(child, raised or about.get("vertAlign") == "superscript")
        elif kind not in _SKIPPED and kind != "txbxContent":
            in_formula = kind == "sup" and local(node) == "sSup"
            yield from _pieces(child, raised or in_formula)


def _values(properties: ElementTree.Element) -> dict[str, str]:
    """What the properties of a run say; of what is only there, "1"."""
    return {local(child): attribute(child, "val", "1") for child in properties}


def _boxes(node: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The contents of the text boxes that are anchored in a paragraph."""
    for child in node:
        if local(child) == "txbxContent":
            yield child
        elif local(child) not in _SKIPPED:
            yield from _boxes(child)


def _rows(table: ElementTree.Element) -> Iterator[list[ElementTree.Element]]:
    """The rows of a table as cells, content controls looked through; not those of inner tables."""
    for child in table:
        if local(child) == "tr":
            yield list(_cells(child))
        elif local(child) not in _SKIPPED:
            yield from _rows(child)


def _cells(row: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in row:
        if local(child) == "tc":
            yield child
        elif local(child) not in _SKIPPED:
            yield from _cells(child)


def _paragraphs(node: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """The paragraphs of a cell or a note, those of its text boxes and inner tables too."""
    for child in node:
        if local(child) == "p":
            yield child
            for box in _boxes(child):
                yield from _paragraphs(box)
        elif local(child) not in _SKIPPED:
            yield from _paragraphs(child)
