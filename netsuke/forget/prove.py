"""The proof: a build in a fresh home, from copies of the sources without the forgotten, gives the same bytes.

Recipe, lock and base are the same; the other decisions of the ledger too, since they are part of what is gathered. The
fresh home has never seen the forgotten, and neither had the folders that it reads: they are copied without it. Of a
combination its parents are made there first.
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
from ..consent.ledger import Ledger, Standing
from ..curate.find import all_names
from ..curate.forgotten import Forgotten
from ..disk import expanded
from ..errors import StoreError, explained
from ..front import combining
from ..nouns import Recipe, Source
from ..step import Local, Watch
from ..store import Store
from . import receipt

BESIDE = ("LICENSES", ".well-known", ".reuse", "debian")  # folders beside a single file that may speak for it


def prove(content: dict[str, Any], store: Store, watch: Watch) -> dict[str, Any]:
    """A receipt with its proof: of each pack that was made again, the Ref of the one that never saw the forgotten.

    Raises StoreError where there is nothing to prove any more, NetsukeError where the build cannot be made.
    """
    packs = [pack for pack in content["packs"] if "after" in pack]
    for pack in packs:
        record = store.named("packs", pack["name"])
        if record is None or record["ref"] != pack["after"]:
            hint = "only what is here as it was made can be proved"
            raise StoreError(f"{pack['name']} has been made again or taken away since", hint=hint)
    if not packs:
        hint = "netsuke forget --receipts"
        raise StoreError("no pack was made again: there is none to compare", hint=hint)
    with tempfile.TemporaryDirectory(prefix="netsuke-proof-") as room, explained("copy the sources", Path(room)):
        elsewhere = Elsewhere(Path(room), store, watch)
        content = content | {"proof": [compared(pack, elsewhere) for pack in packs]}
    receipt.write(store, content)
    return content


def compared(pack: dict[str, Any], elsewhere: Elsewhere) -> dict[str, Any]:
    """{"name", "here", "never_saw": Refs, "equal", "differs": names of files} of a pack that was made again."""
    made = elsewhere.made(pack["name"])
    here, there = elsewhere.store.tree(pack["after"]), elsewhere.home.tree(made)
    differs = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    return {"name": pack["name"], "here": pack["after"], "never_saw": made, "equal": made == pack["after"],
            "differs": differs}  # fmt: skip


# -- the fresh home --------------------------------------------------------------------------------------
class Elsewhere:
    """A fresh home in a room of its own, which has never seen the forgotten, and what is made there."""

    def __init__(self, room: Path, store: Store, watch: Watch) -> None:
        self.room, self.store, self.watch = room, store, watch
        self.home = Store(room / "home")
        self.standing = Ledger.of(store.root).standing()
        ledger = Ledger.of(self.home.root)
        for row in self.standing.rows:  # what people decided besides is part of what is gathered
            if row.scope and row.decision != "forgotten":
                ledger.decide_standing(row.scope, row.about, row.decision, row.reason, row.decided_by)

    def made(self, name: str) -> str:
        """Ref of the pack of this name, made here; of a combination, behind its parents. Raises NetsukeError."""
        if here := self.home.named("packs", name):
            return str(here["ref"])
        record = self.store.named("packs", name)
        if record is None:
            raise StoreError(f"{name}, which a combination was made from, is not in this home any more")
        if "combined" in record:
            for parent in record["combined"]["order"]:
                self.made(parent)
            wanted = combining.of_file(Path(record["recipe"]))
            return str(combining.make(wanted, self.home, self.watch).pack.ref)
        place = Path(record["recipe"])
        original = recipe.load(place, loop.SECTIONS)
        room = self.room / "models" / name
        moved, where = copied(replace(original, name=name), place, self.standing, room, self.store)
        self._fill(original)
        local, pace = Local(self.home, self.watch), loop.pace_of(where, self.home, self.watch)
        outcome = loop.loop(moved, where, self.home, local, pace)  # whatever its gates say: it is only compared
        loop.name_pack(self.home, name, where, outcome, [*local.reused, *local.ran])
        return str(outcome.pack.ref)

    def _fill(self, wanted: Recipe) -> None:
        """What a make takes from a home: the base, and the adapter that is gone on from."""
        base, store = wanted.base, self.store
        record = named(base, store) or (store.named("bases", base) if base in KNOWN else None)
        if record:
            _take(record["ref"], store, self.home)
            self.home.name("bases", base, record)
        if start := wanted.params["tune"].start:
            _take(start, store, self.home)


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
    base = place.parent / expanded(wanted.base)
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
    yield from (path for path in root.rglob("*") if path.is_symlink())


def _copy(file: Path, target: Path, tree: Path, max_bytes: int) -> None:
    """A copy of a file, a link as a link to the copy; of one that is too large to be read, its size alone."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() or target.is_symlink():
        return
    if file.is_symlink():
        target.symlink_to(os.path.relpath(_below(tree, Path(os.path.realpath(file))), target.parent))
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
    agreement = str((folder / expanded(source.agreement)).absolute()) if source.agreement else ""
    signers = source.signers
    if signers and (folder / expanded(signers)).exists():
        signers = str((folder / expanded(signers)).absolute())
    return replace(source, path=str(_below(tree, root)), agreement=agreement, signers=signers)



