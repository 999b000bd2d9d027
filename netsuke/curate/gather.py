"""From the recipe's sources to a folder of read files: consent first, then a `read` run for each file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import ledger
from ..errors import RecipeError
from ..nouns import Ref, Source
from ..step import Executor
from ..store import Store, canonical
from . import Params, ReadParams, find_files, read


def gather(
    sources: Sequence[Source], recipe: Path, params: Params, store: Store, executor: Executor
) -> Ref | None:
    """Ref of the folder that `curate` takes: index.json and one file for each text. None if a plan knows too little.

    Source paths are relative to the recipe's folder. A file belongs to the innermost source that holds it; what an
    owner keeps out is listed and never read. Raises RecipeError for a source that is not there.
    """
    places = [_place(recipe.parent, number, source) for number, source in enumerate(sources)]
    index: list[dict[str, Any]] = []
    members: dict[str, str] = {}
    known = True
    for number, (source, place) in enumerate(zip(sources, places, strict=True)):
        about = {
            "source": number,
            "owner": source.owner,
            "licence": source.licence,
            "profile": source.profile,
        }
        closed: list[OSError] = []
        for name, path in find_files(place, (recipe.name, recipe.with_suffix(".lock").name), closed.append):
            if _innermost(path, places) != number:
                continue
            allowed, reason = _decision(path, source, sources, places)
            row: dict[str, Any] = {"path": name, "reason": reason, **about}
            index.append(row)
            if not allowed:
                row["drop"] = {"rule": "consent", "detail": reason}
            elif (text := _read(name, path, params, store, executor)) is None:
                known = False
            elif isinstance(text, str):
                members[f"{text}.json"] = text
                row["text"] = f"{text}.json"
            else:
                row["drop"] = text
        for error in closed:
            name = os.path.relpath(error.filename, place)
            drop = {"rule": "unreadable", "detail": f"this folder cannot be opened: {error.strerror}"}
            index.append({"path": name, "reason": drop["detail"], **about, "drop": drop})
    members["index.json"] = store.add_bytes(canonical(index))
    return store.add_tree(members) if known else None


def _place(root: Path, number: int, source: Source) -> Path:
    place = (root / Path(source.path).expanduser()).resolve()
    if not place.exists():
        raise RecipeError("no such file or folder", where=f"sources[{number}]: {place}")
    return place


def _innermost(path: Path, places: Sequence[Path]) -> int:
    """The number of the source with the longest path that holds a file; the first of equal ones."""
    real = path.resolve()
    holding = [number for number, place in enumerate(places) if real.is_relative_to(place)]
    return max(holding, key=lambda number: (len(places[number].parts), -number))


def _decision(
    path: Path, source: Source, sources: Sequence[Source], places: Sequence[Path]
) -> tuple[bool, str]:
    """(allowed, reason): what the file's own source allows, unless any source around it says no."""
    real = path.resolve()
    for other, place in zip(sources, places, strict=True):
        if other.consent == "out" and real.is_relative_to(place):
            return ledger.decide(other)
    return ledger.decide(source)


def _read(
    name: str, path: Path, params: Params, store: Store, executor: Executor
) -> Ref | dict[str, str] | None:
    """Ref of a file's text.json, or why it is dropped, or None if a plan has not read it yet."""
    try:
        size = path.stat().st_size
        if size > params.max_mb * 1e6:
            return {
                "rule": "too large",
                "detail": f"{size / 1e6:.1f} MB; curate.max_mb is {params.max_mb:g}",
            }
        ref = store.add_file(path)
    except OSError as error:
        return {"rule": "unreadable", "detail": f"{error.strerror}"}
    made = executor.run(read, ReadParams(path.suffix.lower(), params.max_mb), label=f"read {name}", file=ref)
    return made["text.json"]
