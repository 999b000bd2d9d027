"""What Watch reads: each request that reached a model, in figures; nothing of what was asked or answered.

Requests are kept for KEEP_DAYS (of more than MOST_EVENTS the newest), and of each day a row for DAYS_KEPT. What an
editor asks by itself, at each pause of typing, is no request but a suggestion: kept as long in a table of its own, and
not by days. Of prompts there are two figures, kept for PROMPT_DAYS (of a model at most the last MOST_PROMPTS), but the
first ones since it was made, which others are held against, while it is here. Thumbs are kept for PROMPT_DAYS.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

from ..traffic import BLOCK, Numbers, numbers
from . import book, usage
from .record import Record

KEEP_DAYS, MOST_EVENTS = 30, 200_000
PROMPT_DAYS, MOST_PROMPTS = 400, 200_000
DAYS_KEPT = 800
DAY = 86_400.0
LATE_SECONDS = 3600.0  # that a day is over before it gets its row: requests of it may go on for so long

_COLUMNS = "time, key, route, first_seconds, seconds, prompt_tokens, completion_tokens, abstained, failed"
_NUMBERS = tuple(field.name for field in fields(Numbers))


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
    failed: bool  # of a suggestion: or given up, since somebody typed on

    @classmethod
    def of(cls, row: Sequence[Any]) -> Event:
        """From a row of the table."""
        values = [*row[:-2], bool(row[-2]), bool(row[-1])]
        return cls(*values)


@dataclass(frozen=True)
class Thumb:
    """What somebody found an answer: "up" or "down"."""

    time: float
    key: str
    answer: str
    thumb: str


# -- writing ---------------------------------------------------------------------------------------------
def add(database: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Keeps those requests that reached a model, and suggestions apart; to be called in a transaction."""
    served = [one for one in records if one.served]
    asked = [one for one in served if not one.suggests]
    for table, some in (("events", asked), ("suggestions", [one for one in served if one.suggests])):
        database.executemany(f"INSERT INTO {table} VALUES (NULL{', ?' * 11})", [
            (one.time, one.model, one.who, one.path, one.first_seconds, one.seconds, one.prompt_tokens,
             one.completion_tokens, one.abstained, one.failed or (one.suggests and one.left), one.answer)
            for one in some
        ])  # fmt: skip
    prompts = [(one.time, one.model, share, words) for one in asked for share, words in one.familiar]
    database.executemany("INSERT INTO prompts VALUES (NULL, ?, ?, ?, ?)", prompts)


def fold(database: sqlite3.Connection, now: float, made: Mapping[str, float]) -> None:
    """Leaves of days that are long over a row each, and forgets what is too old; to be called in a transaction.

    `made`: when each model that is here was made or trained again.
    """
    midnight = (now - LATE_SECONDS) // DAY * DAY
    done = {tuple(row) for row in database.execute("SELECT day, model FROM days")}
    there = defaultdict[tuple[str, str], list[Event]](list)
    query = f"SELECT model, {_COLUMNS} FROM events WHERE time < ? AND time >= ?"
    for model, *values in database.execute(query, (midnight, midnight - KEEP_DAYS * DAY)):
        there[usage.day(values[0]), model].append(Event.of(values))
    rows = [(*key, *astuple(numbers(some))) for key, some in there.items() if key not in done]
    database.executemany(f"INSERT INTO days VALUES (?, ?, {', '.join('?' * len(_NUMBERS))})", rows)
    for table in ("events", "suggestions"):
        database.execute(f"DELETE FROM {table} WHERE time < ?", (midnight - KEEP_DAYS * DAY,))
        database.execute(f"DELETE FROM {table} WHERE number <= (SELECT max(number) FROM {table}) - ?", (MOST_EVENTS,))
    _forget_prompts(database, midnight - PROMPT_DAYS * DAY, made)
    database.execute("DELETE FROM thumbs WHERE time < ?", (midnight - PROMPT_DAYS * DAY,))
    database.execute("DELETE FROM days WHERE day < ?", (usage.day(midnight - DAYS_KEPT * DAY),))


def _forget_prompts(database: sqlite3.Connection, oldest: float, made: Mapping[str, float]) -> None:
    """By model, so that the requests to one take nothing from another; never the first block since one was made."""
    for (model,) in database.execute("SELECT DISTINCT model FROM prompts").fetchall():
        since = made.get(model, math.inf)  # of a model that is gone no block stays
        database.execute(
            "DELETE FROM prompts WHERE model = :model AND (time < :oldest OR number <="
            " (SELECT number FROM prompts WHERE model = :model ORDER BY number DESC LIMIT 1 OFFSET :most))"
            " AND number NOT IN"
            " (SELECT number FROM prompts WHERE model = :model AND time >= :since ORDER BY number LIMIT :block)",
            {"model": model, "oldest": oldest, "most": MOST_PROMPTS, "since": since, "block": BLOCK},
        )


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
    return _events(home, "events", model, since)


def suggestions(home: Path, model: str, since: float) -> list[Event]:
    """What editors asked a model by themselves from a moment on, oldest first. Raises StoreError."""
    return _events(home, "suggestions", model, since)


def _events(home: Path, table: str, model: str, since: float) -> list[Event]:
    query = f"SELECT {_COLUMNS} FROM {table} WHERE model = ? AND time >= ? ORDER BY time, number"
    return [Event.of(row) for row in _rows(home, query, model, since)]


def days(home: Path, model: str, since: str) -> dict[str, Numbers]:
    """The days from one on that are over, each with its requests in figures. Raises StoreError."""
    query = f"SELECT day, {', '.join(_NUMBERS)} FROM days WHERE model = ? AND day >= ? ORDER BY day"
    return {day: Numbers(*row) for day, *row in _rows(home, query, model, since)}


def prompts(home: Path, model: str, since: float, last: int = -1) -> list[tuple[float, int]]:
    """(share of it that the documents know, words) of the prompts from a moment on, or the `last` of these, in order.

    Raises StoreError.
    """
    query = "SELECT familiar, words FROM prompts WHERE model = ? AND time >= ? ORDER BY number DESC LIMIT ?"
    return [(familiar, words) for familiar, words in _rows(home, query, model, since, last)][::-1]


def thumbs(home: Path, model: str, since: float) -> list[Thumb]:
    """What was found of a model's answers from a moment on, oldest first. Raises StoreError."""
    query = "SELECT time, key, answer, thumb FROM thumbs WHERE model = ? AND time >= ? ORDER BY time"
    return [Thumb(*row) for row in _rows(home, query, model, since)]


def model_of(home: Path, who: str, answer: str) -> str | None:
    """Whose answer this was, where this key got it and it is still known. Raises StoreError."""
    for table in ("events", "suggestions"):
        query = f"SELECT model FROM {table} WHERE answer = ? AND key = ? AND answer != '' LIMIT 1"
        if found := _rows(home, query, answer, who):
            return str(found[0][0])
    return None


def _rows(home: Path, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with book.opened(home) as database:
        return database.execute(query, values).fetchall()
