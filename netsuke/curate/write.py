"""The dataset as files: train, valid, test, a row for each file that came in, the drops, and a summary in numbers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..nouns import Drop, Measure
from ..store import canonical
from ..texts.documents import SPLITS, file_of, write_rows
from .duplicates import Copies
from .items import Drops, Item
from .split import HELD_OUT

Rows = Sequence[dict[str, Any]]


@dataclass
class Dataset:
    """What the steps of curate came to."""

    rows: Rows  # one a file
    drops: Drops
    items: Sequence[Item] = ()
    split_by: str = "document"
    copies: Copies = field(default_factory=dict)
    examples: Rows = ()  # each with its "split"
    widened: Sequence[str] = ()


def write(out: Path, data: Dataset) -> list[Measure]:
    """Write the files of a dataset; its sizes."""
    (out / "examples").mkdir()
    for name in SPLITS:
        write_rows(out / f"{name}.jsonl", (_document_row(item) for item in data.items if item.split == name))
        write_rows(out / "examples" / f"{name}.jsonl", (row for row in data.examples if row["split"] == name))
    files = _files(data)
    write_rows(out / "documents.jsonl", files)
    write_rows(out / "drops.jsonl", map(asdict, _ordered(data.drops.rows)))
    summary = summarise(data, files)
    (out / "summary.json").write_bytes(canonical(summary) + b"\n")
    sizes = summary["splits"]
    return [
        Measure("documents kept", sum(row["split"] != "dropped" for row in files), "files"),
        Measure("documents dropped", sum(row["split"] == "dropped" for row in files), "files"),
        *(
            Measure(f"{name} text", sizes[name]["bytes"], "bytes", n=sizes[name]["documents"])
            for name in SPLITS
        ),
    ]


def _document_row(item: Item) -> dict[str, Any]:
    names = ("path", "source", "owner", "licence", "profile", "language", "places", "pages", "text")
    return {name: getattr(item, name) for name in names} | {"path": item.name, "hash": item.hash}


def _ordered(drops: Iterable[Drop]) -> list[Drop]:
    return sorted(drops, key=lambda drop: (drop.source, drop.path))


# -- a row a file ----------------------------------------------------------------------------------------
def _files(data: Dataset) -> list[dict[str, Any]]:
    """No text. Where a file's parts lie in several splits, `split` names them: "train+test"."""
    parts: defaultdict[tuple[int, str], list[Item]] = defaultdict(list)
    for item in data.items:
        parts[item.source, item.path].append(item)
    held = defaultdict[tuple[int, str], set[str]](set)
    for row in data.examples:
        held[row["source"], row["path"]].add(row["split"])
    why = {(d.source, file_of(d.path)): d.rule for d in data.drops.rows}  # at worst, all that it had was cut
    why |= {(d.source, file_of(d.path)): d.rule for d in data.drops.rows if d.rule not in _SPANS}
    why |= {(d.source, d.path): d.rule for d in data.drops.rows if d.rule not in _SPANS}
    return [_file(row, parts, held, why, data.copies) for row in data.rows]


_SPANS = frozenset(("repeated paragraph", "boilerplate", HELD_OUT, "bad row"))


def _file(
    row: Mapping[str, Any],
    parts: Mapping[tuple[int, str], list[Item]],
    held: Mapping[tuple[int, str], set[str]],
    why: Mapping[tuple[int, str], str],
    copies: Copies,
) -> dict[str, Any]:
    key = (row["source"], row["path"])
    kept = parts.get(key, [])
    splits = {item.split for item in kept} | held.get(key, set())
    names = (
        "path source owner licence licence_how profile language file hash decision reason decided_by"
        " signals labels private bytes_in"
    ).split()
    stands_for = [copy for item in kept for copy in copies.get(item.key, ())]
    return {name: row[name] for name in names} | {
        "split": "+".join(name for name in SPLITS if name in splits) or "dropped",
        "dropped_by": "" if splits else why.get(key, "its parts repeat others"),
        "bytes_kept": sum(item.bytes for item in kept),
        "stands_for": [{"source": c.source, "path": c.name, "owner": c.owner} for c in stands_for],
    }


# -- in numbers ------------------------------------------------------------------------------------------
def summarise(data: Dataset, files: Rows) -> dict[str, Any]:
    """What came in, what was left out and why, by language, licence, owner and profile."""
    kept = [row for row in files if row["split"] != "dropped"]
    by_split = {name: [item for item in data.items if item.split == name] for name in SPLITS}
    private = Counter[str]()
    for row in kept:
        private.update(row["private"])
    return {
        "files": len(files),
        "bytes_in": sum(row["bytes_in"] for row in files),
        "split_by": data.split_by,
        "splits": {name: _size(items) for name, items in by_split.items()},
        "drops": by_rule(_ordered(data.drops.rows)),
        "spared": by_rule(_ordered(data.drops.spared)),
        "decisions": _counted(files, lambda row: f"{row['decision']}: {row['reason']}"),
        "languages": _counted(kept, lambda row: row["language"]),
        "licences": _counted(kept, lambda row: row["licence"]),
        "owners": _counted(kept, lambda row: row["owner"]),
        "profiles": _counted(kept, lambda row: row["profile"]),
        "labels": dict(sorted(Counter(rule for row in kept for rule in row["labels"]).items())),
        "private": dict(sorted(private.items())),
        "signals": dict(
            sorted(Counter(f"{s['kind']}: {s['value']}" for r in files for s in r["signals"]).items())
        ),
        "examples": _examples(data),
        "widened": list(data.widened),
    }


def _size(items: Sequence[Item]) -> dict[str, int]:
    return {
        "documents": len(items),
        "bytes": sum(item.bytes for item in items),
        "characters": sum(len(item.text) for item in items),
    }


def _counted(rows: Rows, key: Callable[[Mapping[str, Any]], str]) -> dict[str, dict[str, int]]:
    found: defaultdict[str, list[int]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row["bytes_kept"] or row["bytes_in"])
    return {name: {"files": len(sizes), "bytes": sum(sizes)} for name, sizes in sorted(found.items())}


def _examples(data: Dataset) -> dict[str, Any]:
    shapes = {(row["source"], row["path"]): row["shape"] for row in data.rows if row.get("shape")}
    rows = Counter((row["source"], row["path"]) for row in data.examples)
    bad = Counter((drop.source, drop.path) for drop in data.drops.rows if drop.rule == "bad row")
    return {
        "splits": {name: sum(row["split"] == name for row in data.examples) for name in SPLITS},
        "files": [
            {
                "path": path,
                "source": source,
                "shape": shape,
                "rows": rows[source, path],
                "bad_rows": bad[source, path],
            }
            for (source, path), shape in sorted(shapes.items())
        ],
    }


def by_rule(drops: Sequence[Drop]) -> dict[str, Any]:
    """For each rule how many it took out, their bytes, and three of them."""
    found: defaultdict[str, list[Drop]] = defaultdict(list)
    for drop in drops:
        found[drop.rule].append(drop)
    return {
        rule: {
            "count": len(rows),
            "bytes": sum(drop.bytes for drop in rows),
            "examples": [{"path": d.path, "detail": d.detail} for d in _first_of_each(rows)[:3]],
        }
        for rule, rows in sorted(found.items())
    }


def _first_of_each(drops: Sequence[Drop]) -> list[Drop]:
    return list({drop.path: drop for drop in reversed(drops)}.values())[::-1]
