"""The datasets of several models as one: what any of them learnt from is held out of nothing any more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..nouns import Measure
from ..store import canonical
from ..texts.documents import SPLITS, read_examples, read_rows, write_rows
from ..texts.examples import input_of
from .contamination import Index
from .items import text_hash
from .repeats import key_of
from .split import input_key

Row = dict[str, Any]
SHARED = 0.5  # of a held-out document's lines: with more of them in what another model learnt, it is not held out


def write(parents: Sequence[tuple[str, int, Path]], out: Path) -> list[Measure]:
    """Write the dataset of (name, number of its sources, folder), in this order; its sizes.

    Each row gets the name of the model that it came with (`of`), and its source the number that it has among all.
    """
    documents: dict[str, list[Row]] = {split: [] for split in SPLITS}
    examples: dict[str, list[Row]] = {split: [] for split in SPLITS}
    files: list[Row] = []
    drops: list[Row] = []
    summary: Any = {}
    before = 0
    for name, sources, folder in parents:
        def renumbered(row: Row, name: str = name, before: int = before) -> Row:
            return {"of": name, **row, "source": row["source"] + before}

        for split in SPLITS:
            documents[split] += map(renumbered, read_rows(folder / f"{split}.jsonl"))
            examples[split] += map(renumbered, read_examples(folder)[split])
        files += map(renumbered, read_rows(folder / "documents.jsonl"))
        drops += map(renumbered, read_rows(folder / "drops.jsonl"))
        summary = added(summary, json.loads((folder / "summary.json").read_text(encoding="utf-8")))
        before += sources
    documents = {split: list({row["hash"]: row for row in reversed(rows)}.values())[::-1]
                 for split, rows in documents.items()}  # fmt: skip
    documents, gone = held_out(documents)
    examples = {split: list({key_of(input_of(row)): row for row in rows}.values()) for split, rows in examples.items()}
    learnt = {input_key(row) for row in examples["train"]}
    for split in ("valid", "test"):
        examples[split] = [row for row in examples[split] if input_key(row) not in learnt]
    (out / "examples").mkdir()
    for split in SPLITS:
        write_rows(out / f"{split}.jsonl", documents[split])
        write_rows(out / "examples" / f"{split}.jsonl", examples[split])
        rows = documents[split]
        summary["splits"][split] = {
            "documents": len(rows), "bytes": sum(len(row["text"].encode()) for row in rows),
            "characters": sum(len(row["text"]) for row in rows),
        }  # fmt: skip
        summary["examples"]["splits"][split] = len(examples[split])
    write_rows(out / "documents.jsonl", files)
    write_rows(out / "drops.jsonl", drops)
    (out / "summary.json").write_bytes(canonical(summary) + b"\n")
    sizes = {split: summary["splits"][split]["bytes"] for split in SPLITS}
    return [
        *(Measure(f"{split} text", sizes[split], "bytes", len(documents[split])) for split in SPLITS),
        Measure("held out of one and learnt by another", gone, "documents"),
    ]


def held_out(documents: Mapping[str, list[Row]]) -> tuple[dict[str, list[Row]], int]:
    """The documents, without those of valid and test that another model learnt most of; how many those are."""
    index = Index(row["text"] for row in documents["train"])
    learnt = {text_hash(row["text"]) for row in documents["train"]}

    def is_known(row: Row) -> bool:
        lines = row["text"].count("\n") + 1
        return row["hash"] in learnt or sum(b - a for a, b in index.cut(row["text"])) > SHARED * lines

    kept = {**documents, **{split: [r for r in documents[split] if not is_known(r)] for split in ("valid", "test")}}
    return kept, sum(len(documents[split]) - len(kept[split]) for split in kept)


def added(one: Any, other: Any) -> Any:
    """Two summaries as one: numbers and counts are added, lists joined; of words the first stay."""
    if isinstance(one, dict) and isinstance(other, dict):
        both = {**one, **other}
        return {key: added(one[key], other[key]) if key in one and key in other else both[key] for key in both}
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *(item for item in other if item not in one)]
    return one + other if isinstance(one, int | float) and not isinstance(one, bool) else one
