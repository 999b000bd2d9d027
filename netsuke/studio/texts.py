"""The text of a document of a model's material, private things under placeholders, whether it was kept or left out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ..store import Store
from ..texts.documents import SPLITS, file_of
from . import shelf

MOST_SHOWN = 20_000  # characters of a document on a page
BETWEEN = "\n\n"  # two parts of a document


def kept(model: shelf.Model, source: int, path: str) -> str | None:
    """The text that was kept of a document, its parts one after the other; None where nothing was."""
    parts = _parts(model, source, path)
    return BETWEEN.join(text for _, text in parts)[:MOST_SHOWN] if parts else None


def _parts(model: shelf.Model, source: int, path: str) -> list[tuple[str, str]]:
    """(name, text) of each part that was kept of a document."""
    return [
        (row["path"], row["text"])
        for split in SPLITS
        for row in model.rows(f"{split}.jsonl")
        if row["source"] == source and file_of(row["path"]) == path
    ]


def around(model: shelf.Model, row: Mapping[str, Any], part: str, begin: int, end: int) -> tuple[str, str, str] | None:
    """What was kept of a row of documents.jsonl as (before, passage, after), of a long one what stands around it.

    The passage is [begin:end] of this part, as a quote of a search names it; None where there is no such place.
    """
    at, parts = 0, _parts(model, row["source"], row["path"])
    for name, text in parts:
        if name == part and 0 <= begin < end <= len(text):
            whole, begin, end = BETWEEN.join(one for _, one in parts), at + begin, at + end
            first = 0 if end <= MOST_SHOWN else max(0, begin - MOST_SHOWN // 2)
            return whole[first:begin], whole[begin:end], whole[end : first + MOST_SHOWN]
        at += len(text) + len(BETWEEN)
    return None


def read(store: Store, file: str, owner: str) -> str | None:
    """The text as it was read from a file, masked here; None where no read of it is left."""
    try:
        from ..private import Placeholders
    except ModuleNotFoundError:  # serving alone is installed: nothing can be masked, so nothing is shown
        return None
    for run in store.runs():
        if run.step == "read" and run.inputs.get("file") == file and store.has(run.output):
            told: Mapping[str, Any] = json.loads(store.path(store.tree(run.output)["text.json"]).read_bytes())
            if "text" not in told:
                return None
            finds = [(int(start), int(end), str(kind)) for start, end, kind in told.get("private", ())]
            return Placeholders(run.params.get("countries", ())).mask(told["text"], finds, owner)[:MOST_SHOWN]
    return None


def of(model: shelf.Model, row: Mapping[str, Any]) -> str | None:
    """The text of a row of documents.jsonl: what was kept of it, else what was read. Masked either way."""
    return kept(model, row["source"], row["path"]) or read(model.store, row["file"], row["owner"])


def learnt(model: shelf.Model) -> dict[str, str]:
    """What the model learnt from, by path: the material that a draft must not repeat."""
    parts = defaultdict[str, list[str]](list)
    for row in model.rows("train.jsonl"):
        parts[file_of(row["path"])].append(row["text"])
    return {path: "\n\n".join(texts) for path, texts in parts.items()}
