"""Search: what the documents say about a question, in their own words, each quote with its place.

A step writes search.db; what reads it needs SQLite and numpy alone.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..documents import read_rows
from ..nouns import Measure
from ..step import Progress, Work, step

if TYPE_CHECKING:
    from .answers import Answer
    from .find import Index

__all__ = ["Params", "answer", "index", "open_pack", "params"]


@dataclass(frozen=True)
class Params:
    """What the bytes of the database depend on beside the documents."""

    sqlite: str


def params() -> Params:
    """Those of this machine."""
    return Params(sqlite3.sqlite_version)


@step(version=1, libraries=("numpy", "tokenizers"))
def index(params: Params, out: Path, train: Path, valid: Path, test: Path, model: Path) -> Work:
    """search.db: all documents that are in, to be quoted; with what a base knows of their words, for likeness.

    Search trains nothing, so it takes the held-out documents too; how much support an answer needs is settled on valid.
    """
    from ..engines import embedding
    from . import build, settle
    from .answers import FILE
    from .asked import questions
    from .find import Index

    yield Progress(0.1, "cut into passages")
    rows = {name: list(read_rows(path)) for name, path in (("train", train), ("valid", valid), ("test", test))}
    others = embedding.whole_words(model)

    def embed(words: Any) -> Any:
        return embedding.word_rows(model, words)

    yield Progress(0.5, "how much support an answer needs")
    trial, cut = out / "trial.db", {name: list(questions(rows[name])) for name in ("valid", "train")}
    asked = {name: [(number + 1 + (len(rows["valid"]) if name == "train" else 0), one)
                    for number, _, found in cut[name] for one in found] for name in cut}  # fmt: skip
    texts = [
        *({**rows["valid"][number], "text": text} for number, text, _ in cut["valid"]),
        *({**rows["train"][number], "text": text} for number, text, _ in cut["train"]), *rows["test"],
    ]  # fmt: skip
    build.build(trial, texts, embed, others).finish()
    tried = Index(trial)
    support = settle.settled(settle.tried(tried, settle.chosen(asked["valid"], asked["train"])))
    tried.close()
    trial.unlink()
    yield Progress(0.7, "write")
    built = build.build(out / FILE, [row for name in rows for row in rows[name]], embed, others)
    built.tell("support", support)
    built.finish()
    found = len(built.bags)
    return [Measure("passages", found, ""), Measure("support needed", support["threshold"], "", n=support["questions"])]


def answer(index: Index, text: str, most: int = 3) -> Answer:
    """As answers.answer, which is loaded now."""
    from . import answers

    return answers.answer(index, text, most)


def open_pack(folder: Path, record: dict[str, Any], name: str) -> Index:
    """As answers.open_pack, which is loaded now."""
    from . import answers

    return answers.open_pack(folder, record, name)
