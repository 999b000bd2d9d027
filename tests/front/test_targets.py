"""What a person names: a folder, a recipe, a model; and which recipe is meant."""

import json

import pytest
from packed import small_pack

from netsuke import loop, recipe
from netsuke.errors import RecipeError, StoreError
from netsuke.front import targets

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
