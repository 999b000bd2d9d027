"""What of a text's Markdown, or reST, goes together: fenced code, and a title with its underline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_FENCE = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})(.*)")
UNDERLINE = re.compile(r"([=\-~^\"*+#])\1{2,}[ \t]*")


def fences(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The ranges of lines (from 0, the second not included) of fenced code with its fences; one left open is none."""
    marks = [(number, found[1], found[2]) for number, line in enumerate(lines) if (found := _FENCE.match(line))]
    last = {mark: number for number, mark, info in marks if not info.strip()}  # where each last may close
    start, opened = 0, ""
    for number, mark, info in marks:
        if not opened and any(end > number and close.startswith(mark) for close, end in last.items()):
            start, opened = number, mark
        elif opened and not info.strip() and mark.startswith(opened):
            yield start, number + 1
            opened = ""


def is_underlined(title: str, line: str) -> bool:
    """Whether a line makes the one above it a title."""
    if not UNDERLINE.fullmatch(line) or not title.strip() or title[0].isspace() or UNDERLINE.fullmatch(title):
        return False
    return len(line.rstrip()) >= len(title.rstrip()) - 1 and title[0] not in "-*|>"
