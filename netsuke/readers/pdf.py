"""PDF, a page a page: by PDFium (in kreuzberg), else by pypdf, which mends more damage."""

from __future__ import annotations

import re
from typing import BinaryIO

from .legacy import extract, title_of
from .pages import Found, Refused, paged


def read(file: BinaryIO, suffix: str) -> Found:
    """The text of each page. Raises Refused if it needs a password."""
    # By page, because kreuzberg's text of the whole can hold a paragraph twice (4.10.4).
    try:
        result = extract(file.read(), "application/pdf", pages=True)
    except Exception as error:
        if "password" in str(error).lower():
            raise Refused("unreadable", "it needs a password") from None
        if "FormatError" in str(error):
            raise ValueError("it is damaged: no reader finds a page in it") from None
        raise
    # \x02 is PDFium's mark for a hyphen at the end of a line.
    texts = (re.sub(r"\x02\s*", "", page["content"]) for page in result.pages or ())
    return paged(((f"page {number}", text) for number, text in enumerate(texts, 1)), title_of(result))


def read_damaged(file: BinaryIO, suffix: str) -> Found:
    """The same with pypdf."""
    import pypdf

    reader = pypdf.PdfReader(file)
    parts = ((f"page {number}", page.extract_text()) for number, page in enumerate(reader.pages, 1))
    return paged(parts, str((reader.metadata and reader.metadata.title) or ""))
