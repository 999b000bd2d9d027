"""Corrections: kept whole or not at all, readable by their owner alone, listed, dropped by owner and by text."""

import errno
import hashlib
import os
import stat
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsuke.consent import corrections
from netsuke.consent.corrections import drop, every, keep, sources
from netsuke.errors import RecipeError, StoreError

TEXT = st.text(min_size=1, max_size=80).filter(lambda text: text.replace("\0", "").strip())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, TEXT, st.booleans())
def test_what_is_kept_is_read_again_and_is_an_example(tmp_path, prompt, answer, label):
    from netsuke.curate import examples

    one = keep(tmp_path, "notes", "shop", prompt, answer, label=label)
    assert keep(tmp_path, "notes", "shop", prompt, answer, label=label) == one  # the same is the same file
    assert one in every(tmp_path, "notes", "shop")
    (row,) = examples.parse(one.file.read_text("utf-8"), ".jsonl").rows
    assert (row["text"] if label else row["input"]) == one.prompt
    assert (row["label"] if label else row["output"]) == one.answer == one.answer.strip()


def test_the_order_of_giving_changes_no_byte(tmp_path):
    given_ = [("q1", "a1"), ("q2", "a2"), ("q3", "a3")]
    for home, some in (("one", given_), ("two", given_[::-1])):
        for prompt, answer in some:
            keep(tmp_path / home, "notes", "shop", prompt, answer)
    found = [{c.file.name: c.file.read_bytes() for c in every(tmp_path / home, "notes")} for home in ("one", "two")]
    assert found[0] == found[1] and len(found[0]) == 3


def test_only_their_owner_may_read_them(tmp_path):
    one = keep(tmp_path, "notes", "shop", "q", "a")
    places = [one.file, one.file.parent, one.file.parent.parent, corrections.room(tmp_path, "notes")]
    assert [stat.S_IMODE(place.stat().st_mode) for place in places] == [0o600, 0o700, 0o700, 0o700]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc", "a\0b", "x" * 65, ".hidden"])
def test_no_name_leads_elsewhere(tmp_path, name):
    for model, owner in ((name, "shop"), ("notes", name)):
        with pytest.raises(RecipeError):
            keep(tmp_path / "home", model, owner, "q", "a")
    assert not (tmp_path / "home").exists() or not [p for p in (tmp_path / "home").rglob("*") if p.is_file()]


@pytest.mark.parametrize("prompt, answer", [("", "a"), ("q", ""), (" \n", "a"), ("q", "\0")])
def test_nothing_is_no_correction(tmp_path, prompt, answer):
    with pytest.raises(RecipeError, match="needs a question and an answer"):
        keep(tmp_path, "notes", "shop", prompt, answer)


def test_an_owner_gives_so_many_and_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(corrections, "MOST", 2)
    for number in range(2):
        keep(tmp_path, "notes", "shop", f"q{number}", "a")
    with pytest.raises(RecipeError, match="given 2"):
        keep(tmp_path, "notes", "shop", "q2", "a")
    keep(tmp_path, "notes", "shop", "q1", "a")  # it is there already
    keep(tmp_path, "notes", "other", "q2", "a")


def filled(home):
    return {(model, owner, n): keep(home, model, owner, f"asked {n}", f"answer {n}")
            for model in ("notes", "shop-voice") for owner in ("owner", "shop") for n in range(2)}  # fmt: skip


def left(home):
    return {(one.model, one.owner, one.prompt) for model in ("notes", "shop-voice") for one in every(home, model)}


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("wanted, gone", [
    ({"owner": "shop"}, lambda model, owner, n: owner == "shop"),
    ({"owner": "shop", "model": "notes"}, lambda model, owner, n: (model, owner) == ("notes", "shop")),
    ({"text": digest("asked 1")}, lambda model, owner, n: n == 1),
    ({"text": digest("answer 0"), "owner": "owner"}, lambda model, owner, n: (owner, n) == ("owner", 0)),
    ({"owner": "nobody"}, lambda *_: False), ({"text": "0" * 64}, lambda *_: False),
    ({"model": "other"}, lambda *_: False), ({}, lambda *_: True),
])  # fmt: skip
def test_all_that_fits_is_dropped_and_nothing_else(tmp_path, wanted, gone):
    there = filled(tmp_path)
    expected = {one.file for key, one in there.items() if gone(*key)}
    assert {*drop(tmp_path, **wanted)} == expected
    assert left(tmp_path) == {(m, o, f"asked {n}") for m, o, n in there if not gone(m, o, n)}
    assert drop(tmp_path, **wanted) == []


def test_one_is_dropped_by_the_beginning_of_its_id(tmp_path):
    one = filled(tmp_path)["notes", "shop", 0]
    assert drop(tmp_path, id=one.id[:7]) == []  # too short to mean one
    assert {path.name for path in drop(tmp_path, model="notes", owner="shop", id=one.id[:8])} == {one.file.name}


def test_each_owner_is_a_source_with_their_own_yes(tmp_path):
    assert sources(tmp_path, "notes") == ()
    filled(tmp_path)
    ours, theirs = sources(tmp_path, "notes")
    assert (ours.owner, ours.consent) == ("me", "unknown") and (theirs.owner, theirs.consent) == ("shop", "in")
    assert all(corrections.is_of("notes", one) and one.profile == "examples" for one in (ours, theirs))
    assert not corrections.is_of("shop-voice", ours)
    drop(tmp_path, owner="shop")
    assert sources(tmp_path, "notes") == (ours,)


@pytest.mark.parametrize("call", ["os.fsync", "os.replace", "tempfile.mkstemp"])
def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch, call):
    keep(tmp_path, "notes", "shop", "q", "a")
    before = left(tmp_path)

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(call, full)
    with pytest.raises(StoreError, match="cannot keep the correction"):
        keep(tmp_path, "notes", "shop", "other", "a")
    monkeypatch.undo()
    assert left(tmp_path) == before and not list(tmp_path.rglob(".part-*"))


KILLED = """
import os, sys
from pathlib import Path
from netsuke.consent import corrections
calls = [0]
def counted(real):
    def call(*given, **more):
        calls[0] += 1
        if calls[0] == int(sys.argv[2]):
            os._exit(9)
        return real(*given, **more)
    return call
os.fsync, os.replace, os.link = counted(os.fsync), counted(os.replace), counted(os.link)
corrections.keep(Path(sys.argv[1]), "notes", "shop", "another question", "its answer")
"""


def test_killed_at_every_call_it_is_whole_or_not_there(tmp_path):
    keep(tmp_path, "notes", "shop", "q", "a")
    ends = []
    for at in range(1, 5):
        done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(at)])
        ends.append(done.returncode)
        assert [one.answer for one in every(tmp_path, "notes")] in (["a"], ["a", "its answer"], ["its answer", "a"])
        drop(tmp_path, text=digest("another question"))
    assert ends == [9, 9, 9, 0]
    assert len(every(tmp_path, "notes")) == 1


def test_what_somebody_else_put_there_is_left_out(tmp_path):
    one = keep(tmp_path, "notes", "shop", "q", "a")
    (one.file.parent / ("0" * 64 + ".jsonl")).write_text("not JSON")
    (one.file.parent / "notes.txt").write_text("x")
    (one.file.parent.parent / "file").write_text("x")
    assert every(tmp_path, "notes") == [one]
