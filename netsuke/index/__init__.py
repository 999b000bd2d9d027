"""Index: search.db, the documents of a pack to be searched and quoted (netsuke.search reads it)."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..nouns import Measure
from ..step import Progress, Work, step
from ..texts.documents import read_rows, read_texts

__all__ = ["Params", "index", "params"]


@dataclass(frozen=True)
class Params:
    """What the bytes of the database depend on beside the documents."""

    sqlite: str


def params() -> Params:
    """Those of this machine."""
    return Params(sqlite3.sqlite_version)


@step(version=6, libraries=("numpy", "scipy", "tokenizers"))
def index(params: Params, out: Path, train: Path, valid: Path, test: Path, general: Path, model: Path) -> Work:
    """search.db: all documents that are in, to be quoted; with what a base knows of their words, for likeness.

    Search trains nothing, so it takes the held-out documents too; how much support an answer needs is settled on valid.
    """
    from ..engines import embedding
    from ..search.answers import FILE
    from ..search.find import Index
    from . import build, settle
    from .asked import questions

    yield Progress(0.1, "cut into passages")
    rows = {name: list(read_rows(path)) for name, path in (("train", train), ("valid", valid), ("test", test))}
    others = embedding.whole_words(model)

    def embed(words: Any) -> Any:
        return embedding.word_rows(model, words)

    yield Progress(0.3, "how much support an answer needs")
    trial, texts, asked = out / "trial.db", [], list[Any]()
    for name in ("valid", "train"):
        for number, text, found in questions(rows[name]):
            texts.append({**rows[name][number], "text": text})
            asked += [(name, (len(texts), one)) for one in found]
    build.build(trial, [*texts, *rows["test"]], embed, others).finish()
    tried = Index(trial)
    own = settle.chosen(*([one for part, one in asked if part == name] for name in ("valid", "train")))
    support = settle.settled(settle.tried(tried, own, settle.strangers(read_texts(general), own)))
    tried.close()
    trial.unlink()
    yield Progress(0.7, "write")
    built = build.build(out / FILE, [row for name in rows for row in rows[name]], embed, others)
    built.tell("support", support)
    built.finish()
    needed = Measure("support needed", support["threshold"], "", n=support["questions"])
    return [Measure("passages", len(built.bags), ""), needed]
