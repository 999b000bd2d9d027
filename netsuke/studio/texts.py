"""The text of a document of a model's material, private things under placeholders, whether it was kept or left out."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from ..documents import file_of
from ..store import Store
from . import shelf

MOST_SHOWN = 20_000  # characters of a document on a page


def kept(model: shelf.Model, source: int, path: str) -> str | None:
    """The text that was kept of a document, its parts one after the other; None where nothing was."""
    parts = [
        row["text"]
        for split in ("train", "valid", "test")
        for row in model.rows(f"{split}.jsonl")
        if row["source"] == source and file_of(row["path"]) == path
    ]
    return "\n\n".join(parts)[:MOST_SHOWN] if parts else None


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
