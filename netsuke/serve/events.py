"""What Watch reads: each request that reached a model, in figures; nothing of what was asked or answered.

Requests are kept for KEEP_DAYS (of more than MOST_EVENTS the newest), then of each day its percentiles are left. Of
prompts there are two figures, kept for PROMPT_DAYS; thumbs are kept as long.
"""

from __future__ import annotations

import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..ranked import quantile
from . import book, usage
from .record import Record

KEEP_DAYS, MOST_EVENTS = 30, 200_000
PROMPT_DAYS, MOST_PROMPTS = 400, 200_000
PERCENTILE_DAYS = 800
DAY = 86_400.0

_EVENT = "INSERT INTO events VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Event:
    """One request that reached a model."""

    time: float  # seconds since 1970
    key: str
    route: str
    first_seconds: float | None  # until the first part of a stream
    seconds: float
    prompt_tokens: int
    completion_tokens: int
    abstained: bool
    failed: bool


@dataclass(frozen=True)
class Thumb:
    """What somebody found an answer: "up" or "down"."""

    time: float
    key: str
    answer: str
    thumb: str


# -- writing ---------------------------------------------------------------------------------------------
def add(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Keeps those requests that reached a model; to be called in a transaction."""
    served = [one for one in records if one.served]
    database.executemany(_EVENT, [
        (one.time, one.model, one.who, one.path, one.first_seconds, one.seconds, one.prompt_tokens,
         one.completion_tokens, one.abstained, one.failed, one.answer)
        for one in served
    ])  # fmt: skip
    prompts = [(one.time, one.model, share, words) for one in served for share, words in one.familiar]
    database.executemany("INSERT INTO prompts VALUES (NULL, ?, ?, ?, ?)", prompts)


def fold(database: sqlite3.Connection, now: float) -> None:
    """Leaves of days that are over their percentiles, and forgets what is too old; to be called in a transaction."""
    midnight = now - now % DAY
    done = {tuple(row) for row in database.execute("SELECT day, model FROM days")}
    times = defaultdict[tuple[str, str], list[tuple[float | None, float | None]]](list)
    query = "SELECT time, model, failed, seconds, first_seconds FROM events WHERE time < ? AND time >= ?"
    for when, model, failed, *seconds in database.execute(query, (midnight, midnight - KEEP_DAYS * DAY)):
        times[usage.day(when), model].append((None, None) if failed else tuple(seconds))
    rows = [(*key, *_percentiles(some)) for key, some in times.items() if key not in done]
    database.executemany("INSERT INTO days VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    database.execute("DELETE FROM events WHERE time < ?", (midnight - KEEP_DAYS * DAY,))
    for table, most in (("events", MOST_EVENTS), ("prompts", MOST_PROMPTS)):
        database.execute(f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?", (most,))
    for table in ("prompts", "thumbs"):
        database.execute(f"DELETE FROM {table} WHERE time < ?", (midnight - PROMPT_DAYS * DAY,))
    database.execute("DELETE FROM days WHERE day < ?", (usage.day(midnight - PERCENTILE_DAYS * DAY),))


def _percentiles(some: Sequence[tuple[float | None, float | None]]) -> tuple[float | None, ...]:
    told: list[float | None] = []
    for column in zip(*some, strict=True):
        known = [one for one in column if one is not None]
        told += [quantile(known, share) if known else None for share in (0.5, 0.95)]
    return len(some), *told


def put_thumb(home: Path, who: str, answer: str, model: str, thumb: str) -> None:
    """What a key's owner found an answer; the last word counts. Raises StoreError."""
    with book.opened(home, 5.0) as database:
        database.execute(
            "INSERT INTO thumbs VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET time = excluded.time,"
            " thumb = excluded.thumb",
            (who, answer, model, time.time(), thumb),
        )


# -- reading ---------------------------------------------------------------------------------------------
def requests(home: Path, model: str, since: float) -> list[Event]:
    """The requests to a model from a moment on, oldest first. Raises StoreError."""
    query = (
        "SELECT time, key, route, first_seconds, seconds, prompt_tokens, completion_tokens, abstained, failed"
        " FROM events WHERE model = ? AND time >= ? ORDER BY time, number"
    )
    return [
        Event(*plain, abstained=bool(abstained), failed=bool(failed))
        for *plain, abstained, failed in _rows(home, query, model, since)
    ]


def days(home: Path, model: str, since: str) -> list[dict[str, Any]]:
    """The days from one on that are over: "day", "requests", percentiles, oldest first. Raises StoreError."""
    query = (
        "SELECT day, requests, median, p95, first_median, first_p95 FROM days WHERE model = ? AND day >= ? ORDER BY day"
    )
    names = ("day", "requests", "median", "p95", "first_median", "first_p95")
    return [dict(zip(names, row, strict=True)) for row in _rows(home, query, model, since)]


def prompts(home: Path, model: str, since: float) -> list[tuple[float, int]]:
    """(share of it that the documents know, words) of the prompts from a moment on, oldest first. Raises StoreError."""
    query = "SELECT familiar, words FROM prompts WHERE model = ? AND time >= ? ORDER BY number"
    return [(familiar, words) for familiar, words in _rows(home, query, model, since)]


def thumbs(home: Path, model: str, since: float) -> list[Thumb]:
    """What was found of a model's answers from a moment on, oldest first. Raises StoreError."""
    query = "SELECT time, key, answer, thumb FROM thumbs WHERE model = ? AND time >= ? ORDER BY time"
    return [Thumb(*row) for row in _rows(home, query, model, since)]


def model_of(home: Path, who: str, answer: str) -> str | None:
    """Whose answer this was, where this key got it and it is still known. Raises StoreError."""
    query = "SELECT model FROM events WHERE answer = ? AND key = ? AND answer != '' LIMIT 1"
    found = _rows(home, query, answer, who)
    return str(found[0][0]) if found else None


def _rows(home: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with book.opened(home) as database:
        return database.execute(query, values).fetchall()
