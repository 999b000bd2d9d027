"""The audit log: what it holds, what it does not, and that no row can be touched unseen."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from served import BODY, CHAT, Running, keyed, running, until

from netsuke.chain import Fault
from netsuke.serve import audit, book, usage
from netsuke.serve.record import Record
from netsuke.serve.writer import TOLD_A_MINUTE, Writer, write


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A log of five rows."""
    records = [Record("POST", f"/v1/{n}", 1000.0 + n, "shop", "tiny", 200, n, n, reached=True) for n in range(1, 6)]
    write(tmp_path, records)
    assert audit.verify(tmp_path) is None
    return tmp_path


@contextlib.contextmanager
def _tampering(home: Path):
    with contextlib.closing(sqlite3.connect(book.place(home), isolation_level=None)) as database:
        database.execute("DROP TRIGGER audit_no_change")
        database.execute("DROP TRIGGER audit_no_delete")
        yield database


@pytest.mark.parametrize("number", range(1, 6))
@pytest.mark.parametrize("field", ["time", "who", "method", "route", "model", "status", "completion_tokens", "times"])
def test_fault_17_an_edited_row_is_named(home: Path, number: int, field: str) -> None:
    value = 7777 if field in ("status", "completion_tokens", "times") else "other"
    with _tampering(home) as database:
        database.execute(f"UPDATE audit SET {field} = ? WHERE number = ?", (value, number))
    fault = audit.verify(home)
    assert fault and (fault.number, fault.what) == (number, "changed")


@pytest.mark.parametrize("number", range(1, 6))
def test_fault_17_a_deleted_row_is_named(home: Path, number: int) -> None:
    with _tampering(home) as database:
        database.execute("DELETE FROM audit WHERE number = ?", (number,))
    what = "the end is missing" if number == 5 else "missing"
    assert audit.verify(home) == Fault(number, what, "/v1/4" if number == 5 else f"/v1/{number + 1}")


@pytest.mark.parametrize("number", range(1, 5))
def test_fault_17_rows_in_another_order_are_named(home: Path, number: int) -> None:
    with _tampering(home) as database:
        for before, after in ((number, 99), (number + 1, number), (99, number + 1)):
            database.execute("UPDATE audit SET number = ? WHERE number = ?", (after, before))
    fault = audit.verify(home)
    assert fault and fault.number == number


@pytest.mark.parametrize("left", range(5))
def test_fault_17_a_cut_end_is_named(home: Path, left: int) -> None:
    with _tampering(home) as database:
        database.execute("DELETE FROM audit WHERE number > ?", (left,))
    fault = audit.verify(home)
    assert fault and (fault.number, fault.what) == (left + 1, "the end is missing")


def test_fault_17_an_added_or_rewritten_row_is_named(home: Path) -> None:
    last = audit.rows(home, 1)[0]
    with _tampering(home) as database:
        row = audit.Row(**{**vars(last), "number": 6, "previous": last.hash})
        database.execute(audit._INSERT, (*list(vars(row).values())[:-1], row.digest()))
    assert audit.verify(home) == Fault(6, "added", "/v1/5")


def test_a_row_written_anew_with_its_own_hash_breaks_the_next(home: Path) -> None:
    second = audit.rows(home, 4)[0]
    changed = audit.Row(**{**vars(second), "who": "other"})
    with _tampering(home) as database:
        database.execute("UPDATE audit SET who = 'other', hash = ? WHERE number = 2", (changed.digest(),))
    assert audit.verify(home) == Fault(2, "changed", "/v1/2")


def test_the_database_itself_refuses_to_change_a_row(home: Path) -> None:
    with book.opened(home) as database:
        for act in ("UPDATE audit SET who = 'x'", "DELETE FROM audit"):
            with pytest.raises(sqlite3.IntegrityError, match="only grows"):
                database.execute(act)


def test_who_asked_which_route_is_kept_and_what_was_asked_is_not(model: Path) -> None:
    secret = "the-prompt-nobody-may-keep"
    with running(model) as server, keyed(server, "shop") as client:
        client.post(CHAT, json={**BODY, "messages": [{"role": "user", "content": secret}]})
        client.post(CHAT, json={**BODY, "model": secret})
        client.get("/v1/models")
        with server.client("nsk-wrong") as stranger:
            stranger.post(f"/{'x' * 1000}", content=secret)
        home = server.home
        until(lambda: len(audit.rows(home, 9)) == 3)
        rows = sorted(audit.rows(home, 9), key=lambda row: row.status)  # they are in the order of their ends
        assert [(row.who, row.method, row.route[:20], row.model, row.status) for row in rows] == [
            ("shop", "POST", CHAT[:20], "tiny", 200), ("", "POST", "/" + "x" * 19, "", 401),
            ("shop", "POST", CHAT[:20], "", 404),
        ]  # fmt: skip
        assert rows[0].completion_tokens > 0
        assert audit.verify(home) is None
        assert all(secret.encode() not in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_refused_strangers_cannot_fill_the_disk(tmp_path: Path) -> None:
    writer = Writer(tmp_path)
    writer.start()
    now = time.time()
    for _ in range(TOLD_A_MINUTE + 500):
        writer.put(Record("GET", "/", now, status=401))
    writer.put(Record("GET", "/", now + 100, status=401))
    writer.close()
    rows = audit.rows(tmp_path, 10_000)
    assert len(rows) == TOLD_A_MINUTE + 2 and sum(row.times for row in rows) == TOLD_A_MINUTE + 501
    assert audit.verify(tmp_path) is None


def test_strangers_that_were_only_counted_get_their_row_though_nobody_comes_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netsuke.serve.writer.MINUTE", 0.3)
    writer = Writer(tmp_path)
    writer.start()
    for _ in range(TOLD_A_MINUTE + 5):
        writer.put(Record("GET", "/", status=401))
    until(lambda: sum(row.times for row in audit.rows(tmp_path, 100)) == TOLD_A_MINUTE + 5)
    writer.close()
    assert len(audit.rows(tmp_path, 100)) == TOLD_A_MINUTE + 1


def test_a_disk_that_takes_nothing_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsuke.serve.writer.RETRY_SECONDS", 0.05)
    full = [True]
    real = book.connected

    def connected(*given):
        if full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        return real(*given)

    monkeypatch.setattr(book, "connected", connected)
    writer = Writer(tmp_path)
    writer.start()
    writer.put(Record("POST", "/v1/x", who="shop", model="tiny", status=200, reached=True, completion_tokens=5))
    time.sleep(0.3)
    full[0] = False
    writer.close()
    assert [row["completion_tokens"] for row in usage.rows(tmp_path)] == [5]
    assert len(audit.rows(tmp_path, 9)) == 1 and writer.lost == 0


def test_the_command_names_the_first_bad_row(home: Path) -> None:
    with _tampering(home) as database:
        database.execute("UPDATE audit SET who = 'x' WHERE number = 3")
    done = subprocess.run([sys.executable, "-m", "netsuke", "audit", "verify"], capture_output=True, text=True,
                          env={**os.environ, "NETSUKE_HOME": str(home)})  # fmt: skip
    assert done.returncode == 6 and "row 3 (/v1/3)" in done.stderr and "changed" in done.stderr


def test_both_tables_are_written_or_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    before = usage.rows(home)
    monkeypatch.setattr(audit, "append", broken)
    with pytest.raises(sqlite3.OperationalError):
        write(home, [Record("POST", "/v1/x", who="shop", model="tiny", status=200, reached=True)])
    monkeypatch.undo()
    assert usage.rows(home) == before and audit.verify(home) is None


def test_fault_16_two_servers_on_one_home_write_one_chain(tmp_path: Path) -> None:
    def one(name: str) -> None:
        for n in range(20):
            one = Record("POST", f"/{n}", who=name, model="tiny", status=200, reached=True, prompt_tokens=1)
            write(tmp_path, [one])

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(one, ["a", "b", "a", "b"]))
    assert audit.verify(tmp_path) is None and len(audit.rows(tmp_path, 1000)) == 80
    assert {row["key"]: row["requests"] for row in usage.rows(tmp_path)} == {"a": 40, "b": 40}


@pytest.mark.slow
def test_fault_16_no_locale(home: Path) -> None:
    write(home, [Record("POST", "/v1/\u00fc\u202e", who="shop", model="\u00fcn\u00efcode", status=200, reached=True)])
    plain = {**os.environ, "NETSUKE_HOME": str(home), "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for verb in (["usage"], ["usage", "--csv"], ["audit"], ["audit", "verify"], ["keys", "list"]):
        done = subprocess.run([sys.executable, "-m", "netsuke", *verb], capture_output=True, env=plain)
        assert done.returncode == 0, done.stderr
        assert "\u202e".encode() not in done.stdout  # nothing that a terminal obeys


def test_what_a_running_server_keeps_is_whole_when_it_stops(server: Running) -> None:
    with server.client() as client:
        for _ in range(5):
            client.post(CHAT, json=BODY)
    until(lambda: sum(row["requests"] for row in usage.rows(server.home, "owner")) >= 5)
    assert audit.verify(server.home) is None
