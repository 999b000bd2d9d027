"""Who owns what and what was decided about it: an append-only ledger, chained by hash.

    hash of a row = sha256 of the canonical JSON of all its other fields, and of the hash of the row before

So a row that is changed, deleted or moved breaks the chain where it happened. Who may write the whole file
can write a whole new chain: keep `head()` elsewhere (in a signed pack, say) and that shows too. Fields that came
later (LATER) are left out of the JSON where they are empty: rows of an older ledger keep their hashes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .. import chain
from ..chain import START, Fault, log_ahead, transaction
from ..errors import ConsentError, RecipeError, StoreError
from ..nouns import Source
from ..store import canonical
from .agreements import matches, same_name
from .decide import NOBODY, Stand

FILE = "ledger.db"
Scope = Literal["owner", "document", "path"]
Word = Literal["in", "out", "cleared", "forgotten"]  # forgotten: as if the file had never been there
LATER = ("licence_how", "signals", "scope")


@dataclass(frozen=True)
class Entry:
    """What was decided about one document, or (`scope`) about all of an owner, a path or a content."""

    document: str  # sha256 of the file's bytes; "" if it was not opened
    path: str
    source: int  # its number in the recipe; -1 for a standing decision
    owner: str
    licence: str
    decision: Word
    reason: str
    decided_by: str = "rules"  # or "recipe", a person, who signed
    licence_how: str = ""  # how the licence was found
    signals: str = ""  # canonical JSON: [{"kind", "value", "raw", "where"}, …]
    scope: Literal[Scope, ""] = ""  # which field a standing decision is about

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Entry:
        """The entry of a row of documents.jsonl; its `signals` are a list of objects, or are not there."""
        return cls(
            document=document_of(row),
            decided_by=row.get("decided_by") or "rules",
            licence_how=row.get("licence_how") or "",
            signals=canonical(row["signals"]).decode() if row.get("signals") else "",
            **{name: row[name] for name in ("path", "source", "owner", "licence", "decision", "reason")},
        )

    @property
    def about(self) -> str:
        """What a standing decision is about: a name, a hash or a glob."""
        return {"owner": self.owner, "document": self.document, "path": self.path}[self.scope]

    def is_about(self, owner: str, path: str, document: str) -> bool:
        """Whether a standing decision is about such a document."""
        return concerns(self.scope, self.about, owner, path, document)


@dataclass(frozen=True)
class Row(Entry):
    """An entry as it is kept: numbered from 1, dated, chained."""

    number: int = 0
    time: str = ""  # UTC, ISO 8601
    previous: str = ""  # hash of the row before
    hash: str = ""

    def digest(self) -> str:
        """What `hash` must be."""
        return _digest(vars(self))

    @property
    def place(self) -> str:
        return self.path


@dataclass(frozen=True)
class Standing:
    """The decisions of people that hold for whatever is read: the last of each owner, path or content."""

    rows: tuple[Row, ...] = ()  # in force, oldest first

    def of(self, owner: str, path: str, document: str) -> Stand:
        """What they say about a document; any "forgotten" or "out" wins. `path` is as the ledger has it: the model's
        name first."""
        found = [row for row in self.rows if row.is_about(owner, path, document)]
        for row in reversed(found):
            if row.decision in ("forgotten", "out"):
                return Stand("out", _sentence(row), row.decided_by)
        return Stand("in", _sentence(found[-1]), found[-1].decided_by) if found else NOBODY

    @property
    def forgotten(self) -> Standing:
        """Those alone by which something is to be as if it had never been there."""
        return Standing(tuple(row for row in self.rows if row.decision == "forgotten"))

    def find(self, scope: str, value: str) -> Row | None:
        """The decision in force about exactly this, or None."""
        key = _key(scope, value)
        return next((row for row in self.rows if _key(row.scope, row.about) == key), None)


def document_of(row: Mapping[str, Any]) -> str:
    """What the ledger calls a row of documents.jsonl: the sha256 of its file, or of the text where it names no file."""
    found: str = row.get("file") or row["hash"]
    return found


def concerns(scope: str, value: str, owner: str, path: str, document: str) -> bool:
    """Whether a decision about an owner, a path (a glob) or a content (a hash) is about such a document."""
    if scope == "owner":
        return same_name(value) == same_name(owner)
    return matches(value, path) if scope == "path" else value == document


def _key(scope: str, value: str) -> tuple[str, str]:
    return scope, same_name(value) if scope == "owner" else value


def _sentence(row: Row) -> str:
    who, reason = (" ".join(text.split()) for text in (row.decided_by, row.reason.rstrip(".")))
    if row.decision == "forgotten":
        return f"It is forgotten, says {who}: {reason}." if reason else f"It is forgotten, says {who}."
    said = f"Its owner said {'yes' if row.decision == 'in' else 'no'}, says {who}"
    if row.decision == "out" and row.scope != "owner":
        said = f"{who} keeps it out"
    return f"{said}: {reason}." if reason else f"{said}."


def places_of(name: str, sources: Sequence[Source], rows: Sequence[Mapping[str, Any]], ledger: Ledger) -> list[str]:
    """Where the ledger has each row of documents.jsonl of a model; `sources` are those of its recipe as it is now.

    Raises RecipeError where a row's owner or path does not fit the source of its number: they changed since.
    """
    found = list[tuple[str, str]]()
    for row in rows:
        source = sources[row["source"]] if row["source"] < len(sources) else None
        if source and same_name(source.owner) == same_name(row["owner"]):
            place = f"{row.get('of', name)}/{source.named(row['path'])}"
            found.append((place, document_of(row)))
    if len(found) < len(rows) or ledger.unread(found):
        hint = f"make it again first: netsuke make {name}"
        raise RecipeError(f"the recipe of {name} has other sources than it was made from", hint=hint)
    return [place for place, _ in found]


# -- the table -------------------------------------------------------------------------------------------
_COLUMNS = tuple(field.name for field in fields(Row))
_INSERT = f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_TYPES = {
    "number": "INTEGER PRIMARY KEY",
    "source": "INTEGER NOT NULL",
    **dict.fromkeys(LATER, "TEXT NOT NULL DEFAULT ''"),
}
_TYPED = {name: f"{name} {_TYPES.get(name, 'TEXT NOT NULL')}" for name in _COLUMNS}
_TABLE = f"CREATE TABLE IF NOT EXISTS ledger ({', '.join(_TYPED.values())})"
_SCHEMA = f"""
CREATE INDEX IF NOT EXISTS place ON ledger (document, path, source);
CREATE INDEX IF NOT EXISTS at ON ledger (path, source);
CREATE INDEX IF NOT EXISTS standing ON ledger (scope) WHERE scope != '';
CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER, hash TEXT);
INSERT OR IGNORE INTO head VALUES (1, 0, '{START}');
CREATE TRIGGER IF NOT EXISTS no_change BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""
_NEWEST = "number IN (SELECT max(number) FROM ledger WHERE scope = '' GROUP BY path, source)"
_SAID = ("owner", "licence", "decision", "reason", "decided_by", "licence_how", "signals")


class Ledger:
    """The ledger in one SQLite file. Raises StoreError if the file is damaged or cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as database:
            self._prepare(database)

    @classmethod
    def of(cls, home: Path, *, must_exist: bool = False) -> Ledger:
        """The ledger of a home. Raises StoreError where it `must_exist` and does not."""
        if must_exist and not cls.is_in(home):
            raise StoreError("there is no ledger yet", where=str(home / FILE), hint="the first make writes it")
        return cls(home / FILE)

    @staticmethod
    def is_in(home: Path) -> bool:
        """Whether a home has one: opening it makes one."""
        return (home / FILE).exists()

    # -- writing -----------------------------------------------------------------------------------------
    def record(self, rows: Iterable[Entry]) -> int:
        """How many rows were added: those that say something new about their document at their place."""
        entries = list(rows)
        times = Counter((entry.path, entry.source) for entry in entries)
        with self._opened() as database, transaction(database):
            new = (entry for entry in entries if not _is_known(database, entry, times[entry.path, entry.source] == 1))
            return len(_append(database, new))

    def decide_standing(
        self, scope: Scope, value: str, decision: Word, reason: str, by: str
    ) -> Row:
        """The row about all of an owner (name), a path (glob) or a content (hash); the old one if it says the same.

        Raises ConsentError where an "in" or "out" would lift what is forgotten.
        """
        document, path, owner = (value if scope == field else "" for field in ("document", "path", "owner"))
        entry = Entry(document, path, -1, owner, "", decision, reason, decided_by=by, scope=scope)
        with self._opened() as database, transaction(database):
            last = _standing(database).find(scope, value)
            if last and all(getattr(last, name) == getattr(entry, name) for name in _SAID):
                return last
            if last and last.decision == "forgotten" and decision in ("in", "out"):
                hint = f"netsuke consent clear --{scope} lifts that: at the next make it is read again"
                raise ConsentError(f"the {scope} {value!r} is forgotten since {last.time[:10]}", hint=hint)
            return _append(database, [entry])[0]

    # -- reading -----------------------------------------------------------------------------------------
    def rows(self, *, document: str | None = None, path: str | None = None) -> list[Row]:
        """The rows, oldest first, that have these values."""
        wanted = {"document": document, "path": path}
        terms = {name: _stored(value) for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in terms) or "1"
        with self._opened() as database:
            return list(_read(database, where, tuple(terms.values())))

    def newest(self) -> list[Row]:
        """The last row of each document's place, oldest first; no standing decisions."""
        with self._opened() as database:
            return list(_read(database, _NEWEST))

    def standing(self) -> Standing:
        """The standing decisions that are in force."""
        with self._opened() as database:
            return _standing(database)

    def documents(self, prefix: str) -> list[str]:
        """The hashes of documents that begin with these hexadecimal digits, in order."""
        query = "SELECT DISTINCT document FROM ledger WHERE document >= ? AND document < ? AND scope = '' ORDER BY 1"
        with self._opened() as database:
            return [found for (found,) in database.execute(query, (prefix, f"{prefix}g"))]

    def unread(self, places: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """Those of these (path, document) that were never read."""
        with self._opened() as database:
            known = {*database.execute("SELECT DISTINCT path, document FROM ledger WHERE scope = ''")}
        return [place for place in places if tuple(map(_stored, place)) not in known]

    def head(self) -> str:
        """The hash of the last row: it stands for the whole ledger."""
        with self._opened() as database:
            return str(database.execute("SELECT hash FROM head").fetchone()[0])

    def verify(self) -> Fault | None:
        """The first row that was changed, deleted or moved; None if the ledger is whole."""
        with self._opened() as database:
            database.execute("BEGIN")  # one state for both tables
            last, head = database.execute("SELECT number, hash FROM head").fetchone() or (0, START)
            return chain.verify(_read(database, "1"), last, head)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as database:
                database.execute("PRAGMA synchronous = FULL")
                yield database
        except sqlite3.Error as error:
            raise StoreError(
                f"the ledger cannot be used: {error}",
                where=str(self.path),
                hint="check the disk and the file's permissions; if it is damaged, set it aside"
                " and restore a copy",
            ) from error

    def _prepare(self, database: sqlite3.Connection) -> None:
        log_ahead(database, 60)
        with transaction(database):
            database.execute(_TABLE)
            there = {column[1] for column in database.execute("PRAGMA table_info(ledger)")}
            for name in LATER:
                if name not in there:
                    database.execute(f"ALTER TABLE ledger ADD COLUMN {_TYPED[name]}")
            for statement in re.split(r";\n(?! )", _SCHEMA):
                database.execute(statement)


def _append(database: sqlite3.Connection, entries: Iterable[Entry]) -> list[Row]:
    """The rows that were added to the end of the chain."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    number, previous = database.execute("SELECT number, hash FROM head").fetchone()
    added = []
    for entry in entries:
        number += 1
        values = {**vars(entry), "number": number, "time": now, "previous": previous}
        row = Row(**values, hash=_digest(values))
        database.execute(_INSERT, [_stored(getattr(row, name)) for name in _COLUMNS])
        previous = row.hash
        added.append(row)
    database.execute("UPDATE head SET number = ?, hash = ?", (number, previous))
    return added


def _digest(values: Mapping[str, Any]) -> str:
    rest = {k: v for k, v in values.items() if k != "hash" and (v or k not in LATER)}
    return hashlib.sha256(canonical(rest)).hexdigest()


def _is_known(database: sqlite3.Connection, entry: Entry, alone: bool) -> bool:
    """Whether the last row of this place says the same of the same document; not `alone` there: the document's last."""
    terms, said = ["path", "source", *(() if alone else ("document",))], ("document", *_SAID)
    last = database.execute(
        f"SELECT {', '.join(said)} FROM ledger"
        f" WHERE scope = '' AND {' AND '.join(f'{name} = ?' for name in terms)} ORDER BY number DESC LIMIT 1",
        [_stored(getattr(entry, name)) for name in terms],
    ).fetchone()
    return bool(last == tuple(_stored(getattr(entry, name)) for name in said))


def _standing(database: sqlite3.Connection) -> Standing:
    last: dict[tuple[str, str], Row] = {}
    for row in _read(database, "scope != ''"):
        key = _key(row.scope, row.about)
        last.pop(key, None)
        if row.decision != "cleared":
            last[key] = row
    return Standing(tuple(last.values()))


def _read(database: sqlite3.Connection, where: str, values: tuple[Any, ...] = ()) -> Iterator[Row]:
    rows = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE {where} ORDER BY number", values)
    return map(_row, rows)


def _row(found: Iterable[Any]) -> Row:
    """A row of the table. Raises StoreError if this program did not write it."""
    try:
        return Row(**{name: _restored(name, value) for name, value in zip(_COLUMNS, found, strict=True)})
    except (ValueError, TypeError) as error:
        hint = "`netsuke consent verify` names it; restore a copy of ledger.db"
        raise StoreError("the ledger has a row that this program did not write", hint=hint) from error


def _stored(value: Any) -> Any:
    """Text as JSON writes it inside quotes: SQLite takes no surrogates, and file names may hold them."""
    return json.dumps(value)[1:-1] if isinstance(value, str) else value


def _restored(name: str, value: Any) -> Any:
    if type(value) is not (int if name in ("number", "source") else str):
        raise TypeError(f"{name}: {value!r}")
    return json.loads(f'"{value}"') if isinstance(value, str) and "\\" in value else value
