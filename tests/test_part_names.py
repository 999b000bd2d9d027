"""A file of any name comes back from what its parts are called, wherever they are put together again."""

from types import SimpleNamespace

import faked
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from searched import BEES, opened
from searched import row as found_row

from netsuke import search, value
from netsuke.curate.items import Drops, Item
from netsuke.curate.write import Dataset, _files
from netsuke.forget import rests
from netsuke.forget.scope import Target, Wanted
from netsuke.studio import texts
from netsuke.texts.documents import file_of, part_name, write_rows
from netsuke.value import content, units

NAMES = st.text(st.one_of(st.sampled_from("#012a./ \n٣"), st.characters(codec="utf-8")))
ODD = ("C# letter.md", "#", "notes#.md", "a#1b.md", "track #3", "C#1#2")


@given(NAMES, st.integers(0, 12), NAMES, st.integers(0, 12))
@example("track #3", 0, "track ", 3)
@example("C# letter.md", 2, "C", 0)
def test_any_name_comes_back_and_no_two_are_called_the_same(path, part, other, number):
    assert file_of(part_name(path, part)) == path
    assert (part_name(path, part) == part_name(other, number)) == ((path, part) == (other, number))


def test_ordinary_names_are_called_as_ever():
    assert [part_name("book.txt", part) for part in (0, 1, 12)] == ["book.txt", "book.txt#1", "book.txt#12"]
    assert part_name("C# letter.md", 0) == "C# letter.md"


@pytest.mark.parametrize("path", ODD)
@pytest.mark.parametrize("part", [0, 2])
def test_text_is_its_files_in_value_the_index_and_the_studio(tmp_path, path, part):
    called = Item(path, 0, "me", "MIT", "a letter", part=part).name
    trained = {"text": "a letter", "path": called, "source": 0, "owner": "me", "licence": "MIT"}
    (tmp_path / "examples").mkdir()
    write_rows(tmp_path / "examples" / "train.jsonl", [])
    write_rows(tmp_path / "train.jsonl", [trained])
    row = {"path": path, "source": 0, "owner": "Ann", "licence": "CC0-1.0", "reason": "", "split": "train"}
    documents = [row | {"stands_for": []}]
    (piece,) = units.pieces(tmp_path, documents)
    assert piece.owner == "Ann"
    unit = {"name": "Ann", "of": ["Ann"], "bytes": 8, "pieces": [vars(piece)]}
    train = tmp_path / "train.jsonl"
    told = content.content(value.Weighing("owner", (), 0), [unit], documents, train, train, None, None)
    assert told["units"][0]["licences"] == {"CC0-1.0": 1}

    rows = {"train.jsonl": [trained], "valid.jsonl": [], "test.jsonl": []}
    model = SimpleNamespace(rows=rows.__getitem__)
    assert texts.kept(model, 0, path) == "a letter" and texts.learnt(model) == {path: "a letter"}

    index = opened(tmp_path / "a.db", (found_row(called, BEES, places=[[1, 400]]),))
    assert search.answer(index, "syrup freezes in the comb", 1).quotes[0].path == path


@pytest.mark.parametrize("path", ODD)
def test_why_a_file_is_left_out_is_told_of_its_parts_too(path):
    row = faked.row(path, 0) | dict.fromkeys(
        ("licence_how", "profile", "language", "decided_by", "signals", "labels", "private", "bytes_in"), ""
    )
    drops = Drops()
    drops.add(Item(path, 0, "me", "MIT", "a letter", part=2), "near duplicate", "of another")
    (told,) = _files(Dataset([row], drops))
    assert told["dropped_by"] == "near duplicate"


@pytest.mark.parametrize("path", ODD)
def test_a_copy_that_is_forgotten_too_does_not_come_back(store, path):
    called = Item(path, 0, "Ann", "MIT", "a letter", part=2).name
    copies = [{"source": 0, "path": called, "owner": "Ann"}, {"source": 1, "path": called, "owner": "Bea"}]
    rows = [faked.row("a.md", 0, "Ann", stands_for=copies), faked.row(path, 0, "Ann", split="dropped")]
    packed, data = faked.pack(store, "notes", "as notes", rows)
    one = rests.Gathered(data.run, "", rows, frozenset({"notes"}), (), {})
    wanted = Wanted.of((Target("owner", "Ann"),), store)
    record = {"ref": packed.ref, "recipe": "netsuke.toml"}
    found = rests._pack("notes", record, wanted, [one], SimpleNamespace(runs=()), store)
    assert found.returning == (called,)
