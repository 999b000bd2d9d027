"""The same documents give the same bytes; a document that is gone is gone from them."""

import sqlite3

from searched import BEES, LOCKS, ROWS, database, opened, row

from netsuke import index, search
from netsuke.search.find import Index
from netsuke.texts.documents import write_rows


def test_same_documents_same_bytes(tmp_path):
    assert database(tmp_path / "a.db").read_bytes() == database(tmp_path / "b.db").read_bytes()


def test_a_document_that_is_taken_out_leaves_nothing(tmp_path):
    whole, without = opened(tmp_path / "a.db"), opened(tmp_path / "b.db", ROWS[:1])
    assert search.answer(whole, "iron-plated barge").quotes
    assert not search.answer(without, "iron-plated barge").quotes
    data = (tmp_path / "b.db").read_bytes()
    assert b"sluices" not in data and b"sluic" not in data and b"locks.md" not in data
    assert b"sluices" in (tmp_path / "a.db").read_bytes()


def test_no_documents_are_a_database_too(tmp_path):
    empty = opened(tmp_path / "a.db", ())
    found = search.answer(empty, "honey")
    assert (found.quotes, found.nearest) == ((), 0.0)
    assert (tmp_path / "a.db").stat().st_size < 200_000


def test_the_words_of_a_part_are_those_of_its_file(tmp_path):
    part = row("book.txt#3", BEES, places=[[1, 400]], pages=[[1, "page 1"], [405, "page 9"]])
    found = opened(tmp_path / "a.db", (part,))
    (quote,) = search.answer(found, "syrup freezes in the comb", 1).quotes
    assert (quote.path, quote.page, quote.line) == ("book.txt", "page 9", 407)


def test_an_index_needs_no_journal_and_has_small_pages(tmp_path):
    with sqlite3.connect(database(tmp_path / "a.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert db.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_the_step_searches_all_three_parts_and_settles_its_support(tmp_path):
    from material import PLACES, WORDS
    from tiny import tiny_gguf

    from netsuke.engines import gguf

    (tmp_path / "model").mkdir()
    gguf.unpack(tiny_gguf(tmp_path / "tiny.gguf"), tmp_path / "model")
    (tmp_path / "general").mkdir()
    (tmp_path / "general" / "a.txt").write_text("Nobody paints ferries before breakfast unless Tuesday insists. " * 60)

    def told(words):
        more = "It has nine arches and a door of oak. Rain falls on it in winter, and nobody minds the weather there."
        return "\n\n".join(f"The {word} by the {place} is older than all. {more}" for word in words for place in PLACES)

    parts = {"train": [row("a.md", told(WORDS[:4]))], "valid": [row("v.md", told(WORDS[4:7]))],
             "test": [row("t.md", LOCKS)]}  # fmt: skip
    for name, rows in parts.items():
        write_rows(tmp_path / f"{name}.jsonl", rows)
    outs = [tmp_path / "one", tmp_path / "two"]
    for out in outs:
        out.mkdir()
        files = {name: tmp_path / f"{name}.jsonl" for name in parts}
        list(index.index.function(index.params(), out, **files, general=tmp_path / "general", model=tmp_path / "model"))
        assert [path.name for path in out.iterdir()] == ["search.db"]
    one, two = ((out / "search.db").read_bytes() for out in outs)
    assert one == two
    found = Index(outs[0] / "search.db")
    paths = {path for (path,) in found.rows("SELECT path FROM documents")}
    assert paths == {one["path"] for rows in parts.values() for one in rows}
    support = found.about["support"]
    assert support["questions"] >= 20 and support["foreign"] >= 20 and support["wrong"] <= 0.05
    assert support["at_most"] > support["target"]  # so few foreign ones do not exclude it
    assert search.answer(found, "the iron-plated barge that eight men rocked").quotes[0].path == "t.md"
