"""What rests on what: downstream, lineage, and the care that follows from it (verify, gc).

A folder lists its files' hashes and a Run lists its inputs, so a document finds every folder, run and pack that
rests on it. Cache, provenance and forgetting are this one structure.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .nouns import Run
from .store import Store, hash_file, parse_tree, run_from


@dataclass(frozen=True)
class Damage:
    """Something in the store that is not what its name says, and the packs it hurts."""

    ref: str
    what: str
    packs: tuple[str, ...] = ()


def _listings(store: Store) -> dict[str, set[str]]:
    return {p.name: set(parse_tree(p.read_bytes()).values()) for p in (store.root / "trees").glob("*/*")}


def _packs_within(store: Store, refs: set[str]) -> list[str]:
    return [name for name in store.names("packs") if (store.named("packs", name) or {}).get("ref") in refs]


def downstream(store: Store, ref: str) -> tuple[list[Run], list[str]]:
    """(runs, names of packs) that rest on a file or folder."""
    reached, found = {str(ref)}, []
    waiting, listings = list(store.runs()), _listings(store)
    grown = True
    while grown:
        before = len(reached)
        reached |= {tree for tree, members in listings.items() if members & reached}
        for run in [r for r in waiting if reached & set(r.inputs.values())]:
            waiting.remove(run)
            found.append(run)
            reached |= {run.output, *listings.get(run.output, ())}
        grown = len(reached) > before
    return found, _packs_within(store, reached)


def lineage(store: Store, ref: str) -> list[Run]:
    """The runs that a file or folder was made by, all the way back; newest first."""
    listings = _listings(store)
    made_by: dict[str, list[Run]] = {}
    for run in store.runs():
        for made in (run.output, *listings.get(run.output, ())):
            made_by.setdefault(made, []).append(run)
    runs: dict[str, Run] = {}
    todo, seen = [str(ref)], set()
    while todo:
        if (current := todo.pop()) in seen:
            continue
        seen.add(current)
        todo += listings.get(current, ())
        for run in made_by.get(current, ()):
            runs[run.key] = run
            todo += run.inputs.values()
    return list(runs.values())


def verify(store: Store, *, repair: bool = False) -> list[Damage]:
    """Re-hash everything; with `repair`, set what is damaged aside so that the next make builds it again."""
    damages = []
    for path in sorted(p for room in ("objects", "trees") for p in (store.root / room).glob("*/*")):
        if hash_file(path) != path.name:
            damages.append(Damage(path.name, "its bytes changed", tuple(downstream(store, path.name)[1])))
            if repair:
                _set_aside(store, path)
    for path in sorted((store.root / "runs").glob("*/*.json")):
        if what := _run_damage(store, path):
            damages.append(Damage(path.stem, what))
            if repair:
                _set_aside(store, path)
    for kind in ("packs", "bases"):
        for name in store.names(kind):
            record = store.named(kind, name)
            if record and not store.has(record["ref"]):
                damages.append(Damage(record["ref"], f"files of {kind[:-1]} {name} are missing", (name,)))
    return damages


def _run_damage(store: Store, path: Path) -> str | None:
    try:
        run = run_from(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError):
        return "this run record cannot be read"
    return None if store.has(run.output) else f"the output of this run of {run.step} is missing"


def _set_aside(store: Store, path: Path) -> None:
    aside = store.root / "damaged"
    aside.mkdir(exist_ok=True)
    os.replace(path, aside / path.name)


def gc(store: Store, *, dry_run: bool = False) -> tuple[int, int]:
    """(files deleted, bytes freed): what no named pack or base reaches, and half-written work."""
    with store.lock("gc"):
        alive, keys = _alive(store)
        rooms = ("objects", "trees")
        doomed = [p for room in rooms for p in (store.root / room).glob("*/*") if p.name not in alive]
        doomed += [p for p in (store.root / "runs").glob("*/*.json") if p.stem not in keys]
        doomed += [p for room in ("tmp", "damaged") for p in (store.root / room).rglob("*") if p.is_file()]
        freed = sum(p.stat().st_size for p in doomed)
        if not dry_run:
            for path in doomed:
                path.unlink(missing_ok=True)
            for room in ("folders", "tmp"):
                shutil.rmtree(store.root / room)
                (store.root / room).mkdir()
    return len(doomed), freed


def _alive(store: Store) -> tuple[set[str], set[str]]:
    """(names of objects and trees, keys of runs) that a named pack or base reaches."""
    roots: set[str] = set()
    keys: set[str] = set()
    listings = _listings(store)
    for kind in ("packs", "bases"):
        for name in store.names(kind):
            roots.add((store.named(kind, name) or {"ref": ""})["ref"])
    for ref in list(roots):
        for run in lineage(store, ref):
            keys.add(run.key)
            roots |= {run.output, *run.inputs.values()}
    return roots.union(*(listings.get(ref, ()) for ref in roots)), keys
