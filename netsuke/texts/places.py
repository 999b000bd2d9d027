"""Where a line of a text was in the file that it came from: its line there, and its page.

Places say where: ((1, 1), (40, 52)) is "line 1 of the text is line 1 of the file, and so on; line 40 is line 52".
"""

from __future__ import annotations

from bisect import bisect_right

Places = tuple[tuple[int, int], ...]  # (line in the text, line in the file), both from 1
Pages = tuple[tuple[int, str], ...]  # (line in the file, "page 3"): where each begins


def line_in_file(places: Places, line: int) -> int:
    """The line of the file at which a line of the text (from 1) was."""
    at = max(bisect_right(places, (line, 1 << 62)) - 1, 0)
    return places[at][1] + line - places[at][0] if places else line


def page(pages: Pages, line: int) -> str:
    """The label of the page on which a line of the file is; "" where there are no pages."""
    at = bisect_right(pages, line, key=lambda mark: mark[0]) - 1
    return pages[at][1] if at >= 0 else ""


def pages_between(pages: Pages, first: int, last: int) -> Pages:
    """The pages on which lines first..last of the file are."""
    begin, end = (bisect_right(pages, line, key=lambda mark: mark[0]) for line in (first, last))
    return pages[max(begin - 1, 0) : end]
