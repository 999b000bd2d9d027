"""PPTX: a slide a page, with its tables and speaker notes.

Kreuzberg 4.10.4 gives no text of single slides, and no notes beside headings; so this is read here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree import ElementTree

from .blocks import Blocks
from .package import Package, attribute, local, main_part, named, office_title, related, relations
from .pages import Found, paged

_TITLES = ("title", "ctrTitle")
_FURNITURE = (
    "dt",
    "ftr",
    "hdr",
    "sldNum",
    "sldImg",
)  # date, footer, header, number; the picture beside notes
_PLAIN = ("subTitle", *_TITLES)


def read(file: BinaryIO, suffix: str) -> Found:
    """The text of a presentation, in the order of its slides."""
    package = Package(file)
    part = main_part(package, "ppt/presentation.xml")
    targets = relations(package, part)
    ids = (_relation_id(node) for node in named(package.xml(part), "sldId"))
    slides = [targets[key][1] for key in ids if key in targets]
    parts = ((f"slide {number}", _slide(package, slide)) for number, slide in enumerate(slides, 1))
    return paged(parts, office_title(package))


def _relation_id(node: ElementTree.Element) -> str:
    """An element's r:id; its own id is another thing."""
    return next((value for key, value in node.attrib.items() if key.endswith("}id")), "")


def _slide(package: Package, part: str) -> str:
    if part not in package:
        return ""
    blocks = Blocks()
    for shape in _shapes(package.xml(part)):
        _add(shape, blocks)
    for kind, member in relations(package, part).values():
        if kind == "diagramData" and member in package:
            for text, _ in _lines(package.xml(member)):
                blocks.item(text)
    if notes := related(package, part, "notesSlide"):
        texts = [text for shape in _shapes(package.xml(notes)) for text, _ in _lines(shape)]
        blocks.paragraph("\n".join(["Notes:", *texts]) if texts else "")
    return blocks.text()


def _shapes(tree: ElementTree.Element) -> list[ElementTree.Element]:
    """What holds text on a slide, its title first."""
    wanted = [node for node in _walk(tree) if _placeholder(node) not in _FURNITURE]
    return sorted(wanted, key=lambda node: _placeholder(node) not in _TITLES)


def _walk(node: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for child in node:
        if local(child) in ("sp", "graphicFrame"):
            yield child
        elif local(child) != "Fallback":
            yield from _walk(child)


def _placeholder(shape: ElementTree.Element) -> str | None:
    """The type of the placeholder that a shape fills; None if it is none."""
    node = next(named(shape, "ph"), None)
    return None if node is None else attribute(node, "type", "obj")


def _add(shape: ElementTree.Element, blocks: Blocks) -> None:
    kind = _placeholder(shape)
    if local(shape) == "graphicFrame":
        for row in named(shape, "tr"):
            blocks.row(" ".join(_text(p) for p in named(cell, "p")) for cell in row if local(cell) == "tc")
        blocks.end_table()
        return
    lines = _lines(shape)
    if kind in _TITLES:
        blocks.heading(1, " ".join(text for text, _ in lines))
        return
    listed = kind is not None and kind not in _PLAIN  # the master's bullets are those of its body
    for text, properties in lines:
        if _is_item(properties, listed):
            blocks.item(text, _level(properties))
        else:
            blocks.paragraph(text)


def _level(properties: ElementTree.Element) -> int:
    level = properties.get("lvl", "0")
    return 1 + (int(level) if level.isdecimal() else 0)


def _is_item(properties: ElementTree.Element, listed: bool) -> bool:
    names = {local(child) for child in properties}
    return "buNone" not in names and (listed or bool(names & {"buChar", "buAutoNum", "buBlip"}))


def _lines(shape: ElementTree.Element) -> list[tuple[str, ElementTree.Element]]:
    """(text, properties) of the paragraphs of a shape that have text."""
    none = ElementTree.Element("pPr")
    paragraphs = ((_text(p), next((c for c in p if local(c) == "pPr"), none)) for p in named(shape, "p"))
    return [(text, properties) for text, properties in paragraphs if text.strip()]


def _text(paragraph: ElementTree.Element) -> str:
    pieces = (node.text or "" if local(node) == "t" else "\n" for node in named(paragraph, "t", "br"))
    return "".join(pieces)
