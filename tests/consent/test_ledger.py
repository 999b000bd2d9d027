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

from netsuke.chain import Fault
from netsuke.consent.decide import ALLOWED_LICENCES, NOBODY, Stand, decide, licence_allows, which_licence
from netsuke.consent.ledger import Entry, Ledger
from netsuke.errors import StoreError
from netsuke.nouns import Source
from netsuke.store import canonical


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
    decision = decide(Source(".", owner, licence, consent))  # type: ignore[arg-type]
    assert decision.allowed is allowed
    assert decision.reason.endswith(".") and "\n" not in decision.reason
    assert decision.by in ("rules", "recipe")


NO = {"kind": "robots.txt", "value": "no", "raw": "Content-Usage: train-ai=n", "where": "site/robots.txt"}
YES = {"kind": "tdmrep", "value": "yes", "raw": "tdm-reservation: 0", "where": ""}
UNSAID = {"kind": "robots.txt", "value": "unknown", "raw": "", "where": "robots.txt"}
OUT, IN = Stand("out", "Its owner said no, says Bo.", "Bo"), Stand("in", "Its owner said yes, says Bo.", "Bo")
SIGNED = "Ann (ED25519 SHA256:abc, 2026-11-02)"
ME, ANN, ANN_OUT, ANN_IN = (
    Source("."), Source(".", "Ann"), Source(".", "Ann", consent="out"), Source(".", "Ann", consent="in"))  # fmt: skip


@pytest.mark.parametrize(
    ("source", "told", "allowed", "reason", "by"),
    [
        # 1: any out wins, whatever else says yes; an agreement does not override the person's own or the recipe's
        (ME, {"standing": OUT}, False, "Its owner said no, says Bo.", "Bo"),
        (ANN_IN, {"standing": OUT, "agreement": SIGNED, "signals": [YES]}, False, "says Bo", "Bo"),
        (ANN_OUT, {"standing": IN, "agreement": SIGNED, "signals": [YES]}, False, "Its owner said no.", "recipe"),
        (ANN_IN, {"standing": IN, "signals": [YES, NO]}, False, "says no: robots.txt in site/robots.txt.", "rules"),
        (ME, {"signals": [NO]}, False, "A signal says no", "rules"),
        (Source(".", "Ann", "MIT"), {"signals": [NO]}, False, "A signal says no", "rules"),
        # 2: a signed agreement overrides a signal's no, and an unknown
        (ANN, {"agreement": SIGNED, "signals": [NO]}, True, f"{SIGNED}, though a signal says no: robots.txt", SIGNED),
        (ANN, {"agreement": SIGNED}, True, f"Its owner signed an agreement, {SIGNED}.", SIGNED),
        # 3 and 4: one's own work; a yes
        (ME, {"standing": IN, "signals": [UNSAID]}, True, "It is your own work.", "rules"),
        (ANN, {"standing": IN}, True, "Its owner said yes, says Bo.", "Bo"),
        (ANN_IN, {"signals": [UNSAID], "licence": "CC-BY-NC-4.0"}, True, "Its owner said yes.", "recipe"),
        (ANN, {"signals": [UNSAID, YES]}, True, "A signal says yes: tdmrep.", "rules"),
        # 5 and 6: its licence; nobody allowed it
        (ANN, {"licence": "MIT"}, True, "Its licence, MIT, is open.", "rules"),
        (ANN, {"licence": "CC-BY-NC-4.0", "widened": ["cc-by-nc-4.0"]}, True, "but the recipe allows it", "recipe"),
        (ANN, {"licence": "CC-BY-NC-4.0", "widened": ["CC-BY-NC"]}, False, "is not on the list", "rules"),
        (ANN, {"licence": "CC-BY-NC-4.0"}, False, "Its licence, CC-BY-NC-4.0, is not on the list", "rules"),
        (Source(".", "Ann", "MIT"), {"licence": "CC-BY-NC-4.0"}, False,
         "Its own licence, CC-BY-NC-4.0, stricter than the recipe's, MIT, is not", "rules"),
        (ANN, {"signals": [UNSAID], "standing": NOBODY}, False, "Its licence is not known", "rules"),
    ],
)  # fmt: skip
def test_who_is_heard_first(source: Source, told: dict, allowed: bool, reason: str, by: str) -> None:
    decision = decide(source, **told)
    assert (decision.allowed, decision.by) == (allowed, by)
    assert reason in decision.reason and decision.reason.endswith(".")


def test_nothing_but_an_agreement_turns_a_no_into_a_yes() -> None:
    for source in (ME, ANN_IN, Source(".", "Ann", "MIT"), ANN_OUT):
        for standing in (NOBODY, IN, OUT):
            decision = decide(source, signals=[NO, YES], standing=standing, licence="MIT", widened=["MIT"])
            assert not decision.allowed


def test_a_long_signal_does_not_make_a_long_reason() -> None:
    told = decide(ANN, signals=[{**NO, "where": "a/" * 500 + "\nb"}]).reason
    assert len(told) < 250 and "\n" not in told


@pytest.mark.parametrize(
    ("stated", "found", "widened", "counts"),
    [
        ("MIT", None, (), "MIT"),
        ("unknown", "ISC", (), "ISC"),
        ("MIT", "ISC", (), "MIT"),
        ("MIT", "CC-BY-NC-4.0", (), "CC-BY-NC-4.0"),
        ("MIT", "CC-BY-NC-4.0", ("CC-BY-NC-4.0",), "CC-BY-NC-4.0"),
        ("MIT", "LicenseRef-Ours", (), "LicenseRef-Ours"),
        ("CC-BY-NC-4.0", "MIT", (), "CC-BY-NC-4.0"),
        ("MIT", "NOASSERTION", (), "MIT"),
        ("unknown", "", (), "unknown"),
    ],
)
def test_the_stricter_of_two_licences_counts(
    stated: str, found: str | None, widened: tuple, counts: str
) -> None:
    assert which_licence(stated, found, widened) == counts
    assert decide(Source(".", "Ann", stated), licence=found, widened=widened).licence == counts


def test_the_better_right_has_the_lower_rank() -> None:
    ways = [
        decide(ME), decide(ANN, agreement=SIGNED), decide(Source(".", "Ann", "MIT")), decide(ANN_IN),
        decide(ANN, signals=[YES]), decide(ANN, licence="CC-BY-NC-4.0", widened=["CC-BY-NC-4.0"]), decide(ANN),
    ]  # fmt: skip
    assert [way.rank for way in ways] == sorted({way.rank for way in ways})


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


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("CC-BY-NC-4.0", True),
        ("cc-by-nc-4.0+", True),
        ("MIT AND CC-BY-NC-4.0", True),
        ("CC-BY-NC-4.0 AND CC-BY-ND-4.0", False),
        ("CC-BY-NC-SA-4.0", False),
        ("CC-BY-NC-3.0", False),
        ("LicenseRef-Ours", True),
    ],
)
def test_a_recipe_widens_the_list_by_whole_names(expression: str, allowed: bool) -> None:
    assert licence_allows(expression, ["CC-BY-NC-4.0", "LicenseRef-Ours"]) is allowed
    assert licence_allows(expression) is False


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
    assert [row.number for row in ledger.rows() if row.decision == "out"] == [3]
    assert [row.owner for row in ledger.rows(path="notes/1.txt") if row.source == 1] == ["Ann"]
    assert ledger.verify() is None


def test_a_place_that_is_as_it_was_before_the_last_is_new(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    other = entry(1, document="f" * 64, decision="out", reason="No.")
    assert [ledger.record([row]) for row in (entry(1), other, entry(1), entry(1))] == [1, 1, 1, 0]
    assert [row.decision for row in ledger.newest()] == ["in"]


def test_two_documents_at_one_place_add_no_rows_for_ever(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    both = [entry(1), entry(1, document="f" * 64)]
    assert [ledger.record(both), ledger.record(both), ledger.record(both[::-1])] == [2, 0, 0]


def test_a_row_can_be_checked_by_hand(tmp_path: Path) -> None:
    import hashlib

    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record([entry(1), entry(2)])
    first, second = (dict(vars(row)) for row in ledger.rows())
    stated = second.pop("hash")
    for later in ("licence_how", "signals", "scope"):
        assert second.pop(later) == ""  # fields that came later stand in it only where they say something
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


TAMPERINGS: dict[str, tuple[str, int, str]] = {
    "a changed decision": ("UPDATE ledger SET decision = 'out' WHERE number = 3", 3, "changed"),
    "a changed time": ("UPDATE ledger SET time = '2000-01-01T00:00:00+00:00' WHERE number = 2", 2, "changed"),
    "a changed source": ("UPDATE ledger SET source = 7 WHERE number = 4", 4, "changed"),
    "a signal taken away": ("UPDATE ledger SET signals = '' WHERE number = 5", 5, "changed"),
    "a scope added": ("UPDATE ledger SET scope = 'owner' WHERE number = 2", 2, "changed"),
    "bytes for text": ("UPDATE ledger SET owner = x'00ff' WHERE number = 2", 2, "changed"),
    "a broken escape": ("UPDATE ledger SET owner = '\\u12' WHERE number = 2", 2, "changed"),
    "a hash of its own": (f"UPDATE ledger SET hash = '{'0' * 64}' WHERE number = 1", 1, "changed"),
    "the first deleted": ("DELETE FROM ledger WHERE number = 1", 1, "missing"),
    "one deleted": ("DELETE FROM ledger WHERE number = 3", 3, "missing"),
    "the last deleted": ("DELETE FROM ledger WHERE number = 5", 5, "the end is missing"),
    "the last two deleted": ("DELETE FROM ledger WHERE number > 3", 4, "the end is missing"),
    "all deleted": ("DELETE FROM ledger", 1, "the end is missing"),
    "one deleted, numbers closed up": (
        "DELETE FROM ledger WHERE number = 2; UPDATE ledger SET number = number - 1 WHERE number > 2",
        2, "out of order"),
    "two exchanged": (
        "UPDATE ledger SET number = 9 WHERE number = 2; UPDATE ledger SET number = 2 WHERE number = 4;"
        "UPDATE ledger SET number = 4 WHERE number = 9", 2, "out of order"),
    "one numbered before the first": ("UPDATE ledger SET number = 0 WHERE number = 1", 1, "added"),
    "the head set back": ("UPDATE head SET number = 3", 4, "added"),
    "the head forgotten": ("DELETE FROM head", 1, "added"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_named_by_its_row(tmp_path: Path, name: str) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(entry(number, signals=canonical([NO] * number).decode()) for number in range(5))
    assert ledger.verify() is None
    script, row, what = TAMPERINGS[name]
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript("DROP TRIGGER no_change; DROP TRIGGER no_delete;" + script)
    fault = ledger.verify()
    assert fault and (fault.number, fault.what) == (row, what)


def test_a_fault_has_the_path_of_its_row_or_of_the_nearest(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(entry(number) for number in range(5))
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript("DROP TRIGGER no_change; DROP TRIGGER no_delete")
        database.executescript("DELETE FROM ledger WHERE number = 5")
        assert ledger.verify() == Fault(5, "the end is missing", "notes/3.txt")
        database.executescript("DELETE FROM ledger WHERE number = 3")
        assert ledger.verify() == Fault(3, "missing", "notes/3.txt")
        database.executescript("UPDATE ledger SET reason = 'x' WHERE number = 2")
        assert ledger.verify() == Fault(2, "changed", "notes/1.txt")


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_row_written_anew_with_a_right_hash_is_named(tmp_path: Path, number: int) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record(entry(number) for number in range(5))
    forged = replace(ledger.rows()[number - 1], decision="out")
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as database:
        database.execute("DROP TRIGGER no_change")
        values = (forged.decision, forged.digest(), number)
        database.execute("UPDATE ledger SET decision = ?, hash = ? WHERE number = ?", values)
    assert ledger.verify() == Fault(number, "changed", f"notes/{number - 1}.txt")


def test_a_row_of_another_program_is_refused_with_a_hint(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record([entry(1)])
    with closing(sqlite3.connect(ledger.path, isolation_level=None)) as database:
        database.executescript("DROP TRIGGER no_change; UPDATE ledger SET owner = x'00'")
    with pytest.raises(StoreError, match="did not write") as caught:
        ledger.newest()
    assert "netsuke consent verify" in (caught.value.hint or "")


# -- a ledger of before there were signals and standing decisions --------------------------------------------
OLD_SCHEMA = """
CREATE TABLE ledger (document TEXT NOT NULL, path TEXT NOT NULL, source INTEGER NOT NULL, owner TEXT NOT NULL,
    licence TEXT NOT NULL, decision TEXT NOT NULL, reason TEXT NOT NULL, decided_by TEXT NOT NULL,
    number INTEGER PRIMARY KEY, time TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL);
CREATE INDEX place ON ledger (document, path, source);
CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER, hash TEXT);
CREATE TRIGGER no_change BEFORE UPDATE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER no_delete BEFORE DELETE ON ledger BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""


def write_old_ledger(path: Path, count: int) -> None:
    """A ledger as the first version wrote it."""
    import hashlib

    previous = "0" * 64
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(OLD_SCHEMA)
        for number in range(1, count + 1):
            row = {"document": f"{number:064x}", "path": f"notes/{number}.txt", "source": 0, "owner": "me",
                   "licence": "unknown", "decision": "in", "reason": "It is your own work.", "decided_by": "rules",
                   "number": number, "time": "2026-01-02T03:04:05+00:00", "previous": previous}  # fmt: skip
            text = json.dumps(row, sort_keys=True, separators=(",", ":"))
            previous = hashlib.sha256(text.encode()).hexdigest()
            database.execute(f"INSERT INTO ledger VALUES ({', '.join('?' * 12)})", [*row.values(), previous])
        database.execute("INSERT INTO head VALUES (1, ?, ?)", (count, previous))


def test_an_older_ledger_goes_on(tmp_path: Path) -> None:
    write_old_ledger(tmp_path / "ledger.db", 3)
    ledger = Ledger(tmp_path / "ledger.db")
    head = ledger.head()
    assert ledger.verify() is None
    assert ledger.record([entry(1), entry(2)]) == 0  # the old rows say the same
    found = entry(3, licence="MIT", licence_how="LICENSE", signals=canonical([NO]).decode())
    assert ledger.record([found]) == 1
    ledger.decide_standing("owner", "Ann", "out", "", "Bo")
    assert Ledger(tmp_path / "ledger.db").verify() is None
    old, new = ledger.rows()[0], ledger.rows()[3]
    assert (old.licence_how, old.signals, old.scope) == ("", "", "")
    assert new.previous == head and json.loads(new.signals) == [NO] and new.licence_how == "LICENSE"
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript("DROP TRIGGER no_change; UPDATE ledger SET owner = 'Ann' WHERE number = 2")
    assert ledger.verify() == Fault(2, "changed", "notes/2.txt")


# -- standing decisions ----------------------------------------------------------------------------------------
@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.db")


def test_a_standing_decision_is_a_row_of_the_same_chain(ledger: Ledger) -> None:
    ledger.record([entry(1)])
    row = ledger.decide_standing("owner", "Ann", "out", "by mail\nof today.", "Bo")
    assert (row.number, row.scope, row.about, row.source) == (2, "owner", "Ann", -1)
    assert ledger.verify() is None and ledger.rows()[-1] == row and ledger.head() == row.hash
    assert ledger.newest() == ledger.rows()[:1]
    stand = ledger.standing().of("Ann", "notes/1.txt", "ab")
    assert stand == ("out", "Its owner said no, says Bo: by mail of today.", "Bo")
    assert ledger.standing().of("Anne", "notes/1.txt", "ab") == (None, "", "")
    again = ledger.decide_standing("owner", "Ann", "out", "by mail\nof today.", "Bo")
    assert again == row and len(ledger.rows()) == 2


def test_any_out_wins_and_the_last_of_each_counts(ledger: Ledger) -> None:
    def said(owner: str = "Ann", path: str = "notes/a.txt", document: str = "c" * 64) -> str | None:
        return ledger.standing().of(owner, path, document).decision

    ledger.decide_standing("owner", "Ann", "in", "", "Bo")
    assert said() == "in" and said(owner="Eve") is None
    ledger.decide_standing("path", "notes/**", "out", "", "Bo")
    ledger.decide_standing("document", "c" * 64, "in", "", "Bo")
    assert said() == "out"
    ledger.decide_standing("path", "notes/**", "cleared", "", "Bo")
    assert said() == said(owner="Eve") == "in"
    ledger.decide_standing("owner", " ann ", "out", "", "Cy")  # the same owner
    assert said() == "out" and said(owner="Eve") == "in"
    ledger.decide_standing("owner", "ANN", "in", "", "Cy")
    assert said(document="d" * 64) == "in"
    assert [row.number for row in ledger.standing().rows] == [3, 6]
    assert ledger.standing().find("owner", "Ann") == ledger.rows()[5] and len(ledger.rows()) == 6
    assert ledger.standing().find("path", "notes/**") is None
    assert ledger.verify() is None


def test_a_standing_decision_and_a_document_do_not_pass_for_each_other(ledger: Ledger) -> None:
    ledger.decide_standing("path", "notes/1.txt", "out", "", "Bo")
    assert ledger.record([entry(1)]) == 1 and ledger.record([entry(1)]) == 0
    ledger.decide_standing("document", entry(1).document, "out", "", "Bo")
    assert ledger.record([entry(1)]) == 0
    assert ledger.documents(entry(1).document[:8]) == [entry(1).document]
    assert [row.number for row in ledger.newest()] == [2]


def test_the_newest_row_of_a_place_is_found(ledger: Ledger) -> None:
    ledger.record([entry(1), entry(2), entry(1, source=1)])
    ledger.record([entry(1, document="f" * 64), entry(2, decision="out", reason="No.")])
    assert [(row.number, row.path) for row in ledger.newest()] == [
        (3, "notes/1.txt"), (4, "notes/1.txt"), (5, "notes/2.txt")]  # fmt: skip
    assert ledger.documents("0" * 60) == [entry(1).document, entry(2).document]
    assert ledger.documents("f" * 8) == ["f" * 64] and ledger.documents("e" * 8) == []


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
from netsuke.consent.ledger import Entry, Ledger
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


def test_an_entry_comes_from_a_row_of_documents() -> None:
    row = {"path": "a.txt", "source": 2, "owner": "me", "licence": "unknown", "decision": "in", "reason": "Own.",
           "file": "ab", "hash": "cd", "split": "dropped", "bytes_in": 3}  # fmt: skip
    assert Entry.of(row) == Entry("ab", "a.txt", 2, "me", "unknown", "in", "Own.")
    assert (
        Entry.of({**row, "file": ""}).document == "cd"
        and Entry.of({**row, "file": "", "hash": ""}).document == ""
    )
    found = Entry.of({**row, "signals": [NO], "licence_how": "LICENSE", "decided_by": "Bo"})
    assert json.loads(found.signals) == [NO] and (found.licence_how, found.decided_by) == ("LICENSE", "Bo")
    assert Entry.of({**row, "signals": []}).signals == ""
