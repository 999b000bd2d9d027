"""What a person names: a folder, a recipe, a model; and which recipe is meant."""

import dataclasses
import json

import pytest
from packed import small_pack

from netsuke import loop, recipe
from netsuke.errors import RecipeError, StoreError
from netsuke.front import targets
from netsuke.nouns import Source

RECIPE = 'name = "notes"\nbase = "tiny"\nmb = 60\n[[sources]]\npath = "letters"\nowner = "Ann"\n[tune]\nrank = 8\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "netsuke.toml").write_text(RECIPE)
    return tmp_path / "notes"


def test_under_another_name_it_is_a_recipe_of_its_own(folder, store):
    """What is said of one model is not said of the other."""
    wanted, place, fresh = targets.find_recipe(str(folder), store, "small")
    assert fresh and place == folder / "small.netsuke.toml"
    assert (wanted.name, wanted.mb, wanted.params["tune"].rank, wanted.sources[0].owner) == ("small", 60, 8, "Ann")
    changed = targets.applied(wanted, place, store, {"mb": 40.0}, {"tune.rank": "4"})
    recipe.save(changed, place)
    assert (folder / "netsuke.toml").read_text() == RECIPE
    again, there, fresh = targets.find_recipe(str(folder), store, "small")
    assert (again, there, fresh) == (changed, place, False)
    assert targets.find_recipe(str(folder), store, "notes")[1] == folder / "netsuke.toml"
    assert recipe.load(place, loop.SECTIONS).mb == 40


def test_a_name_that_is_a_recipe_of_other_material_is_refused(tmp_path, store):
    for name in ("a.txt", "b.txt", "letters"):
        (tmp_path / name).write_text("A text.")
        wanted, place, _ = targets.find_recipe(str(tmp_path / name), store)
        recipe.save(wanted, place)
    recipe.save(*targets.find_recipe(str(tmp_path / "a.txt"), store, "foo")[:2])
    with pytest.raises(RecipeError, match=r"foo\.netsuke\.toml is of a\.txt, and not of .*b\.txt") as caught:
        targets.find_recipe(str(tmp_path / "b.txt"), store, "foo")
    assert "another name" in caught.value.hint
    recipe.save(*targets.find_recipe(str(tmp_path), store)[:2])
    with pytest.raises(RecipeError, match=r"letters\.netsuke\.toml is of letters, and not of"):
        targets.find_recipe(str(tmp_path), store, "letters")
    recipe.save(*targets.find_recipe(str(tmp_path), store, "whole")[:2])
    with pytest.raises(RecipeError, match=r"whole\.netsuke\.toml is of \., and not of"):
        targets.find_recipe(str(tmp_path / "b.txt"), store, "whole")


@pytest.mark.parametrize("sources", ['path = "letters"', 'path = "poems"', 'path = "."', 'path = "letters/old"'])
def test_a_named_recipe_may_take_more_of_the_folder_or_less(folder, store, sources):
    place = folder / "small.netsuke.toml"
    recipe.save(*targets.find_recipe(str(folder), store, "small")[:2])
    text = place.read_text().replace('path = "letters"', f'{sources}\n[[sources]]\npath = "/elsewhere/labels.csv"')
    place.write_text(text)
    found, there, fresh = targets.find_recipe(str(folder), store, "small")
    assert (len(found.sources), there, fresh) == (2, place, False)


def test_a_table_of_examples_spelt_in_two_ways_is_one_source(folder, store):
    (folder / "labels.csv").write_text("text,label\n")
    (folder.parent / "link").symlink_to(folder)
    wanted, path, _ = targets.find_recipe(str(folder), store)
    for spelt in (folder.parent / "link", folder):
        wanted = targets.with_task(wanted, path.parent, str(spelt / "labels.csv"), None)
        assert [source.path for source in wanted.sources] == ["letters", "labels.csv"]
    written = dataclasses.replace(wanted, sources=(Source(str(folder.parent / "link" / "labels.csv"), "Ann"),))
    again = targets.with_task(written, path.parent, str(folder / "labels.csv"), "text,label")
    assert [(one.owner, one.profile, one.columns) for one in again.sources] == [("Ann", "examples", ("text", "label"))]


@pytest.mark.parametrize("name", ["../x", "a/b", "", " "])
def test_a_name_that_cannot_be_one_leads_nowhere(folder, store, name):
    if not name:
        assert targets.find_recipe(str(folder), store, name)[0].name == "notes"
        return
    with pytest.raises(RecipeError, match="cannot be a model's name"):
        targets.find_recipe(str(folder), store, name)


def test_one_recipe_spelt_in_two_ways_is_one(folder, store, monkeypatch):
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    (folder.parent / "link").symlink_to(folder)
    spelt = [str(folder), "../netsuke.toml", str(folder.parent / "link" / "netsuke.toml"), str(folder / "netsuke.toml")]
    assert {targets.find_recipe(one, store)[1] for one in spelt} == {folder.resolve() / "netsuke.toml"}


@pytest.mark.parametrize("tuned", [True, False, None])
def test_of_a_model_that_ships_untuned_nothing_learnt_is_taken(tmp_path, store, tuned):
    pack = small_pack(tmp_path / "few", "few").folder
    if tuned is not None:
        (pack / "task.json").write_text(json.dumps({"tuned": tuned}))
    if tuned is False:
        with pytest.raises(StoreError, match="few is the body before tuning"):
            targets.require_tuned("few", pack)
    else:
        targets.require_tuned("few", pack)
