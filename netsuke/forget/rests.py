"""What rests on what is to be forgotten: documents, packs and their parts, files of the home. It is shown first."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..nouns import Run
from ..reachability import Resting, downstream
from ..store import Store
from ..texts.documents import file_of, read_rows
from .copies import copies
from .scope import Place, Wanted

PARTS = {
    "curate": "data set", "carve": "vocabulary and shape", "tune": "adapter", "voice": "voices",
    "quantise": "importance matrix and file", "answer": "calibration", "check": "report", "recall": "quotes",
    "show": "samples", "index": "search index",
}  # fmt: skip


@dataclass(frozen=True)
class Document:
    """A content that is forgotten, where it lies, in which packs it is, and where a copy of another's stays."""

    hash: str
    places: tuple[Place, ...]
    packs: tuple[str, ...]
    staying: tuple[Place, ...]


@dataclass(frozen=True)
class Pack:
    """A named pack that is to be made again."""

    name: str
    ref: str
    model: str  # sha256 of its model.gguf
    recipe: str
    combined: tuple[str, ...]  # the models that it was combined from
    splits: Mapping[str, int]  # how many forgotten files were in "train", "valid", "test", "dropped"
    emptied: tuple[str, ...]  # of "test" and "valid", those of which no file is left: some of train move there
    left: int  # files that it may still be made of
    parts: tuple[str, ...]  # what of it rests on them
    returning: tuple[str, ...]  # copies that were left out because a forgotten file stood for them
    seconds: float  # that making all of these again took the last time


@dataclass(frozen=True)
class Rests:
    """All of it."""

    wanted: Wanted
    documents: tuple[Document, ...]
    unread: int  # files that were listed and never read
    packs: tuple[Pack, ...]
    earlier: tuple[str, ...]  # Refs of packs that no name points at any more
    bases: tuple[str, ...]
    copies: tuple[Path, ...]  # files of the home itself: dropped in the studio, corrections
    seeds: frozenset[str]  # what everything else rests on, in the store
    resting: Resting
    stays: frozenset[str]  # hashes of contents that another has too, and keeps

    @property
    def seconds(self) -> float:
        """That making all packs again takes at most, as the last time."""
        return sum(pack.seconds for pack in self.packs)

    @property
    def gone(self) -> list[str]:
        """The hashes of contents that are wholly forgotten."""
        return [document.hash for document in self.documents if document.hash not in self.stays]

    def as_json(self) -> dict[str, Any]:
        """As a value that JSON can hold."""
        packs = [asdict(pack) | {"seconds": round(pack.seconds)} for pack in self.packs]
        return {
            "targets": [asdict(target) for target in self.wanted.targets],
            "documents": [asdict(document) for document in self.documents], "unread": self.unread, "packs": packs,
            "earlier_packs": list(self.earlier), "bases": list(self.bases), "copies": [str(p) for p in self.copies],
            "seconds": round(self.seconds),
        }  # fmt: skip


def rests(wanted: Wanted, store: Store, stays: Collection[str] = ()) -> Rests:
    """What rests on it now; `stays` are contents that are known to stay. Raises StoreError where damage hides it."""
    runs = list(store.runs())
    records = {name: record for name in store.names("packs") if (record := store.named("packs", name))}
    combined = {name: set(record["combined"]["order"]) for name, record in records.items() if "combined" in record}
    alone = {name: record for name, record in records.items() if name not in combined}
    gathered = list(_gathered(wanted, store, runs, alone))
    places = _places(wanted, gathered)
    unread = len(places.pop("", ()))
    staying = _staying(wanted, gathered, places)
    kept = {*stays} & places.keys() | {*staying}
    gone = {document for document in places if document not in kept}
    named = {name for one in gathered for name in one.named if one.holds(wanted, {name})}
    needed = {one.index for one in gathered if one.named - named}
    seeds = gone | {one.index for one in gathered if one.index not in needed and one.holds(wanted, one.all_names)}
    rest = downstream(store, seeds)
    hit = {*named, *rest.packs}
    while more := {name for name, parents in combined.items() if parents & hit} - hit:
        hit |= more
    packs = tuple(_pack(name, records[name], wanted, gathered, rest, store) for name in sorted(hit))
    earlier = {ref for one in gathered for name, ref in one.packs if one.holds(wanted, {name})}
    earlier |= {str(run.output) for run in rest.runs if run.step == "pack"}
    earlier = {ref for ref in earlier if store.has(ref)}
    return Rests(
        wanted, _documents(places, staying, wanted, gathered), unread, packs,
        tuple(sorted(earlier - {record["ref"] for record in records.values()})), rest.bases,
        tuple(copies(wanted, gone, store)), frozenset(seeds), rest, frozenset(kept),
    )  # fmt: skip


def _places(wanted: Wanted, gathered: list[Gathered]) -> dict[str, list[Place]]:
    """By content, where it is forgotten; of what was gathered and never made, the ledger knows nothing."""
    found = wanted.documents()
    for one in gathered:
        for row in one.rows:
            if row["file"] and row["file"] not in found and one.takes(wanted, row, one.all_names):
                found[row["file"]] = [(row["path"], row["owner"])]
    return found


def _staying(wanted: Wanted, gathered: list[Gathered], documents: Collection[str]) -> dict[str, list[Place]]:
    """By content, of these, the places of others from which a named pack has it."""
    known = defaultdict[tuple[str, int], set[str]](set)
    for told in wanted.rows:
        if told.document in documents:
            known[told.document, told.source].add(told.path)

    def place(name: str, row: Mapping[str, Any]) -> str:
        """As the ledger has it: between the name and the path there may be that of the source."""
        start, end = f"{name}/", f"/{row['path']}"
        told = (path for path in known[row["file"], row["source"]] if path.startswith(start) and path.endswith(end))
        return min(told, key=len, default=name + end)

    found = defaultdict[str, list[Place]](list)
    for one in gathered:
        for name in sorted(one.named):
            for row in one.rows:
                if row["file"] in documents and not one.takes(wanted, row, {name}):
                    found[row["file"]].append((place(name, row), row["owner"]))
    return found


# -- the gathered folders --------------------------------------------------------------------------------
@dataclass(frozen=True)
class Gathered:
    """What a curate was given: the rows of its index.json, and for whom."""

    run: Run
    index: str  # Ref of index.json
    rows: list[dict[str, Any]]
    named: frozenset[str]  # names whose record keeps the run
    packs: tuple[tuple[str, str], ...]  # (name, Ref) of every pack that was made of it
    prefixes: Mapping[tuple[str, int], list[str]]  # by model and source, what the ledger has before its paths

    @property
    def all_names(self) -> set[str]:
        return {*self.named, *(name for name, _ in self.packs)}

    def holds(self, wanted: Wanted, names: set[str]) -> bool:
        """Whether a row of it is to be forgotten, by one of these names."""
        return any(self.takes(wanted, row, names) for row in self.rows)

    def takes(self, wanted: Wanted, row: Mapping[str, Any], names: set[str]) -> bool:
        """Whether a row is to be forgotten; `names` are those that it was gathered for, none where that is unknown."""
        if any(t.takes(row["owner"], "", row["file"] or "-") for t in wanted.targets if t.scope != "path"):
            return True
        before = {key: found for key, found in self.prefixes.items() if key[1] == row["source"]}
        paths = [f"{name}/{prefix}{row['path']}" for (name, _), found in before.items() for prefix in found]
        return any(wanted.takes("", path, "") for path in paths if not names or path.partition("/")[0] in names)


def _gathered(
    wanted: Wanted, store: Store, runs: list[Run], records: Mapping[str, Mapping[str, Any]]
) -> Iterator[Gathered]:
    """Every gathered folder that is still in the store."""
    made: dict[str, list[tuple[str, str]]] = {}
    for run in runs:
        if run.step == "pack":
            made.setdefault(run.inputs.get("documents", ""), []).append((run.params["name"], run.output))
    for run in runs:
        if run.step == "curate" and store.has(run.inputs["files"]) and store.has(run.output):
            index = store.tree(run.inputs["files"])["index.json"]
            rows = json.loads(store.path(index).read_bytes())
            named = frozenset(name for name, record in records.items() if run.key in _keys(record, run, store, runs))
            packs = tuple(made.get(store.tree(run.output)["documents.jsonl"], ()))
            yield Gathered(run, index, rows, named, packs, wanted.prefixes(rows))


def _keys(record: Mapping[str, Any], run: Run, store: Store, runs: list[Run]) -> set[str]:
    """The runs that a name keeps; of a record without them, this one if its pack was made of it."""
    if "runs" in record:
        return set(record["runs"])
    documents = store.tree(run.output)["documents.jsonl"]
    mine = any(r.output == record["ref"] and r.inputs.get("documents") == documents for r in runs if r.step == "pack")
    return {run.key} if mine else set()


def _pack(
    name: str, record: Mapping[str, Any], wanted: Wanted, gathered: list[Gathered], rest: Resting, store: Store
) -> Pack:
    """A named pack, and what of it rests on what is forgotten."""
    mine = [one for one in gathered if name in one.named]
    documents = [(one, row) for one in mine
                 for row in read_rows(store.path(store.tree(one.run.output)["documents.jsonl"]))]  # fmt: skip
    forgotten = [row for one, row in documents if one.takes(wanted, row, {name})]
    here = {(row["source"], row["path"]) for row in forgotten}
    splits, before = _splits(forgotten), _splits(row for _, row in documents)
    emptied = tuple(split for split in ("test", "valid") if 0 < splits[split] == before[split])
    copies = [copy for row in forgotten for copy in row["stands_for"]]
    returning = [c["path"] for c in copies if (c["source"], file_of(c["path"])) not in here]
    keys = set(record.get("runs", ())) or {run.key for run in rest.runs}
    runs = [run for run in rest.runs if run.key in keys]
    parts = tuple(words for step, words in PARTS.items() if any(run.step == step for run in runs))
    model = store.tree(record["ref"]).get("model.gguf", "")
    seconds = sum(run.seconds for run in runs if run.step != "read")
    order = tuple(record.get("combined", {}).get("order", ()))
    left = sum(row["split"] != "dropped" for _, row in documents) - sum(row["split"] != "dropped" for row in forgotten)
    return Pack(
        name, record["ref"], model, record["recipe"], order, dict(splits), emptied, left + len(returning),
        parts, tuple(returning), seconds,
    )  # fmt: skip


def _splits(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """How many files are in each split; one whose parts are in several counts in each."""
    return Counter(split for row in rows for split in row["split"].split("+"))


def _documents(
    places: Mapping[str, list[Place]], staying: Mapping[str, list[Place]], wanted: Wanted, gathered: list[Gathered]
) -> tuple[Document, ...]:
    inside: dict[str, set[str]] = {}
    for one in gathered:
        for name in one.named:
            for row in one.rows:
                if row["file"] in places and one.takes(wanted, row, {name}):
                    inside.setdefault(row["file"], set()).add(name)
    return tuple(
        Document(hash, tuple(found), tuple(sorted(inside.get(hash, ()))), tuple(staying.get(hash, ())))
        for hash, found in sorted(places.items(), key=lambda pair: pair[1])
    )
