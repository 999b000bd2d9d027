"""What kreuzberg reads: RTF, Outlook's mail, and Office's formats of before 2007."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from .blocks import Blocks, one_line, table_row
from .pages import Found, paged

if TYPE_CHECKING:
    from kreuzberg import ExtractionResult

_TYPES = {
    ".rtf": "application/rtf",
    ".msg": "application/vnd.ms-outlook",
    ".doc": "application/msword",
    ".xls": "application/vnd.ms-excel",
    ".ppt": "application/vnd.ms-powerpoint",
}


def extract(data: bytes, mime_type: str, *, pages: bool = False, structure: bool = False) -> ExtractionResult:
    """Kreuzberg's result, on one thread, without OCR, caches or network. Raises what it raises."""
    import kreuzberg

    config = kreuzberg.ExtractionConfig(  # type: ignore[call-arg]  # disable_ocr is not in its stub
        use_cache=False,
        disable_ocr=True,
        enable_quality_processing=False,
        include_document_structure=structure,
        pages=kreuzberg.PageConfig(extract_pages=True) if pages else None,
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    return kreuzberg.extract_bytes_sync(data, mime_type, config)


def title_of(result: ExtractionResult) -> str:
    """The title among a document's properties."""
    about: Any = result.metadata
    return str(about.get("title") or "").strip()


def read(file: BinaryIO, suffix: str) -> Found:
    """Headings, lists and tables where kreuzberg tells them, else its plain text."""
    result = extract(file.read(), _TYPES[suffix], structure=True)
    document: Any = result.document
    text = _text_of(document["nodes"]) if document and document["nodes"] else result.content
    return paged([("", text)], title_of(result))


def read_mail(file: BinaryIO, suffix: str) -> Found:
    """Outlook's mail: its main headers, its text, what is attached named but not opened."""
    result = extract(file.read(), _TYPES[suffix])
    about: Any = result.metadata
    attached = (f"[attached: {one_line(name)}]" for name in about.get("attachments") or ())
    return paged([("", "\n\n".join([result.content.strip(), *attached]))], str(about.get("subject") or ""))


def read_sheets(file: BinaryIO, suffix: str) -> Found:
    """A workbook, a sheet a page."""
    result = extract(file.read(), _TYPES[suffix])
    about: Any = result.metadata
    names = about.get("sheet_names") or []
    sheets = [
        (table.page_number, "\n".join(filter(None, map(table_row, table.cells)))) for table in result.tables
    ]
    parts = ((names[number - 1], text) for number, text in sheets if 0 < number <= len(names) and text)
    return paged(((f"sheet {name}", f"# {name}\n\n{text}") for name, text in parts), title_of(result))


def _text_of(nodes: list[dict[str, Any]]) -> str:
    blocks = Blocks()
    for number, node in enumerate(nodes):
        content, text = node["content"], node["content"].get("text", "")
        kind = content["node_type"]
        if node.get("content_layer") in ("header", "footer"):
            continue
        if kind == "heading":
            blocks.heading(content["level"], text)
        elif kind == "list_item":
            blocks.item(text, _depth(nodes, number))
        elif kind == "code":
            blocks.code(text, content.get("language") or "")
        elif kind == "table":
            _add_table(content["grid"], blocks)
        else:
            blocks.paragraph(text)
    return blocks.text()


def _depth(nodes: list[dict[str, Any]], number: int) -> int:
    """How many lists a node is in."""
    depth, parent = 0, nodes[number].get("parent")
    while parent is not None:
        depth += nodes[parent]["content"]["node_type"] == "list"
        parent = nodes[parent].get("parent")
    return max(depth, 1)


def _add_table(grid: dict[str, Any], blocks: Blocks) -> None:
    rows = [[""] * grid["cols"] for _ in range(grid["rows"])]
    for cell in grid["cells"]:
        rows[cell["row"]][cell["col"]] = cell["content"]
    for row in rows:
        blocks.row(row)
    blocks.end_table()
