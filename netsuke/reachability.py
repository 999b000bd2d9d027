"""What rests on what (downstream), and the care that follows from it (verify, gc).

A folder lists its files' hashes and a Run lists its inputs, so a document finds every folder, run and pack that
rests on it. Cache, provenance and forgetting are this one structure.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StoreError
from .nouns import Run
from .store import Store, hash_file, hash_listing, run_from

_KINDS = ("packs", "bases")
_HEX = "[0-9a-f]" * 64
Members = Mapping[str, set[str]]  # of each folder, the Refs of its files


@dataclass(frozen=True)
class Damage:
    """Something in the store that is not what its name says, and the packs and bases it hurts."""

    ref: str
    what: str
    packs: tuple[str, ...] = ()
    bases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Resting:
    """What rests on some files or folders: runs, names of packs and of bases, and every Ref of a file or folder."""

    runs: tuple[Run, ...]
    packs: tuple[str, ...]
    bases: tuple[str, ...]
    refs: frozenset[str]


def downstream(store: Store, refs: Collection[str]) -> Resting:
    """All that could not be had, byte for byte, without these."""
    members, runs = _members(store), list(store.runs())
    left, is_free = _without(refs, runs, members)
    there = {*members, *(blob.name for blob in _blobs(store))}
    named = [(path.parent.name, path.stem) for path, record in _records(store) if not is_free(record["ref"])]
    refs = frozenset(ref for ref in there if not is_free(ref))
    return Resting(tuple(left), refs=refs, **_by_kind(named))


def verify(store: Store, *, repair: bool = False) -> list[Damage]:
    """Re-hash everything; with `repair`, set what is damaged aside so that the next make builds it again."""
    with store.lock("gc", exclusive=False):
        faults = dict(_damaged_names(store))
        bad = {path.name: path for path in _blobs(store) if _digest(path) != path.name}
        runs, members = list(store.runs()), _members(store, without=bad)
        named = [(path.parent.name, path.stem, record["ref"]) for path, record in _records(store, without=faults)]
        for ref, path in bad.items():
            _, is_free = _without([ref], runs, members)
            hurt = [(kind, name) for kind, name, rests in named if not is_free(rests)]
            faults[path] = Damage(ref, "its bytes changed", **_by_kind(hurt))
        faults |= _damaged_runs(store, without=bad)
        missing = [
            Damage(ref, what, **_by_kind([(path.parent.name, path.stem)]))
            for path, record in _records(store, without=faults)
            for ref, what in _lacking(f"{path.parent.name[:-1]} {path.stem}", record).items()
            if ref not in bad and not store.has(ref)
        ]
        if repair:
            _set_aside(store, faults)
    return [*faults.values(), *missing]


def gc(
    store: Store, *, dry_run: bool = False, wait_note: Callable[[], None] | None = None
) -> tuple[int, int]:
    """(files deleted, bytes freed): what no named pack or base reaches, and half-written work.

    Raises StoreError, and deletes nothing, where damage hides what is reached.
    """
    with store.lock("gc", wait_note=wait_note):
        alive, keys = _alive(store)
        blobs = [*(store.root / "trees").glob("*/*"), *(store.root / "objects").glob("*/*")]
        doomed = [p for p in (store.root / "runs").glob("*/*.json") if p.stem not in keys]
        doomed += [p for p in blobs if p.name not in alive]
        doomed += [
            p for room in ("tmp", "damaged") for p in (store.root / room).rglob("*") if not _is_folder(p)
        ]
        freed = sum(p.lstat().st_size for p in doomed)
        if not dry_run:
            for path in doomed:  # runs first: if this is interrupted, no run is there without its output
                path.unlink(missing_ok=True)
            laid_out = [p for p in (store.root / "folders").iterdir() if p.name not in alive]
            swept = [p for room in ("tmp", "damaged") for p in (store.root / room).glob("*")]
            for folder in filter(_is_folder, (*laid_out, *swept)):
                shutil.rmtree(folder)
    return len(doomed), freed


# -- what is there ---------------------------------------------------------------------------------------
def _members(store: Store, without: Collection[str] = ()) -> Members:
    """Raises StoreError where a listing is damaged: to guess would be to lose something."""
    names = [p.name for p in (store.root / "trees").glob(f"*/{_HEX}") if p.name not in without]
    return {name: set(store.tree(name).values()) for name in names}


def _records(store: Store, without: Collection[Path] = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """(path, record) of each name. Raises StoreError where a record is damaged."""
    for path in sorted(p for kind in _KINDS for p in (store.root / "names" / kind).glob("*.json")):
        if path not in without and (record := store.named(path.parent.name, path.stem)):
            yield path, record


def _lacking(name: str, record: Mapping[str, Any]) -> dict[str, str]:
    """By its Ref, what to say where it is gone: a name's own files, what it was tried with, its signature."""
    beside = dict.fromkeys(record.get("also", ()), f"files kept beside those of {name} are missing")
    signature = {record["signature"]: f"the signature of {name} is missing"} if "signature" in record else {}
    return {record["ref"]: f"files of {name} are missing"} | beside | signature


def _by_kind(named: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """{"packs": names, "bases": names} of (kind, name)."""
    rows = list(named)
    return {kind: tuple(name for of, name in rows if of == kind) for kind in _KINDS}


def _blobs(store: Store) -> list[Path]:
    return sorted(p for room in ("objects", "trees") for p in (store.root / room).glob("*/*"))


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _digest(path: Path) -> str:
    return hash_file(path) if path.parent.parent.name == "objects" else hash_listing(path.read_bytes())


# -- what rests on what ----------------------------------------------------------------------------------
def _without(
    refs: Collection[str], runs: list[Run], members: Members
) -> tuple[list[Run], Callable[[str], bool]]:
    """(the runs that are left when everything that can be had without `refs` is taken away, whether that has a Ref).

    A file that another run makes too, from other things, does not rest on it: that is early cut-off read backwards.
    """
    outputs = {run.key: _put_out(run, members) for run in runs}
    made = set().union(*outputs.values())
    taken, free = {x for ref in refs for x in (ref, *members.get(ref, ()))}, set[str]()

    def is_free(x: str) -> bool:
        if x in taken:
            return False
        return all(map(is_free, members[x])) if x in members else x in free or x not in made

    while sound := [run for run in runs if all(map(is_free, run.inputs.values()))]:
        free.update(*(outputs[run.key] for run in sound))
        keys = {run.key for run in sound}
        runs = [run for run in runs if run.key not in keys]
    return runs, is_free


def _put_out(run: Run, members: Members) -> set[str]:
    """The output of a run and its files, without what the run was given and passed on."""
    given = {ref for i in run.inputs.values() for ref in (i, *members.get(i, ()))}
    return {run.output, *members.get(run.output, ())} - given


def _made_by(refs: Iterable[str], runs: list[Run], members: Members) -> set[str]:
    """The keys of the runs that these were made by, however far back. A folder that a run made is looked up whole."""
    makers: dict[str, list[Run]] = {}
    for run in runs:
        for made in {run.output, *_put_out(run, members)}:
            makers.setdefault(made, []).append(run)
    found, todo, seen = set[str](), list(refs), set[str]()
    while todo:
        if (current := todo.pop()) in seen:
            continue
        seen.add(current)
        files = members.get(current, set())
        whole = [
            run for file in files for run in makers.get(file, ()) if files <= members.get(run.output, set())
        ]
        here = [*whole, *makers.get(current, ())]
        todo += [ref for run in here for ref in run.inputs.values()] if here else files
        found |= {run.key for run in here}
    return found


def _alive(store: Store) -> tuple[set[str], set[str]]:
    """(names of objects and trees, keys of runs) that a named pack or base reaches."""
    members, runs, roots, kept = _members(store), list(store.runs()), set[str](), set[str]()
    for path, record in _records(store):
        if not (record["ref"] in members or store.has(record["ref"])):
            how = "fetch or add it again (netsuke bases)" if path.parent.name == "bases" else "make it again"
            hint = f"{how}, or delete this file"
            raise StoreError(f"{path.stem} points at what is not in the store", where=str(path), hint=hint)
        named = {record["ref"], *record.get("also", ())}
        roots |= named
        kept |= set(record["runs"]) if "runs" in record else _made_by(named, runs, members)
    for run in runs:
        if run.key in kept:
            roots |= {run.output, *run.inputs.values()}
    return roots.union(*(members.get(ref, ()) for ref in roots)), kept


# -- damage ----------------------------------------------------------------------------------------------
def _damaged_names(store: Store) -> Iterator[tuple[Path, Damage]]:
    for kind in _KINDS:
        for name in store.names(kind):
            try:
                store.named(kind, name)
            except StoreError as error:
                path = store.root / "names" / kind / f"{name}.json"
                yield path, Damage(name, error.what, **_by_kind([(kind, name)]))


def _damaged_runs(store: Store, without: Collection[str]) -> dict[Path, Damage]:
    found = {}
    for path in sorted((store.root / "runs").glob("*/*.json")):
        try:
            run = run_from(json.loads(path.read_bytes()))
            whole = run.key == path.stem
        except (ValueError, KeyError, TypeError):
            whole = False
        if not whole:
            found[path] = Damage(path.stem, "this run record is damaged")
        elif run.output not in without and not store.has(run.output):
            found[path] = Damage(path.stem, f"the output of this run of {run.step} is missing")
    return found


def _set_aside(store: Store, paths: Iterable[Path]) -> None:
    aside = store.root / "damaged"
    for path in paths:
        if path.exists():
            place = aside / path.relative_to(store.root)  # a pack's record and a base's may have one name
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)
