"""Keys that clients of the server show: the owner's, made at the first run, and named ones for others.

Of a named key only its sha256 is kept: it is random enough (256 bits) that no salt or slow hash adds anything.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..disk import write_once
from ..errors import StoreError
from . import book

OWNER = "owner"
MOST_RPM, MOST_TOKENS = 100_000, 10**12
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_KEY = re.compile(r"nsk-[A-Za-z0-9_-]{32,}")


def default_key(home: Path) -> str:
    """The key in home/keys/default, made now if there is none. Raises StoreError when it cannot be used."""
    path = home / "keys" / "default"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        if not path.exists():
            write_once(path, f"nsk-{secrets.token_urlsafe(32)}\n".encode())
        path.chmod(0o600)
        key = path.read_text("ascii", "replace").strip()
    except OSError as error:
        hint = "make the home folder writable, or set NETSUKE_HOME to another one"
        raise StoreError(f"no key for the server: {error.strerror}", where=str(path), hint=hint) from None
    if not _KEY.fullmatch(key):
        raise StoreError("this is not a key", where=str(path), hint="delete the file: a new key is made")
    return key


@dataclass(frozen=True)
class Key:
    """Who asks, and how much: `rpm` requests in any minute, `tokens_per_day` by UTC days; None is without limit."""

    name: str
    rpm: int | None = None
    tokens_per_day: int | None = None
    models: tuple[str, ...] | None = None  # None: every one
    made: str = ""

    @property
    def is_owner(self) -> bool:
        return self.name == OWNER

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models

    @property
    def row(self) -> dict[str, Any]:
        """As plain values."""
        models = None if self.models is None else list(self.models)
        return {**vars(self), "models": models}


def digest(shown: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(shown.encode("utf-8", "surrogateescape")).hexdigest()


def add(
    home: Path, name: str, *, rpm: int | None = None, tokens_per_day: int | None = None, models: Sequence[str] = ()
) -> str:
    """A new key, told this once. Raises StoreError where the name is taken or no name."""
    if not _NAME.fullmatch(name) or name == OWNER:
        hint = "small letters, digits, dots and hyphens; not 'owner', which is you"
        raise StoreError(f"not a usable name for a key: {name!r}", hint=hint)
    key = f"nsk-{secrets.token_urlsafe(32)}"
    made = datetime.now(UTC).isoformat(timespec="seconds")
    row = (name, digest(key), rpm, tokens_per_day, json.dumps(sorted(set(models)) or None), made)
    with book.opened(home) as database:
        try:
            database.execute("INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?)", row)
        except sqlite3.IntegrityError:
            hint = f"netsuke keys remove {name}, or another name"
            raise StoreError(f"there is a key {name!r} already", hint=hint) from None
    return key


def remove(home: Path, name: str) -> None:
    """Takes a key away, at once and for good; what it used stays on record. Raises StoreError."""
    with book.opened(home) as database:
        if not database.execute("DELETE FROM keys WHERE name = ?", (name,)).rowcount:
            raise _unknown(name, _keys(database))


def require(home: Path, name: str) -> None:
    """Raise StoreError unless this is the owner's or a named key."""
    known = named(home)
    if name not in (OWNER, *(key.name for key in known)):
        raise _unknown(name, known)


def _unknown(name: str, known: list[Key]) -> StoreError:
    names = ", ".join(key.name for key in known)
    hint = f"keys: {names}" if names else "there are none: netsuke keys add --name shop"
    return StoreError(f"no key {name!r}", hint=hint)


def named(home: Path) -> list[Key]:
    """The named keys, in order. Raises StoreError."""
    with book.opened(home) as database:
        return _keys(database)


def of_digest(database: sqlite3.Connection, sha256: str) -> Key | None:
    """The named key with this digest, if there is one."""
    found = database.execute(f"{_SELECT} WHERE sha256 = ?", (sha256,)).fetchone()
    return _key(found) if found else None


_SELECT = "SELECT name, rpm, tokens_per_day, models, made FROM keys"


def _keys(database: sqlite3.Connection) -> list[Key]:
    return [_key(found) for found in database.execute(f"{_SELECT} ORDER BY name")]


def _key(found: Any) -> Key:
    name, rpm, tokens_per_day, models, made = found
    allowed = json.loads(models)
    return Key(name, rpm, tokens_per_day, None if allowed is None else tuple(allowed), made)
