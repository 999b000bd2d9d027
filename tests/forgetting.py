"""A folder of two owners that is made and forgotten of in this process."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from netsuke import loop, recipe
from netsuke.forget import journal, run
from netsuke.forget.scope import wanted
from netsuke.store import Store


def silent(title, progress):
    """A watch that says nothing."""


def make(place: Path, store: Store) -> str:
    """Ref of the pack."""
    return str(loop.make(recipe.load(place, loop.SECTIONS), place, store, silent).pack.ref)


def forget(store: Store, kind: str, value: str, **more):
    """What the receipt says."""
    found = wanted(kind, value, store)
    return run.forget(journal.begun(kind, found.targets, "asked", "me", False), store, silent)


def files_with(home: Path, text: str) -> list[str]:
    """The files of a home in which a text stands, in SQLite too, however it is written."""
    forms = {text.encode(), text.encode("unicode_escape")}
    found = [p for p in home.rglob("*") if p.is_file() and any(form in p.read_bytes() for form in forms)]
    for path in [p for p in home.rglob("*") if p.is_file() and p.read_bytes()[:6] == b"SQLite"]:
        with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as database:
            if text in "\n".join(database.iterdump()):
                found.append(path)
    return sorted({path.relative_to(home).as_posix() for path in found})


def pieces_of(file: Path) -> list[str]:
    """Pieces of a document, from its sentences."""
    lines = [line for line in file.read_text().split("\n") if len(line) > 75]
    return [line[10:75] for line in lines[1::3]]
