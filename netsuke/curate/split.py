"""Hold documents out: near-duplicates on one side, and by content hash, so that no order decides."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RecipeError
from ..nouns import Drop, Measure
from ..store import canonical
from .clean import Item, without_duplicates, without_repeated_paragraphs

if TYPE_CHECKING:
    from . import Params

SPLITS = ("train", "valid", "test")

# FineWeb's setting (datatrove, pipeline/dedup/minhash.py): it catches 0.92 of the pairs of Jaccard 0.8.
BANDS, ROWS, SHINGLE_WORDS, JACCARD = 14, 8, 5, 0.7

# Chinese, Japanese and Korean have no spaces between words: each character counts as one.
_CJK = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")

_HINTS = {
    "unreadable": "open these files in their program and save them anew, or export them as text",
    "unsupported type": "save them as text, Markdown, HTML, PDF or DOCX",
    "archive": "unpack the archives",
    "too large": "raise curate.max_mb, or split the files",
    "empty": "scanned PDFs need a text layer: run OCR over them first",
    "exact duplicate": "these are copies of one text: add material that differs",
    "repeated paragraph": "the files repeat each other: add material that differs",
    "consent": 'set `licence` or `consent = "in"` on the source, if its owner agrees',
}


# -- parts -----------------------------------------------------------------------------------------------
def documents(items: Sequence[Item], params: Params, drops: list[Drop]) -> tuple[str, list[Item]]:
    """("document" | "part", the documents): long ones are cut where there are few, or one giant."""
    sizes = [len(item.text) for item in items]
    if len(items) >= params.min_documents and max(sizes, default=0) <= params.max_share * sum(sizes):
        return "document", list(items)
    parts = [part for item in items for part in _parts(item, params.part_chars)]
    if len(parts) == len(items):
        return "document", parts
    # A cut through a long paragraph makes new paragraphs, which may repeat each other.
    return "part", without_repeated_paragraphs(without_duplicates(parts, drops), params, drops)


def _parts(item: Item, size: int) -> list[Item]:
    texts = [text for piece in cut(item.text, size) if (text := piece.strip("\n"))]
    if len(texts) == 1:
        return [item]
    return [replace(item, part=n, text=text) for n, text in enumerate(texts, 1)]


def cut(text: str, size: int) -> Iterator[str]:
    """Pieces of 0.5 to 1.5 `size` that join to `text`, cut after a paragraph, line, word or anywhere."""
    start = 0
    while len(text) - start > 1.5 * size:
        window = text[start : start + size]
        ends = (window.rfind(mark) + len(mark) for mark in ("\n\n", "\n", " "))
        end = next((end for end in ends if end >= size // 2), size)
        yield text[start : start + end]
        start += end
    yield text[start:]


# -- near-duplicates -------------------------------------------------------------------------------------
def shingles(text: str) -> set[str]:
    """The runs of five words in a text, case and punctuation aside."""
    words = _WORD.findall(text.casefold())
    if len(words) <= SHINGLE_WORDS:
        return {" ".join(words)}
    return {" ".join(words[i : i + SHINGLE_WORDS]) for i in range(len(words) - SHINGLE_WORDS + 1)}


def near_duplicates(texts: Sequence[str]) -> list[int]:
    """For each text the number of the first of its group: MinHash finds pairs, exact Jaccard confirms."""
    group = list(range(len(texts)))

    @lru_cache(maxsize=64)
    def of(number: int) -> set[str]:
        return shingles(texts[number])

    def root(number: int) -> int:
        while group[number] != number:
            group[number] = number = group[group[number]]
        return number

    for bucket in _buckets(texts):
        seen: list[list[int]] = []  # this bucket's texts so far, by group
        for number in bucket:
            same = [
                g for g in seen if root(g[0]) == root(number) or any(_alike(of(number), of(n)) for n in g)
            ]
            for a, b in ((root(number), root(g[0])) for g in same):
                group[max(a, b)] = min(a, b)
            seen = [g for g in seen if g not in same] + [[number, *(n for g in same for n in g)]]
    return [root(number) for number in range(len(texts))]


def _buckets(texts: Sequence[str]) -> list[list[int]]:
    """The sets of texts that share a band of their MinHash."""
    from rensa import RMinHash

    buckets: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for number, text in enumerate(texts):
        sketch = RMinHash(num_perm=BANDS * ROWS, seed=1)
        sketch.update(list(shingles(text)))  # their order does not matter
        digest = sketch.digest()
        for band in range(BANDS):
            buckets[band, *digest[band * ROWS : (band + 1) * ROWS]].append(number)
    return list({tuple(b): b for b in buckets.values() if len(b) > 1}.values())


def _alike(a: set[str], b: set[str]) -> bool:
    return len(a & b) >= JACCARD * len(a | b)


# -- the split -------------------------------------------------------------------------------------------
def bucket(hashes: Iterable[str]) -> float:
    """0 to 1, from the smallest content hash of a group."""
    digest = hashlib.sha256(min(hashes).encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)  # exact in a float, so never 1.0


def assign(buckets: Sequence[float], test: float, valid: float) -> list[str]:
    """The split of each of three or more groups: the lowest are test, the next valid; none is empty."""
    order = sorted(range(len(buckets)), key=buckets.__getitem__)
    tests = min(max(sum(b < test for b in buckets), 1), len(buckets) - 2)
    held = min(max(sum(b < test + valid for b in buckets), tests + 1), len(buckets) - 1)
    splits = [""] * len(buckets)
    for rank, number in enumerate(order):
        splits[number] = "test" if rank < tests else "valid" if rank < held else "train"
    return splits


def split(items: Sequence[Item], groups: Sequence[int], params: Params) -> list[str]:
    """The split of each item; those of one group share it."""
    members: defaultdict[int, list[str]] = defaultdict(list)
    for item, group in zip(items, groups, strict=True):
        members[group].append(item.hash)
    splits = assign([bucket(hashes) for hashes in members.values()], params.test, params.valid)
    by_group = dict(zip(members, splits, strict=True))
    return [by_group[group] for group in groups]


def require_groups(groups: Sequence[int], files: int, drops: Sequence[Drop]) -> None:
    """Raises RecipeError if there is too little to hold anything out."""
    if (found := len(set(groups))) < 3:
        raise _too_little(
            f"{_count(files, 'file')} found, {_count(found, 'distinct document')} left:"
            " at least 3 are needed, to learn from one and be checked on others",
            drops,
        )


def require_train(
    items: Sequence[Item], splits: Sequence[str], params: Params, drops: Sequence[Drop]
) -> None:
    """Raises RecipeError if there is too little to learn from."""
    chars = sum(len(item.text) for item, name in zip(items, splits, strict=True) if name == "train")
    if chars < params.min_train_chars:
        raise _too_little(
            f"{chars:,} characters are left to learn from in {_count(len(items), 'document')}:"
            f" at least {params.min_train_chars:,} are needed",
            drops,
        )


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def _too_little(what: str, drops: Sequence[Drop]) -> RecipeError:
    """With the three most frequent reasons, and the hint that fits the first."""
    rules = sorted(Counter(drop.rule for drop in drops).items(), key=lambda pair: (-pair[1], pair[0]))[:3]
    if rules:
        what += "; left out: " + ", ".join(f"{rule} ({n})" for rule, n in rules)
    hint = next((_HINTS[rule] for rule, _ in rules if rule in _HINTS), "add more documents to the sources")
    return RecipeError(what, hint=hint)


# -- what is written -------------------------------------------------------------------------------------
def write(
    out: Path,
    rows: Sequence[dict[str, Any]],
    whole: Sequence[Item],
    items: Sequence[Item],
    splits: Sequence[str],
    drops: Sequence[Drop],
    split_by: str,
) -> list[Measure]:
    """Write the dataset: `rows` are all files, `whole` the ones kept, `items` those or their parts."""
    for name in SPLITS:
        _write_rows(out / f"{name}.jsonl", [_row(i) for i, s in zip(items, splits, strict=True) if s == name])
    documents = _documents(rows, whole, items, splits, drops)
    _write_rows(out / "documents.jsonl", documents)
    ordered = sorted(drops, key=lambda drop: (drop.source, drop.path))
    _write_rows(out / "drops.jsonl", [asdict(drop) for drop in ordered])
    counts = {name: [i.bytes for i, s in zip(items, splits, strict=True) if s == name] for name in SPLITS}
    summary = {
        "split_by": split_by,
        "files": len(rows),
        "splits": {name: {"documents": len(b), "bytes": sum(b)} for name, b in counts.items()},
        "drops": _by_rule(ordered),
    }
    (out / "summary.json").write_bytes(canonical(summary) + b"\n")
    kept = sum(row["split"] != "dropped" for row in documents)
    return [
        Measure("documents kept", kept, "files"),
        Measure("documents dropped", len(rows) - kept, "files"),
        *(Measure(f"{name} text", sum(b), "bytes", n=len(b)) for name, b in counts.items()),
    ]


def _row(item: Item) -> dict[str, Any]:
    return {
        "hash": item.hash,
        "path": item.name,
        "source": item.source,
        "owner": item.owner,
        "licence": item.licence,
        "text": item.text,
    }


def _documents(
    rows: Sequence[dict[str, Any]],
    whole: Sequence[Item],
    items: Sequence[Item],
    splits: Sequence[str],
    drops: Sequence[Drop],
) -> list[dict[str, Any]]:
    """A row a file, no text. Where its parts lie in several splits, `split` names them: "train+test"."""
    texts = {(item.source, item.path): item for item in whole}
    parts: defaultdict[tuple[int, str], list[tuple[Item, str]]] = defaultdict(list)
    for item, name in zip(items, splits, strict=True):
        parts[item.source, item.path].append((item, name))
    why = {(drop.source, drop.path): drop.rule for drop in drops if drop.rule != "repeated paragraph"}
    result = []
    for row in rows:
        key = (row["source"], row["path"])
        text, kept = texts.get(key), parts.get(key, [])
        result.append(
            {
                "path": row["path"],
                "source": row["source"],
                "owner": row["owner"],
                "licence": row["licence"],
                "profile": row.get("profile", "auto"),
                "hash": text.hash if text else "",
                "original_hash": row["original_hash"],
                "split": "+".join(s for s in SPLITS if any(s == name for _, name in kept)) or "dropped",
                "decision": "out" if row.get("drop", {}).get("rule") == "consent" else "in",
                "reason": row.get("reason") or row.get("drop", {}).get("detail", ""),
                "dropped_by": "" if kept else why.get(key, "its parts repeat others"),
                "bytes_in": row["bytes_in"],
                "bytes_kept": sum(part.bytes for part, _ in kept),
            }
        )
    return result


def _by_rule(drops: Sequence[Drop]) -> dict[str, Any]:
    by_rule: defaultdict[str, list[Drop]] = defaultdict(list)
    for drop in drops:
        by_rule[drop.rule].append(drop)
    return {
        rule: {
            "count": len(found),
            "bytes": sum(drop.bytes for drop in found),
            "examples": list(dict.fromkeys(drop.path for drop in found))[:3],
        }
        for rule, found in by_rule.items()
    }


def _write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(canonical(row) + b"\n")
