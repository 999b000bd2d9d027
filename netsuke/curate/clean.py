"""Normalise the texts and take out what is empty, a duplicate or repeated; each drop says why."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..nouns import Drop

if TYPE_CHECKING:
    from . import Params

_BLANK_LINES = re.compile(r"\n{4,}")
_PARAGRAPH_END = re.compile(r"(\n\n+)")
_TO_NEWLINE = dict.fromkeys(map(ord, "\v\f\x85\u2028\u2029"), "\n")
_TRANSLATE: dict[int, str | None] = {
    **{code: None for code in (*range(32), *range(127, 160), 0xFEFF) if code not in (9, 10)},
    **_TO_NEWLINE,
    **dict.fromkeys(range(0xD800, 0xE000), "\ufffd"),
}
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")


@dataclass(frozen=True)
class Item:
    """A file, or a part of one, on its way to the dataset. `hash` and `text` are of what is kept so far."""

    path: str
    source: int
    owner: str
    licence: str
    text: str
    part: int = 0  # from 1; 0 is the whole file

    @property
    def name(self) -> str:
        """The path of the document: "book.txt", or "book.txt#3" for a part."""
        return f"{self.path}#{self.part}" if self.part else self.path

    @property
    def hash(self) -> str:
        return text_hash(self.text)

    @property
    def bytes(self) -> int:
        return len(self.text.encode())

    def dropped(self, rule: str, detail: str) -> Drop:
        return Drop(self.name, self.source, rule, detail, self.hash, self.bytes)


def text_hash(text: str) -> str:
    """sha256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def load(files: Path) -> tuple[list[dict[str, Any]], list[Item], list[Drop]]:
    """(rows of index.json, texts, drops that consent and the readers made), each in canonical order.

    The rows gain `original_hash` and `bytes_in`, of the text as it was read.
    """
    rows: list[dict[str, Any]] = json.loads((files / "index.json").read_bytes())
    rows.sort(key=lambda row: (row["source"], row["path"]))
    items, drops = [], []
    for row in rows:
        read = row if "drop" in row else json.loads((files / row["text"]).read_bytes())
        if drop := read.get("drop"):
            row |= {"original_hash": "", "bytes_in": drop.get("bytes", 0)}
            drops.append(
                Drop(row["path"], row["source"], drop["rule"], drop["detail"], bytes=row["bytes_in"])
            )
            continue
        text = read["text"]
        row |= {"original_hash": text_hash(text), "bytes_in": len(text.encode("utf-8", "replace"))}
        items.append(Item(row["path"], row["source"], row["owner"], row["licence"], text))
    return rows, items, drops


def normalise(text: str) -> str:
    """The text in NFC, lines ended by \\n, without control characters, trailing spaces, many blank lines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not _PLAIN.fullmatch(text):
        text = unicodedata.normalize("NFC", text.translate(_TRANSLATE))
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n\n", text).strip("\n")


def normalised(items: Iterable[Item], params: Params, drops: list[Drop]) -> list[Item]:
    """The items with normalised text; those that are empty or one long line go to `drops`."""
    kept = []
    for item in items:
        item = replace(item, text=normalise(item.text))
        longest = max(map(len, item.text.split("\n")))
        if len(item.text.strip()) < params.min_chars:
            drops.append(item.dropped("empty", f"{len(item.text.strip())} characters of text"))
        elif longest > params.max_line_chars:
            drops.append(item.dropped("one long line", f"{longest:,} characters on a line"))
        else:
            kept.append(item)
    return kept


def without_duplicates(items: Iterable[Item], drops: list[Drop]) -> list[Item]:
    """The items whose text no earlier one has."""
    first: dict[str, Item] = {}
    for item in items:
        if (earlier := first.setdefault(item.hash, item)) is not item:
            drops.append(item.dropped("exact duplicate", f"of {earlier.name}"))
    return list(first.values())


def paragraph_key(paragraph: str) -> str:
    """What two paragraphs share that are the same but for case and white space."""
    return " ".join(paragraph.casefold().split())


def without_repeated_paragraphs(items: Iterable[Item], params: Params, drops: list[Drop]) -> list[Item]:
    """The items with every long paragraph cut that came before, in an earlier document or their own."""
    first: dict[bytes, str] = {}
    kept = []
    for item in items:
        text, cut = _first_time_only(item, params.min_paragraph_chars, first)
        drops += cut
        shorter = replace(item, text=text)
        if cut and len(text.strip()) < params.min_chars:
            detail = f"{len(text)} characters left"
            drops.append(shorter.dropped("nothing left after repeated paragraphs", detail))
        else:
            kept.append(shorter)
    return kept


def _first_time_only(item: Item, min_chars: int, first: dict[bytes, str]) -> tuple[str, list[Drop]]:
    """(text without the paragraphs in `first`, one Drop a cut span); adds the new ones to `first`."""
    pieces = _PARAGRAPH_END.split(item.text)
    pieces.append("")  # so that each paragraph has the blank lines after it
    kept: list[str] = []
    spans: list[tuple[str, list[str]]] = []  # (the path they are of, the paragraphs)
    open_span = False
    for paragraph, gap in zip(pieces[::2], pieces[1::2], strict=True):
        origin = _origin(paragraph, min_chars, item.name, first)
        if origin is None:
            kept += (paragraph, gap)
            open_span = False
        elif open_span and spans[-1][0] == origin:
            spans[-1][1].append(paragraph)
        else:
            spans.append((origin, [paragraph]))
            open_span = True
    text = "".join(kept).strip("\n") if spans else item.text
    return text, [_cut(item, origin, "\n\n".join(paragraphs)) for origin, paragraphs in spans]


def _origin(paragraph: str, min_chars: int, path: str, first: dict[bytes, str]) -> str | None:
    """The path where a long paragraph was seen before, or None."""
    if len(key := paragraph_key(paragraph)) < min_chars:
        return None
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    if digest in first:
        return first[digest]
    first[digest] = path
    return None


def _cut(item: Item, origin: str, span: str) -> Drop:
    start = " ".join(span[:200].split())[:60]
    return Drop(
        item.name,
        item.source,
        "repeated paragraph",
        f"“{start}” of {origin}",
        text_hash(span),
        len(span.encode()),
    )
