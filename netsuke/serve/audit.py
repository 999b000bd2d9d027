"""The audit log: who asked which route of which model, with what end; never what was asked.

    hash of a row = sha256 of the canonical JSON of all its other fields, and of the hash of the row before

As in the ledger: who may write the whole file can write a whole new chain; keep `head` elsewhere and that shows too.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from .. import chain
from ..chain import START, Fault
from ..store import canonical
from . import book
from .record import Record


@dataclass(frozen=True)
class Row:
    number: int
    time: str  # UTC, ISO 8601
    who: str  # a key's name; "" for nobody we know
    method: str
    route: str
    model: str
    status: int  # 499: the client left before the end
    prompt_tokens: int
    completion_tokens: int
    times: int  # how many refusals of a kind this row stands for
    previous: str
    hash: str = ""

    def digest(self) -> str:
        """What `hash` must be."""
        return hashlib.sha256(canonical({**vars(self), "hash": None})).hexdigest()

    @property
    def place(self) -> str:
        return self.route


_COLUMNS = tuple(field.name for field in fields(Row))
_INSERT = f"INSERT INTO audit ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"


def append(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Writes a row each; to be called in a transaction."""
    number, previous = _head(database)
    for one in records:
        number += 1
        when = datetime.fromtimestamp(one.time, UTC).isoformat(timespec="milliseconds")
        tokens = (one.prompt_tokens, one.completion_tokens)
        row = Row(number, when, one.who, one.method, one.path, one.model, one.status, *tokens, one.times, previous)
        previous = row.digest()
        database.execute(_INSERT, (*list(vars(row).values())[:-1], previous))
    database.execute("INSERT OR REPLACE INTO audit_head VALUES (1, ?, ?)", (number, previous))


def rows(
    home: Path, last: int, *, who: str | None = None, model: str | None = None, hundred: int | None = None
) -> list[Row]:
    """The last rows, oldest first: of a key, of a model, of statuses from 100 `hundred` on. Raises StoreError."""
    wanted = {"who": who, "model": model, "status / 100": hundred}
    asked = {column: value for column, value in wanted.items() if value is not None}
    where = " AND ".join(f"{column} = ?" for column in asked) or "TRUE"
    with book.opened(home) as database:
        query = f"SELECT {', '.join(_COLUMNS)} FROM audit WHERE {where} ORDER BY number DESC LIMIT ?"
        return [Row(*found) for found in database.execute(query, (*asked.values(), last))][::-1]


def head(home: Path) -> tuple[int, str]:
    """(rows, hash of the last one), which stands for the whole log. Raises StoreError."""
    with book.opened(home) as database:
        return _head(database)


def verify(home: Path) -> Fault | None:
    """The first row that was changed, deleted or moved; None if the log is whole. Raises StoreError."""
    with book.opened(home) as database:
        database.execute("BEGIN")  # one state for both tables
        last, hash_ = _head(database)
        found = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM audit ORDER BY number")
        return chain.verify((Row(*values) for values in found), last, hash_)


def _head(database: sqlite3.Connection) -> tuple[int, str]:
    return database.execute("SELECT number, hash FROM audit_head").fetchone() or (0, START)
