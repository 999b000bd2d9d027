"""What a person wants forgotten: an owner, a path, a content or a source, as decisions that the ledger can hold."""

from __future__ import annotations

import difflib
import glob
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from ..consent.agreements import same_name
from ..consent.ledger import Ledger, Row, Scope, Standing, concerns
from ..curate.forgotten import source_root
from ..errors import RecipeError, StoreError
from ..front import targets
from ..nouns import Recipe, Source
from ..store import Store

Place = tuple[str, str]  # (path as the ledger has it, owner)


@dataclass(frozen=True)
class Target:
    """One standing decision: all of an owner, a path (a glob) or a content (a hash)."""

    scope: Scope
    value: str

    def takes(self, owner: str, path: str, document: str) -> bool:
        """Whether it is about such a document."""
        return concerns(self.scope, self.value, owner, path, document)


@dataclass(frozen=True)
class Wanted:
    """What is to be forgotten, beside all that the ledger and the gathered folders of a home know."""

    targets: tuple[Target, ...]
    rows: tuple[Row, ...] = field(repr=False)  # every row about a document, oldest first

    @classmethod
    def of(cls, targets: tuple[Target, ...], store: Store) -> Wanted:
        """With the rows of the home's ledger, if there is one yet."""
        rows = Ledger.of(store.root).rows() if Ledger.is_in(store.root) else []
        return cls(targets, tuple(row for row in rows if not row.scope))

    def takes(self, owner: str, path: str, document: str) -> bool:
        """Whether any of its targets is about such a document."""
        return any(target.takes(owner, path, document) for target in self.targets)

    def prefixes(self, rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], list[str]]:
        """By model and source, what the ledger has before the paths of a gathered folder (the rows of its index.json).

        It is what most of its files agree on: a copy deeper in a source ends alike, but not each of them has one.
        """
        counts = defaultdict[tuple[str, int], Counter[str]](Counter)
        for row in rows:
            for path in self._paths[row["source"], row["file"], PurePosixPath(row["path"]).name]:
                name, _, rest = path.partition("/")
                if f"/{rest}".endswith(f"/{row['path']}"):
                    counts[name, row["source"]][rest.removesuffix(row["path"])] += 1
        return {key: [p for p, n in found.items() if n == max(found.values())] for key, found in counts.items()}

    @cached_property
    def _paths(self) -> defaultdict[tuple[int, str, str], set[str]]:
        """By source, content and file name, every path in the ledger; none where no target is a path."""
        found = defaultdict[tuple[int, str, str], set[str]](set)
        for row in self.rows if any(target.scope == "path" for target in self.targets) else ():
            found[row.source, row.document, PurePosixPath(row.path).name].add(row.path)
        return found

    @property
    def standing(self) -> Standing:
        """As if it stood in a ledger already."""
        empty: dict[str, Any] = dict.fromkeys(("document", "path", "owner", "licence", "reason"), "")
        plain = empty | {"source": -1, "decision": "forgotten"}
        return Standing(tuple(Row(**plain | {t.scope: t.value, "scope": t.scope}) for t in self.targets))

    def documents(self) -> dict[str, list[Place]]:
        """By content, the places at which it is forgotten; "" is what was never read."""
        found = defaultdict[str, list[Place]](list)
        for row in self.rows:
            if self.takes(row.owner, row.path, row.document) and (row.path, row.owner) not in found[row.document]:
                found[row.document].append((row.path, row.owner))
        return {document: places for document, places in found.items() if places}


# -- from the command line -------------------------------------------------------------------------------
def wanted(kind: str, value: str, store: Store) -> Wanted:
    """What `--document HASH`, `--owner NAME`, `--path GLOB` or `--source NAME:N` asks for.

    Raises RecipeError or StoreError where there is nothing of the kind, with what is near.
    """
    value = value.strip()
    if not value:
        raise RecipeError(f"--{kind} is empty", hint="netsuke consent lists owners, paths and documents")
    if kind == "source":
        found = Wanted.of(_of_source(value, store), store)
        if not found.documents():
            raise StoreError(f"nothing of source {value} was ever read", hint="netsuke consent lists what was")
        return found
    scope: Scope = "owner" if kind == "owner" else "path" if kind == "path" else "document"
    found = Wanted.of((Target(scope, value),), store)
    if not found.documents() and not (scope == "owner" and _gave_corrections(found, store)):
        Ledger.of(store.root, must_exist=True)  # which says so where there is none
        raise _unknown(scope, value, found.rows)
    return found


def _gave_corrections(found: Wanted, store: Store) -> bool:
    """Whether anything in the home is of an owner of whom no document was ever read."""
    from .copies import copies

    return any(copies(found, set(), store))


def _unknown(scope: Scope, value: str, rows: tuple[Row, ...]) -> RecipeError:
    known = {"owner": {row.owner for row in rows}, "path": {row.path for row in rows}, "document": set[str]()}[scope]
    what = {"owner": f"nothing here is of an owner {value!r}", "path": f"no document lies at {value!r}",
            "document": f"no document has the hash {value}"}[scope]  # fmt: skip
    near = difflib.get_close_matches(value, known, 3, 0.5)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "netsuke consent lists what there is"
    if scope == "path" and not near:
        hint = "the model's name comes first: 'notes/letters/**'; netsuke consent lists the paths"
    return RecipeError(what, hint=hint)


def _of_source(value: str, store: Store) -> tuple[Target, ...]:
    """The paths of a source of a model's recipe, without those of other sources, inside it or called the same."""
    name, _, digits = value.rpartition(":")
    names = store.names("packs")
    if not name:
        if len(names) != 1:
            hint = f"write NAME:{value}; here: {', '.join(names)}"
            raise RecipeError(f"--source {value}: of which model?", hint=hint)
        name = names[0]
    recipe, path, _ = targets.find_recipe(name, store)
    if not digits.isdecimal() or int(digits) >= len(recipe.sources):
        there = ", ".join(f"{n} (path {source.path})" for n, source in enumerate(recipe.sources))
        raise RecipeError(f"{recipe.name} has no source {digits!r}", where=str(path), hint=f"its sources: {there}")
    number = int(digits)
    roots = [source_root(source.path, path.parent) for source in recipe.sources]
    inside = [root for n, root in enumerate(roots) if n != number and root.is_relative_to(roots[number])]
    sharing = _sharing(recipe, number, roots)
    if not inside and not sharing and roots[number].is_dir():
        return (Target("path", glob.escape(f"{recipe.name}/{_place(recipe, number, roots)}").rstrip("/")),)
    own = _read(recipe, number, store, {number, *sharing})
    for other in sharing:
        if both := own & _read(recipe, other, store, {number, *sharing}):
            hint = "forget by --owner or --document instead"
            what = f"sources {number} and {other} of {recipe.name} have one path in the ledger, {min(both)}"
            raise RecipeError(what, hint=hint)
    return tuple(Target("path", glob.escape(path)) for path in sorted(own))


def _place(recipe: Recipe, number: int, roots: Sequence[Path]) -> str:
    """What the paths of a source begin with in the ledger; the whole path of one that is a file."""
    source = recipe.sources[number]
    if roots[number].is_file():
        return source.named(PurePosixPath(source.path).name)
    return source.named("\0")[:-1].removesuffix("/")


def _sharing(recipe: Recipe, number: int, roots: Sequence[Path]) -> list[int]:
    """The sources that lie elsewhere and of which a file may have a path in the ledger that one of this has too."""
    places = [PurePosixPath(_place(recipe, n, roots)) for n in range(len(roots))]
    own, found = places[number], list[int]()
    for n, place in enumerate(places):
        if n != number and place.is_relative_to(own):
            if (roots[number] / place.relative_to(own)).resolve() != roots[n]:
                found.append(n)
        elif n != number and own.is_relative_to(place):
            there = (roots[n] / own.relative_to(place)).resolve()
            if there != roots[number] and there.exists():
                found.append(n)
    return found


def _read(recipe: Recipe, number: int, store: Store, apart: Collection[int]) -> set[str]:
    """The paths that were last read from one source of a model, which may have had another number, or none, before.

    Sources `apart` lie apart from each other: that one has read a path says nothing of another's.
    """
    source, before = recipe.sources[number], f"{recipe.name}/"
    rows = Ledger.of(store.root, must_exist=True).rows()
    mine = (row for row in rows if not row.scope and row.path.startswith(before))
    last = {row.path: row for row in mine if row.source == number or row.source not in apart}
    return {
        path for path, row in last.items()
        if row.source == number and same_name(row.owner) == same_name(source.owner)
        and _may_hold(source, path.removeprefix(before))
    }  # fmt: skip


def _may_hold(source: Source, path: str) -> bool:
    """Whether a source, a folder or a file, can have this path in the ledger."""
    folder = PurePosixPath(source.named("\0")).parent
    return PurePosixPath(path).is_relative_to(folder) or path == source.named(PurePosixPath(source.path).name)
