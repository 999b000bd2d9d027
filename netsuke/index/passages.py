"""A document as passages of 100 to 200 words: whole paragraphs where they fit, each under its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..texts.letters import WORD
from ..texts.markdown import UNDERLINE, fences, is_underlined
from ..texts.sentences import spans

FEWEST, MOST = 100, 200  # words of a passage
SHORT = 30  # words: a section that is shorter goes on with the one below it
MOST_CHARACTERS = 2_400  # of a passage, where its words have no spaces between them

_HEADING = re.compile(r"(#{1,6})[ \t]+(.*\S)[ \t]*")
_NOT_A_HEADING = frozenset(("code", "catalogue"))  # kinds of text in which "# " begins something else


@dataclass(frozen=True)
class Passage:
    """text[begin:end] of a document, and the headings above it, the outermost first."""

    begin: int
    end: int
    headings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Piece:
    begin: int
    end: int
    words: int
    headings: tuple[str, ...]
    opens: bool  # whether it is a heading


def passages(text: str, profile: str = "prose") -> list[Passage]:
    """The passages of a document, in order and apart from each other; together they hold all but white space."""
    found: list[Passage] = []
    held: list[_Piece] = []
    last = 0  # words of the last one

    def close() -> None:
        nonlocal last
        if not held:
            return
        size, begin, headings = sum(one.words for one in held), held[0].begin, held[0].headings
        if found and found[-1].headings == headings and not held[0].opens and size < SHORT:
            if last + size <= MOST and held[-1].end - found[-1].begin <= MOST_CHARACTERS:
                begin, size = found.pop().begin, last + size  # a rest of a section stays with what is before it
        found.append(Passage(begin, held[-1].end, headings))
        last = size
        held.clear()

    for piece in _pieces(text, profile):
        size = sum(one.words for one in held)
        if held and (
            (piece.opens and (size >= SHORT or not _is_below(piece.headings, held[0].headings)))
            or size + piece.words > MOST
            or piece.end - held[0].begin > MOST_CHARACTERS
            or (size >= FEWEST and not held[-1].opens)
        ):
            close()
        held.append(piece)
    close()
    return found


def _is_below(lower: Sequence[str], upper: Sequence[str]) -> bool:
    return len(lower) > len(upper) and lower[: len(upper)] == upper


def _pieces(text: str, profile: str) -> Iterator[_Piece]:
    """The paragraphs of a text, long ones in parts, with the headings that each stands under."""
    path: list[tuple[int, str]] = []
    for begin, end, level, title in blocks(text, profile):
        if level:
            path = [*(one for one in path if one[0] < level), (level, title)]
        headings = tuple(title for _, title in path)
        for start, stop in _parts(text, begin, end):
            yield _Piece(start, stop, _count(text, start, stop), headings, bool(level))


def blocks(text: str, profile: str) -> Iterator[tuple[int, int, int, str]]:
    """(begin, end, level, title) of each paragraph (level 0) and heading."""
    lines = list(_lines(text))
    marks = {} if profile in _NOT_A_HEADING else _headings([text[a:b] for a, b in lines])
    start = None
    for number, (begin, end) in enumerate(lines):
        opens, blank = number in marks, not text[begin:end].strip()
        if start is not None and (opens or blank):
            yield start, lines[number - 1][1], 0, ""
            start = None
        if opens:
            level, title, height = marks[number]
            yield begin, lines[number + height - 1][1], level, title
        elif not blank and start is None and not (number - 1 in marks and marks[number - 1][2] == 2):
            start = begin
    if start is not None:
        yield start, len(text), 0, ""


def _lines(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    while (end := text.find("\n", begin)) >= 0:
        yield begin, end
        begin = end + 1
    yield begin, len(text)


def _headings(lines: Sequence[str]) -> dict[int, tuple[int, str, int]]:
    """(level, title, lines that it takes) of each line that begins a heading, outside of fenced code."""
    found: dict[int, tuple[int, str, int]] = {}
    styles: list[str] = []  # of underlines: the first that is met is the highest
    code = {number for start, end in fences(lines) for number in range(start, end)}
    for number, line in enumerate(lines):
        if number in code:
            continue
        if hashes := _HEADING.fullmatch(line):
            found[number] = (len(hashes[1]), hashes[2].rstrip("#").rstrip() or hashes[2], 1)
        elif number and number - 1 not in found and is_underlined(lines[number - 1], line):
            if number < 2 or not lines[number - 2].strip() or UNDERLINE.fullmatch(lines[number - 2]):
                if line[0] not in styles:
                    styles.append(line[0])
                found[number - 1] = (styles.index(line[0]) + 1, lines[number - 1].strip(), 2)
    return found


def _count(text: str, begin: int, end: int) -> int:
    return sum(1 for _ in WORD.finditer(text, begin, end))


def _parts(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of a paragraph without white space at its ends, or of as many sentences of it as a passage holds."""
    if _fits(text, begin, end):
        yield from _trimmed(text, begin, end)
        return
    paragraph = text[begin:end]
    start = stop = 0
    for first, last in _sentences(paragraph):
        if start < first and not _fits(paragraph, start, last):
            yield from _trimmed(text, begin + start, begin + stop)
            start = first
        stop = last
    yield from _trimmed(text, begin + start, end)


def _fits(text: str, begin: int, end: int) -> bool:
    size = end - begin
    return size <= MOST_CHARACTERS and (size <= MOST or _count(text, begin, end) <= MOST)


def _sentences(paragraph: str) -> Iterator[tuple[int, int]]:
    """Sentences; one that is too long by itself in pieces, cut behind a word or, where there is none, anywhere."""
    for begin, end in spans(paragraph):
        while not _fits(paragraph, begin, end):
            cut = begin + MOST_CHARACTERS // 2
            words = [match.end() for match in WORD.finditer(paragraph, begin, min(end, cut))][:FEWEST]
            # a word that goes on behind the cut is no end of one
            whole = [at for at in words if at < cut]
            stop = whole[-1] if whole else cut
            yield begin, stop
            begin = stop
        yield begin, end


def _trimmed(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    while begin < end and text[begin] in " \t\n":
        begin += 1
    while begin < end and text[end - 1].isspace():
        end -= 1
    if begin < end:
        yield begin, end
