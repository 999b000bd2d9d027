"""Looking for a text in a home: pieces of each document that no other has, in every file, whatever it is.

A piece is longer than STEP + 8 bytes, so wherever it stands, one of its first STEP words of eight bytes stands at a
multiple of STEP: only there is looked, in a table of all such words, and what is left is compared in full. The time
does not depend on how many pieces there are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..nouns import Ref
from ..store import Store
from ..texts.documents import evenly

LENGTH, STRIDE = 40, 20  # characters of a piece, and between two: what is quoted in 60 or more holds one of them
MOST, LEAST = 8_000, 3  # pieces of all documents together, and of one
STEP = 16
_CHUNK, _BITS, _FACTOR, _ALL = 1 << 22, 22, 0x9E3779B97F4A7C15, (1 << 64) - 1
_AWKWARD = set('"\\<>&\'@')  # what JSON, HTML or masking writes in another way


class Searcher:
    """Finds any of these byte strings, each of STEP + 8 bytes or more."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        import numpy as np

        self._words = defaultdict[int, list[tuple[bytes, int]]](list)
        self._table = np.zeros(1 << _BITS, bool)
        self.longest = 0
        for piece in set(pieces):
            self.longest = max(self.longest, len(piece))
            for offset in range(STEP):
                word = int.from_bytes(piece[offset : offset + 8], "little")
                self._words[word].append((piece, offset))
                self._table[(word * _FACTOR & _ALL) >> (64 - _BITS)] = True

    def find(self, data: bytes) -> set[bytes]:
        """Those that stand in these bytes."""
        import numpy as np

        if not self._words or len(data) < 8:
            return set()
        words = np.frombuffer(data, "<u8", len(data) // 8)[:: STEP // 8]
        maybe = np.flatnonzero(self._table[(words * np.uint64(_FACTOR)) >> np.uint64(64 - _BITS)])
        return {
            piece
            for number in maybe.tolist()
            for piece, offset in self._words.get(int(words[number]), ())
            if (start := number * STEP - offset) >= 0 and data.startswith(piece, start)
        }

    def find_in(self, path: Path) -> set[bytes]:
        """Those that stand in a file; it is read in overlapping chunks."""
        found, rest = set[bytes](), b""
        with path.open("rb") as file:
            while block := file.read(_CHUNK):
                data = rest + block
                found |= self.find(data)
                rest = data[-self.longest :] if self.longest else b""
        return found


# -- pieces ----------------------------------------------------------------------------------------------
def pieces(store: Store, documents: Sequence[str]) -> list[str]:
    """Pieces of each of these documents that stand in no other that the store has read, and not in the program's own
    texts; all that there are, up to MOST. None of a document whose text is gone already."""
    gone, outputs = set(documents), defaultdict[bool, dict[Ref, str]](dict)
    for run in store.runs():
        if run.step == "read" and store.has(run.output):
            outputs[run.inputs["file"] in gone][run.output] = run.inputs["file"]
    tried: dict[str, list[str]] = defaultdict(list)
    share = max(LEAST, MOST // max(1, len(outputs[True])))
    for output, document in outputs[True].items():
        tried[document] += evenly(_tried(_text(store, output)), share)
    searcher = Searcher(piece.encode() for some in tried.values() for piece in some)
    own = (file.read_bytes() for file in (Path(__file__).parents[1] / "general").rglob("*.txt"))
    others = (_text(store, output).encode("utf-8", "replace") for output in outputs[False])
    shared = {piece for text in (*own, *others) for piece in searcher.find(text)}
    return [piece for some in tried.values() for piece in some if piece.encode() not in shared]


def _text(store: Store, output: Ref) -> str:
    """All that was read of a file: its text, or every text of its examples."""
    told = json.loads(store.path(store.tree(output)["text.json"]).read_bytes())
    return "\n".join(_strings(told.get("text") or told.get("examples") or ""))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _strings(part)


def _tried(text: str) -> list[str]:
    """Pieces from all over a text: each inside one line, of signs that every file writes alike."""
    found = []
    for line in text.split("\n"):
        for start in range(0, len(line) - LENGTH + 1, STRIDE):
            piece = line[start : start + LENGTH]
            if piece.isprintable() and not _AWKWARD & set(piece) and len(set(piece)) > 8:
                found.append(piece)
    return found


# -- the home --------------------------------------------------------------------------------------------
OURS = ("ledger.db", "receipts", "forgetting", "locks", "keys")  # they name hashes, or hold nothing of documents


def look(home: Path, wanted: Iterable[str], skip: Callable[[Path], bool]) -> Iterator[Path]:
    """The files of a home, but our own and those to skip, in which one of these texts stands: plain or as JSON has it.

    A file that is there twice (a hard link) is told at each of its places.
    """
    searcher = Searcher(form for text in wanted for form in (text.encode(), json.dumps(text)[1:-1].encode()))
    known: dict[tuple[int, int], bool] = {}
    for path in sorted(home.rglob("*")):
        if path.is_symlink() or not path.is_file() or skip(path):
            continue
        if path.relative_to(home).parts[0].startswith(OURS):
            continue
        about = path.stat()
        key = (about.st_dev, about.st_ino)
        if key not in known:
            known[key] = bool(searcher.find_in(path))
        if known[key]:
            yield path
