"""XML of strangers: no entities, no external files, a bounded depth; namespaces as "uri}name"."""

from __future__ import annotations

from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

MAX_DEPTH = 100


def parse(data: bytes, encoding: str | None = None) -> Element:
    """The root of a document. Raises ValueError for what is not XML, declares an entity or nests too deep.

    A document type is let pass, as old package files have one, but nothing that it names is opened.
    `encoding` overrides the one that the document declares.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(encoding, namespace_separator="}")
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("nested too deep")
        builder.start(name, attributes)

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(name)

    def refuse(*declaration: object) -> None:
        raise ValueError("it declares an entity")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:
        raise ValueError(f"not XML: {error}") from None
    return builder.close()


def local(element: Element) -> str:
    """An element's name without its namespace."""
    return element.tag.rpartition("}")[2]
