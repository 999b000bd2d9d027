"""Who is valued: the owners, or the sources, of what a model learnt from; and which text is whose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..consent.agreements import same_name
from ..texts.documents import BARE_LESSONS, called, file_of, read_rows

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Piece:
    """One row of train.jsonl, a document (`line` 0) or the lesson of an example, and whose it is."""

    row: int
    path: str
    line: int
    source: int
    owner: str
    licence: str
    bytes: int


@dataclass(frozen=True)
class Unit:
    """An owner, a source, or (`of` more than one) several small ones together."""

    name: str
    of: tuple[str, ...]
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        return sum(piece.bytes for piece in self.pieces)


def bare(rendered: Path) -> list[Row]:
    """The rows of train.jsonl, each example's lesson without the examples that it shows: these may be others'."""
    lessons = read_rows(rendered / BARE_LESSONS)
    return [next(lessons, row) if "answer" in row else row for row in read_rows(rendered / "train.jsonl")]


def pieces(rendered: Path, documents: Iterable[Row]) -> list[Piece]:
    """What a rendered dataset's train.jsonl is made of (bare); `documents` are the rows of documents.jsonl.

    Lessons that the program adds of itself (manners, holes) come behind those of the examples, and are nobody's.
    """
    rows = list(documents)
    whose = {(row["source"], row["path"]): row for row in rows}
    names = called(row["owner"] for row in rows if row["split"] != "dropped")  # as render.parts calls them
    found: list[Piece] = []
    examples = read_rows(rendered / "examples" / "train.jsonl")
    for number, row in enumerate(bare(rendered)):
        known = next(examples, None) if "answer" in row else row
        if known is not None:
            about = whose.get((known["source"], file_of(known["path"])), known)
            line = int(known.get("line", 0)) if "answer" in row else 0
            size = len(row["text"].encode())
            owner = names.get(same_name(about["owner"])) or about["owner"]
            found.append(Piece(number, known["path"], line, known["source"], owner, about["licence"], size))
    return found


def units(some: Sequence[Piece], by: str, sources: Sequence[str], most: int) -> list[Unit]:
    """The owners or sources of these, by name; where there are more than `most`, the smallest count as one, the last.

    `sources` are what the sources are called, by number.
    """
    grouped: defaultdict[str, list[Piece]] = defaultdict(list)
    for piece in some:
        grouped[piece.owner if by == "owner" else source_name(piece.source, sources)].append(piece)
    found = [Unit(name, (name,), tuple(mine)) for name, mine in sorted(grouped.items())]
    if len(found) <= most:
        return found
    by_size = sorted(found, key=lambda unit: (-unit.bytes, unit.name))
    small = sorted(by_size[most - 1 :], key=lambda unit: unit.name)
    together = tuple(piece for unit in small for piece in unit.pieces)
    rest = Unit(f"{len(small)} smaller {by}s", tuple(unit.name for unit in small), together)
    return [*sorted(by_size[: most - 1], key=lambda unit: unit.name), rest]


def source_name(number: int, sources: Sequence[str]) -> str:
    """What a source is called: its path in the recipe, with its number where two have one path."""
    name = sources[number] if 0 <= number < len(sources) else f"source {number}"
    return name if sources.count(name) < 2 else f"{name} ({number})"
