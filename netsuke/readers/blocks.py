"""A text with its structure in Markdown: "# " headings, "- " items, fenced code, " | " between cells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from .pages import within_limit

_DEEPEST = 8  # an indent that grows with every level would make a bomb of nested lists
_LONG_CELL = 300  # characters: several paragraphs of this length are a page in a table, not a table
_POWER = re.compile(r"[-+−–]?[0-9]+|[0-9]+[-+−–]")
_LINE_ENDS = "\r\n"
_TICKS = re.compile("`{3,}")


def one_line(text: str) -> str:
    """The text with every run of white space as one space."""
    return " ".join(text.split())


def fenced(code: str, language: str = "") -> str:
    """A fenced code block; the fence is longer than any in the code."""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(code)), default=0))
    return f"{fence}{language}\n{code.strip(_LINE_ENDS)}\n{fence}"


class Blocks:
    """Collects blocks; those that are empty are left out."""

    def __init__(self) -> None:
        self._blocks: list[tuple[str, str]] = []  # (kind, text); two items or two rows are not set apart

    def heading(self, level: int, text: str) -> None:
        """A heading of level 1 to 6."""
        if line := one_line(text):
            self._blocks.append(("heading", f"{'#' * min(max(level, 1), 6)} {line}"))

    def paragraph(self, text: str) -> None:
        """A paragraph; it may have several lines."""
        if text := text.strip():
            self._blocks.append(("paragraph", text))

    def item(self, text: str, depth: int = 1) -> None:
        """An item of a list, `depth` lists deep."""
        if text := text.strip():
            indent = "  " * (min(depth, _DEEPEST) - 1)
            self._blocks.append(("item", f"{indent}- " + text.replace("\n", f"\n{indent}  ")))

    def code(self, text: str, language: str = "") -> None:
        """A block of code, its white space as it is."""
        if text.strip():
            self._blocks.append(("code", fenced(text, language)))

    def row(self, cells: Iterable[str]) -> None:
        """A row of a table, on one line."""
        if line := table_row(cells):
            self._blocks.append(("row", line))

    def end_table(self) -> None:
        """The next row is another table's."""
        self._blocks.append(("end", ""))

    def text(self) -> str:
        """All of it, a blank line between blocks. Raises Refused if it is too long."""
        return "".join(within_limit(self._spaced()))

    def _spaced(self) -> Iterator[str]:
        before = ""
        for kind, text in self._blocks:
            if text:
                if before:
                    yield "\n" if kind == before and kind in ("item", "row") else "\n\n"
                yield text
                before = kind
            elif before:
                before = "end"


def table_row(cells: Iterable[str]) -> str:
    """The cells of a row on one line, without the empty ones at its end."""
    texts = [one_line(cell) for cell in cells]
    while texts and not texts[-1]:
        texts.pop()
    return " | ".join(texts)


def is_layout(cells: Iterable[Sequence[str]]) -> bool:
    """Whether a row, each cell as its paragraphs, is a part of the page that is laid out in a table."""
    return any(len(cell) > 1 and sum(map(len, cell)) > _LONG_CELL for cell in cells)


def superscript(before: str, text: str) -> str:
    """What is raised behind a text: "^10" behind "2", a number alone; "st" behind "1" as it is."""
    return f"^{text.strip()}" if before[-1:].isalnum() and _POWER.fullmatch(text.strip()) else text
