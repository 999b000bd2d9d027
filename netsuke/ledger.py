"""Who owns what and what is allowed: consent decisions, in an append-only ledger, chained by hash.

    hash of a row = sha256 of the canonical JSON of all its other fields, and of the hash of the row before

So a row that is changed, deleted or moved breaks the chain where it happened. Who may write the whole file
can write a whole new chain: keep `head()` elsewhere (in a signed pack, say) and that shows too.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from .errors import StoreError
from .nouns import Source
from .store import canonical

# Open Definition 2.1 and permissive (Blue Oak) licences, the rule of the Common Pile (arXiv 2506.05209).
# No NC, no ND; no GPL, whose terms for a model are not settled: its owner can say yes.
ALLOWED_LICENCES = frozenset(
    """
0BSD AFL-3.0 Apache-1.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSL-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0
CC-BY-SA-2.0 CC-BY-SA-2.5 CC-BY-SA-3.0 CC-BY-SA-4.0 CC-PDDC CC0-1.0 CDLA-Permissive-1.0
CDLA-Permissive-2.0 DL-DE-BY-2.0 DL-DE-ZERO-2.0 ECL-2.0 etalab-2.0 FSFAP HPND ISC LAL-1.3 MirOS MIT MIT-0
MPL-2.0 MS-PL MulanPSL-2.0 NCSA ODbL-1.0 ODC-By-1.0 OFL-1.1 OGL-UK-2.0 OGL-UK-3.0 PDDL-1.0 PostgreSQL
PSF-2.0 Python-2.0 Unicode-3.0 Unicode-DFS-2016 Unlicense UPL-1.0 W3C WTFPL X11 Zlib ZPL-2.1
""".split()
)

_ALLOWED = {name.casefold() for name in ALLOWED_LICENCES}
_UNKNOWN = {"", "unknown", "noassertion", "none"}
_TOKEN = re.compile(r"\s*(\(|\)|[\w.+:-]+)")


# -- decisions -------------------------------------------------------------------------------------------
def decide(source: Source) -> tuple[bool, str]:
    """(may it be used, why, in one sentence). Any "out" wins; what nobody allowed is out."""
    if source.consent == "out":
        return False, "Its owner said no."
    if source.consent not in ("in", "unknown"):
        return False, f"The consent {source.consent!r} is neither in nor out."
    if source.owner == "me":
        return True, "It is your own work."
    if source.consent == "in":
        return True, "Its owner said yes."
    licence = " ".join(source.licence.split())
    if licence.casefold() in _UNKNOWN:
        return False, "Its licence is not known, and its owner has not said yes."
    if licence_allows(licence):
        return True, f"Its licence, {licence}, is open."
    return False, f"Its licence, {licence}, is not on the list of open ones, and its owner has not said yes."


def licence_allows(expression: str) -> bool:
    """Whether an SPDX expression allows use: OR needs one side, AND needs both; nonsense does not."""
    found = _TOKEN.findall(expression)
    if "".join(found) != "".join(expression.split()):
        return False
    tokens = [*found, ""]
    try:
        allowed = _either(tokens)
    except (ValueError, RecursionError):
        return False
    return allowed and tokens == [""]


def _either(tokens: list[str]) -> bool:
    allowed = _both(tokens)
    while tokens[0].upper() == "OR":
        tokens.pop(0)
        allowed = _both(tokens) or allowed
    return allowed


def _both(tokens: list[str]) -> bool:
    allowed = _one(tokens)
    while tokens[0].upper() == "AND":
        tokens.pop(0)
        allowed = _one(tokens) and allowed
    return allowed


def _one(tokens: list[str]) -> bool:
    """A licence, "or later" (+) and an exception (WITH) aside: both only ever allow more; or a group."""
    token = tokens.pop(0)
    if token == "(":
        allowed = _either(tokens)
        if tokens.pop(0) != ")":
            raise ValueError("an open parenthesis")
        return allowed
    _require_name(token)
    if tokens[0].upper() == "WITH":
        tokens.pop(0)
        _require_name(tokens.pop(0))
    return token.removesuffix("+").casefold() in _ALLOWED


def _require_name(token: str) -> None:
    if token in ("", "(", ")") or token.upper() in ("AND", "OR", "WITH"):
        raise ValueError(f"not a licence: {token!r}")


# -- the ledger ------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Entry:
    """What was decided about one document, and by whom."""

    document: str  # its hash; "" if it was not read
    path: str
    source: int  # its number in the recipe
    owner: str
    licence: str
    decision: Literal["in", "out"]
    reason: str
    decided_by: str = "rules"  # or a person

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Entry:
        """The entry of a row of documents.jsonl."""
        return cls(
            document=row["hash"] or row["original_hash"],
            **{name: row[name] for name in ("path", "source", "owner", "licence", "decision", "reason")},
        )


@dataclass(frozen=True)
class Row(Entry):
    """An entry as it is kept: numbered from 1, dated, chained."""

    number: int = 0
    time: str = ""  # UTC, ISO 8601
    previous: str = ""  # hash of the row before
    hash: str = ""

    def digest(self) -> str:
        """What `hash` must be."""
        rest = {name: value for name, value in asdict(self).items() if name != "hash"}
        return hashlib.sha256(canonical(rest)).hexdigest()


_COLUMNS = tuple(field.name for field in fields(Row))
_START = "0" * 64  # the hash before the first row
_INSERT = f"INSERT INTO ledger ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_TYPES = {"number": "INTEGER PRIMARY KEY", "source": "INTEGER NOT NULL"}
_TYPED = [f"{name} {_TYPES.get(name, 'TEXT NOT NULL')}" for name in _COLUMNS]
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS ledger ({", ".join(_TYPED)});
CREATE INDEX IF NOT EXISTS place ON ledger (document, path, source);
CREATE TABLE IF NOT EXISTS head (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER, hash TEXT);
INSERT OR IGNORE INTO head VALUES (1, 0, '{_START}');
CREATE TRIGGER IF NOT EXISTS no_change BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER IF NOT EXISTS no_delete BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""


class Ledger:
    """The ledger in one SQLite file. Raises StoreError if the file is damaged or cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as database:
            self._prepare(database)

    def record(self, rows: Iterable[Entry]) -> int:
        """How many rows were added: those that say something new about their document at their place."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        added = 0
        with self._opened() as database, _transaction(database):
            number, previous = database.execute("SELECT number, hash FROM head").fetchone()
            for entry in rows:
                if _is_known(database, entry):
                    continue
                row = Row(**asdict(entry), number=number + 1, time=now, previous=previous)
                row = Row(**{**asdict(row), "hash": row.digest()})
                database.execute(_INSERT, [_stored(getattr(row, name)) for name in _COLUMNS])
                number, previous, added = row.number, row.hash, added + 1
            database.execute("UPDATE head SET number = ?, hash = ?", (number, previous))
        return added

    def rows(
        self,
        *,
        document: str | None = None,
        path: str | None = None,
        source: int | None = None,
        decision: str | None = None,
    ) -> list[Row]:
        """The rows, oldest first, that have these values."""
        wanted = {"document": document, "path": path, "source": source, "decision": decision}
        terms = {name: _stored(value) for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in terms) or "1"
        with self._opened() as database:
            return list(_read(database, where, tuple(terms.values())))

    def head(self) -> str:
        """The hash of the last row: it stands for the whole ledger."""
        with self._opened() as database:
            return str(database.execute("SELECT hash FROM head").fetchone()[0])

    def verify(self) -> int | None:
        """The number of the first row that was changed, deleted or moved; None if the ledger is whole."""
        with self._opened() as database:
            database.execute("BEGIN")  # one state for both tables
            last, head = database.execute("SELECT number, hash FROM head").fetchone() or (0, _START)
            expected, previous = 1, _START
            try:
                for row in _read(database, "1", ()):
                    if row.number != expected or row.hash != row.digest():
                        return expected
                    if row.previous != previous:  # whole in itself: the one before was written anew
                        return max(1, expected - 1)
                    expected, previous = expected + 1, row.hash
            except (ValueError, TypeError):  # a value that this program did not write
                return expected
        if expected != last + 1:  # the end is missing, or was written by another program
            return min(expected, last + 1)
        return None if previous == head else max(1, last)

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
        deadline = time.monotonic() + 60
        while True:
            try:
                database.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError as error:  # this one lock SQLite does not wait for
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        with _transaction(database):
            for statement in re.split(r";\n(?! )", _SCHEMA):
                database.execute(statement)


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, one writer at a time."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        database.execute("ROLLBACK")
        raise


def _is_known(database: sqlite3.Connection, entry: Entry) -> bool:
    """Whether the last row of this document at this place says the same."""
    place = [_stored(value) for value in (entry.document, entry.path, entry.source)]
    last = database.execute(
        "SELECT owner, licence, decision, reason FROM ledger"
        " WHERE document = ? AND path = ? AND source = ? ORDER BY number DESC LIMIT 1",
        place,
    ).fetchone()
    return bool(last == tuple(_stored(v) for v in (entry.owner, entry.licence, entry.decision, entry.reason)))


def _read(database: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> Iterator[Row]:
    query = f"SELECT {', '.join(_COLUMNS)} FROM ledger WHERE {where} ORDER BY number"
    for found in database.execute(query, values):
        yield Row(**{name: _restored(value) for name, value in zip(_COLUMNS, found, strict=True)})


def _stored(value: Any) -> Any:
    """Text as JSON writes it inside quotes: SQLite takes no surrogates, and file names may hold them."""
    return json.dumps(value)[1:-1] if isinstance(value, str) else value


def _restored(value: Any) -> Any:
    return json.loads(f'"{value}"') if isinstance(value, str) else value
