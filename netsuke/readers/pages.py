"""What a reader gives: a text and where each of its pages starts, or the reason why not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

MAX_CHARACTERS = 100_000_000  # of text from one file: more is a bomb, not a document

# A file within the text, most often an image; what is told about it, as Markdown's ![alt](), is beside it.
_EMBEDDED = re.compile(r"\bdata:[\w.+/-]*(?:;[\w.=+-]+)*;base64,[A-Za-z0-9+/=%_-]+")
_LINE_END = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")


class Refused(Exception):
    """A file that is not read, by which rule and why."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule, self.detail = rule, detail


@dataclass(frozen=True)
class Found:
    """The text of a file. `pages` are (1-based line of the text, label), `markup` an HTML file's source."""

    text: str
    title: str = ""
    pages: list[tuple[int, str]] = field(default_factory=list)
    markup: str | None = None


def paged(parts: Iterable[tuple[str, str]], title: str = "") -> Found:
    """Found of (label, text) parts, a blank line between them; a part without text has no page.

    Lines end with \\n alone, so that whoever counts lines counts the same. Raises Refused if it is too long.
    """
    pages: list[tuple[int, str]] = []

    def texts() -> Iterator[str]:
        line = 1
        for label, part in parts:
            text = _LINE_END.sub("\n", part).strip("\n")
            if not text.strip():
                continue
            if label:
                pages.append((line, label))
            yield text
            line += text.count("\n") + 2

    return Found("\n\n".join(within_limit(texts())), title, pages)


def within_limit(texts: Iterable[str], limit: int = MAX_CHARACTERS) -> Iterator[str]:
    """The texts as they come. Raises Refused once they are longer than `limit` characters together."""
    length = 0
    for text in texts:
        length += len(text)
        if length > limit:
            raise Refused("too large", f"more than {limit:,} characters of text come out of it")
        yield text


def without_embedded(text: str) -> str:
    """The text without the files that data: addresses hold in Base64, its lines as they were."""
    return _EMBEDDED.sub("", text) if ";base64," in text else text
