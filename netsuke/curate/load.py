"""What `gather` laid out, as items: consent settled, and what was not read or may not be used among the drops."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..nouns import Drop
from .items import Drops, Item, text_hash
from .settle import licence_how, settle

_UNREAD: dict[str, Any] = {"hash": "", "bytes_in": 0, "language": "und", "labels": [], "private": {}}


@dataclass
class Loaded:
    """The files of a dataset: a row for each, and the items and examples of those that may be used."""

    rows: list[dict[str, Any]]
    items: list[Item] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)


def load(files: Path, widened: Sequence[str], drops: Drops) -> Loaded:
    """The files that index.json lists, in canonical order: by source, then by path."""
    rows = sorted(json.loads((files / "index.json").read_bytes()), key=lambda r: (r["source"], r["path"]))
    loaded = Loaded(rows)
    for row in rows:
        read = {} if "drop" in row else json.loads((files / row["text"]).read_bytes())
        policy = row["private"]
        decision = settle(row, read, widened)
        row |= _UNREAD | {
            "decision": "in" if decision.allowed else "out",
            "reason": decision.reason,
            "decided_by": decision.by,
            "licence": decision.licence,
            "licence_how": licence_how(row, read, decision),
            "signals": [*row["signals"], *read.get("signals", ())],
        }
        if drop := row.get("drop") or read.get("drop"):
            detail = drop["detail"] or decision.reason  # of a file that was not opened
            _leave_out(row, drop["rule"], detail, drop.get("bytes", 0), drops)
        elif not decision.allowed:
            _leave_out(row, "consent", decision.reason, len(read.get("text", "")), drops)
        elif "examples" in read:
            _take_examples(row, read, policy, loaded, drops)
        else:
            _take_text(row, read, decision.rank, policy, loaded, drops)
    return loaded


def _leave_out(row: dict[str, Any], rule: str, detail: str, size: int, drops: Drops) -> None:
    row["bytes_in"] = size
    drops.rows.append(Drop(row["path"], row["source"], rule, detail, bytes=size))


def _take_text(
    row: dict[str, Any], read: Mapping[str, Any], rank: int, policy: str, loaded: Loaded, drops: Drops
) -> None:
    text = read["text"]
    item = Item(
        row["path"],
        row["source"],
        row["owner"],
        row["licence"],
        text,
        origin=text_hash(text),
        places=tuple((line, at) for line, at in read["places"]),
        pages=tuple((line, label) for line, label in read["pages"]),
        profile=read["profile"],
        language=read["language"],
        signature=tuple(read["signature"]),
        private=() if policy == "keep" else tuple((a, b, kind) for a, b, kind in read["private"]),
        fails=tuple((rule, value, limit) for rule, value, limit in read["fails"]),
        rank=rank,
    )
    row |= {
        "hash": item.origin,
        "bytes_in": item.bytes,
        "language": item.language,
        "profile": item.profile,
        "labels": [rule for rule, _, _ in item.fails],
        "private": dict(sorted(Counter(kind for _, _, kind in read["private"]).items())),
    }
    if policy != "drop" or not item.private or not drops.add(item, "private things", _told(row["private"])):
        loaded.items.append(item)


def _take_examples(
    row: dict[str, Any], read: Mapping[str, Any], policy: str, loaded: Loaded, drops: Drops
) -> None:
    row |= {"profile": "examples", "shape": read["shape"], "hash": text_hash(json.dumps(read["examples"]))}
    row["bytes_in"] = sum(len(json.dumps(example)) for example in read["examples"])
    kinds = Counter(kind for finds in read["private"] for found in finds for _, _, kind in found)
    row["private"] = dict(sorted(kinds.items()))
    for line, why in read["bad_rows"]:
        drops.rows.append(Drop(row["path"], row["source"], "bad row", _at(line, why)))
    for example, finds in zip(read["examples"], read["private"], strict=True):
        about = {name: row[name] for name in ("path", "source", "owner", "licence")}
        if policy == "drop" and any(finds):
            detail = f"line {example['line']}: {_told(Counter(k for found in finds for _, _, k in found))}"
            drops.rows.append(Drop(row["path"], row["source"], "private things", detail))
        else:
            loaded.examples.append(about | example | {"private": finds if policy != "keep" else []})


def _at(line: int, why: str) -> str:
    return why if why.startswith("item ") else f"line {line}: {why}"  # the items of a list have no line


def _told(counts: Mapping[str, int]) -> str:
    """ "2 EMAIL, 1 PHONE"."""
    return ", ".join(f"{count} {kind}" for kind, count in counts.items())
