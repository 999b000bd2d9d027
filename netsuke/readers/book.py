"""EPUB and FictionBook: a chapter a page, in reading order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree

from .blocks import Blocks, one_line
from .html import html_text, source_of
from .package import Package, attribute, beside, local, named
from .pages import Found, Refused, paged

_WEB = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_CONTAINER = "META-INF/container.xml"


def read_epub(file: BinaryIO, suffix: str) -> Found:
    """The chapters of an EPUB as its spine orders them, without the table of contents."""
    package = Package(file)
    root = next((attribute(node, "full-path") for node in named(package.xml(_CONTAINER), "rootfile")), "")
    if root not in package:
        raise Refused("unreadable", "it has no list of its chapters")
    opf = package.xml(root)
    items = {attribute(node, "id"): node for node in named(opf, "item")}
    spine = (items[key] for node in named(opf, "itemref") if (key := attribute(node, "idref")) in items)
    chapters = [beside(root, attribute(item, "href")) for item in spine if _is_chapter(item)]
    title = next((one_line(node.text or "") for node in named(opf, "title")), "")
    parts = (
        (f"chapter {number}", html_text(source_of(package.read(name)), chapter=True)[0])
        for number, name in enumerate(chapters, 1)
        if name in package
    )
    return paged(parts, title)


def _is_chapter(item: ElementTree.Element) -> bool:
    return attribute(item, "media-type") in _WEB and "nav" not in attribute(item, "properties").split()


def read_fb2(file: BinaryIO, suffix: str) -> Found:
    """The sections of a FictionBook, each of the topmost a chapter; its notes come last."""
    tree = ElementTree.fromstring(file.read())
    title = next((one_line(node.text or "") for node in named(tree, "book-title")), "")
    return paged(_sections(tree), title)


def _sections(tree: ElementTree.Element) -> Iterator[tuple[str, str]]:
    number = 0
    for body in (node for node in tree if local(node) == "body"):
        before = Blocks()
        for node in body:
            if local(node) != "section":
                _add(node, 1, before)
        yield "", before.text()
        for section in (node for node in body if local(node) == "section"):
            number += 1
            blocks = Blocks()
            _add(section, 1, blocks)
            yield f"chapter {number}", blocks.text()


def _add(node: ElementTree.Element, level: int, blocks: Blocks) -> None:
    """A node of a section that is `level` deep."""
    kind = local(node)
    if kind == "title":
        blocks.heading(level, " ".join("".join(p.itertext()) for p in node))
    elif kind == "subtitle":
        blocks.heading(level + 1, "".join(node.itertext()))
    elif kind in ("p", "v", "text-author", "date"):
        blocks.paragraph(one_line("".join(node.itertext())))
    elif kind == "stanza":
        blocks.paragraph("\n".join(one_line("".join(v.itertext())) for v in node))
    elif kind == "table":
        for row in named(node, "tr"):
            blocks.row("".join(cell.itertext()) for cell in row)
        blocks.end_table()
    else:
        for child in node:
            _add(child, level + (kind == "section" and local(child) == "section"), blocks)
