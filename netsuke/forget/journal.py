"""What is being forgotten and how far that is: one small file in the home, written whole before anything else is.

    forgetting/ID.json      what was asked, the packs it is about, and what is done; gone when the receipt is there

It names no text. Where a program ends in between, the next one reads it and goes on.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..disk import sync, write_whole
from ..errors import StoreError, explained
from . import ROOM
from .scope import Target


@dataclass
class Affected:
    """A pack that is set aside: what it was, and what became of it."""

    name: str
    before: str  # Ref
    model: str  # sha256 of its model.gguf
    recipe: str
    combined: list[str] = field(default_factory=list)  # the models that it was combined from
    also: list[str] = field(default_factory=list)  # what else its name kept in the store
    after: str = ""  # Ref of the pack that has the name now
    withdrawn: str = ""  # why there is none, in words for everybody
    why: str = ""  # the same with places and names


@dataclass
class Journal:
    """A withdrawal on its way."""

    id: str
    kind: str  # "owner", "document", "path" or "source": what was asked for
    targets: list[Target]
    reason: str
    by: str
    when: str  # UTC, ISO 8601
    documents: list[str] = field(default_factory=list)  # hashes of what is wholly forgotten
    stays: list[str] = field(default_factory=list)  # hashes of what another has too, and keeps
    packs: list[Affected] = field(default_factory=list)
    earlier: dict[str, str] = field(default_factory=dict)  # Ref of a pack that had no name any more: its model's sha256
    bases: list[str] = field(default_factory=list)  # names of bases that are withdrawn
    rows: list[dict[str, Any]] = field(default_factory=list)  # of the ledger: number, hash
    doomed: list[str] = field(default_factory=list)  # files of the home that are to go, in this order
    last: list[str] = field(default_factory=list)  # of these: what was read of the forgotten, and its bytes
    files: int = 0  # how many that were, and their bytes
    bytes: int = 0
    pieces: int | None = None  # that were searched for; None before that
    found: list[str] = field(default_factory=list)  # where something was found and could not be deleted
    prove: bool = False

    @property
    def names(self) -> list[str]:
        return [pack.name for pack in self.packs]

    def save(self, home: Path) -> None:
        """Write it, whole or not at all. Raises StoreError."""
        with explained("write down what is to be forgotten", home):
            write_whole(_place(home, self.id), json.dumps(asdict(self), indent=1, sort_keys=True).encode())

    def end(self, home: Path) -> None:
        """Take it away: its receipt is there."""
        _place(home, self.id).unlink(missing_ok=True)
        sync(home / ROOM)


def begun(kind: str, targets: tuple[Target, ...], reason: str, by: str, prove: bool) -> Journal:
    """A new one, not written yet."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    made = f"{time.strftime('%Y%m%d%H%M%S', time.gmtime())}-{os.urandom(3).hex()}"
    return Journal(made, kind, list(targets), reason, by, now, prove=prove)


def read(home: Path, made: str) -> Journal:
    """The journal of an id. Raises StoreError if it is damaged."""
    place = _place(home, made)
    try:
        content = json.loads(place.read_bytes())
        content["targets"] = [Target(**target) for target in content["targets"]]
        content["packs"] = [Affected(**pack) for pack in content["packs"]]
        return Journal(**content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "ask for the same again with netsuke forget, then delete this file"
        raise StoreError(f"what is to be forgotten cannot be read: {error}", where=str(place), hint=hint) from error


def _place(home: Path, made: str) -> Path:
    return home / ROOM / f"{made}.json"
