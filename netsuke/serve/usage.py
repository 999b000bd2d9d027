"""What each key used of each model on each day, by UTC."""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..terminal import cell
from . import book
from .record import Record

COLUMNS = ("day", "key", "model", "requests", "prompt_tokens", "completion_tokens", "abstentions", "errors")
_COUNTS = COLUMNS[3:]
_ADD = (
    f"INSERT INTO usage VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _COUNTS)
)


def day(moment: float) -> str:
    """The UTC day of a moment, as 2026-11-25."""
    return datetime.fromtimestamp(moment, UTC).date().isoformat()


def add(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Counts those requests that reached a model; to be called in a transaction."""
    rows = [
        (day(one.time), one.who, one.model, 1, one.prompt_tokens, one.completion_tokens, one.abstained, one.failed)
        for one in records
        if one.served
    ]
    database.executemany(_ADD, rows)


def tokens(database: sqlite3.Connection, of_day: str, key: str) -> int:
    """How many tokens a key used on a day."""
    query = "SELECT coalesce(sum(prompt_tokens + completion_tokens), 0) FROM usage WHERE day = ? AND key = ?"
    return int(database.execute(query, (of_day, key)).fetchone()[0])


def rows(home: Path, key: str | None = None, since: str = "") -> list[dict[str, Any]]:
    """The table from a day on, by day, key and model. Raises StoreError."""
    query = "SELECT * FROM usage WHERE day >= ? AND (? IS NULL OR key = ?) ORDER BY day, key, model"
    with book.opened(home) as database:
        return [dict(zip(COLUMNS, row, strict=True)) for row in database.execute(query, (since, key, key))]


def as_csv(found: Iterable[Mapping[str, Any]]) -> str:
    """Such rows as a table with a head; no cell of it is a formula."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([cell(row[name]) for name in COLUMNS] for row in found)
    return out.getvalue()
