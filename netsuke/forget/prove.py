"""The proof: a build in a fresh home, from copies of the sources without the forgotten, gives the same bytes.

Recipe, lock and base are the same; the other decisions of the ledger too, since they are part of what is gathered. The
fresh home has never seen the forgotten, and neither had the folders that it reads: they are copied without it.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import loop, recipe
from ..bases import KNOWN, named
from ..curate.find import all_names
from ..curate.forgotten import Forgotten
from ..errors import StoreError, explained
from ..ledger import Ledger, Standing
from ..nouns import Recipe, Source
from ..step import Local, Watch
from ..store import Store
from . import receipt

BESIDE = ("LICENSES", ".well-known", ".reuse", "debian")  # folders beside a single file that may speak for it


def prove(content: dict[str, Any], store: Store, watch: Watch) -> dict[str, Any]:
    """A receipt with its proof: of each pack that was made again, the Ref of the one that never saw the forgotten.

    Raises StoreError where there is nothing to prove any more, NetsukeError where the build cannot be made.
    """
    proof = []
    for pack in content["packs"]:
        if "after" in pack:
            record = store.named("packs", pack["name"])
            if record is None or record["ref"] != pack["after"]:
                hint = "only what is here as it was made can be proved"
                raise StoreError(f"{pack['name']} has been made again or taken away since", hint=hint)
            if "combined" in record:
                continue  # of the models that it was combined from, each of which has its own proof
            there = never_saw(Path(record["recipe"]), pack, store, watch)
            proof.append({"name": pack["name"], "here": pack["after"], **there})
    if not proof:
        hint = "netsuke forget --receipts"
        raise StoreError("no pack was made again from a recipe: there is none to compare", hint=hint)
    content = content | {"proof": proof}
    receipt.write(store, content)
    return content


def never_saw(place: Path, pack: dict[str, Any], store: Store, watch: Watch) -> dict[str, Any]:
    """{"never_saw": Ref, "equal", "differs": names of files} of a pack made where the forgotten never was."""
    wanted = replace(recipe.load(place, loop.SECTIONS), name=pack["name"])
    standing = Ledger(store.root / "ledger.db").standing()
    with tempfile.TemporaryDirectory(prefix="netsuke-proof-") as room, explained("copy the sources", Path(room)):
        moved, where = copied(wanted, place, standing, Path(room), store)
        fresh = Store(Path(room) / "home")
        _fill(fresh, moved, standing, store, wanted)
        outcome = loop.loop(moved, where, fresh, Local(fresh, watch), loop.pace_of(where, fresh, watch))
        made = str(outcome.pack.ref)
        here, there = store.tree(pack["after"]), fresh.tree(made)
    differs = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    return {"never_saw": made, "equal": made == pack["after"], "differs": differs}


# -- the fresh home --------------------------------------------------------------------------------------
def _fill(fresh: Store, wanted: Recipe, standing: Standing, store: Store, original: Recipe) -> None:
    """What a make takes from a home: the base, the adapter that is gone on from, and what people decided besides."""
    record = named(original.base, store) or (store.named("bases", original.base) if original.base in KNOWN else None)
    if record:
        _take(record["ref"], store, fresh)
        fresh.name("bases", original.base, record)
    if start := wanted.params["tune"].start:
        _take(start, store, fresh)
    ledger = Ledger(fresh.root / "ledger.db")
    for row in standing.rows:
        if row.scope and row.decision != "forgotten":
            ledger.decide_standing(row.scope, row.about, row.decision, row.reason, row.decided_by)


def _take(ref: str, store: Store, fresh: Store) -> None:
    """A file or folder of the one store in the other."""
    if store.is_tree(ref):
        folder = store.path(ref)
        fresh.add_tree({name: fresh.add_file(folder / name) for name in store.tree(ref)})
    else:
        fresh.add_file(store.path(ref))


# -- the sources, without the forgotten ------------------------------------------------------------------
def copied(wanted: Recipe, place: Path, standing: Standing, room: Path, store: Store) -> tuple[Recipe, Path]:
    """(the recipe, where it lies now): every source at the same place below `room` as it has below the root."""
    forgotten = Forgotten(wanted, place.parent, standing)
    tree = room / "tree"
    max_bytes = int(wanted.params["curate"].max_mb * 1e6)
    for root in forgotten.roots:
        for file in _files(root):
            if file not in forgotten:
                _copy(file, _below(tree, file), tree, max_bytes)
        folder = _below(tree, root if root.is_dir() or root in forgotten else root.parent)
        folder.mkdir(parents=True, exist_ok=True)  # a source that is one file, and forgotten, is an empty folder
    where = _below(tree, place.resolve())
    where.parent.mkdir(parents=True, exist_ok=True)
    if (lock := place.with_suffix(".lock")).exists():
        shutil.copyfile(lock, where.with_suffix(".lock"))
    both = zip(wanted.sources, forgotten.roots, strict=True)
    sources = tuple(_moved(source, root, place.parent, tree) for source, root in both)
    base = place.parent / Path(wanted.base).expanduser()
    if wanted.base not in KNOWN and not named(wanted.base, store) and base.exists():
        wanted = replace(wanted, base=str(base.absolute()))
    wanted = replace(wanted, sources=sources)
    recipe.save(wanted, where)
    return recipe.load(where, loop.SECTIONS), where


def _files(root: Path) -> Iterator[Path]:
    """The files of a source, and those that may speak for them; links too."""
    if not root.is_dir():
        yield from (file for file in root.parent.iterdir() if file.is_file())
        yield from (root.parent / room / name for room in BESIDE for name in all_names(root.parent / room))
        return
    yield from (root / name for name in all_names(root))
    yield from (path for path in root.rglob("*") if path.is_symlink() and path.is_file())


def _copy(file: Path, target: Path, tree: Path, max_bytes: int) -> None:
    """A copy of a file, a link as a link to the copy; of one that is too large to be read, its size alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        return
    if file.is_symlink():
        target.symlink_to(os.path.relpath(_below(tree, file.resolve()), target.parent))
    elif (size := file.stat().st_size) > max_bytes:
        with target.open("wb") as sparse:
            sparse.truncate(size)
    else:
        try:
            shutil.copyfile(file, target)
        except PermissionError:  # then it was no document either
            target.touch(mode=0)


def _below(tree: Path, path: Path) -> Path:
    """Where a path from the root lies in the copy; a link is not followed."""
    place = path.parent.resolve() / path.name
    return tree / place.relative_to(place.anchor)


def _moved(source: Source, root: Path, folder: Path, tree: Path) -> Source:
    """A source at its new place, with its agreement where that has always been."""
    agreement = str((folder / Path(source.agreement).expanduser()).absolute()) if source.agreement else ""
    signers = source.signers
    if signers and (folder / Path(signers).expanduser()).exists():
        signers = str((folder / Path(signers).expanduser()).absolute())
    return replace(source, path=str(_below(tree, root)), agreement=agreement, signers=signers)



