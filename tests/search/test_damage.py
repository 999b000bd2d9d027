"""A database that was changed is refused by its name, and none of it is taken for a quote."""

import json
import sqlite3

import pytest
from searched import database, searchable_pack

from netsuke import search
from netsuke.errors import StoreError
from netsuke.search.find import Index


def changed(path, *statements):
    db = sqlite3.connect(path)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    return path


CHANGES = {
    "a document's text": "UPDATE documents SET text = replace(text, 'twenty kilograms', 'ninety kilograms')",
    "a place outside of the text": "UPDATE passages SET stop = 999999",
    "a place before it": "UPDATE passages SET begin = -5",
    "a passage of no document": "UPDATE passages SET document = 99",
    "headings that are none": "UPDATE passages SET headings = '{'",
    "places that are none": "UPDATE documents SET places = '[[1]]'",
    "vectors cut short": "UPDATE vectors SET rows = substr(rows, 1, 64)",
    "no vectors": "DROP TABLE vectors",
    "no passages": "DELETE FROM passages",
    "no words": "DROP TABLE found",
    "another format": "UPDATE about SET value = '7' WHERE name = 'format'",
    "no format": "DELETE FROM about WHERE name = 'format'",
    "no support": "DELETE FROM about WHERE name = 'support'",
    "a count that is none": "UPDATE about SET value = '\"many\"' WHERE name = 'passages'",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_changed_database_is_named(tmp_path, change):
    path = changed(database(tmp_path / "search.db"), change)
    with pytest.raises(StoreError) as told:
        search.answer(Index(path), "How much honey does a colony need?")
    assert told.value.where and told.value.what


@pytest.mark.parametrize("data", [b"", b"SQLite format 3\0", b"no database" * 99], ids=["empty", "a head", "text"])
def test_what_is_no_database_is_named(tmp_path, data):
    (tmp_path / "search.db").write_bytes(data)
    with pytest.raises(StoreError, match="no sound database"):
        Index(tmp_path / "search.db")


def test_every_cut_of_a_database_is_told_or_harmless(tmp_path):
    data = database(tmp_path / "whole.db").read_bytes()
    for size in range(0, len(data), 4096):
        (tmp_path / "cut.db").write_bytes(data[:size])
        try:
            search.answer(Index(tmp_path / "cut.db"), "honey in winter")
        except StoreError:
            continue
        raise AssertionError(f"{size} bytes of {len(data)} passed")


def test_a_pack_tells_a_changed_database_by_its_digest(tmp_path):
    folder = searchable_pack(tmp_path / "pack")
    record = json.loads((folder / "netsuke.json").read_text())
    search.open_pack(folder, record, "mine").close()
    with (folder / "search.db").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\xff")
    with pytest.raises(StoreError, match=r"search\.db is not what the pack says"):
        search.open_pack(folder, record, "mine")


def test_a_link_out_of_the_pack_is_not_followed(tmp_path):
    folder = searchable_pack(tmp_path / "pack")
    record = json.loads((folder / "netsuke.json").read_text())
    (folder / "search.db").rename(tmp_path / "elsewhere.db")
    (folder / "search.db").symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StoreError, match="not what the pack says"):
        search.open_pack(folder, record, "mine")


def test_a_pack_without_documents_says_so(tmp_path):
    with pytest.raises(StoreError, match="mine holds no documents") as told:
        search.open_pack(tmp_path, {"files": {}}, "mine")
    assert "make it again" in told.value.hint


def test_reading_writes_nothing(tmp_path):
    path = database(tmp_path / "search.db")
    before = path.read_bytes()
    index = Index(path)
    search.answer(index, "honey")
    with pytest.raises(StoreError, match="readonly|attempt to write"):
        index.rows("DELETE FROM documents")
    index.close()
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["search.db"]
