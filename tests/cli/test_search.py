"""`netsuke search`: quotes in 80 columns, JSON, exit codes and hints."""

import json

import pytest
from searched import BEES, searchable_pack

from netsuke.front import show


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    room = tmp_path_factory.mktemp("search")
    searchable_pack(room / "mine")
    return room


def test_quotes_are_shown_with_where_they_stand(room, command):
    done = command(room / "home", "search", str(room / "mine"), "How much honey does a colony need?", "--most", "1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("1.  A colony needs about twenty kilograms")
    assert "    bees.md, line 8\n    The Bees of Harrow Mill > Feeding in winter\n" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


def test_json_holds_the_offsets(room, command):
    done = command(room / "home", "search", str(room / "mine"), "honey", "--json")
    told = json.loads(done.stdout)
    assert told["found"] and all(BEES[q["begin"] : q["end"]] == q["quote"] for q in told["quotes"])


def test_nothing_found_is_said(room, command):
    done = command(room / "home", "search", str(room / "mine"), "quantum chromodynamics")
    assert done.returncode == 0 and done.stdout.startswith("Nothing found: the best passage has a support of 0.")


@pytest.mark.parametrize(("words", "code", "hint"), [
    (["nobody", "honey"], 6, "make one"), (["{mine}", " "], 2, "what you look for"),
    (["{mine}", "x" * 2001], 2, "2,000"),
])  # fmt: skip
def test_what_is_wrong_is_said(room, words, code, hint, command):
    done = command(room / "home", "search", *(word.replace("{mine}", str(room / "mine")) for word in words))
    assert done.returncode == code and hint in done.stderr and "Traceback" not in done.stderr


def test_a_changed_database_is_named(tmp_path, command):
    pack = searchable_pack(tmp_path / "pack")
    (pack / "search.db").write_bytes((pack / "search.db").read_bytes() + b"\0")
    done = command(tmp_path / "home", "search", str(pack), "honey")
    assert done.returncode == 6 and "search.db" in done.stderr


def test_long_lines_and_deep_headings_stay_in_80_columns():
    quote = {"quote": "word " * 60 + "x" * 200, "file": "a" * 90, "headings": ["deep " * 20] * 3, "page": "page 3",
             "line": 7}  # fmt: skip
    lines = show.quotes({"found": True, "quotes": [quote]}).splitlines()
    assert all(len(line) <= 80 for line in lines)
