"""The last document that is held out for a part is forgotten: another takes its place."""

import json

import pytest
from material import write_material

from netsuke import loop, recipe
from netsuke.cli.forgetting import told
from netsuke.consent.ledger import Ledger
from netsuke.forget.rests import rests
from netsuke.forget.scope import wanted
from netsuke.step import Local
from netsuke.store import Store


def dataset(place, store):
    """The dataset of a folder, and the part of each of its files."""
    made = loop.read(recipe.load(place, loop.SECTIONS), place, store, Local(store))
    rows = map(json.loads, store.path(made["documents.jsonl"]).read_text().splitlines())
    return made, {row["path"]: row for row in rows}


@pytest.mark.parametrize("part", ["test", "valid"])
def test_forgetting_the_only_one_of_a_part_gives_the_data_set_that_never_held_it(tmp_path, store, part):
    place = write_material(tmp_path / "notes")
    place.write_text(place.read_text().replace("test = 0.25\nvalid = 0.15", "test = 0.01\nvalid = 0.01"))
    made, before = dataset(place, store)
    (path,) = [path for path, row in before.items() if row["split"] == part]
    store.name("packs", "notes", {"ref": made.ref, "recipe": str(place), "runs": [made.run.key]})
    found = rests(wanted("document", before[path]["file"], store), store)
    assert found.packs[0].emptied == (part,) and found.packs[0].left == len(before) - 1
    assert f"the last of {part}: another is held out in its place" in " ".join(told(found).split())
    Ledger(store.root / "ledger.db").decide_standing("document", before[path]["file"], "forgotten", "", "me")
    after, rows = dataset(place, store)
    moved = {path for path, row in rows.items() if row["split"] != before[path]["split"]}
    assert path not in rows and moved and {before[one]["split"] for one in moved} >= {"train"}
    assert sorted(row["split"] for row in rows.values() if row["split"] != "train") == ["test", "valid"]
    (place.parent / path).unlink()
    assert dataset(place, Store(tmp_path / "never"))[0].ref == after.ref


def test_of_a_part_with_another_document_left_nothing_is_said(tmp_path, store):
    place = write_material(tmp_path / "notes")
    made, before = dataset(place, store)
    store.name("packs", "notes", {"ref": made.ref, "recipe": str(place), "runs": [made.run.key]})
    row = next(row for row in before.values() if row["split"] == "test")
    found = rests(wanted("document", row["file"], store), store)
    assert found.packs[0].emptied == () and "held out in its place" not in told(found)
