"""What documents repeat: running headers, menus and signatures at their edges, and long paragraphs anywhere.

Each is kept where it comes first, and cut where it comes again.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from ..texts.markdown import fences, is_underlined
from ..texts.places import line_in_file, page
from .items import Drops, Item
from .lines import Range, paragraphs, with_underlines

EDGE_LINES, EDGE_CHARS = 6, 120  # what counts as the edge of a document, and how long a line there may be
LEAST_COPIES, LEAST_SHARE = 5, 0.2  # documents of a source that begin or end with a line: then it is a frame
PAGE_EDGE, PAGE_SHARE = 2, 0.5  # the same of the pages of one document
GREETING_WORDS = 5

_PAGE = "page "  # how readers label pages; sheets, slides, cells and messages have no running heads
_DIGITS = re.compile(r"\d+")
_WHOLE = re.compile(r"(?<![\d.,])\d+(?![.,]?\d)")  # not a part of 71.3 or 1,000
_NAME = re.compile(r"[^\W\d_][\w.'’-]*(?: [^\W\d_][\w.'’-]*){0,2}")
_WORD = r"(?:page|pages|pg\.?|p\.|seite|página|pagina|pág\.|strona|str\.|sida|side)"
_NUMBER_ALONE = re.compile(
    rf"[\W_]*(?:{_WORD}\s*)?\d{{1,4}}(?:\s*(?:/|of|von|de|di|sur|z|av)\s*\d{{1,4}})?(?:[\W_]*{_WORD})?[\W_]*"
)


def key_of(text: str) -> str:
    """What two passages share that are the same but for case and white space."""
    return " ".join(text.casefold().split())


def _frame_key(line: str) -> str:
    """The same of a line at an edge; "" for one that cannot be a frame. Numbers count: "Weight: 71.3 kg" is none."""
    return key_of(line) if len(line) <= EDGE_CHARS else ""


def _page_key(line: str, own: int) -> str:
    """The same within one document, whatever the page: "Page 3 of 12" and the page's own number, no other figure."""
    key = _frame_key(line)
    if _NUMBER_ALONE.fullmatch(key):
        return _DIGITS.sub("#", key)
    return _WHOLE.sub(lambda found: "#" if int(found[0]) == own else found[0], key)


# -- frames ----------------------------------------------------------------------------------------------
def without_frames(items: Sequence[Item], drops: Drops) -> list[Item]:
    """The items without the headers, footers, menus and signatures that many of a source, or many pages, share."""
    edges, running = [], []
    for item in items:
        lines = item.text.split("\n")
        framed = item.profile not in ("code", "catalogue")
        tied = _tied(lines) if framed else set()
        edges.append(list(_edges(lines, tied)) if framed else [])
        running.append(_page_frames(item, lines, tied) if framed and len(item.pages) >= 3 else [])
    shared: Counter[tuple[int, str]] = Counter()
    documents = Counter(item.source for item in items)
    for item, found in zip(items, edges, strict=True):
        shared.update({(item.source, key) for _, key in found})
    seen: set[tuple[int, str]] = set()
    kept = []
    for item, found, numbers in zip(items, edges, running, strict=True):
        least = max(LEAST_COPIES, LEAST_SHARE * documents[item.source])
        cut = []
        for number, key in found:
            if shared[item.source, key] >= least:
                if (item.source, key) in seen:
                    cut.append(number)
                seen.add((item.source, key))
        kept.append(_cut(item, sorted({*cut, *numbers}), drops))
    return kept


def _tied(lines: Sequence[str]) -> set[int]:
    """The lines that are no frames of their own: fenced code, which is cut whole, and underlines of titles."""
    code = {number for start, end in fences(lines) for number in range(start, end)}
    pairs = enumerate(pairwise(lines), 1)
    return code | {number for number, pair in pairs if number not in code and is_underlined(*pair)}


def _edges(lines: Sequence[str], tied: set[int]) -> Iterator[tuple[int, str]]:
    """(line, key) of the short lines at the top and the bottom of a text, without how its writer greets and signs."""
    filled = [number for number, line in enumerate(lines) if line.strip()]
    near = {*filled[:EDGE_LINES], *filled[-EDGE_LINES - 1 :]}
    greetings = {n for n in near if (n == 0 or not lines[n - 1].strip()) and _greets(lines[n])}  # it begins a paragraph
    names = {b for a, b in pairwise(filled) if a in greetings and _NAME.fullmatch(lines[b].strip())}
    for number in dict.fromkeys([*filled[:EDGE_LINES], *filled[-EDGE_LINES:]]):
        if number not in tied | greetings | names and any(map(str.isalpha, key := _frame_key(lines[number]))):
            yield number, key


def _greets(line: str) -> bool:
    """Whether a line is like "Dear Ann," or "Yours,"; an address has numbers."""
    return line.rstrip().endswith(",") and len(line.split()) <= GREETING_WORDS and not _DIGITS.search(line)


def _page_frames(item: Item, lines: Sequence[str], tied: set[int]) -> list[int]:
    """The lines at the edges of pages that half of a document's pages share, page numbers too; not the first."""
    by_page: defaultdict[int, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        label = page(item.pages, line_in_file(item.places, number + 1))
        if line.strip() and label.startswith(_PAGE):
            by_page[int(label.removeprefix(_PAGE))].append(number)
    found: dict[str, list[int]] = defaultdict(list)
    count: Counter[str] = Counter()
    for own, filled in by_page.items():
        at_edges = (*filled[:PAGE_EDGE], *filled[-PAGE_EDGE:])
        edge = {number: _page_key(lines[number], own) for number in at_edges if number not in tied}
        count.update(set(edge.values()))
        for number, key in edge.items():
            found[key].append(number)
    least = PAGE_SHARE * len(by_page)
    repeated = [
        numbers if "#" in key and not any(map(str.isalpha, key)) else numbers[1:]
        for key, numbers in found.items()
        if key and count[key] >= max(3, least)
    ]
    return [number for numbers in repeated for number in numbers]


def _cut(item: Item, numbers: Sequence[int], drops: Drops) -> Item:
    if not numbers:
        return item
    lines = item.text.split("\n")
    spans = [((start, end), "\n".join(lines[start:end])) for start, end in with_underlines(lines, numbers)]
    return item.without([where for where, span in spans if drops.add(item, "boilerplate", _start(span), span=span)])


# -- paragraphs ------------------------------------------------------------------------------------------
def without_repeated_paragraphs(items: Sequence[Item], min_chars: int, drops: Drops) -> list[Item]:
    """The items with every long paragraph cut that came before, in an earlier document or their own."""
    first: dict[bytes, str] = {}
    return [item.without(_repeated(item, min_chars, first, drops)) for item in items]


def _repeated(item: Item, min_chars: int, first: dict[bytes, str], drops: Drops) -> list[Range]:
    """The ranges of lines to cut, one drop for each run of paragraphs of one origin; adds the new ones to `first`."""
    lines = item.text.split("\n")
    runs: list[tuple[str, Range]] = []
    follows = False
    for start, end in paragraphs(lines):
        origin = _origin("\n".join(lines[start:end]), min_chars, item.name, first)
        if origin is None:
            follows = False
        elif follows and runs[-1][0] == origin:
            runs[-1] = (origin, (runs[-1][1][0], end))
        else:
            runs.append((origin, (start, end)))
            follows = True
    spans = [("\n".join(lines[start:end]), origin, (start, end)) for origin, (start, end) in runs]
    return [
        where
        for span, origin, where in spans
        if drops.add(item, "repeated paragraph", f"{_start(span)} of {origin}", span=span)
    ]


def _origin(paragraph: str, min_chars: int, path: str, first: dict[bytes, str]) -> str | None:
    """The path where a long paragraph was seen before, or None."""
    if len(key := key_of(paragraph)) < min_chars:
        return None
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    if digest in first:
        return first[digest]
    first[digest] = path
    return None


def _start(span: str) -> str:
    return f"“{' '.join(span[:200].split())[:60]}”"
