"""The server's book: one SQLite file of the home, with its keys, what they used, the audit log and what Watch reads."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ..chain import log_ahead
from ..errors import StoreError

_REQUEST = """
    number INTEGER PRIMARY KEY, time REAL NOT NULL, model TEXT NOT NULL, key TEXT NOT NULL, route TEXT NOT NULL,
    first_seconds REAL, seconds REAL NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    abstained INTEGER NOT NULL, failed INTEGER NOT NULL, answer TEXT NOT NULL"""
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS keys (
    name TEXT PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, rpm INTEGER, tokens_per_day INTEGER, models TEXT NOT NULL,
    made TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS usage (
    day TEXT NOT NULL, key TEXT NOT NULL, model TEXT NOT NULL, requests INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, abstentions INTEGER NOT NULL,
    errors INTEGER NOT NULL, PRIMARY KEY (day, key, model)) STRICT;
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, who TEXT NOT NULL, method TEXT NOT NULL, route TEXT NOT NULL,
    model TEXT NOT NULL, status INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    times INTEGER NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS audit_head (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER, hash TEXT) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_no_change BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END;
CREATE TABLE IF NOT EXISTS events ({_REQUEST}) STRICT;
CREATE INDEX IF NOT EXISTS events_time ON events (model, time);
CREATE INDEX IF NOT EXISTS events_answer ON events (answer) WHERE answer != '';
CREATE TABLE IF NOT EXISTS days (
    day TEXT NOT NULL, model TEXT NOT NULL, requests INTEGER NOT NULL, median REAL, p95 REAL,
    first_median REAL, first_p95 REAL, prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL,
    abstained INTEGER NOT NULL, failed INTEGER NOT NULL, PRIMARY KEY (day, model)) STRICT;
CREATE TABLE IF NOT EXISTS prompts (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, model TEXT NOT NULL, familiar REAL NOT NULL, words INTEGER NOT NULL)
    STRICT;
CREATE INDEX IF NOT EXISTS prompts_time ON prompts (model, time);
CREATE TABLE IF NOT EXISTS thumbs (
    key TEXT NOT NULL, answer TEXT NOT NULL, model TEXT NOT NULL, time REAL NOT NULL, thumb TEXT NOT NULL,
    PRIMARY KEY (key, answer)) STRICT;
CREATE TABLE IF NOT EXISTS suggestions ({_REQUEST}) STRICT;
CREATE INDEX IF NOT EXISTS suggestions_time ON suggestions (model, time);
CREATE INDEX IF NOT EXISTS suggestions_answer ON suggestions (answer) WHERE answer != '';
"""
_LAST = "suggestions"  # what the schema makes last: a book of an older netsuke lacks it
# There suggestions stand among the requests, and in the days that are over; those days are told anew by their requests,
# but for the first, of which some may be gone.
_SUGGESTED = "route = '/infill' OR route LIKE '/m/%/ghost'"
_APART = f"""
INSERT INTO suggestions SELECT NULL, time, model, key, route, first_seconds, seconds, prompt_tokens, completion_tokens,
    abstained, failed, answer FROM events WHERE {_SUGGESTED} ORDER BY number;
DELETE FROM days WHERE day > (SELECT date(min(time), 'unixepoch') FROM events)
    AND model IN (SELECT model FROM events WHERE {_SUGGESTED});
DELETE FROM events WHERE {_SUGGESTED};
"""


def place(home: Path) -> Path:
    """Where the book of a home lies."""
    return home / "served.db"


@contextlib.contextmanager
def opened(home: Path, wait_seconds: float = 30.0) -> Iterator[sqlite3.Connection]:
    """A connection to the book, made now if there is none, readable by its owner alone. Raises StoreError."""
    try:
        with contextlib.closing(connected(home, wait_seconds)) as database:
            yield database
    except (sqlite3.Error, OSError) as error:
        hint = "check the disk and the file's permissions; if it is damaged, set it aside: a new one is begun"
        raise StoreError(f"the server's book cannot be used: {error}", where=str(place(home)), hint=hint) from error


def connected(home: Path, wait_seconds: float) -> sqlite3.Connection:
    """A connection of the caller's own, the tables there. Raises sqlite3.Error, OSError."""
    path = place(home)
    home.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    database = sqlite3.connect(path, timeout=wait_seconds, isolation_level=None)
    try:
        log_ahead(database, wait_seconds)
        database.execute("PRAGMA synchronous = NORMAL")
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_LAST,)).fetchone():
            database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} {_APART} COMMIT;")
        return database
    except BaseException:
        database.close()
        raise
