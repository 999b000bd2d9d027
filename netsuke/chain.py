"""Rows that only grow, each with the hash of the one before: what the ledger and the audit log have in common."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Protocol

from .errors import StoreError

START = "0" * 64  # the hash before the first row


class Link(Protocol):
    """A row of a chain, a frozen dataclass; `hash` is of all its other fields, `number` and `previous` among them."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def number(self) -> int: ...
    @property
    def previous(self) -> str: ...
    @property
    def hash(self) -> str: ...
    @property
    def place(self) -> str:
        """What the row is about, to name it by."""

    def digest(self) -> str:
        """What `hash` must be."""


@dataclass(frozen=True)
class Fault:
    """The first row that is not as it was written."""

    number: int
    what: Literal["changed", "missing", "out of order", "the end is missing", "added"]
    path: str  # of the row; where it is missing, of the nearest one; "" if that cannot be told


def verify(rows: Iterable[Link], last: int, head: str) -> Fault | None:
    """The first row that was changed, deleted or moved; None if the chain is whole.

    `last` and `head` are the number and the hash of the row that must be the last one. A row that cannot be read
    (StoreError) was changed.
    """
    expected, previous, before = 1, START, ""
    try:
        for row in rows:
            if fault := _fault(row, expected, previous, before, last):
                return fault
            expected, previous, before = expected + 1, row.hash, row.place
    except StoreError:
        return Fault(expected, "changed", "")
    if expected <= last:
        return Fault(expected, "the end is missing", before)
    return None if previous == head else Fault(max(1, last), "changed", before)


def _fault(row: Link, expected: int, previous: str, before: str, last: int) -> Fault | None:
    """What is wrong at a row, if anything; `before` is the place of the one before."""
    if expected > last or row.number < expected:
        return Fault(expected, "added", row.place)
    if row.number > expected:
        return Fault(expected, "missing", row.place)
    if row.hash != row.digest():
        numbers = (number for number in range(1, last + 1) if number != row.number)
        moved = any(replace(row, number=number).digest() == row.hash for number in numbers)
        return Fault(expected, "out of order" if moved else "changed", row.place)
    if row.previous != previous:  # whole in itself: the one before was written anew
        return Fault(max(1, expected - 1), "changed", before or row.place)
    return None


# -- SQLite ----------------------------------------------------------------------------------------------
def log_ahead(database: sqlite3.Connection, wait_seconds: float) -> None:
    """Write-ahead logging: who reads does not wait for who writes. Raises sqlite3.Error."""
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            database.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:  # this one lock SQLite does not wait for
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, one writer at a time."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
