"""Deleting the bytes: what rests on the forgotten, and nothing that anything else needs; then looking for what is left.

What was read of the forgotten goes last: until then it is known what to look for, also after a kill.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from ..nouns import Run
from ..step import Progress, Watch
from ..store import Store
from .journal import Journal
from .look import look, pieces
from .rests import Rests

SWEPT = ("tmp", "damaged")  # half-written work and what was damaged: nobody can tell what it rests on
DELETABLE = ("makes", "pages", "voice", "watched", *SWEPT)  # where what is found may go without asking


def erase(journal: Journal, found: Rests, store: Store, watch: Watch) -> None:
    """Delete, look, delete the rest. Nobody else is at the store (its lock "gc" is held). Raises StoreError."""
    _doom(journal, found, store)
    last = {store.root / name for name in journal.last}
    if journal.pieces is None:
        told = pieces(store, journal.documents)
        _delete(store.root / name for name in journal.doomed if name not in journal.last)
        watch("forget", Progress(0.5, f"looking for {len(told)} pieces in every file"))
        journal.found = _look([*told, *journal.documents], last, store)
        journal.pieces = len(told)
        journal.save(store.root)
    _delete(last)
    _tidy(store)


def _delete(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


# -- what is to go ---------------------------------------------------------------------------------------
def _doom(journal: Journal, found: Rests, store: Store) -> None:
    """Write down what is to go before any of it goes: once a run's record is gone, nobody knows what it made."""
    withdrawn = {*(pack.before for pack in journal.packs if pack.before != pack.after), *journal.earlier}
    runs = list(store.runs())
    keys = {run.key for run in (*found.resting.runs, *_unused_reads(runs, store))}
    keys |= {run.key for run in runs if run.output in withdrawn}
    doomed = [run for run in runs if run.key in keys]
    alive = _reached([run for run in runs if run.key not in keys], store)
    refs = {*found.resting.refs, *withdrawn, *journal.documents, *(r for pack in journal.packs for r in pack.also)}
    refs |= {ref for run in doomed for ref in (run.output, *run.inputs.values())}
    refs |= {member for ref in refs for member in _members(ref, store)}
    reads = [run for run in doomed if run.step == "read" and run.inputs["file"] in journal.documents]
    sources = {*journal.documents, *(run.output for run in reads)}
    sources |= {member for run in reads for member in _members(run.output, store)}
    beside = [*_beside(journal, withdrawn, store), *found.copies]
    refs |= {path.name for room in ("objects", "trees") for path in (store.root / room).glob("*/*")}
    files = [*beside, *(path for ref in sorted(refs - alive) for path in _paths(ref, store))]
    paths = [*(store.run_file(run.key) for run in doomed), *files]
    last = [store.run_file(run.key) for run in reads]
    last += [path for ref in sorted(sources - alive) for path in _paths(ref, store)]
    fresh = [name for name in _names(paths, store) if name not in {*journal.doomed}]
    journal.files, journal.bytes = journal.files + len(fresh), journal.bytes + _bytes(fresh, store)
    # what a make has needed again since a kill, stays
    journal.doomed = [*fresh, *(name for name in journal.doomed if _ref_of(name) not in alive)]
    journal.last = [*{**dict.fromkeys(journal.last), **dict.fromkeys(_names(last, store))}]
    journal.save(store.root)


def _unused_reads(runs: Sequence[Run], store: Store) -> list[Run]:
    """Files that were read by a make which ended before it had a data set: no row tells whose they are."""
    used = {ref for run in runs if run.step == "curate" for ref in _members(run.inputs["files"], store)}
    return [run for run in runs if run.step == "read" and not used & {*_members(run.output, store)}]


def _names(paths: Iterable[Path], store: Store) -> list[str]:
    """Those that are there, once each, as paths from the home."""
    there = dict.fromkeys(path for path in paths if path.is_symlink() or path.is_file())
    return [path.relative_to(store.root).as_posix() for path in there]


def _bytes(names: Iterable[str], store: Store) -> int:
    """Of these files, one that is there twice (a hard link) counted once."""
    about = [(store.root / name).lstat() for name in names]
    return sum({(one.st_dev, one.st_ino): one.st_size for one in about}.values())


def _ref_of(name: str) -> str:
    """The Ref that a file of the store is for; "" of others."""
    parts = name.split("/")
    return parts[1] if parts[0] == "folders" else parts[2] if parts[0] in ("objects", "trees") else ""


def _reached(runs: Iterable[Run], store: Store) -> set[str]:
    """What other runs and the names that are left need."""
    refs = {ref for run in runs for ref in (run.output, *run.inputs.values())}
    for kind in ("packs", "bases"):
        for name in store.names(kind):
            if record := store.named(kind, name):
                refs |= {record["ref"], *record.get("also", ())}
    return refs | {member for ref in refs for member in _members(ref, store)}


def _members(ref: str, store: Store) -> Collection[str]:
    return store.tree(ref).values() if store.is_tree(ref) else ()


def _paths(ref: str, store: Store) -> Iterator[Path]:
    """The files that hold an object or a folder: laid out first, the listing last."""
    yield from (path for path in (store.root / "folders" / ref).rglob("*") if not path.is_dir())
    yield from (store.root / room / ref[:2] / ref for room in ("objects", "trees"))


def _beside(journal: Journal, withdrawn: set[str], store: Store) -> Iterator[Path]:
    """Half-written work, and what the studio wrote beside the store about these packs."""
    for room in SWEPT:
        yield from (path for path in (store.root / room).rglob("*") if path.is_symlink() or not path.is_dir())
    yield from (store.root / "pages" / f"{name}.html" for name in journal.names)
    yield from (store.root / "voice" / f"{ref}.json" for ref in withdrawn)


# -- what is left ----------------------------------------------------------------------------------------
def _look(wanted: list[str], last: Collection[Path], store: Store) -> list[str]:
    """Where something still stands and could not be deleted: paths from the home."""
    left, alive = [], _reached(store.runs(), store)
    for path in look(store.root, wanted, lambda path: path in last):
        place = path.relative_to(store.root)
        if place.parts[0] in DELETABLE:
            _drop(path, store)
        elif place.parts[0] in ("objects", "trees") and place.name not in alive:
            path.unlink()
        else:
            left.append(place.as_posix())
    return left


def _drop(path: Path, store: Store) -> None:
    """Delete a file; of a make that was started in the studio, all of it."""
    parts = path.relative_to(store.root).parts
    if parts[0] == "makes" and len(parts) > 2:
        shutil.rmtree(store.root / parts[0] / parts[1], ignore_errors=True)
    path.unlink(missing_ok=True)


def _tidy(store: Store) -> None:
    """Folders that hold nothing any more."""
    for room in ("folders", *SWEPT):
        for folder in sorted((p for p in (store.root / room).rglob("*") if p.is_dir()), reverse=True):
            with contextlib.suppress(OSError):  # not empty
                folder.rmdir()
