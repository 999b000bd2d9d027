"""Consent decisions, and a ledger in which nothing can be changed unseen."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netsuke.errors import StoreError
from netsuke.ledger import ALLOWED_LICENCES, Entry, Ledger, decide, licence_allows
from netsuke.nouns import Source


@pytest.mark.parametrize(
    ("owner", "licence", "consent", "allowed"),
    [
        ("me", "unknown", "unknown", True),
        ("me", "unknown", "in", True),
        ("me", "MIT", "out", False),
        ("me", "MIT", "no", False),
        ("Ann", "unknown", "unknown", False),
        ("Ann", "unknown", "in", True),
        ("Ann", "CC-BY-NC-4.0", "in", True),
        ("Ann", "MIT", "unknown", True),
        ("Ann", "MIT", "out", False),
        ("Ann", "CC-BY-NC-4.0", "unknown", False),
        ("Ann", "CC-BY-ND-4.0", "unknown", False),
        ("Ann", "NOASSERTION", "unknown", False),
        ("Ann", "", "unknown", False),
        ("", "", "unknown", False),
    ],
)
def test_decisions(owner: str, licence: str, consent: str, allowed: bool) -> None:
    decided, reason = decide(Source(".", owner, licence, consent))  # type: ignore[arg-type]
    assert decided is allowed
    assert reason.endswith(".") and "\n" not in reason


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT AND ISC", True),
        ("GPL-3.0-only OR MIT AND ISC", True),
        ("(GPL-3.0-only OR MIT) AND GPL-3.0-only", False),
        ("GPL-2.0-only or (mit and apache-2.0+)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH MIT", False),
        ("MIT ISC", False),
        ("MIT OR", False),
        ("(MIT", False),
        ("MIT)", False),
        ("MIT/ISC", False),
        ("OR", False),
        ("(" * 5000, False),
        ("LicenseRef-Ours", False),
    ],
)
def test_licence_expressions(expression: str, allowed: bool) -> None:
    assert licence_allows(expression) is allowed


def test_the_list_has_no_licence_that_forbids_use_or_change() -> None:
    assert not [name for name in ALLOWED_LICENCES if "-NC" in name or "-ND" in name]
    assert {"MIT", "CC-BY-4.0", "CC0-1.0", "PSF-2.0", "Zlib"} <= ALLOWED_LICENCES


@given(st.text(alphabet="MIT ORAND()WITH+-.", max_size=40))
def test_no_expression_makes_it_raise(expression: str) -> None:
    assert licence_allows(expression) in (True, False)


def entry(number: int = 0, **changes: object) -> Entry:
    made = Entry(f"{number:064x}", f"notes/{number}.txt", 0, "me", "unknown", "in", "It is your own work.")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_only_what_is_new_is_added(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    assert ledger.record([entry(1), entry(2)]) == 2
    assert Ledger(tmp_path / "ledger.db").record([entry(1), entry(2)]) == 0
    assert ledger.record([entry(1, decision="out", reason="Its owner said no."), entry(2)]) == 1
    assert ledger.record([entry(1)]) == 1  # back again: the last row counts, not any row
    assert ledger.record([entry(1, source=1, owner="Ann")]) == 1 and ledger.record([entry(1)]) == 0
    assert [row.number for row in ledger.rows()] == [1, 2, 3, 4, 5]
    assert [row.number for row in ledger.rows(decision="out")] == [3]
    assert [row.owner for row in ledger.rows(path="notes/1.txt", source=1)] == ["Ann"]
    assert ledger.verify() is None


def test_a_row_can_be_checked_by_hand(tmp_path: Path) -> None:
    import hashlib

    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record([entry(1), entry(2)])
    first, second = (dict(vars(row)) for row in ledger.rows())
    stated = second.pop("hash")
    text = json.dumps(second, sort_keys=True, separators=(",", ":"))
    assert stated == hashlib.sha256(text.encode()).hexdigest() == ledger.head()
    assert second["previous"] == first["hash"] and second["time"].endswith("+00:00")


@given(path=st.text(st.characters(codec=None), max_size=30), owner=st.text(max_size=10))
def test_any_file_name_survives(tmp_path_factory: pytest.TempPathFactory, path: str, owner: str) -> None:
    ledger = Ledger(tmp_path_factory.mktemp("ledger") / "ledger.db")
    odd = entry(1, path=path + "\udcff", owner=owner)
    assert ledger.record([odd]) == 1 and ledger.record([odd]) == 0
    assert ledger.rows(path=path + "\udcff")[0].path == path + "\udcff"
    assert ledger.rows()[0].owner == owner and ledger.verify() is None


TAMPERINGS: dict[str, tuple[str, int]] = {
    "a changed decision": ("UPDATE ledger SET decision = 'out' WHERE number = 3", 3),
    "a changed time": ("UPDATE ledger SET time = '2000-01-01T00:00:00+00:00' WHERE number = 2", 2),
    "a changed source": ("UPDATE ledger SET source = 7 WHERE number = 4", 4),
    "bytes for text": ("UPDATE ledger SET owner = x'00ff' WHERE number = 2", 2),
    "a broken escape": ("UPDATE ledger SET owner = '\\u12' WHERE number = 2", 2),
    "a hash of its own": (f"UPDATE ledger SET hash = '{'0' * 64}' WHERE number = 1", 1),
    "the first deleted": ("DELETE FROM ledger WHERE number = 1", 1),
    "one deleted": ("DELETE FROM ledger WHERE number = 3", 3),
    "the last deleted": ("DELETE FROM ledger WHERE number = 5", 5),
    "all deleted": ("DELETE FROM ledger", 1),
    "one deleted, numbers closed up": (
        "DELETE FROM ledger WHERE number = 2; UPDATE ledger SET number = number - 1 WHERE number > 2", 2),
    "two exchanged": (
        "UPDATE ledger SET number = 9 WHERE number = 2; UPDATE ledger SET number = 2 WHERE number = 4;"
        "UPDATE ledger SET number = 4 WHERE number = 9", 2),
    "the head forgotten": ("DELETE FROM head", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_named_by_its_row(tmp_path: Path, name: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(entry(number) for number in range(5))
    script, row = TAMPERINGS[name]
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript("DROP TRIGGER no_change; DROP TRIGGER no_delete;" + script)
    assert ledger.verify() == row


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_row_written_anew_with_a_right_hash_is_named(tmp_path: Path, number: int) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(entry(number) for number in range(5))
    forged = replace(ledger.rows()[number - 1], decision="out")
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as database:
        database.execute("DROP TRIGGER no_change")
        values = (forged.decision, forged.digest(), number)
        database.execute("UPDATE ledger SET decision = ?, hash = ? WHERE number = ?", values)
    assert ledger.verify() == number


@pytest.mark.parametrize("statement", ["UPDATE ledger SET owner = 'x'", "DELETE FROM ledger"])
def test_the_file_itself_refuses_changes(tmp_path: Path, statement: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record([entry()])
    with (
        closing(sqlite3.connect(ledger.path)) as database,
        pytest.raises(sqlite3.IntegrityError, match="only grows"),
    ):
        database.execute(statement)


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record([entry(1)])

    def breaks() -> object:
        yield entry(2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ledger.record(breaks())  # type: ignore[arg-type]
    assert len(ledger.rows()) == 1 and ledger.verify() is None
    assert ledger.record([entry(2)]) == 1


WRITER = """
import sys
from pathlib import Path
from netsuke.ledger import Entry, Ledger
for number in range(40):
    who = sys.argv[2]
    Ledger(Path(sys.argv[1])).record([Entry(f"{number:064x}", f"{who}/{number}", 0, who, "MIT", "in", "It is open.")])
"""


def test_two_processes_append_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), who]) for who in ("a", "b")]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    rows = Ledger(path).rows()
    assert [row.number for row in rows] == list(range(1, 81))
    assert {row.path for row in rows} == {f"{who}/{n}" for who in "ab" for n in range(40)}
    assert Ledger(path).verify() is None


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is not a database, though it is long enough to look like one" * 20)
    with pytest.raises(StoreError, match="ledger") as caught:
        Ledger(path)
    assert caught.value.where == str(path) and caught.value.hint


def test_an_entry_comes_from_a_row_of_documents(tmp_path: Path) -> None:
    row = {"path": "a.txt", "source": 2, "owner": "me", "licence": "unknown", "decision": "in", "reason": "Own.",
           "hash": "", "original_hash": "ab", "split": "dropped", "bytes_in": 3}  # fmt: skip
    assert Entry.of(row) == Entry("ab", "a.txt", 2, "me", "unknown", "in", "Own.")
    assert Entry.of({**row, "hash": "cd"}).document == "cd"
