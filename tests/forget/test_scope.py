"""What a scope is about, which files of the sources that is, and that a copy without them is gathered alike."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from material import document

from netsuke import loop
from netsuke import recipe as recipes
from netsuke.consent import corrections
from netsuke.consent.ledger import Entry, Ledger, Row
from netsuke.curate.gather import gather
from netsuke.errors import ConsentError, RecipeError, StoreError
from netsuke.forget import prove
from netsuke.forget.copies import copies
from netsuke.forget.rests import Gathered
from netsuke.forget.scope import Target, Wanted, wanted
from netsuke.nouns import Source
from netsuke.step import Local
from netsuke.store import Store, hash_file
from netsuke.texts.documents import read_rows

NAMES = ("Ann", "ann ", "Bob", "me")
PATHS = ("notes/a.md", "notes/hers/a.md", "notes/hers/b[1].md", "other/a.md")
GLOBS = ("notes", "notes/hers", "notes/**/a.md", "notes/hers/b[[]1].md", "*/a.md", "other/**")
HASHES = ("a" * 64, "b" * 64)
TARGETS = st.one_of(
    st.builds(Target, st.just("owner"), st.sampled_from(NAMES)),
    st.builds(Target, st.just("path"), st.sampled_from(GLOBS)),
    st.builds(Target, st.just("document"), st.sampled_from(HASHES)),
)
DOCUMENTS = st.tuples(st.sampled_from(NAMES), st.sampled_from(PATHS), st.sampled_from(HASHES))


@given(st.lists(TARGETS, max_size=3), DOCUMENTS)
def test_what_is_shown_is_what_the_ledger_will_keep_out(targets, one):
    owner, path, content = one
    asked = Wanted(tuple(targets), ())
    taken = asked.takes(owner, path, content)
    assert taken == (asked.standing.of(owner, path, content).decision == "out")
    assert taken == (asked.standing.forgotten.of(owner, path, content).decision is not None)


@given(st.lists(TARGETS, min_size=1, max_size=2), st.lists(DOCUMENTS, max_size=6))
def test_every_document_that_a_scope_takes_is_listed_and_no_other(targets, documents):
    rows = tuple(Row(content, path, 0, owner, "", "in", "") for owner, path, content in documents)
    asked = Wanted(tuple(targets), rows)
    taken = {(content, path, owner) for owner, path, content in documents if asked.takes(owner, path, content)}
    assert {(content, *place) for content, places in asked.documents().items() for place in places} == taken
    for owner, path, content in documents:
        row = {"owner": owner, "source": 0, "file": content, "path": path.partition("/")[2]}
        if asked.takes(owner, path, content):
            assert gathered(asked, row).takes(asked, row, {path.partition("/")[0]})


def gathered(asked, *rows):
    """A gathered folder of these rows, for a model that is not named any more."""
    return Gathered(None, "", list(rows), frozenset(), (), asked.prefixes(rows))


@pytest.mark.parametrize("folder", ["old", "new/old", "z"])
def test_a_copy_deeper_in_the_same_source_is_another_place(folder):
    """Every file may have one but one: a backup beside the folder itself."""
    paths = [*(f"{n}.md" for n in range(4)), *(f"{folder}/{n}.md" for n in range(3))]
    rows = [{"owner": "me", "source": 0, "file": path[-4] * 64, "path": path} for path in paths]
    told = tuple(Row(row["file"], f"notes/mine/{row['path']}", 0, "me", "", "in", "") for row in rows)
    asked = Wanted((Target("path", f"notes/mine/{folder}"),), told)
    one = gathered(asked, *rows)
    assert [row["path"] for row in rows if one.takes(asked, row, {"notes"})] == paths[4:]
    assert not one.holds(asked, {"other"}) and one.holds(asked, set())


def test_a_source_of_which_nothing_was_read_is_known_by_its_paths():
    rows = [{"owner": "Ann", "source": 1, "file": "", "path": path} for path in ("a.md", "deep/b.md")]
    told = tuple(Row("", f"notes/hers/{row['path']}", 1, "Ann", "", "out", "") for row in rows)
    asked = Wanted((Target("path", "notes/hers/deep"),), told)
    one = gathered(asked, *rows)
    assert [row["path"] for row in rows if one.takes(asked, row, {"notes"})] == ["deep/b.md"]


@pytest.mark.parametrize("owner, gone", [("me", {"owner"}), ("Shop", {"shop"})])
def test_corrections_go_with_who_gave_them(store, owner, gone):
    Ledger(store.root / "ledger.db").record([Entry("a" * 64, "notes/a.md", 0, "Ann", "MIT", "in", "")])
    for name in ("owner", "shop"):
        corrections.keep(store.root, "notes", name, "what is it", f"a thing, says {name}")
    found = copies(Wanted.of((Target("owner", owner),), store), set(), store)
    assert {file.parent.name for file in found} == gone
    if gone:
        assert wanted("owner", owner, store).targets == (Target("owner", owner),)
    else:
        with pytest.raises(StoreError, match="no ledger yet"):
            wanted("owner", owner, store)


def test_a_forgotten_one_needs_clearing_first(tmp_path):
    ledger = Ledger(tmp_path / "ledger.db")
    ledger.record([Entry("a" * 64, "notes/a.md", 0, "Ann", "MIT", "in", "")])
    ledger.decide_standing("owner", "Ann", "out", "no", "me")
    ledger.decide_standing("owner", "Ann", "forgotten", "she asked", "me")
    for word in ("in", "out"):
        with pytest.raises(ConsentError, match="is forgotten since") as caught:
            ledger.decide_standing("owner", "ANN", word, "", "me")
        assert "consent clear --owner" in caught.value.hint
    ledger.decide_standing("document", "a" * 64, "in", "", "me")
    stand = ledger.standing().of("ann", "notes/a.md", "a" * 64)
    assert stand.decision == "out" and stand.reason == "It is forgotten, says me: she asked."
    ledger.decide_standing("owner", "Ann", "cleared", "", "me")
    assert ledger.standing().of("ann", "notes/a.md", "a" * 64).decision == "in"
    assert ledger.standing().forgotten.rows == () and ledger.verify() is None


@pytest.fixture
def folder(tmp_path):
    """Sources inside and beside each other, links, a licence, a file that is too large, one that is hidden."""
    place = tmp_path / "room" / "messy"
    for name in ("", "hers", "hers/deep", "../theirs"):
        (place / name).mkdir(parents=True, exist_ok=True)
    for number in range(4):
        (place / f"{number}.md").write_text(document(number))
    (place / "hers" / "a.md").write_text(document(10))
    (place / "hers" / "deep" / "b.md").write_text(document(11))
    (place / "copy.md").write_text(document(10))
    links = {"link.md": "0.md", "out.md": "../unrelated.txt", "folder": "hers/deep", "loop": "loop", "up": ".."}
    for name, target in links.items():
        (place / name).symlink_to(target)
    (place / ".hidden.md").write_text(document(12))
    (place / "big.md").write_bytes(b"word " * 300_000)
    (place.parent / "theirs" / "LICENSE").write_text("SPDX-License-Identifier: CC-BY-4.0\n")
    (place.parent / "theirs" / "c.md").write_text(document(13))
    (place.parent / "book.txt").write_text(document(14))
    (place.parent / "unrelated.txt").write_text(document(15))
    return place


SOURCES = (Source("."), Source("hers", owner="Ann", consent="in"), Source("hers/deep", owner="Bob", consent="in"),
           Source("../theirs", owner="them"), Source("../book.txt"))  # fmt: skip


@pytest.mark.parametrize(
    ("scope", "value", "gone"),
    [
        ("owner", "ann", {"a.md"}),
        ("owner", "Bob", {"b.md", "folder"}),
        ("owner", "them", {"LICENSE", "c.md"}),
        ("path", "notes/theirs/LICENSE", {"LICENSE"}),
        ("path", "notes/0.md", {"0.md", "link.md"}),
        ("path", "notes/book.txt", {"book.txt"}),
        ("document", "hers/a.md", {"a.md", "copy.md"}),
        ("document", "big.md", {"big.md"}),
    ],
)
def test_a_copy_without_the_forgotten_is_gathered_alike(folder, store, tmp_path, scope, value, gone):
    made = replace(recipes.fresh("notes", loop.SECTIONS), sources=SOURCES)
    made = replace(made, params=made.params | {"curate": replace(made.params["curate"], max_mb=1.0)})
    place = folder / "netsuke.toml"
    recipes.save(made, place)
    before = loop.documents(made, place, store, Local(store))
    ledger = Ledger(store.root / "ledger.db")
    value = hash_file(folder / value) if scope == "document" else value
    ledger.decide_standing(scope, value, "forgotten", "", "me")
    files = gather(made, place, store, Local(store))
    after = loop.documents(made, place, store, Local(store))

    def paths(data):
        return [row["path"] for row in read_rows(store.path(data["documents.jsonl"]))]

    assert set(paths(before)) - set(paths(after)) == gone
    copied, where = prove.copied(made, place, ledger.standing(), tmp_path / "proof", store)
    fresh = Store(tmp_path / "fresh")
    assert gather(copied, where, fresh, Local(fresh)) == files
    names = {name for _, _, found in os.walk(tmp_path / "proof") for name in found}
    assert not gone & names - {"unrelated.txt"} and ".hidden.md" in names


# -- a source ----------------------------------------------------------------------------------------------
def recipe_of(room, store, sources, read):
    """The place of a recipe "m" with these sources; the ledger has `read`: (path, number, owner), oldest first."""
    made = replace(recipes.fresh("m", loop.SECTIONS), sources=sources)
    place = room / "m" / "netsuke.toml"
    place.parent.mkdir(exist_ok=True)
    recipes.save(made, place)
    entries = [Entry(f"{n:064x}", f"m/{path}", number, owner, "MIT", "in", "")
               for n, (path, number, owner) in enumerate(read)]  # fmt: skip
    Ledger(store.root / "ledger.db").record(entries)
    store.name("packs", "m", {"ref": "a" * 64, "recipe": str(place)})
    return place


def paths_of(value, store):
    return [target.value for target in wanted("source", value, store).targets]


def test_a_source_that_is_called_as_another_takes_its_own_files_alone(tmp_path, store):
    for name in ("ann", "bob"):
        (tmp_path / name / "letters").mkdir(parents=True)
    sources = (Source(str(tmp_path / "ann/letters"), owner="Ann"), Source(str(tmp_path / "bob/letters"), owner="Bob"))
    recipe_of(tmp_path, store, sources, [("letters/a.md", 0, "Ann"), ("letters/b.md", 1, "Bob")])
    assert paths_of("m:0", store) == ["m/letters/a.md"] and paths_of("m:1", store) == ["m/letters/b.md"]
    Ledger(store.root / "ledger.db").record([Entry("f" * 64, "m/letters/a.md", 1, "Bob", "MIT", "in", "")])
    for value in ("m:0", "m:1"):
        with pytest.raises(RecipeError, match="one path in the ledger, m/letters/a.md"):
            paths_of(value, store)


def test_a_source_elsewhere_and_a_folder_of_its_name_beside_the_recipe(tmp_path, store):
    for name in ("ann/letters", "m/letters"):
        (tmp_path / name).mkdir(parents=True)
    sources = (Source("."), Source("../ann/letters", owner="Ann"))
    recipe_of(tmp_path, store, sources, [("letters/mine.md", 0, "me"), ("letters/a.md", 1, "Ann")])
    assert paths_of("m:1", store) == ["m/letters/a.md"]
    (tmp_path / "m" / "letters").rmdir()
    assert paths_of("m:1", store) == ["m/letters"]


def test_what_the_number_brought_when_it_was_another_sources_is_not_taken(tmp_path, store):
    for name in ("m/notes/deep", "m/hers", "m/more"):
        (tmp_path / name).mkdir(parents=True)
    sources = (Source("notes"), Source("notes/deep"), Source("hers", owner="Ann"))
    read = [("hers/a.md", 0, "Ann"), ("notes/1.md", 1, "me"), ("notes/deep/2.md", 0, "me"), ("notes/old.md", 0, "Bob"),
            ("notes/1.md", 0, "me"), ("notes/deep/2.md", 1, "me")]  # fmt: skip
    recipe_of(tmp_path, store, sources, read)
    assert paths_of("m:0", store) == ["m/notes/1.md"]  # by its files, since another lies inside
    assert paths_of("m:1", store) == ["m/notes/deep"]


def test_a_source_that_is_one_file(tmp_path, store):
    (tmp_path / "book.txt").write_text(document(1))
    recipe_of(tmp_path, store, (Source("."), Source("../book.txt")), [("1.md", 0, "me"), ("book.txt", 1, "me")])
    assert paths_of("m:1", store) == ["m/book.txt"]
