"""A document on its way to the dataset, and the list of what was left out and why."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from ..nouns import Drop
from ..texts.documents import part_name
from ..texts.places import Pages, Places
from .lines import Range, without


@dataclass(frozen=True)
class Item:
    """A file's text, or a part of it, with what is known about it."""

    path: str
    source: int
    owner: str
    licence: str
    text: str
    origin: str = (
        ""  # hash of the text before anything was cut: where it is held out depends on no other document
    )
    places: Places = ((1, 1),)
    pages: Pages = ()
    profile: str = "prose"
    language: str = "und"
    signature: tuple[int, ...] = ()
    private: tuple[tuple[int, int, str], ...] = ()  # (start, end, type) of private things in the text
    fails: tuple[
        tuple[str, float, float], ...
    ] = ()  # (rule, value, limit) of the quality rules that it breaks
    rank: int = 0  # of the right to use it: the lowest is the best
    part: int = 0  # from 1; 0 is the whole file
    split: str = ""  # "train", "valid" or "test", once it is known

    @property
    def name(self) -> str:
        """The path of the document: "book.txt", or "book.txt#3" for a part."""
        return part_name(self.path, self.part)

    @property
    def key(self) -> tuple[int, str, int]:
        """What no other item has."""
        return self.source, self.path, self.part

    @property
    def hash(self) -> str:
        return text_hash(self.text)

    @property
    def bytes(self) -> int:
        return len(self.text.encode())

    def without(self, cut: Sequence[Range]) -> Item:
        """The item without these ranges of lines."""
        text, places = without(self.text, self.places, cut)
        return replace(self, text=text, places=places)


class Drops:
    """What was left out; `[curate] keep` names rules, or globs of paths, that take nothing out."""

    def __init__(self, keep: Sequence[str] = ()) -> None:
        self.keep = keep
        self.rows: list[Drop] = []
        self.spared: list[Drop] = []  # what only `keep` left in

    def add(self, item: Item, rule: str, detail: str, span: str | None = None) -> bool:
        """Whether it goes: the item, or with `span` that passage of it."""
        text = item.text if span is None else span
        drop = Drop(item.name, item.source, rule, detail, text_hash(text), len(text.encode()))
        return self._goes(drop, item.path)

    def add_example(self, row: Mapping[str, Any], rule: str, detail: str) -> bool:
        """Whether an example goes."""
        return self._goes(Drop(row["path"], row["source"], rule, f"line {row['line']}: {detail}"), row["path"])

    def _goes(self, drop: Drop, path: str) -> bool:
        spared = any(_means(entry, drop.rule, path) for entry in self.keep)
        (self.spared if spared else self.rows).append(drop)
        return not spared


def _means(entry: str, rule: str, path: str) -> bool:
    """Whether an entry of `keep` is this rule ("c4" is all of "c4: …") or a glob of this path."""
    return entry in (rule, rule.partition(":")[0]) or fnmatchcase(path, entry)


def text_hash(text: str) -> str:
    """sha256 of a text in UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
