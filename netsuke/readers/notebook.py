"""Jupyter notebooks: prose and code cells, each a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from .blocks import fenced
from .pages import Found, Refused, paged

OUTPUT_CHARACTERS, OUTPUT_LINES = 500, 10  # a longer output is a log or a dump


def read(file: BinaryIO, suffix: str) -> Found:
    """Markdown as it is, code fenced in the kernel's language with its short text outputs."""
    notebook = json.loads(file.read())
    if not isinstance(notebook, dict):
        raise Refused("unreadable", "it is no notebook")
    cells = notebook.get("cells")
    if cells is None:  # version 3
        cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    about = notebook.get("metadata") or {}
    named = (about.get("kernelspec") or {}).get("language"), (about.get("language_info") or {}).get("name")
    language = next(filter(None, named), "")
    parts = ((f"cell {number}", _text(cell, language)) for number, cell in enumerate(cells, 1))
    return paged(parts, str(about.get("title") or ""))


def _text(cell: Mapping[str, Any], language: str) -> str:
    source = _joined(cell.get("source", cell.get("input", "")))
    if cell.get("cell_type") != "code":
        return source
    texts = [fenced(source, str(cell.get("language") or language))] if source.strip() else []
    return "\n\n".join(texts + [fenced(output, "text") for output in _outputs(cell)])


def _outputs(cell: Mapping[str, Any]) -> Iterator[str]:
    """The outputs of a cell that are text and short."""
    for output in cell.get("outputs", ()):
        text = output.get("text") or output.get("data", {}).get("text/plain") or ""
        text = _joined(text).strip("\n")
        if text.strip() and len(text) <= OUTPUT_CHARACTERS and text.count("\n") < OUTPUT_LINES:
            yield text


def _joined(source: Any) -> str:
    """A text, which the format may give as a list of its lines."""
    return "".join(map(str, source)) if isinstance(source, list) else str(source)
