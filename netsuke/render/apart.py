"""Each owner's part of a dataset: rows that tell nothing of where they lay, so that no other's coming or going moves
a byte of them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..consent.agreements import same_name
from ..texts.documents import SPLITS, called, read_examples, read_rows, write_json, write_rows
from ..texts.examples import normal

FILE = "parts.json"
LEAST_VALID = 1_000  # bytes of documents: fewer tell one state from another by chance


def folder_of(owner: str) -> str:
    """The name of an owner's folder: of who it is, not of how many there are."""
    return hashlib.sha256(same_name(owner).encode()).hexdigest()[:16]


def write(data: Path, out: Path) -> list[dict[str, Any]]:
    """Write the parts that have something to learn from; their rows in parts.json, by owner.

    An owner's valid text of less than LEAST_VALID bytes, without any examples, is left out of the part: there is no
    early stop then, and the number of steps is fixed.
    """
    documents = {split: list(read_rows(data / f"{split}.jsonl")) for split in SPLITS}
    examples = read_examples(data)
    everything = [row for some in (documents, examples) for rows in some.values() for row in rows]
    names = called(row["owner"] for row in everything)
    found = []
    for key, name in sorted(names.items()):
        mine, asked = (
            {split: [row for row in rows if same_name(row["owner"]) == key] for split, rows in some.items()}
            for some in (documents, examples)
        )
        if not (mine["train"] or asked["train"]):
            continue
        if sum(len(row["text"].encode()) for row in mine["valid"]) < LEAST_VALID and not asked["valid"]:
            mine["valid"] = []
        folder = out / folder_of(name)
        (folder / "examples").mkdir(parents=True)
        for split in SPLITS:
            write_rows(folder / f"{split}.jsonl", ({"text": row["text"]} for row in mine[split]))
            taught = ({"line": row["line"], "split": split, **normal(row)} for row in asked[split])
            write_rows(folder / "examples" / f"{split}.jsonl", taught)
        sizes = {f"{split}_bytes": sum(len(row["text"].encode()) for row in mine[split]) for split in SPLITS}
        found.append({"owner": name, "folder": folder.name, "examples": len(asked["train"]), **sizes})
    write_json(out / FILE, found)
    return found
