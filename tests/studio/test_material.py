"""The page Material: keeping what a rule left out writes it into the recipe, and the next make has it."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from material import document
from packed import small_pack

from netsuke import loop, recipe
from netsuke.consent.ledger import Ledger
from netsuke.curate.items import Drops
from netsuke.step import Local
from netsuke.studio import keeping
from netsuke.texts.documents import read_rows

RECIPE = """name = "notes"  # of mine
base = "x"
[[sources]]
path = "."
[[sources]]
path = "hers"
owner = "Ann"

[curate]
test = 0.25
valid = 0.15  # for choices

[gates]
safety = 1
"""
FILES = {
    "short.md": "Too short.", "only [some].md": "So is this.", "empty": "And this.", "none.md": " ", "hers/no.md": "x",
    "z.md": document(2), "bad.md": "a", "bad.zip": "PK",
    "odd.md": "lorem ipsum " + document(9).replace("# Note", "A note"),
}  # fmt: skip


def curated(place, store):
    """The rows of documents.jsonl as the recipe would have them now, by path; and the dataset."""
    data = loop.documents(recipe.load(place, loop.SECTIONS), place, store, Local(store))
    return {row["path"]: row for row in read_rows(store.path(data["documents.jsonl"]))}, data.ref


@pytest.fixture
def notes(home, tmp_path):
    """Its recipe; the pack `notes` is of documents, some of which were left out."""
    folder = tmp_path / "notes"
    (folder / "hers").mkdir(parents=True)
    for name, text in {**{f"note-{n}.md": document(n) for n in range(5)}, **FILES}.items():
        (folder / name).write_text(text)
    place = folder / "netsuke.toml"
    place.write_text(RECIPE)
    pack = small_pack(tmp_path / "pack", name="notes").folder
    told = json.loads((pack / "netsuke.json").read_text())
    told["lineage"] = {"data": {"key": "0" * 64, "output": curated(place, home)[1]}}
    (pack / "netsuke.json").write_text(json.dumps(told))
    home.name("packs", "notes", {"ref": home.add_folder(pack), "recipe": str(place), "trial": []})
    return place


def row_of(client, path):
    """(number, markup) of a document in the list."""
    rows = client.get("/m/notes/material").text.split('<li class="document ')[1:]
    (found,) = [row for row in rows if f">{path}</a>" in row]
    return re.search(r'id="d(\d+)"', found)[1], found


def test_what_a_rule_left_out_is_kept_by_its_recipe_and_taken_back(client, notes, home):
    number, row = row_of(client, "short.md")
    assert 'aria-label="Keep short.md"' in row and "empty: 10 characters of text" in row
    page = client.get(f"/m/notes/material/{number}").text
    assert 'value="admit"' in page and "[curate] keep" in page
    answer = client.post(f"/m/notes/material/{number}", data={"act": "admit"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and 'aria-label="Leave out short.md"' in answer.text
    assert "comes next" in answer.text and "1 document comes in at the next make" in answer.text
    assert notes.read_text() == RECIPE.replace("choices\n", 'choices\nkeep = ["short.md"]\n')
    assert Ledger(home.root / "ledger.db").rows() == []
    rows, _ = curated(notes, home)
    assert rows["short.md"]["split"] != "dropped" and rows["only [some].md"]["split"] == "dropped"
    page = client.get(f"/m/notes/material/{number}").text
    assert "comes in at the next make" in page and 'value="leave"' in page
    answer = client.post(f"/m/notes/material/{number}", data={"act": "leave"})
    assert answer.status_code == 303 and answer.headers["location"] == f"/m/notes/material/{number}"
    assert notes.read_text() == RECIPE.replace("choices\n", "choices\nkeep = []\n")
    assert 'aria-label="Keep short.md"' in row_of(client, "short.md")[1]


def test_a_path_is_kept_and_nothing_else_that_it_might_mean(client, notes, home):
    notes.write_text(RECIPE.replace("choices\n", 'choices\nkeep = [\n  "drafts/**",  # mine\n]\n'))
    for path in ("only [some].md", "empty"):
        assert client.post(f"/m/notes/material/{row_of(client, path)[0]}", data={"act": "admit"}).status_code == 303
    assert '  "drafts/**",  # mine\n  "only [[]some].md",\n  "[e]mpty",\n]' in notes.read_text()
    rows, _ = curated(notes, home)
    left = {path for path, row in rows.items() if row["split"] == "dropped"}
    assert {"only [some].md", "empty"} & left == set() and {"short.md", "bad.md"} <= left
    notes.write_text(RECIPE.replace("choices\n", 'choices\nkeep = ["sho*"]\n'))
    row = row_of(client, "short.md")[1]
    assert "comes next" in row and "<button" not in row  # the line is a person's own


@pytest.mark.parametrize(("path", "why"), [
    ("z.md", "stands in another document"), ("none.md", "no text in it"), ("bad.zip", "was not read"),
    ("no.md", "a matter of rights"),
])  # fmt: skip
def test_what_a_recipe_cannot_keep_says_why(client, notes, path, why):
    number, row = row_of(client, path)
    page = client.get(f"/m/notes/material/{number}").text
    assert "<button" not in row and "cannot be kept from here" in page and why in page and 'value="admit"' not in page
    answer = client.post(f"/m/notes/material/{number}", data={"act": "admit"})
    assert answer.status_code == 400 and why in answer.text and notes.read_text() == RECIPE


def test_without_a_recipe_nothing_is_kept(client, notes):
    number, _ = row_of(client, "short.md")
    notes.unlink()
    page = client.get(f"/m/notes/material/{number}").text
    assert "the recipe of notes is gone" in page and 'value="admit"' not in page
    assert client.post(f"/m/notes/material/{number}", data={"act": "admit"}).status_code == 400 and not notes.exists()


PATHS = st.text(min_size=1) | st.sampled_from(["empty", "c4", "notice", "one long line", "a*", "[a]", "[!a]", "?"])


@given(PATHS, PATHS)
def test_an_entry_means_its_own_path_alone(path, other):
    keep = Drops([keeping.entry(path)])
    for rule in ("empty", "c4: sentences", "notice", "one long line"):
        assert not keep.add_example({"path": path, "source": 0, "line": 1}, rule, "")
        assert keep.add_example({"path": other, "source": 0, "line": 1}, rule, "") or other == path


@pytest.mark.parametrize(("row", "why", "rules", "detail", "can"), [
    ("in", "c4: sentences", ["c4: sentences"], "1", True), ("in", "language", ["language"], "fr", True),
    ("in", "empty", ["empty", "shared with what is held out"], "9 characters of text", False),
    ("in", "near duplicate", ["near duplicate"], "of a.md", False), ("out", "empty", [], "", False),
])  # fmt: skip
def test_which_rules_a_recipe_sets_aside(row, why, rules, detail, can):
    assert (keeping.refusal({"decision": row}, why, rules, detail) == "") == can
