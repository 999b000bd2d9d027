"""`netsuke consent`: what is listed, decided, exported and checked, and what a person types wrong."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from netsuke.consent import agreements
from netsuke.consent.ledger import Entry, Ledger
from netsuke.store import canonical

RAW = "User-agent: *\nContent-Usage: train-ai=n"
NOAI = {"kind": "robots.txt", "value": "no", "raw": RAW, "where": "site/robots.txt"}


class Done(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def run(command: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Runs `netsuke consent …` in this process."""
    monkeypatch.setenv("LOGNAME", "bo")

    def call(*words: str) -> Done:
        done = command(tmp_path / "netsuke-home", "consent", *words)
        assert "Traceback" not in done.stderr
        return Done(done.returncode, done.stdout, done.stderr)

    return call


def entry(name: str, owner: str = "Ann Smith", licence: str = "MIT", **more: Any) -> Entry:
    document = (name.encode().hex() + "0" * 64)[:64]
    kept = {"decision": "in", "reason": f"Its licence, {licence}, is open.", "licence_how": "LICENSE", **more}
    return Entry(document, f"notes/{name}", 0, owner, licence, **kept)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Five documents, one of them decided twice."""
    (tmp_path / "netsuke-home").mkdir()
    made = Ledger(tmp_path / "netsuke-home" / "ledger.db")
    signals = canonical([NOAI]).decode()
    made.record([
        entry("letters/one.md"), entry("letters/two.md", licence="MIT OR Apache-2.0"),
        entry("own.md", "me", "unknown", licence_how="", reason="It is your own work."),
        entry("site/page.html", "Web Ltd", decision="out", reason="A signal says no.", signals=signals),
        entry("=cmd|' /C calc'!A0.csv", "@Eve", licence="CC0-1.0"),
    ])  # fmt: skip
    made.record([entry("letters/one.md", decision="out", reason="Its owner said no.")])
    return made


# -- listing ---------------------------------------------------------------------------------------------
def test_the_newest_state_of_each_document_is_listed(run: Callable, ledger: Ledger) -> None:
    done = run()
    assert done.code == 0 and len(done.out.splitlines()) == 8
    assert all(len(line) <= 80 for line in done.out.splitlines())
    (line,) = [line for line in done.out.splitlines() if "one.md" in line]
    assert line.split() == "notes/letters/one.md Ann Smith MIT (LICENSE) out Its owner said no.".split()
    assert "5 documents: 3 in, 2 out" in done.out
    rows = run("--json").json["documents"]
    assert [row["number"] for row in rows] == [2, 3, 4, 5, 6]
    assert rows[2]["signals"] == [NOAI] and rows[0]["standing"] is None


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--owner", "ann  SMITH"], ["two", "one"]),
        (["--owner", "Ann"], []),
        (["--decision", "out"], ["page", "one"]),
        (["--path", "notes/letters"], ["two", "one"]),
        (["--path", "**/*.html"], ["page"]),
        (["--path", "letters"], []),
        (["--licence", "mit"], ["two", "page", "one"]),
        (["--licence", "Apache-2.0"], ["two"]),
        (["--licence", "apache"], []),
        (["--signal", "ROBOTS.TXT"], ["page"]),
        (["--signal", "tdmrep"], []),
        (["--since", "2999-01-01"], []),
        (["--since", "2020-01-01", "--licence", "unknown"], ["own"]),
        (["--owner", "Ann Smith", "--decision", "in"], ["two"]),
    ],
)
def test_what_the_filters_choose(run: Callable, ledger: Ledger, options: list[str], names: list[str]) -> None:
    found = run("--json", *options).json["documents"]
    assert [Path(row["path"]).stem for row in found] == names
    if not names:
        assert run(*options).out == "no row matches\n" == run("--history", *options).out


def test_history_has_every_row(run: Callable, ledger: Ledger) -> None:
    run("out", "--owner", "Web Ltd", "--reason", "by mail")
    rows = run("--history", "--json").json
    assert [row["number"] for row in rows] == [1, 2, 3, 4, 5, 6, 7]
    assert [row["number"] for row in run("--history", "--json", "--owner", "Web Ltd").json] == [4, 7]
    told = run("--history")
    assert "owner Web Ltd" in told.out and "bo: by mail" in told.out
    assert all(len(line) <= 80 for line in told.out.splitlines())


def test_a_name_cannot_write_on_the_terminal(run: Callable, ledger: Ledger) -> None:
    evil = "a\x1b[2J\n\u202e\udcff.md"
    signals = canonical([dict.fromkeys(NOAI, evil)]).decode()
    ledger.record([Entry("ab" * 32, evil, 0, evil, evil, "in", evil, evil, evil, signals)])
    for words, lines in (([], 9), (["--history"], 8), (["show", "ab" * 32], 10)):
        told = run(*words).out
        assert not set("\x1b\u202e\udcff") & set(told) and len(told.splitlines()) == lines


# -- deciding --------------------------------------------------------------------------------------------
def test_an_owner_goes_out_and_the_list_says_so_at_once(run: Callable, ledger: Ledger) -> None:
    done = run("out", "--owner", "ann smith", "--reason", "she asked us to")
    assert done.code == 0 and done.out == "out: owner ann smith; 2 documents known, 1 in\n"
    assert "next make" in done.err
    told = run("--owner", "Ann Smith").out
    assert "she asked us to" in told and "in*" in told and "* goes out at the next make" in told
    (two, one) = run("--json", "--owner", "Ann Smith").json["documents"]
    reason = "Its owner said no, says bo: she asked us to."
    assert two["standing"] == {"decision": "out", "reason": reason, "by": "bo"}
    assert one["decision"] == "out" and ledger.verify() is None
    assert ledger.standing().of("Ann Smith", "x", "").decision == "out"


def test_a_decision_is_taken_back_by_another_row(run: Callable, ledger: Ledger) -> None:
    assert run("in", "--path", "notes/site", "--by", "Cy", "--json").json["decided_by"] == "Cy"
    assert run("clear", "--path", "notes/site/").code == 6  # word for word
    done = run("clear", "--path", "notes/site", "--json")
    assert done.json["decision"] == "cleared" and done.json["decided_by"] == "bo"
    assert [row.decision for row in ledger.rows()][-2:] == ["in", "cleared"]
    again = run("clear", "--path", "notes/site")
    assert again.code == 6 and "nothing was decided about the path 'notes/site' itself" in again.err
    run("out", "--owner", "Eve")
    assert "what stands: owner Eve" in run("clear", "--owner", "Adam").err


def test_a_document_is_named_by_the_start_of_its_hash(run: Callable, ledger: Ledger) -> None:
    whole = entry("own.md").document
    done = run("out", "--document", whole[:10].upper(), "--json")
    assert done.json["document"] == whole and (done.json["documents"], done.json["in"]) == (1, 1)
    both = entry("letters/one.md").document[:8]
    error = run("out", "--document", both)
    assert error.code == 2 and f"2 documents begin with {both}" in error.err and "more digits" in error.err
    assert run("out", "--document", whole[:7]).code == run("out", "--document", "not a hash").code == 2
    assert run("out", "--document", "f" * 8).code == 6
    assert run("out", "--document", "f" * 64).code == 0  # a person may know it before it is read


def test_a_decision_may_come_before_the_first_make(run: Callable, tmp_path: Path) -> None:
    done = run("out", "--owner", "Ann")
    assert done.code == 0 and "no such document was read yet" in done.err
    assert Ledger(tmp_path / "netsuke-home" / "ledger.db").standing().of("ann", "", "").decision == "out"
    assert run().out.startswith("standing decisions")


def test_a_path_with_the_signs_of_a_pattern_names_itself(run: Callable, ledger: Ledger) -> None:
    ledger.record([entry("tabs [1].md")])
    assert "1 document known" in run("out", "--path", "notes/tabs [1].md").out
    assert ledger.standing().of("Ann Smith", "notes/tabs [1].md", "").decision == "out"
    assert "[ ] * ? are patterns" in run("out", "--path", "notes/tabs [2].md").err


@pytest.mark.parametrize(
    ("path", "form"),
    [("own.md", "'notes/own.md'"), ("letters", "'notes/letters'"), ("letters/**", "'notes/letters/**'"),
     ("one.md", "'notes/letters/one.md'"), ("*.html", "'notes/site/*.html'"),
     ("/home/ann/notes/own.md", "netsuke consent lists it"), ("~/notes", "netsuke consent lists it")],
)  # fmt: skip
def test_a_path_without_the_model_s_name_is_refused(run: Callable, ledger: Ledger, path: str, form: str) -> None:
    done = run("out", "--path", path)
    assert done.code == 2 and "does not begin with the model's name" in done.err and form in done.err
    assert len(ledger.rows()) == 6


def test_a_path_of_what_was_not_read_yet_may_be_decided(run: Callable, ledger: Ledger) -> None:
    for path in ("notes/own.md.bak", "diary/letters/one.md", "diary", "*/new.md", "**/one.md"):
        assert run("out", "--path", path).code == 0, path


def test_a_name_that_nobody_has_is_told(run: Callable, ledger: Ledger) -> None:
    assert "did you mean 'Ann Smith'?" in run("out", "--owner", "Ann Smyth").err
    assert "did you mean" not in run("out", "--owner", "Zebedee").err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["out"], "give one of"),
        (["out", "--owner", " "], "give one of"),
        (["in", "--owner", "a", "--path", "b"], "give one of"),
        (["out", "--source", "a"], "No such option"),
        (["--owner", "Ann", "export", "--csv", "-"], "options come after the verb"),
        (["--history", "verify"], "options come after the verb"),
        (["--since", "yesterday"], "--since"),
        (["--decision", "maybe"], "--decision"),
        (["export"], "give --csv FILE or --jsonl FILE"),
        (["export", "--csv", "-", "--jsonl", "-"], "one thing only"),
        (["export", "--csv", "-", "--json"], "one thing only"),
        (["forget"], "No such command"),
    ],
)
def test_what_is_typed_wrong_is_named(run: Callable, ledger: Ledger, words: list[str], expected: str) -> None:
    done = run(*words)
    assert done.code == 2 and expected in done.err and done.out == ""
    assert len(ledger.rows()) == 6


@pytest.mark.parametrize(
    "words", [[], ["verify"], ["show", "a"], ["export", "--csv", "-"], ["clear", "--owner", "a"], ["--json"]]
)
def test_without_a_ledger_it_says_what_writes_one(run: Callable, tmp_path: Path, words: list[str]) -> None:
    done = run(*words)
    assert done.code == 6 and "there is no ledger yet" in done.err and "make" in done.err
    assert not (tmp_path / "netsuke-home" / "ledger.db").exists()


# -- showing ---------------------------------------------------------------------------------------------
def test_everything_about_one_document(run: Callable, ledger: Ledger) -> None:
    run("out", "--path", "notes/site", "--reason", "not ours")
    told = run("show", "notes/site/page.html").out
    for part in ("A signal says no.", "bo keeps it out: not ours.", "licence MIT (LICENSE)", "robots.txt says no",
                 "    User-agent: *\n    Content-Usage: train-ai=n", "decided by rules", "row 4, "):  # fmt: skip
        assert part in told
    assert run("show", "page.html").out == told == run("show", "/home/me/notes/site/page.html").out
    shown = run("show", entry("letters/one.md").document, "--json").json
    assert [row["number"] for row in shown["rows"]] == [1, 6] and shown["standing"] is None
    assert len(run("show", "letters/one.md", "--json").json["rows"]) == 2


def test_a_document_that_is_not_one(run: Callable, ledger: Ledger) -> None:
    ledger.record([entry("drafts/one.md")])
    done = run("show", "one.md")
    assert done.code == 2 and "notes/drafts/one.md" in done.err and "notes/letters/one.md" in done.err
    assert run("show", "notes").code == run("show", "deadbeef").code == 6
    both = run("show", entry("letters/").document[:16])
    assert both.code == 2 and "documents begin with" in both.err


# -- files -----------------------------------------------------------------------------------------------
def test_csv_holds_no_formula(run: Callable, ledger: Ledger, tmp_path: Path) -> None:
    ledger.record([entry("odd.md", reason="-1+1", licence_how="+A1", licence="\t=A1")])
    run("out", "--path", "=notes/**")
    done = run("export", "--csv", str(tmp_path / "rows.csv"), "--history")
    assert done.code == 0 and done.out.startswith("8 rows: ")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text(encoding="utf-8"), newline="")))
    assert [int(row["number"]) for row in rows] == list(range(1, 9))
    assert rows[4]["owner"] == "'@Eve" and rows[4]["path"] == "notes/=cmd|' /C calc'!A0.csv"
    assert (rows[6]["reason"], rows[6]["licence_how"], rows[6]["licence"]) == ("'-1+1", "'+A1", "'\t=A1")
    assert rows[7]["path"] == "'=notes/**" and rows[7]["source"] == "-1"
    assert json.loads(rows[3]["signals"]) == [NOAI]
    cells = [cell for row in rows for name, cell in row.items() if name != "source"]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_json_lines_are_exact_and_can_be_checked_by_hand(
    run: Callable, ledger: Ledger, tmp_path: Path
) -> None:
    import hashlib

    ledger.record([Entry("", "f\udcff.md", 0, "=Eve", "", "out", "No.")])
    file = tmp_path / "rows.jsonl"
    done = run("export", "--jsonl", str(file), "--csv", str(tmp_path / "rows.csv"), "--history", "--json")
    assert done.json == {"rows": 7, "files": [str(tmp_path / "rows.csv"), str(file)]}
    rows = [json.loads(line) for line in file.read_text(encoding="ascii").splitlines()]
    assert rows[6]["path"] == "f\udcff.md" and rows[6]["owner"] == "=Eve"
    previous = "0" * 64
    for row in rows:
        stated, signals = row.pop("hash"), row.pop("signals")
        row |= {"signals": canonical(signals).decode()} if signals else {}
        kept = {name: value for name, value in row.items() if value or name not in ("licence_how", "scope")}
        assert row["previous"] == previous
        assert hashlib.sha256(canonical(kept)).hexdigest() == stated
        previous = stated
    assert previous == ledger.head()


def test_an_export_has_the_rows_of_the_list(run: Callable, ledger: Ledger) -> None:
    done = run("export", "--csv", "-", "--owner", "Ann Smith", "--decision", "out")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert row["path"] == "notes/letters/one.md" and done.err == ""
    rows = map(json.loads, run("export", "--jsonl", "-").out.splitlines())
    assert [row["number"] for row in rows] == [2, 3, 4, 5, 6]
    assert run("export", "--csv", "/no/such/folder/rows.csv").code == 6


def test_an_export_takes_nobody_s_place_unasked(run: Callable, ledger: Ledger, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("mine")
    for option in ("--csv", "--jsonl"):
        done = run("export", option, str(file))
        assert done.code == 6 and "--force" in done.err and file.read_text() == "mine"
    both = run("export", "--csv", str(file), "--jsonl", str(tmp_path / "." / "rows.csv"), "--force")
    assert both.code == 2 and "need a FILE each" in both.err and file.read_text() == "mine"
    assert run("export", "--csv", str(file), "--force").code == 0 and file.read_text().startswith("number,")


# -- checking --------------------------------------------------------------------------------------------
def test_a_whole_ledger_is_told_with_its_head(run: Callable, ledger: Ledger) -> None:
    assert run("verify").out == f"whole, up to {ledger.head()}\n"
    assert run("verify", "--json").json == {"whole": True, "head": ledger.head(), "fault": None}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("UPDATE ledger SET owner = 'Eve' WHERE number = 3", "row 3 was changed: notes/own.md"),
        ("UPDATE ledger SET signals = 'x' WHERE number = 4", "row 4 was changed: notes/site/page.html"),
        ("UPDATE ledger SET path = x'00' WHERE number = 2", "row 2 was changed"),
        ("DELETE FROM ledger WHERE number = 2", "row 2 is missing, before notes/own.md"),
        ("DELETE FROM ledger WHERE number > 4", "the end is missing, from row 5 on, after notes/site/page.html"),
        ("DELETE FROM ledger", "the end is missing, from row 1 on"),
        ("DELETE FROM head", "row 1 was added after the end that the ledger knows: notes/letters/one.md"),
        ("UPDATE ledger SET number = 9 WHERE number = 1; UPDATE ledger SET number = 1 WHERE number = 3;"
         "UPDATE ledger SET number = 3 WHERE number = 9",
         "row 1 is out of order: it was written elsewhere in the chain: notes/own.md"),
    ],
)  # fmt: skip
def test_what_was_done_to_the_ledger_is_named(run: Callable, ledger: Ledger, script: str, told: str) -> None:
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript("DROP TRIGGER no_change; DROP TRIGGER no_delete;" + script)
    done = run("verify")
    assert done.code == 6 and done.out == f"{told}\n"
    assert told in done.err and "ledger.db" in done.err and "hint:" in done.err
    found = run("verify", "--json")
    assert found.code == 6 and found.json["whole"] is False
    assert f"row {found.json['fault']['number']}" in told


@pytest.mark.parametrize(
    "change", ["owner = x'00'", "owner = '\\u1'", "signals = 'x'", "signals = '[1]'", "signals = '5'"]
)
def test_a_row_that_cannot_be_read_is_no_traceback(run: Callable, ledger: Ledger, change: str) -> None:
    with closing(sqlite3.connect(ledger.path)) as database:
        database.executescript(f"DROP TRIGGER no_change; UPDATE ledger SET {change} WHERE number = 4")
    for words in (
        ["--json"],
        ["export", "--jsonl", "-"],
        ["show", "notes/site/page.html"],
        ["--signal", "tdmrep"],
    ):
        done = run(*words)
        assert done.code == 6 and "netsuke consent verify" in done.err
    assert run("verify").code == 6


def test_a_file_that_is_no_ledger_is_named(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "netsuke-home").mkdir()
    (tmp_path / "netsuke-home" / "ledger.db").write_bytes(b"no database " * 100)
    done = run("verify")
    assert done.code == 6 and "cannot be used" in done.err and "ledger.db" in done.err


# -- agreements ------------------------------------------------------------------------------------------
def test_an_agreement_is_written_to_be_signed(run: Callable, tmp_path: Path) -> None:
    file = tmp_path / "an agreement.toml"
    done = run("agreement", "Ann Smith", "--out", str(file), "--path", "essays/**", "--by", "Rights desk")
    assert done.code == 0 and f"-n {agreements.NAMESPACE}" in done.out and f"'{file}'" in done.out
    assert "signers" in done.err
    text = file.read_text()
    assert 'owner = "Ann Smith"' in text and 'paths = ["essays/**"]' in text and "train-ai" in text
    again = run("agreement", "Bo", "--out", str(file))
    assert again.code == 2 and "there already" in again.err and file.read_text() == text
    other = str(tmp_path / "b.toml")
    assert run("agreement", "Bo", "--out", other, "--json").json["file"] == other


@pytest.mark.parametrize("words", [[" "], ["Ann\nBo"], ["Ann", "--path", ""], ["Ann", "--by", "a\x00b"]])
def test_a_name_that_cannot_stand_in_an_agreement(run: Callable, tmp_path: Path, words: list[str]) -> None:
    done = run("agreement", *words, "--out", str(tmp_path / "a.toml"))
    assert done.code == 2 and "cannot stand in an agreement" in done.err
    assert not (tmp_path / "a.toml").exists()
