"""From a messy folder to documents: every file is read, or named with a reason; nothing stops the run."""

import json
import os

import pytest
from material import document

from netsuke import curate
from netsuke.curate.gather import gather
from netsuke.documents import read_rows
from netsuke.nouns import Source
from netsuke.step import Local, Plan

RECIPE = "netsuke.toml"


def made(folder, store, **source):
    """Rows of documents.jsonl by path, and the steps that ran."""
    local, params = Local(store), curate.Params()
    files = gather([Source(str(folder), **source)], folder / RECIPE, params, store, local)
    data = local.run(curate.curate, params, files=files)
    rows = {row["path"]: row for row in read_rows(store.path(data["documents.jsonl"]))}
    return rows, [run.step for run in local.ran]


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "messy"
    place.mkdir()
    for number in range(12):
        (place / f"{number}.md").write_text(document(number))
    return place


def test_bad_files_are_rows_and_the_rest_is_read(folder, store):
    with (folder / "one-line.txt").open("w") as file:
        for _ in range(50):
            file.write("a word and another " * 52_632)  # 50 MB, no newline
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4\n1 0 obj\n<<")
    (folder / "binary.txt").write_bytes(b"text\0" * 400)
    (folder / "old.zip").write_bytes(b"PK\x03\x04" + b"\0" * 100)
    (folder / "empty.md").write_text("")
    (folder / "latin.txt").write_bytes(
        "Ein schöner Satz über Öl, der für sich allein schon lang genug ist.".encode("cp1252")
    )
    name = os.fsdecode(b"caf\xe9.md")
    (folder / name).write_text("A file whose name is not UTF-8, with enough text in it to be kept.")
    rows, ran = made(folder, store)
    dropped = {path: row["dropped_by"] for path, row in rows.items() if row["split"] == "dropped"}
    assert dropped == {"one-line.txt": "too large", "broken.pdf": "unreadable", "binary.txt": "binary",
                       "old.zip": "archive", "empty.md": "empty"}  # fmt: skip
    assert rows[name]["bytes_kept"] > 0 and rows["latin.txt"]["bytes_kept"] > 0
    again, ran = made(folder, store)
    assert again == rows and ran == []


def test_a_source_that_is_kept_out_is_never_read(folder, store):
    from netsuke.errors import RecipeError

    with pytest.raises(RecipeError, match="consent|little|document"):
        made(folder, store, owner="them")
    assert not [p for p in (store.root / "objects").rglob("*") if p.is_file() and b"river" in p.read_bytes()]


def test_a_plan_reads_nothing_and_says_what_it_would(folder, store):
    plan = Plan(store)
    assert gather([Source(".")], folder / RECIPE, curate.Params(), store, plan) is None
    assert len(plan.lines) == 12 and not any(line.cached for line in plan.lines)


def test_recipes_are_not_documents(folder, store):
    for name in ("netsuke.toml", "netsuke.lock", "book.txt.netsuke.toml", "book.txt.netsuke.lock"):
        (folder / name).write_text(
            json.dumps({"a": "long enough to be a document of its own, if it were one"})
        )
    rows, _ = made(folder, store)
    assert len(rows) == 12


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_closed_folder_is_a_row(folder, store):
    (folder / "closed").mkdir(mode=0)
    rows, _ = made(folder, store)
    assert rows["closed"]["dropped_by"] == "unreadable"


def test_any_no_wins_and_the_innermost_source_decides(folder, store):
    for name in ("clients", "clients/mine", "open"):
        (folder / name).mkdir()
        (folder / name / "a.md").write_text(
            f"A text in {name}, long enough to be kept if it may be kept at all."
        )
    sources = [
        Source("."),
        Source("clients", consent="out"),
        Source("clients/mine"),
        Source("open", owner="them"),
    ]
    local, params = Local(store), curate.Params()
    files = gather(sources, folder / RECIPE, params, store, local)
    index = json.loads(store.path(store.tree(files)["index.json"]).read_text())
    assert len(index) == 12 + 3
    out = {row["source"] for row in index if row.get("drop", {}).get("rule") == "consent"}
    assert out == {1, 2, 3} and len(local.ran) == 12


def test_a_recipe_of_another_name_is_no_document(folder, store):
    (folder / "mine.toml").write_text(
        "# long enough to be a document of its own, if it were one, which it is not"
    )
    (folder / "mine.lock").write_text(
        "# long enough to be a document of its own, if it were one, which it is not"
    )
    gathered = gather([Source(".")], folder / "mine.toml", curate.Params(), store, Local(store))
    assert len(json.loads(store.path(store.tree(gathered)["index.json"]).read_text())) == 12
