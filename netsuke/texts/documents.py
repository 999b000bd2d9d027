"""Texts as the steps pass them on: one JSON object a line, or a folder of .txt files.

A document is learnt whole. A lesson is one example written out in the base's chat template: its special tokens are
commands, and only its answer, the end of it, is learnt. A lesson aside teaches no task: it is learnt beside documents.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from ..consent.agreements import same_name
from ..nouns import Ref
from ..store import Store


class Lesson(str):
    """An example as the model reads it; `answer` is the character where the answer begins."""

    answer: int
    aside: bool

    def __new__(cls, text: str, answer: int, aside: bool = False) -> Lesson:
        lesson = super().__new__(cls, text)
        lesson.answer, lesson.aside = answer, aside
        return lesson

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Lesson:
        """From a row of a file."""
        return cls(row["text"], row["answer"], row.get("aside", False))

    @property
    def row(self) -> dict[str, Any]:
        """As a row of a file."""
        return {"text": str(self), "answer": self.answer} | ({"aside": True} if self.aside else {})


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSON Lines file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON Lines in ASCII, so that any file name survives."""
    with path.open("w", encoding="ascii") as file:
        for row in rows:
            file.write(json.dumps(row, sort_keys=True) + "\n")


def write_json(path: Path, value: Any) -> None:
    """Write one value as JSON in ASCII, the same bytes each time."""
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="ascii")


SPLITS = ("train", "valid", "test")
BARE_LESSONS = "examples/lessons.jsonl"  # of a rendered dataset: those of train without others' examples before them


def read_examples(dataset: Path) -> dict[str, list[dict[str, Any]]]:
    """The examples of a dataset, by split."""
    return {split: list(read_rows(dataset / "examples" / f"{split}.jsonl")) for split in SPLITS}


def read_texts(path: Path) -> list[str]:
    """The texts of a JSON Lines file of documents and lessons, or of a folder's .txt files in order of their names."""
    if path.is_dir():
        return [file.read_text(encoding="utf-8") for file in sorted(path.glob("*.txt"))]
    return [Lesson.of(row) if "answer" in row else row["text"] for row in read_rows(path)]


def evenly(rows: Sequence[Any], most: int) -> list[Any]:
    """At most so many rows, from all over."""
    stride = max(1.0, len(rows) / most)
    return [rows[int(number * stride)] for number in range(min(most, len(rows)))]


SHORTEST = 200  # characters of a text that are worth a look


def sample(texts: list[str], limit_bytes: int) -> list[str]:
    """A cheaper stand-in for texts: the same share of the front of each, about `limit_bytes` together.

    Lessons stay whole; fewer of them, evenly spread, are taken.
    """
    total = sum(len(t.encode()) for t in texts)
    if total <= limit_bytes:
        return texts
    texts = texts[:: max(1, math.ceil(SHORTEST * len(texts) / limit_bytes))]  # rather fewer than shreds
    share = limit_bytes / sum(len(t.encode()) for t in texts)
    lessons = [t for t in texts if isinstance(t, Lesson)]
    fronts = (t[: max(SHORTEST, int(len(t) * share))] for t in texts if not isinstance(t, Lesson))
    return [*fronts, *lessons[:: max(1, round(1 / share))]]


def general_text(store: Store, part: str) -> Ref:
    """Ref of a folder of the project's general text: `valid` for choices, `test` for check alone."""
    files = resources.files("netsuke") / "general" / part
    entries = {f.name: store.add_bytes(f.read_bytes()) for f in files.iterdir() if f.name.endswith(".txt")}
    return store.add_tree(entries)


def called(owners: Iterable[str]) -> dict[str, str]:
    """What each owner is called, by what the spellings of a name share: of several spellings the first in order."""
    return {same_name(owner): owner for owner in sorted(set(owners), reverse=True)}


# -- a file and its parts --------------------------------------------------------------------------------
_PART = re.compile(r"#[0-9]+\Z")  # a "#" elsewhere is the file's own: "C# letter.md"


def part_name(path: str, part: int) -> str:
    """What a part of a file is called: "book.txt#3".

    The whole (part 0) is called as the file is, but with "#0" behind a name that would pass for a part's.
    """
    return f"{path}#{part}" if part or _PART.search(path) else path


def file_of(name: str) -> str:
    """The path of the file that a document is, or is a part of: "book.txt" of "book.txt#3"."""
    return _PART.sub("", name)
