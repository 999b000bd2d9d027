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
    sources: Sequence[Source], root: Path, params: Params, store: Store, executor: Executor
) -> Ref | None:
    """Ref of the folder that `curate` takes: index.json and one file for each text. None if a plan knows too little.

    A source that its owner keeps out is listed and never read. Raises RecipeError for a source that is not there.
    """
    index: list[dict[str, Any]] = []
    members: dict[str, str] = {}
    known = True
    for number, source in enumerate(sources):
        place = (root / source.path).resolve() if source.path != "." else root
        if not place.exists():
            raise RecipeError("no such file or folder", where=f"sources[{number}]: {place}")
        allowed, reason = ledger.decide(source)
        about = {"source": number, "owner": source.owner, "licence": source.licence, "profile": source.profile}
        closed: list[OSError] = []
        for name, path in find_files(place, on_error=closed.append):
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
            index.append({"path": name, "reason": reason, **about, "drop": drop})
    members["index.json"] = store.add_bytes(canonical(index))
    return store.add_tree(members) if known else None


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
    made = executor.run(
        read, ReadParams(path.suffix.lower(), params.max_mb), label=f"read {name}", file=ref
    )
    return made["text.json"]
